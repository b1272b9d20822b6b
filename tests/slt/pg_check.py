#!/usr/bin/env python3
"""Runs sqllogictest files against PostgreSQL, from which their answers come.

    tests/slt/pg_check.py [--bless] [FILE or FOLDER …]      (default: every folder PostgreSQL can run)

The server is the one of PGHOST, PGPORT and PGUSER; each file gets an empty database of its own.
Needs psycopg 3 (compat-tests/psycopg3/install makes an environment with it).

--bless writes PostgreSQL's own answers and SQLSTATEs into the files; the diff is then read like
code.  Records under `skipif postgres` are left out; in their place a result of the one line `=`
means "as the record above" and --bless fills it in.
"""
import argparse
import contextlib
import os
import re
import sys
from dataclasses import dataclass, field

import psycopg
from psycopg import pq

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDERS = ["pg_compat", "sql", "catalog", "pgq", "cypher", "regression", "access"]
INTEGER_OIDS = {20, 21, 23, 26}
FLOAT_OIDS = {700, 701, 1700}


@dataclass
class Record:
    """One statement or query of a file, or (kind "text") lines to keep as they are."""
    kind: str
    line: int
    conditions: list = field(default_factory=list)
    head: list = field(default_factory=list)      # words of the head line
    sql: list = field(default_factory=list)
    expected: list = None                         # lines below ----

    def runs_on_postgres(self):
        return all(
            not (word == "skipif" and engine == "postgres") and not (word == "onlyif" and engine != "postgres")
            for word, engine in self.conditions)

    def lines(self):
        if self.kind == "text":
            return self.sql
        out = [" ".join(pair) for pair in self.conditions]
        out.append(" ".join(self.head))
        out += self.sql
        if self.expected is not None:
            out += ["----", *self.expected]
        return out


def parse(text):
    records, lines, at = [], text.split("\n"), 0
    conditions = []
    while at < len(lines):
        line = lines[at]
        words = line.split()
        if words[:1] in (["skipif"], ["onlyif"]):
            conditions.append((words[0], words[1]))
            at += 1
            continue
        if words[:1] not in (["statement"], ["query"]):
            records.append(Record("text", at + 1, sql=[line]))
            at += 1
            continue
        record = Record(words[0], at + 1, conditions, words)
        conditions = []
        at += 1
        while at < len(lines) and lines[at].strip() and lines[at].strip() != "----":
            record.sql.append(lines[at])
            at += 1
        if at < len(lines) and lines[at].strip() == "----":
            record.expected = []
            at += 1
            while at < len(lines) and lines[at].strip():
                record.expected.append(lines[at])
                at += 1
        records.append(record)
    return records


def shown(value):
    if value is None:
        return "NULL"
    return value.decode() or "(empty)"


def normal(line):
    return " ".join(line.split())


def sorted_as(mode, rows):
    return sorted(rows) if mode == "rowsort" else sorted(" ".join(rows).split()) if mode == "valuesort" else rows


def run(connection, record):
    """The outcome in the words of the format: ("ok", count), ("error", state, message) or ("rows", types, rows)."""
    result = connection.pgconn.exec_("\n".join(record.sql).encode())
    status = pq.ExecStatus(result.status)
    if status == pq.ExecStatus.FATAL_ERROR:
        state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        message = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode()
        return "error", state, message
    if status == pq.ExecStatus.TUPLES_OK:
        types = "".join(
            "I" if oid in INTEGER_OIDS else "R" if oid in FLOAT_OIDS else "T"
            for oid in map(result.ftype, range(result.nfields)))
        rows = [
            " ".join(shown(result.get_value(r, c)) for c in range(result.nfields)) for r in range(result.ntuples)]
        return "rows", types, rows
    return "ok", int((result.command_tuples or 0))


def sort_mode(head):
    return next((w for w in head[2:] if w in ("rowsort", "valuesort", "nosort")), "nosort")


def check(record, outcome):
    """What differs, or None."""
    if record.head[1:2] == ["error"]:
        wanted = " ".join(record.head[2:])
        if outcome[0] != "error":
            return "no error"
        state = re.fullmatch(r"\(([0-9A-Z]{5})\)", wanted)
        if state and state[1] != outcome[1]:
            return f"SQLSTATE {outcome[1]} ({outcome[2]}), expected {state[1]}"
        return None
    if outcome[0] == "error":
        return f"{outcome[1]}: {outcome[2]}"
    if record.kind == "statement":
        if record.head[1:2] == ["count"] and outcome[0] == "ok" and int(record.head[2]) != outcome[1]:
            return f"{outcome[1]} rows, expected {record.head[2]}"
        return None
    if outcome[0] != "rows":
        return "no rows"
    mode = sort_mode(record.head)
    got = sorted_as(mode, [normal(r) for r in outcome[2]])
    expected = sorted_as(mode, [normal(r) for r in record.expected or []])
    if got != expected:
        return "got\n    " + "\n    ".join(got) + "\n  expected\n    " + "\n    ".join(expected)
    return None


def bless(record, outcome):
    if outcome[0] == "error":
        if record.head[1:2] == ["error"] or record.kind == "statement" and record.head[1:2] == ["ok"] and "ERROR" in record.head:
            record.head = [record.kind, "error", f"({outcome[1]})"]
        return
    if record.kind == "query" and outcome[0] == "rows" and record.head[1:2] != ["error"]:
        modes = [w for w in record.head[1:] if w in ("rowsort", "valuesort", "nosort")]
        record.head = ["query", outcome[1], *modes]
        record.expected = sorted_as(modes[0] if modes else "nosort", [r.rstrip() for r in outcome[2]])


def run_file(path, blessing, verbose):
    with open(path) as file:
        records = parse(file.read())
    name = "slt_" + re.sub(r"\W", "_", os.path.relpath(path, HERE))
    with psycopg.connect(dbname=os.environ.get("PGDATABASE", "postgres"), autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        passed, failures = 0, []
        roles = {row[0] for row in admin.execute("SELECT rolname FROM pg_roles")}
        with contextlib.ExitStack() as open_connections:
            def connect(**who):
                made = psycopg.connect(dbname=name, autocommit=True, options="-c TimeZone=UTC", **who)
                return open_connections.enter_context(made)
            connections = {"default": connect()}
            connection = connections["default"]
            last = None
            for record in records:
                if record.kind == "text":
                    words = record.sql[0].split()
                    if words[:1] == ["halt"]:
                        break
                    if words[:1] == ["connection"]:
                        # A session of the role of this name.
                        if words[1] not in connections:
                            connections[words[1]] = connect(user=words[1])
                        connection = connections[words[1]]
                    continue
                if not record.runs_on_postgres():
                    if blessing and record.expected == ["="] and last is not None:
                        record.head = [*last.head]
                        record.expected = [*last.expected]
                    continue
                outcome = run(connection, record)
                if blessing:
                    bless(record, outcome)
                if record.kind == "query":
                    last = record
                difference = check(record, outcome)
                if difference is None:
                    passed += 1
                else:
                    failures.append(f"{os.path.relpath(path)}:{record.line}: {difference}\n  " + "\n  ".join(record.sql))
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        # Roles are the server's, not the database's: the next file begins without those of this one.
        for row in admin.execute("SELECT rolname FROM pg_roles").fetchall():
            if row[0] not in roles:
                admin.execute(f'DROP OWNED BY "{row[0]}" CASCADE')
        for row in admin.execute("SELECT rolname FROM pg_roles").fetchall():
            if row[0] not in roles:
                admin.execute(f'DROP ROLE "{row[0]}"')
    if blessing:
        with open(path, "w") as file:
            file.write("\n".join(line for record in records for line in record.lines()))
    return passed, failures


def files_of(arguments):
    for argument in arguments:
        if os.path.isdir(argument):
            yield from sorted(
                os.path.join(folder, name) for folder, _, names in os.walk(argument) for name in names if name.endswith(".slt"))
        else:
            yield argument


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bless", action="store_true", help="write PostgreSQL's answers into the files")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each file")
    parser.add_argument("files", nargs="*", default=[os.path.join(HERE, folder) for folder in FOLDERS])
    arguments = parser.parse_args()
    passed = failed = 0
    for path in files_of(arguments.files):
        good, failures = run_file(path, arguments.bless, arguments.verbose)
        passed += good
        failed += len(failures)
        if arguments.verbose:
            print(f"{os.path.relpath(path)}: {good} passed, {len(failures)} failed")
        for failure in failures:
            print(failure)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Sends what real clients sent to PostgreSQL and to graphwire, and compares the rows.

    tests/catalog/compare_clients.py --postgres DSN --graphwire DSN [--folder DIR] [FILE.sql …]

Reads recorded statements (default: /work/shared/captured, which is not part of the project; see the
README there) after running fixture.sql of the same folder on both servers. Parameters are sent as
NULL. Numbers of objects differ between servers, so integers from 10000 on are compared as one word.
Only the introspection part of each file is sent unless --all is given. Needs psycopg 3.
"""
import argparse
import pathlib
import re
import sys

import psycopg
from psycopg import pq

VOLATILE = re.compile(r"pg_sleep|pg_backend_pid|version\(\)|txid|now\(\)|pg_postmaster|pg_terminate|"
                      r"pg_cancel|current_timestamp|_size\(|server_version|advisory|pg_notify", re.I)
NUMBER = re.compile(r"\b\d{5,10}\b")


def statements(path, everything):
    text = path.read_text()
    if not everything:
        text = text.split("-- ==== All other statements")[0]
    for part in re.split(r"^-- x\d+\n", text, flags=re.M)[1:]:
        part = re.sub(r"\n-- ====.*", "", part.strip(), flags=re.S)
        if part:
            yield part.rstrip(";")


def run(connection, sql):
    parameters = max([int(n) for n in re.findall(r"\$(\d+)", sql)] or [0])
    if parameters:
        result = connection.pgconn.exec_params(sql.encode(), [None] * parameters)
    else:
        result = connection.pgconn.exec_(sql.encode())
    status = pq.ExecStatus(result.status)
    if status == pq.ExecStatus.FATAL_ERROR:
        code = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        message = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode()
        return "error", code, message
    if status != pq.ExecStatus.TUPLES_OK:
        return "ok", None, None
    names = [result.fname(c).decode() for c in range(result.nfields)]
    types = [result.ftype(c) for c in range(result.nfields)]
    rows = []
    for row in range(result.ntuples):
        values = (result.get_value(row, column) for column in range(result.nfields))
        rows.append(tuple("NULL" if v is None else NUMBER.sub("#", v.decode()) for v in values))
    return "rows", list(zip(names, types)), sorted(rows)


def difference(theirs, ours):
    if ours[0] == "error" and theirs[0] != "error":
        return f"{ours[1]}: {ours[2]}"
    if theirs[0] != ours[0]:
        return f"{theirs[:2]} there, {ours[:2]} here"
    if theirs[0] != "rows":
        return None
    if [n for n, _ in theirs[1]] != [n for n, _ in ours[1]]:
        return f"columns {[n for n, _ in theirs[1]]} there, {[n for n, _ in ours[1]]} here"
    missing = [row for row in theirs[2] if row not in ours[2]][:2]
    extra = [row for row in ours[2] if row not in theirs[2]][:2]
    if missing or extra or len(theirs[2]) != len(ours[2]):
        return f"{len(theirs[2])} rows there, {len(ours[2])} here; missing {missing}, extra {extra}"
    other = [(a, b) for a, b in zip(theirs[1], ours[1]) if a != b]
    return f"types differ: {other}" if other else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--graphwire", required=True)
    parser.add_argument("--folder", default="/work/shared/captured", type=pathlib.Path)
    parser.add_argument("--all", action="store_true", help="also what is not introspection")
    parser.add_argument("--no-types", action="store_true", help="do not compare the columns' type numbers")
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    files = [arguments.folder / name for name in arguments.files] or sorted(
        file for file in arguments.folder.glob("*.sql") if file.name != "fixture.sql")
    with psycopg.connect(arguments.postgres, autocommit=True) as theirs, \
            psycopg.connect(arguments.graphwire, autocommit=True) as ours:
        for connection in (theirs, ours):
            for statement in (arguments.folder / "fixture.sql").read_text().split(";\n"):
                if statement.strip() and connection.pgconn.exec_(statement.encode()).error_message:
                    print(f"fixture: {connection.info.port}: {connection.pgconn.error_message.decode()}", end="")
        same = total = 0
        for file in files:
            bad = []
            for sql in statements(file, arguments.all):
                if VOLATILE.search(sql):
                    continue
                total += 1
                found = difference(run(theirs, sql), run(ours, sql))
                if found and arguments.no_types and found.startswith("types differ"):
                    found = None
                for connection in (theirs, ours):
                    if connection.info.transaction_status != pq.TransactionStatus.IDLE:
                        connection.pgconn.exec_(b"ROLLBACK")
                if found:
                    bad.append((sql, found))
                else:
                    same += 1
            for sql, found in bad:
                print(f"{file.name}: {found[:600]}\n    " + " ".join(sql.split())[:300])
            print(f"== {file.name}: {len(bad)} differ")
        print(f"{same} of {total} the same")
    sys.exit(0 if same == total else 1)


main()

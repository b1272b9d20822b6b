#!/usr/bin/env python3
"""Writes tests/slt/catalog/psql_describe.slt: what psql 15 asks for its \\d commands, and the answers.

    PGHOST=… PGPORT=… PGUSER=… tests/catalog/capture_psql.py

Needs a PostgreSQL 15 server and psql 15. Numbers of the fixture's objects are written as
'schema.name'::regclass, so that the statements mean the same on any server; statements whose answer
holds such a number are left out.
"""
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).parent
TARGET = HERE.parent / "slt" / "catalog" / "psql_describe.slt"
DATABASE = "graphwire_capture_psql"

COMMANDS = r"""\d|\d emp|\d dept|\d pair_ref|\d other.emp|\d emp_v|\d emp_pkey|\d+ emp|\d+ emp_v|\dt|\dt other.*|\dt *.emp|\dv|\di
\ds|\dm|\dE|\dP|\dn|\dp|\z emp|\dT|\dD|\df|\df other.*|\da other.*|\dy|\des|\dew|\deu|\det|\dRp|\dRs|\dX|\dA heap
\ddp|\drds|\dc other.*|\dFd other.*|\dO other.*|\db|\dC other.*|\du nobody_here|\dg nobody_here|\dconfig nothing_such"""
INTEGERS = {"integer", "bigint", "smallint", "oid"}
FLOATS = {"real", "double precision", "numeric"}


def psql(*arguments, database=DATABASE, script=None):
    done = subprocess.run(["psql", "-X", "-q", "-d", database, *arguments], input=script,
                          capture_output=True, text=True)
    return done.stdout, done.stderr


def queries(command):
    out, _ = psql("-E", "-c", command)
    return re.findall(r"\*{9} QUERY \*{10}\n(.*?)\n\*{26}", out, re.S)


def fixture_numbers():
    out, _ = psql("-At", "-F", "\t", "-c", "SELECT oid, oid::regclass, relnamespace::regnamespace "
                  "FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'v', 'i')")
    numbers = {}
    for line in out.splitlines():
        oid, name, schema = line.split("\t")
        numbers[oid] = name if "." in name else f"{schema}.{name}"
    return numbers


def types(sql):
    out, _ = psql("-At", "-F", "\t", script=sql + " \\gdesc\n")
    kinds = [line.split("\t")[1] for line in out.splitlines()]
    return "".join("I" if k in INTEGERS else "R" if k.startswith(tuple(FLOATS)) else "T" for k in kinds)


def answer(sql):
    out, error = psql("-At", "-F", "\x1f", "-R", "\x1e", "-P", "null=NULL", "-c", sql)
    if error:
        raise SystemExit(error + sql)
    rows = out.rstrip("\n").split("\x1e") if out.strip("\n") else []
    return [" ".join(value or "(empty)" for value in row.split("\x1f")) for row in rows]


def main():
    psql("-c", f"DROP DATABASE IF EXISTS {DATABASE}", database="postgres")
    psql("-c", f"CREATE DATABASE {DATABASE}", database="postgres")
    psql("-f", str(HERE / "fixture.sql"))
    numbers = fixture_numbers()
    lines = ["# What psql 15 asks for its \\d commands, written by tests/catalog/capture_psql.py.", ""]
    fixture = re.sub("--.*\n", "", (HERE / "fixture.sql").read_text())
    for statement in fixture.split(";"):
        if statement.strip():
            lines += ["statement ok", statement.strip(), ""]
    seen = set()
    for command in COMMANDS.replace("\n", "|").split("|"):
        kept = []
        for sql in queries(command):
            text = "\n".join(line.rstrip() for line in sql.splitlines() if line.strip()).rstrip(";")
            for oid, name in numbers.items():
                text = re.sub(rf"'{oid}'", f"'{name}'::regclass", text)
                text = re.sub(rf"\b{oid}\b", f"'{name}'::regclass::oid", text)
            # On graphwire the bootstrap superuser, which owns what the system has, is graphwire.
            rows = [re.sub(r"\bpostgres\b", "graphwire", row) for row in answer(text)]
            shown = "\n".join(rows)
            if text in seen or any("\n" in row for row in rows) or re.search(r"\b1[67]\d{3}\b", shown):
                continue
            seen.add(text)
            kept.append((text, rows))
        if kept:
            lines += [f"# {command}"]
        for text, rows in kept:
            # Elsewhere the owner has another name.
            condition = ["skipif postgres"] if "graphwire" in "\n".join(rows) else []
            lines += [*condition, f"query {types(text)}", text, "----", *rows, ""]
    psql("-c", f"DROP DATABASE {DATABASE}", database="postgres")
    TARGET.write_text("\n".join(lines))
    print(f"{len(seen)} statements")


main()

#!/usr/bin/env python3
"""Runs sql/*.sql on a PostgreSQL 15 server and compares each view with PostgreSQL's own of that name.

    PGHOST=… PGPORT=… PGUSER=… tests/catalog/compare_views.py

Columns and types must be the same for all views; rows too, except where this file says why not. Uses a
database of its own, which is dropped at the end. Exit code 1 on any difference.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
DATABASE = "graphwire_compare_views"

# graphwire counts neither scans nor blocks nor changed rows.
SKIP_ROWS = re.compile("^pg_stat(io)?_")
LEFT_OUT = {
    "columns": ["is_updatable", "identity_start"],      # views are never updatable in graphwire
    "tables": ["is_insertable_into"],
    "views": ["is_updatable", "is_insertable_into"],
    "character_sets": ["default_collate_catalog", "default_collate_schema", "default_collate_name"],
    "routines": ["routine_definition"],                 # of functions in SQL: the text, here its name
}
# Compared for the fixture's objects: lists of privileges cover ownership alone, and PostgreSQL's
# own objects use domains.
ONLY_SCHEMA = {
    "table_privileges": "table_schema", "role_table_grants": "table_schema",
    "column_privileges": "table_schema", "role_column_grants": "table_schema",
    "routine_privileges": "specific_schema", "role_routine_grants": "specific_schema",
    "data_type_privileges": "object_schema", "columns": "table_schema", "tables": "table_schema",
    "element_types": "object_schema", "views": "table_schema", "column_udt_usage": "table_schema",
    "view_column_usage": "view_schema",
}


def psql(sql, database=DATABASE, check=True):
    done = subprocess.run(["psql", "-X", "-q", "-At", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", database],
                          input=sql, capture_output=True, text=True)
    if check and done.returncode:
        sys.exit(f"{done.stderr}\nin: {sql[:400]}")
    return done


def statements(path):
    text = re.sub("--.*", "", path.read_text())
    return [part.strip() for part in text.split(";") if part.strip()]


def columns(schema, name):
    out = psql(f"""
        SELECT a.attname, coalesce(b.typname, t.typname)
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
        WHERE a.attrelid = '{schema}.{name}'::regclass AND a.attnum > 0 ORDER BY a.attnum""")
    return [line.split("\t") for line in out.stdout.splitlines()]


def compare(schema, ours, name):
    problems = []
    mine, theirs = columns(ours, name), columns(schema, name)
    if mine != theirs:
        problems.append(f"columns differ: {[(a, b) for a, b in zip(mine, theirs) if a != b] or (mine, theirs)}")
        return problems
    if SKIP_ROWS.match(name):
        return problems
    chosen = [f'"{column}"' for column, _ in mine if column not in LEFT_OUT.get(name, [])]
    where = ""
    if name in ONLY_SCHEMA:
        where = f" WHERE {ONLY_SCHEMA[name]} IN ('public', 'other')"
    for left, right, word in ((ours, schema, "only here"), (schema, ours, "only in PostgreSQL")):
        sql = (f"SELECT {', '.join(c + '::text' for c in chosen)} FROM {left}.{name}{where} EXCEPT ALL "
               f"SELECT {', '.join(c + '::text' for c in chosen)} FROM {right}.{name}{where} LIMIT 3")
        done = psql(sql, check=False)
        if done.returncode:
            problems.append(done.stderr.strip())
        elif done.stdout:
            problems.append(f"{word}: {done.stdout.strip()}")
    return problems


def main():
    psql(f"DROP DATABASE IF EXISTS {DATABASE}", "postgres")
    psql(f"CREATE DATABASE {DATABASE}", "postgres")
    psql((ROOT / "tests/catalog/fixture.sql").read_text())
    psql("CREATE SCHEMA our_pg_catalog; CREATE SCHEMA our_information_schema")
    failed = compared = 0
    for file in ("10_pg_catalog.sql", "20_information_schema.sql"):
        for statement in statements(ROOT / "sql" / file):
            match = re.match(r"CREATE VIEW (pg_catalog|information_schema)\.(\w+)", statement)
            schema, name = match.groups()
            psql(statement.replace(f"CREATE VIEW {schema}.", f"CREATE VIEW our_{schema}.", 1))
        for statement in statements(ROOT / "sql" / file):
            schema, name = re.match(r"CREATE VIEW (\w+)\.(\w+)", statement).groups()
            problems = compare(schema, f"our_{schema}", name)
            compared += 1
            for problem in problems:
                failed += 1
                print(f"{schema}.{name}: {problem}")
    psql(f"DROP DATABASE {DATABASE}", "postgres")
    print(f"{compared} views compared, {failed} differences")
    sys.exit(1 if failed else 0)


main()

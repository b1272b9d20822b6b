"""pgcli: what it asks the catalogs for its completions, its backslash commands (pgspecial), and it as a program."""
import os
import subprocess
import sys
from contextlib import contextmanager

from pgcli.pgexecute import PGExecute
from pgspecial.main import PGSpecial

from checks import check, equal, run

SCHEMA = "compat_pgcli"


def executor():
    return PGExecute(os.environ["PGDATABASE"], os.environ["PGUSER"], os.environ.get("PGPASSWORD", ""), os.environ["PGHOST"], os.environ["PGPORT"])


@contextmanager
def connect():
    one = executor()
    one.run(f"SET search_path = {SCHEMA}, public").__next__()
    yield one
    one.conn.close()


def rows(one, text):
    found = []
    for title, cursor, headers, status, _, success, _ in one.run(text, PGSpecial()):
        if not success:
            raise AssertionError(status)
        found.extend(list(cursor or []))
    return found


@check
def names_for_completion(one):
    equal((SCHEMA in one.schemata(), one.search_path()), (True, ["pg_catalog", SCHEMA, "public"]))
    equal(sorted(t for s, t in one.tables() if s == SCHEMA), ["child", "parent"])
    equal([t for s, t in one.views() if s == SCHEMA], ["paired"])
    columns = [c for c in one.table_columns() if c[0] == SCHEMA]
    equal([(c[1], c[2], c[3]) for c in columns if c[1] == "parent"], [("parent", "id", "integer"), ("parent", "name", "text")])
    equal(len([c for c in one.view_columns() if c[0] == SCHEMA]), 3)
    keys = [k for k in one.foreignkeys() if k.childschema == SCHEMA]
    equal([(k.parenttable, k.parentcolumn, k.childtable, k.childcolumn) for k in keys], [("parent", "id", "child", "parent")])
    equal(os.environ["PGDATABASE"] in one.databases(), True)
    equal([d for d in one.datatypes() if d[0] == SCHEMA], [(SCHEMA, "mood")])
    functions = [f for f in one.functions() if f.schema_name == SCHEMA]
    equal([(f.func_name, f.return_type, f.is_set_returning) for f in functions], [("doubled", "integer", True)])


@check
def backslash_commands(one):
    for command in ["\\d", "\\d parent", "\\d+ parent", "\\dt", "\\dt+", "\\dv", "\\di", "\\ds", "\\dn", "\\dn+", "\\du", "\\l", "\\l+", "\\df", "\\dT", "\\dp", "\\dx", "\\db", "\\dm", "\\dD", "\\dE", "\\ddp"]:
        rows(one, command)
    equal([row[1] for row in rows(one, "\\dt compat_pgcli.*")], ["child", "parent"])
    described = rows(one, "\\d child")
    equal([row[0] for row in described][:2], ["id", "parent"])


@check
def view_and_function_definitions(one):
    equal("parent" in one.view_definition(f"{SCHEMA}.paired"), True)


@check
def statements_and_errors(one):
    equal(rows(one, "SELECT 1 AS a; SELECT 'x'"), [(1,), ("x",)])
    try:
        rows(one, "SELECT nothing")
    except Exception as error:
        equal(getattr(error, "sqlstate", None), "42703")
    else:
        raise AssertionError("no error")


@check
def as_a_program(_):
    done = subprocess.run([os.path.join(os.path.dirname(sys.executable), "pgcli"), "--no-password", "-h", os.environ["PGHOST"], "-p", os.environ["PGPORT"],
                           "-U", os.environ["PGUSER"], "-d", os.environ["PGDATABASE"], "--less-chatty", "--ping"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    equal((done.returncode, "PONG" in done.stdout), (0, True), done.stdout + done.stderr)


def main():
    one = executor()
    is_graphwire = "graphwire" in rows(one, "SELECT version()")[0][0]
    for text in [f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE", f"CREATE SCHEMA {SCHEMA}", f"SET search_path = {SCHEMA}, public",
                 "CREATE TABLE parent (id serial PRIMARY KEY, name text DEFAULT 'x')", "CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent)",
                 "CREATE VIEW paired AS SELECT p.id, p.name, c.id AS child FROM parent p JOIN child c ON c.parent = p.id",
                 "CREATE TYPE mood AS ENUM ('sad', 'ok')", "CREATE FUNCTION doubled(x int) RETURNS SETOF int LANGUAGE sql AS $$ SELECT x * 2 $$"]:
        for result in one.run(text):
            if not result[5]:
                raise SystemExit(f"FAILED   {text}: {result[3]}")
    one.conn.close()
    return run(connect, is_graphwire)


if __name__ == "__main__":
    sys.exit(main())

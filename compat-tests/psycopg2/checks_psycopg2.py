"""psycopg 2: types as literals both ways, cursors, COPY, extras, errors, notices, notifications, cancel, two phases."""
import datetime as dt
import io
import os
import select
import threading
import time
import uuid
from contextlib import contextmanager
from decimal import Decimal

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from psycopg2 import errors, sql

from checks import check, equal, run

SCHEMA = "compat_psycopg2"
psycopg2.extras.register_uuid()


def opened(**more):
    return psycopg2.connect(options=f"-c search_path={SCHEMA} -c TimeZone=UTC", **more)


@contextmanager
def connect():
    conn = opened()
    try:
        yield conn
    finally:
        conn.close()


def one(conn, query, args=None):
    with conn.cursor() as cur:
        cur.execute(query, args)
        return cur.fetchone()[0]


VALUES = [
    ("bool", True), ("int2", -5), ("int4", 2**31 - 1), ("int8", 2**63 - 1), ("float8", 0.1), ("float8", float("-inf")),
    ("numeric(10,2)", Decimal("3.15")), ("text", "naïve ☃ 'quoted' \\ %s"), ("varchar(5)", "abc"), ("char(3)", "ab "),
    ("date", dt.date(2024, 2, 29)), ("time", dt.time(1, 2, 3, 4)), ("timestamp", dt.datetime(2024, 1, 2, 3, 4, 5)),
    ("timestamptz", dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)), ("interval", dt.timedelta(days=1, seconds=2)),
    ("uuid", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")), ("int4[]", [1, None, 3]), ("text[]", ["a b", '"', "", "NULL"]),
    ("numeric[]", [Decimal("1.1")]), ("date[]", [dt.date(2020, 1, 2)]), ("bool[]", [True, False]),
]


@check
def server_version(conn):
    equal(conn.server_version // 10000, 15)
    equal(conn.encoding, "UTF8")
    equal(conn.get_parameter_status("standard_conforming_strings"), "on")
    equal(one(conn, "SELECT current_schema()"), SCHEMA)


@check
def values_both_ways(conn):
    for ty, value in VALUES:
        equal(one(conn, f"SELECT %s::{ty}", (value,)), value, ty)
        equal(one(conn, f"SELECT %s::{ty}", (None,)), None, ty)
    equal(bytes(one(conn, "SELECT %s::bytea", (psycopg2.Binary(b"\0\xff'\\"),))), b"\0\xff'\\")
    equal(one(conn, "SELECT %s::jsonb", (psycopg2.extras.Json({"a": [1, None]}),)), {"a": [1, None]})
    equal(one(conn, "SELECT %s::json", (psycopg2.extras.Json([1.5]),)), [1.5])


@check
def a_table_of_all_types(conn):
    with conn, conn.cursor() as cur:
        columns = ", ".join(f"c{i} {ty}" for i, (ty, _) in enumerate(VALUES))
        cur.execute(f"CREATE TABLE typed ({columns})")
        cur.execute(f"INSERT INTO typed VALUES ({', '.join(['%s'] * len(VALUES))})", [value for _, value in VALUES])
        cur.execute("SELECT * FROM typed")
        for (ty, value), got, column in zip(VALUES, cur.fetchone(), cur.description):
            equal(got, value, ty)
            equal(column.name[0], "c")


@check
def description_and_rowcount(conn):
    with conn.cursor() as cur:
        cur.execute("SELECT 1 AS a, 'x'::varchar(3) AS b, 1.5::numeric(6,2) AS c")
        equal([(d.name, d.type_code) for d in cur.description], [("a", 23), ("b", 1043), ("c", 1700)])
        equal((cur.description[2].precision, cur.description[2].scale), (6, 2))
        equal(cur.rowcount, 1)
        equal(cur.statusmessage, "SELECT 1")


@check
def execute_values_and_batch(conn):
    with conn, conn.cursor() as cur:
        cur.execute("CREATE TABLE many (id int PRIMARY KEY, name text, at timestamp DEFAULT now())")
        ids = psycopg2.extras.execute_values(
            cur, "INSERT INTO many (id, name) VALUES %s RETURNING id", [(i, f"n{i}") for i in range(250)], page_size=100, fetch=True)
        equal([row[0] for row in ids], list(range(250)))
        psycopg2.extras.execute_batch(cur, "UPDATE many SET name = %s WHERE id = %s", [(f"m{i}", i) for i in range(0, 250, 2)])
        cur.executemany("DELETE FROM many WHERE id = %s", [(i,) for i in range(1, 250, 2)])
        cur.execute("SELECT count(*), min(name) FROM many")
        equal(cur.fetchone(), (125, "m0"))
        psycopg2.extras.execute_values(
            cur, "INSERT INTO many (id, name) VALUES %s ON CONFLICT (id) DO UPDATE SET name = excluded.name", [(0, "zero"), (1, "one")])
        cur.execute("SELECT name FROM many WHERE id IN %s ORDER BY id", ((0, 1),))
        equal(cur.fetchall(), [("zero",), ("one",)])
        psycopg2.extras.execute_values(
            cur, "UPDATE many SET name = data.name FROM (VALUES %s) AS data (id, name) WHERE many.id = data.id", [(0, "a"), (1, "b")])
        equal(cur.rowcount, 2)


@check
def named_cursor(conn):
    with conn, conn.cursor("big") as cur:
        cur.itersize = 100
        cur.execute("SELECT i FROM generate_series(1, %s) AS g(i) ORDER BY i", (1000,))
        equal(sum(row[0] for row in cur), 500500)
    with conn, conn.cursor("jumping", scrollable=True) as cur:
        cur.execute("SELECT i FROM generate_series(1, 100) AS g(i)")
        cur.scroll(49)
        equal(cur.fetchone()[0], 50)
        cur.scroll(-10)
        equal(cur.fetchmany(2), [(41,), (42,)])
    with conn.cursor("held", withhold=True) as cur:
        cur.execute("SELECT i FROM generate_series(1, 10) AS g(i)")
        conn.commit()
        equal(len(cur.fetchall()), 10)


@check
def copy_both_ways(conn):
    with conn, conn.cursor() as cur:
        cur.execute("CREATE TABLE copied (a int, b text)")
        cur.copy_from(io.StringIO("1\tone\n2\t\\N\n3\tta\\tb\n"), "copied", columns=("a", "b"))
        equal(cur.rowcount, 3)
        cur.copy_expert("COPY copied FROM STDIN WITH (FORMAT csv, HEADER)", io.StringIO("a,b\n4,\"x,\"\"y\"\"\"\n"))
        out = io.StringIO()
        cur.copy_to(out, "copied")
        equal(out.getvalue(), "1\tone\n2\t\\N\n3\tta\\tb\n4\tx,\"y\"\n")
        out = io.StringIO()
        cur.copy_expert("COPY (SELECT a FROM copied ORDER BY a DESC LIMIT 2) TO STDOUT WITH CSV HEADER", out)
        equal(out.getvalue(), "a\n4\n3\n")


@check
def rows_as_dictionaries(conn):
    with conn.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cur:
        cur.execute("SELECT 1 AS a, 'x' AS b")
        equal(dict(cur.fetchone()), {"a": 1, "b": "x"})
    with conn.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor) as cur:
        cur.execute("SELECT 1 AS a, 'x' AS b")
        equal(cur.fetchone().b, "x")


@check
def enumerated_types_and_their_arrays(conn):
    with conn, conn.cursor() as cur:
        cur.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        cur.execute("SELECT oid, typarray FROM pg_type WHERE oid = 'mood'::regtype")
        oid, array_oid = cur.fetchone()
        psycopg2.extensions.register_type(psycopg2.extensions.new_array_type((array_oid,), "MOOD[]", psycopg2.STRING), conn)
        equal(one(conn, "SELECT %s::mood[]", (["ok", "sad"],)), ["ok", "sad"])
        equal(one(conn, "SELECT pg_typeof(%s::mood)::text", ("ok",)), "mood")
        equal(oid > 16000, True)


@check
def composed_statements(conn):
    with conn, conn.cursor() as cur:
        table, column = sql.Identifier("Odd \"Name\""), sql.Identifier("select")
        cur.execute(sql.SQL("CREATE TABLE {} ({} int)").format(table, column))
        cur.execute(sql.SQL("INSERT INTO {} VALUES ({}), ({})").format(table, sql.Literal(7), sql.Placeholder()), (8,))
        cur.execute(sql.SQL("SELECT {0} FROM {1} ORDER BY {0}").format(column, table))
        equal(cur.fetchall(), [(7,), (8,)])


@check
def errors_by_class(conn):
    conn.autocommit = True
    with conn.cursor() as cur:
        cur.execute("CREATE TABLE keyed (id int PRIMARY KEY, n int NOT NULL CHECK (n > 0))")
        cur.execute("INSERT INTO keyed VALUES (1, 1)")
        for text, kind, constraint in [
            ("INSERT INTO keyed VALUES (1, 1)", errors.UniqueViolation, "keyed_pkey"),
            ("INSERT INTO keyed VALUES (2, NULL)", errors.NotNullViolation, None),
            ("INSERT INTO keyed VALUES (2, -1)", errors.CheckViolation, "keyed_n_check"),
            ("SELECT nothing FROM keyed", errors.UndefinedColumn, None),
            ("SELECT 1/0", errors.DivisionByZero, None),
            ("SELEC 1", errors.SyntaxError, None),
        ]:
            try:
                cur.execute(text)
            except kind as error:
                equal(error.diag.constraint_name, constraint, text)
                equal(error.diag.severity, "ERROR")
                equal(errors.lookup(error.pgcode), kind, text)
            else:
                raise AssertionError(f"no error: {text}")


@check
def transactions(conn):
    with conn, conn.cursor() as cur:
        cur.execute("CREATE TABLE tx (x int)")
    with conn, conn.cursor() as cur:
        cur.execute("INSERT INTO tx VALUES (1)")
        equal(conn.get_transaction_status(), psycopg2.extensions.TRANSACTION_STATUS_INTRANS)
    try:
        with conn, conn.cursor() as cur:
            cur.execute("INSERT INTO tx VALUES (2)")
            cur.execute("SELECT 1/0")
    except errors.DivisionByZero:
        pass
    equal(one(conn, "SELECT count(*) FROM tx"), 1)
    conn.rollback()
    conn.set_session(isolation_level="SERIALIZABLE", readonly=True)
    equal(one(conn, "SHOW transaction_isolation"), "serializable")
    try:
        one(conn, "INSERT INTO tx VALUES (3) RETURNING x")
    except errors.ReadOnlySqlTransaction:
        conn.rollback()
    else:
        raise AssertionError("written in a read-only transaction")


@check
def notices(conn):
    conn.autocommit = True
    with conn.cursor() as cur:
        cur.execute("DROP TABLE IF EXISTS never_was")
    equal(conn.notices, ['NOTICE:  table "never_was" does not exist, skipping\n'])


@check
def notifications(conn):
    conn.autocommit = True
    other = opened()
    other.autocommit = True
    with conn.cursor() as cur, other.cursor() as sender:
        cur.execute("LISTEN told")
        sender.execute("NOTIFY told, 'hello'")
        sender.execute("SELECT pg_notify('told', 'again')")
        deadline = time.time() + 10
        while len(conn.notifies) < 2 and time.time() < deadline:
            select.select([conn], [], [], 1)
            conn.poll()
    equal([(n.channel, n.payload, n.pid) for n in conn.notifies],
          [("told", "hello", other.get_backend_pid()), ("told", "again", other.get_backend_pid())])
    other.close()


@check
def cancel(conn):
    timer = threading.Timer(0.3, conn.cancel)
    timer.start()
    started = time.time()
    try:
        one(conn, "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b")
    except errors.QueryCanceled:
        conn.rollback()
    else:
        raise AssertionError("not canceled")
    equal(time.time() - started < 10, True)
    equal(one(conn, "SELECT 1"), 1)


@check
def asynchronous(_):
    conn = psycopg2.connect("", async_=True)

    def wait():
        while True:
            state = conn.poll()
            if state == psycopg2.extensions.POLL_OK:
                return
            if state == psycopg2.extensions.POLL_WRITE:
                select.select([], [conn.fileno()], [], 5)
            else:
                select.select([conn.fileno()], [], [], 5)
    wait()
    cur = conn.cursor()
    cur.execute("SELECT i FROM generate_series(1, 3) AS g(i)")
    wait()
    equal(cur.fetchall(), [(1,), (2,), (3,)])
    conn.close()


@check
def callproc_and_mogrify(conn):
    with conn.cursor() as cur:
        cur.callproc("concat", ["a", 1, None])
        equal(cur.fetchone()[0], "a1")
        equal(cur.mogrify("SELECT %s, %s", ("it's", [1, 2])), b"SELECT 'it''s', ARRAY[1,2]")


def main():
    with psycopg2.connect("") as conn, conn.cursor() as cur:
        cur.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        cur.execute(f"CREATE SCHEMA {SCHEMA}")
        cur.execute("SELECT version()")
        is_graphwire = "graphwire" in cur.fetchone()[0]
    conn.close()
    return run(connect, is_graphwire)


if __name__ == "__main__":
    os._exit(main())

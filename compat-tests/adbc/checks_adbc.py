"""ADBC's driver for PostgreSQL: Arrow in and out, which it moves by COPY in the binary format."""
import datetime as dt
import os
import sys
from contextlib import contextmanager
from decimal import Decimal

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from checks import check, equal, run

SCHEMA = "compat_adbc"
PASSWORD = os.environ.get("PGPASSWORD")
URL = (f"postgresql://{os.environ.get('PGUSER')}{':' + PASSWORD if PASSWORD else ''}@{os.environ['PGHOST']}:{os.environ['PGPORT']}/"
       f"{os.environ.get('PGDATABASE')}")


@contextmanager
def connect():
    with adbc.connect(URL, autocommit=True) as conn, conn.cursor() as cur:
        cur.execute(f"SET search_path = {SCHEMA}")
        cur.execute("SET TimeZone = 'UTC'")
        yield cur


def table(rows=1000):
    return pa.table({
        "b": pa.array([n % 2 == 0 for n in range(rows)]),
        "i2": pa.array(range(-5, rows - 5), pa.int16()),
        "i4": pa.array([None if n % 10 == 0 else n for n in range(rows)], pa.int32()),
        "i8": pa.array([2**62 - n for n in range(rows)], pa.int64()),
        "f4": pa.array([n / 4 for n in range(rows)], pa.float32()),
        "f8": pa.array([n / 10 for n in range(rows)], pa.float64()),
        "s": pa.array([None if n % 7 == 0 else f"naïve ☃ {n}" for n in range(rows)]),
        "y": pa.array([bytes([n % 256, 0, 255]) for n in range(rows)]),
        "d": pa.array([dt.date(2000, 1, 1) + dt.timedelta(days=n) for n in range(rows)]),
        "t": pa.array([dt.datetime(2024, 1, 1) + dt.timedelta(seconds=n, microseconds=n) for n in range(rows)], pa.timestamp("us")),
        "z": pa.array([dt.datetime(2024, 1, 1) + dt.timedelta(hours=n) for n in range(rows)], pa.timestamp("us", "UTC")),
    })


@check
def ingest_and_read_back(cur):
    data = table()
    equal(cur.adbc_ingest("ingested", data, mode="create"), data.num_rows)
    cur.execute("SELECT * FROM ingested ORDER BY i2")
    got = cur.fetch_arrow_table()
    equal(got.column_names, data.column_names)
    for name in data.column_names:
        equal(got[name].to_pylist(), data[name].to_pylist(), name)


@check
def append_replace_create(cur):
    data = table(10)
    cur.adbc_ingest("modes", data, mode="create")
    cur.adbc_ingest("modes", data, mode="append")
    cur.execute("SELECT count(*) FROM modes")
    equal(cur.fetchone(), (20,))
    cur.adbc_ingest("modes", data, mode="replace")
    cur.adbc_ingest("modes", data, mode="create_append")
    cur.execute("SELECT count(*) FROM modes")
    equal(cur.fetchone(), (20,))
    try:
        cur.adbc_ingest("modes", data, mode="create")
    except adbc.Error:
        pass
    else:
        raise AssertionError("created twice")


@check
def types_of_the_server(cur):
    cur.execute("""SELECT true AS b, 1::int2 AS i2, 2 AS i4, 3::int8 AS i8, 1.5::float4 AS f4, 2.5::float8 AS f8, 12.34::numeric(10,2) AS n,
                   'x'::text AS t, 'y'::varchar(3) AS v, '\\x00ff'::bytea AS y, '2024-02-29'::date AS d, '01:02:03.5'::time AS ti,
                   '2024-01-02 03:04:05'::timestamp AS ts, '2024-01-02 03:04:05+00'::timestamptz AS tz, '1 day 2 hours'::interval AS iv,
                   '{"a": 1}'::jsonb AS j, ARRAY[1, NULL, 3] AS ia, ARRAY['a', 'b c'] AS ta, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS u""")
    row = cur.fetch_arrow_table()
    got = {name: row[name][0].as_py() for name in row.column_names}
    equal([got[k] for k in ("b", "i2", "i4", "i8", "f4", "f8", "t", "v", "y", "d")], [True, 1, 2, 3, 1.5, 2.5, "x", "y", b"\0\xff", dt.date(2024, 2, 29)])
    equal(Decimal(got["n"]), Decimal("12.34"))
    equal((got["ti"], got["ts"], got["tz"]), (dt.time(1, 2, 3, 500000), dt.datetime(2024, 1, 2, 3, 4, 5), dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)))
    equal((got["j"], got["ia"], got["ta"]), ('{"a": 1}', [1, None, 3], ["a", "b c"]))


@check
def parameters(cur):
    cur.execute("SELECT $1::int4 + 1 AS a, $2::text AS b", (5, "it's"))
    equal(cur.fetchone(), (6, "it's"))
    cur.execute("CREATE TABLE bound (a int, b text)")
    cur.executemany("INSERT INTO bound VALUES ($1, $2)", [(n, f"r{n}") for n in range(20)])
    cur.execute("SELECT count(*), max(b) FROM bound")
    equal(cur.fetchone(), (20, "r9"))


@check
def schema_of_a_query_and_of_tables(cur):
    cur.adbc_ingest("known", table(1), mode="create")
    schema = cur.adbc_execute_schema("SELECT 1 AS a, 'x'::text AS b")
    equal([(f.name, str(f.type)) for f in schema], [("a", "int32"), ("b", "string")])
    conn = cur._conn
    equal([(f.name, str(f.type)) for f in conn.adbc_get_table_schema("known", db_schema_filter=SCHEMA)][:3], [("b", "bool"), ("i2", "int16"), ("i4", "int32")])
    equal("table" in conn.adbc_get_table_types(), True)
    found = conn.adbc_get_objects(depth="all", db_schema_filter=SCHEMA, table_name_filter="known").read_all().to_pylist()
    tables = [t for c in found for s in c["catalog_db_schemas"] or [] for t in s["db_schema_tables"] or []]
    equal([(t["table_name"], len(t["table_columns"])) for t in tables], [("known", 11)])
    equal(conn.adbc_get_info()["vendor_name"], "PostgreSQL")


@check
def many_rows_in_batches(cur):
    cur.execute("SELECT i, i::text AS t FROM generate_series(1, 200000) AS g(i)")
    reader = cur.fetch_record_batch()
    rows = total = 0
    for batch in reader:
        rows += batch.num_rows
        total += sum(batch.column(0).to_pylist())
    equal((rows, total), (200000, 200000 * 200001 // 2))


@check
def errors_and_transactions(cur):
    cur.execute("CREATE TABLE tx (x int PRIMARY KEY)")
    with adbc.connect(URL) as conn, conn.cursor() as other:
        other.execute(f"SET search_path = {SCHEMA}")
        other.execute("INSERT INTO tx VALUES (1)")
        conn.rollback()
        other.execute(f"SET search_path = {SCHEMA}")
        other.execute("INSERT INTO tx VALUES (2)")
        conn.commit()
    cur.execute("SELECT x FROM tx")
    equal(cur.fetchall(), [(2,)])
    try:
        cur.execute("INSERT INTO tx VALUES (2)")
    except adbc.Error as error:
        equal(error.sqlstate, "23505")
    else:
        raise AssertionError("no error")


def main():
    with adbc.connect(URL, autocommit=True) as conn, conn.cursor() as cur:
        cur.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        cur.execute(f"CREATE SCHEMA {SCHEMA}")
        cur.execute("SELECT version()")
        is_graphwire = "graphwire" in cur.fetchone()[0]
    return run(connect, is_graphwire)


if __name__ == "__main__":
    sys.exit(main())

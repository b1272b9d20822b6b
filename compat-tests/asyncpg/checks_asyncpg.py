"""asyncpg: everything in binary, prepared statements, cursors, executemany, COPY, errors, cancel."""
import asyncio
import datetime as dt
import io
import json
import sys
import uuid
from contextlib import asynccontextmanager
from decimal import Decimal

import asyncpg

from checks import check, equal, graph_sql, run

SCHEMA = "compat_asyncpg"
UTC = dt.timezone.utc
LONG_QUERY = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"

# type, value; each is sent as a binary parameter and read back as a binary result
VALUES = [
    ("bool", True), ("bool", False),
    ("int2", -32768), ("int4", 2147483647), ("int8", -9223372036854775808),
    ("float4", 1.5), ("float8", 0.1), ("float8", float("-inf")),
    ("numeric", Decimal("12345678901234567890.123456789")), ("numeric", Decimal("-0.0001")), ("numeric", Decimal("100000000")),
    ("numeric(10,2)", Decimal("3.15")),
    ("text", "naïve – ☃ 🐘"), ("text", ""), ("varchar(5)", "abcde"), ("char(4)", "ab  "),
    ("bytea", b"\x00\xff\x10"), ("bytea", b""),
    ("date", dt.date(2024, 2, 29)), ("date", dt.date(1, 1, 1)), ("date", dt.date(9999, 12, 31)),
    ("time", dt.time(23, 59, 59, 999999)),
    ("timestamp", dt.datetime(1999, 12, 31, 23, 59, 59, 500000)),
    ("timestamptz", dt.datetime(2024, 3, 10, 6, 30, tzinfo=UTC)),
    ("interval", dt.timedelta(days=3, seconds=5, microseconds=700)), ("interval", dt.timedelta(days=-400)),
    ("uuid", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("json", '{"b": [1, 2.5, null], "a": "x"}'), ("jsonb", '{"a": "x", "b": [1, 2.5, null]}'),
    ("bool[]", [True, None]), ("int2[]", [1, -2]), ("int4[]", [1, None, 3]), ("int4[]", []), ("int8[]", [2**62]),
    ("float4[]", [0.5]), ("float8[]", [0.1, -2.0]), ("numeric[]", [Decimal("1.10"), None]),
    ("text[]", ["a", "b c", 'd"e', None, "NULL", ""]), ("varchar[]", ["x"]), ("bytea[]", [b"\x01"]),
    ("date[]", [dt.date(2020, 1, 2)]), ("time[]", [dt.time(1, 2, 3)]), ("timestamp[]", [dt.datetime(2020, 1, 2, 3, 4, 5)]),
    ("timestamptz[]", [dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)]), ("interval[]", [dt.timedelta(days=1)]),
    ("uuid[]", [uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]), ("jsonb[]", ['{"a": 1}']),
    ("int4range", asyncpg.Range(1, 3)), ("int4range", asyncpg.Range(empty=True)), ("int8range", asyncpg.Range(-(2**62), None)),
    ("numrange", asyncpg.Range(Decimal("1.5"), Decimal("-0.25") + 3, lower_inc=False, upper_inc=True)),
    ("tsrange", asyncpg.Range(dt.datetime(2020, 1, 2, 3, 4, 5), dt.datetime(2020, 1, 3))),
    ("tstzrange", asyncpg.Range(None, dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), upper_inc=True)),
    ("daterange", asyncpg.Range(dt.date(2020, 1, 1), dt.date(2020, 2, 1))), ("daterange", asyncpg.Range()),
    ("int4range[]", [asyncpg.Range(1, 3), None, asyncpg.Range(empty=True)]),
    ("int4multirange", [asyncpg.Range(1, 3), asyncpg.Range(5, None)]), ("datemultirange", []),
]


@asynccontextmanager
async def connect():
    conn = await asyncpg.connect(server_settings={"search_path": SCHEMA, "timezone": "UTC"})
    try:
        yield conn
    finally:
        await conn.close(timeout=60)


async def expect_error(sqlstate, awaitable):
    try:
        await awaitable
    except asyncpg.PostgresError as error:
        equal(error.sqlstate, sqlstate)
        return error
    raise AssertionError(f"no error, expected {sqlstate}")


@check
async def server(conn):
    assert conn.get_server_version().major == 15, conn.get_server_version()
    equal(conn.get_settings().client_encoding, "UTF8")
    equal(await conn.fetchval("SHOW search_path"), SCHEMA)


@check
async def parameters_and_results(conn):
    for sql_type, value in VALUES:
        got = await conn.fetchval(f"SELECT $1::{sql_type}", value)
        equal(got, value, sql_type)
        equal(await conn.fetchval(f"SELECT $1::{sql_type}", None), None, f"NULL {sql_type}")


@check
async def columns(conn):
    types = list(dict.fromkeys(sql_type for sql_type, _ in VALUES))
    await conn.execute("DROP TABLE IF EXISTS every_type")
    await conn.execute("CREATE TABLE every_type (" + ", ".join(f"c{i} {t}" for i, t in enumerate(types)) + ")")
    for sql_type, value in VALUES:
        column = f"c{types.index(sql_type)}"
        await conn.execute("DELETE FROM every_type")
        await conn.execute(f"INSERT INTO every_type ({column}) VALUES ($1)", value)
        equal(await conn.fetchval(f"SELECT {column} FROM every_type"), value, f"column {sql_type}")


@check
async def interval_parts(conn):
    got = await conn.fetchval("SELECT '1 year 2 months 3 days 04:05:06'::interval::text")
    equal(got, "1 year 2 mons 3 days 04:05:06")
    equal(await conn.fetchval("SELECT '1 mon'::interval + '30 days'::interval > '1 mon'::interval"), True)


@check
async def prepared_statement(conn):
    await conn.execute("DROP TABLE IF EXISTS items; CREATE TABLE items (id int4 PRIMARY KEY, name text, price numeric(8,2))")
    insert = await conn.prepare("INSERT INTO items VALUES ($1, $2, $3) RETURNING id")
    equal([p.name for p in insert.get_parameters()], ["int4", "text", "numeric"])
    equal([a.name for a in insert.get_attributes()], ["id"])
    for i in range(10):
        equal(await insert.fetchval(i, f"item {i}", Decimal(i) / 4), i)
    select = await conn.prepare("SELECT name, price FROM items WHERE id = $1")
    equal(dict(await select.fetchrow(3)), {"name": "item 3", "price": Decimal("0.75")})
    equal(await select.fetch(99), [])
    equal(await conn.fetchval("SELECT count(*) FROM items WHERE id = ANY($1)", [1, 2, 77]), 2)
    equal(await conn.fetchval("SELECT name FROM items ORDER BY id LIMIT $1 OFFSET $2", 1, 4), "item 4")


@check
async def statement_is_replanned_when_its_table_changes(conn):
    await conn.execute("DROP TABLE IF EXISTS changing; CREATE TABLE changing (a int4); INSERT INTO changing VALUES (1)")
    statement = await conn.prepare("SELECT a FROM changing")
    equal(await statement.fetchval(), 1)
    await conn.execute("ALTER TABLE changing ADD COLUMN b text")
    equal(await statement.fetchval(), 1)
    await conn.execute("DROP TABLE changing")
    await expect_error("42P01", statement.fetchval())


@check
async def status_and_script(conn):
    await conn.execute("DROP TABLE IF EXISTS script")
    equal(await conn.execute("CREATE TABLE script (x int4); INSERT INTO script SELECT i FROM generate_series(1, 3) AS g(i)"), "INSERT 0 3")
    equal(await conn.execute("UPDATE script SET x = x + $1", 10), "UPDATE 3")
    equal(await conn.execute("DELETE FROM script WHERE x > 12"), "DELETE 1")
    equal([r["x"] for r in await conn.fetch("SELECT x FROM script ORDER BY x")], [11, 12])


@check
async def executemany(conn):
    await conn.execute("DROP TABLE IF EXISTS many; CREATE TABLE many (id int4 PRIMARY KEY, v text)")
    await conn.executemany("INSERT INTO many VALUES ($1, $2)", [(i, f"v{i}") for i in range(1000)])
    equal(tuple(await conn.fetchrow("SELECT count(*), max(id) FROM many")), (1000, 999))
    await expect_error("23505", conn.executemany("INSERT INTO many VALUES ($1, $2)", [(2000, "a"), (5, "b"), (2001, "c")]))
    equal(await conn.fetchval("SELECT count(*) FROM many"), 1000, "executemany is one transaction")


@check
async def cursor_in_a_transaction(conn):
    async with conn.transaction():
        rows = [r[0] async for r in conn.cursor("SELECT i FROM generate_series(1, 500) AS g(i) ORDER BY i", prefetch=64)]
        equal(rows, list(range(1, 501)))
        cursor = await conn.cursor("SELECT i FROM generate_series(1, $1::int4) AS g(i) ORDER BY i", 10)
        equal((await cursor.fetchrow())[0], 1)
        equal([r[0] for r in await cursor.fetch(3)], [2, 3, 4])
        equal([r[0] for r in await cursor.fetch(100)], [5, 6, 7, 8, 9, 10])
        equal(await cursor.fetch(1), [])


@check
async def cursor_forward(conn):
    async with conn.transaction():
        cursor = await conn.cursor("SELECT i FROM generate_series(1, 10) AS g(i) ORDER BY i")
        equal(await cursor.forward(2), 2)
        equal((await cursor.fetchrow())[0], 3)


@check
async def transactions(conn):
    await conn.execute("DROP TABLE IF EXISTS tx; CREATE TABLE tx (x int4)")
    async with conn.transaction():
        await conn.execute("INSERT INTO tx VALUES (1)")
    try:
        async with conn.transaction():
            await conn.execute("INSERT INTO tx VALUES (2)")
            raise KeyError
    except KeyError:
        pass
    equal(await conn.fetchval("SELECT array_agg(x) FROM tx"), [1])
    transaction = conn.transaction()
    await transaction.start()
    await expect_error("22012", conn.fetchval("SELECT 1 / $1::int4", 0))
    await expect_error("25P02", conn.fetchval("SELECT 1"))
    await transaction.rollback()
    equal(await conn.fetchval("SELECT 1"), 1)


@check
async def savepoints(conn):
    await conn.execute("DROP TABLE IF EXISTS sp; CREATE TABLE sp (x int4)")
    async with conn.transaction():
        await conn.execute("INSERT INTO sp VALUES (1)")
        try:
            async with conn.transaction():
                await conn.execute("INSERT INTO sp VALUES (2)")
                raise KeyError
        except KeyError:
            pass
    equal(await conn.fetchval("SELECT array_agg(x) FROM sp"), [1])


@check
async def errors(conn):
    error = await expect_error("42703", conn.fetch("SELECT nocolumn FROM pg_class"))
    equal(error.position, "8")
    error = await expect_error("42P01", conn.fetch("SELECT * FROM notable"))
    equal((error.position, error.message), ("15", 'relation "notable" does not exist'))
    await expect_error("42601", conn.fetch("SELECT FROM WHERE"))
    await expect_error("22P02", conn.fetch("SELECT 'x'::int4"))
    await expect_error("42883", conn.fetch("SELECT nofunction(1)"))
    try:
        await conn.fetchval("SELECT $1::int4", "text")
    except asyncpg.DataError:
        pass
    else:
        raise AssertionError("asyncpg sent a text as int4")
    equal(await conn.fetchval("SELECT 1"), 1)


@check
async def copy_out(conn):
    await conn.execute("DROP TABLE IF EXISTS outgoing; CREATE TABLE outgoing (i int4, t text); INSERT INTO outgoing VALUES (1, 'a,b'), (2, NULL)")
    out = io.BytesIO()
    equal(await conn.copy_from_table("outgoing", output=out, format="csv", header=True), "COPY 2")
    equal(out.getvalue(), b'i,t\n1,"a,b"\n2,\n')
    out = io.BytesIO()
    await conn.copy_from_query("SELECT i * $1::int4 AS i FROM outgoing ORDER BY i", 10, output=out)
    equal(out.getvalue(), b"10\n20\n")


@check
async def copy_in(conn):
    await conn.execute("DROP TABLE IF EXISTS incoming; CREATE TABLE incoming (i int4, t text)")
    data = io.BytesIO("".join(f"{i},row {i}\n" for i in range(5000)).encode())
    equal(await conn.copy_to_table("incoming", source=data, format="csv"), "COPY 5000")
    equal(tuple(await conn.fetchrow("SELECT count(*), max(t) FROM incoming")), (5000, "row 999"))
    await expect_error("22P02", conn.copy_to_table("incoming", source=io.BytesIO(b"x,y\n"), format="csv"))
    equal(await conn.fetchval("SELECT count(*) FROM incoming"), 5000)


@check
async def copy_records(conn):
    await conn.execute("DROP TABLE IF EXISTS records; CREATE TABLE records (i int4, t text)")
    equal(await conn.copy_records_to_table("records", records=[(1, "a"), (2, None)]), "COPY 2")


@check
async def pool(conn):
    async with asyncpg.create_pool(min_size=2, max_size=5, server_settings={"search_path": SCHEMA}) as pool:
        equal(sorted(await asyncio.gather(*(pool.fetchval("SELECT $1::int4 * 2", i) for i in range(50)))), [i * 2 for i in range(50)])


@check
async def cancel_by_timeout(conn):
    try:
        await conn.fetchval(LONG_QUERY, timeout=0.5)
    except asyncio.TimeoutError:
        pass
    else:
        raise AssertionError("no timeout")
    equal(await conn.fetchval("SELECT 1"), 1)
    async with connect() as other:
        running = asyncio.create_task(other.fetchval(LONG_QUERY))
        await asyncio.sleep(0.5)
        equal(await conn.fetchval("SELECT pg_cancel_backend($1)", other.get_server_pid()), True)
        await expect_error("57014", running)


@check
async def introspection_of_a_type(conn):
    row = await conn.fetchrow("SELECT oid, typname, typlen, typtype::text FROM pg_catalog.pg_type WHERE typname = 'int8'")
    equal(tuple(row), (20, "int8", 8, "b"))


async def with_graph(conn):
    if await conn.fetchval("SELECT to_regclass('person')::text") is None:
        await conn.execute(graph_sql())
    await conn.execute("SET graph_path = 'compat_social'")


@check(graph=True)
async def graph(conn):
    await with_graph(conn)
    rows = await conn.fetch("MATCH (a:person {name: $1})-[:knows]->(b) RETURN b.name AS name ORDER BY name", "ann")
    equal([r["name"] for r in rows], ["bob", "cid"])
    rows = await conn.fetch(
        "SELECT x FROM GRAPH_TABLE (compat_social MATCH (a IS person WHERE a.id = $1)-[IS knows]->(b IS person) COLUMNS (b.name AS x)) ORDER BY x", 1)
    equal([r["x"] for r in rows], ["bob", "cid"])
    statement = await conn.prepare("MATCH (a:person)-[r:knows]->(b) RETURN a, r, a.age, collect(b.name) AS names ORDER BY a.id, r.since LIMIT 1")
    equal([a.type.name for a in statement.get_attributes()], ["jsonb", "jsonb", "int4", "text[]"])
    node, relationship, age, names = await statement.fetchrow()
    equal(json.loads(node)["~properties"]["name"], "ann")
    equal(json.loads(relationship)["~type"], "knows")
    equal((age, names), (31, ["cid"]))


async def probe():
    conn = await asyncpg.connect()
    await conn.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    await conn.execute(f"CREATE SCHEMA {SCHEMA}")
    version = await conn.fetchval("SELECT version()")
    await conn.close()
    return "graphwire" in version


if __name__ == "__main__":
    sys.exit(run(connect, asyncio.run(probe())))

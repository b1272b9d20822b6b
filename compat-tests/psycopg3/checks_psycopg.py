"""psycopg 3: types both ways in text and binary, pipelines, cursors, COPY, errors, cancel."""
import datetime as dt
import sys
import threading
import time
import uuid
from decimal import Decimal

import psycopg
from psycopg import errors, pq
from psycopg.types.json import Json, Jsonb
from psycopg.types.multirange import Multirange
from psycopg.types.range import Int4Range, Range

from checks import check, equal, graph_sql, run

SCHEMA = "compat_psycopg"
UTC = dt.timezone.utc
LONG_QUERY = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"

# type, text a client would write, the value it becomes in Python
VALUES = [
    ("bool", "t", True),
    ("bool", "f", False),
    ("int2", "-32768", -32768),
    ("int4", "2147483647", 2147483647),
    ("int8", "-9223372036854775808", -9223372036854775808),
    ("float4", "1.5", 1.5),
    ("float8", "0.1", 0.1),
    ("float8", "1e-305", 1e-305),
    ("float8", "Infinity", float("inf")),
    ("numeric", "12345678901234567890.123456789", Decimal("12345678901234567890.123456789")),
    ("numeric", "-0.0001", Decimal("-0.0001")),
    ("numeric", "0", Decimal("0")),
    ("numeric(10,2)", "3.145", Decimal("3.15")),
    ("numeric(10,2)", "-99999999.99", Decimal("-99999999.99")),
    ("text", "naïve – ☃ 🐘", "naïve – ☃ 🐘"),
    ("text", "", ""),
    ("varchar(5)", "abcde", "abcde"),
    ("char(4)", "ab", "ab  "),
    ("bytea", "\\x00ff10", b"\x00\xff\x10"),
    ("bytea", "", b""),
    ("date", "2024-02-29", dt.date(2024, 2, 29)),
    ("date", "0001-01-01", dt.date(1, 1, 1)),
    ("time", "23:59:59.999999", dt.time(23, 59, 59, 999999)),
    ("timestamp", "1999-12-31 23:59:59.5", dt.datetime(1999, 12, 31, 23, 59, 59, 500000)),
    ("timestamptz", "2024-03-10 12:00:00+05:30", dt.datetime(2024, 3, 10, 6, 30, tzinfo=UTC)),
    ("interval", "3 days 04:05:06.7", dt.timedelta(days=3, hours=4, minutes=5, seconds=6.7)),
    ("interval", "-00:00:01", dt.timedelta(seconds=-1)),
    ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("json", '{"b":[1,2.5,null],"a":"x"}', {"b": [1, 2.5, None], "a": "x"}),
    ("jsonb", '{"b":[1,2.5,null],"a":"x"}', {"b": [1, 2.5, None], "a": "x"}),
    ("jsonb", "[]", []),
    ("bool[]", "{t,f,NULL}", [True, False, None]),
    ("int2[]", "{1,-2}", [1, -2]),
    ("int4[]", "{1,NULL,3}", [1, None, 3]),
    ("int4[]", "{}", []),
    ("int8[]", "{9223372036854775807}", [9223372036854775807]),
    ("float4[]", "{0.5}", [0.5]),
    ("float8[]", "{0.1,-2}", [0.1, -2.0]),
    ("numeric[]", "{1.10,2}", [Decimal("1.10"), Decimal("2")]),
    ("text[]", '{a,"b c","d\\"e",NULL,"NULL",""}', ["a", "b c", 'd"e', None, "NULL", ""]),
    ("varchar[]", "{x,y}", ["x", "y"]),
    ("bytea[]", '{"\\\\x01"}', [b"\x01"]),
    ("date[]", "{2020-01-02}", [dt.date(2020, 1, 2)]),
    ("time[]", "{01:02:03}", [dt.time(1, 2, 3)]),
    ("timestamp[]", '{"2020-01-02 03:04:05"}', [dt.datetime(2020, 1, 2, 3, 4, 5)]),
    ("timestamptz[]", '{"2020-01-02 03:04:05+00"}', [dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)]),
    ("interval[]", '{"1 day"}', [dt.timedelta(days=1)]),
    ("uuid[]", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", [uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
    ("jsonb[]", '{"{\\"a\\": 1}"}', [{"a": 1}]),
    ("int4range", "[1,3]", Range(1, 4)),
    ("int4range", "empty", Range(empty=True)),
    ("int8range", "[-4611686018427387904,)", Range(-(2**62), None)),
    ("numrange", "(1.5,2.75]", Range(Decimal("1.5"), Decimal("2.75"), "(]")),
    ("tsrange", "[2020-01-02 03:04:05,2020-01-03)", Range(dt.datetime(2020, 1, 2, 3, 4, 5), dt.datetime(2020, 1, 3))),
    ("tstzrange", "(,2020-01-02 03:04:05+00]", Range(None, dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), "(]")),
    ("daterange", "[2020-01-01,2020-01-31]", Range(dt.date(2020, 1, 1), dt.date(2020, 2, 1))),
    ("int4multirange", "{[5,7),[1,3]}", Multirange([Range(1, 4), Range(5, 7)])),
    ("daterange[]", '{"[2020-01-01,2020-01-02)","(,2020-01-01)"}', [Range(dt.date(2020, 1, 1), dt.date(2020, 1, 2)), Range(None, dt.date(2020, 1, 1), "()")]),
]
OIDS = {
    "bool": 16, "int2": 21, "int4": 23, "int8": 20, "float4": 700, "float8": 701, "numeric": 1700, "numeric(10,2)": 1700,
    "text": 25, "varchar(5)": 1043, "char(4)": 1042, "bytea": 17, "date": 1082, "time": 1083, "timestamp": 1114,
    "timestamptz": 1184, "interval": 1186, "uuid": 2950, "json": 114, "jsonb": 3802, "bool[]": 1000, "int2[]": 1005,
    "int4[]": 1007, "int8[]": 1016, "float4[]": 1021, "float8[]": 1022, "numeric[]": 1231, "text[]": 1009,
    "varchar[]": 1015, "bytea[]": 1001, "date[]": 1182, "time[]": 1183, "timestamp[]": 1115, "timestamptz[]": 1185,
    "interval[]": 1187, "uuid[]": 2951, "jsonb[]": 3807, "int4range": 3904, "int8range": 3926, "numrange": 3906,
    "tsrange": 3908, "tstzrange": 3910, "daterange": 3912, "int4multirange": 4451, "daterange[]": 3913,
}


def connect(**options):
    return psycopg.connect(autocommit=True, options=f"-c search_path={SCHEMA} -c TimeZone=UTC", **options)


def as_parameter(sql_type, value):
    if sql_type == "json":
        return Json(value)
    if sql_type == "jsonb":
        return Jsonb(value)
    if sql_type == "jsonb[]":
        return [Jsonb(v) for v in value]
    if sql_type == "int4range":
        return Int4Range(value.lower, value.upper, empty=value.isempty)  # an empty Range says no type
    return value


def expect_error(sqlstate, conn, query, parameters=None, **options):
    try:
        conn.execute(query, parameters, **options)
    except psycopg.Error as error:
        equal(error.sqlstate, sqlstate, query)
        return error
    raise AssertionError(f"{query}: no error, expected {sqlstate}")


@check
def parameter_status(conn):
    status = conn.info.parameter_status
    equal(status("client_encoding"), "UTF8")
    equal(status("server_encoding"), "UTF8")
    equal(status("integer_datetimes"), "on")
    equal(status("standard_conforming_strings"), "on")
    equal(status("DateStyle"), "ISO, MDY")
    equal(status("IntervalStyle"), "postgres")
    equal(status("TimeZone"), "UTC")
    assert status("is_superuser") == "on" and status("session_authorization"), "login parameters"
    assert conn.info.server_version // 10000 == 15, conn.info.server_version
    conn.execute("SET application_name = 'checks'")
    equal(status("application_name"), "checks")


@check
def results_in_text_and_binary(conn):
    for binary in (False, True):
        with conn.cursor(binary=binary) as cursor:
            for sql_type, text, value in VALUES:
                literal = text.replace("'", "''")
                cursor.execute(f"SELECT '{literal}'::{sql_type} AS v")
                equal(cursor.fetchone()[0], value, f"{sql_type} '{text}', binary={binary}")
                equal(cursor.description[0].type_code, OIDS[sql_type], sql_type)
                equal(cursor.description[0].name, "v")


@check
def parameters_in_text_and_binary(conn):
    for placeholder in ("%t", "%b"):
        for sql_type, text, value in VALUES:
            query = f"SELECT {placeholder}::{sql_type}"
            for binary in (False, True):
                got = conn.execute(query, [as_parameter(sql_type, value)], binary=binary).fetchone()[0]
                equal(got, value, f"{query} of {text}, binary={binary}")


@check
def columns_of_every_type(conn):
    types = list(dict.fromkeys(sql_type for sql_type, _, _ in VALUES))
    conn.execute("DROP TABLE IF EXISTS every_type")
    conn.execute("CREATE TABLE every_type (" + ", ".join(f"c{i} {t}" for i, t in enumerate(types)) + ")")
    for sql_type, text, value in VALUES:
        column = f"c{types.index(sql_type)}"
        conn.execute("DELETE FROM every_type")
        conn.execute(f"INSERT INTO every_type ({column}) VALUES (%s)", [as_parameter(sql_type, value)])
        for binary in (False, True):
            got = conn.execute(f"SELECT {column} FROM every_type", binary=binary).fetchone()[0]
            equal(got, value, f"column {sql_type} of {text}, binary={binary}")
    conn.execute("DELETE FROM every_type")
    conn.execute("INSERT INTO every_type (c0) VALUES (NULL)")
    for binary in (False, True):
        equal(conn.execute("SELECT * FROM every_type", binary=binary).fetchone(), (None,) * len(types), "NULL")


@check
def special_values(conn):
    for binary in (False, True):
        one = lambda q: conn.execute(q, binary=binary).fetchone()[0]  # noqa: E731
        assert one("SELECT 'NaN'::float8") != one("SELECT 'NaN'::float8"), "NaN"
        equal(one("SELECT '-Infinity'::float8"), float("-inf"))
        equal(one("SELECT '{}'::text[]"), [])
        equal(one("SELECT ARRAY[1, 2] || 3"), [1, 2, 3])


@check(gap="numeric without a scale keeps no zeros, no more than 38 digits, no NaN: issue 5")
def numeric_without_bounds(conn):
    equal(str(conn.execute("SELECT '1.50'::numeric").fetchone()[0]), "1.50")
    for binary in (False, True):
        one = lambda q: conn.execute(q, binary=binary).fetchone()[0]  # noqa: E731
        assert one("SELECT 'NaN'::numeric").is_nan(), "numeric NaN"
        equal(one("SELECT 1e100::numeric"), Decimal(10) ** 100, "numeric 1e100")


@check
def description(conn):
    cursor = conn.execute("SELECT 1::numeric(10,2) AS n, 'x'::varchar(7) AS v, 'y'::char(3) AS c, 1::int8 AS i, 'z' AS t")
    n, v, c, i, t = cursor.description
    equal((n.precision, n.scale), (10, 2))
    equal(v.display_size, 7)
    equal(c.type_code, 1042)
    equal(i.internal_size, 8)
    equal(t.type_code, 25)


@check
def prepared_statements(conn):
    for number in range(12):
        row = conn.execute("SELECT %s::int4 + 1, %s::text", [number, str(number)], prepare=True).fetchone()
        equal(row, (number + 1, str(number)))
    conn.execute("DEALLOCATE ALL")
    equal(conn.execute("SELECT %s::int4", [7], prepare=True).fetchone()[0], 7)
    equal(conn.execute("SELECT %s * 2", [21], prepare=True).fetchone()[0], 42)


@check
def parameter_types_are_inferred(conn):
    raw = psycopg.RawCursor(conn)
    raw.execute("CREATE TABLE IF NOT EXISTS inferred (i int4, t text, d date)")
    raw.execute("DELETE FROM inferred")
    raw.execute("INSERT INTO inferred VALUES ($1, $2, $3)", ["5", "five", "2024-05-05"])
    equal(raw.execute("SELECT * FROM inferred WHERE i = $1 AND t = $2", ["5", "five"]).fetchone(), (5, "five", dt.date(2024, 5, 5)))
    conn.pgconn.prepare(b"inferred", b"SELECT * FROM inferred WHERE d > $1 AND i < $2 AND t LIKE $3")
    described = conn.pgconn.describe_prepared(b"inferred")
    equal([described.param_type(n) for n in range(described.nparams)], [1082, 23, 25])
    equal([described.ftype(n) for n in range(described.nfields)], [23, 25, 1082])
    conn.execute("DEALLOCATE inferred")


@check
def several_statements_in_one_query(conn):
    conn.execute("DROP TABLE IF EXISTS s")
    cursor = conn.execute("SELECT 1 AS a; CREATE TABLE s (x int4); SELECT 2 AS b, 3 AS c")
    equal(cursor.fetchall(), [(1,)])
    equal(cursor.nextset(), True)
    equal(cursor.statusmessage, "CREATE TABLE")
    equal(cursor.nextset(), True)
    equal(cursor.fetchall(), [(2, 3)])
    equal(cursor.nextset(), None)
    error = expect_error("22012", conn, "CREATE TABLE half_done (x int4); SELECT 1/0; SELECT 2")
    assert "division by zero" in str(error)
    expect_error("42P01", conn, "SELECT * FROM half_done")
    equal(conn.execute("").statusmessage, None)


@check
def row_counts_and_tags(conn):
    conn.execute("DROP TABLE IF EXISTS counted; CREATE TABLE counted (id int4 PRIMARY KEY, v text)")
    cursor = conn.execute("INSERT INTO counted SELECT i, 'v' || i FROM generate_series(1, 10) AS g(i)")
    equal((cursor.rowcount, cursor.statusmessage), (10, "INSERT 0 10"))
    cursor = conn.execute("UPDATE counted SET v = upper(v) WHERE id > %s RETURNING id, v", [8])
    equal((cursor.rowcount, cursor.statusmessage), (2, "UPDATE 2"))
    equal(sorted(cursor.fetchall()), [(9, "V9"), (10, "V10")])
    cursor = conn.execute("DELETE FROM counted WHERE id <= 3")
    equal((cursor.rowcount, cursor.statusmessage), (3, "DELETE 3"))
    equal(conn.execute("SELECT * FROM counted").statusmessage, "SELECT 7")
    equal(conn.execute("TRUNCATE counted").statusmessage, "TRUNCATE TABLE")
    equal(conn.execute("SELECT count(*) FROM counted").fetchone()[0], 0)


@check
def executemany(conn):
    conn.execute("DROP TABLE IF EXISTS many; CREATE TABLE many (id int4, v text)")
    with conn.cursor() as cursor:
        cursor.executemany("INSERT INTO many VALUES (%s, %s) RETURNING id", [(i, f"v{i}") for i in range(100)], returning=True)
        ids = []
        while True:
            ids.append(cursor.fetchone()[0])
            if not cursor.nextset():
                break
    equal(ids, list(range(100)))
    equal(conn.execute("SELECT count(*), min(v), max(id) FROM many").fetchone(), (100, "v0", 99))


@check
def errors_have_state_and_position(conn):
    error = expect_error("42601", conn, "SELEC 1")
    equal(error.diag.statement_position, "1")
    equal(error.diag.severity_nonlocalized, "ERROR")
    error = expect_error("42703", conn, "SELECT 1, nocolumn FROM pg_class")
    equal(error.diag.statement_position, "11")
    equal(error.diag.message_primary, 'column "nocolumn" does not exist')
    error = expect_error("42P01", conn, "SELECT * FROM notable")
    equal(error.diag.statement_position, "15")
    equal(error.diag.message_primary, 'relation "notable" does not exist')
    error = expect_error("42883", conn, "SELECT nofunction(1)")
    equal(error.diag.statement_position, "8")
    expect_error("22012", conn, "SELECT 1 / %s", [0])
    expect_error("22P02", conn, "SELECT 'x'::int4")
    expect_error("22P02", conn, "SELECT %s::uuid", ["zzz"])
    expect_error("22007", conn, "SELECT 'no day'::date")
    expect_error("22008", conn, "SELECT '2024-02-30'::date")
    expect_error("22003", conn, "SELECT 2147483647 + 1")
    expect_error("22003", conn, "SELECT 40000::int2")
    expect_error("22003", conn, "SELECT 1000::numeric(3,0)")
    expect_error("42601", conn, "SELECT 'open")
    expect_error("42804", conn, "SELECT CASE WHEN 1 THEN 2 END")
    expect_error("3F000", conn, "CREATE TABLE noschema.t (x int4)")
    assert isinstance(expect_error("42P07", conn, "CREATE TABLE dup (x int4); CREATE TABLE dup (x int4)"), errors.DuplicateTable)


@check
def constraint_errors(conn):
    conn.execute("DROP TABLE IF EXISTS strict; CREATE TABLE strict (id int4 PRIMARY KEY, v varchar(3) NOT NULL)")
    conn.execute("INSERT INTO strict VALUES (1, 'a')")
    error = expect_error("23505", conn, "INSERT INTO strict VALUES (1, 'b')")
    equal(error.diag.constraint_name, "strict_pkey")
    equal(error.diag.message_detail, "Key (id)=(1) already exists.")
    error = expect_error("23502", conn, "INSERT INTO strict VALUES (2, NULL)")
    equal(error.diag.column_name, "v")
    expect_error("22001", conn, "INSERT INTO strict VALUES (2, 'long')")
    equal(conn.execute("SELECT * FROM strict").fetchall(), [(1, "a")])


@check
def transaction_states(conn):
    status = pq.TransactionStatus
    equal(conn.info.transaction_status, status.IDLE)
    conn.execute("BEGIN")
    equal(conn.info.transaction_status, status.INTRANS)
    expect_error("22012", conn, "SELECT 1/0")
    equal(conn.info.transaction_status, status.INERROR)
    expect_error("25P02", conn, "SELECT 1")
    equal(conn.execute("COMMIT").statusmessage, "ROLLBACK")
    equal(conn.info.transaction_status, status.IDLE)


@check
def commit_and_rollback(conn):
    conn.execute("DROP TABLE IF EXISTS tx; CREATE TABLE tx (x int4)")
    with conn.transaction():
        conn.execute("INSERT INTO tx VALUES (1)")
    conn.execute("BEGIN")
    conn.execute("INSERT INTO tx VALUES (2)")
    equal(conn.execute("SELECT count(*) FROM tx").fetchone()[0], 2)
    conn.execute("ROLLBACK")
    equal(conn.execute("SELECT x FROM tx").fetchall(), [(1,)])


@check
def notices(conn):
    seen = []
    conn.add_notice_handler(lambda diagnostic: seen.append((diagnostic.severity, diagnostic.sqlstate, diagnostic.message_primary)))
    conn.execute("DROP TABLE IF EXISTS never_was")
    equal(seen, [("NOTICE", "00000", 'table "never_was" does not exist, skipping')])


@check
def pipeline(conn):
    with conn.pipeline():
        cursors = [conn.execute("SELECT %s::int4 * 2", [i]) for i in range(200)]
        equal([c.fetchone()[0] for c in cursors], [i * 2 for i in range(200)])


@check
def error_in_a_pipeline(conn):
    conn.execute("DROP TABLE IF EXISTS piped; CREATE TABLE piped (x int4)")
    try:
        with conn.pipeline() as p:
            conn.execute("INSERT INTO piped VALUES (1)")
            p.sync()
            conn.execute("INSERT INTO piped VALUES (2)")
            conn.execute("SELECT 1 / %s", [0])
            conn.execute("INSERT INTO piped VALUES (3)")
    except errors.DivisionByZero:
        pass
    else:
        raise AssertionError("no error from the pipeline")
    equal(conn.info.transaction_status, pq.TransactionStatus.IDLE)
    equal(conn.execute("SELECT x FROM piped").fetchall(), [(1,)])


@check
def statements_after_an_error_are_skipped_until_sync(conn):
    link = conn.pgconn
    link.enter_pipeline_mode()
    for text in (b"SELECT 1", b"SELECT 1/0", b"SELECT 2"):
        link.send_query_params(text, None)
    link.pipeline_sync()
    link.send_query_params(b"SELECT 3", None)
    link.pipeline_sync()
    while link.flush():
        pass
    seen = []
    while len([s for s in seen if s == "PIPELINE_SYNC"]) < 2:
        result = link.get_result()
        if result is not None:
            seen.append(pq.ExecStatus(result.status).name)
    link.exit_pipeline_mode()
    equal(seen, ["TUPLES_OK", "FATAL_ERROR", "PIPELINE_ABORTED", "PIPELINE_SYNC", "TUPLES_OK", "PIPELINE_SYNC"])


@check
def server_side_cursor(conn):
    for binary in (False, True):
        with conn.transaction():
            with conn.cursor(name="walk", binary=binary) as cursor:
                cursor.itersize = 100
                cursor.execute("SELECT i, 'row ' || i FROM generate_series(1, 1050) AS g(i) ORDER BY i")
                equal(cursor.fetchone(), (1, "row 1"))
                equal(len(cursor.fetchmany(49)), 49)
                equal([i for i, _ in cursor], list(range(51, 1051)))
                equal(cursor.fetchall(), [])


@check
def cursor_statements(conn):
    with conn.transaction():
        conn.execute("DECLARE c CURSOR FOR SELECT i FROM generate_series(1, 5) AS g(i) ORDER BY i")
        cursor = conn.execute("FETCH 2 FROM c")
        equal((cursor.fetchall(), cursor.statusmessage), ([(1,), (2,)], "FETCH 2"))
        equal(conn.execute("FETCH ALL FROM c").fetchall(), [(3,), (4,), (5,)])
        equal(conn.execute("FETCH NEXT FROM c").fetchall(), [])
        equal(conn.execute("CLOSE c").statusmessage, "CLOSE CURSOR")
    expect_error("34000", conn, "FETCH 1 FROM c")
    expect_error("25P01", conn, "DECLARE c CURSOR FOR SELECT 1")


@check
def move(conn):
    with conn.transaction():
        conn.execute("DECLARE c CURSOR FOR SELECT i FROM generate_series(1, 5) AS g(i) ORDER BY i")
        equal(conn.execute("MOVE 3 IN c").statusmessage, "MOVE 3")
        equal(conn.execute("FETCH ALL FROM c").fetchall(), [(4,), (5,)])


@check
def streaming(conn):
    with conn.cursor() as cursor:
        total = sum(i for (i,) in cursor.stream("SELECT i FROM generate_series(1, 20000) AS g(i)"))
    equal(total, 20000 * 20001 // 2)


@check
def copy_in_text_and_csv(conn):
    conn.execute("DROP TABLE IF EXISTS copied; CREATE TABLE copied (i int4, t text, d date, n numeric(8,2))")
    with conn.cursor() as cursor:
        with cursor.copy("COPY copied FROM STDIN") as copy:
            copy.write_row((1, "tab\there", dt.date(2024, 1, 1), Decimal("1.50")))
            copy.write_row((2, None, None, None))
            copy.write_row((3, "back\\slash\nline", None, Decimal("-7")))
        equal((cursor.rowcount, cursor.statusmessage), (3, "COPY 3"))
        with cursor.copy("COPY copied (t, i) FROM STDIN (FORMAT csv, HEADER, NULL 'nil')") as copy:
            copy.write('t,i\n"quoted ""x"", and\nline",4\nnil,5\n')
    rows = conn.execute("SELECT * FROM copied ORDER BY i").fetchall()
    equal(rows, [
        (1, "tab\there", dt.date(2024, 1, 1), Decimal("1.50")), (2, None, None, None),
        (3, "back\\slash\nline", None, Decimal("-7.00")), (4, 'quoted "x", and\nline', None, None), (5, None, None, None),
    ])


@check
def copy_out_text_and_csv(conn):
    conn.execute("DROP TABLE IF EXISTS outgoing; CREATE TABLE outgoing (i int4, t text, b bool)")
    conn.execute("INSERT INTO outgoing VALUES (1, E'a\\tb\\\\c', true), (2, NULL, false), (3, 'x,\"y\"', NULL)")
    def out(statement):
        with conn.cursor().copy(statement) as copy:
            return b"".join(bytes(part) for part in copy).decode()
    equal(out("COPY outgoing TO STDOUT"), 'a\tb\\\\c'.join(["1\t", "\tt\n"]).replace("1\ta\tb", "1\ta\\tb") + '2\t\\N\tf\n3\tx,"y"\t\\N\n')
    equal(out("COPY outgoing (i, b) TO STDOUT (FORMAT csv, HEADER)"), "i,b\n1,t\n2,f\n3,\n")
    equal(out("COPY (SELECT t FROM outgoing WHERE i = 3) TO STDOUT (FORMAT csv, DELIMITER ';')"), '"x,""y"""\n')
    with conn.cursor().copy("COPY (SELECT i, b FROM outgoing ORDER BY i) TO STDOUT") as copy:
        copy.set_types(["int4", "bool"])
        equal(list(copy.rows()), [(1, True), (2, False), (3, None)])


@check
def copy_errors(conn):
    conn.execute("DROP TABLE IF EXISTS refused; CREATE TABLE refused (i int4, t text)")
    def fails(sqlstate, statement, data):
        try:
            with conn.cursor().copy(statement) as copy:
                copy.write(data)
        except psycopg.Error as error:
            equal(error.sqlstate, sqlstate, statement)
        else:
            raise AssertionError(f"{statement}: no error, expected {sqlstate}")
        equal(conn.execute("SELECT count(*) FROM refused").fetchone()[0], 0, "rows after a failed COPY")
    fails("22P02", "COPY refused FROM STDIN", "1\ta\nx\tb\n")
    fails("22P04", "COPY refused FROM STDIN", "1\ta\n2\n")
    fails("22P04", "COPY refused FROM STDIN", "1\ta\tmore\n")
    fails("42P01", "COPY missing FROM STDIN", "")
    fails("42703", "COPY refused (nope) FROM STDIN", "")
    try:
        with conn.cursor().copy("COPY refused FROM STDIN") as copy:
            copy.write("1\ta\n")
            raise KeyError("the client gives up")
    except KeyError:
        pass
    equal(conn.execute("SELECT count(*) FROM refused").fetchone()[0], 0, "rows after CopyFail")


@check
def copy_binary(conn):
    conn.execute("DROP TABLE IF EXISTS in_binary; CREATE TABLE in_binary (i int4, t text)")
    with conn.cursor().copy("COPY in_binary FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int4", "text"])
        copy.write_row((1, "one"))
    equal(conn.execute("SELECT * FROM in_binary").fetchall(), [(1, "one")])


@check
def cancel_while_running(conn):
    with connect() as other:
        started = time.monotonic()
        threading.Timer(0.5, other.cancel).start()
        expect_error("57014", other, LONG_QUERY)
        assert time.monotonic() - started < 5, "cancel took seconds"
        equal(other.execute("SELECT 1").fetchone()[0], 1)


@check
def cancel_while_streaming(conn):
    with connect() as other:
        seen = 0
        try:
            with other.cursor() as cursor:
                for _ in cursor.stream("SELECT a.i FROM generate_series(1, 30000) a(i), generate_series(1, 30000) b(i)"):
                    seen += 1
                    if seen == 1000:
                        other.cancel()
                    if seen > 50_000_000:
                        raise AssertionError("cancel did nothing")
        except psycopg.errors.QueryCanceled:
            pass
        else:
            raise AssertionError("no error after cancel")
        equal(other.execute("SELECT 1").fetchone()[0], 1)


@check
def settings(conn):
    equal(conn.execute("SHOW search_path").fetchone()[0], SCHEMA)
    conn.execute("SET statement_timeout = '200ms'")
    expect_error("57014", conn, LONG_QUERY)
    conn.execute("RESET statement_timeout")
    equal(conn.execute("SELECT current_setting('statement_timeout')").fetchone()[0], "0")
    conn.execute("SET TimeZone = 'America/New_York'")
    equal(conn.execute("SELECT '2024-07-01 12:00:00+00'::timestamptz::text").fetchone()[0], "2024-07-01 08:00:00-04")
    equal(conn.info.parameter_status("TimeZone"), "America/New_York")
    conn.execute("RESET TimeZone")
    expect_error("42704", conn, "SET no_such_setting = 1")
    expect_error("22023", conn, "SET statement_timeout = 'soon'")


@check
def failing_login(conn):
    for options, sqlstate in (({"dbname": "no_such_database"}, "3D000"),):
        try:
            psycopg.connect(**options)
        except psycopg.OperationalError as error:
            assert "does not exist" in str(error) and "FATAL" in str(error), error
        else:
            raise AssertionError(f"{options}: no error, expected {sqlstate}")


@check
def many_connections(conn):
    connections = [connect() for _ in range(20)]
    try:
        equal([c.execute("SELECT %s::int4", [i]).fetchone()[0] for i, c in enumerate(connections)], list(range(20)))
    finally:
        for connection in connections:
            connection.close()


def with_graph(conn):
    if conn.execute("SELECT to_regclass('person')").fetchone()[0] is None:
        conn.execute(graph_sql())
    conn.execute("SET graph_path = 'compat_social'")
    return conn


@check(graph=True)
def graph_in_three_languages(conn):
    with_graph(conn)
    cypher = conn.execute("MATCH (a:person)-[:knows]->(b) WHERE a.age > 30 RETURN a.name, b.name ORDER BY a.name, b.name")
    equal([c.name for c in cypher.description], ["a.name", "b.name"])
    expected = [("ann", "bob"), ("ann", "cid"), ("bob", "cid")]
    equal(cypher.fetchall(), expected)
    pgq = """SELECT * FROM GRAPH_TABLE (compat_social MATCH (a IS person WHERE a.age > 30)-[IS knows]->(b IS person)
             COLUMNS (a.name AS x, b.name AS y)) ORDER BY x, y"""
    equal(conn.execute(pgq).fetchall(), expected)
    join = """SELECT a.name, b.name FROM person a JOIN knows ON src = a.id JOIN person b ON dst = b.id
              WHERE a.age > 30 ORDER BY 1, 2"""
    equal(conn.execute(join).fetchall(), expected)
    wrapped = "SELECT * FROM cypher('compat_social', $$ MATCH (a:person) RETURN a.name AS n, a.age AS age $$) WHERE age < 40 ORDER BY n"
    equal(conn.execute(wrapped).fetchall(), [("ann", 31), ("cid", 27)])


@check(graph=True)
def cypher_values_and_parameters(conn):
    with_graph(conn)
    raw = psycopg.RawCursor(conn)
    for binary in (False, True):
        raw.execute("MATCH (a:person {name: $1}) RETURN a, a.age, [a.name, 'x'] AS l, $2 AS p", ["ann", 5], binary=binary)
        node, age, names, parameter = raw.fetchone()
        equal(node["~labels"], ["person"])
        equal(node["~properties"], {"id": 1, "name": "ann", "age": 31})
        equal((age, names, parameter), (31, ["ann", "x"], 5))
        equal([c.type_code for c in raw.description][:3], [3802, 23, 1009])
        path = conn.execute(
            "MATCH p = shortestPath((a:person {name: 'ann'})-[:knows*]->(d:person {name: 'dan'})) RETURN p, length(p)", binary=binary
        ).fetchone()
        equal([e["~entityType"] for e in path[0]["~elements"]], ["node", "relationship", "node", "relationship", "node"])
        equal(path[1], 2)
        equal(conn.execute("MATCH (a:person)-[r:knows]->() RETURN count(*), sum(a.age)", binary=binary).fetchone(), (4, 131))


@check(graph=True)
def graph_errors(conn):
    with_graph(conn)
    error = expect_error("42601", conn, "MATCH (a:person RETURN a")
    equal(error.diag.statement_position, "17")
    error = expect_error("42703", conn, "MATCH (a:person) RETURN b")
    equal(error.diag.statement_position, "25")
    error = expect_error("42704", conn, "SELECT * FROM GRAPH_TABLE (nograph MATCH (a) COLUMNS (1 AS one))")
    equal(error.diag.statement_position, "28")


def main():
    with psycopg.connect(autocommit=True) as setup:
        setup.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        setup.execute(f"CREATE SCHEMA {SCHEMA}")
        is_graphwire = "graphwire" in setup.info.parameter_status("server_version")
    return run(connect, is_graphwire)


if __name__ == "__main__":
    sys.exit(main())

"""psqlodbc through unixODBC: the catalog functions, parameters, cursors and errors, the way Tableau and Power BI arrive."""
import datetime as dt
import os
import sys
import uuid
from contextlib import contextmanager
from decimal import Decimal

import pyodbc

from checks import check, equal, run

SCHEMA = "compat_odbc"
BASE = (f"Driver={os.environ['PSQLODBC']};Server={os.environ['PGHOST']};Port={os.environ['PGPORT']};"
        f"Uid={os.environ.get('PGUSER', 'graphwire')};Pwd={os.environ.get('PGPASSWORD', '')};Database={os.environ.get('PGDATABASE', 'graphwire')};")
TABLES = f"""
CREATE SCHEMA {SCHEMA};
CREATE TABLE {SCHEMA}.dept (id integer PRIMARY KEY, name varchar(40) NOT NULL UNIQUE, budget numeric(12,2) DEFAULT 0);
CREATE TABLE {SCHEMA}.emp (id bigint PRIMARY KEY, dept_id integer REFERENCES {SCHEMA}.dept (id) ON DELETE CASCADE, name text NOT NULL,
    salary double precision, active boolean DEFAULT true, hired date, at timestamp, note char(3));
CREATE INDEX emp_name ON {SCHEMA}.emp (name, hired);
CREATE VIEW {SCHEMA}.emp_v AS SELECT e.id, e.name, d.name AS dept FROM {SCHEMA}.emp e JOIN {SCHEMA}.dept d ON d.id = e.dept_id;
CREATE TABLE {SCHEMA}.pair (a int, b int, c text, PRIMARY KEY (b, a));
INSERT INTO {SCHEMA}.dept VALUES (1, 'Engineering', 1000.5), (2, 'Sales', 500);
INSERT INTO {SCHEMA}.emp VALUES (1, 1, 'Ada', 100.5, true, '2020-01-02', '2020-01-02 03:04:05', 'abc'), (2, 2, 'Grace ☃', NULL, false, NULL, NULL, NULL);
"""


def opened(options=""):
    # MaxVarcharSize and the like at their defaults: what a tool that knows only the driver's name gets.
    return pyodbc.connect(BASE + options, autocommit=True)


@contextmanager
def connect():
    connection = opened()
    try:
        yield connection
    finally:
        connection.close()


def rows(cursor, *names):
    """The named columns of all rows."""
    found = {d[0].lower(): i for i, d in enumerate(cursor.description)}
    return [tuple(row[found[n]] for n in names) for row in cursor.fetchall()]


@check
def get_info(connection):
    equal(connection.getinfo(pyodbc.SQL_DBMS_NAME), "PostgreSQL")
    equal(connection.getinfo(pyodbc.SQL_DBMS_VER).split(".")[0], "15")
    equal(connection.getinfo(pyodbc.SQL_IDENTIFIER_QUOTE_CHAR), '"')


@check
def tables(connection):
    found = rows(connection.cursor().tables(schema=SCHEMA), "table_name", "table_type")
    equal(found, [("dept", "TABLE"), ("emp", "TABLE"), ("pair", "TABLE"), ("emp_v", "VIEW")] if found and found[-1][1] == "VIEW"
          else [("dept", "TABLE"), ("emp", "TABLE"), ("emp_v", "VIEW"), ("pair", "TABLE")])
    equal(rows(connection.cursor().tables(schema=SCHEMA, table="em%", tableType="VIEW"), "table_name"), [("emp_v",)])


@check
def schemas_and_catalogs(connection):
    cursor = connection.cursor()
    assert (SCHEMA,) in rows(cursor.tables(schema="%", catalog="", table=""), "table_schem")
    assert rows(cursor.tables(catalog="%", schema="", table=""), "table_cat")


@check
def columns(connection):
    found = rows(connection.cursor().columns(schema=SCHEMA, table="emp"), "column_name", "type_name", "nullable", "ordinal_position")
    equal(found, [("id", "int8", 0, 1), ("dept_id", "int4", 1, 2), ("name", "text", 0, 3), ("salary", "float8", 1, 4), ("active", "bool", 1, 5),
                  ("hired", "date", 1, 6), ("at", "timestamp", 1, 7), ("note", "bpchar", 1, 8)])
    sizes = rows(connection.cursor().columns(schema=SCHEMA, table="dept"), "column_name", "column_size", "decimal_digits", "column_def")
    equal(sizes, [("id", 10, 0, None), ("name", 40, None, None), ("budget", 12, 2, "0")])
    equal(len(rows(connection.cursor().columns(schema=SCHEMA, table="emp_v"), "column_name")), 3)


@check
def primary_keys(connection):
    equal(rows(connection.cursor().primaryKeys(table="pair", schema=SCHEMA), "column_name", "key_seq", "pk_name"), [("b", 1, "pair_pkey"), ("a", 2, "pair_pkey")])


@check
def foreign_keys(connection):
    found = rows(connection.cursor().foreignKeys(foreignTable="emp", foreignSchema=SCHEMA), "pktable_name", "pkcolumn_name", "fkcolumn_name", "delete_rule", "fk_name")
    equal(found, [("dept", "id", "dept_id", 0, "emp_dept_id_fkey")])
    found = rows(connection.cursor().foreignKeys(table="dept", schema=SCHEMA), "fktable_name", "key_seq")
    equal(found, [("emp", 1)])


@check
def statistics(connection):
    found = rows(connection.cursor().statistics(f"emp", schema=SCHEMA), "index_name", "non_unique", "column_name", "ordinal_position")
    named = [row for row in found if row[0]]
    equal(named, [("emp_pkey", 0, "id", 1), ("emp_name", 1, "name", 1), ("emp_name", 1, "hired", 2)])


@check
def type_info(connection):
    names = {row[0] for row in rows(connection.cursor().getTypeInfo(), "type_name")}
    assert {"int4", "int8", "text", "varchar", "numeric", "bool", "date", "timestamptz", "float8", "uuid", "bytea"} <= names, names


@check
def procedures(connection):
    cursor = connection.cursor()
    cursor.procedures(procedure="pg_backend_pid")
    names = {row[0] for row in rows(cursor.procedureColumns(procedure="upper"), "procedure_name")}
    assert names <= {"upper"}, names


@check
def values_both_ways(connection):
    cursor = connection.cursor()
    stamp = dt.datetime(2024, 1, 2, 3, 4, 5, 600000)
    given = [True, -5, 2**31, 1.5, Decimal("12.34"), "naïve ☃", dt.date(2024, 2, 29), stamp, b"\0\xff", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]
    types = ["bool", "int4", "int8", "float8", "numeric(8,2)", "text", "date", "timestamp", "bytea", "uuid"]
    cursor.execute("SELECT " + ", ".join(f"CAST(? AS {t})" for t in types), given)
    row = cursor.fetchone()
    for got, value, name in zip(row, given, types):
        if name == "uuid":  # the driver gives its text in capitals
            got, value = str(got).lower(), str(value)
        equal(bool(int(got)) if name == "bool" else got, value, name)
    cursor.execute("SELECT CAST(? AS text), CAST(? AS int)", None, None)
    equal(tuple(cursor.fetchone()), (None, None))


@check
def parameters_in_conditions(connection):
    cursor = connection.cursor()
    cursor.execute(f"SELECT name FROM {SCHEMA}.emp WHERE id = ? AND salary > ? AND hired < ?", 1, 10.5, dt.date(2021, 1, 1))
    equal(cursor.fetchval(), "Ada")
    cursor.execute(f"SELECT count(*) FROM {SCHEMA}.emp WHERE name LIKE ?", "%☃")
    equal(cursor.fetchval(), 1)


@check
def write_and_rowcount(connection):
    connection.autocommit = False
    cursor = connection.cursor()
    cursor.execute(f"CREATE TEMPORARY TABLE w (a int, b text)")
    cursor.executemany("INSERT INTO w VALUES (?, ?)", [(i, f"v{i}") for i in range(50)])
    cursor.execute("UPDATE w SET b = ? WHERE a < ?", "x", 10)
    equal(cursor.rowcount, 10)
    connection.rollback()
    cursor.execute(f"UPDATE {SCHEMA}.dept SET budget = budget + 1")
    connection.rollback()
    equal(cursor.execute(f"SELECT sum(budget) FROM {SCHEMA}.dept").fetchval(), Decimal("1500.50"))


@check
def declare_fetch(_):
    connection = opened("UseDeclareFetch=1;Fetch=100;")
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT i, 'row ' || i FROM generate_series(1, 2500) AS g(i)")
        equal(sum(row[0] for row in cursor), 2500 * 2501 // 2)
        cursor.execute("SELECT i FROM generate_series(1, 1000) AS g(i)")
        equal([row[0] for row in cursor.fetchmany(3)], [1, 2, 3])
        cursor.close()
        equal(connection.cursor().execute("SELECT 1").fetchval(), 1)
    finally:
        connection.close()


@check
def server_side_prepare(_):
    for option in ("UseServerSidePrepare=1;", "UseServerSidePrepare=0;", "Protocol=7.4-2;", "ByteaAsLongVarBinary=1;BoolsAsChar=0;"):
        connection = opened(option)
        try:
            cursor = connection.cursor()
            for number in range(3):
                equal(cursor.execute(f"SELECT name FROM {SCHEMA}.dept WHERE id = ?", 1).fetchval(), "Engineering", option)
        finally:
            connection.close()


@check
def errors(connection):
    cursor = connection.cursor()
    for text, state in (("SELECT nocolumn", "42703"), ("SELECT 1/0", "22012"), ("SELEC 1", "42601"), ("SELECT * FROM missing", "42P01"),
                        (f"INSERT INTO {SCHEMA}.dept VALUES (1, 'twice')", "23505"), (f"INSERT INTO {SCHEMA}.dept VALUES (3, NULL)", "23502"),
                        (f"INSERT INTO {SCHEMA}.emp VALUES (9, 99, 'x')", "23503")):
        try:
            cursor.execute(text)
        except pyodbc.Error as error:
            equal({"42S02": "42P01", "42S22": "42703"}.get(error.args[0], error.args[0]), state, text)
        else:
            raise AssertionError(f"{text}: no error")


@check
def savepoint_after_an_error(_):
    # Protocol=7.4-2 rolls back to a savepoint before each statement that failed.
    connection = opened("Protocol=7.4-2;")
    connection.autocommit = False
    try:
        cursor = connection.cursor()
        cursor.execute("CREATE TEMPORARY TABLE s (a int)")
        cursor.execute("INSERT INTO s VALUES (1)")
        try:
            cursor.execute("SELECT 1/0")
        except pyodbc.Error:
            pass
        equal(cursor.execute("SELECT count(*) FROM s").fetchval(), 1)
    finally:
        connection.rollback()
        connection.close()


@check
def tableau_probe(connection):
    # What Tableau sends to learn what it may do, and a question of its.
    cursor = connection.cursor()
    cursor.execute('CREATE LOCAL TEMPORARY TABLE "#Tableau_1_Connect" ( "COL" INTEGER ) ON COMMIT PRESERVE ROWS')
    cursor.execute('SELECT "COL" AS "COL" FROM (SELECT 1 AS "COL") AS "CHECKTEMP" LIMIT 1')
    cursor.execute('DROP TABLE "#Tableau_1_Connect"')
    cursor.execute(f"""SELECT "dept"."name" AS "name", SUM("emp"."salary") AS "sum:salary:ok",
        DATE_TRUNC('MONTH', CAST("emp"."hired" AS TIMESTAMP)) AS "tmn:hired:ok" FROM "{SCHEMA}"."emp" "emp"
        INNER JOIN "{SCHEMA}"."dept" "dept" ON ("emp"."dept_id" = "dept"."id") GROUP BY 1, 3 HAVING (COUNT(1) > 0) ORDER BY 1""")
    equal([tuple(r) for r in cursor.fetchall()], [("Engineering", 100.5, dt.datetime(2020, 1, 1)), ("Sales", None, None)])


@check
def power_bi_question(connection):
    cursor = connection.cursor()
    cursor.execute(f"""select "_"."name", "_"."a0" from (select "rows"."name" as "name", sum("rows"."salary") as "a0"
        from "{SCHEMA}"."emp" "rows" group by "name") "_" where not "_"."a0" is null limit 1000001""")
    equal([tuple(r) for r in cursor.fetchall()], [("Ada", 100.5)])
    cursor.execute(f"""select {{fn ucase(name)}}, {{d '2024-01-02'}} from "{SCHEMA}".dept where id = 1""")
    equal(tuple(cursor.fetchone()), ("ENGINEERING", dt.date(2024, 1, 2)))


def main():
    connection = opened()
    cursor = connection.cursor()
    cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    for statement in TABLES.split(";\n"):
        if statement.strip():
            cursor.execute(statement)
    is_graphwire = "graphwire" in cursor.execute("SELECT version()").fetchval()
    connection.close()
    return run(connect, is_graphwire)


if __name__ == "__main__":
    sys.exit(main())

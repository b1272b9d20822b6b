"""psql: what a person types at the prompt, and what is printed back."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext

from checks import check, equal, graph_sql, run

SCHEMA = "compat_psql"
LONG_QUERY = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b;"
TABLES = """
CREATE TABLE item (id int4 PRIMARY KEY, name varchar(20) NOT NULL, price numeric(8,2) DEFAULT 0, tags text[], made timestamptz);
CREATE TABLE part (item_id int4 REFERENCES item (id), n int2, note char(3), PRIMARY KEY (item_id, n));
CREATE VIEW cheap AS SELECT id, name FROM item WHERE price < 10;
"""


def start(*arguments, **options):
    environment = dict(os.environ, PGOPTIONS=f"-c search_path={SCHEMA} -c TimeZone=UTC", PSQLRC="/dev/null", PAGER="", LC_ALL="C.UTF-8")
    return subprocess.Popen(["psql", "-X", *arguments], text=True, env=environment, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def psql(script, *arguments):
    """Types a script at psql; returns all it prints, without spaces at line ends."""
    running = start("-q", *arguments)
    out, _ = running.communicate(script)
    return re.sub(r"[ \t]+$", "", out, flags=re.M).strip("\n")


def prints(script, expected, *arguments):
    """All that is printed, but for hints: graphwire gives more of them than PostgreSQL."""
    printed = re.sub(r"^HINT: .*\n?", "", psql(script, *arguments), flags=re.M)
    equal(printed.strip("\n"), expected.strip("\n"), script.strip())


def points_at(script, expected):
    """The error's message is free, its place in the text is not."""
    message, _, place = psql(script).partition("\n")
    assert message.startswith("ERROR:  "), message
    place = re.sub(r"\n(DETAIL|HINT): .*", "", place)
    equal(place, expected.strip("\n"), script)


def values(script):
    return psql(script, "-At")


@check
def connection_line(_):
    out = psql("\\conninfo\n\\encoding")
    assert re.match(r'You are connected to database "\w+" as user "\w+" on host "[^"]+".* at port "\d+"\.', out), out
    assert out.endswith("UTF8"), out


@check
def banner_knows_the_version(_):
    running = start()
    out, _ = running.communicate("\\q\n")
    assert "server version" not in out or "15" in out, out
    assert "WARNING" not in out, out


@check
def plain_table(_):
    prints("SELECT 1 AS one, 'x' AS \"Two\", NULL AS three, true AS b, 1.50 AS n;", """
 one | Two | three | b |  n
-----+-----+-------+---+------
   1 | x   |       | t | 1.50
(1 row)
""")
    prints("SELECT ARRAY[1,2] AS a, '\\x00ff'::bytea AS y, '{\"k\": 1}'::jsonb AS j, interval '1 day 2 hours' AS i;", """
   a   |   y    |    j     |       i
-------+--------+----------+----------------
 {1,2} | \\x00ff | {"k": 1} | 1 day 02:00:00
(1 row)
""")
    prints("\\x\nSELECT 1 AS a, 'b' AS b;", """
-[ RECORD 1 ]
a | 1
b | b
""")


@check
def backslash_d(_):
    equal(values("\\d"), "compat_psql|cheap|view|%s\ncompat_psql|item|table|%s\ncompat_psql|part|table|%s" % ((owner(),) * 3))
    equal(values("\\dt"), "compat_psql|item|table|%s\ncompat_psql|part|table|%s" % ((owner(),) * 2))
    equal(values("\\dv"), f"compat_psql|cheap|view|{owner()}")
    equal(values("\\di"), "compat_psql|item_pkey|index|%s|item\ncompat_psql|part_pkey|index|%s|part" % ((owner(),) * 2))
    equal(values("\\dt compat_psql.p*"), f"compat_psql|part|table|{owner()}")
    equal(values("\\dt nothing*"), "")
    equal(psql("\\d nothing"), "")


def owner():
    return values("SELECT current_user;")


@check
def backslash_d_table(_):
    prints("\\d item", """
                      Table "compat_psql.item"
 Column |           Type           | Collation | Nullable | Default
--------+--------------------------+-----------+----------+---------
 id     | integer                  |           | not null |
 name   | character varying(20)    |           | not null |
 price  | numeric(8,2)             |           |          | 0
 tags   | text[]                   |           |          |
 made   | timestamp with time zone |           |          |
Indexes:
    "item_pkey" PRIMARY KEY, btree (id)
Referenced by:
    TABLE "part" CONSTRAINT "part_item_id_fkey" FOREIGN KEY (item_id) REFERENCES item(id)
""")
    prints("\\d part", """
                Table "compat_psql.part"
 Column  |     Type     | Collation | Nullable | Default
---------+--------------+-----------+----------+---------
 item_id | integer      |           | not null |
 n       | smallint     |           | not null |
 note    | character(3) |           |          |
Indexes:
    "part_pkey" PRIMARY KEY, btree (item_id, n)
Foreign-key constraints:
    "part_item_id_fkey" FOREIGN KEY (item_id) REFERENCES item(id)
""")
    prints("\\d cheap", """
                    View "compat_psql.cheap"
 Column |         Type          | Collation | Nullable | Default
--------+-----------------------+-----------+----------+---------
 id     | integer               |           |          |
 name   | character varying(20) |           |          |
""")
    out = psql("\\d+ item")
    assert '"compat_psql.item"' in out and "extended" in out, out


@check
def schemas_databases_roles_functions(_):
    schemas = dict(line.split("|") for line in values("\\dn").splitlines())
    equal(schemas[SCHEMA], owner())
    assert "public" in schemas, schemas
    databases = [line.split("|")[0] for line in values("\\l").splitlines()]
    assert {"graphwire", "postgres"} <= set(databases), databases
    roles = dict(line.split("|")[:2] for line in values("\\du").splitlines() if "|" in line)
    assert "Superuser" in roles[owner()], roles
    equal(values("\\df"), "")
    functions = [line.split("|") for line in values("\\df upper").splitlines()]
    assert ["pg_catalog", "upper", "text", "text", "func"] in functions, functions
    assert "pg_catalog|int4|" in values("\\dT int4") or "pg_catalog|integer|" in values("\\dT int4"), values("\\dT int4")


@check
def casts_and_several_statements(_):
    equal(values("SELECT '7'::int + 1; SELECT '2024-01-31'::date + 1, 'a' || 1::text;"), "8\n2024-02-01|a1")
    equal(values("SELECT 1 \\; SELECT 2 \\; SELECT 3;"), "1\n2\n3")
    equal(psql("", "-Atc", "SELECT 1; SELECT 2"), "1\n2")
    equal(psql("", "-At", "-c", "SELECT 1", "-c", "SELECT 2"), "1\n2")


@check
def tags(_):
    running = start()
    out, _ = running.communicate("CREATE TABLE tags (x int);\nINSERT INTO tags VALUES (1), (2);\nUPDATE tags SET x = 3;\nDELETE FROM tags;\n"
                                 "BEGIN;\nCOMMIT;\nSET application_name = 'x';\nDROP TABLE tags;\n")
    equal(out.split("\n")[:8], ["CREATE TABLE", "INSERT 0 2", "UPDATE 2", "DELETE 2", "BEGIN", "COMMIT", "SET", "DROP TABLE"])


@check
def variables(_):
    equal(values("\\set n 5\nSELECT :n + 1, :'n', :\"n\" FROM (SELECT 'quoted' AS \"5\") q;"), "6|5|quoted")
    equal(values("SELECT 42 AS answer \\gset\n\\echo :answer\nSELECT :answer * 2;"), "42\n84")
    equal(values("SELECT 1/0;\n\\echo :LAST_ERROR_SQLSTATE\n").splitlines()[-1], "22012")
    equal(values("SELECT generate_series(1,3);\n\\echo :ROW_COUNT\n").splitlines()[-1], "3")
    equal(values("\\echo :SERVER_VERSION_NUM")[:2], "15")


@check
def gdesc_gexec_watch(_):
    prints("SELECT 1 AS a, 'x'::varchar(4) AS b, now() AS c, ARRAY[1.5] AS d, NULL AS e \\gdesc", """
 Column |           Type
--------+--------------------------
 a      | integer
 b      | character varying(4)
 c      | timestamp with time zone
 d      | numeric[]
 e      | text
(5 rows)
""")
    equal(values("SELECT 'SELECT ' || i FROM generate_series(1, 3) AS g(i) \\gexec"), "1\n2\n3")
    equal(values("SELECT 1 AS a, 2 AS b \\gx"), "a|1\nb|2")
    equal(values("PREPARE p (int) AS SELECT $1 * 2;\nEXECUTE p(21);"), "42")


@check
def copy_in_and_out(_):
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "in.csv")
        with open(source, "w") as file:
            file.write("id,name,price\n1,\"one, with comma\",1.50\n2,two,\n")
        out = os.path.join(folder, "out.csv")
        script = f"""
CREATE TABLE copied (id int4, name text, price numeric(8,2));
\\copy copied from '{source}' with (format csv, header)
\\copy (SELECT * FROM copied ORDER BY id) to '{out}' csv header
"""
        running = start("-q")
        printed, _ = running.communicate(script)
        equal(printed, "")
        with open(out) as file:
            equal(file.read(), "id,name,price\n1,\"one, with comma\",1.50\n2,two,\n")
    equal(values("COPY copied FROM stdin;\n3\tthree\t\\N\n\\.\nSELECT count(*) FROM copied;\nCOPY copied TO stdout;"),
          "3\n1\tone, with comma\t1.50\n2\ttwo\t\\N\n3\tthree\t\\N")
    equal(psql("COPY copied FROM stdin;\nx\ty\t1\n\\.\n").splitlines()[0], 'ERROR:  invalid input syntax for type integer: "x"')
    psql("DROP TABLE copied;")


@check
def errors_point_into_the_text(_):
    prints("SELECT 1,\n  nocolumn\nFROM item;", """
ERROR:  column "nocolumn" does not exist
LINE 2:   nocolumn
          ^
""")
    prints("SELECT * FROM item WHERE;", """
ERROR:  syntax error at or near ";"
LINE 1: SELECT * FROM item WHERE;
                                ^
""")
    prints("SELECT * FROM ünknown;", """
ERROR:  relation "ünknown" does not exist
LINE 1: SELECT * FROM ünknown;
                      ^
""")
    out = psql("\\set VERBOSITY sqlstate\nSELECT 1/0;\nINSERT INTO item VALUES (NULL, 'x');\nSELECT 'a'::int4;")
    equal(out, "ERROR:  22012\nERROR:  23502\nERROR:  22P02")


@check
def on_error_stop_and_exit_codes(_):
    running = start("-q", "-v", "ON_ERROR_STOP=1")
    out, _ = running.communicate("SELECT 1/0;\nSELECT 2;\n")
    equal((out.strip(), running.returncode), ("ERROR:  division by zero", 3))
    running = start("-q", "-c", "SELECT nothing")
    running.communicate()
    equal(running.returncode, 1)
    running = start("-q", "-d", "no_such_database")
    out, _ = running.communicate()
    equal(running.returncode, 2)
    assert 'database "no_such_database" does not exist' in out, out


@check
def single_transaction(_):
    psql("CREATE TABLE st (x int4);")
    psql("INSERT INTO st VALUES (1);\nSELECT 1/0;\nINSERT INTO st VALUES (2);\n", "-1", "-v", "ON_ERROR_STOP=1")
    equal(values("SELECT count(*) FROM st;"), "0")
    psql("DROP TABLE st;")


@check
def prompt_shows_the_transaction(_):
    out = psql("\\set PROMPT1 '%x>'\nBEGIN;\n\\echo :TRANSACTION\nSELECT 1/0;\nSELECT 1;\nROLLBACK;\n")
    assert "current transaction is aborted, commands ignored until end of transaction block" in out, out


@check
def control_c(_):
    running = start("-q", "-v", "VERBOSITY=verbose", start_new_session=True)
    running.stdin.write("\\echo started\n" + LONG_QUERY + "\n\\echo :LAST_ERROR_SQLSTATE\nSELECT 'alive';\n")
    running.stdin.close()
    running.stdin = None
    equal(running.stdout.readline(), "started\n")
    time.sleep(1)
    started = time.monotonic()
    running.send_signal(signal.SIGINT)
    out = running.stdout.read()
    running.wait()
    assert time.monotonic() - started < 5, "cancel took seconds"
    assert "57014" in out and "canceling statement due to user request" in out, out


@check
def large_output_in_order(_):
    out = values("SELECT i, repeat('x', 20) FROM generate_series(1, 50000) AS g(i) ORDER BY i;").splitlines()
    equal(len(out), 50000)
    equal((out[0], out[-1]), ("1|" + "x" * 20, "50000|" + "x" * 20))
    equal(values("\\set FETCH_COUNT 1000\nSELECT count(*) OVER (), i FROM generate_series(1, 3500) AS g(i) ORDER BY i;").splitlines()[-1], "3500|3500")


@check
def explain(_):
    out = values("EXPLAIN SELECT * FROM item WHERE id = 1;")
    assert "item" in out, out
    out = psql("EXPLAIN ANALYZE SELECT count(*) FROM item;")
    assert "QUERY PLAN" in out, out


@check
def set_show_reset(_):
    equal(values("SHOW search_path;"), SCHEMA)
    equal(values("SET search_path = public, compat_psql;\nSHOW search_path;"), "public, compat_psql")
    equal(values("SET TimeZone = 'Asia/Tokyo';\nSELECT '2024-01-01 00:00+00'::timestamptz;\nRESET TimeZone;\nSHOW TimeZone;"),
          "2024-01-01 09:00:00+09\nUTC")
    equal(values("SHOW DateStyle;"), "ISO, MDY")


@check(graph=True)
def graph_at_the_prompt(_):
    psql(graph_sql())
    prints("MATCH (a:person)-[:knows]->(b) WHERE a.name = 'ann' RETURN b.name, b.age ORDER BY b.name;", """
 b.name | b.age
--------+-------
 bob    |    42
 cid    |    27
(2 rows)
""")
    equal(values("""SELECT * FROM GRAPH_TABLE (compat_social MATCH (a IS person)-[IS knows]->(b IS person)
                    WHERE a.name = 'ann' COLUMNS (b.name AS friend)) ORDER BY friend;"""), "bob\ncid")
    equal(values("MATCH (a:person) RETURN count(*) AS n \\gdesc"), "n|bigint")
    equal(values("MATCH p = shortestPath((a:person {name: 'ann'})-[:knows*]->(d {name: 'dan'})) RETURN length(p);"), "2")
    points_at("MATCH (a:person) RETURN nobody.name;", """
LINE 1: MATCH (a:person) RETURN nobody.name;
                                ^
""")
    points_at("SELECT * FROM GRAPH_TABLE (compat_social\nMATCH (a IS nolabel)\nCOLUMNS (a.id));", """
LINE 2: MATCH (a IS nolabel)
                    ^
""")
    equal(values("DROP PROPERTY GRAPH compat_social;\nDROP TABLE knows, person;"), "")


def main():
    psql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE;\nCREATE SCHEMA {SCHEMA};\n")
    printed = psql(TABLES)
    if printed:
        print(f"could not set up: {printed}")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    return run(lambda: nullcontext(), "graphwire" in values("SELECT version();"))


if __name__ == "__main__":
    sys.exit(main())

"""Memory bombs of one tenant, and the point look-ups of another."""
import os
import sys
import threading
import time

import psycopg

HOST = f"host={os.environ['PGHOST']} port={os.environ['PGPORT']}"
OPERATOR = f"{HOST} user=graphwire dbname=graphwire password={os.environ['OPERATOR_PASSWORD']}"
BOMBER = f"{HOST} user=bomber dbname=bombs password=pencil"
VICTIM = f"{HOST} user=victim dbname=calm password=pencil"
SHORT = "--long" not in sys.argv[1:]
SECONDS = 3 if SHORT else 10
SERVER_BYTES = 1 << 30
RSS_MAX = SERVER_BYTES * 1.15

# Values of some hundred bytes, so that even a debug build is there in seconds.
WIDE = "repeat(x::text, 100)"
BOMBS = {
    "cross join": "SELECT max(n) FROM (SELECT a.y || b.y AS y, row_number() OVER (ORDER BY a.y || b.y, a.x, b.x) AS n"
                  " FROM wide a CROSS JOIN wide b) q",
    "hash join": f"SELECT count(a.t || b.t) FROM (SELECT x, {WIDE} AS t FROM generate_series(1, 1000000) AS s(x)) a"
                 f" JOIN (SELECT x, {WIDE} AS t FROM generate_series(1, 1000000) AS s(x)) b ON a.x = b.x",
    "array_agg": f"SELECT cardinality(array_agg({WIDE})) FROM generate_series(1, 2000000) AS s(x)",
    "array_agg by group": f"SELECT count(a) FROM (SELECT x % 10 AS k, array_agg({WIDE}) AS a"
                          " FROM generate_series(1, 2000000) AS s(x) GROUP BY 1) q",
    "json_agg": f"SELECT length(j::text || '') FROM (SELECT json_agg({WIDE}) AS j FROM generate_series(1, 2000000) AS s(x)) q",
    "string_agg": f"SELECT length(string_agg({WIDE}, ',')) FROM generate_series(1, 2000000) AS s(x)",
    "distinct": f"SELECT count(*) FROM (SELECT DISTINCT {WIDE} AS y FROM generate_series(1, 2000000) AS s(x)) q",
    "wide sort": f"SELECT * FROM (SELECT {WIDE} AS t FROM generate_series(1, 2000000) AS s(x)) q"
                 " ORDER BY t OFFSET 1999999",
    "recursive": "WITH RECURSIVE r(x, pad) AS (SELECT 1::bigint, repeat('r', 1000) UNION ALL"
                 " SELECT r.x * 2 + v.y, repeat(v.y::text, 1000) FROM r CROSS JOIN (VALUES (0), (1)) AS v(y)"
                 " WHERE r.x < 100000000) SELECT count(pad) FROM r",
    "paths": "SELECT length(titles::text || '') FROM cypher('web', $$ MATCH p = (a)-[:LINK*1..9]->(b)"
             " RETURN collect([n IN nodes(p) | n.title + toString(n.id)]) AS titles $$) AS (titles json)",
    "collect": "SELECT length(titles::text || '') FROM cypher('web', $$ MATCH (a)-[:LINK]->(b)-[:LINK]->(c)-[:LINK]->(d)"
               " RETURN collect(a.title + b.title + c.title + d.title) AS titles $$) AS (titles text[])",
}
# Small values, of which it takes many: what is kept beside a value counts more than the value.
NARROW = {
    "narrow paths": "SELECT length(ids::text || '') FROM cypher('web', $$ MATCH p = (a)-[:LINK*1..9]->(b)"
                    " RETURN collect([n IN nodes(p) | n.id]) AS ids $$) AS (ids json)",
    "narrow hash join": "SELECT count(*) FROM (SELECT a.x FROM generate_series(1, 20000000) AS a(x)"
                        " JOIN generate_series(1, 20000000) AS b(y) ON a.x = b.y) q",
    "narrow array_agg": "SELECT cardinality(array_agg(x)) FROM generate_series(1, 60000000) AS s(x)",
    "narrow array_agg by group": "SELECT count(a) FROM (SELECT x % 10 AS k, array_agg(x::text || 'abcdefghijklmnop') AS a"
                                 " FROM generate_series(1, 20000000) AS s(x) GROUP BY 1) q",
    "narrow distinct": "SELECT count(*) FROM (SELECT DISTINCT x::text || '-abcdefghijklmnopqrstuvw' AS y"
                       " FROM generate_series(1, 20000000) AS s(x)) q",
    "narrow recursive": "WITH RECURSIVE r(x) AS (SELECT 1::bigint UNION ALL"
                        " SELECT r.x * 2 + v.y FROM r CROSS JOIN (VALUES (0), (1)) AS v(y) WHERE r.x < 100000000)"
                        " SELECT count(*) FROM r",
}


def status(field):
    with open(f"/proc/{os.environ['SERVER_PID']}/status") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("the server is gone")


def forget_peak():
    """The highest resident size is counted anew."""
    with open(f"/proc/{os.environ['SERVER_PID']}/clear_refs", "w") as file:
        file.write("5")


def set_up():
    with psycopg.connect(OPERATOR, autocommit=True) as operator:
        for tenant, user in (("bombs", "bomber"), ("calm", "victim")):
            operator.execute("RESET graphwire.tenant")
            operator.execute(f"CREATE TENANT {tenant}")
            operator.execute(f"SET graphwire.tenant = '{tenant}'")
            operator.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'pencil'")
            operator.execute(f"GRANT ALL ON SCHEMA public TO {user}")
            operator.execute(f"GRANT ALL ON DATABASE {tenant} TO {user}")
        operator.execute("CREATE QUOTA bombs LIMIT memory_bytes = '256 MiB', temp_bytes = 0 TO TENANT bombs")
    with psycopg.connect(BOMBER, autocommit=True) as bomber:
        bomber.execute("CREATE TABLE wide AS SELECT x, repeat('y', 200) AS y FROM generate_series(1, 20000) AS s(x)")
        bomber.execute("CREATE TABLE page (id int PRIMARY KEY, title text NOT NULL)")
        bomber.execute("CREATE TABLE link (id int PRIMARY KEY, a int REFERENCES page, b int REFERENCES page)")
        bomber.execute("INSERT INTO page SELECT x, repeat('p', 200) FROM generate_series(1, 300) AS s(x)")
        bomber.execute("INSERT INTO link SELECT x, x / 40 + 1, (x * 7) % 300 + 1 FROM generate_series(0, 11999) AS s(x)")
        bomber.execute("CREATE PROPERTY GRAPH web VERTEX TABLES (page LABEL page) EDGE TABLES (link"
                       " SOURCE KEY (a) REFERENCES page (id) DESTINATION KEY (b) REFERENCES page (id)"
                       ' LABEL "LINK")')
    with psycopg.connect(VICTIM, autocommit=True) as victim:
        victim.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        victim.execute("INSERT INTO t SELECT x, 'value ' || x FROM generate_series(1, 10000) AS s(x)")


def look_ups(seconds):
    """How many point look-ups a second the other tenant gets."""
    count, started = 0, time.monotonic()
    with psycopg.connect(VICTIM, autocommit=True) as victim:
        cursor = victim.cursor()
        while time.monotonic() - started < seconds:
            cursor.execute("SELECT v FROM t WHERE id = %s", (count % 10000 + 1,), prepare=True)
            assert cursor.fetchone() == (f"value {count % 10000 + 1}",)
            count += 1
    return count / (time.monotonic() - started)


def main():
    set_up()
    bombs = BOMBS if SHORT else BOMBS | NARROW
    only = os.environ.get("BOMB")
    bombs = {name: text for name, text in bombs.items() if not only or name == only}
    only = os.environ.get("BOMB")
    bombs = {name: text for name, text in bombs.items() if not only or name == only}
    failed, peaks = [], []
    rss_before = status("VmRSS")
    with psycopg.connect(BOMBER, autocommit=True) as bomber:
        bomber.execute("SET statement_timeout = '300 s'")
        for name, statement in bombs.items():
            forget_peak()
            started = time.monotonic()
            try:
                bomber.execute(statement)
                told = "it ran"
            except psycopg.Error as error:
                told = f"{error.sqlstate} {error.diag.constraint_name} {error}".split("\n")[0]
            good = told.startswith("53200 bombs")
            took, peak = time.monotonic() - started, status("VmHWM")
            peaks.append(peak)
            print(f"{'ok      ' if good else 'FAILED  '} {name}: {told} ({took:.1f} s, peak {peak >> 20} MiB)", flush=True)
            if not good:
                failed.append(name)
            assert bomber.execute("SELECT 1").fetchone() == (1,)
    alone = look_ups(SECONDS)
    stop = threading.Event()
    counts = {}
    forget_peak()
    ordered = list(BOMBS.values())

    def bomb(number):
        with psycopg.connect(BOMBER, autocommit=True) as bomber:
            while not stop.is_set():
                for statement in ordered[number:] + ordered[:number]:
                    try:
                        bomber.execute(statement)
                    except psycopg.Error as error:
                        counts[error.sqlstate] = counts.get(error.sqlstate, 0) + 1
                    if stop.is_set():
                        return

    threads = [threading.Thread(target=bomb, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    beside = look_ups(SECONDS)
    stop.set()
    for thread in threads:
        thread.join(timeout=60)
    peak = max(*peaks, status("VmHWM"))
    share = beside / alone
    print(f"look-ups: {alone:.0f}/s alone, {beside:.0f}/s beside four bombers, {share:.0%}; refusals {counts}")
    print(f"process: {rss_before >> 20} MiB before, peak {peak >> 20} MiB, limit {int(RSS_MAX) >> 20} MiB")
    for name, good in (("look-ups keep 40 %", share >= 0.4), ("the process stays inside", peak <= RSS_MAX)):
        print(f"{'ok      ' if good else 'FAILED  '} {name}")
        if not good:
            failed.append(name)
    passed = len(bombs) + 2 - len(failed)
    print(f"{passed} passed, {len(failed)} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())

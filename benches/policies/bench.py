"""What a simple policy costs: the same statements of a role that policies are about and of one that they are not about,
in turns.

usage: bench.py URL [ROWS [ROUNDS]]
prints for each statement: median milliseconds without, with, and by how much more (of a pair of runs, so that what else
the machine does hits both alike); and what asking for rights costs: a prepared look-up by key as a superuser, who is
not asked, as roles that are, and with a quota (by pgbench: a driver of Python takes twenty times as long as what is
measured).
"""

import re
import statistics
import subprocess
import sys
import tempfile
import urllib.parse
import time

import psycopg

SETUP = """
DROP PROPERTY GRAPH IF EXISTS bench;
DROP TABLE IF EXISTS follows; DROP TABLE IF EXISTS account;
CREATE TABLE account (id bigint PRIMARY KEY, owner text NOT NULL, amount bigint NOT NULL);
CREATE TABLE follows (id bigint PRIMARY KEY, src bigint NOT NULL, dst bigint NOT NULL, owner text NOT NULL);
INSERT INTO account SELECT i, 'bench_reader', i % 1000 FROM generate_series(1, {rows}) AS s(i);
INSERT INTO follows SELECT i, 1 + (i::bigint * 7919) % {rows}, 1 + (i::bigint * 104729) % {rows}, 'bench_reader' FROM generate_series(1, {rows} * 4) AS s(i);
CREATE PROPERTY GRAPH bench
    VERTEX TABLES (account KEY (id) LABEL account PROPERTIES (id, amount))
    EDGE TABLES (follows KEY (id) SOURCE KEY (src) REFERENCES account (id) DESTINATION KEY (dst) REFERENCES account (id) LABEL follows PROPERTIES (id));
CREATE POLICY own ON account USING (owner = current_user);
CREATE POLICY own ON follows USING (owner = current_user);
GRANT SELECT ON account, follows TO bench_reader, bench_free;
GRANT SELECT ON PROPERTY GRAPH bench TO bench_reader, bench_free;
"""

# Each statement is measured for at least so long.
SECONDS = 4

# Both answer the same with and without: every row is the reader's.
STATEMENTS = {
    "scan": "SELECT sum(amount), count(*) FROM account WHERE amount < 500",
    "scan of text": "SELECT count(DISTINCT owner), min(id) FROM account",
    "two hops, all": "SELECT count(*) FROM GRAPH_TABLE (bench MATCH (a IS account)-[IS follows]->(b IS account)-[IS follows]->(c IS account) COLUMNS (c.id AS id))",
    "two hops from one": "SELECT count(*) FROM GRAPH_TABLE (bench MATCH (a IS account WHERE a.id = 77)-[IS follows]->(b IS account)-[IS follows]->(c IS account) COLUMNS (c.id AS id))",
    "one row by key": "SELECT amount FROM account WHERE id = 4711",
}


def pairs_ms(connections, statement, rounds):
    """What the statement takes on each of two connections, in turns: a pair of milliseconds each time."""
    pairs, answers, started = [], [None, None], time.perf_counter()
    while len(pairs) < rounds or time.perf_counter() - started < SECONDS:
        took = [0.0, 0.0]
        # Now one is first, now the other.
        for which in ((0, 1), (1, 0))[len(pairs) % 2]:
            begun = time.perf_counter()
            answers[which] = connections[which].execute(statement, prepare=False).fetchall()
            took[which] = (time.perf_counter() - begun) * 1000
        pairs.append(took)
    if answers[0] != answers[1]:
        sys.exit(f"another answer with policies: {statement}")
    return pairs


def look_ups_us(url, role, seconds):
    """The mean latency of a prepared look-up by key as pgbench sees it, one client that logs in as `role`; microseconds."""
    target = urllib.parse.urlsplit(url)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("\\set id random(1, 1000)\nSELECT amount FROM account WHERE id = :id;\n")
        script.flush()
        command = ["pgbench", "-n", "-h", target.hostname, "-p", str(target.port), "-U", role, "-M", "prepared"]
        command += ["-f", script.name, "-c", "1", "-T", str(seconds), target.path.lstrip("/")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return 1_000_000 / float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])


def rights(connection, url, rounds):
    """Nobody's rows are hidden; the roles have the table as a whole, two of its columns, and both by a role of theirs."""
    roles = ("bench_reader", "bench_columns", "bench_member")
    for statement in (
        "ALTER TABLE account DISABLE ROW LEVEL SECURITY",
        "GRANT SELECT (id, amount) ON account TO bench_columns",
        "GRANT bench_reader TO bench_member",
        *(f"ALTER ROLE {role} LOGIN" for role in roles),
    ):
        connection.execute(statement)
    superuser = urllib.parse.urlsplit(url).username
    seen = {role: [] for role in (superuser, *roles)}
    for _ in range(rounds):
        for role, times in seen.items():
            times.append(look_ups_us(url, role, 1))
    free = statistics.median(seen[superuser])
    print(f"prepared look-up by key, pgbench, medians of {rounds} x 1 s: superuser {free:.1f} µs")
    for role in roles:
        took = statistics.median(seen[role])
        print(f"{role:20} {took:8.1f} µs  {took - free:+6.1f} µs")
    # With a quota each statement goes the ordinary way, on which it is admitted and counted.
    connection.execute("CREATE QUOTA bench KEYED BY ROLE FOR INTERVAL '1 hour' MAX queries = 1000000000 TO bench_reader")
    took = statistics.median(look_ups_us(url, "bench_reader", 1) for _ in range(rounds))
    connection.execute("DROP QUOTA bench")
    print(f"{'with a quota':20} {took:8.1f} µs  {took - free:+6.1f} µs")


def main():
    url = sys.argv[1]
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'bench_reader'").fetchall():
            connection.execute("CREATE ROLE bench_reader; CREATE ROLE bench_columns; CREATE ROLE bench_member; CREATE ROLE bench_free BYPASSRLS")
        for statement in SETUP.format(rows=rows).split(";"):
            if statement.strip():
                connection.execute(statement)
        # What loading leaves to be done is not measured.
        connection.execute("CHECKPOINT")
        connection.execute("VACUUM")
        for table in ("account", "follows"):
            connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        print(f"{rows} vertices, {rows * 4} edges; in turns for {SECONDS} s, medians in milliseconds, and of the pairs' ratios")
        with psycopg.connect(url, autocommit=True) as free, psycopg.connect(url, autocommit=True) as ruled:
            free.execute("SET ROLE bench_free")
            ruled.execute("SET ROLE bench_reader")
            for name, statement in STATEMENTS.items():
                for one in (free, ruled):
                    one.execute(statement, prepare=False).fetchall()
                pairs = pairs_ms((free, ruled), statement, rounds)
                without, with_policy = (statistics.median(pair[at] for pair in pairs) for at in (0, 1))
                ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
                print(f"{name:20} without {without:9.3f}  with {with_policy:9.3f}  {100 * (ratio - 1):+6.1f} %  ({len(pairs)} pairs)")
        rights(connection, url, max(rounds // 8, 3))


if __name__ == "__main__":
    main()

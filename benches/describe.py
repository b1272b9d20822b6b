"""See `describe` beside this file, which starts the servers."""
import os
import re
import statistics
import subprocess
import sys

from raw_client import Client, timed

ROUNDS = 5
COMMANDS = [r"\d", r"\d t500", r"\d+ t500", r"\d v", r"\d+ v", r"\d t500_pkey", r"\d s", r"\dt", r"\dt+", r"\di", r"\dv", r"\ds", r"\d+",
            r"\df", r"\df+", r"\da", r"\do", r"\dn", r"\dn+", r"\l", r"\l+", r"\du", r"\dp", r"\dT", r"\dT+", r"\dD", r"\dd", r"\dC",
            r"\db", r"\dx", r"\dy", r"\dg", r"\drds", r"\ddp", r"\dS", r"\dtS", r"\dfS", r"\sv v", r"\sf f"]
QUERY = re.compile(r"\*{9} QUERY \*{10}\n(.*?)\n\*{26}", re.S)


def psql(port, *arguments, script=None):
    environment = dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(port), PGUSER="graphwire", PGDATABASE="graphwire")
    done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments], env=environment, input=script, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"psql {arguments}: {done.stderr}")
    return done.stdout


def schema(count):
    """Tables with a key, a unique column, a foreign key, a check, defaults and an index; and one of the other kinds."""
    parts = ["SET client_min_messages = warning; BEGIN;"]
    for n in range(1, count + 1):
        parent = f" REFERENCES t{n - 1}" if n % 10 != 1 else ""
        parts.append(f"CREATE TABLE t{n} (id int8 PRIMARY KEY, name text NOT NULL UNIQUE, parent int8{parent}, "
                     f"amount numeric(12,2) DEFAULT 0 CHECK (amount >= 0), made timestamptz DEFAULT now(), tags text[]);"
                     f"CREATE INDEX t{n}_made ON t{n} (made);")
    parts.append("CREATE VIEW v AS SELECT t500.id, t501.name FROM t500 JOIN t501 ON t501.parent = t500.id; CREATE SEQUENCE s;"
                 "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1';"
                 "COMMENT ON TABLE t500 IS 'the one that is described'; GRANT SELECT ON t500 TO PUBLIC; COMMIT;")
    return "\n".join(parts)


def measured(port, command):
    """(queries, ms of the slowest first time, of the slowest median, the text of that one)"""
    queries = QUERY.findall(psql(port, "-E", "-c", command))
    client = Client(port)
    worst = (0, 0, "")
    for text in queries:
        first = 1000 * timed(lambda: client.query(text))[0]
        median = 1000 * statistics.median(timed(lambda: client.query(text))[0] for _ in range(ROUNDS))
        worst = (max(worst[0], first), *max((median, text), worst[1:]))
    client.close()
    return len(queries), *worst


def main(count, limit_ms):
    ports = {"graphwire": os.environ["PGPORT"], "PostgreSQL": os.environ["POSTGRES_PORT"]}
    for name, port in ports.items():
        seconds, _ = timed(lambda: psql(port, "-f", "-", script=schema(count)))
        print(f"{name}: {count} tables made in {seconds:.1f} s")
    print(f"\nms, the slowest query of each{'graphwire':>13}{'PostgreSQL':>20}")
    print(f"{'command':<14}{'queries':>8}{'first':>10}{'median':>10}{'first':>10}{'median':>10}")
    slow = []
    for command in COMMANDS:
        ours, theirs = (measured(port, command) for port in ports.values())
        print(f"{command:<14}{ours[0]:>8}" + "".join(f"{ms:>10.1f}" for ms in (*ours[1:3], *theirs[1:3])), flush=True)
        if ours[2] > limit_ms:
            slow.append((command, ours[2], ours[3]))
    for command, ms, text in slow:
        print(f"\nFAILED   {command} takes {ms:.1f} ms:\n{text}")
    print(f"{len(COMMANDS) - len(slow)} passed, {len(slow)} failed, 0 skipped")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2])))

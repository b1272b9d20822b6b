"""What `benches/oltp` measures; both servers run, see there."""

import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import time

import raw_client

SCALE = int(os.environ.get("SCALE", "10"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS_EACH", "3"))
WORK = os.environ["WORK"]
PORTS = {"graphwire": os.environ["PGPORT"], "PostgreSQL": os.environ["POSTGRES_PORT"]}
GRAPHWIRE_PID = int(os.environ["GRAPHWIRE_PID"])


def environment(server, options=""):
    env = dict(os.environ, PGHOST="127.0.0.1", PGPORT=PORTS[server], PGUSER="graphwire")
    env.update(PGDATABASE="graphwire", PGOPTIONS=options)
    return env


def run(server, *command, options=""):
    done = subprocess.run(command, env=environment(server, options), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{server}: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def sql(server, text, options=""):
    return run(server, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text, options=options)


def timed(server, text, options=""):
    started = time.monotonic()
    sql(server, text, options)
    return time.monotonic() - started


def pgbench(server, *arguments):
    out = run(server, "pgbench", *arguments)
    failed = re.search(r"number of failed transactions: (\d+)", out)
    if failed and int(failed[1]):
        print(f"  {server}: {failed[0]}")
    return float(re.search(r"tps = ([0-9.]+)", out)[1])


def load():
    return float(open("/proc/loadavg").read().split()[0])


def row(what, ours, theirs, unit, less_is_better=False):
    """One line: medians of both, and the median of the rounds' ratios."""
    ratios = [theirs_one / ours_one if less_is_better else ours_one / theirs_one
              for ours_one, theirs_one in zip(ours, theirs)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"{what:<38}{statistics.median(ours):>12,.2f}{statistics.median(theirs):>12,.2f}  {unit:<6}"
          f"{statistics.median(ratios):>7.2f}  ({spread}, load {load():.1f})", flush=True)


def compare(what, arguments, unit="tps"):
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(pgbench("graphwire", "-n", "-T", str(SECONDS), *arguments))
        theirs.append(pgbench("PostgreSQL", "-n", "-T", str(SECONDS), *arguments))
    row(what, ours, theirs, unit)


def initialise(*arguments):
    for server in PORTS:
        started = time.monotonic()
        run(server, "pgbench", "-i", "-q", "-s", str(SCALE), *arguments)
        print(f"pgbench -i -s {SCALE} {' '.join(arguments)} {server}: {time.monotonic() - started:.1f} s", flush=True)


def clients(count):
    return ["-c", str(count), "-j", str(min(count, 2))]


def part_select():
    for count in (1, 8, 32):
        compare(f"-S -M prepared, {count} clients", ["-S", "-M", "prepared", *clients(count)])
    compare("-S -M simple, 8 clients", ["-S", "-M", "simple", *clients(8)])
    compare("-S -M extended, 8 clients", ["-S", "-M", "extended", *clients(8)])


def part_tpcb():
    for count in (1, 8, 32):
        compare(f"TPC-B -M prepared, {count} clients", ["-M", "prepared", *clients(count)])


def part_simple():
    for count in (1, 8, 32):
        compare(f"TPC-B -M simple, {count} clients", ["-M", "simple", *clients(count)])


def part_connect():
    script = os.path.join(WORK, "one.sql")
    with open(script, "w") as file:
        file.write("SELECT 1;\n")
    for count in (1, 8):
        compare(f"new connections, {count} clients", ["-C", "-f", script, *clients(count)])


def part_copy():
    rows = 1_000_000
    data = os.path.join(WORK, "rows.tsv")
    with open(data, "w") as file:
        for number in range(rows):
            file.write(f"{number}\t{number % 1000}\t{number * 7 % 100000}\tname {number % 5000}\n")
    ours, theirs = [], []
    for _ in range(ROUNDS):
        for server, seconds in (("graphwire", ours), ("PostgreSQL", theirs)):
            sql(server, "DROP TABLE IF EXISTS measured")
            sql(server, "CREATE TABLE measured (id int PRIMARY KEY, kind int, amount bigint, name text)")
            seconds.append(timed(server, f"\\copy measured FROM '{data}'"))
    row("COPY of 1,000,000 rows", ours, theirs, "s", less_is_better=True)
    script = os.path.join(WORK, "update.sql")
    with open(script, "w") as file:
        file.write("\\set id random(0, 999999)\nUPDATE measured SET amount = amount + 1 WHERE id = :id;\n")
    rates = {}
    for server in PORTS:
        env = dict(environment(server), PGOPTIONS="-c synchronous_commit=off")
        out = subprocess.run(["pgbench", "-n", "-M", "prepared", "-f", script, "-c", "8", "-j", "2", "-t", "12500"],
                             env=env, capture_output=True, text=True)
        rates[server] = float(re.search(r"tps = ([0-9.]+)", out.stdout)[1])
    row("100,000 updates by key, no sync", [rates["graphwire"]], [rates["PostgreSQL"]], "tps")
    query = "SELECT kind, count(*), sum(amount), max(name) FROM measured WHERE amount > 500 GROUP BY kind ORDER BY 1"
    # On connections that are there: a client's own start takes longer than the query.
    asking = {server: raw_client.Client(PORTS[server]) for server in PORTS}
    seconds = {server: [] for server in PORTS}
    for _ in range(max(ROUNDS, 5)):
        answers = []
        for server, client in asking.items():
            took, answer = raw_client.timed(lambda client=client: client.query(query))
            seconds[server].append(took * 1000)
            answers.append(answer)
        if len(answers[0]) != len(answers[1]):
            sys.exit("the servers have not as many groups")
    row("scan and aggregate after the updates", seconds["graphwire"], seconds["PostgreSQL"], "ms", less_is_better=True)


def rss(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def connect(server):
    """Logs in, as far as ReadyForQuery, and stays."""
    client = socket.create_connection(("127.0.0.1", int(PORTS[server])))
    body = struct.pack("!i", 196608) + b"user\0graphwire\0database\0graphwire\0\0"
    client.sendall(struct.pack("!i", len(body) + 4) + body)
    received = b""
    while not received.endswith(b"Z\0\0\0\x05I"):
        more = client.recv(65536)
        if not more:
            sys.exit(f"{server} closed the connection: {received}")
        received += more
    return client


def part_idle():
    count = 2000
    for _ in range(50):
        connect("graphwire").close()
    time.sleep(0.5)
    before = rss(GRAPHWIRE_PID)
    held = [connect("graphwire") for _ in range(count)]
    time.sleep(0.5)
    print(f"an idle connection of {count:,}: {(rss(GRAPHWIRE_PID) - before) / count:.1f} kB (PostgreSQL: 1,260 kB as"
          " issue 3 says)", flush=True)
    for client in held:
        client.close()


def part_foreign():
    initialise("--foreign-keys")
    compare("TPC-B prepared, foreign keys, 8", ["-M", "prepared", *clients(8)])


def main():
    parts = sys.argv[1:] or ["idle", "select", "tpcb", "simple", "connect", "copy", "foreign"]
    print(f"scale {SCALE}, {ROUNDS} rounds of {SECONDS} s, load {load():.1f}")
    if set(parts) & {"select", "tpcb", "simple"}:
        initialise()
    print(f"{'':<38}{'graphwire':>12}{'PostgreSQL':>12}  {'':<6}{'ratio':>7}")
    for part in parts:
        globals()[f"part_{part}"]()


main()

"""Kills a server under a concurrent write load again and again, and checks what is there afterwards.

    driver.py BINARY [ROUNDS] [SEED]

Each round: start on the same data directory, check, load with eight clients for a moment, SIGKILL.
A client's transaction number n inserts the two rows (client, n, 0) and (client, n, 1), and sets its row of
`counter` to n.  So afterwards, for each client: every acknowledged n is there with both rows; no n is there with
one row; the counter is the largest n; and that is the last acknowledged one or the one that was under way.
"""

import atexit
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import psycopg

CLIENTS = 8
# A start may be slow on a machine that is busy otherwise.
START_SECONDS_MAX = 300


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, binary, folder):
        self.port = free_port()
        self.log = open(os.path.join(folder, "server.log"), "ab")
        self.process = subprocess.Popen(
            [binary, "serve", "--dev", "--data-dir", os.path.join(folder, "data"),
             "--listen", f"127.0.0.1:{self.port}"],
            stdout=self.log, stderr=self.log)
        atexit.register(self.process.kill)

    def connect(self):
        until = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < until:
            try:
                return psycopg.connect(
                    f"host=127.0.0.1 port={self.port} user=graphwire dbname=graphwire",
                    autocommit=True)
            except psycopg.OperationalError:
                if self.process.poll() is not None:
                    raise SystemExit("the server did not start, see server.log")
                time.sleep(0.05)
        raise SystemExit("the server does not answer")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        atexit.unregister(self.process.kill)
        self.log.close()


def load(server, client, first, acknowledged, checkpoints, stop):
    """Commits until the server is gone; `acknowledged[client]` is the last number it said yes to."""
    try:
        connection = server.connect()
        connection.autocommit = False
        number = first
        while not stop.is_set():
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO entry VALUES (%s, %s, 0)", (client, number))
                cursor.execute("INSERT INTO entry VALUES (%s, %s, 1)", (client, number))
                cursor.execute("UPDATE counter SET n = %s WHERE client = %s", (number, client))
            connection.commit()
            acknowledged[client] = number
            number += 1
            if checkpoints and number % 8 == 0:
                connection.autocommit = True
                connection.execute("CHECKPOINT")
                connection.autocommit = False
    except psycopg.Error:
        pass


def check(connection, acknowledged):
    """The last number of each client, or an error."""
    # Numbers begin with 1 and have no gaps: as many as the greatest are all of them.
    rows = connection.execute(
        "SELECT client, count(*), min(n), max(n), count(*) FILTER (WHERE rows <> 2 OR parts <> 2)"
        " FROM (SELECT client, n, count(*) AS rows, count(DISTINCT part) AS parts"
        "       FROM entry GROUP BY client, n) AS written GROUP BY client").fetchall()
    there = {client: found for client, *found in rows}
    counters = dict(connection.execute("SELECT client, n FROM counter").fetchall())
    last = {}
    for client in range(CLIENTS):
        count, least, largest, halves = there.get(client, (0, 1, 0, 0))
        acked = acknowledged[client]
        assert halves == 0, f"{halves} transactions of client {client} are half there"
        assert (count, least) == (largest, 1), f"client {client} lost {largest - count} before {largest}"
        assert largest in (acked, acked + 1), f"client {client}: {largest} after {acked}"
        assert counters[client] == largest, f"client {client}: counter {counters[client]}"
        last[client] = largest
    return last


def main():
    binary = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
    print(f"{rounds} rounds, seed {seed}", flush=True)
    random.seed(seed)
    folder = tempfile.mkdtemp(prefix="graphwire-crash-")
    acknowledged = {client: 0 for client in range(CLIENTS)}
    server = Server(binary, folder)
    with server.connect() as connection:
        connection.execute("CREATE TABLE entry (client int, n int, part int, PRIMARY KEY (client, n, part))")
        connection.execute("CREATE TABLE counter (client int PRIMARY KEY, n int NOT NULL)")
        connection.execute(
            f"INSERT INTO counter SELECT g, 0 FROM generate_series(0, {CLIENTS - 1}) g")
    commits = 0
    for number in range(rounds):
        stop = threading.Event()
        threads = [
            threading.Thread(target=load, args=(
                server, client, acknowledged[client] + 1, acknowledged, client == 0, stop))
            for client in range(CLIENTS)]
        before = sum(acknowledged.values())
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.1, 1.5))
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        commits += sum(acknowledged.values()) - before
        if number % 10 == 9:
            subprocess.run(
                [binary, "verify", "--data-dir", os.path.join(folder, "data")],
                check=True, stdout=subprocess.DEVNULL)
        server = Server(binary, folder)
        with server.connect() as connection:
            acknowledged = check(connection, acknowledged)
        if number % 100 == 99:
            print(f"{number + 1} rounds, {commits} commits acknowledged", flush=True)
    server.kill()
    subprocess.run([binary, "verify", "--data-dir", os.path.join(folder, "data")], check=True)
    assert commits > rounds, "hardly anything was committed"
    print(f"{commits} commits acknowledged, none lost, none half there")
    subprocess.run(["rm", "-rf", folder], check=True)
    print(f"{rounds} passed, 0 failed, 0 skipped")


main()

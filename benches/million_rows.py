"""See `million_rows` beside this file, which starts the servers."""
import datetime
import os
import statistics
import subprocess
import sys

from raw_client import Client, memory_mib, server_pid, timed

ROUNDS = 9
TABLE = """CREATE TABLE million (id int8 PRIMARY KEY, n int4, x float8, ok bool, word text, day date,
                                 at timestamptz, amount numeric(12,2))"""


def write_rows(path, count):
    """Rows that differ, of the lengths that tables have: 80 to 95 bytes a row as text."""
    first = datetime.date(2000, 1, 1).toordinal()
    days = [datetime.date.fromordinal(first + i).isoformat() for i in range(9000)]
    words = [f"word number {i * 7919 % 10007} of many" for i in range(10007)]
    with open(path, "w") as file:
        for i in range(count):
            day = days[i % 9000]
            null = r"\N" if i % 50 == 0 else words[i % 10007]
            file.write(f"{i}\t{i * 37 % 1000003}\t{i / 7}\t{'t' if i % 3 else 'f'}\t{null}\t{day}\t"
                       f"{day} {i % 24:02}:{i % 60:02}:{i % 59:02}+00\t{i % 100000}.{i % 100:02}\n")


def psql(port, *commands):
    environment = dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(port), PGUSER="graphwire", PGDATABASE="graphwire",
                       PGOPTIONS="-c client_min_messages=warning")
    subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *(a for c in commands for a in ("-c", c))], env=environment, check=True)


def stream(ports, binary):
    """Seconds of each round for each port, asked in turns so that a slow minute of the machine falls on all, and the
    bytes of one answer. The first round isn't counted."""
    clients = {port: Client(port) for port in ports}

    def once(client):
        (client.send_binary if binary else client.send_query)("SELECT * FROM million")
        return client.drain()

    sizes = {port: once(client) for port, client in clients.items()}
    seconds = {port: [] for port in ports}
    for _ in range(ROUNDS):
        for port, client in clients.items():
            seconds[port].append(timed(lambda: once(client))[0])
    for client in clients.values():
        client.close()
    return seconds, sizes


def memory_of_one_round(pid, port):
    """Resident MiB after a round of each form, where what loading took is given back; the peak begins anew (5 to
    clear_refs, see proc(5))."""
    for binary in (False, True):
        stream([port], binary)
    memory = memory_mib(pid, "VmRSS")
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")
    return memory


def main(count):
    path = os.path.join(os.environ["WORK"], "million.tsv")
    write_rows(path, count)
    os.chmod(path, 0o644)
    ports = {"graphwire": os.environ["PGPORT"], "PostgreSQL": os.environ["POSTGRES_PORT"]}
    for name, port in ports.items():
        psql(port, "DROP TABLE IF EXISTS million", TABLE)
        seconds, _ = timed(lambda: psql(port, f"\\copy million from '{path}'"))
        print(f"{name}: {count} rows in by \\copy in {seconds:.1f} s, {count / seconds:,.0f} rows/s")
    psql(ports["PostgreSQL"], "VACUUM ANALYZE million")
    before = memory_of_one_round(server_pid(), ports["graphwire"]) if server_pid() else None
    print(f"\n{'':<8}{'graphwire s':>12}{'MB/s':>8}{'PostgreSQL s':>14}{'MB/s':>8}{'ratio':>8}")
    for form in ("text", "binary"):
        seconds, sizes = stream(ports.values(), form == "binary")
        ours, theirs = (statistics.median(seconds[port]) for port in ports.values())
        rates = [sizes[port] / 1e6 / statistics.median(seconds[port]) for port in ports.values()]
        print(f"{form:<8}{ours:>12.3f}{rates[0]:>8.0f}{theirs:>14.3f}{rates[1]:>8.0f}{ours / theirs:>8.2f}", flush=True)
    if before:
        print(f"\nmemory of graphwire: {before:.0f} MiB before, peak while streaming {memory_mib(server_pid()):.0f} MiB, "
              f"now {memory_mib(server_pid(), 'VmRSS'):.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]))

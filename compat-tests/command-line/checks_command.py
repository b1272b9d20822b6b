"""The graphwire command: what it prints, with which exit code it ends, and that the demo's lines work as printed."""
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext

from checks import check, equal, run

BINARY = os.environ["GRAPHWIRE_BIN"]
SECONDS_TO_START = 60
PLAIN = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "GRAPHWIRE_"))}
FIVE = "LAX|13788\nLAS|7007\nJFK|6971\nSAN|6312\nORD|5746"


def graphwire(*arguments, **environment):
    return subprocess.run([BINARY, *arguments], env={**PLAIN, **environment}, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60)


def refused(*arguments, **environment):
    """One clear line on standard error, exit code 2, no backtrace; returns the line."""
    done = graphwire(*arguments, **environment)
    equal(done.returncode, 2, f"exit code, {done.stderr!r}")
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert "panicked" not in done.stderr and "RUST_BACKTRACE" not in done.stderr, done.stderr
    assert lines, "nothing on standard error"
    return done.stderr


@contextmanager
def running(*arguments, until=r"listening on \S+:(\d+)", **environment):
    """A server; gives its port, all it printed so far, and the process."""
    process = subprocess.Popen([BINARY, *arguments], env={**PLAIN, **environment}, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    printed, end = b"", time.monotonic() + SECONDS_TO_START
    try:
        found = None
        while found is None:
            if time.monotonic() > end or process.poll() is not None:
                raise AssertionError(f"did not start: {printed.decode()!r}")
            if select.select([process.stdout], [], [], 0.1)[0]:
                printed += os.read(process.stdout.fileno(), 65536)
            found = re.search(until, printed.decode(errors="replace"))
        time.sleep(0.3)
        while select.select([process.stdout], [], [], 0)[0]:
            part = os.read(process.stdout.fileno(), 65536)
            if not part:
                break
            printed += part
        yield int(found[1]), printed.decode(), process
    finally:
        process.kill()
        process.wait()


def psql(port, text, user="graphwire", password=None, **options):
    environment = {**PLAIN, "PSQLRC": "/dev/null", "PGCONNECT_TIMEOUT": "10"}
    if password is not None:
        environment["PGPASSWORD"] = password
    return subprocess.run(["psql", "-XAtw", "-h", "127.0.0.1", "-p", str(port), "-U", user, "-d", "graphwire", "-c", text],
                          env=environment, capture_output=True, text=True, timeout=60, **options)


@check
def help_names_the_commands(_):
    done = graphwire("--help")
    equal(done.returncode, 0)
    for command in ("serve", "demo", "sql"):
        assert command in done.stdout, f"{command} is not in --help"
    serve = graphwire("serve", "--help").stdout
    for option in ("--data-dir", "--listen", "--tls-cert", "--tls-key", "--log-format", "--dev", "GRAPHWIRE_LISTEN"):
        assert option in serve, f"{option} is not in serve --help"
    equal(graphwire("--version").returncode, 0)


@check
def bad_options(_):
    refused("serve", "--no-such-option")
    refused("nonsense")
    refused("serve", "--dev", "--listen", "nonsense")
    refused("serve", "--dev", "--listen", "127.0.0.1:99999")
    refused("serve", "--dev", "--log-format", "xml")
    refused("serve", "--dev", "--listen", "0.0.0.0:0")


@check
def busy_port(_):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        line = refused("serve", "--dev", "--listen", f"127.0.0.1:{port}")
        assert str(port) in line, line


@check
def unreadable_files(_):
    with tempfile.TemporaryDirectory() as folder:
        line = refused("serve", "--dev", "--listen", "127.0.0.1:0", "--tls-cert", f"{folder}/no.pem", "--tls-key", f"{folder}/no.key")
        assert "no.pem" in line or "no.key" in line, line
        line = refused("serve", "--config", f"{folder}/no.toml")
        assert "no.toml" in line, line
        path = os.path.join(folder, "bad.toml")
        with open(path, "w") as file:
            file.write("no_such_setting = 1\n")
        line = refused("serve", "--config", path)
        assert "no_such_setting" in line, line
        with open(path, "w") as file:
            file.write("listen = [\n")
        refused("serve", "--config", path)


@check
def options_from_environment_and_file(_):
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data")
        with running("serve", GRAPHWIRE_DEV="true", GRAPHWIRE_LISTEN="127.0.0.1:0", GRAPHWIRE_DATA_DIR=data) as (port, _, _):
            equal(psql(port, "SELECT 1").stdout, "1\n")
        path = os.path.join(folder, "graphwire.toml")
        with open(path, "w") as file:
            file.write(f'dev = true\nlisten = "127.0.0.1:0"\ndata-dir = "{data}2"\nlog-format = "json"\n')
        with running("serve", "--config", path, until=r"listening on 127\.0\.0\.1:(\d+)") as (port, printed, _):
            equal(psql(port, "SELECT 1").stdout, "1\n")
            assert any(line.startswith("{") for line in printed.splitlines()), printed


@check
def password_is_printed_once_and_needed(_):
    with tempfile.TemporaryDirectory() as folder:
        with running("serve", "--data-dir", folder + "/data", "--listen", "127.0.0.1:0") as (port, printed, _):
            found = re.findall(r"generated password (\S+)", printed)
            equal(len(found), 1, printed)
            password = found[0]
            equal(psql(port, "SELECT current_user", password=password).stdout, "graphwire\n")
            wrong = psql(port, "SELECT 1", password=password + "x")
            equal(wrong.returncode, 2)
            assert 'password authentication failed for user "graphwire"' in wrong.stderr, wrong.stderr
            stranger = psql(port, "SELECT 1", user="nobody_such", password="x")
            assert 'password authentication failed for user "nobody_such"' in stranger.stderr, stranger.stderr
            none = psql(port, "SELECT 1")
            equal(none.returncode, 2)


@check
def ends_when_told(_):
    for number in (signal.SIGTERM, signal.SIGINT):
        with running("serve", "--dev", "--listen", "127.0.0.1:0") as (port, _, process):
            equal(psql(port, "SELECT 1").stdout, "1\n")
            process.send_signal(number)
            equal(process.wait(timeout=15), 0)


@check
def sql_without_a_server(_):
    done = graphwire("sql", "-c", "SELECT 1 AS one, 'x' AS two")
    equal(done.returncode, 0, done.stderr)
    assert "one" in done.stdout and "x" in done.stdout, done.stdout
    done = graphwire("sql", "-c", "CREATE TABLE t (x int4)", "-c", "INSERT INTO t VALUES (5)", "-c", "SELECT x * 2 AS ten FROM t")
    equal(done.returncode, 0, done.stderr)
    assert "10" in done.stdout, done.stdout
    done = graphwire("sql", "-c", "SELECT 1/0")
    assert done.returncode != 0 and "division by zero" in done.stderr, done


@check
def demo_works_as_printed(_):
    """The psql lines are pasted into a shell, the sample queries are asked; all give the five rows."""
    with running("demo", until=r"psql [^\n]*-p (\d+)") as (port, printed, _):
        lines = [line.strip(" `") for line in printed.splitlines() if line.strip(" `").startswith("psql ")]
        assert lines, printed
        for line in lines:
            done = subprocess.run(["bash", "-c", line], env={**PLAIN, "PAGER": ""}, input="SELECT 'pasted';\n" if "-c" not in line.split() else "",
                                  capture_output=True, text=True, timeout=60)
            equal(done.returncode, 0, f"{line}: {done.stderr}")
        for question in (
            "MATCH (a:Airport {iata: 'SFO'})-[r:FLIGHT]->(b) RETURN b.iata, r.flights ORDER BY r.flights DESC LIMIT 5",
            """SELECT * FROM GRAPH_TABLE (demo MATCH (a IS "Airport" WHERE a.iata = 'SFO')-[r IS "FLIGHT"]->(b)
               COLUMNS (b.iata, r.flights)) ORDER BY flights DESC LIMIT 5""",
            "SELECT destination, flights FROM flight WHERE origin = 'SFO' ORDER BY flights DESC LIMIT 5",
        ):
            done = psql(port, question)
            equal(done.stdout.strip(), FIVE, question + done.stderr)
        equal(psql(port, "SELECT (SELECT count(*) FROM airport), (SELECT count(*) FROM flight)").stdout, "3372|5366\n")


@check
def demo_takes_the_next_free_port(_):
    with running("demo", until=r"psql [^\n]*-p (\d+)") as (first, _, _):
        with running("demo", until=r"psql [^\n]*-p (\d+)") as (second, _, _):
            assert first != second, "two demos on one port"
            equal(psql(second, "SELECT count(*) FROM flight").stdout, "5366\n")


if __name__ == "__main__":
    sys.exit(run(lambda: nullcontext(), True))

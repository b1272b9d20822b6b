"""PgBouncer in front of the server, in session, transaction and statement mode: what each mode promises its clients."""
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager

import psycopg
from psycopg import errors

from checks import check, equal, run

HOST, PORT = os.environ["PGHOST"], os.environ["PGPORT"]
USER, DATABASE = os.environ.get("PGUSER", "graphwire"), os.environ.get("PGDATABASE", "graphwire")
PASSWORD = os.environ.get("PGPASSWORD", "")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Bouncer:
    """One for each mode, with two connections to the server."""

    def __init__(self, mode):
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="pgbouncer")
        with open(f"{self.folder}/users.txt", "w") as file:
            file.write(f'"{USER}" "{PASSWORD}"\n')
        with open(f"{self.folder}/pgbouncer.ini", "w") as file:
            file.write(f"""[databases]
{DATABASE} = host={HOST} port={PORT} dbname={DATABASE} user={USER} {f'password={PASSWORD}' if PASSWORD else ''}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
auth_type = trust
auth_file = {self.folder}/users.txt
pool_mode = {mode}
default_pool_size = 2
max_client_conn = 100
admin_users = {USER}
unix_socket_dir =
logfile = {self.folder}/log
ignore_startup_parameters = extra_float_digits,options
""")
        command = ["pgbouncer", "-q", f"{self.folder}/pgbouncer.ini"]
        if os.getuid() == 0:  # it refuses to run as root
            name = "postgres" if "postgres" in [p.pw_name for p in pwd.getpwall()] else "nobody"
            user = pwd.getpwnam(name)
            for path in [self.folder, f"{self.folder}/users.txt", f"{self.folder}/pgbouncer.ini"]:
                os.chown(path, user.pw_uid, user.pw_gid)
            command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *command]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                self.connect().close()
                return
            except psycopg.OperationalError as error:
                last = error
                time.sleep(0.1)
        raise RuntimeError(f"pgbouncer does not answer: {last}; {open(self.folder + '/log').read()[-500:]}")

    def connect(self, **more):
        return psycopg.connect(host="127.0.0.1", port=self.port, user=USER, dbname=DATABASE, autocommit=True, **more)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)


BOUNCERS = {}


def bouncer(mode):
    if mode not in BOUNCERS:
        BOUNCERS[mode] = Bouncer(mode)
    return BOUNCERS[mode]


@contextmanager
def connect():
    yield None


@check
def session_mode_keeps_the_session(_):
    with bouncer("session").connect() as conn:
        conn.execute("SET application_name = 'kept'")
        conn.execute("CREATE TEMP TABLE mine (x int)")
        conn.execute("INSERT INTO mine VALUES (1)")
        conn.execute("PREPARE q AS SELECT x + $1 FROM mine")
        equal(conn.execute("EXECUTE q (5)").fetchone(), (6,))
        for n in range(10):
            equal(conn.execute("SELECT x + %s FROM mine", (n,), prepare=True).fetchone(), (1 + n,))
        equal(conn.execute("SHOW application_name").fetchone(), ("kept",))


@check
def session_mode_gives_a_clean_one(_):
    for _ in range(6):
        with bouncer("session").connect() as conn:
            equal(conn.execute("SELECT count(*) FROM pg_prepared_statements").fetchone(), (0,))
            equal(conn.execute("SELECT to_regclass('mine')").fetchone(), (None,))
            conn.execute("SET search_path = nowhere")
            conn.execute("CREATE TEMP TABLE mine (x int)")
            conn.execute("PREPARE q AS SELECT 1")
            conn.execute("SELECT pg_advisory_lock(4711)")


@check
def transaction_mode_shares_connections(_):
    clients = [bouncer("transaction").connect(prepare_threshold=None) for _ in range(10)]
    for conn in clients:
        conn.execute("CREATE TABLE IF NOT EXISTS compat_bouncer (x int)")
    clients[0].execute("TRUNCATE compat_bouncer")
    for n, conn in enumerate(clients):
        with conn.transaction():
            conn.execute("SET LOCAL work_mem = '8MB'")
            conn.execute("INSERT INTO compat_bouncer VALUES (%s)", (n,))
            equal(conn.execute("SHOW work_mem").fetchone(), ("8MB",))
    pids = {conn.execute("SELECT pg_backend_pid()").fetchone()[0] for conn in clients}
    equal(len(pids) <= 2, True, f"{pids}")
    equal(clients[0].execute("SELECT sum(x) FROM compat_bouncer").fetchone(), (45,))
    for conn in clients:
        conn.close()


@check
def transaction_mode_many_at_once(_):
    failures = []

    def work(n):
        try:
            with bouncer("transaction").connect(prepare_threshold=None) as conn:
                for i in range(20):
                    with conn.transaction():
                        equal(conn.execute("SELECT %s::int + %s::int", (n, i)).fetchone(), (n + i,))
                        conn.execute("INSERT INTO compat_bouncer VALUES (%s)", (1000 + n,))
        except Exception as error:  # reported below
            failures.append(error)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    with bouncer("transaction").connect(prepare_threshold=None) as conn:
        equal(conn.execute("SELECT count(*) FROM compat_bouncer WHERE x >= 1000").fetchone(), (400,))


@check
def transaction_mode_after_errors(_):
    with bouncer("transaction").connect(prepare_threshold=None) as conn:
        for _ in range(5):
            try:
                with conn.transaction():
                    conn.execute("INSERT INTO compat_bouncer VALUES (-1)")
                    conn.execute("SELECT 1/0")
            except errors.DivisionByZero:
                pass
        equal(conn.execute("SELECT count(*) FROM compat_bouncer WHERE x < 0").fetchone(), (0,))


@check
def copy_goes_through(_):
    with bouncer("transaction").connect() as conn, conn.cursor() as cur:
        with cur.copy("COPY compat_bouncer FROM STDIN") as copy:
            for n in range(5000):
                copy.write_row((2000000 + n,))
        with cur.copy("COPY (SELECT x FROM compat_bouncer WHERE x >= 2000000) TO STDOUT") as copy:
            equal(sum(1 for _ in copy.rows()), 5000)


@check
def cancel_goes_through(_):
    with bouncer("transaction").connect() as conn:
        timer = threading.Timer(0.5, conn.cancel)
        timer.start()
        started = time.time()
        try:
            conn.execute("SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b")
        except errors.QueryCanceled:
            pass
        else:
            raise AssertionError("not canceled")
        equal(time.time() - started < 20, True)
        equal(conn.execute("SELECT 1").fetchone(), (1,))


@check
def statement_mode(_):
    with bouncer("statement").connect(prepare_threshold=None) as conn:
        equal(conn.execute("SELECT 1").fetchone(), (1,))
        try:
            conn.execute("BEGIN")
        except psycopg.OperationalError:
            pass
        else:
            raise AssertionError("a transaction block in statement mode")


@check
def admin_console(_):
    # It speaks the simple protocol alone, so psql asks.
    port = str(bouncer("transaction").port)
    shown = subprocess.run(["psql", "-XAt", "-h", "127.0.0.1", "-p", port, "-U", USER, "-d", "pgbouncer", "-c", "SHOW POOLS", "-c", "RELOAD"],
                           capture_output=True, text=True, check=True, env={**os.environ, "PGOPTIONS": ""})
    equal(f"{DATABASE}|" in shown.stdout, True, shown.stdout)


def main():
    with psycopg.connect(host=HOST, port=PORT, user=USER, dbname=DATABASE, password=PASSWORD, autocommit=True) as conn:
        is_graphwire = "graphwire" in conn.execute("SELECT version()").fetchone()[0]
        conn.execute("DROP TABLE IF EXISTS compat_bouncer")
    try:
        return run(connect, is_graphwire)
    finally:
        for one in BOUNCERS.values():
            one.stop()
        with psycopg.connect(host=HOST, port=PORT, user=USER, dbname=DATABASE, password=PASSWORD, autocommit=True) as conn:
            conn.execute("DROP TABLE IF EXISTS compat_bouncer")


if __name__ == "__main__":
    sys.exit(main())

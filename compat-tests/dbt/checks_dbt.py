"""dbt: a project of its own, seeded, run twice, tested, snapshot, documented; what it left is asked for with psycopg 2."""
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager

import psycopg2

from checks import check, equal, run

HERE = os.path.dirname(os.path.abspath(__file__))
WORK = tempfile.mkdtemp(prefix="dbt")
DBT = os.path.join(os.path.dirname(sys.executable), "dbt")


@contextmanager
def connect():
    conn = psycopg2.connect("")
    conn.autocommit = True
    with conn.cursor() as cur:
        cur.execute("SET search_path = compat_dbt")
        yield cur
    conn.close()


def dbt(*command, fails=False):
    done = subprocess.run([DBT, "--no-use-colors", "--log-format", "text", *command, "--project-dir", WORK, "--profiles-dir", WORK],
                          capture_output=True, text=True, cwd=WORK)
    if (done.returncode == 0) == fails:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        wrong = [line for line in lines if "rror" in line or "FAIL" in line] or lines
        raise AssertionError(f"dbt {command[0]} ended with {done.returncode}: {' | '.join(wrong[-12:])}")
    return done.stdout


def rows(cur, query):
    cur.execute(query)
    return cur.fetchall()


@check
def debug_and_seed(cur):
    dbt("debug")
    dbt("seed")
    dbt("seed", "--full-refresh")
    equal(rows(cur, "SELECT count(*), sum(amount)::text FROM orders"), [(4, "135.74")])
    equal(rows(cur, "SELECT data_type, numeric_scale FROM information_schema.columns WHERE table_schema = 'compat_dbt' AND table_name = 'orders' AND column_name = 'amount'"), [("numeric", 2)])


@check
def first_run(cur):
    dbt("run")
    equal(rows(cur, "SELECT name, orders, total::text FROM totals ORDER BY customer"), [("Ann", 2, "30.50"), ("Bob", 1, "5.25"), ("Çelik", 1, "99.99")])
    equal(rows(cur, "SELECT name FROM best"), [("Çelik",), ("Ann",)])
    equal(rows(cur, "SELECT count(*) FROM log"), [(4,)])
    equal(rows(cur, "SELECT loud FROM loud ORDER BY id"), [("ANN",), ("BOB",), ("ÇELIK",)])
    equal(rows(cur, "SELECT state, n FROM cached ORDER BY state"), [("new", 1), ("paid", 2), ("sent", 1)])
    equal(rows(cur, "SELECT obj_description('totals'::regclass), col_description('totals'::regclass, 1)"), [("one row a customer; \"it's\"", "the key")])
    equal(rows(cur, "SELECT has_table_privilege('compat_dbt_reader', 'totals', 'SELECT')"), [(True,)])


@check
def tests_pass_and_fail(cur):
    dbt("test")
    cur.execute("UPDATE totals SET total = -1 WHERE customer = 1")
    dbt("test", "--select", "no_negative", fails=True)
    dbt("run", "--select", "totals")
    dbt("test", "--store-failures")


@check
def snapshots(cur):
    dbt("snapshot")
    cur.execute("UPDATE orders SET state = 'sent', placed = placed + interval '1 day' WHERE id = 1")
    cur.execute("DELETE FROM orders WHERE id = 3")
    dbt("snapshot")
    equal(rows(cur, "SELECT id, state, dbt_valid_to IS NULL FROM states ORDER BY id, dbt_valid_from"),
          [(1, "paid", False), (1, "sent", True), (2, "sent", True), (3, "paid", True), (4, "new", True)])
    equal(rows(cur, "SELECT id, dbt_valid_to IS NULL FROM stamped ORDER BY id, dbt_valid_from"),
          [(1, False), (1, True), (2, True), (3, False), (4, True)])


@check
def incremental_runs(cur):
    cur.execute("INSERT INTO orders (id, customer, amount, placed, state) VALUES (5, 2, 7, '2024-03-20', 'new')")
    dbt("run", "--vars", "{more: true}")
    equal(rows(cur, "SELECT id, state, extra FROM log WHERE id IN (4, 5) ORDER BY id"), [(4, "new", 1), (5, "new", 1)])
    equal(rows(cur, "SELECT count(*), count(DISTINCT id) FROM log"), [(5, 5)])
    equal(rows(cur, "SELECT id, state FROM merged ORDER BY id"), [(1, "sent"), (2, "sent"), (3, "paid"), (4, "new"), (5, "new")])
    dbt("run", "--full-refresh")
    equal(rows(cur, "SELECT count(*) FROM merged"), [(4,)])


@check
def documentation_and_show(_):
    dbt("docs", "generate")
    import json
    with open(f"{WORK}/target/catalog.json") as file:
        catalog = json.load(file)
    totals = catalog["nodes"]["model.shop.totals"]
    equal((totals["metadata"]["type"], list(totals["columns"])), ("BASE TABLE", ["customer", "name", "orders", "total", "days"]))
    equal("Ann" in dbt("show", "--select", "totals"), True)


def main():
    shutil.copytree(f"{HERE}/project", WORK, dirs_exist_ok=True)
    conn = psycopg2.connect("")
    conn.autocommit = True
    with conn.cursor() as cur:
        cur.execute("DROP SCHEMA IF EXISTS compat_dbt CASCADE")
        cur.execute("DROP SCHEMA IF EXISTS compat_dbt_dbt_test__audit CASCADE")
        cur.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'compat_dbt_reader'")
        if not cur.fetchone()[0]:
            cur.execute("CREATE ROLE compat_dbt_reader")
        cur.execute("SELECT version()")
        is_graphwire = "graphwire" in cur.fetchone()[0]
    conn.close()
    try:
        return run(connect, is_graphwire)
    finally:
        shutil.rmtree(WORK)


if __name__ == "__main__":
    sys.exit(main())

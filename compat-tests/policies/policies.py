"""Runs queries under sets of policies as several roles, on PostgreSQL and on graphwire, and compares.

usage: policies.py POSTGRES_URL GRAPHWIRE_URL [--all | --sample N] [--seed N] [WORD]

A case is one set of policies, one query and one role.  --all runs each of them, --sample (the default, 600) as many drawn
by the seed, which is the same unless another is given.  WORD keeps the sets that have it in their name.
"""

import argparse
import itertools
import pathlib
import random
import sys
import time

import psycopg

HERE = pathlib.Path(__file__).parent
ROLES = ["pol_alice", "pol_bob", "pol_carol", "pol_dave", "pol_owner", "graphwire"]
TABLES = ["doc", "note", "member"]
SHOWN = 60


def policy_sets():
    sets, lines = {}, None
    for line in (HERE / "policies.txt").read_text().splitlines():
        if line.startswith("= "):
            lines = sets.setdefault(line[2:], [])
        elif line and not line.startswith("--"):
            lines.append(line)
    return sets


def queries():
    return [line for line in (HERE / "queries.txt").read_text().splitlines() if line]


def statements(text):
    return [part.strip() for part in text.split(";") if part.strip()]


class Server:
    def __init__(self, url):
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.add_notice_handler(lambda notice: None)
        for statement in statements((HERE / "world.sql").read_text()):
            self.run(statement)
        self.run("SET search_path = pol")

    def run(self, statement):
        return self.connection.execute(statement, prepare=False)

    def set_policies(self, policies):
        """Takes the policies of the set before away and commits these."""
        self.run("BEGIN")
        for table, name in self.run("SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'pol'").fetchall():
            self.run(f"DROP POLICY {name} ON {table}")
        for table in TABLES:
            self.run(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
            self.run(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        for policy in policies:
            self.run(policy)
        self.run("COMMIT")

    def answer(self, role, query):
        """What a client sees: rows and how many, or the error's code and words."""
        self.run("BEGIN")
        try:
            self.run(f"SET LOCAL ROLE {role}")
            seen = None
            for statement in statements(query):
                seen = self.copied(statement) if statement.startswith("COPY") else self.rows(statement)
            return seen
        except psycopg.Error as error:
            diag = error.diag
            return ("error", diag.sqlstate, diag.message_primary, diag.message_detail, diag.message_hint)
        finally:
            self.run("ROLLBACK")

    def rows(self, statement):
        cursor = self.run(statement)
        rows = cursor.fetchall() if cursor.description else []
        if "ORDER BY" not in statement:
            rows.sort(key=repr)
        return ("rows", cursor.statusmessage, rows)

    def copied(self, statement):
        cursor = self.connection.cursor()
        with cursor.copy(statement) as copy:
            if "FROM STDIN" in statement:
                copy.write("40\tpol_alice\t1\t0\tcopied\n")
                return ("copied in",)
            return ("copied", sorted(bytes(line) for line in copy))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("servers", nargs=2)
    parser.add_argument("word", nargs="?", default="")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--sample", type=int, default=600)
    parser.add_argument("--seed", type=int, default=834829)
    return parser.parse_intermixed_args()


def main():
    options = arguments()
    sets = policy_sets()
    cases = list(itertools.product((name for name in sets if options.word in name), queries(), ROLES))
    if not options.all and options.sample < len(cases):
        drawn = random.Random(options.seed).sample(range(len(cases)), options.sample)
        cases = [cases[at] for at in sorted(drawn)]
        print(f"{len(cases)} cases, seed {options.seed}", flush=True)
    postgres, graphwire = (Server(url) for url in options.servers)
    passed = failed = 0
    shown, current, started = set(), None, time.monotonic()
    for name, query, role in cases:
        if name != current:
            for server in (postgres, graphwire):
                server.set_policies(sets[name])
            current = name
        expected, got = postgres.answer(role, query), graphwire.answer(role, query)
        if expected == got:
            passed += 1
            continue
        failed += 1
        if (name, query) not in shown and len(shown) < SHOWN:
            print(f"FAILED {name} / {role}\n    {query}\n    postgres   {expected}\n    graphwire  {got}", flush=True)
        shown.add((name, query))
    print(f"{time.monotonic() - started:.0f} s")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

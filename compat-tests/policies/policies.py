"""Runs every query under every set of policies as every role, on PostgreSQL and on graphwire, and compares.

usage: policies.py POSTGRES_URL GRAPHWIRE_URL [only this word of a set]
"""

import pathlib
import sys

import psycopg

HERE = pathlib.Path(__file__).parent
ROLES = ["pol_alice", "pol_bob", "pol_carol", "pol_dave", "pol_owner", "graphwire"]
SHOWN = 40


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

    def run(self, statement):
        return self.connection.execute(statement, prepare=False)

    def answer(self, policies, role, query):
        """What a client sees: rows and how many, or the error's code and words."""
        self.run("BEGIN")
        try:
            self.run("SET LOCAL search_path = pol")
            for policy in policies:
                self.run(policy)
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


def main():
    postgres, graphwire = (Server(url) for url in sys.argv[1:3])
    word = sys.argv[3] if len(sys.argv) > 3 else ""
    passed = failed = 0
    shown = set()
    for name, policies in policy_sets().items():
        if word not in name:
            continue
        for query in queries():
            for role in ROLES:
                expected = postgres.answer(policies, role, query)
                got = graphwire.answer(policies, role, query)
                if expected == got:
                    passed += 1
                    continue
                failed += 1
                if (name, query) not in shown and len(shown) < SHOWN:
                    print(f"--- {name} / {role}\n    {query}\n    postgres   {expected}\n    graphwire  {got}", flush=True)
                shown.add((name, query))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

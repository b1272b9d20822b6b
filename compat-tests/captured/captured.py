"""Compares the answers of two PostgreSQL clusters and graphwire to recorded statements."""
import collections
import os
import re
import sys

import differences
import shapes
import statements
from servers import Server

HERE = os.path.dirname(os.path.abspath(__file__))
OBJECTS = ["ct_emp", "ct_dept", "ct_emp_v", "ct_emp_name_idx"]
# OIDs of the recording's own tables.
RECORDED_OID = re.compile(r"(?<![\w.])(?:1[6-9]\d{3})(?!\w)")
VALUES = {
    16: "t", 18: "r", 20: "1", 21: "1", 23: "1", 26: "{oid}", 700: "1.5", 701: "1.5", 1700: "12.50", 17: "\\x00ff", 1082: "2020-01-02",
    1083: "01:02:03", 1266: "01:02:03+00", 1114: "2020-01-02 03:04:05", 1184: "2020-01-02 03:04:05+00", 1186: "1 day", 2205: "ct_emp",
    2950: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", 114: '{{"a": 1}}', 3802: '{{"a": 1}}', 2277: "{{1}}", 1007: "{{1,2}}", 1016: "{{1,2}}",
    1005: "{{1,2}}", 1009: "{{ct_emp,ct_dept}}", 1003: "{{ct_emp,ct_dept}}", 1015: "{{ct_emp,ct_dept}}", 1028: "{{{oid},23}}",
    1182: "{{2020-01-02}}", 1231: "{{1.5}}", 1000: "{{t}}", 1022: "{{1.5}}",
}


def oid_of(server, name):
    answer = server.run(f"SELECT oid FROM pg_catalog.pg_class WHERE relname = '{name}' AND relnamespace = 'public'::regnamespace")
    rows = answer.results[0][2] if answer.results else []
    return rows[0][0].decode() if rows else "0"


def variants(text):
    """A statement that names an OID of the recording is asked about each object of the fixture."""
    if RECORDED_OID.search(text) and "generate_series" not in text:
        return [(text, name) for name in OBJECTS]
    return [(text, None)]


def ask(server, text, name, postgres_types=None):
    """The answer of one server, and the types of the parameters."""
    if name:
        text = RECORDED_OID.sub(oid_of(server, name), text)
    if not re.search(r"\$\d", text):
        return server.run(text)
    types = server.parameter_types(text)
    if types is None:
        return server.run(text, [])
    oid = oid_of(server, "ct_emp") if 26 in types or 1028 in types or 2205 in types else "0"
    values = [VALUES.get(t, "ct_emp").replace("{oid}", oid).replace("{{", "{").replace("}}", "}") for t in postgres_types or types]
    if len(values) != len(types):
        values = ["1"] * len(types)
    answer = server.run(text, values)
    answer.parameters = types
    return answer


class Client:
    """One client's statements on the three servers."""

    def __init__(self, name, servers):
        self.name, self.servers = name, servers
        self.database = f"cap_{name}"  # as the recording called it
        self.counts = collections.Counter()
        self.found = {}

    def prepare(self, folder):
        with open(os.path.join(folder, "fixture.sql"), encoding="utf-8") as file:
            fixture = file.read()
        for n, server in enumerate(self.servers):
            server.fresh(self.database)
            if n == 1:  # so that OIDs differ from those of the first
                server.run("CREATE TABLE moved (a int PRIMARY KEY, b text); DROP TABLE moved")
            answer = server.run(fixture)
            if answer.state:
                raise RuntimeError(f"fixture.sql: {answer.message}")

    def statement(self, text, asked=None):
        """Runs one statement on all; asked is the text to send in its place."""
        for sent, name in variants(asked or text):
            first = ask(self.servers[0], sent, name)
            second = ask(self.servers[1], sent, name, first.parameters)
            try:
                other = ask(self.servers[2], sent, name, first.parameters)
            except Exception as error:  # the connection is gone
                self.servers[2].connect(self.database)
                other = differences.lost(error)
            difference = differences.compare(sent, first, second, other)
            if difference is None:
                self.counts["ran" if not first.state else "both fail"] += 1
            else:
                self.counts[difference.kind] += 1
                self.found.setdefault(statements.key(text), []).append((difference, sent, name))
            self.together()

    def together(self):
        """No server stays in a block that another has left."""
        if any(s.in_error() for s in self.servers) or len({s.in_block() for s in self.servers}) > 1:
            for server in self.servers:
                if server.in_block():
                    server.run("ROLLBACK")


def main():
    folder, *ports = sys.argv[1:5]
    options = [a for a in sys.argv[5:] if a.startswith("-")]
    wanted = [a for a in sys.argv[5:] if not a.startswith("-")]
    servers = [Server(int(port)) for port in ports]
    known = differences.Known(os.path.join(HERE, "known_differences.txt"))
    names = sorted(f[:-4] for f in os.listdir(folder) if f.endswith(".sql") and f != "fixture.sql")
    failed, passed, skipped, table = 0, 0, 0, []
    for name in names:
        if wanted and name not in wanted:
            continue
        entries = statements.read(os.path.join(folder, name + ".sql"))
        client = Client(name, servers)
        client.prepare(folder)
        if "--shapes" in options:
            shapes.run(client, entries)
        else:
            for text, _ in entries:
                client.statement(text)
        label = name + (" shapes" if "--shapes" in options else "")
        new, expected = known.sort(label, client.found)
        for key, difference, text, about in new:
            print(f"DIFFERS  {label} {key} {difference.kind}: {difference.detail}")
            if "-v" in options:
                print("         " + (f"[{about}] " if about else "") + text)
        passed += client.counts["ran"] + client.counts["both fail"]
        failed, skipped = failed + len(new), skipped + expected
        table.append((label, client.counts, len(new)))
        sys.stdout.flush()
    print(f"\n{'client':<24} {'same':>6} {'both fail':>10} {'error':>6} {'differs':>8} {'new':>5}")
    for label, counts, new in table:
        print(f"{label:<24} {counts['ran']:>6} {counts['both fail']:>10} {counts['error']:>6} {counts['differs']:>8} {new:>5}")
    stale = known.stale([row[0] for row in table])
    for line in stale:
        print(f"FAILED   is the same now, take it off known_differences.txt: {line}")
    if "--bless" in options:
        known.write([row[0] for row in table])
    print(f"{passed} passed, {failed + len(stale)} failed, {skipped} skipped")
    return 1 if failed + len(stale) else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Loads the package tables with psql, asks the questions in every language, compares the answers.

    questions.py FOLDER            the server is the one of PGHOST and PGPORT
    questions.py FOLDER --bench    with times, beside a PostgreSQL at POSTGRES_PORT

`run` beside this file makes the folder and the servers.
"""
import os
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMA = "compat_debian"
ROUNDS = 5
SQL, CYPHER, PGQ = "SQL", "Cypher", "SQL/PGQ"
FROM, TO = "gnome", "libedit2"

# question -> language -> statement.  The first column of the answers is compared, see `comparable`.
QUESTIONS = {
    "needs libssl3 within 4 hops": {
        SQL: """WITH RECURSIVE needs (name, hops) AS (
                    SELECT package, 1 FROM depends WHERE dependency = 'libssl3'
                    UNION
                    SELECT d.package, hops + 1 FROM needs JOIN depends d ON d.dependency = needs.name WHERE hops < 4)
                SELECT DISTINCT name FROM needs ORDER BY name""",
        CYPHER: """MATCH (p:package)-[:depends*1..4]->(:package {name: 'libssl3'})
                   RETURN DISTINCT p.name AS name ORDER BY name""",
        PGQ: """SELECT DISTINCT name FROM GRAPH_TABLE (debian
                    MATCH ANY SHORTEST (p IS package)-[IS depends]->{1,4}(l IS package WHERE l.name = 'libssl3')
                    COLUMNS (p.name)) ORDER BY name""",
    },
    f"shortest path from {FROM} to {TO}": {
        SQL: f"""WITH RECURSIVE reached (name, hops) AS (
                    SELECT '{FROM}'::text, 0
                    UNION
                    SELECT d.dependency, hops + 1 FROM reached JOIN depends d ON d.package = reached.name WHERE hops < 15)
                SELECT min(hops) FROM reached WHERE name = '{TO}'""",
        CYPHER: f"""MATCH p = shortestPath((a:package {{name: '{FROM}'}})-[:depends*]->(b:package {{name: '{TO}'}}))
                    RETURN length(p) AS hops, [n IN nodes(p) | n.name] AS names""",
        PGQ: f"""SELECT hops FROM GRAPH_TABLE (debian
                    MATCH p = ANY SHORTEST (a IS package WHERE a.name = '{FROM}')-[IS depends]->*(b IS package WHERE b.name = '{TO}')
                    COLUMNS (path_length(p) AS hops))""",
    },
    "most depended-upon packages": {
        SQL: "SELECT dependency, count(*) AS n FROM depends GROUP BY dependency ORDER BY n DESC, dependency LIMIT 20",
        CYPHER: """MATCH (:package)-[d:depends]->(p:package)
                   RETURN p.name AS name, count(d) AS n ORDER BY n DESC, name LIMIT 20""",
        PGQ: """SELECT name, count(*) AS n FROM GRAPH_TABLE (debian
                    MATCH (q IS package)-[d IS depends]->(p IS package) COLUMNS (p.name))
                GROUP BY name ORDER BY n DESC, name LIMIT 20""",
    },
    "cycles of length 3": {
        SQL: """SELECT x.package, y.package, z.package
                FROM depends x JOIN depends y ON y.package = x.dependency
                               JOIN depends z ON z.package = y.dependency AND z.dependency = x.package
                WHERE x.package < y.package AND x.package < z.package ORDER BY 1, 2, 3""",
        CYPHER: """MATCH (a:package)-[:depends]->(b:package)-[:depends]->(c:package)-[:depends]->(a)
                   WHERE a.name < b.name AND a.name < c.name
                   RETURN a.name AS a, b.name AS b, c.name AS c ORDER BY a, b, c""",
        PGQ: """SELECT x, y, z FROM GRAPH_TABLE (debian
                    MATCH (a IS package)-[IS depends]->(b IS package)-[IS depends]->(c IS package)-[IS depends]->(a)
                    WHERE a.name < b.name AND a.name < c.name
                    COLUMNS (a.name AS x, b.name AS y, c.name AS z)) ORDER BY x, y, z""",
    },
}


class Failed(Exception):
    """psql printed an error."""


def psql(*arguments, script=None, port=None):
    environment = dict(os.environ, PGOPTIONS=f"-c search_path={SCHEMA}", PSQLRC="/dev/null", PAGER="", LC_ALL="C.UTF-8")
    if port:
        environment.update(PGHOST="127.0.0.1", PGPORT=port, PGUSER="graphwire", PGDATABASE="graphwire")
    done = subprocess.run(["psql", "-X", "-v", "ON_ERROR_STOP=1", *arguments], input=script, env=environment,
                          capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise Failed(done.stderr.strip() or f"psql ended with {done.returncode}")
    return done.stdout


def load(folder, graph, port=None):
    """Makes the tables, copies the rows, declares the graph; returns the seconds that copying took."""
    psql("-q", "-c", f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE", "-c", f"CREATE SCHEMA {SCHEMA}", port=port)
    psql("-q", "-f", os.path.join(HERE, "tables.sql"), port=port)
    started = time.monotonic()
    for table in ("package", "depends", "related"):
        psql("-q", "-c", f"\\copy {table} from '{os.path.join(folder, table)}.tsv'", port=port)
    seconds = time.monotonic() - started
    if graph:
        psql("-q", "-f", os.path.join(HERE, "graph.sql"), port=port)
    return seconds


def rows_in(folder, table):
    with open(os.path.join(folder, table + ".tsv")) as file:
        return sum(1 for _ in file)


def ask(text, port=None):
    """The rows of the answer, each a list of texts."""
    out = psql("-At", "-F", "\t", "-c", text, port=port)
    return [line.split("\t") for line in out.splitlines()]


def comparable(question, rows):
    """What must be equal: all of the answer; of a shortest path its length."""
    return [row[:1] for row in rows] if question.startswith("shortest") else rows


def steps_are_dependencies(row):
    """The path of the Cypher answer, {a,b,c}, is one, from end to end."""
    names = row[1].strip("{}").split(",")
    if (names[0], names[-1], len(names)) != (FROM, TO, int(row[0]) + 1):
        return False
    pairs = ", ".join(f"('{a}', '{b}')" for a, b in zip(names, names[1:]))
    found = ask(f"SELECT count(DISTINCT (package, dependency)) FROM depends WHERE (package, dependency) IN ({pairs})")
    return found == [[str(len(names) - 1)]]


def milliseconds(text, port=None):
    """The median of some rounds in one session, by psql's own clock."""
    statement = re.sub(r"\s+", " ", text) + ";\n"
    out = psql("-q", script="\\o /dev/null\n" + statement + "\\timing on\n" + statement * ROUNDS, port=port)
    return statistics.median(float(t) for t in re.findall(r"^Time: ([0-9.]+) ms", out, re.M))


class Tally:
    passed = failed = skipped = 0

    def check(self, name, good, detail=""):
        print(f"{'ok      ' if good else 'FAILED  '} {name}{': ' + detail if detail else ''}", flush=True)
        self.passed += good
        self.failed += not good


def ask_everything(tally, languages):
    for question, statements in QUESTIONS.items():
        answers = {}
        for language in languages:
            try:
                answers[language] = ask(statements[language])
            except (Failed, subprocess.TimeoutExpired) as error:
                tally.check(f"{question}, {language}", False, str(error).replace("\n", " | "))
        if SQL not in answers:
            continue
        expected = comparable(question, answers[SQL])
        tally.check(f"{question}, {SQL}", bool(expected) and expected != [[""]], f"{len(expected)} rows, first {expected[:1]}")
        for language in (CYPHER, PGQ):
            if language in answers:
                got = comparable(question, answers[language])
                same = got == expected
                tally.check(f"{question}, {language}", same, "" if same else f"{len(got)} rows, first {got[:1]}")
        if question.startswith("shortest") and answers.get(CYPHER):
            tally.check("each step of the path is a dependency", steps_are_dependencies(answers[CYPHER][0]))


def bench(folder, languages):
    port = os.environ["POSTGRES_PORT"]
    seconds = load(folder, False, port)
    psql("-q", "-c", "CREATE INDEX ON depends (dependency)", "-c", "ANALYZE", port=port)
    print(f"\nload of {sum(rows_in(folder, t) for t in ('package', 'depends', 'related'))} rows: "
          f"{load(folder, len(languages) > 1):.1f} s, PostgreSQL {seconds:.1f} s")
    print(f"\n{'median of ' + str(ROUNDS) + ', ms':<42} {'PostgreSQL SQL':>15}" + "".join(f"{language:>12}" for language in languages))
    for question, statements in QUESTIONS.items():
        times = [milliseconds(statements[SQL], port)]
        for language in languages:
            try:
                times.append(milliseconds(statements[language]))
            except (Failed, subprocess.TimeoutExpired):
                times.append(float("nan"))
        print(f"{question:<42} {times[0]:>15.1f}" + "".join(f"{t:>12.1f}" for t in times[1:]), flush=True)


def main():
    folder, benching = sys.argv[1], "--bench" in sys.argv[2:]
    graphwire = "graphwire" in psql("-At", "-c", "SELECT version()")
    languages = [SQL, CYPHER, PGQ] if graphwire else [SQL]
    tally = Tally()
    try:
        seconds = load(folder, graphwire)
    except (Failed, subprocess.TimeoutExpired) as error:
        tally.check("load", False, str(error).replace("\n", " | "))
    else:
        for table in ("package", "depends", "related"):
            tally.check(f"rows of {table}", ask(f"SELECT count(*) FROM {table}") == [[str(rows_in(folder, table))]])
        print(f"         \\copy took {seconds:.1f} s")
        ask_everything(tally, languages)
        tally.skipped = (3 - len(languages)) * len(QUESTIONS)
        if benching:
            bench(folder, languages)
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())

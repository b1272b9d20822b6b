"""UNWIND $1 AS row MERGE …, and COPY of the same rows into a typed graph. See benches/merge_rows."""
import json
import os
import sys
import time

import psycopg
from psycopg.types.json import Jsonb

ROWS = [int(count) for count in sys.argv[1:]] or [1_000, 10_000, 100_000]


def timed(run):
    started = time.monotonic()
    run()
    return time.monotonic() - started


def rows(count):
    return json.dumps([{"id": at, "name": f"person {at}", "to": (at * 7919) % count} for at in range(count)])


def open_graph(connection, raw, count, constrained):
    connection.execute("DROP PROPERTY GRAPH IF EXISTS bench CASCADE")
    connection.execute("CREATE PROPERTY GRAPH bench ANY")
    connection.execute("SET graph_path = 'bench'")
    if constrained:
        connection.execute("CREATE CONSTRAINT ids FOR (p:Person) REQUIRE p.id IS UNIQUE")
    data = rows(count)
    nodes = "UNWIND $1 AS row MERGE (p:Person {id: row.id}) SET p.name = row.name"
    edges = "UNWIND $1 AS row MATCH (a:Person {id: row.id}), (b:Person {id: row.to}) MERGE (a)-[:KNOWS]->(b)"
    times = [timed(lambda: raw.execute(statement, [Jsonb(json.loads(data))])) for statement in (nodes, nodes, edges)]
    raw.execute("MATCH (p:Person) RETURN count(*) AS n")
    assert raw.fetchone()[0] == count
    raw.execute("MATCH ()-[k:KNOWS]->() RETURN count(*) AS n")
    assert raw.fetchone()[0] == count
    return times


def typed(connection, count):
    connection.execute("DROP PROPERTY GRAPH IF EXISTS typed")
    connection.execute("DROP TABLE IF EXISTS knows, person")
    connection.execute("CREATE TABLE person (id int PRIMARY KEY, name text)")
    connection.execute("CREATE TABLE knows (a int REFERENCES person, b int REFERENCES person)")
    connection.execute(
        "CREATE PROPERTY GRAPH typed VERTEX TABLES (person) EDGE TABLES (knows KEY (a, b)"
        " SOURCE KEY (a) REFERENCES person (id) DESTINATION KEY (b) REFERENCES person (id))"
    )
    people = "".join(f"{at}\tperson {at}\n" for at in range(count))
    edges = "".join(f"{at}\t{(at * 7919) % count}\n" for at in range(count))

    def copy(table, text):
        with connection.cursor().copy(f"COPY {table} FROM STDIN") as sink:
            sink.write(text)

    return timed(lambda: copy("person", people)) + timed(lambda: copy("knows", edges))


def main():
    with psycopg.connect(autocommit=True) as connection, psycopg.RawCursor(connection) as raw:
        for constrained in (False, True):
            print("with a constraint" if constrained else "without a constraint")
            for count in ROWS:
                merged, again, edges = open_graph(connection, raw, count, constrained)
                print(f"{count:8} rows: nodes {merged:6.2f} s, again {again:6.2f} s, relationships {edges:6.2f} s", flush=True)
        for count in ROWS:
            print(f"{count:8} rows by COPY, vertices and edges: {typed(connection, count):6.2f} s", flush=True)


if __name__ == "__main__":
    main()

"""Single-edge inserts with a MATCH after each, on a graph of 500,000 edges.

    PGHOST=… PGPORT=… benches/edge_inserts [edges [inserts]]

Prints the median time of an INSERT, of a MATCH of the two hops around the new edge right after it,
and of the same MATCH asked again (when nothing has changed, so no lists have to be taken over).
"""
import random
import statistics
import sys
import time

import psycopg

EDGES = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
INSERTS = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
VERTICES = EDGES // 10


def load(db, rng):
    db.execute("DROP PROPERTY GRAPH IF EXISTS insert_graph")
    db.execute("DROP TABLE IF EXISTS insert_edge")
    db.execute("DROP TABLE IF EXISTS insert_vertex")
    db.execute("CREATE TABLE insert_vertex (id int8 PRIMARY KEY, x int8)")
    db.execute("CREATE TABLE insert_edge (id int8 PRIMARY KEY, a int8, b int8)")
    with db.cursor() as cursor:
        with cursor.copy("COPY insert_vertex FROM STDIN") as copy:
            for vertex in range(VERTICES):
                copy.write_row((vertex, 0))
        with cursor.copy("COPY insert_edge FROM STDIN") as copy:
            for edge in range(EDGES):
                copy.write_row((edge, rng.randrange(VERTICES), rng.randrange(VERTICES)))
    db.execute(
        "CREATE PROPERTY GRAPH insert_graph VERTEX TABLES (insert_vertex) EDGE TABLES (insert_edge"
        " SOURCE KEY (a) REFERENCES insert_vertex (id) DESTINATION KEY (b) REFERENCES insert_vertex (id))"
    )


def main():
    rng = random.Random(1)
    match = (
        "SELECT count(*) FROM GRAPH_TABLE (insert_graph MATCH (a WHERE a.id = %s)-[]->(b)-[]->(c)"
        " COLUMNS (1 AS one))"
    )
    with psycopg.connect(autocommit=True, prepare_threshold=1) as db:
        load(db, rng)
        before = time.perf_counter()
        db.execute(match, (0,)).fetchone()
        print(f"first MATCH, which builds the lists: {(time.perf_counter() - before) * 1e3:.1f} ms")
        times = {"INSERT": [], "MATCH after it": [], "MATCH again": [], "UPDATE of a vertex": [],
                 "MATCH after that": []}

        def timed(name, text, values):
            start = time.perf_counter()
            cursor = db.execute(text, values)
            rows = cursor.fetchall() if cursor.description else None
            times[name].append(time.perf_counter() - start)
            return rows

        begin = time.perf_counter()
        for number in range(INSERTS):
            a, b = rng.randrange(VERTICES), rng.randrange(VERTICES)
            timed("INSERT", "INSERT INTO insert_edge VALUES (%s, %s, %s)", (EDGES + number, a, b))
            after = timed("MATCH after it", match, (a,))
            assert after == timed("MATCH again", match, (a,))
            if number % 10 == 0:
                timed("UPDATE of a vertex", "UPDATE insert_vertex SET x = x + 1 WHERE id = %s", (a,))
                assert after == timed("MATCH after that", match, (a,))
        seconds = time.perf_counter() - begin
        print(f"{INSERTS} inserts with their matches: {seconds:.1f} s")
        for name, values in times.items():
            values.sort()
            print(f"{name}: median {statistics.median(values) * 1e6:.0f} us,"
                  f" 99th {values[int(len(values) * 0.99)] * 1e6:.0f} us, largest {values[-1] * 1e3:.1f} ms")


main()

"""See `ten_long_queries` beside this file, which starts the servers."""
import os
import random
import sys
import threading
import time

from raw_client import Client, ServerError, timed

CLIENTS = 10
CANCELS = 10
AGGREGATE = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"
STREAM = "SELECT a.i, b.i FROM generate_series(1, 100000) AS a(i), generate_series(1, 100000) AS b(i)"
PATH = "MATCH (a:city)-[:road*1..12]->(b:city) RETURN count(*)"
VERTICES, DEGREE = 2000, 8


def make_graph(client):
    random.seed(7)
    edges = sorted({(i, random.randrange(VERTICES)) for i in range(VERTICES) for _ in range(DEGREE)})
    client.query("CREATE TABLE city (id int4 PRIMARY KEY)")
    client.query("CREATE TABLE road (a int4 REFERENCES city (id), b int4 REFERENCES city (id), PRIMARY KEY (a, b))")
    client.query("INSERT INTO city VALUES " + ", ".join(f"({i})" for i in range(VERTICES)))
    for at in range(0, len(edges), 5000):
        client.query("INSERT INTO road VALUES " + ", ".join(f"({a}, {b})" for a, b in edges[at:at + 5000]))
    client.query("""CREATE PROPERTY GRAPH roads VERTEX TABLES (city LABEL city) EDGE TABLES (road
        SOURCE KEY (a) REFERENCES city (id) DESTINATION KEY (b) REFERENCES city (id) LABEL road)""")


def latencies(port, seconds):
    client = Client(port)
    took = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        took.append(timed(lambda: client.query("SELECT 1"))[0] * 1000)
        time.sleep(0.01)
    client.close()
    took.sort()
    return took


def shown(took):
    return (f"median {took[len(took) // 2]:.2f} ms, 99 % {took[int(len(took) * 0.99)]:.2f} ms, "
            f"max {took[-1]:.2f} ms ({len(took)} times)")


def run_to_the_end(client, text):
    """Runs until it is canceled; anything else is printed."""
    try:
        client.send_query(text)
        client.messages()
        print(f"ended by itself: {text}")
    except ServerError as error:
        if error.sqlstate != "57014":
            print(f"{error}: {text}")
    except (ConnectionError, OSError) as error:
        print(f"{error}: {text}")


def busy(port, text, seconds):
    clients = [Client(port) for _ in range(CLIENTS)]
    threads = [threading.Thread(target=run_to_the_end, args=(c, text)) for c in clients]
    for thread in threads:
        thread.start()
    time.sleep(1)
    took = latencies(port, seconds)
    for client in clients:
        client.cancel()
    for thread in threads:
        thread.join()
    return took


def cancel_time(port, text, streaming):
    """Milliseconds from the request to ReadyForQuery behind the error."""
    client = Client(port)
    client.send_query(text)
    if streaming:
        for _ in range(50):
            client.socket.recv_into(client.buffer)
    else:
        time.sleep(0.3)
    started = time.perf_counter()
    client.cancel()
    client.drain()
    took = (time.perf_counter() - started) * 1000
    client.close()
    return took


def main(seconds):
    ports = {"graphwire": os.environ["PGPORT"], "PostgreSQL": os.environ["POSTGRES_PORT"]}
    setup = Client(ports["graphwire"])
    graphwire = "graphwire" in setup.query("SELECT version()")[0][0]
    if graphwire:
        make_graph(setup)
    setup.close()
    for name, port in ports.items():
        print(f"{name}\n  SELECT 1 alone                  {shown(latencies(port, 2))}", flush=True)
        loads = [("aggregates", AGGREGATE), ("streams nobody reads", STREAM)]
        if graphwire and name == "graphwire":
            loads.append(("path queries", PATH))
        for what, text in loads:
            if text is not STREAM:
                print(f"  beside {CLIENTS} {what:<22} {shown(busy(port, text, seconds))}", flush=True)
            took = sorted(cancel_time(port, text, text is STREAM) for _ in range(CANCELS))
            print(f"  cancel, {what:<23} median {took[len(took) // 2]:.1f} ms, max {took[-1]:.1f} ms", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))

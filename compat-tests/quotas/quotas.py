"""Q-02 and Q-07 with psycopg: `quotas.py bucket`, `quotas.py retry`."""
import os
import sys
import threading
import time

import psycopg

HOST = f"host={os.environ['PGHOST']} port={os.environ['PGPORT']}"
OPERATOR = f"{HOST} user=graphwire dbname=graphwire password={os.environ['OPERATOR_PASSWORD']}"
USER = f"{HOST} user=user_beta dbname=beta password=pencil"


def operator(statement):
    with psycopg.connect(OPERATOR, autocommit=True) as connection:
        connection.execute(statement)


def retry_after(error):
    """Seconds, from the hint; everything a client may want to know is there."""
    diagnostics = error.diag
    assert diagnostics.sqlstate == "53400", diagnostics.sqlstate
    assert diagnostics.constraint_name == "q", diagnostics.constraint_name
    assert diagnostics.message_detail.startswith("tenant=beta limit="), diagnostics.message_detail
    name, value = diagnostics.message_hint.split("=")
    assert name == "retry_after_ms", diagnostics.message_hint
    return int(value) / 1000


def bucket():
    """100 a second with a burst of 200, for 10 seconds: 1188 to 1200 are taken (Q-02)."""
    operator("CREATE OR REPLACE QUOTA q FOR INTERVAL '1 second' MAX queries = 100 BURST 200 TO TENANT beta")
    connections = [psycopg.connect(USER, autocommit=True) for _ in range(4)]
    started = time.monotonic()
    counts = [0] * len(connections)

    def work(number):
        cursor = connections[number].cursor()
        while time.monotonic() - started < 10:
            try:
                cursor.execute("SELECT 1")
                counts[number] += 1
            except psycopg.errors.ConfigurationLimitExceeded:
                pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, taken = time.monotonic() - started, sum(counts)
    # The last attempts may begin within the ten seconds and end behind them.
    most = 200 + 100 * took + 1
    print(f"{taken} taken in {took:.2f} s")
    assert 1188 <= taken <= most, (taken, most)


def retry():
    """At least 99 of 100 refused statements succeed when they come back as told (Q-07)."""
    operator("CREATE OR REPLACE QUOTA q FOR INTERVAL '100 ms' MAX queries = 5 TO TENANT beta")
    refused = again = 0
    with psycopg.connect(USER, autocommit=True) as connection:
        while refused < 100:
            try:
                connection.execute("SELECT 1")
            except psycopg.errors.ConfigurationLimitExceeded as error:
                refused += 1
                time.sleep(retry_after(error))
                try:
                    connection.execute("SELECT 1")
                    again += 1
                except psycopg.errors.ConfigurationLimitExceeded:
                    pass
        # A transaction that was refused can be rolled back.
        connection.autocommit = False
        try:
            for _ in range(20):
                connection.execute("SELECT 1")
        except psycopg.errors.ConfigurationLimitExceeded:
            connection.rollback()
        else:
            raise AssertionError("nothing was refused")
    print(f"{again} of {refused} succeeded at the first retry")
    assert again >= 99
    operator("DROP QUOTA q")


if __name__ == "__main__":
    {"bucket": bucket, "retry": retry}[sys.argv[1]]()

"""A few lines of test runner for the client folders, so that they need nothing but the client.

A check is a function that raises to fail.  `run` calls each with a time limit, prints one line for
each, and ends with `N passed, N failed, N skipped`; the exit code is 1 if one failed.
"""
import asyncio
import inspect
import os
import signal
import sys
import traceback

CHECKS = []
SECONDS_MAX = int(os.environ.get("COMPAT_SECONDS_MAX", "60"))
MISSING_CLIENT = 77  # exit code: the client is not installed

HERE = os.path.dirname(os.path.abspath(__file__))


class Skipped(Exception):
    """The check does not apply to this server."""


def check(function=None, *, graph=False, gap=None):
    """Registers a check.

    graph: it asks a property graph, so it is skipped where the server is PostgreSQL.
    gap: why graphwire is known to fail it; the check then fails when it passes, so that the mark
    is taken away with the gap.
    """
    def register(function):
        CHECKS.append((function, graph, gap))
        return function
    return register(function) if function else register


def equal(got, expected, what=""):
    """Fails unless both are equal in value and type."""
    if got != expected or not isinstance(got, type(expected)):
        raise AssertionError(f"{what + ': ' if what else ''}got {got!r}, expected {expected!r}")


def graph_sql():
    with open(os.path.join(HERE, "graph.sql")) as file:
        return file.read()


def _timed_out(*_):
    raise TimeoutError(f"no answer within {SECONDS_MAX} s")


def _call(function, connect):
    if not inspect.iscoroutinefunction(function):
        with connect() as connection:
            return function(connection)

    async def with_connection():
        async with connect() as connection:
            await asyncio.wait_for(function(connection), SECONDS_MAX)
    return asyncio.run(with_connection())


def run(connect, is_graphwire):
    """Runs every registered check, each on a connection of its own; returns the exit code.

    connect: makes the connection, a context manager (an asynchronous one for asynchronous checks).
    """
    wanted = os.environ.get("COMPAT_ONLY", "")
    signal.signal(signal.SIGALRM, _timed_out)
    passed = failed = skipped = 0
    for function, graph, gap in CHECKS:
        name = function.__name__
        if wanted not in name:
            continue
        if graph and not is_graphwire:
            print(f"skipped  {name}: no property graphs here")
            skipped += 1
            continue
        gap_here = gap if is_graphwire else None
        signal.alarm(SECONDS_MAX + 5)
        try:
            _call(function, connect)
            error = None
        except Skipped as why:
            print(f"skipped  {name}: {why}")
            skipped += 1
            continue
        except Exception as caught:  # a check may fail in any way
            error = caught
        finally:
            signal.alarm(0)
        if gap_here and error is not None:
            print(f"skipped  {name}: known gap, {gap_here}")
            skipped += 1
        elif gap_here:
            print(f"FAILED   {name}: passes, so take away its mark ({gap_here})")
            failed += 1
        elif error is not None:
            print(f"FAILED   {name}: {type(error).__name__}: {error}")
            if os.environ.get("COMPAT_VERBOSE"):
                traceback.print_exception(error)
            failed += 1
        else:
            print(f"ok       {name}")
            passed += 1
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0

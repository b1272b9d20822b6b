"""Sends truncated, mangled and random statements and watches what comes back.

The texts are the statements of tests/slt, cut short, with words taken out, doubled, swapped or replaced
by words of another statement, and strings of random bytes.  Each must be answered within some seconds
by rows, success or an error that is not XX000 (which says that the server is at fault), on a connection
that goes on.  Half are sent in the simple protocol, half are prepared only.
"""
import glob
import os
import random
import re
import sys
import time

import psycopg
from psycopg import pq

REPO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SECONDS_MAX = 20
WORD = re.compile(r"\w+|\s+|'(?:[^']|'')*'|.", re.S)
# What would end the session, wait, or fill the memory is not sent.
NOT_SENT = re.compile(r"\b(COPY|generate_series|repeat|range|lpad|rpad|DROP\s+(DATABASE|SCHEMA)|statement_timeout|pg_sleep|DO)\b", re.I)


def statements():
    """The texts of the slt files' statements and queries."""
    found = []
    for path in sorted(glob.glob(os.path.join(REPO, "tests/slt/*/*.slt"))):
        for record in re.split(r"\n\s*\n", open(path).read()):
            lines = [line for line in record.split("\n") if not line.startswith(("#", "skipif", "onlyif"))]
            if lines and lines[0].startswith(("statement", "query")):
                text = "\n".join(lines[1:]).split("\n----")[0]
                if text and not NOT_SENT.search(text):
                    found.append(text)
    return found


def mutated(texts):
    kind = random.randrange(8)
    text = random.choice(texts)
    words = WORD.findall(text)
    at = random.randrange(len(words))
    if kind == 0:
        return text[:random.randrange(len(text))]
    if kind == 1:
        return text[random.randrange(len(text)):]
    if kind == 2:
        del words[at:at + random.randint(1, 3)]
    elif kind == 3:
        words[at:at] = words[at:at + random.randint(1, 4)]
    elif kind == 4:
        other = random.randrange(len(words))
        words[at], words[other] = words[other], words[at]
    elif kind == 5:
        words[at] = random.choice(WORD.findall(random.choice(texts)))
    elif kind == 6:
        words[at] = random.choice(["", "NULL", "0", "-1", "9223372036854775808", "'", '"', "$$", "(", ")", "[", "]", "{", "}", "$1", "*",
                                   "--", "/*", ";", ":", "::", "->", "é", "1e999", "'\\x'", "((((((((", "NOT NOT NOT", "\\u0000"])
    else:
        return "".join(chr(random.choice([random.randrange(1, 128), random.randrange(1, 0x3000)])) for _ in range(random.randint(1, 80)))
    return "".join(words)


class Link:
    """One connection, made anew where the server closed it."""

    def __init__(self):
        self.connection = None

    def send(self, text, prepare):
        """SQLSTATE, or None."""
        if self.connection is None or self.connection.closed:
            self.connection = psycopg.connect(autocommit=True, options="-c statement_timeout=10s")
        link = self.connection.pgconn
        data = text.encode(errors="replace").replace(b"\0", b"")
        result = link.prepare(b"", data) if prepare else link.exec_(data)
        if result.status in (pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT):
            self.connection.close()
            return None
        if result.status != pq.ExecStatus.FATAL_ERROR:
            if link.transaction_status != pq.TransactionStatus.IDLE:
                link.exec_(b"ROLLBACK")
            return None
        state = result.error_field(pq.DiagnosticField.SQLSTATE)
        if state is None:
            self.connection.close()
            raise ConnectionError(result.error_message.decode(errors="replace").strip())
        if link.transaction_status != pq.TransactionStatus.IDLE:
            link.exec_(b"ROLLBACK")
        return state.decode(), (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode()


def make_objects(link, texts):
    """Tables and graphs of the files, as far as their names are free, so that names are found."""
    for text in texts:
        if re.match(r"CREATE|INSERT", text):
            link.send(text, False)


def main(count):
    seed = int(os.environ.get("MUTATIONS_SEED", time.time_ns() % 10**9))
    random.seed(seed)
    print(f"seed {seed}")
    texts, link, failures = statements(), Link(), {}
    errors = 0
    for number in range(count):
        if number % 1000 == 0:
            make_objects(link, texts)
        text, prepare = mutated(texts), random.random() < 0.5
        if NOT_SENT.search(text):
            continue
        started, why = time.monotonic(), None
        try:
            answer = link.send(text, prepare)
            errors += answer is not None
            if answer and answer[0] in ("XX000", "XX001", "XX002"):
                why = f"{answer[0]} {answer[1]}"
        except (ConnectionError, psycopg.Error) as error:
            why = f"connection lost: {error}"
        if why is None and time.monotonic() - started > SECONDS_MAX:
            why = "no answer for long"
        if why:
            failures.setdefault(re.sub(r"[0-9]+|\"[^\"]*\"|'[^']*'", "#", why)[:120], (why, text))
    for why, text in failures.values():
        print(f"FAILED   {why}\n         {text!r}")
    print(f"{errors} of {count} were errors")
    alive = psycopg.connect().execute("SELECT 1").fetchone() == (1,)
    print(f"{1 if alive and not failures else 0} passed, {len(failures) + (not alive)} failed, 0 skipped")
    return 0 if alive and not failures else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10000))

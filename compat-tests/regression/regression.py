"""Sends PostgreSQL's regression files to PostgreSQL and to graphwire, with psql, and compares the answers.

A file is cut into statements; between any two psql prints a mark, so that each answer is compared by itself and
an early difference does not spoil the rest.  Rows are compared without their order unless the statement asks for one.
"""

import os
import re
import subprocess
import sys

MARK = "@@@statement"
COPY_IN = re.compile(r"^\s*copy\b.*\bfrom\s+stdin\b", re.I | re.S)
# What only PostgreSQL's own plans, storage or language handlers can answer.
FOREIGN = re.compile(r"^\s*(explain\b|create (or replace )?function\b.*\blanguage\s+'?(c|internal|plpgsql)\b)", re.I | re.S)


class Lexer:
    """What is open at the end of a line: a quote, a comment, a parenthesis."""

    def __init__(self):
        self.quote = None
        self.comment = 0
        self.depth = 0
        self.ends = False

    def line(self, text):
        self.ends = False
        at = 0
        while at < len(text):
            at = self.step(text, at)
        return self.ends and not self.quote and not self.comment

    def step(self, text, at):
        rest = text[at:]
        if self.comment:
            if rest.startswith("*/"):
                self.comment -= 1
                return at + 2
            if rest.startswith("/*"):
                self.comment += 1
                return at + 2
            return at + 1
        if self.quote:
            if self.quote == "E'" and rest[0] == "\\":
                return at + 2
            end = self.quote[-1] if self.quote in ("'", "E'", '"') else self.quote
            if rest.startswith(end):
                self.quote = None
                return at + len(end)
            return at + 1
        if rest.startswith("--"):
            return len(text)
        if rest.startswith("/*"):
            self.comment = 1
            return at + 2
        dollar = re.match(r"\$([A-Za-z_]\w*)?\$", rest)
        if dollar and not re.match(r"\w", text[at - 1:at] or " "):
            self.quote = dollar.group(0)
            return at + len(dollar.group(0))
        if rest[0] in "'\"":
            self.quote = "E'" if rest[0] == "'" and re.search(r"(^|\W)[eE]$", text[:at]) else rest[0]
            self.ends = False
            return at + 1
        if rest[0] in "([":
            self.depth += 1
        elif rest[0] in ")]":
            self.depth = max(0, self.depth - 1)
        if rest[0] == ";" and self.depth == 0:
            self.ends = True
        elif rest[0] == "\\":
            # A command of psql ends what stands before it, and the line.
            self.ends = not rest.startswith("\\;")
            return len(text) if self.ends else at + 2
        elif not rest[0].isspace():
            self.ends = False
        return at + 1


def statements(path):
    """The file cut where psql sends; each with the rows that follow a COPY FROM stdin."""
    out, held, lexer = [], [], Lexer()
    lines = iter(open(path, encoding="utf-8", errors="surrogateescape").read().split("\n"))
    for line in lines:
        held.append(line)
        if not lexer.line(line):
            continue
        text = "\n".join(held)
        if COPY_IN.search(without_comments(text)):
            for row in lines:
                held.append(row)
                if row == "\\.":
                    break
        out.append("\n".join(held))
        held, lexer = [], Lexer()
    if "".join(held).strip():
        out.append("\n".join(held))
    return out


def without_comments(text):
    return re.sub(r"--[^\n]*|/\*.*?\*/", " ", text, flags=re.S).strip()


def answers(parts, port, data):
    """What psql prints for each part."""
    script = "\n".join(f"{part}\n\\echo {MARK} {number}" for number, part in enumerate(parts)) + "\n"
    environment = dict(
        os.environ, PGHOST="127.0.0.1", PGPORT=str(port), PGUSER="graphwire", PGDATABASE="regression", PGTZ="PST8PDT",
        PGDATESTYLE="Postgres, MDY", PGOPTIONS="-c intervalstyle=postgres_verbose -c statement_timeout=30s",
        PG_ABS_SRCDIR=data, PG_LIBDIR="/none", PG_DLSUFFIX=".so", PG_ABS_BUILDDIR=data, LC_MESSAGES="C",
    )
    command = ["psql", "-X", "-q", "-v", "HIDE_TABLEAM=on", "-v", "HIDE_TOAST_COMPRESSION=on"]
    done = subprocess.run(
        command, input=script.encode("utf-8", "surrogateescape"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environment, timeout=900, check=False,
    )
    text = done.stdout.decode("utf-8", "replace")
    found = [None] * len(parts)
    at = 0
    for number in range(len(parts)):
        mark = f"{MARK} {number}\n"
        end = text.find(mark, at)
        if end < 0:
            continue
        found[number] = text[at:end]
        at = end + len(mark)
    return found


def tidied(text):
    """An answer without what may differ: line numbers of the script, which marks shift equally, and times."""
    text = re.sub(r"^psql:[^ ]*:\d+: ", "", text, flags=re.M)
    text = re.sub(r"^psql(:<stdin>:\d+)?: ", "", text, flags=re.M)
    return text


def same(part, left, right):
    left, right = tidied(left), tidied(right)
    if left == right:
        return True
    if not re.search(r"\border\s+by\b", part, re.I):
        return sorted(left.split("\n")) == sorted(right.split("\n"))
    return False


def complaint(text):
    found = re.search(r"(ERROR|FATAL|PANIC):  (.*)", text or "")
    return found.group(0) if found else None


def main():
    home, postgres, graphwire, data, keep = sys.argv[1:6]
    for name in sys.argv[6:]:
        parts = statements(f"{home}/sql/{name}.sql")
        asked = good = 0
        left, right = (answers(parts, port, data) for port in (postgres, graphwire))
        with open(f"{keep}/{name}.diff", "w", encoding="utf-8", errors="surrogateescape") as differences:
            for part, there, here in zip(parts, left, right):
                if there is None or FOREIGN.search(without_comments(part)):
                    continue
                asked += 1
                if here is not None and same(part, there, here):
                    good += 1
                    continue
                error = complaint(here)
                kind = "no answer" if here is None else error if error and error != complaint(there) else "other answer"
                differences.write(f"---- {kind}\n{part}\n---- PostgreSQL\n{there}---- graphwire\n{here}\n")
        print(f"{name:24} {good:5} of {asked:5}  {100 * good / max(asked, 1):5.1f} %", flush=True)


if __name__ == "__main__":
    main()

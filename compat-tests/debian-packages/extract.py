#!/usr/bin/env python3
"""Turns `apt-cache dumpavail` on standard input into tables in PostgreSQL's COPY text format.

    apt-cache dumpavail | extract.py FOLDER

writes package.tsv, depends.tsv and related.tsv; README.md beside this file says what is in them.
"""
import functools
import os
import re
import sys

NEEDS = ("Pre-Depends", "Depends")
KNOWS = ("Recommends", "Suggests", "Enhances", "Breaks", "Conflicts", "Replaces", "Provides")
ONE = re.compile(r"([^\s:(\[]+)(?::\S+)?\s*(?:\(([^)]*)\))?")


def paragraphs(lines):
    """The fields of each paragraph; of a field of several lines the first alone."""
    fields = {}
    for line in lines:
        if line == "\n":
            if fields:
                yield fields
            fields = {}
        elif line[0] not in " \t":
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    if fields:
        yield fields


def order(character):
    """dpkg's order of the characters in a version: ~ before the end, letters before the rest."""
    return -1 if character == "~" else ord(character) if character.isalpha() else ord(character) + 256


def compare_part(a, b):
    while a or b:
        text_a, text_b = re.match(r"\D*", a)[0], re.match(r"\D*", b)[0]
        for i in range(max(len(text_a), len(text_b))):
            x = order(text_a[i]) if i < len(text_a) else 0
            y = order(text_b[i]) if i < len(text_b) else 0
            if x != y:
                return x - y
        a, b = a[len(text_a):], b[len(text_b):]
        number_a, number_b = re.match(r"\d*", a)[0], re.match(r"\d*", b)[0]
        if int(number_a or 0) != int(number_b or 0):
            return int(number_a or 0) - int(number_b or 0)
        a, b = a[len(number_a):], b[len(number_b):]
    return 0


def version_parts(version):
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch), upstream, revision


@functools.cmp_to_key
def version_key(a, b):
    (epoch_a, upstream_a, revision_a), (epoch_b, upstream_b, revision_b) = version_parts(a), version_parts(b)
    return (epoch_a - epoch_b) or compare_part(upstream_a, upstream_b) or compare_part(revision_a, revision_b)


def field(value):
    if value is None:
        return r"\N"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def write(path, rows):
    with open(path, "w") as file:
        for row in rows:
            file.write("\t".join(map(field, row)) + "\n")


def edges(newest):
    """{(package, dependency, kind): constraint}, of needs and of the rest."""
    needs, knows = {}, {}
    for fields in newest.values():
        for kind in (*NEEDS, *KNOWS):
            for group in filter(None, map(str.strip, fields.get(kind, "").split(","))):
                for position, choice in enumerate(group.split("|")):
                    name, constraint = ONE.match(choice.strip()).groups()
                    table = needs if kind in NEEDS and position == 0 else knows
                    key = (fields["Package"], name, "Alternative" if kind in NEEDS and position > 0 else kind)
                    both = [c for c in (table.get(key), constraint) if c]
                    table[key] = ", ".join(both) or None
    return needs, knows


def main(folder):
    newest = {}
    for fields in paragraphs(sys.stdin):
        known = newest.get(fields["Package"])
        if known is None or version_key(known["Version"]) < version_key(fields["Version"]):
            newest[fields["Package"]] = fields
    needs, knows = edges(newest)
    names = {name: None for table in (needs, knows) for _, name, _ in table}
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, "package.tsv"), [
        (f["Package"], f["Version"], f.get("Section"), f.get("Priority"), f.get("Installed-Size"), f.get("Description"))
        for f in newest.values()
    ] + [(name, None, None, None, None, None) for name in names if name not in newest])
    write(os.path.join(folder, "depends.tsv"), [(*key, constraint) for key, constraint in needs.items()])
    write(os.path.join(folder, "related.tsv"), [(*key, constraint) for key, constraint in knows.items()])
    print(f"{len(newest)} packages, {len([n for n in names if n not in newest])} other names, "
          f"{len(needs)} needed, {len(knows)} related")


if __name__ == "__main__":
    main(sys.argv[1])

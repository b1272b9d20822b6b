"""Reads the recorded statements, and writes them another way that means the same."""
import hashlib
import random
import re

ENTRY = re.compile(r"^-- x\d+[^\n]*\n", re.M)
SECTION = re.compile(r"^-- ====[^\n]*", re.M)
TOKEN = re.compile(r"""
    \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ | [eE]?'(?:[^'\\]|''|\\.)*' | "(?:[^"]|"")*"
  | --[^\n]*\n | /\*.*?\*/ | \s+ | [A-Za-z_][A-Za-z_0-9$]* | \d+(?:\.\d+)? | ::|.""", re.X | re.S)
# Words that follow a relation's name and are no alias.
CLAUSES = set("""on where join left right full inner outer cross natural using order group having limit offset union
    intersect except set returning as from select with and or not for fetch values tablesample lateral window""".split())


def read(path):
    """[(text, is_catalog)] of a file."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    found, section = [], 0
    pieces = ENTRY.split(text)
    for piece in pieces:
        first = section == 1
        if SECTION.search(piece):
            section += 1
        body = SECTION.split(piece)[0].strip()
        if body and not body.startswith("-- ") or "\n" in body and not body.startswith("-- "):
            found.append((body.removesuffix(";"), first))
    return found


def key(text):
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def tokens(text):
    return [m.group(0) for m in TOKEN.finditer(text)]


def is_word(token):
    return bool(re.fullmatch(r"[A-Za-z_][A-Za-z_0-9$]*", token))


def aliases(parts):
    """The aliases of relations: `pg_class c` and `pg_class AS c` behind FROM, JOIN or a comma."""
    solid = [p for p in parts if not p.isspace() and not p.startswith(("--", "/*"))]
    found = set()
    for i, token in enumerate(solid):
        if not (is_word(token) and token.lower().startswith("pg_")) or i + 2 >= len(solid):
            continue
        at = i + 1
        if solid[at].lower() == "as":
            at += 1
        word = solid[at]
        if is_word(word) and word.lower() not in CLAUSES and not word.lower().startswith("pg_"):
            found.add(word)
    return found


def rewritten(text, seed):
    """The same statement with other white space, comments and aliases."""
    chance = random.Random(seed)
    parts = tokens(text)
    names = {name: f"{name}_{chance.randrange(100)}" for name in sorted(aliases(parts))}
    solid = [(i, p) for i, p in enumerate(parts) if not p.isspace() and not p.startswith(("--", "/*"))]
    for at, (i, part) in enumerate(solid):
        before = solid[at - 1][1] if at else ""
        after = solid[at + 1][1] if at + 1 < len(solid) else ""
        if part in names and before != "." and (after == "." or is_word(before) or before == ")"):
            is_alias_definition = before.lower() == "as" or before.lower().startswith("pg_")
            if after == "." or is_alias_definition:
                parts[i] = names[part]
    spaces = ["\n", "  ", "\t", " /* a comment */ ", " -- a comment\n"]
    return "".join(chance.choice(spaces) if p.isspace() else p for p in parts)

"""What counts as a different answer, and the list of those that are known."""
import collections
import os
import re

from servers import Answer

Difference = collections.namedtuple("Difference", "kind detail")
# Types that PostgreSQL makes for each table have OIDs of their own.
FIRST_OWN_OID = 16384


def lost(error):
    answer = Answer()
    answer.state, answer.message = "lost", str(error)
    return answer


def compare(text, first, second, other):
    """None, or how graphwire's answer differs from that of both PostgreSQLs."""
    if other.state != first.state:
        if first.state and not other.state:
            return Difference("differs", f"PostgreSQL fails with {first.state}: {first.message}")
        return Difference("error", f"{other.state} {other.message}" + (f" (PostgreSQL: {first.state} {first.message})" if first.state else ""))
    if first.state:
        return None
    if masked_types(first.parameters) != masked_types(other.parameters):
        return Difference("differs", f"parameter types {other.parameters}, PostgreSQL {first.parameters}")
    if len(first.results) != len(other.results):
        return Difference("differs", f"{len(other.results)} results, PostgreSQL {len(first.results)}")
    for one, two, three in zip(first.results, second.results, other.results):
        if (difference := compare_result(text, one, two, three)):
            return difference
    return None


def masked_types(types):
    return tuple(t if t < FIRST_OWN_OID else "own" for t in types)


def compare_result(text, first, second, other):
    names = [[c[0] for c in r[1]] for r in (first, other)]
    if names[0] != names[1]:
        return Difference("differs", f"columns {names[1]}, PostgreSQL {names[0]}")
    for ours, theirs in zip(other[1], first[1]):
        if masked_types(ours[1:2]) != masked_types(theirs[1:2]) or ours[2] != theirs[2]:
            return Difference("differs", f"type of {ours[0]}: {ours[1:]}, PostgreSQL {theirs[1:]}")
    first, second, other = (without_version(whole(r)) for r in (first, second, other))
    count = max((len(row) for row in first[2]), default=0)
    changing = {c for c in range(count) if sorted_column(first, c) != sorted_column(second, c)}
    rows = [[tuple("*" if c in changing else v for c, v in enumerate(row)) for row in r[2]] for r in (first, other)]
    if collections.Counter(rows[0]) != collections.Counter(rows[1]):
        return Difference("differs", rows_detail(rows, [c[0] for c in first[1]]))
    if first[0] == second[0] and first[0] != other[0]:
        return Difference("differs", f"{other[0]}, PostgreSQL {first[0]}")
    return None


def whole(result):
    """Binary COPY is its tuples, in however many messages they came; their order is nobody's, as that of rows."""
    tag, columns, rows = result
    if tag == "COPY OUT" and rows and rows[0][0].startswith(b"PGCOPY"):
        return tag, columns, [(piece,) for piece in copied_tuples(b"".join(row[0] for row in rows))]
    return result


def copied_tuples(copied):
    """The header, each tuple, and what ends them: https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format"."""
    start, at = 0, 19 + int.from_bytes(copied[15:19], "big")
    while at < len(copied):
        yield copied[start:at]
        start = at
        fields = int.from_bytes(copied[at:at + 2], "big", signed=True)
        at += 2
        for _ in range(fields):
            length = int.from_bytes(copied[at:at + 4], "big", signed=True)
            at += 4 + max(length, 0)
    yield copied[start:]


def without_version(result):
    """The minor version of the PostgreSQL beside it is the machine's, not ours."""
    tag, columns, rows = result
    minor = [n for n, column in enumerate(columns) if column[0] == "server_version_num"]
    return tag, columns, [tuple(v[:2] if n in minor and v else v for n, v in enumerate(row)) for row in rows]


def sorted_column(result, column):
    return sorted(row[column] if row[column] is not None else b"" for row in result[2])


def rows_detail(rows, names):
    theirs, ours = collections.Counter(rows[0]), collections.Counter(rows[1])
    missing, extra = list((theirs - ours).elements()), list((ours - theirs).elements())
    text = f"{len(rows[1])} rows, PostgreSQL {len(rows[0])}"
    if missing and extra:
        best = min(extra, key=lambda row: sum(a != b for a, b in zip(row, missing[0])))
        columns = [f"{names[c] if c < len(names) else c}: {show(b)}, PostgreSQL {show(a)}" for c, (a, b) in enumerate(zip(missing[0], best)) if a != b]
        return f"{text}; " + "; ".join(columns[:4])
    if missing:
        return f"{text}; missing " + ", ".join(show(v) for v in missing[0])[:200]
    return f"{text}; extra " + ", ".join(show(v) for v in extra[0])[:200]


def show(value):
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return "null" if value is None else repr(value[:120])


class Known:
    """The list: `client key  reason`, one a line. It only shrinks."""

    def __init__(self, path):
        self.path, self.reasons, self.seen, self.new = path, {}, set(), {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    if line.strip() and not line.startswith("#"):
                        label, key, reason = re.match(r"(.+?) ([0-9a-f]{10})  (.*)", line).groups()
                        self.reasons[label, key] = reason.strip()

    def sort(self, label, found):
        """(the new differences, how many known ones)"""
        new, expected = [], 0
        for key, items in found.items():
            self.seen.add((label, key))
            # What differs when it is asked plainly differs when it is written another way.
            if (label, key) in self.reasons or (label.removesuffix(" shapes"), key) in self.reasons:
                expected += len(items)
            else:
                self.new[label, key] = items[0][0].detail
                new += [(key, *item) for item in items]
        return new, expected

    def stale(self, labels):
        return [f"{label} {key}" for (label, key) in self.reasons if label in labels and (label, key) not in self.seen]

    def write(self, labels):
        keep = {k: r for k, r in self.reasons.items() if k[0] not in labels or k in self.seen}
        keep.update({k: f"TODO {detail[:150]}" for k, detail in self.new.items()})
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("# client, the statement's key, and why graphwire answers differently; the list only shrinks.\n")
            for (label, key), reason in sorted(keep.items()):
                file.write(f"{label} {key}  {reason}\n".replace("\n", " ").strip() + "\n")

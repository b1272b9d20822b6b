"""Compares pytest's reports of two servers: what passes on PostgreSQL has to pass on graphwire, or be known."""
import os
import re
import sys

LINE = re.compile(r"^(PASSED|FAILED|ERROR|XFAIL|SUBFAILED(?:\([^)]*\))?) (\S.*?)(?: - (.*))?$")
# The name of the server's version in SQLAlchemy's test names.
VERSION = re.compile(r"_postgresql\+psycopg2_[0-9_]+")


def outcomes(path):
    found = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if (match := LINE.match(line.rstrip("\n"))):
                outcome, name, why = match.groups()
                name = VERSION.sub("", name)
                if outcome != "PASSED" or name not in found:
                    found[name] = (outcome, why or "")
    return found


def main():
    arguments = [a for a in sys.argv[1:] if a != "--bless"]
    suite, postgres, graphwire, known_path = arguments
    first, second = outcomes(postgres), outcomes(graphwire)
    passing = sorted(name for name, (outcome, _) in first.items() if outcome == "PASSED")
    known = {}
    if os.path.exists(known_path):
        with open(known_path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        known = dict(line.split("  ", 1) for line in lines if line and not line.startswith("#"))
    failing = [name for name in passing if second.get(name, ("", ""))[0] != "PASSED"]
    new = [name for name in failing if f"{suite} {name}" not in known]
    gone = [key for key in known if key.startswith(f"{suite} ") and key[len(suite) + 1:] not in failing]
    for name in new:
        print(f"FAILED   {suite} {name}: {second.get(name, ('no report', ''))}")
    for key in gone:
        print(f"FAILED   passes, take it off known_failures.txt: {key}")
    print(f"{suite}: {len(passing)} pass on PostgreSQL, {len(passing) - len(failing)} of them on graphwire "
          f"({100 * (len(passing) - len(failing)) / max(len(passing), 1):.1f} %)")
    if "--bless" in sys.argv:
        kept = {key: why for key, why in known.items() if not key.startswith(f"{suite} ")}
        for name in failing:
            key = f"{suite} {name}"
            kept[key] = known.get(key) or f"TODO {second.get(name, ('', ''))[1][:150]}"
        with open(known_path, "w", encoding="utf-8") as file:
            file.write("# Tests that pass on PostgreSQL 15 and fail on graphwire, and why; the list only shrinks.\n")
            file.writelines(f"{key}  {why}\n" for key, why in sorted(kept.items()))
        new, gone = [], []
    bad = len(new) + len(gone)
    print(f"{len(passing) - len(failing)} passed, {bad} failed, {len(failing) - len(new)} skipped")
    return 1 if bad or not passing else 0


if __name__ == "__main__":
    sys.exit(main())

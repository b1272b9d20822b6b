"""Runs the programs of docs/cypher.md as they are written there, and compares what they print."""
import os
import re
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
document = os.path.join(here, "..", "..", "docs", "cypher.md")
clients = os.environ.get("GRAPHWIRE_CLIENTS", os.path.expanduser("~/.cache/graphwire/clients"))
fence = re.compile(r"^```(python|javascript|text)\n(.*?)^```$", re.S | re.M)


def command(language):
    if language == "python":
        python = os.path.join(clients, "psycopg3", "bin", "python")
        return [python, "-B", "-"] if os.access(python, os.X_OK) else None
    modules = os.path.join(clients, "node-pg", "node_modules")
    os.environ["NODE_PATH"] = modules
    return ["node", "--no-deprecation", "-"] if os.path.isdir(os.path.join(modules, "pg")) else None


def is_graphwire():
    python = os.path.join(clients, "psycopg3", "bin", "python")
    ask = "import psycopg; print(psycopg.connect().execute('SELECT version()').fetchone()[0])"
    done = subprocess.run([python, "-B", "-c", ask], capture_output=True, text=True, timeout=60)
    return "graphwire" in done.stdout


def main():
    if not os.access(os.path.join(clients, "psycopg3", "bin", "python"), os.X_OK):
        print("psycopg3 is not installed")
        return 77
    if not is_graphwire():
        print("0 passed, 0 failed, 2 skipped")
        return 0
    blocks = fence.findall(open(document, encoding="utf-8").read())
    passed = failed = skipped = 0
    for (language, program), (kind, expected) in zip(blocks, blocks[1:]):
        if language == "text":
            continue
        run = command(language)
        if run is None:
            print(f"SKIPPED  {language}: the client is not installed")
            skipped += 1
            continue
        done = subprocess.run(run, input=program, capture_output=True, text=True, timeout=120)
        if done.returncode == 0 and kind == "text" and done.stdout == expected:
            print(f"ok       {language}")
            passed += 1
        else:
            first = (done.stderr or done.stdout).strip().splitlines()
            print(f"FAILED   {language}: {first[-1] if first else 'printed nothing'}")
            print(done.stdout)
            failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


sys.exit(main())

"""Rights and statements that were prepared before: a REVOKE, a GRANT and a SET ROLE hold for the next Execute.

A statement is prepared by name on an open connection and executed again after each change.  Run against graphwire
(or PostgreSQL: the expectations are its own).
"""
import sys

import psycopg


def check(name, got, wanted):
    ok = got == wanted
    print(f"{'ok' if ok else 'FAIL'} {name}" + ("" if ok else f": {got}, expected {wanted}"))
    return ok


def verdict(connection, query, *parameters):
    try:
        return connection.execute(query, parameters or None, prepare=True).fetchall()
    except psycopg.Error as error:
        return error.sqlstate


def main():
    port = int(sys.argv[1])
    base = {"host": "127.0.0.1", "port": port, "dbname": "graphwire", "autocommit": True}
    admin = psycopg.connect(user="graphwire", **base)
    for statement in [
        "CREATE ROLE prep_user LOGIN", "CREATE ROLE prep_group", "GRANT prep_group TO prep_user",
        "CREATE TABLE prep_t (id int PRIMARY KEY, a int)", "INSERT INTO prep_t VALUES (1, 10)",
        "CREATE VIEW prep_v AS SELECT a FROM prep_t", "CREATE SCHEMA prep_s", "CREATE TABLE prep_s.t (a int)",
        "GRANT SELECT ON prep_s.t TO prep_user",
    ]:
        admin.execute(statement)
    user = psycopg.connect(user="prep_user", **base)
    query = "SELECT a FROM prep_t WHERE id = %s"
    results = []
    results.append(check("before any grant", verdict(user, query, 1), "42501"))
    admin.execute("GRANT SELECT ON prep_t TO prep_user")
    for _ in range(6):
        results.append(check("granted", verdict(user, query, 1), [(10,)]))
    admin.execute("REVOKE SELECT ON prep_t FROM prep_user")
    results.append(check("revoked", verdict(user, query, 1), "42501"))
    admin.execute("GRANT SELECT (a) ON prep_t TO prep_user")
    results.append(check("one column of two", verdict(user, query, 1), "42501"))
    admin.execute("GRANT SELECT (id) ON prep_t TO prep_user")
    results.append(check("both columns", verdict(user, query, 1), [(10,)]))
    admin.execute("REVOKE SELECT (a, id) ON prep_t FROM prep_user")
    admin.execute("GRANT SELECT ON prep_t TO prep_group")
    results.append(check("by membership", verdict(user, query, 1), [(10,)]))
    admin.execute("REVOKE prep_group FROM prep_user")
    results.append(check("membership revoked", verdict(user, query, 1), "42501"))
    admin.execute("GRANT prep_group TO prep_user")
    admin.execute("ALTER ROLE prep_user NOINHERIT")
    results.append(check("not inherited", verdict(user, query, 1), "42501"))
    user.execute("SET ROLE prep_group")
    results.append(check("after SET ROLE", verdict(user, query, 1), [(10,)]))
    user.execute("RESET ROLE")
    results.append(check("after RESET ROLE", verdict(user, query, 1), "42501"))
    admin.execute("GRANT SELECT ON prep_v TO prep_user")
    results.append(check("through a view", verdict(user, "SELECT a FROM prep_v"), [(10,)]))
    admin.execute("REVOKE SELECT ON prep_v FROM prep_user")
    results.append(check("view revoked", verdict(user, "SELECT a FROM prep_v"), "42501"))
    schema = "SELECT count(*) FROM prep_s.t"
    results.append(check("schema without usage", verdict(user, schema), "42501"))
    admin.execute("GRANT USAGE ON SCHEMA prep_s TO prep_user")
    results.append(check("schema with usage", verdict(user, schema), [(0,)]))
    admin.execute("REVOKE USAGE ON SCHEMA prep_s FROM prep_user")
    results.append(check("schema revoked", verdict(user, schema), "42501"))
    write = "UPDATE prep_t SET a = a + 1 WHERE id = %s RETURNING a"
    admin.execute("GRANT SELECT, UPDATE ON prep_t TO prep_user")
    for _ in range(6):
        verdict(user, write, 1)
    admin.execute("REVOKE UPDATE ON prep_t FROM prep_user")
    results.append(check("write revoked", verdict(user, write, 1), "42501"))
    # Inside a transaction that keeps its snapshot, too.
    user.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    results.append(check("in a snapshot", verdict(user, query, 1) != "42501", True))
    admin.execute("REVOKE SELECT ON prep_t FROM prep_user")
    # PostgreSQL learns of it with the next lock it takes; graphwire at once.
    if "graphwire" in admin.execute("SELECT version()").fetchone()[0]:
        results.append(check("revoked in a snapshot", verdict(user, query, 1), "42501"))
    user.execute("ROLLBACK")
    for statement in ["DROP VIEW prep_v", "DROP TABLE prep_t", "DROP SCHEMA prep_s CASCADE", "DROP OWNED BY prep_user", "DROP OWNED BY prep_group"]:
        admin.execute(statement)
    user.close()
    admin.execute("DROP ROLE prep_user, prep_group")
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed, 0 skipped")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

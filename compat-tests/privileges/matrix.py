"""The privilege matrix: statements, the rights each needs, and what two servers say with and without them.

Each case is run as the role alice in a transaction that is rolled back: with no right, with exactly the rights listed, and
with each of them missing in turn.  The servers must agree on "ok" or on the SQLSTATE.
"""
import sys

import psycopg
from psycopg import pq

SETUP = """
CREATE ROLE owner_role;
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE grp;
CREATE ROLE reader;
CREATE SCHEMA s;
CREATE SCHEMA other;
ALTER SCHEMA s OWNER TO owner_role;
GRANT CREATE, USAGE ON SCHEMA public TO owner_role;
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
CREATE TABLE t2 (id int PRIMARY KEY, a int REFERENCES t (id), b text);
CREATE TABLE s.st (id int PRIMARY KEY, a int);
CREATE SEQUENCE seq;
CREATE TABLE ser (id serial, a int);
CREATE TABLE ident (id int GENERATED ALWAYS AS IDENTITY, a int);
CREATE VIEW v AS SELECT id, a FROM t;
CREATE VIEW vi WITH (security_invoker = true) AS SELECT id, a FROM t;
CREATE INDEX t_a ON t (a);
INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y');
INSERT INTO t2 VALUES (1, 1, 'x');
INSERT INTO s.st VALUES (1, 1);
ALTER TABLE t OWNER TO owner_role;
ALTER TABLE t2 OWNER TO owner_role;
ALTER TABLE s.st OWNER TO owner_role;
ALTER TABLE ser OWNER TO owner_role;
ALTER TABLE ident OWNER TO owner_role;
ALTER SEQUENCE seq OWNER TO owner_role;
ALTER VIEW v OWNER TO owner_role;
ALTER VIEW vi OWNER TO owner_role;
"""

# Before each run: alice has nothing, and owns nothing.
RESET = [
    "REASSIGN OWNED BY alice TO owner_role",
    "DROP OWNED BY alice",
    "ALTER ROLE alice NOSUPERUSER NOCREATEROLE NOCREATEDB NOBYPASSRLS INHERIT",
    "REVOKE grp, reader, owner_role, pg_read_all_data, pg_write_all_data, pg_monitor, pg_checkpoint, pg_read_server_files FROM alice",
    "REVOKE ALL ON t, t2, v, vi, seq, ser FROM PUBLIC",
    "REVOKE ALL ON t FROM grp",
    "REVOKE ALL ON SCHEMA s FROM grp",
    "REVOKE ALL (id, a, b) ON t FROM grp",
]


def g(right, on="t", to="alice", tail=""):
    return f"GRANT {right} ON {on} TO {to}{tail}"


OWN_T = "ALTER TABLE t OWNER TO alice"

# name, statement, rights
CASES = [
    # Reading a table, as a whole and by columns.
    ("select star", "SELECT * FROM t", [g("SELECT")]),
    ("select star by columns", "SELECT * FROM t", [g("SELECT (id)"), g("SELECT (a)"), g("SELECT (b)")]),
    ("select columns", "SELECT id, a FROM t", [g("SELECT (id, a)")]),
    ("select where", "SELECT id FROM t WHERE a = 1", [g("SELECT (id)"), g("SELECT (a)")]),
    ("select order", "SELECT id FROM t ORDER BY b", [g("SELECT (id)"), g("SELECT (b)")]),
    ("select group", "SELECT count(*) FROM t GROUP BY a", [g("SELECT (a)")]),
    ("select having", "SELECT a FROM t GROUP BY a HAVING max(b) > ''", [g("SELECT (a)"), g("SELECT (b)")]),
    ("select count", "SELECT count(*) FROM t", [g("SELECT (b)")]),
    ("select one", "SELECT 1 FROM t", [g("SELECT (a)")]),
    ("select window", "SELECT rank() OVER (ORDER BY a) FROM t", [g("SELECT (a)")]),
    ("select join", "SELECT t.id FROM t JOIN t2 ON t.id = t2.a", [g("SELECT (id)"), g("SELECT (a)", "t2")]),
    ("select join using", "SELECT count(*) FROM t JOIN t2 USING (id)", [g("SELECT (id)"), g("SELECT (id)", "t2")]),
    ("select subquery", "SELECT id FROM t WHERE a IN (SELECT a FROM t2)", [g("SELECT (id, a)"), g("SELECT (a)", "t2")]),
    ("select exists", "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM t2 WHERE t2.a = t.id)", [g("SELECT (id)"), g("SELECT (a)", "t2")]),
    ("select scalar", "SELECT (SELECT max(b) FROM t2 WHERE t2.id = t.id) FROM t", [g("SELECT (id)"), g("SELECT (id)", "t2"), g("SELECT (b)", "t2")]),
    ("select cte", "WITH c AS (SELECT id, a FROM t) SELECT id FROM c", [g("SELECT (id)"), g("SELECT (a)")]),
    ("select derived", "SELECT x FROM (SELECT id AS x, b FROM t) d", [g("SELECT (id)"), g("SELECT (b)")]),
    ("select union", "SELECT id FROM t UNION SELECT id FROM t2", [g("SELECT (id)"), g("SELECT (id)", "t2")]),
    ("select distinct", "SELECT DISTINCT a FROM t", [g("SELECT (a)")]),
    ("select case", "SELECT CASE WHEN a = 1 THEN b END FROM t", [g("SELECT (a)"), g("SELECT (b)")]),
    ("table command", "TABLE t", [g("SELECT")]),
    ("select alias", "SELECT x.id FROM t AS x", [g("SELECT (id)")]),
    ("select self join", "SELECT x.id FROM t x, t y WHERE y.b = 'x'", [g("SELECT (id)"), g("SELECT (b)")]),
    ("select by public", "SELECT id FROM t", [g("SELECT", to="PUBLIC")]),
    ("select by group", "SELECT id FROM t", [g("SELECT", to="grp"), "GRANT grp TO alice"]),
    ("select by column of group", "SELECT id FROM t", [g("SELECT (id)", to="grp"), "GRANT grp TO alice"]),
    ("select noinherit", "SELECT id FROM t", [g("SELECT", to="grp"), "GRANT grp TO alice", "ALTER ROLE alice INHERIT"]),
    ("select read all data", "SELECT id FROM t", ["GRANT pg_read_all_data TO alice"]),
    ("select as owner", "SELECT id FROM t", [OWN_T]),
    ("select superuser", "SELECT id FROM t", ["ALTER ROLE alice SUPERUSER"]),
    ("explain", "EXPLAIN SELECT id FROM t", [g("SELECT (id)")]),
    ("explain analyze delete", "EXPLAIN ANALYZE DELETE FROM t2", [g("DELETE", "t2")]),
    ("prepare", "PREPARE p AS SELECT id FROM t; EXECUTE p", [g("SELECT (id)")]),
    ("cursor", "DECLARE c CURSOR FOR SELECT id FROM t", [g("SELECT (id)")]),
    # Locks.
    ("for update", "SELECT id FROM t FOR UPDATE", [g("SELECT (id)"), g("UPDATE (a)")]),
    ("for update whole", "SELECT * FROM t FOR UPDATE", [g("SELECT"), g("UPDATE")]),
    ("for share", "SELECT id FROM t FOR SHARE", [g("SELECT (id)"), g("UPDATE (b)")]),
    ("lock access share", "LOCK TABLE t IN ACCESS SHARE MODE", [g("SELECT")]),
    ("lock row exclusive by insert", "LOCK TABLE t IN ROW EXCLUSIVE MODE", [g("INSERT")]),
    ("lock row exclusive by update", "LOCK TABLE t IN ROW EXCLUSIVE MODE", [g("UPDATE")]),
    ("lock exclusive", "LOCK TABLE t IN EXCLUSIVE MODE", [g("DELETE")]),
    ("lock exclusive by truncate", "LOCK TABLE t", [g("TRUNCATE")]),
    ("lock exclusive by select", "LOCK TABLE t IN SHARE MODE", [g("SELECT"), g("UPDATE")]),
    # Writing.
    ("insert", "INSERT INTO t VALUES (3, 30, 'z')", [g("INSERT")]),
    ("insert columns", "INSERT INTO t (id, a) VALUES (3, 30)", [g("INSERT (id)"), g("INSERT (a)")]),
    ("insert implied columns", "INSERT INTO t VALUES (3)", [g("INSERT (id)")]),
    ("insert select", "INSERT INTO t (id) SELECT id + 10 FROM t2", [g("INSERT (id)"), g("SELECT (id)", "t2")]),
    ("insert returning", "INSERT INTO t (id) VALUES (3) RETURNING id", [g("INSERT (id)"), g("SELECT (id)")]),
    ("insert returning other", "INSERT INTO t (id) VALUES (3) RETURNING b", [g("INSERT (id)"), g("SELECT (b)")]),
    ("insert returning constant", "INSERT INTO t (id) VALUES (3) RETURNING 1", [g("INSERT (id)")]),
    ("insert conflict nothing", "INSERT INTO t (id) VALUES (1) ON CONFLICT DO NOTHING", [g("INSERT (id)")]),
    ("insert conflict target", "INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO NOTHING", [g("INSERT (id)"), g("SELECT (id)")]),
    ("insert conflict update", "INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 5", [g("INSERT (id)"), g("SELECT (id)"), g("UPDATE (a)")]),
    ("insert conflict excluded", "INSERT INTO t (id, a) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET a = excluded.a", [g("INSERT (id)"), g("INSERT (a)"), g("SELECT (id)"), g("UPDATE (a)")]),
    ("insert conflict reads", "INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET a = t.a + 1", [g("INSERT (id)"), g("SELECT (id)"), g("SELECT (a)"), g("UPDATE (a)")]),
    ("insert conflict where", "INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 5 WHERE t.b = 'x'", [g("INSERT (id)"), g("SELECT (id)"), g("SELECT (b)"), g("UPDATE (a)")]),
    ("insert write all data", "INSERT INTO t (id) VALUES (3)", ["GRANT pg_write_all_data TO alice"]),
    ("update", "UPDATE t SET a = 1", [g("UPDATE")]),
    ("update column", "UPDATE t SET a = 1", [g("UPDATE (a)")]),
    ("update where", "UPDATE t SET a = 1 WHERE id = 1", [g("UPDATE (a)"), g("SELECT (id)")]),
    ("update reads", "UPDATE t SET a = a + 1", [g("UPDATE (a)"), g("SELECT (a)")]),
    ("update from other column", "UPDATE t SET a = length(b)", [g("UPDATE (a)"), g("SELECT (b)")]),
    ("update copies column", "UPDATE t SET a = id", [g("UPDATE (a)"), g("SELECT (id)")]),
    ("update two", "UPDATE t SET a = 1, b = 'q'", [g("UPDATE (a)"), g("UPDATE (b)")]),
    ("update from", "UPDATE t SET a = t2.a FROM t2 WHERE t.id = t2.id", [g("UPDATE (a)"), g("SELECT (id)"), g("SELECT (a)", "t2"), g("SELECT (id)", "t2")]),
    ("update subquery", "UPDATE t SET a = (SELECT max(a) FROM t2)", [g("UPDATE (a)"), g("SELECT (a)", "t2")]),
    ("update returning", "UPDATE t SET a = 1 RETURNING b", [g("UPDATE (a)"), g("SELECT (b)")]),
    ("update default", "UPDATE t SET a = DEFAULT", [g("UPDATE (a)")]),
    ("delete", "DELETE FROM t2", [g("DELETE", "t2")]),
    ("delete where", "DELETE FROM t2 WHERE id = 1", [g("DELETE", "t2"), g("SELECT (id)", "t2")]),
    ("delete using", "DELETE FROM t2 USING t WHERE t.id = t2.id", [g("DELETE", "t2"), g("SELECT (id)", "t2"), g("SELECT (id)")]),
    ("delete returning", "DELETE FROM t2 RETURNING b", [g("DELETE", "t2"), g("SELECT (b)", "t2")]),
    ("delete write all data", "DELETE FROM t2", ["GRANT pg_write_all_data TO alice"]),
    ("merge", "MERGE INTO t USING t2 ON t.id = t2.id WHEN MATCHED THEN UPDATE SET b = t2.b WHEN NOT MATCHED THEN INSERT VALUES (t2.id, 1, 'x')", [g("SELECT"), g("UPDATE (b)"), g("INSERT"), g("SELECT", "t2")]),
    ("merge delete", "MERGE INTO t2 USING t ON t.id = t2.id WHEN MATCHED THEN DELETE", [g("SELECT", "t2"), g("DELETE", "t2"), g("SELECT")]),
    ("with insert", "WITH w AS (INSERT INTO t (id) VALUES (7) RETURNING id) SELECT id FROM w", [g("INSERT (id)"), g("SELECT (id)")]),
    ("truncate", "TRUNCATE t2", [g("TRUNCATE", "t2")]),
    ("truncate cascade", "TRUNCATE t CASCADE", [g("TRUNCATE"), g("TRUNCATE", "t2")]),
    ("create table as", "CREATE TABLE n AS SELECT id FROM t", [g("CREATE", "SCHEMA public"), g("SELECT (id)")]),
    # Schemas.
    ("schema table", "SELECT * FROM s.st", [g("USAGE", "SCHEMA s"), g("SELECT", "s.st")]),
    ("schema by group", "SELECT * FROM s.st", [g("USAGE", "SCHEMA s", "grp"), "GRANT grp TO alice", g("SELECT", "s.st")]),
    ("schema missing table", "SELECT * FROM s.nothing", [g("USAGE", "SCHEMA s")]),
    ("schema path", "SET LOCAL search_path = s; SELECT * FROM st", [g("USAGE", "SCHEMA s"), g("SELECT", "s.st")]),
    ("schema create table", "CREATE TABLE s.n (id int)", [g("CREATE", "SCHEMA s"), g("USAGE", "SCHEMA s")]),
    ("public create table", "CREATE TABLE n (id int)", [g("CREATE", "SCHEMA public")]),
    ("public create view", "CREATE VIEW n AS SELECT 1 AS one", [g("CREATE", "SCHEMA public")]),
    ("public create view over table", "CREATE VIEW n AS SELECT id FROM t", [g("CREATE", "SCHEMA public")]),
    ("public create sequence", "CREATE SEQUENCE n", [g("CREATE", "SCHEMA public")]),
    ("create temp table", "CREATE TEMP TABLE n (id int)", []),
    ("create schema", "CREATE SCHEMA n", [g("CREATE", "DATABASE {db}")]),
    ("create schema authorization", "CREATE SCHEMA n AUTHORIZATION grp", [g("CREATE", "DATABASE {db}"), "GRANT grp TO alice"]),
    ("drop schema", "DROP SCHEMA other", ["ALTER SCHEMA other OWNER TO alice"]),
    ("rename schema", "ALTER SCHEMA other RENAME TO other2", ["ALTER SCHEMA other OWNER TO alice", g("CREATE", "DATABASE {db}")]),
    ("drop table by schema owner", "DROP TABLE s.st", ["ALTER SCHEMA s OWNER TO alice"]),
    # Views.
    ("view", "SELECT id FROM v", [g("SELECT", "v")]),
    ("view column", "SELECT id FROM v", [g("SELECT (id)", "v")]),
    ("view invoker", "SELECT id FROM vi", [g("SELECT", "vi"), g("SELECT (id, a)")]),
    ("view of view", "SELECT * FROM v JOIN t USING (id)", [g("SELECT", "v"), g("SELECT")]),
    ("drop view", "DROP VIEW v", ["ALTER VIEW v OWNER TO alice"]),
    # Sequences.
    ("nextval usage", "SELECT nextval('seq')", [g("USAGE", "SEQUENCE seq")]),
    ("nextval update", "SELECT nextval('seq')", [g("UPDATE", "SEQUENCE seq")]),
    ("nextval select", "SELECT nextval('seq')", [g("SELECT", "SEQUENCE seq"), g("USAGE", "SEQUENCE seq")]),
    ("setval", "SELECT setval('seq', 5)", [g("UPDATE", "SEQUENCE seq")]),
    ("currval", "SELECT nextval('seq'), currval('seq')", [g("USAGE", "SEQUENCE seq")]),
    ("select sequence", "SELECT last_value FROM seq", [g("SELECT", "SEQUENCE seq")]),
    ("serial insert", "INSERT INTO ser (a) VALUES (1)", [g("INSERT", "ser"), g("USAGE", "SEQUENCE ser_id_seq")]),
    ("identity insert", "INSERT INTO ident (a) VALUES (1)", [g("INSERT", "ident")]),
    ("alter sequence", "ALTER SEQUENCE seq RESTART", ["ALTER SEQUENCE seq OWNER TO alice"]),
    ("drop sequence", "DROP SEQUENCE seq", ["ALTER SEQUENCE seq OWNER TO alice"]),
    # Ownership.
    ("alter add column", "ALTER TABLE t ADD COLUMN c int", [OWN_T]),
    ("alter drop column", "ALTER TABLE t2 DROP COLUMN b", ["ALTER TABLE t2 OWNER TO alice"]),
    ("alter rename", "ALTER TABLE t RENAME TO tt", [OWN_T, g("CREATE", "SCHEMA public")]),
    ("alter rename column", "ALTER TABLE t RENAME COLUMN b TO bb", [OWN_T]),
    ("alter set schema", "ALTER TABLE t SET SCHEMA other", [OWN_T, g("CREATE", "SCHEMA other"), g("USAGE", "SCHEMA other")]),
    ("alter owner", "ALTER TABLE t OWNER TO grp", [OWN_T, "GRANT grp TO alice", "GRANT CREATE ON SCHEMA public TO grp"]),
    ("alter default", "ALTER TABLE t ALTER COLUMN a SET DEFAULT 1", [OWN_T]),
    ("drop table", "DROP TABLE t2", ["ALTER TABLE t2 OWNER TO alice"]),
    ("create index", "CREATE INDEX n ON t (b)", [OWN_T, g("CREATE", "SCHEMA public")]),
    ("drop index", "DROP INDEX t_a", [OWN_T]),
    ("comment table", "COMMENT ON TABLE t IS 'x'", [OWN_T]),
    ("comment column", "COMMENT ON COLUMN t.a IS 'x'", [OWN_T]),
    ("reindex", "REINDEX TABLE t", [OWN_T]),
    ("analyze", "ANALYZE t", [OWN_T]),
    ("create view replace", "CREATE OR REPLACE VIEW v AS SELECT id, a FROM t", ["ALTER VIEW v OWNER TO alice", g("CREATE", "SCHEMA public")]),
    ("owner by membership", "ALTER TABLE t ADD COLUMN c int", ["GRANT owner_role TO alice"]),
    # Foreign keys.
    ("references", "CREATE TABLE n (id int REFERENCES t (id))", [g("CREATE", "SCHEMA public"), g("REFERENCES")]),
    ("references column", "CREATE TABLE n (id int REFERENCES t (id))", [g("CREATE", "SCHEMA public"), g("REFERENCES (id)")]),
    ("references alter", "ALTER TABLE t2 ADD FOREIGN KEY (id) REFERENCES t (id)", ["ALTER TABLE t2 OWNER TO alice", g("REFERENCES")]),
    # Granting.
    ("grant", "GRANT SELECT ON t TO bob", [g("SELECT", tail=" WITH GRANT OPTION")]),
    ("grant without option", "GRANT SELECT ON t TO bob", [g("SELECT")]),
    ("grant more than held", "GRANT SELECT, INSERT ON t TO bob", [g("SELECT", tail=" WITH GRANT OPTION")]),
    ("grant all", "GRANT ALL ON t TO bob", [OWN_T]),
    ("grant column", "GRANT SELECT (a) ON t TO bob", [g("SELECT (a)", tail=" WITH GRANT OPTION")]),
    ("grant option to public", "GRANT SELECT ON t TO PUBLIC WITH GRANT OPTION", [OWN_T]),
    ("revoke", "REVOKE SELECT ON t FROM bob", [OWN_T]),
    ("grant schema", "GRANT USAGE ON SCHEMA s TO bob", ["ALTER SCHEMA s OWNER TO alice"]),
    ("grant database", "GRANT CREATE ON DATABASE {db} TO bob", [g("CREATE", "DATABASE {db}", tail=" WITH GRANT OPTION")]),
    ("grant sequence", "GRANT USAGE ON SEQUENCE seq TO bob", ["ALTER SEQUENCE seq OWNER TO alice"]),
    ("grant all tables", "GRANT SELECT ON ALL TABLES IN SCHEMA s TO bob", [g("USAGE", "SCHEMA s"), "ALTER TABLE s.st OWNER TO alice"]),
    ("grant wrong right", "GRANT USAGE ON t TO bob", [OWN_T]),
    ("grant wrong column right", "GRANT DELETE (a) ON t TO bob", [OWN_T]),
    ("grant no column", "GRANT SELECT (nope) ON t TO bob", [OWN_T]),
    ("grant no role", "GRANT SELECT ON t TO nobody_there", [OWN_T]),
    ("grant no table", "GRANT SELECT ON nothing TO bob", []),
    ("grant no right", "GRANT FLY ON t TO bob", [OWN_T]),
    ("grant table as sequence", "GRANT USAGE ON SEQUENCE t TO bob", [OWN_T]),
    ("default privileges", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO bob", []),
    ("default privileges for", "ALTER DEFAULT PRIVILEGES FOR ROLE grp GRANT SELECT ON TABLES TO bob", ["GRANT grp TO alice"]),
    ("grant parameter", "GRANT SET ON PARAMETER work_mem TO bob", ["ALTER ROLE alice SUPERUSER"]),
    # Roles.
    ("create role", "CREATE ROLE n", ["ALTER ROLE alice CREATEROLE"]),
    ("create superuser", "CREATE ROLE n SUPERUSER", ["ALTER ROLE alice SUPERUSER"]),
    ("create superuser by createrole", "CREATE ROLE n SUPERUSER", ["ALTER ROLE alice CREATEROLE"]),
    ("create bypassrls", "CREATE ROLE n BYPASSRLS", ["ALTER ROLE alice CREATEROLE"]),
    ("create replication", "CREATE ROLE n REPLICATION", ["ALTER ROLE alice CREATEROLE"]),
    ("create createdb", "CREATE ROLE n CREATEDB", ["ALTER ROLE alice CREATEROLE"]),
    ("create existing role", "CREATE ROLE bob", ["ALTER ROLE alice CREATEROLE"]),
    ("create reserved role", "CREATE ROLE pg_mine", ["ALTER ROLE alice CREATEROLE"]),
    ("create public role", "CREATE ROLE public", ["ALTER ROLE alice CREATEROLE"]),
    ("alter role", "ALTER ROLE bob CREATEDB", ["ALTER ROLE alice CREATEROLE"]),
    ("alter role superuser", "ALTER ROLE bob SUPERUSER", ["ALTER ROLE alice CREATEROLE"]),
    ("alter role bypassrls", "ALTER ROLE bob BYPASSRLS", ["ALTER ROLE alice CREATEROLE"]),
    ("alter own password", "ALTER ROLE alice PASSWORD 'x'", []),
    ("alter own attribute", "ALTER ROLE alice CREATEDB", ["ALTER ROLE alice CREATEROLE"]),
    ("alter other password", "ALTER ROLE bob PASSWORD 'x'", ["ALTER ROLE alice CREATEROLE"]),
    ("alter missing role", "ALTER ROLE nobody_there LOGIN", ["ALTER ROLE alice CREATEROLE"]),
    ("rename role", "ALTER ROLE bob RENAME TO bobby", ["ALTER ROLE alice CREATEROLE"]),
    ("rename self", "ALTER ROLE alice RENAME TO alicia", ["ALTER ROLE alice CREATEROLE"]),
    ("drop role", "DROP ROLE bob", ["ALTER ROLE alice CREATEROLE"]),
    ("drop role with objects", "DROP ROLE owner_role", ["ALTER ROLE alice CREATEROLE"]),
    ("drop self", "DROP ROLE alice", ["ALTER ROLE alice CREATEROLE"]),
    ("drop missing role", "DROP ROLE nobody_there", ["ALTER ROLE alice CREATEROLE"]),
    ("drop missing role if exists", "DROP ROLE IF EXISTS nobody_there", ["ALTER ROLE alice CREATEROLE"]),
    ("grant role", "GRANT grp TO bob", ["GRANT grp TO alice WITH ADMIN OPTION"]),
    ("grant role by createrole", "GRANT grp TO bob", ["ALTER ROLE alice CREATEROLE"]),
    ("grant role without admin", "GRANT grp TO bob", ["GRANT grp TO alice"]),
    ("grant role loop", "GRANT grp TO alice; GRANT alice TO grp", ["ALTER ROLE alice CREATEROLE"]),
    ("revoke role", "REVOKE grp FROM bob", ["GRANT grp TO alice WITH ADMIN OPTION"]),
    ("grant missing role", "GRANT nobody_there TO bob", ["ALTER ROLE alice CREATEROLE"]),
    ("set role", "SET ROLE grp", ["GRANT grp TO alice"]),
    ("set role missing", "SET ROLE nobody_there", []),
    ("set role then read", "SET LOCAL ROLE grp; SELECT id FROM t", ["GRANT grp TO alice", g("SELECT", to="grp")]),
    ("set role drops own rights", "SET LOCAL ROLE grp; SELECT id FROM t", ["GRANT grp TO alice", g("SELECT")]),
    ("set session authorization", "SET SESSION AUTHORIZATION bob", ["ALTER ROLE alice SUPERUSER"]),
    ("set session authorization self", "SET SESSION AUTHORIZATION alice", []),
    ("alter role set", "ALTER ROLE alice SET search_path = s", []),
    ("alter other role set", "ALTER ROLE bob SET search_path = s", ["ALTER ROLE alice CREATEROLE"]),
    ("alter role all set", "ALTER ROLE ALL SET search_path = s", ["ALTER ROLE alice SUPERUSER"]),
    ("alter database set", "ALTER DATABASE {db} SET search_path = s", ["ALTER ROLE alice SUPERUSER"]),
    ("reassign owned", "REASSIGN OWNED BY grp TO alice", ["GRANT grp TO alice"]),
    ("reassign from other", "REASSIGN OWNED BY bob TO alice", []),
    ("drop owned", "DROP OWNED BY grp", ["GRANT grp TO alice"]),
    # Catalogs and the server.
    ("pg_authid", "SELECT rolname FROM pg_authid", [g("SELECT", "pg_authid")]),
    ("pg_shadow", "SELECT usename FROM pg_shadow", ["ALTER ROLE alice SUPERUSER"]),
    ("pg_roles", "SELECT rolname FROM pg_roles", []),
    ("pg_class", "SELECT relname FROM pg_class", []),
    ("checkpoint", "CHECKPOINT", ["GRANT pg_checkpoint TO alice"]),
    ("copy out", "COPY t TO STDOUT", [g("SELECT")]),
    ("copy out columns", "COPY t (id, a) TO STDOUT", [g("SELECT (id)"), g("SELECT (a)")]),
    ("copy query", "COPY (SELECT id FROM t) TO STDOUT", [g("SELECT (id)")]),
    ("copy in", "COPY t FROM STDIN", [g("INSERT")]),
    ("copy in columns", "COPY t (id) FROM STDIN", [g("INSERT (id)")]),
    ("copy file", "COPY t FROM '/nonexistent/file'", [g("INSERT"), "GRANT pg_read_server_files TO alice"]),
    ("copy to file", "COPY t TO '/nonexistent/file'", []),
    ("copy program", "COPY t FROM PROGRAM 'true'", []),
    # Questions about rights.
    ("has missing table", "SELECT has_table_privilege('nothing', 'SELECT')", []),
    ("has wrong word", "SELECT has_table_privilege('t', 'FLY')", []),
]

# Questions whose answers must be equal, with the rights in force.
ANSWERS = [
    "SELECT has_table_privilege('t', 'SELECT'), has_table_privilege('t', 'SELECT, INSERT'), has_table_privilege('t', 'SELECT WITH GRANT OPTION')",
    "SELECT has_column_privilege('t', 'a', 'SELECT'), has_any_column_privilege('t', 'UPDATE'), has_column_privilege('t', 'b', 'INSERT')",
    "SELECT has_schema_privilege('s', 'USAGE'), has_schema_privilege('public', 'CREATE'), has_schema_privilege('public', 'USAGE')",
    "SELECT has_sequence_privilege('seq', 'USAGE'), has_database_privilege(current_database(), 'CREATE'), has_database_privilege(current_database(), 'TEMP')",
    "SELECT pg_has_role('grp', 'USAGE'), pg_has_role('grp', 'MEMBER'), pg_has_role('grp', 'USAGE WITH ADMIN OPTION'), pg_has_role('owner_role', 'MEMBER')",
    "SELECT current_user, session_user, current_role",
    "SELECT relname, replace(relacl::text, 'postgres', 'graphwire') FROM pg_class WHERE relname IN ('t', 'v', 'seq', 'st') ORDER BY 1",
    "SELECT attname, attacl::text FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum",
    "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname IN ('s', 'public', 'other') ORDER BY 1",
    "SELECT r.rolname, m.rolname, a.admin_option FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member WHERE m.rolname IN ('alice', 'bob') ORDER BY 1, 2",
    "SELECT grantor, grantee, table_name, privilege_type, is_grantable FROM information_schema.table_privileges WHERE table_schema = 'public' ORDER BY 1, 2, 3, 4",
]


class Side:
    """A server with the objects of the matrix."""

    def __init__(self, name, port, host="127.0.0.1"):
        self.name = name
        base = {"host": host, "port": port, "autocommit": True}
        self.admin = psycopg.connect(user="graphwire", dbname="graphwire", **base)
        self.database = "graphwire"
        for statement in SETUP.strip().split(";\n"):
            self.admin.execute(statement.rstrip(";").replace("{db}", self.database))
        self.alice = psycopg.connect(user="alice", dbname="graphwire", **base)

    def prepare(self, rights):
        # One string is one transaction.
        statements = "; ".join(RESET + list(rights)).replace("{db}", self.database)
        try:
            self.admin.execute(statements)
        except psycopg.Error as error:
            return f"setup {error.sqlstate} of {statements}: {error}"
        return None

    def verdict(self, statement):
        statement = statement.replace("{db}", self.database)
        pgconn = self.alice.pgconn
        pgconn.exec_(b"BEGIN")
        outcome = "ok"
        for one in statement.split("; "):
            result = pgconn.exec_(one.encode())
            status = pq.ExecStatus(result.status)
            if status == pq.ExecStatus.COPY_IN:
                pgconn.put_copy_end(b"enough")
                self.drain()
            elif status == pq.ExecStatus.COPY_OUT:
                while pgconn.get_copy_data(0)[0] > 0:
                    pass
                self.drain()
            elif status == pq.ExecStatus.FATAL_ERROR:
                outcome = result.error_field(pq.DiagnosticField.SQLSTATE).decode()
                self.message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY).decode()
                break
        pgconn.exec_(b"ROLLBACK")
        pgconn.exec_(b"RESET SESSION AUTHORIZATION")
        return outcome

    def drain(self):
        while self.alice.pgconn.get_result() is not None:
            pass

    def answer(self, question):
        try:
            return self.alice.execute(question).fetchall()
        except psycopg.Error as error:
            return error.sqlstate


def variants(rights):
    yield "no right", []
    if rights:
        yield "exactly", rights
    if len(rights) > 1:
        for at in range(len(rights)):
            yield f"without [{rights[at]}]", rights[:at] + rights[at + 1:]


def main():
    graphwire = Side("graphwire", int(sys.argv[1]))
    postgres = Side("PostgreSQL", int(sys.argv[2]))
    wanted = sys.argv[3:]
    passed = failed = 0
    for name, statement, rights in CASES:
        if wanted and not any(word in name for word in wanted):
            continue
        for variant, given in variants(rights):
            results = []
            for side in (graphwire, postgres):
                side.message = ""
                problem = side.prepare(given)
                results.append(problem or side.verdict(statement))
            if results[0] == results[1] and not str(results[1]).startswith("setup"):
                passed += 1
            else:
                failed += 1
                print(f"FAIL {name} / {variant}: graphwire {results[0]}, PostgreSQL {results[1]}")
                print(f"     {statement}\n     graphwire: {graphwire.message}\n     PostgreSQL: {postgres.message}")
    settings = {tuple(given) for _, _, rights in CASES for _, given in variants(rights)}
    for given in sorted(settings) if not wanted or "answers" in wanted else []:
        problems = [side.prepare(given) for side in (graphwire, postgres)]
        for question in ANSWERS:
            ours, theirs = graphwire.answer(question), postgres.answer(question)
            if ours == theirs and problems == [None, None]:
                passed += 1
            else:
                failed += 1
                print(f"FAIL with {list(given)}: {question}\n     graphwire  {ours}\n     PostgreSQL {theirs} {problems}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

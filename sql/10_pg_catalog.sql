-- Views of pg_catalog over the relations that src/catalog/pg computes, with the columns and types of
-- PostgreSQL 15. What has no view here is computed too, or graphwire has no such thing and the
-- relation is empty (src/catalog/pg/data/relations.tsv says which).
--
-- Every statement also runs on PostgreSQL, where tests compare it with the view of the same name.

-- Roles ---------------------------------------------------------------------------------------------

CREATE VIEW pg_catalog.pg_roles AS
SELECT a.rolname, a.rolsuper, a.rolinherit, a.rolcreaterole, a.rolcreatedb, a.rolcanlogin,
       a.rolreplication, a.rolconnlimit, CAST('********' AS text) AS rolpassword, a.rolvaliduntil,
       a.rolbypassrls, s.setconfig AS rolconfig, a.oid
FROM pg_catalog.pg_authid a
LEFT JOIN pg_catalog.pg_db_role_setting s ON a.oid = s.setrole AND s.setdatabase = 0;

CREATE VIEW pg_catalog.pg_shadow AS
SELECT a.rolname AS usename, a.oid AS usesysid, a.rolcreatedb AS usecreatedb, a.rolsuper AS usesuper,
       a.rolreplication AS userepl, a.rolbypassrls AS usebypassrls, a.rolpassword AS passwd,
       a.rolvaliduntil AS valuntil, s.setconfig AS useconfig
FROM pg_catalog.pg_authid a
LEFT JOIN pg_catalog.pg_db_role_setting s ON a.oid = s.setrole AND s.setdatabase = 0
WHERE a.rolcanlogin;

CREATE VIEW pg_catalog.pg_user AS
SELECT usename, usesysid, usecreatedb, usesuper, userepl, usebypassrls,
       CAST('********' AS text) AS passwd, valuntil, useconfig
FROM pg_catalog.pg_shadow;

CREATE VIEW pg_catalog.pg_group AS
SELECT a.rolname AS groname, a.oid AS grosysid,
       coalesce(m.members, CAST(ARRAY[] AS oid[])) AS grolist
FROM pg_catalog.pg_authid a
LEFT JOIN (SELECT roleid, array_agg(member) AS members FROM pg_catalog.pg_auth_members GROUP BY roleid) m
    ON m.roleid = a.oid
WHERE NOT a.rolcanlogin;

-- Relations -----------------------------------------------------------------------------------------

CREATE VIEW pg_catalog.pg_tables AS
SELECT n.nspname AS schemaname, c.relname AS tablename, pg_catalog.pg_get_userbyid(c.relowner) AS tableowner,
       t.spcname AS tablespace, c.relhasindex AS hasindexes, c.relhasrules AS hasrules,
       c.relhastriggers AS hastriggers, c.relrowsecurity AS rowsecurity
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace
WHERE c.relkind IN ('r', 'p');

CREATE VIEW pg_catalog.pg_views AS
SELECT n.nspname AS schemaname, c.relname AS viewname, pg_catalog.pg_get_userbyid(c.relowner) AS viewowner,
       pg_catalog.pg_get_viewdef(c.oid) AS definition
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v';

CREATE VIEW pg_catalog.pg_indexes AS
SELECT n.nspname AS schemaname, c.relname AS tablename, i.relname AS indexname, t.spcname AS tablespace,
       pg_catalog.pg_get_indexdef(i.oid) AS indexdef
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_tablespace t ON t.oid = i.reltablespace
WHERE c.relkind IN ('r', 'm', 'p') AND i.relkind IN ('i', 'I');

CREATE VIEW pg_catalog.pg_rules AS
SELECT n.nspname AS schemaname, c.relname AS tablename, r.rulename,
       pg_catalog.pg_get_ruledef(r.oid) AS definition
FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN';

-- Statistics ----------------------------------------------------------------------------------------
-- graphwire does not count scans, blocks or changed rows; where it knows the number of rows, that is
-- what n_live_tup shows.

CREATE VIEW pg_catalog.pg_stat_all_tables AS
SELECT c.oid AS relid, n.nspname AS schemaname, c.relname, CAST(0 AS bigint) AS seq_scan,
       CAST(0 AS bigint) AS seq_tup_read, CAST(0 AS bigint) AS idx_scan,
       CAST(0 AS bigint) AS idx_tup_fetch, CAST(0 AS bigint) AS n_tup_ins,
       CAST(0 AS bigint) AS n_tup_upd, CAST(0 AS bigint) AS n_tup_del,
       CAST(0 AS bigint) AS n_tup_hot_upd,
       CAST(CASE WHEN c.reltuples > 0 THEN c.reltuples ELSE 0 END AS bigint) AS n_live_tup,
       CAST(0 AS bigint) AS n_dead_tup, CAST(0 AS bigint) AS n_mod_since_analyze,
       CAST(0 AS bigint) AS n_ins_since_vacuum, CAST(NULL AS timestamptz) AS last_vacuum,
       CAST(NULL AS timestamptz) AS last_autovacuum, CAST(NULL AS timestamptz) AS last_analyze,
       CAST(NULL AS timestamptz) AS last_autoanalyze, CAST(0 AS bigint) AS vacuum_count,
       CAST(0 AS bigint) AS autovacuum_count, CAST(0 AS bigint) AS analyze_count,
       CAST(0 AS bigint) AS autoanalyze_count
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 't', 'm', 'p');

CREATE VIEW pg_catalog.pg_stat_sys_tables AS
SELECT * FROM pg_catalog.pg_stat_all_tables
WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname LIKE 'pg_toast%';

CREATE VIEW pg_catalog.pg_stat_user_tables AS
SELECT * FROM pg_catalog.pg_stat_all_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname NOT LIKE 'pg_toast%';

CREATE VIEW pg_catalog.pg_stat_xact_all_tables AS
SELECT relid, schemaname, relname, seq_scan, seq_tup_read, idx_scan, idx_tup_fetch, n_tup_ins, n_tup_upd,
       n_tup_del, n_tup_hot_upd
FROM pg_catalog.pg_stat_all_tables;

CREATE VIEW pg_catalog.pg_stat_xact_sys_tables AS
SELECT * FROM pg_catalog.pg_stat_xact_all_tables
WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname LIKE 'pg_toast%';

CREATE VIEW pg_catalog.pg_stat_xact_user_tables AS
SELECT * FROM pg_catalog.pg_stat_xact_all_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname NOT LIKE 'pg_toast%';

CREATE VIEW pg_catalog.pg_statio_all_tables AS
SELECT relid, schemaname, relname, CAST(0 AS bigint) AS heap_blks_read, CAST(0 AS bigint) AS heap_blks_hit,
       CAST(0 AS bigint) AS idx_blks_read, CAST(0 AS bigint) AS idx_blks_hit,
       CAST(0 AS bigint) AS toast_blks_read, CAST(0 AS bigint) AS toast_blks_hit,
       CAST(0 AS bigint) AS tidx_blks_read, CAST(0 AS bigint) AS tidx_blks_hit
FROM pg_catalog.pg_stat_all_tables;

CREATE VIEW pg_catalog.pg_statio_sys_tables AS
SELECT * FROM pg_catalog.pg_statio_all_tables
WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname LIKE 'pg_toast%';

CREATE VIEW pg_catalog.pg_statio_user_tables AS
SELECT * FROM pg_catalog.pg_statio_all_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname NOT LIKE 'pg_toast%';

CREATE VIEW pg_catalog.pg_stat_all_indexes AS
SELECT c.oid AS relid, i.oid AS indexrelid, n.nspname AS schemaname, c.relname, i.relname AS indexrelname,
       CAST(0 AS bigint) AS idx_scan, CAST(0 AS bigint) AS idx_tup_read,
       CAST(0 AS bigint) AS idx_tup_fetch
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_index x ON c.oid = x.indrelid
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 't', 'm');

CREATE VIEW pg_catalog.pg_stat_sys_indexes AS
SELECT * FROM pg_catalog.pg_stat_all_indexes
WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname LIKE 'pg_toast%';

CREATE VIEW pg_catalog.pg_stat_user_indexes AS
SELECT * FROM pg_catalog.pg_stat_all_indexes
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname NOT LIKE 'pg_toast%';

CREATE VIEW pg_catalog.pg_statio_all_indexes AS
SELECT relid, indexrelid, schemaname, relname, indexrelname, CAST(0 AS bigint) AS idx_blks_read,
       CAST(0 AS bigint) AS idx_blks_hit
FROM pg_catalog.pg_stat_all_indexes;

CREATE VIEW pg_catalog.pg_statio_sys_indexes AS
SELECT * FROM pg_catalog.pg_statio_all_indexes
WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname LIKE 'pg_toast%';

CREATE VIEW pg_catalog.pg_statio_user_indexes AS
SELECT * FROM pg_catalog.pg_statio_all_indexes
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname NOT LIKE 'pg_toast%';

CREATE VIEW pg_catalog.pg_stat_database AS
SELECT d.oid AS datid, d.datname, CAST(coalesce(b.backends, 0) AS integer) AS numbackends,
       CAST(0 AS bigint) AS xact_commit, CAST(0 AS bigint) AS xact_rollback,
       CAST(0 AS bigint) AS blks_read, CAST(0 AS bigint) AS blks_hit,
       CAST(0 AS bigint) AS tup_returned, CAST(0 AS bigint) AS tup_fetched,
       CAST(0 AS bigint) AS tup_inserted, CAST(0 AS bigint) AS tup_updated,
       CAST(0 AS bigint) AS tup_deleted, CAST(0 AS bigint) AS conflicts,
       CAST(0 AS bigint) AS temp_files, CAST(0 AS bigint) AS temp_bytes,
       CAST(0 AS bigint) AS deadlocks, CAST(NULL AS bigint) AS checksum_failures,
       CAST(NULL AS timestamptz) AS checksum_last_failure,
       CAST(0 AS double precision) AS blk_read_time, CAST(0 AS double precision) AS blk_write_time,
       CAST(0 AS double precision) AS session_time, CAST(0 AS double precision) AS active_time,
       CAST(0 AS double precision) AS idle_in_transaction_time, CAST(0 AS bigint) AS sessions,
       CAST(0 AS bigint) AS sessions_abandoned, CAST(0 AS bigint) AS sessions_fatal,
       CAST(0 AS bigint) AS sessions_killed, CAST(NULL AS timestamptz) AS stats_reset
FROM pg_catalog.pg_database d
LEFT JOIN (SELECT datid, count(*) AS backends FROM pg_catalog.pg_stat_activity GROUP BY datid) b
    ON b.datid = d.oid;

-- The information schema (ISO 9075-11) with the columns and types of PostgreSQL 15.
--
-- Domains stand as their base types: sql_identifier is name, character_data varchar, cardinal_number
-- integer, yes_or_no varchar(3). Views that are missing here are empty relations, as graphwire has no
-- such thing (src/catalog/pg/data/relations.tsv). Lists of privileges show the rights that come with
-- ownership, and reading the catalog.
--
-- Every statement also runs on PostgreSQL, where tests compare it with the view of the same name.

CREATE VIEW information_schema.information_schema_catalog_name AS
SELECT current_database() AS catalog_name;

-- Roles ---------------------------------------------------------------------------------------------

CREATE VIEW information_schema.enabled_roles AS
SELECT a.rolname AS role_name
FROM pg_catalog.pg_authid a
WHERE pg_catalog.pg_has_role(a.oid, 'USAGE');

CREATE VIEW information_schema.applicable_roles AS
SELECT a.rolname AS grantee, b.rolname AS role_name,
       CAST(CASE WHEN m.admin_option THEN 'YES' ELSE 'NO' END AS varchar(3)) AS is_grantable
FROM (SELECT member, roleid, admin_option FROM pg_catalog.pg_auth_members
      UNION ALL
      SELECT d.datdba AS member, o.oid AS roleid, false AS admin_option
      FROM pg_catalog.pg_database d
      CROSS JOIN pg_catalog.pg_authid o
      WHERE d.datname = current_database() AND o.rolname = 'pg_database_owner') m
JOIN pg_catalog.pg_authid a ON m.member = a.oid
JOIN pg_catalog.pg_authid b ON m.roleid = b.oid
WHERE pg_catalog.pg_has_role(a.oid, 'USAGE');

CREATE VIEW information_schema.administrable_role_authorizations AS
SELECT grantee, role_name, is_grantable
FROM information_schema.applicable_roles
WHERE is_grantable = 'YES';

-- Character sets and collations ---------------------------------------------------------------------

CREATE VIEW information_schema.character_sets AS
SELECT CAST(NULL AS name) AS character_set_catalog, CAST(NULL AS name) AS character_set_schema,
       pg_catalog.pg_encoding_to_char(d.encoding) AS character_set_name,
       CAST('UCS' AS name) AS character_repertoire,
       pg_catalog.pg_encoding_to_char(d.encoding) AS form_of_use,
       current_database() AS default_collate_catalog,
       CAST(NULL AS name) AS default_collate_schema, CAST(NULL AS name) AS default_collate_name
FROM pg_catalog.pg_database d
WHERE d.datname = current_database();

CREATE VIEW information_schema.collations AS
SELECT current_database() AS collation_catalog, n.nspname AS collation_schema,
       c.collname AS collation_name, CAST('NO PAD' AS varchar) AS pad_attribute
FROM pg_catalog.pg_collation c
JOIN pg_catalog.pg_namespace n ON c.collnamespace = n.oid
WHERE c.collencoding IN (-1, 6);

CREATE VIEW information_schema.collation_character_set_applicability AS
SELECT current_database() AS collation_catalog, n.nspname AS collation_schema,
       c.collname AS collation_name, CAST(NULL AS name) AS character_set_catalog,
       CAST(NULL AS name) AS character_set_schema, CAST('UTF8' AS name) AS character_set_name
FROM pg_catalog.pg_collation c
JOIN pg_catalog.pg_namespace n ON c.collnamespace = n.oid
WHERE c.collencoding IN (-1, 6);

-- Schemas, tables, views ----------------------------------------------------------------------------

CREATE VIEW information_schema.schemata AS
SELECT current_database() AS catalog_name, n.nspname AS schema_name, u.rolname AS schema_owner,
       CAST(NULL AS name) AS default_character_set_catalog,
       CAST(NULL AS name) AS default_character_set_schema,
       CAST(NULL AS name) AS default_character_set_name, CAST(NULL AS varchar) AS sql_path
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_authid u ON n.nspowner = u.oid
WHERE pg_catalog.pg_has_role(n.nspowner, 'USAGE')
   OR pg_catalog.has_schema_privilege(n.oid, 'CREATE, USAGE');

CREATE VIEW information_schema.tables AS
SELECT current_database() AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
       CAST(CASE WHEN c.relkind IN ('r', 'p') AND c.relpersistence = 't' THEN 'LOCAL TEMPORARY'
                 WHEN c.relkind IN ('r', 'p') THEN 'BASE TABLE'
                 WHEN c.relkind = 'v' THEN 'VIEW'
                 WHEN c.relkind = 'f' THEN 'FOREIGN'
            END AS varchar) AS table_type,
       CAST(NULL AS name) AS self_referencing_column_name,
       CAST(NULL AS varchar) AS reference_generation,
       CAST(NULL AS name) AS user_defined_type_catalog,
       CAST(NULL AS name) AS user_defined_type_schema,
       CAST(NULL AS name) AS user_defined_type_name,
       CAST(CASE WHEN c.relkind IN ('r', 'p') THEN 'YES' ELSE 'NO' END AS varchar(3)) AS is_insertable_into,
       CAST('NO' AS varchar(3)) AS is_typed,
       CAST(NULL AS varchar) AS commit_action
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'f', 'p')
  AND (pg_catalog.pg_has_role(c.relowner, 'USAGE')
       OR pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'));

CREATE VIEW information_schema.views AS
SELECT current_database() AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
       CAST(CASE WHEN pg_catalog.pg_has_role(c.relowner, 'USAGE')
                 THEN pg_catalog.pg_get_viewdef(c.oid) END AS varchar) AS view_definition,
       CAST('NONE' AS varchar) AS check_option,
       CAST('NO' AS varchar(3)) AS is_updatable,
       CAST('NO' AS varchar(3)) AS is_insertable_into,
       CAST('NO' AS varchar(3)) AS is_trigger_updatable,
       CAST('NO' AS varchar(3)) AS is_trigger_deletable,
       CAST('NO' AS varchar(3)) AS is_trigger_insertable_into
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v'
  AND (pg_catalog.pg_has_role(c.relowner, 'USAGE')
       OR pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'));

CREATE VIEW information_schema.view_table_usage AS
SELECT DISTINCT current_database() AS view_catalog, nv.nspname AS view_schema, v.relname AS view_name,
       current_database() AS table_catalog, nt.nspname AS table_schema, t.relname AS table_name
FROM pg_catalog.pg_class v
JOIN pg_catalog.pg_namespace nv ON nv.oid = v.relnamespace
JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid
JOIN pg_catalog.pg_depend d ON d.objid = r.oid AND d.classid = 2618 AND d.refclassid = 1259
JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.oid <> v.oid
JOIN pg_catalog.pg_namespace nt ON nt.oid = t.relnamespace
WHERE v.relkind = 'v' AND t.relkind IN ('r', 'v', 'f', 'p') AND d.deptype = 'n'
  AND pg_catalog.pg_has_role(t.relowner, 'USAGE');

CREATE VIEW information_schema.view_column_usage AS
SELECT DISTINCT current_database() AS view_catalog, nv.nspname AS view_schema, v.relname AS view_name,
       current_database() AS table_catalog, nt.nspname AS table_schema, t.relname AS table_name,
       a.attname AS column_name
FROM pg_catalog.pg_class v
JOIN pg_catalog.pg_namespace nv ON nv.oid = v.relnamespace
JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid
JOIN pg_catalog.pg_depend d ON d.objid = r.oid AND d.classid = 2618 AND d.refclassid = 1259
JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.oid <> v.oid
JOIN pg_catalog.pg_namespace nt ON nt.oid = t.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE v.relkind = 'v' AND t.relkind IN ('r', 'v', 'f', 'p') AND d.deptype = 'n'
  AND pg_catalog.pg_has_role(t.relowner, 'USAGE');

-- Columns -------------------------------------------------------------------------------------------
-- Numbers of types: 20 int8, 21 int2, 23 int4, 25 text, 700 float4, 701 float8, 1042 bpchar,
-- 1043 varchar, 1082 date, 1083 time, 1114 timestamp, 1184 timestamptz, 1186 interval, 1266 timetz,
-- 1700 numeric.

CREATE VIEW information_schema.columns AS
SELECT current_database() AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
       a.attname AS column_name, CAST(a.attnum AS integer) AS ordinal_position,
       CAST(CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(ad.adbin, ad.adrelid) END
            AS varchar) AS column_default,
       CAST(CASE WHEN a.attnotnull OR a.valnotnull THEN 'NO' ELSE 'YES' END AS varchar(3)) AS is_nullable,
       CAST(CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY'
                 WHEN nt.nspname = 'pg_catalog' THEN pg_catalog.format_type(a.valtype, NULL)
                 ELSE 'USER-DEFINED'
            END AS varchar) AS data_type,
       CAST(CASE WHEN a.valtype IN (1042, 1043) AND a.valmod <> -1 THEN a.valmod - 4
            END AS integer) AS character_maximum_length,
       CAST(CASE WHEN a.valtype IN (1042, 1043) AND a.valmod <> -1 THEN (a.valmod - 4) * 4
                 WHEN a.valtype IN (25, 1042, 1043) THEN 1073741824
            END AS integer) AS character_octet_length,
       CAST(CASE a.valtype WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64
                 WHEN 700 THEN 24 WHEN 701 THEN 53
                 WHEN 1700 THEN CASE WHEN a.valmod <> -1 THEN (a.valmod - 4) / 65536 END
            END AS integer) AS numeric_precision,
       CAST(CASE WHEN a.valtype IN (21, 23, 20, 700, 701) THEN 2
                 WHEN a.valtype = 1700 THEN 10
            END AS integer) AS numeric_precision_radix,
       CAST(CASE WHEN a.valtype IN (21, 23, 20) THEN 0
                 WHEN a.valtype = 1700 AND a.valmod <> -1 THEN (a.valmod - 4) % 65536
            END AS integer) AS numeric_scale,
       CAST(CASE WHEN a.valtype = 1082 THEN 0
                 WHEN a.valtype IN (1083, 1114, 1184, 1266) AND a.valmod >= 0 THEN a.valmod
                 WHEN a.valtype IN (1083, 1114, 1184, 1186, 1266) THEN 6
            END AS integer) AS datetime_precision,
       CAST(NULL AS varchar) AS interval_type, CAST(NULL AS integer) AS interval_precision,
       CAST(NULL AS name) AS character_set_catalog, CAST(NULL AS name) AS character_set_schema,
       CAST(NULL AS name) AS character_set_name,
       CASE WHEN co.nspname IS NOT NULL THEN current_database() END AS collation_catalog,
       co.nspname AS collation_schema, co.collname AS collation_name,
       CASE WHEN a.domname IS NOT NULL THEN current_database() END AS domain_catalog,
       a.domschema AS domain_schema, a.domname AS domain_name,
       current_database() AS udt_catalog, nt.nspname AS udt_schema, t.typname AS udt_name,
       CAST(NULL AS name) AS scope_catalog, CAST(NULL AS name) AS scope_schema,
       CAST(NULL AS name) AS scope_name, CAST(NULL AS integer) AS maximum_cardinality,
       CAST(CAST(a.attnum AS text) AS name) AS dtd_identifier,
       CAST('NO' AS varchar(3)) AS is_self_referencing,
       CAST(CASE WHEN a.attidentity IN ('a', 'd') THEN 'YES' ELSE 'NO' END AS varchar(3)) AS is_identity,
       CAST(CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END
            AS varchar) AS identity_generation,
       CAST(CAST(sq.seqstart AS text) AS varchar) AS identity_start,
       CAST(CAST(sq.seqincrement AS text) AS varchar) AS identity_increment,
       CAST(CAST(sq.seqmax AS text) AS varchar) AS identity_maximum,
       CAST(CAST(sq.seqmin AS text) AS varchar) AS identity_minimum,
       CAST(CASE WHEN sq.seqcycle THEN 'YES' ELSE 'NO' END AS varchar(3)) AS identity_cycle,
       CAST(CASE WHEN a.attgenerated = '' THEN 'NEVER' ELSE 'ALWAYS' END AS varchar) AS is_generated,
       CAST(CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(ad.adbin, ad.adrelid) END
            AS varchar) AS generation_expression,
       CAST(CASE WHEN c.relkind IN ('r', 'p') THEN 'YES' ELSE 'NO' END AS varchar(3)) AS is_updatable
FROM (SELECT at.attrelid, at.attname, at.attnum, at.attnotnull, at.attidentity, at.attgenerated,
             at.attisdropped, at.attcollation,
             coalesce(d.typbasetype, at.atttypid) AS valtype,
             CASE WHEN d.oid IS NULL THEN at.atttypmod ELSE d.typtypmod END AS valmod,
             coalesce(d.typnotnull, false) AS valnotnull, d.typname AS domname, nd.nspname AS domschema
      FROM pg_catalog.pg_attribute at
      LEFT JOIN pg_catalog.pg_type d ON d.oid = at.atttypid AND d.typtype = 'd'
      LEFT JOIN pg_catalog.pg_namespace nd ON nd.oid = d.typnamespace) a
JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid
JOIN pg_catalog.pg_type t ON a.valtype = t.oid
JOIN pg_catalog.pg_namespace nt ON t.typnamespace = nt.oid
LEFT JOIN pg_catalog.pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
LEFT JOIN (SELECT de.refobjid, de.refobjsubid, se.seqstart, se.seqincrement, se.seqmax, se.seqmin, se.seqcycle
           FROM pg_catalog.pg_depend de
           JOIN pg_catalog.pg_sequence se ON de.objid = se.seqrelid
           WHERE de.classid = 1259 AND de.deptype = 'i') sq
    ON sq.refobjid = a.attrelid AND sq.refobjsubid = a.attnum
LEFT JOIN (SELECT k.oid, k.collname, nk.nspname
           FROM pg_catalog.pg_collation k
           JOIN pg_catalog.pg_namespace nk ON k.collnamespace = nk.oid
           WHERE k.oid <> 100) co
    ON a.attcollation = co.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'f', 'p')
  AND (pg_catalog.pg_has_role(c.relowner, 'USAGE')
       OR pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'));

-- Domains -------------------------------------------------------------------------------------------

CREATE VIEW information_schema.domains AS
SELECT current_database() AS domain_catalog, n.nspname AS domain_schema, d.typname AS domain_name,
       CAST(CASE WHEN b.typelem <> 0 AND b.typlen = -1 THEN 'ARRAY'
                 WHEN nb.nspname = 'pg_catalog' THEN pg_catalog.format_type(b.oid, NULL)
                 ELSE 'USER-DEFINED'
            END AS varchar) AS data_type,
       CAST(CASE WHEN b.oid IN (1042, 1043) AND d.typtypmod <> -1 THEN d.typtypmod - 4
            END AS integer) AS character_maximum_length,
       CAST(CASE WHEN b.oid IN (1042, 1043) AND d.typtypmod <> -1 THEN (d.typtypmod - 4) * 4
                 WHEN b.oid IN (25, 1042, 1043) THEN 1073741824
            END AS integer) AS character_octet_length,
       CAST(NULL AS name) AS character_set_catalog, CAST(NULL AS name) AS character_set_schema,
       CAST(NULL AS name) AS character_set_name,
       CASE WHEN co.nspname IS NOT NULL THEN current_database() END AS collation_catalog,
       co.nspname AS collation_schema, co.collname AS collation_name,
       CAST(CASE b.oid WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64
                 WHEN 700 THEN 24 WHEN 701 THEN 53
                 WHEN 1700 THEN CASE WHEN d.typtypmod <> -1 THEN (d.typtypmod - 4) / 65536 END
            END AS integer) AS numeric_precision,
       CAST(CASE WHEN b.oid IN (21, 23, 20, 700, 701) THEN 2
                 WHEN b.oid = 1700 THEN 10
            END AS integer) AS numeric_precision_radix,
       CAST(CASE WHEN b.oid IN (21, 23, 20) THEN 0
                 WHEN b.oid = 1700 AND d.typtypmod <> -1 THEN (d.typtypmod - 4) % 65536
            END AS integer) AS numeric_scale,
       CAST(CASE WHEN b.oid = 1082 THEN 0
                 WHEN b.oid IN (1083, 1114, 1184, 1266) AND d.typtypmod >= 0 THEN d.typtypmod
                 WHEN b.oid IN (1083, 1114, 1184, 1186, 1266) THEN 6
            END AS integer) AS datetime_precision,
       CAST(NULL AS varchar) AS interval_type, CAST(NULL AS integer) AS interval_precision,
       CAST(d.typdefault AS varchar) AS domain_default,
       current_database() AS udt_catalog, nb.nspname AS udt_schema, b.typname AS udt_name,
       CAST(NULL AS name) AS scope_catalog, CAST(NULL AS name) AS scope_schema,
       CAST(NULL AS name) AS scope_name, CAST(NULL AS integer) AS maximum_cardinality,
       CAST('1' AS name) AS dtd_identifier
FROM pg_catalog.pg_type d
JOIN pg_catalog.pg_namespace n ON n.oid = d.typnamespace
JOIN pg_catalog.pg_type b ON b.oid = d.typbasetype
JOIN pg_catalog.pg_namespace nb ON nb.oid = b.typnamespace
LEFT JOIN (SELECT k.oid, k.collname, nk.nspname
           FROM pg_catalog.pg_collation k
           JOIN pg_catalog.pg_namespace nk ON k.collnamespace = nk.oid
           WHERE k.oid <> 100) co
    ON d.typcollation = co.oid
WHERE d.typtype = 'd'
  AND (pg_catalog.pg_has_role(d.typowner, 'USAGE') OR pg_catalog.has_type_privilege(d.oid, 'USAGE'));

CREATE VIEW information_schema.domain_constraints AS
SELECT current_database() AS constraint_catalog, nc.nspname AS constraint_schema,
       c.conname AS constraint_name, current_database() AS domain_catalog,
       n.nspname AS domain_schema, d.typname AS domain_name,
       CAST(CASE WHEN c.condeferrable THEN 'YES' ELSE 'NO' END AS varchar(3)) AS is_deferrable,
       CAST(CASE WHEN c.condeferred THEN 'YES' ELSE 'NO' END AS varchar(3)) AS initially_deferred
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
JOIN pg_catalog.pg_type d ON d.oid = c.contypid
JOIN pg_catalog.pg_namespace n ON n.oid = d.typnamespace
WHERE pg_catalog.pg_has_role(d.typowner, 'USAGE') OR pg_catalog.has_type_privilege(d.oid, 'USAGE');

CREATE VIEW information_schema.domain_udt_usage AS
SELECT current_database() AS udt_catalog, nb.nspname AS udt_schema, b.typname AS udt_name,
       current_database() AS domain_catalog, n.nspname AS domain_schema, d.typname AS domain_name
FROM pg_catalog.pg_type d
JOIN pg_catalog.pg_namespace n ON n.oid = d.typnamespace
JOIN pg_catalog.pg_type b ON b.oid = d.typbasetype
JOIN pg_catalog.pg_namespace nb ON nb.oid = b.typnamespace
WHERE d.typtype = 'd' AND pg_catalog.pg_has_role(b.typowner, 'USAGE');

CREATE VIEW information_schema.column_domain_usage AS
SELECT current_database() AS domain_catalog, nd.nspname AS domain_schema, d.typname AS domain_name,
       current_database() AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
       a.attname AS column_name
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid
JOIN pg_catalog.pg_type d ON a.atttypid = d.oid
JOIN pg_catalog.pg_namespace nd ON d.typnamespace = nd.oid
WHERE d.typtype = 'd' AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'f', 'p')
  AND pg_catalog.pg_has_role(d.typowner, 'USAGE');

CREATE VIEW information_schema.column_udt_usage AS
SELECT current_database() AS udt_catalog, nt.nspname AS udt_schema, t.typname AS udt_name,
       current_database() AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
       a.attname AS column_name
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid
JOIN pg_catalog.pg_type ct ON a.atttypid = ct.oid
JOIN pg_catalog.pg_type t
    ON t.oid = CASE WHEN ct.typtype = 'd' THEN ct.typbasetype ELSE ct.oid END
JOIN pg_catalog.pg_namespace nt ON t.typnamespace = nt.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'f', 'p')
  AND pg_catalog.pg_has_role(t.typowner, 'USAGE');

CREATE VIEW information_schema.element_types AS
SELECT current_database() AS object_catalog, n.nspname AS object_schema, x.objname AS object_name,
       CAST(x.objtype AS varchar) AS object_type, x.objdtdid AS collection_type_identifier,
       CAST(CASE WHEN nt.nspname = 'pg_catalog' THEN pg_catalog.format_type(et.oid, NULL)
                 ELSE 'USER-DEFINED' END AS varchar) AS data_type,
       CAST(NULL AS integer) AS character_maximum_length,
       CAST(NULL AS integer) AS character_octet_length,
       CAST(NULL AS name) AS character_set_catalog, CAST(NULL AS name) AS character_set_schema,
       CAST(NULL AS name) AS character_set_name,
       CASE WHEN co.nspname IS NOT NULL THEN current_database() END AS collation_catalog,
       co.nspname AS collation_schema, co.collname AS collation_name,
       CAST(NULL AS integer) AS numeric_precision, CAST(NULL AS integer) AS numeric_precision_radix,
       CAST(NULL AS integer) AS numeric_scale, CAST(NULL AS integer) AS datetime_precision,
       CAST(NULL AS varchar) AS interval_type, CAST(NULL AS integer) AS interval_precision,
       CAST(NULL AS varchar) AS domain_default, current_database() AS udt_catalog,
       nt.nspname AS udt_schema, et.typname AS udt_name, CAST(NULL AS name) AS scope_catalog,
       CAST(NULL AS name) AS scope_schema, CAST(NULL AS name) AS scope_name,
       CAST(NULL AS integer) AS maximum_cardinality,
       CAST('a' || CAST(x.objdtdid AS text) AS name) AS dtd_identifier
FROM (SELECT c.relnamespace AS objschema, c.relname AS objname, 'TABLE' AS objtype,
             CAST(CAST(a.attnum AS text) AS name) AS objdtdid, a.atttypid AS objtypeid,
             a.attcollation AS objcollation
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
      WHERE c.relkind IN ('r', 'v', 'f', 'p') AND a.attnum > 0 AND NOT a.attisdropped
        AND (pg_catalog.pg_has_role(c.relowner, 'USAGE')
             OR pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))
      UNION ALL
      SELECT p.pronamespace AS objschema,
             CAST(CAST(p.proname AS text) || '_' || CAST(p.oid AS text) AS name) AS objname,
             'ROUTINE' AS objtype, CAST('0' AS name) AS objdtdid, p.prorettype AS objtypeid,
             CAST(0 AS oid) AS objcollation
      FROM pg_catalog.pg_proc p
      WHERE p.prokind <> 'p'
        AND (pg_catalog.pg_has_role(p.proowner, 'USAGE')
             OR pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))) x
JOIN pg_catalog.pg_namespace n ON n.oid = x.objschema
JOIN pg_catalog.pg_type t ON t.oid = x.objtypeid
JOIN pg_catalog.pg_type et ON et.oid = t.typelem
JOIN pg_catalog.pg_namespace nt ON nt.oid = et.typnamespace
LEFT JOIN (SELECT k.oid, k.collname, nk.nspname
           FROM pg_catalog.pg_collation k
           JOIN pg_catalog.pg_namespace nk ON k.collnamespace = nk.oid
           WHERE k.oid <> 100) co
    ON x.objcollation = co.oid
WHERE t.typelem <> 0 AND t.typlen = -1;

-- Constraints ---------------------------------------------------------------------------------------

CREATE VIEW information_schema.table_constraints AS
SELECT current_database() AS constraint_catalog, nc.nspname AS constraint_schema,
       c.conname AS constraint_name, current_database() AS table_catalog, nr.nspname AS table_schema,
       r.relname AS table_name,
       CAST(CASE c.contype WHEN 'c' THEN 'CHECK' WHEN 'f' THEN 'FOREIGN KEY' WHEN 'p' THEN 'PRIMARY KEY'
                           WHEN 'u' THEN 'UNIQUE' END AS varchar) AS constraint_type,
       CAST(CASE WHEN c.condeferrable THEN 'YES' ELSE 'NO' END AS varchar(3)) AS is_deferrable,
       CAST(CASE WHEN c.condeferred THEN 'YES' ELSE 'NO' END AS varchar(3)) AS initially_deferred,
       CAST('YES' AS varchar(3)) AS enforced,
       CAST(CASE WHEN c.contype = 'u'
                 THEN CASE WHEN i.indnullsnotdistinct THEN 'NO' ELSE 'YES' END
            END AS varchar(3)) AS nulls_distinct
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
JOIN pg_catalog.pg_class r ON c.conrelid = r.oid
JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.conindid
WHERE c.contype IN ('c', 'f', 'p', 'u') AND r.relkind IN ('r', 'p')
  AND (pg_catalog.pg_has_role(r.relowner, 'USAGE')
       OR pg_catalog.has_table_privilege(r.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR pg_catalog.has_any_column_privilege(r.oid, 'INSERT, UPDATE, REFERENCES'))
UNION ALL
SELECT current_database() AS constraint_catalog, nr.nspname AS constraint_schema,
       CAST(CAST(nr.oid AS text) || '_' || CAST(r.oid AS text) || '_' || CAST(a.attnum AS text)
            || '_not_null' AS name) AS constraint_name,
       current_database() AS table_catalog, nr.nspname AS table_schema, r.relname AS table_name,
       CAST('CHECK' AS varchar) AS constraint_type, CAST('NO' AS varchar(3)) AS is_deferrable,
       CAST('NO' AS varchar(3)) AS initially_deferred, CAST('YES' AS varchar(3)) AS enforced,
       CAST(NULL AS varchar(3)) AS nulls_distinct
FROM pg_catalog.pg_class r
JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid
WHERE a.attnotnull AND a.attnum > 0 AND NOT a.attisdropped AND r.relkind IN ('r', 'p')
  AND (pg_catalog.pg_has_role(r.relowner, 'USAGE')
       OR pg_catalog.has_table_privilege(r.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR pg_catalog.has_any_column_privilege(r.oid, 'INSERT, UPDATE, REFERENCES'));

CREATE VIEW information_schema.check_constraints AS
SELECT current_database() AS constraint_catalog, n.nspname AS constraint_schema,
       c.conname AS constraint_name,
       CAST(substr(pg_catalog.pg_get_constraintdef(c.oid), 7) AS varchar) AS check_clause
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
LEFT JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
LEFT JOIN pg_catalog.pg_type t ON t.oid = c.contypid
WHERE c.contype = 'c' AND pg_catalog.pg_has_role(coalesce(r.relowner, t.typowner), 'USAGE')
UNION ALL
SELECT current_database() AS constraint_catalog, n.nspname AS constraint_schema,
       CAST(CAST(n.oid AS text) || '_' || CAST(r.oid AS text) || '_' || CAST(a.attnum AS text)
            || '_not_null' AS name) AS constraint_name,
       CAST(CAST(a.attname AS text) || ' IS NOT NULL' AS varchar) AS check_clause
FROM pg_catalog.pg_class r
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND r.relkind IN ('r', 'p')
  AND pg_catalog.pg_has_role(r.relowner, 'USAGE');

CREATE VIEW information_schema.key_column_usage AS
SELECT current_database() AS constraint_catalog, nc.nspname AS constraint_schema,
       c.conname AS constraint_name, current_database() AS table_catalog, nr.nspname AS table_schema,
       r.relname AS table_name, a.attname AS column_name,
       CAST(array_position(c.conkey, a.attnum) AS integer) AS ordinal_position,
       CAST(CASE WHEN c.contype = 'f'
                 THEN array_position(u.conkey, c.confkey[array_position(c.conkey, a.attnum)])
            END AS integer) AS position_in_unique_constraint
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = ANY (c.conkey)
LEFT JOIN pg_catalog.pg_constraint u
    ON u.conindid = c.conindid AND u.conrelid = c.confrelid AND u.contype IN ('p', 'u')
WHERE c.contype IN ('p', 'u', 'f') AND r.relkind IN ('r', 'p') AND NOT a.attisdropped
  AND (pg_catalog.pg_has_role(r.relowner, 'USAGE')
       OR pg_catalog.has_column_privilege(r.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'));

CREATE VIEW information_schema.constraint_column_usage AS
SELECT current_database() AS table_catalog, nr.nspname AS table_schema, r.relname AS table_name,
       a.attname AS column_name, current_database() AS constraint_catalog,
       nc.nspname AS constraint_schema, c.conname AS constraint_name
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = ANY (c.conkey)
WHERE c.contype IN ('p', 'u', 'c') AND r.relkind IN ('r', 'p') AND NOT a.attisdropped
  AND pg_catalog.pg_has_role(r.relowner, 'USAGE')
UNION ALL
SELECT current_database() AS table_catalog, nr.nspname AS table_schema, r.relname AS table_name,
       a.attname AS column_name, current_database() AS constraint_catalog,
       nc.nspname AS constraint_schema, c.conname AS constraint_name
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
JOIN pg_catalog.pg_class r ON r.oid = c.confrelid
JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = ANY (c.confkey)
WHERE c.contype = 'f' AND r.relkind IN ('r', 'p') AND NOT a.attisdropped
  AND pg_catalog.pg_has_role(r.relowner, 'USAGE');

CREATE VIEW information_schema.constraint_table_usage AS
SELECT current_database() AS table_catalog, nr.nspname AS table_schema, r.relname AS table_name,
       current_database() AS constraint_catalog, nc.nspname AS constraint_schema,
       c.conname AS constraint_name
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
JOIN pg_catalog.pg_class r ON r.oid = CASE WHEN c.contype = 'f' THEN c.confrelid ELSE c.conrelid END
JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
WHERE c.contype IN ('f', 'p', 'u') AND r.relkind IN ('r', 'p')
  AND pg_catalog.pg_has_role(r.relowner, 'USAGE');

CREATE VIEW information_schema.referential_constraints AS
SELECT current_database() AS constraint_catalog, n.nspname AS constraint_schema,
       c.conname AS constraint_name,
       CASE WHEN nu.nspname IS NOT NULL THEN current_database() END AS unique_constraint_catalog,
       nu.nspname AS unique_constraint_schema, u.conname AS unique_constraint_name,
       CAST(CASE c.confmatchtype WHEN 'f' THEN 'FULL' WHEN 'p' THEN 'PARTIAL' WHEN 's' THEN 'NONE' END
            AS varchar) AS match_option,
       CAST(CASE c.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
                               WHEN 'd' THEN 'SET DEFAULT' WHEN 'r' THEN 'RESTRICT'
                               WHEN 'a' THEN 'NO ACTION' END AS varchar) AS update_rule,
       CAST(CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
                               WHEN 'd' THEN 'SET DEFAULT' WHEN 'r' THEN 'RESTRICT'
                               WHEN 'a' THEN 'NO ACTION' END AS varchar) AS delete_rule
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
LEFT JOIN pg_catalog.pg_constraint u
    ON u.conindid = c.conindid AND u.conrelid = c.confrelid AND u.contype IN ('p', 'u')
LEFT JOIN pg_catalog.pg_namespace nu ON nu.oid = u.connamespace
WHERE c.contype = 'f'
  AND (pg_catalog.pg_has_role(r.relowner, 'USAGE')
       OR pg_catalog.has_table_privilege(r.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR pg_catalog.has_any_column_privilege(r.oid, 'INSERT, UPDATE, REFERENCES'));

-- Privileges ----------------------------------------------------------------------------------------

CREATE VIEW information_schema.role_table_grants AS
SELECT grantor, grantee, table_catalog, table_schema, table_name, privilege_type, is_grantable,
       with_hierarchy
FROM information_schema.table_privileges
WHERE grantor IN (SELECT role_name FROM information_schema.enabled_roles)
   OR grantee IN (SELECT role_name FROM information_schema.enabled_roles);

CREATE VIEW information_schema.role_column_grants AS
SELECT grantor, grantee, table_catalog, table_schema, table_name, column_name, privilege_type, is_grantable
FROM information_schema.column_privileges
WHERE grantor IN (SELECT role_name FROM information_schema.enabled_roles)
   OR grantee IN (SELECT role_name FROM information_schema.enabled_roles);

CREATE VIEW information_schema.routine_privileges AS
SELECT o.rolname AS grantor, CASE WHEN g.everyone THEN CAST('PUBLIC' AS name) ELSE o.rolname END AS grantee,
       current_database() AS specific_catalog, n.nspname AS specific_schema,
       CAST(CAST(p.proname AS text) || '_' || CAST(p.oid AS text) AS name) AS specific_name,
       current_database() AS routine_catalog, n.nspname AS routine_schema, p.proname AS routine_name,
       CAST('EXECUTE' AS varchar) AS privilege_type,
       CAST(CASE WHEN g.everyone THEN 'NO' ELSE 'YES' END AS varchar(3)) AS is_grantable
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_authid o ON o.oid = p.proowner
CROSS JOIN (VALUES (true), (false)) AS g (everyone);

CREATE VIEW information_schema.role_routine_grants AS
SELECT grantor, grantee, specific_catalog, specific_schema, specific_name, routine_catalog, routine_schema,
       routine_name, privilege_type, is_grantable
FROM information_schema.routine_privileges
WHERE grantor IN (SELECT role_name FROM information_schema.enabled_roles)
   OR grantee IN (SELECT role_name FROM information_schema.enabled_roles);

-- Routines ------------------------------------------------------------------------------------------

CREATE VIEW information_schema.routines AS
SELECT current_database() AS specific_catalog, n.nspname AS specific_schema,
       CAST(CAST(p.proname AS text) || '_' || CAST(p.oid AS text) AS name) AS specific_name,
       current_database() AS routine_catalog, n.nspname AS routine_schema, p.proname AS routine_name,
       CAST(CASE p.prokind WHEN 'f' THEN 'FUNCTION' WHEN 'p' THEN 'PROCEDURE' END AS varchar)
           AS routine_type,
       CAST(NULL AS name) AS module_catalog, CAST(NULL AS name) AS module_schema,
       CAST(NULL AS name) AS module_name, CAST(NULL AS name) AS udt_catalog,
       CAST(NULL AS name) AS udt_schema, CAST(NULL AS name) AS udt_name,
       CAST(CASE WHEN p.prokind = 'p' THEN NULL
                 WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY'
                 WHEN nt.nspname = 'pg_catalog' THEN pg_catalog.format_type(t.oid, NULL)
                 ELSE 'USER-DEFINED' END AS varchar) AS data_type,
       CAST(NULL AS integer) AS character_maximum_length,
       CAST(NULL AS integer) AS character_octet_length,
       CAST(NULL AS name) AS character_set_catalog, CAST(NULL AS name) AS character_set_schema,
       CAST(NULL AS name) AS character_set_name, CAST(NULL AS name) AS collation_catalog,
       CAST(NULL AS name) AS collation_schema, CAST(NULL AS name) AS collation_name,
       CAST(NULL AS integer) AS numeric_precision, CAST(NULL AS integer) AS numeric_precision_radix,
       CAST(NULL AS integer) AS numeric_scale, CAST(NULL AS integer) AS datetime_precision,
       CAST(NULL AS varchar) AS interval_type, CAST(NULL AS integer) AS interval_precision,
       CASE WHEN nt.nspname IS NOT NULL THEN current_database() END AS type_udt_catalog,
       nt.nspname AS type_udt_schema, t.typname AS type_udt_name,
       CAST(NULL AS name) AS scope_catalog, CAST(NULL AS name) AS scope_schema,
       CAST(NULL AS name) AS scope_name, CAST(NULL AS integer) AS maximum_cardinality,
       CASE WHEN p.prokind <> 'p' THEN CAST('0' AS name) END AS dtd_identifier,
       CAST(CASE WHEN l.lanname = 'sql' THEN 'SQL' ELSE 'EXTERNAL' END AS varchar) AS routine_body,
       CAST(CASE WHEN pg_catalog.pg_has_role(p.proowner, 'USAGE') THEN p.prosrc END AS varchar)
           AS routine_definition,
       CAST(CASE WHEN l.lanname = 'c' THEN p.prosrc END AS varchar) AS external_name,
       CAST(upper(CAST(l.lanname AS text)) AS varchar) AS external_language,
       CAST('GENERAL' AS varchar) AS parameter_style,
       CAST(CASE WHEN p.provolatile = 'i' THEN 'YES' ELSE 'NO' END AS varchar(3)) AS is_deterministic,
       CAST('MODIFIES' AS varchar) AS sql_data_access,
       CAST(CASE WHEN p.prokind = 'p' THEN NULL WHEN p.proisstrict THEN 'YES' ELSE 'NO' END
            AS varchar(3)) AS is_null_call,
       CAST(NULL AS varchar) AS sql_path, CAST('YES' AS varchar(3)) AS schema_level_routine,
       CAST(0 AS integer) AS max_dynamic_result_sets, CAST(NULL AS varchar(3)) AS is_user_defined_cast,
       CAST(NULL AS varchar(3)) AS is_implicitly_invocable,
       CAST(CASE WHEN p.prosecdef THEN 'DEFINER' ELSE 'INVOKER' END AS varchar) AS security_type,
       CAST(NULL AS name) AS to_sql_specific_catalog, CAST(NULL AS name) AS to_sql_specific_schema,
       CAST(NULL AS name) AS to_sql_specific_name, CAST('NO' AS varchar(3)) AS as_locator,
       CAST(NULL AS timestamptz) AS created, CAST(NULL AS timestamptz) AS last_altered,
       CAST(NULL AS varchar(3)) AS new_savepoint_level, CAST('NO' AS varchar(3)) AS is_udt_dependent,
       CAST(NULL AS varchar) AS result_cast_from_data_type,
       CAST(NULL AS varchar(3)) AS result_cast_as_locator,
       CAST(NULL AS integer) AS result_cast_char_max_length,
       CAST(NULL AS integer) AS result_cast_char_octet_length,
       CAST(NULL AS name) AS result_cast_char_set_catalog,
       CAST(NULL AS name) AS result_cast_char_set_schema,
       CAST(NULL AS name) AS result_cast_char_set_name,
       CAST(NULL AS name) AS result_cast_collation_catalog,
       CAST(NULL AS name) AS result_cast_collation_schema,
       CAST(NULL AS name) AS result_cast_collation_name,
       CAST(NULL AS integer) AS result_cast_numeric_precision,
       CAST(NULL AS integer) AS result_cast_numeric_precision_radix,
       CAST(NULL AS integer) AS result_cast_numeric_scale,
       CAST(NULL AS integer) AS result_cast_datetime_precision,
       CAST(NULL AS varchar) AS result_cast_interval_type,
       CAST(NULL AS integer) AS result_cast_interval_precision,
       CAST(NULL AS name) AS result_cast_type_udt_catalog,
       CAST(NULL AS name) AS result_cast_type_udt_schema,
       CAST(NULL AS name) AS result_cast_type_udt_name,
       CAST(NULL AS name) AS result_cast_scope_catalog,
       CAST(NULL AS name) AS result_cast_scope_schema, CAST(NULL AS name) AS result_cast_scope_name,
       CAST(NULL AS integer) AS result_cast_maximum_cardinality,
       CAST(NULL AS name) AS result_cast_dtd_identifier
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
LEFT JOIN pg_catalog.pg_type t ON p.prorettype = t.oid AND p.prokind <> 'p'
LEFT JOIN pg_catalog.pg_namespace nt ON t.typnamespace = nt.oid
WHERE pg_catalog.pg_has_role(p.proowner, 'USAGE')
   OR pg_catalog.has_function_privilege(p.oid, 'EXECUTE');

CREATE VIEW information_schema.data_type_privileges AS
SELECT table_catalog AS object_catalog, table_schema AS object_schema, table_name AS object_name,
       CAST('TABLE' AS varchar) AS object_type, dtd_identifier
FROM information_schema.columns
UNION ALL
SELECT specific_catalog AS object_catalog, specific_schema AS object_schema,
       specific_name AS object_name, CAST('ROUTINE' AS varchar) AS object_type, dtd_identifier
FROM information_schema.routines;

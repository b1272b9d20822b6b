-- The information schema's views of property graphs (ISO 9075-16), with the names and columns of
-- PostgreSQL 19.

CREATE VIEW information_schema.property_graphs AS
SELECT current_database() AS property_graph_catalog, n.nspname AS property_graph_schema,
       c.relname AS property_graph_name
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'g'
  AND (pg_catalog.pg_has_role(c.relowner, 'USAGE')
       OR pg_catalog.has_table_privilege(c.oid, 'SELECT'));

CREATE VIEW information_schema.pg_element_tables AS
SELECT current_database() AS property_graph_catalog, n.nspname AS property_graph_schema,
       g.relname AS property_graph_name, e.pgealias AS element_table_alias,
       CAST(CASE e.pgekind WHEN 'e' THEN 'EDGE' WHEN 'v' THEN 'VERTEX' END AS varchar)
           AS element_table_kind,
       current_database() AS table_catalog, nt.nspname AS table_schema, t.relname AS table_name,
       CAST(NULL AS varchar) AS element_table_definition
FROM pg_catalog.pg_propgraph_element e
JOIN pg_catalog.pg_class g ON g.oid = e.pgepgid
JOIN pg_catalog.pg_namespace n ON n.oid = g.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = e.pgerelid
JOIN pg_catalog.pg_namespace nt ON nt.oid = t.relnamespace
WHERE pg_catalog.pg_has_role(g.relowner, 'USAGE')
   OR pg_catalog.has_table_privilege(g.oid, 'SELECT');

CREATE VIEW information_schema.pg_element_table_key_columns AS
SELECT current_database() AS property_graph_catalog, n.nspname AS property_graph_schema,
       g.relname AS property_graph_name, e.pgealias AS element_table_alias, a.attname AS column_name,
       CAST(array_position(e.pgekey, a.attnum) AS integer) AS ordinal_position
FROM pg_catalog.pg_propgraph_element e
JOIN pg_catalog.pg_class g ON g.oid = e.pgepgid
JOIN pg_catalog.pg_namespace n ON n.oid = g.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = e.pgerelid AND a.attnum = ANY (e.pgekey)
WHERE pg_catalog.pg_has_role(g.relowner, 'USAGE')
   OR pg_catalog.has_table_privilege(g.oid, 'SELECT');

CREATE VIEW information_schema.pg_edge_table_components AS
SELECT current_database() AS property_graph_catalog, n.nspname AS property_graph_schema,
       g.relname AS property_graph_name, e.pgealias AS edge_table_alias,
       v.pgealias AS vertex_table_alias, CAST('SOURCE' AS varchar) AS edge_end,
       ae.attname AS edge_table_column_name, av.attname AS vertex_table_column_name,
       CAST(array_position(e.pgesrckey, ae.attnum) AS integer) AS ordinal_position
FROM pg_catalog.pg_propgraph_element e
JOIN pg_catalog.pg_propgraph_element v ON v.oid = e.pgesrcvertexid
JOIN pg_catalog.pg_class g ON g.oid = e.pgepgid
JOIN pg_catalog.pg_namespace n ON n.oid = g.relnamespace
JOIN pg_catalog.pg_attribute ae ON ae.attrelid = e.pgerelid AND ae.attnum = ANY (e.pgesrckey)
JOIN pg_catalog.pg_attribute av
    ON av.attrelid = v.pgerelid AND av.attnum = e.pgesrcref[array_position(e.pgesrckey, ae.attnum)]
WHERE pg_catalog.pg_has_role(g.relowner, 'USAGE')
   OR pg_catalog.has_table_privilege(g.oid, 'SELECT')
UNION ALL
SELECT current_database() AS property_graph_catalog, n.nspname AS property_graph_schema,
       g.relname AS property_graph_name, e.pgealias AS edge_table_alias,
       v.pgealias AS vertex_table_alias, CAST('DESTINATION' AS varchar) AS edge_end,
       ae.attname AS edge_table_column_name, av.attname AS vertex_table_column_name,
       CAST(array_position(e.pgedestkey, ae.attnum) AS integer) AS ordinal_position
FROM pg_catalog.pg_propgraph_element e
JOIN pg_catalog.pg_propgraph_element v ON v.oid = e.pgedestvertexid
JOIN pg_catalog.pg_class g ON g.oid = e.pgepgid
JOIN pg_catalog.pg_namespace n ON n.oid = g.relnamespace
JOIN pg_catalog.pg_attribute ae ON ae.attrelid = e.pgerelid AND ae.attnum = ANY (e.pgedestkey)
JOIN pg_catalog.pg_attribute av
    ON av.attrelid = v.pgerelid AND av.attnum = e.pgedestref[array_position(e.pgedestkey, ae.attnum)]
WHERE pg_catalog.pg_has_role(g.relowner, 'USAGE')
   OR pg_catalog.has_table_privilege(g.oid, 'SELECT');

CREATE VIEW information_schema.pg_labels AS
SELECT current_database() AS property_graph_catalog, n.nspname AS property_graph_schema,
       g.relname AS property_graph_name, l.pgllabel AS label_name
FROM pg_catalog.pg_propgraph_label l
JOIN pg_catalog.pg_class g ON g.oid = l.pglpgid
JOIN pg_catalog.pg_namespace n ON n.oid = g.relnamespace
WHERE pg_catalog.pg_has_role(g.relowner, 'USAGE')
   OR pg_catalog.has_table_privilege(g.oid, 'SELECT');

CREATE VIEW information_schema.pg_element_table_labels AS
SELECT current_database() AS property_graph_catalog, n.nspname AS property_graph_schema,
       g.relname AS property_graph_name, e.pgealias AS element_table_alias, l.pgllabel AS label_name
FROM pg_catalog.pg_propgraph_element_label el
JOIN pg_catalog.pg_propgraph_element e ON e.oid = el.pgelelid
JOIN pg_catalog.pg_propgraph_label l ON l.oid = el.pgellabelid
JOIN pg_catalog.pg_class g ON g.oid = e.pgepgid
JOIN pg_catalog.pg_namespace n ON n.oid = g.relnamespace
WHERE pg_catalog.pg_has_role(g.relowner, 'USAGE')
   OR pg_catalog.has_table_privilege(g.oid, 'SELECT');

CREATE VIEW information_schema.pg_element_table_properties AS
SELECT DISTINCT current_database() AS property_graph_catalog, n.nspname AS property_graph_schema,
       g.relname AS property_graph_name, e.pgealias AS element_table_alias,
       p.pgpname AS property_name,
       CAST(pg_catalog.pg_get_expr(lp.plpexpr, e.pgerelid) AS varchar) AS property_expression
FROM pg_catalog.pg_propgraph_label_property lp
JOIN pg_catalog.pg_propgraph_property p ON p.oid = lp.plppropid
JOIN pg_catalog.pg_propgraph_element_label el ON el.oid = lp.plpellabelid
JOIN pg_catalog.pg_propgraph_element e ON e.oid = el.pgelelid
JOIN pg_catalog.pg_class g ON g.oid = e.pgepgid
JOIN pg_catalog.pg_namespace n ON n.oid = g.relnamespace
WHERE pg_catalog.pg_has_role(g.relowner, 'USAGE')
   OR pg_catalog.has_table_privilege(g.oid, 'SELECT');

CREATE VIEW information_schema.pg_label_properties AS
SELECT DISTINCT current_database() AS property_graph_catalog, n.nspname AS property_graph_schema,
       g.relname AS property_graph_name, l.pgllabel AS label_name, p.pgpname AS property_name
FROM pg_catalog.pg_propgraph_label_property lp
JOIN pg_catalog.pg_propgraph_property p ON p.oid = lp.plppropid
JOIN pg_catalog.pg_propgraph_element_label el ON el.oid = lp.plpellabelid
JOIN pg_catalog.pg_propgraph_label l ON l.oid = el.pgellabelid
JOIN pg_catalog.pg_class g ON g.oid = l.pglpgid
JOIN pg_catalog.pg_namespace n ON n.oid = g.relnamespace
WHERE pg_catalog.pg_has_role(g.relowner, 'USAGE')
   OR pg_catalog.has_table_privilege(g.oid, 'SELECT');

CREATE VIEW information_schema.pg_property_data_types AS
SELECT current_database() AS property_graph_catalog, n.nspname AS property_graph_schema,
       g.relname AS property_graph_name, p.pgpname AS property_name,
       CAST(CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY'
                 WHEN nt.nspname = 'pg_catalog' THEN pg_catalog.format_type(p.pgptypid, NULL)
                 ELSE 'USER-DEFINED' END AS varchar) AS data_type,
       CAST(CASE WHEN p.pgptypid IN (1042, 1043) AND p.pgptypmod <> -1 THEN p.pgptypmod - 4
            END AS integer) AS character_maximum_length,
       CAST(CASE WHEN p.pgptypid IN (1042, 1043) AND p.pgptypmod <> -1 THEN (p.pgptypmod - 4) * 4
                 WHEN p.pgptypid IN (25, 1042, 1043) THEN 1073741824
            END AS integer) AS character_octet_length,
       CAST(NULL AS name) AS character_set_catalog, CAST(NULL AS name) AS character_set_schema,
       CAST(NULL AS name) AS character_set_name,
       CASE WHEN co.nspname IS NOT NULL THEN current_database() END AS collation_catalog,
       co.nspname AS collation_schema, co.collname AS collation_name,
       CAST(CASE p.pgptypid WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64
                 WHEN 700 THEN 24 WHEN 701 THEN 53
                 WHEN 1700 THEN CASE WHEN p.pgptypmod <> -1 THEN (p.pgptypmod - 4) / 65536 END
            END AS integer) AS numeric_precision,
       CAST(CASE WHEN p.pgptypid IN (21, 23, 20, 700, 701) THEN 2
                 WHEN p.pgptypid = 1700 THEN 10
            END AS integer) AS numeric_precision_radix,
       CAST(CASE WHEN p.pgptypid IN (21, 23, 20) THEN 0
                 WHEN p.pgptypid = 1700 AND p.pgptypmod <> -1 THEN (p.pgptypmod - 4) % 65536
            END AS integer) AS numeric_scale,
       CAST(CASE WHEN p.pgptypid = 1082 THEN 0
                 WHEN p.pgptypid IN (1083, 1114, 1184, 1266) AND p.pgptypmod >= 0 THEN p.pgptypmod
                 WHEN p.pgptypid IN (1083, 1114, 1184, 1186, 1266) THEN 6
            END AS integer) AS datetime_precision,
       CAST(NULL AS varchar) AS interval_type, CAST(NULL AS integer) AS interval_precision,
       current_database() AS user_defined_type_catalog, nt.nspname AS user_defined_type_schema,
       t.typname AS user_defined_type_name, CAST(NULL AS name) AS scope_catalog,
       CAST(NULL AS name) AS scope_schema, CAST(NULL AS name) AS scope_name,
       CAST(NULL AS integer) AS maximum_cardinality, p.pgpname AS dtd_identifier
FROM pg_catalog.pg_propgraph_property p
JOIN pg_catalog.pg_class g ON g.oid = p.pgppgid
JOIN pg_catalog.pg_namespace n ON n.oid = g.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = p.pgptypid
JOIN pg_catalog.pg_namespace nt ON nt.oid = t.typnamespace
LEFT JOIN (SELECT k.oid, k.collname, nk.nspname
           FROM pg_catalog.pg_collation k
           JOIN pg_catalog.pg_namespace nk ON k.collnamespace = nk.oid
           WHERE k.oid <> 100) co
    ON p.pgpcollation = co.oid
WHERE pg_catalog.pg_has_role(g.relowner, 'USAGE')
   OR pg_catalog.has_table_privilege(g.oid, 'SELECT');

CREATE VIEW information_schema.pg_property_graph_privileges AS
SELECT o.rolname AS grantor, o.rolname AS grantee, current_database() AS property_graph_catalog,
       n.nspname AS property_graph_schema, g.relname AS property_graph_name,
       CAST('SELECT' AS varchar) AS privilege_type, CAST('YES' AS varchar(3)) AS is_grantable
FROM pg_catalog.pg_class g
JOIN pg_catalog.pg_namespace n ON n.oid = g.relnamespace
JOIN pg_catalog.pg_authid o ON o.oid = g.relowner
WHERE g.relkind = 'g' AND pg_catalog.pg_has_role(o.oid, 'USAGE');

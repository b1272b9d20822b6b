#!/usr/bin/env python3
"""Writes the data files of this folder from the catalogs of a PostgreSQL 15 server.

    PGHOST=… PGPORT=… PGUSER=… ./generate.py

relations.tsv   every relation of pg_catalog and information_schema: names, OIDs, columns, types
keywords.tsv    pg_get_keywords: word, category, whether it may be a bare label
<relation>.tsv  the rows of a catalog that are the same in every database, as far as graphwire has the
                thing: first the columns that vary, then the columns that hold one value in all rows
                (name=value), then the rows. Text as in COPY: \\N is null.
"""
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent

# The types of src/types/builtin.rs, and the pseudo-types that functions are declared with.
TYPES = """bool bytea char name int8 int2 int2vector int4 regproc text oid tid xid cid oidvector json
pg_node_tree float4 float8 unknown inet aclitem bpchar varchar date time timestamp timestamptz interval
timetz numeric refcursor regprocedure regoper regoperator regclass regtype record cstring anyarray void
uuid pg_lsn regconfig regdictionary jsonb int4range int8range numrange tsrange tstzrange daterange anyrange int4multirange int8multirange
nummultirange tsmultirange tstzmultirange datemultirange anymultirange regnamespace regrole regcollation xid8
any anyelement anynonarray anyenum anycompatible anycompatiblearray anycompatiblenonarray internal
trigger event_trigger language_handler index_am_handler table_am_handler fdw_handler""".split()

# Domains of information_schema and types graphwire does not have, as they are shown instead.
SHOWN_AS = {
    "sql_identifier": "name", "character_data": "varchar", "cardinal_number": "int4",
    "yes_or_no": "varchar", "time_stamp": "timestamptz",
    "pg_ndistinct": "text", "pg_dependencies": "text", "pg_mcv_list": "text", "_pg_statistic": "_text",
}

# Views that graphwire computes, or that have no row as graphwire has no such thing. All other views
# are SQL in sql/.
COMPUTED_VIEWS = """pg_settings pg_stat_activity pg_prepared_statements pg_cursors pg_timezone_names
pg_available_extension_versions pg_available_extensions pg_backend_memory_contexts pg_config
pg_file_settings pg_hba_file_rules pg_ident_file_mappings pg_locks pg_prepared_xacts
pg_publication_tables pg_replication_origin_status pg_replication_slots pg_seclabels
pg_shmem_allocations pg_stat_archiver pg_stat_bgwriter pg_stat_database_conflicts pg_stat_gssapi
pg_stat_progress_analyze pg_stat_progress_basebackup pg_stat_progress_cluster pg_stat_progress_copy
pg_stat_progress_create_index pg_stat_progress_vacuum pg_stat_recovery_prefetch pg_stat_replication
pg_stat_replication_slots pg_stat_slru pg_stat_ssl pg_stat_subscription pg_stat_subscription_stats
pg_stat_user_functions pg_stat_wal pg_stat_wal_receiver pg_stat_xact_user_functions pg_stats
pg_stats_ext pg_stats_ext_exprs pg_timezone_abbrevs pg_matviews pg_policies pg_sequences pg_user_mappings
pg_statio_all_sequences pg_statio_sys_sequences pg_statio_user_sequences
_pg_foreign_data_wrappers _pg_foreign_servers _pg_foreign_table_columns _pg_foreign_tables
_pg_user_mappings attributes check_constraint_routine_usage column_column_usage column_domain_usage
column_options domain_constraints domain_udt_usage domains foreign_data_wrapper_options
foreign_data_wrappers foreign_server_options foreign_servers foreign_table_options foreign_tables
parameters role_udt_grants role_usage_grants routine_column_usage routine_routine_usage
routine_sequence_usage routine_table_usage sequences transforms triggered_update_columns triggers
udt_privileges usage_privileges user_defined_types user_mapping_options user_mappings
view_routine_usage""".split()

# PostgreSQL 19's catalogs of property graphs.
GRAPH_CATALOGS = """\
pg_propgraph_element\t6466\toid:oid! pgepgid:oid! pgerelid:oid! pgealias:name! pgekind:char! \
pgesrcvertexid:oid! pgedestvertexid:oid! pgekey:_int2! pgesrckey:_int2 pgesrcref:_int2 \
pgesrceqop:_oid pgedestkey:_int2 pgedestref:_int2 pgedesteqop:_oid
pg_propgraph_element_label\t6472\toid:oid! pgellabelid:oid! pgelelid:oid!
pg_propgraph_label\t6470\toid:oid! pglpgid:oid! pgllabel:name!
pg_propgraph_label_property\t6482\toid:oid! plppropid:oid! plpellabelid:oid! plpexpr:pg_node_tree!
pg_propgraph_property\t6473\toid:oid! pgppgid:oid! pgpname:name! pgptypid:oid! pgptypmod:int4! \
pgpcollation:oid!"""

TYPE_LIST = ", ".join(f"'{name}'" for name in TYPES)
KNOWN = f"""(SELECT oid FROM pg_type WHERE typnamespace = 11 AND typname IN ({TYPE_LIST})
    UNION SELECT typarray FROM pg_type WHERE typnamespace = 11 AND typname IN ({TYPE_LIST}))"""
CATALOG_ROWS = """(SELECT reltype FROM pg_class WHERE relnamespace = 11 AND relkind = 'r' AND reltype <> 0
    AND oid < 10000)"""

# Families of functions for things graphwire does not have.
ABSENT_FUNCTIONS = "^(" + "|".join("""
binary_upgrade_ brin gin gist spg hash_array hash.*extended pg_logical_ pg_replication pg_stat_ pg_ls_ pg_read_
pg_walfile pg_copy_ pg_create_ pg_drop_ pg_wal pg_backup pg_promote pg_switch pg_partition
pg_collation_for pg_import pg_event_trigger pg_extension pg_last pg_snapshot pg_visible txid_snapshot tsm_
lo_ lo(read|write) RI_ ri_ heap_tableam json_(populate|to_rec|object_keys_) jsonb_(populate|to_rec) xml
ts_ to_ts websearch pgstat suppress_ unique_key currtid plpgsql range_(gist|typana) multirange_(gist|typana|unnest) pg_control in_range
bt(char|int|float|name|oid|text|bpchar|bool|varstr|numeric|equal).*(sort|skip|equalimage) .*sel$ .*joinsel$
.*_support .*typanalyze query_to cursor_to database_to schema_to table_to pg_prepared pg_nextoid
amvalidate interval_accum interval_combine interval_avg .*_serialize .*_deserialize .*_combine .*_accum .*_inv
.*_transfn .*_finalfn .*_avg_ pg_available pg_show pg_config pg_get_(backend|wal|shmem|multi|repl|publ|catalog)
pg_identify pg_describe pg_sequence_par pg_mcv set_config_ int[248]_(avg|sum) bernoulli system diagonal
""".split()) + ")"

FUNCTIONS = f"""(SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 11
    AND p.prorettype IN {KNOWN}
    AND NOT EXISTS (SELECT FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) AS t (t)
                    WHERE t NOT IN {KNOWN})
    AND NOT 2281 = ANY (coalesce(p.proallargtypes, p.proargtypes::oid[]))
    AND (p.proname !~ '{ABSENT_FUNCTIONS}' OR p.oid IN (SELECT oprcode FROM pg_operator)
         OR p.oid IN (SELECT castfunc FROM pg_cast)))
    """

STATIC = {
    "pg_type": f"oid IN {KNOWN} OR oid IN {CATALOG_ROWS} OR typelem IN {CATALOG_ROWS}",
    "pg_range": f"rngtypid IN {KNOWN}",
    "pg_proc": f"oid IN {FUNCTIONS} OR oid IN (SELECT f FROM pg_type, "
               "unnest(ARRAY[typsubscript, typinput, typoutput, typreceive, typsend, typmodin, typmodout]) AS f (f) "
               f"WHERE pg_type.oid IN {KNOWN})",
    "pg_operator": f"oprcode IN {FUNCTIONS} AND oprresult IN {KNOWN}",
    "pg_cast": f"castsource IN {KNOWN} AND casttarget IN {KNOWN}",
    "pg_aggregate": f"aggfnoid IN {FUNCTIONS}",
    "pg_am": "amname IN ('heap', 'btree')",
    "pg_opfamily": "opfmethod = 403 AND oid IN (SELECT opcfamily FROM pg_opclass WHERE opcmethod = 403 "
                   f"AND opcintype IN {KNOWN})",
    "pg_opclass": f"opcmethod = 403 AND opcintype IN {KNOWN}",
    "pg_amop": f"amopmethod = 403 AND amoplefttype IN {KNOWN} AND amoprighttype IN {KNOWN}",
    "pg_amproc": f"amproclefttype IN {KNOWN} AND amprocrighttype IN {KNOWN} AND amprocnum = 1 "
                 "AND amprocfamily IN (SELECT oid FROM pg_opfamily WHERE opfmethod = 403)",
    "pg_language": "lanname IN ('internal', 'c', 'sql', 'plpgsql')",
    "pg_collation": "oid IN (100, 950, 951)",
    "pg_tablespace": "true",
    "pg_timezone_abbrevs": "true",
}
# What is stored as a parse tree there is SQL text here; what refers to things left out is 0 here.
REWRITTEN = {
    ("pg_proc", "proargdefaults"): "pg_get_expr(proargdefaults, 0)",
    ("pg_proc", "prosqlbody"): "NULL",
    ("pg_proc", "prosupport"): "0",
    ("pg_proc", "proacl"): "NULL",
    ("pg_proc", "provolatile"): "provolatile",
    ("pg_type", "typdefaultbin"): "NULL",
    ("pg_type", "typsubscript"): "typsubscript::oid",
    ("pg_type", "typanalyze"): "0",
    ("pg_type", "typacl"): "NULL",
    ("pg_operator", "oprrest"): "0",
    ("pg_operator", "oprjoin"): "0",
    ("pg_timezone_abbrevs", "utc_offset"): "extract(epoch FROM utc_offset)::integer",
    ("pg_tablespace", "spcacl"): "NULL",
    ("pg_language", "lanacl"): "NULL",
    ("pg_language", "lanvalidator"): "0",
    ("pg_language", "lanplcallfoid"): "0",
    ("pg_language", "laninline"): "0",
}


def ask(query):
    done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "template1", "-c",
                           f"COPY ({query}) TO STDOUT"], check=True, capture_output=True, text=True)
    return [line.split("\t") for line in done.stdout.split("\n")[:-1]]


def shown(kind):
    return SHOWN_AS.get(kind, kind)


def relations():
    rows = ask("""
        SELECT n.nspname, c.oid, c.relname, c.relkind, c.reltype,
               string_agg(a.attname || ':' || t.typname || CASE WHEN a.attnotnull THEN '!' ELSE '' END,
                          ' ' ORDER BY a.attnum)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        JOIN pg_type t ON t.oid = a.atttypid
        WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v')
        GROUP BY 1, 2, 3, 4, 5 ORDER BY n.nspname DESC, c.relkind, c.relname""")
    out = ["schema\toid\tname\tkind\tmade_by\trow_type\tcolumns"]
    for schema, oid, name, kind, row_type, columns in rows:
        fields = []
        for column in columns.split(" "):
            column, kind_name = column.split(":")
            mark = "!" if kind_name.endswith("!") else ""
            fields.append(f"{column}:{shown(kind_name.rstrip('!'))}{mark}")
        made_by = "rust" if kind == "r" or name in COMPUTED_VIEWS else "sql"
        pinned = row_type if int(oid) < 10000 else "0"
        out.append("\t".join([schema, oid, name, kind, made_by, pinned, " ".join(fields)]))
    for line in GRAPH_CATALOGS.split("\n"):
        name, oid, columns = line.split("\t")
        out.append("\t".join(["pg_catalog", oid, name, "r", "rust", "0", columns]))
    (HERE / "relations.tsv").write_text("\n".join(out) + "\n")


def plain(column, kind):
    """Object references as numbers, names as text."""
    return f"{column}::oid" if kind.startswith("reg") else column


def static(name, condition):
    columns = ask(f"""SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                      WHERE a.attrelid = '{name}'::regclass AND a.attnum > 0 ORDER BY a.attnum""")
    exprs = [REWRITTEN.get((name, column), plain(column, kind)) for column, kind in columns]
    rows = ask(f"SELECT {', '.join(exprs)} FROM {name} WHERE {condition} ORDER BY 1")
    same, varying = [], []
    for index, (column, _) in enumerate(columns):
        values = {row[index] for row in rows}
        if len(values) == 1 and len(rows) > 1:
            same.append(f"{column}={values.pop()}")
        else:
            varying.append(index)
    out = ["\t".join(columns[index][0] for index in varying), "\t".join(same)]
    out += ["\t".join(row[index] for index in varying) for row in rows]
    (HERE / f"{name}.tsv").write_text("\n".join(out) + "\n")
    print(name, len(rows))


def keywords():
    rows = ask("SELECT word, catcode, barelabel FROM pg_get_keywords() ORDER BY word")
    (HERE / "keywords.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))


relations()
keywords()
for relation, rows_wanted in STATIC.items():
    static(relation, rows_wanted)

//! Functions about the session, the server, the catalog and privileges.

use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::cast::text_io::{reg_input, reg_kind, reg_output};
use crate::functions::context::{ObjectKind, ObjectName, RegKind, SizeKind};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::pg_type::PgType;

fn text(text: impl Into<String>) -> Result<Value, PgError> {
    Ok(Datum::text(text))
}

fn optional(text: Option<String>) -> Result<Value, PgError> {
    Ok(Datum::opt_text(text))
}

fn oid_at(args: Args<'_, '_>, index: usize) -> Result<u32, PgError> {
    Ok(args.int(index)? as u32)
}

fn flag(args: Args<'_, '_>, index: usize) -> Result<bool, PgError> {
    Ok(match args.get(index) {
        Datum::Bool(value) => *value,
        Datum::Int(value) => *value != 0,
        _ => false,
    })
}

fn current_schema(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    optional(call.session()?.current_schemas(false).into_iter().next())
}

fn current_schemas(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let schemas = call.session()?.current_schemas(args.bool(0)?);
    Ok(Datum::List(schemas.into_iter().map(Datum::text).collect()))
}

fn current_setting(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let name = args.text(0)?;
    let missing_ok = args.len() > 1 && args.bool(1)?;
    match call.session()?.setting(name) {
        Some(value) => text(value),
        None if missing_ok => Ok(Datum::Null),
        None => {
            let message = format!("unrecognized configuration parameter \"{name}\"");
            Err(PgError::new(SqlState::UNDEFINED_OBJECT, message))
        }
    }
}

fn set_config(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.is_null(0) {
        return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"));
    }
    let value = if args.is_null(1) { "" } else { args.text(1)? };
    text(call.session()?.set_setting(args.text(0)?, value, args.has(2) && args.bool(2)?)?)
}

fn address(found: Option<std::net::SocketAddr>) -> Result<Value, PgError> {
    optional(found.map(|address| address.ip().to_string()))
}

fn port(found: Option<std::net::SocketAddr>) -> Result<Value, PgError> {
    Ok(found.map_or(Datum::Null, |address| Datum::Int(address.port().into())))
}

fn signal(call: &Call<'_>, args: Args<'_, '_>, terminate: bool) -> Result<Value, PgError> {
    let pid = i32::try_from(args.int(0)?).unwrap_or(0);
    Ok(Datum::Bool(call.session()?.signal_backend(pid, terminate)?))
}

fn transaction_id(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(Datum::Int(i64::try_from(call.session()?.transaction_id()).unwrap_or(i64::MAX)))
}

fn export_snapshot(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    text(call.session()?.export_snapshot()?)
}

fn pg_typeof(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(Datum::Int(call.arg_type(0).oid().into()))
}

fn format_type(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.is_null(0) {
        return Ok(Datum::Null);
    }
    let oid = oid_at(args, 0)?;
    let typmod = if args.has(1) { i32::try_from(args.int(1)?).ok() } else { None };
    if oid == 0 {
        return text("-");
    }
    if let Some(ty) = PgType::from_oid(oid, typmod.unwrap_or(-1)) {
        return text(match (&ty, typmod) {
            // `character` alone means (1); without a modifier the name is the internal one.
            (PgType::Bpchar(None), None) => "character".to_owned(),
            (ty, _) => ty.name(),
        });
    }
    let found = call.session.and_then(|session| session.catalog().type_name(oid, typmod));
    text(found.unwrap_or_else(|| "???".to_owned()))
}

fn definition(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (catalog, oid) = (call.session()?.catalog(), oid_at(args, 0)?);
    optional(match call.name {
        "pg_get_constraintdef" => catalog.constraint_definition(oid, flag(args, 1)?),
        "pg_get_functiondef" => catalog.function_definition(oid),
        "pg_get_function_arguments" => catalog.function_arguments(oid, false),
        "pg_get_function_identity_arguments" => catalog.function_arguments(oid, true),
        "pg_get_function_result" => catalog.function_result(oid),
        other => catalog.other_definition(other, oid),
    })
}

fn index_definition(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let column = if args.len() > 1 { i32::try_from(args.int(1)?).unwrap_or(0) } else { 0 };
    optional(call.session()?.catalog().index_definition(oid_at(args, 0)?, column, flag(args, 2)?))
}

fn view_definition(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let oid = match args.get(0) {
        Datum::Text(name) => reg_input(RegKind::Class, name, call.session)?,
        _ => oid_at(args, 0)?,
    };
    optional(call.session()?.catalog().view_definition(oid, flag(args, 1)?))
}

fn expression(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    optional(call.session()?.catalog().expression(args.text(0)?, oid_at(args, 1)?))
}

fn user_by_id(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let oid = oid_at(args, 0)?;
    let name = call.session()?.catalog().role_name(oid);
    text(name.unwrap_or_else(|| format!("unknown (OID={oid})")))
}

fn description(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let class = if args.len() > 1 { args.text(1)? } else { "" };
    optional(call.session()?.catalog().description(oid_at(args, 0)?, class, 0))
}

fn column_description(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let column = i32::try_from(args.int(1)?).unwrap_or(0);
    optional(call.session()?.catalog().description(oid_at(args, 0)?, "pg_class", column))
}

fn visible(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let class = match call.name {
        "pg_table_is_visible" => "pg_class",
        "pg_type_is_visible" => "pg_type",
        "pg_function_is_visible" => "pg_proc",
        "pg_operator_is_visible" => "pg_operator",
        "pg_opclass_is_visible" => "pg_opclass",
        "pg_opfamily_is_visible" => "pg_opfamily",
        "pg_collation_is_visible" => "pg_collation",
        "pg_conversion_is_visible" => "pg_conversion",
        "pg_statistics_obj_is_visible" => "pg_statistic_ext",
        "pg_ts_config_is_visible" => "pg_ts_config",
        "pg_ts_dict_is_visible" => "pg_ts_dict",
        "pg_ts_parser_is_visible" => "pg_ts_parser",
        _ => "pg_ts_template",
    };
    let found = call.session()?.catalog().is_visible(class, oid_at(args, 0)?);
    Ok(found.map_or(Datum::Null, Datum::Bool))
}

fn named(value: &Datum<'_>) -> ObjectName {
    match value {
        Datum::Int(oid) => ObjectName::Oid(*oid as u32),
        Datum::Text(name) => ObjectName::Name(name.to_string()),
        _ => ObjectName::Oid(0),
    }
}

fn privilege(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let kind = match call.name {
        "has_table_privilege" => ObjectKind::Table,
        "has_any_column_privilege" => ObjectKind::AnyColumn,
        "has_sequence_privilege" => ObjectKind::Sequence,
        "has_schema_privilege" => ObjectKind::Schema,
        "has_database_privilege" => ObjectKind::Database,
        "has_function_privilege" => ObjectKind::Function,
        "has_type_privilege" => ObjectKind::Type,
        "has_language_privilege" => ObjectKind::Language,
        "has_tablespace_privilege" => ObjectKind::Tablespace,
        "has_foreign_data_wrapper_privilege" => ObjectKind::ForeignDataWrapper,
        "has_server_privilege" => ObjectKind::Server,
        "has_parameter_privilege" => ObjectKind::Parameter,
        _ => ObjectKind::Role,
    };
    let (role, object, words) = match args.0 {
        [role, object, words] => (Some(named(role)), named(object), words),
        [object, words] => (None, named(object), words),
        _ => return Err(PgError::internal("a privilege function of another shape")),
    };
    let Datum::Text(words) = words else { return Ok(Datum::Null) };
    let found =
        call.session()?.catalog().has_privilege(kind, role.as_ref(), &object, None, words)?;
    Ok(found.map_or(Datum::Null, Datum::Bool))
}

fn column_privilege(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (role, object, column, words) = match args.0 {
        [role, object, column, words] => (Some(named(role)), named(object), named(column), words),
        [object, column, words] => (None, named(object), named(column), words),
        _ => return Err(PgError::internal("a privilege function of another shape")),
    };
    let Datum::Text(words) = words else { return Ok(Datum::Null) };
    let catalog = call.session()?.catalog();
    let found =
        catalog.has_privilege(ObjectKind::Table, role.as_ref(), &object, Some(&column), words)?;
    Ok(found.map_or(Datum::Null, Datum::Bool))
}

fn relation_size(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let kind = match call.name {
        "pg_relation_size" => SizeKind::Main,
        "pg_table_size" => SizeKind::Table,
        "pg_indexes_size" => SizeKind::Indexes,
        _ => SizeKind::Total,
    };
    let found = call.session()?.catalog().relation_size(oid_at(args, 0)?, kind);
    Ok(found.map_or(Datum::Null, Datum::Int))
}

fn row_security_active(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let catalog = call.session()?.catalog();
    let oid = match args.get(0) {
        Datum::Text(name) => catalog.reg_lookup(RegKind::Class, name)?.ok_or_else(|| {
            PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
        })?,
        _ => oid_at(args, 0)?,
    };
    Ok(Datum::Bool(catalog.row_security_active(oid)))
}

fn database_size(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let found = call.session()?.catalog().database_size(&named(args.get(0)));
    Ok(found.map_or(Datum::Null, Datum::Int))
}

/// Units grow while the number is above ten of the next one; each step rounds half away from zero.
fn size_pretty(size: i128) -> String {
    const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let (mut value, mut unit) = (size, 0);
    let mut half = false;
    while unit + 1 < UNITS.len() {
        let limit = if unit == 0 { 10 * 1024 } else { 20 * 1024 - 1 };
        if value.abs() < limit {
            break;
        }
        // One bit more than the unit is kept, so that the last step rounds.
        value >>= if unit == 0 { 9 } else { 10 };
        half = true;
        unit += 1;
    }
    if half {
        value = if value < 0 { (value - 1) / 2 } else { (value + 1) / 2 };
    }
    format!("{value} {}", UNITS.get(unit).copied().unwrap_or("PB"))
}

fn pretty(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    text(size_pretty(args.num(0)?.truncate(0)?.value))
}

const ENCODINGS: &[&str] = &[
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "UTF8",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1256",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "WIN1251",
    "WIN1252",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "WIN1250",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1257",
    "KOI8U",
];

fn encoding_name(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let found = usize::try_from(args.int(0)?).ok().and_then(|number| ENCODINGS.get(number));
    text(found.copied().unwrap_or_default())
}

fn encoding_number(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let wanted: String = args.text(0)?.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let plain = |name: &str| name.replace('_', "");
    let found = ENCODINGS.iter().position(|name| plain(name).eq_ignore_ascii_case(&wanted));
    Ok(Datum::Int(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)))
}

/// `to_regclass` and the like: null where the cast fails.
fn to_reg(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let Some(kind) = reg_kind(call.return_type) else { return Ok(Datum::Null) };
    let name = args.text(0)?;
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Datum::Null);
    }
    Ok(reg_input(kind, name, call.session).map_or(Datum::Null, |oid| Datum::Int(oid.into())))
}

fn serial_sequence(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    optional(call.session()?.catalog().serial_sequence(args.text(0)?, args.text(1)?)?)
}

fn keywords(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    let rows = call.session()?.catalog().keywords().into_iter().map(
        |(word, code, bare, meaning, label)| {
            Datum::Row(vec![
                Datum::text(word),
                Datum::text(code),
                Datum::Bool(bare),
                Datum::text(meaning),
                Datum::text(label),
            ])
        },
    );
    Ok(Datum::List(rows.collect()))
}

fn options_to_table(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let rows = args.list(0)?.iter().filter_map(|option| match option {
        Datum::Text(option) => Some(match option.split_once('=') {
            Some((name, value)) => Datum::Row(vec![Datum::text(name), Datum::text(value)]),
            None => Datum::Row(vec![Datum::text(option.to_string()), Datum::Null]),
        }),
        _ => None,
    });
    Ok(Datum::List(rows.collect()))
}

fn acl_default(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let kind = args.text(0)?.chars().next().unwrap_or(' ');
    let items = call.session()?.catalog().default_acl(kind, oid_at(args, 1)?);
    Ok(Datum::List(items.into_iter().map(Datum::text).collect()))
}

fn index_property(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let name = args.text(args.len() - 1)?.to_ascii_lowercase();
    // Every index here is a btree in ascending order.
    Ok(match name.as_str() {
        "asc" | "nulls_last" | "orderable" | "returnable" | "search_array" | "search_nulls"
        | "clusterable" | "index_scan" | "bitmap_scan" | "backward_scan" | "can_order"
        | "can_unique" | "can_multi_col" | "can_exclude" | "can_include" => Datum::Bool(true),
        "desc" | "nulls_first" | "distance_orderable" => Datum::Bool(false),
        _ => Datum::Null,
    })
}

fn kind_of_relation(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let known = call.session()?.catalog().row_count(oid_at(args, 0)?);
    Ok(match call.name {
        "pg_relation_is_publishable" => Datum::Bool(known.is_some()),
        // Bits: 4 UPDATE, 8 INSERT, 16 DELETE.
        "pg_relation_is_updatable" => Datum::Int(if known.is_some() { 28 } else { 0 }),
        "pg_relation_filenode" => known.map_or(Datum::Null, |_| args.get(0).clone().into_owned()),
        _ => Datum::Bool(known.is_some()),
    })
}

fn uuid(_: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(Datum::bytes(uuid::Uuid::new_v4().into_bytes().to_vec()))
}

fn null(_: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(Datum::Null)
}

fn role_text(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    text(reg_output(RegKind::Role, oid_at(args, 0)?, call.session))
}

fn input_is_valid(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let ty = PgType::parse_name(args.text(1)?)?;
    Ok(Datum::Bool(
        crate::functions::cast::text_io::datum_from_text(args.text(0)?, &ty, call.session).is_ok(),
    ))
}

macro_rules! privileges {
    ($($name:literal),* $(,)?) => {
        /// `has_…_privilege`: by name or OID, of the current role or another.
        pub(super) const PRIVILEGES: &[Def] = &[
            $(
                def(concat!($name, "(text, text) bool"), row(privilege)).stable(),
                def(concat!($name, "(oid, text) bool"), row(privilege)).stable(),
                def(concat!($name, "(text, text, text) bool"), row(privilege)).stable(),
                def(concat!($name, "(text, oid, text) bool"), row(privilege)).stable(),
                def(concat!($name, "(oid, text, text) bool"), row(privilege)).stable(),
                def(concat!($name, "(oid, oid, text) bool"), row(privilege)).stable(),
            )*
            def("has_column_privilege(text, text, text) bool", row(column_privilege)).stable(),
            def("has_column_privilege(text, int2, text) bool", row(column_privilege)).stable(),
            def("has_column_privilege(oid, text, text) bool", row(column_privilege)).stable(),
            def("has_column_privilege(oid, int2, text) bool", row(column_privilege)).stable(),
            def("has_column_privilege(text, text, text, text) bool", row(column_privilege)).stable(),
            def("has_column_privilege(text, text, int2, text) bool", row(column_privilege)).stable(),
            def("has_column_privilege(text, oid, text, text) bool", row(column_privilege)).stable(),
            def("has_column_privilege(text, oid, int2, text) bool", row(column_privilege)).stable(),
            def("has_column_privilege(oid, text, text, text) bool", row(column_privilege)).stable(),
            def("has_column_privilege(oid, oid, text, text) bool", row(column_privilege)).stable(),
            def("has_column_privilege(oid, oid, int2, text) bool", row(column_privilege)).stable(),
        ];
    };
}

privileges!(
    "has_table_privilege",
    "has_any_column_privilege",
    "has_sequence_privilege",
    "has_schema_privilege",
    "has_database_privilege",
    "has_function_privilege",
    "has_type_privilege",
    "has_language_privilege",
    "has_tablespace_privilege",
    "has_foreign_data_wrapper_privilege",
    "has_server_privilege",
    "has_parameter_privilege",
    "pg_has_role",
);

macro_rules! by_oid {
    ($table:ident, $kernel:expr, $suffix:literal, $($name:literal),* $(,)?) => {
        pub(super) const $table: &[Def] = &[$(def(concat!($name, $suffix), row($kernel)).stable(),)*];
    };
}

by_oid!(
    VISIBLE,
    visible,
    "(oid) bool",
    "pg_table_is_visible",
    "pg_type_is_visible",
    "pg_function_is_visible",
    "pg_operator_is_visible",
    "pg_opclass_is_visible",
    "pg_opfamily_is_visible",
    "pg_collation_is_visible",
    "pg_conversion_is_visible",
    "pg_statistics_obj_is_visible",
    "pg_ts_config_is_visible",
    "pg_ts_dict_is_visible",
    "pg_ts_parser_is_visible",
    "pg_ts_template_is_visible",
);

by_oid!(
    DEFINITIONS,
    definition,
    "(oid, ?bool) text",
    "pg_get_constraintdef",
    "pg_get_functiondef",
    "pg_get_function_arguments",
    "pg_get_function_identity_arguments",
    "pg_get_function_result",
    "pg_get_triggerdef",
    "pg_get_ruledef",
    "pg_get_statisticsobjdef",
    "pg_get_statisticsobjdef_columns",
    "pg_get_statisticsobjdef_expressions",
    "pg_get_partkeydef",
    "pg_get_partition_constraintdef",
    "pg_get_function_sqlbody",
    "pg_get_propgraphdef",
);

by_oid!(
    SIZES,
    relation_size,
    "(regclass, ?text) int8",
    "pg_relation_size",
    "pg_table_size",
    "pg_indexes_size",
    "pg_total_relation_size",
);

by_oid!(
    STATISTICS,
    |_, _| Ok(Datum::Int(0)),
    "(oid) int8",
    "pg_stat_get_numscans",
    "pg_stat_get_tuples_returned",
    "pg_stat_get_tuples_fetched",
    "pg_stat_get_tuples_inserted",
    "pg_stat_get_tuples_updated",
    "pg_stat_get_tuples_deleted",
    "pg_stat_get_tuples_hot_updated",
    "pg_stat_get_dead_tuples",
    "pg_stat_get_mod_since_analyze",
    "pg_stat_get_ins_since_vacuum",
    "pg_stat_get_blocks_fetched",
    "pg_stat_get_blocks_hit",
    "pg_stat_get_vacuum_count",
    "pg_stat_get_autovacuum_count",
    "pg_stat_get_analyze_count",
    "pg_stat_get_autoanalyze_count",
    "pg_tablespace_size",
);

pub(super) const FUNCTIONS: &[Def] = &[
    def("row_security_active(oid) bool", row(row_security_active)).stable(),
    def("row_security_active(text) bool", row(row_security_active)).stable(),
    def("version() text", row(|c, _| text(c.session()?.version()))).stable(),
    def("current_user() name", row(|c, _| text(c.session()?.current_user()))).stable(),
    def("current_role() name", row(|c, _| text(c.session()?.current_user()))).stable(),
    def("user() name", row(|c, _| text(c.session()?.current_user()))).stable(),
    def("session_user() name", row(|c, _| text(c.session()?.session_user()))).stable(),
    def("system_user() text", row(null)).stable(),
    def("current_database() name", row(|c, _| text(c.session()?.current_database()))).stable(),
    def("current_catalog() name", row(|c, _| text(c.session()?.current_database()))).stable(),
    def("graphwire_current_tenant() text", row(|c, _| text(c.session()?.setting("graphwire.tenant").unwrap_or_default()))).stable(),
    def("current_schema() name", row(current_schema)).stable(),
    def("current_schemas(bool) name[]", row(current_schemas)).stable(),
    def("current_setting(text, ?bool) text", row(current_setting)).stable(),
    def("set_config(text, text, bool) text", row(set_config)).with_nulls().volatile(),
    def("current_query() text", row(null)).volatile(),
    def("pg_backend_pid() int4", row(|c, _| Ok(Datum::Int(c.session()?.backend_pid().into())))).stable(),
    def("inet_client_addr() inet", row(|c, _| address(c.session()?.client_address()))).stable(),
    def("inet_client_port() int4", row(|c, _| port(c.session()?.client_address()))).stable(),
    def("inet_server_addr() inet", row(|c, _| address(c.session()?.server_address()))).stable(),
    def("inet_server_port() int4", row(|c, _| port(c.session()?.server_address()))).stable(),
    def("pg_postmaster_start_time() timestamptz", row(|c, _| Ok(Datum::Timestamp(c.session()?.server_start_timestamp())))).stable(),
    def("pg_conf_load_time() timestamptz", row(|c, _| Ok(Datum::Timestamp(c.session()?.server_start_timestamp())))).stable(),
    def("pg_is_in_recovery() bool", row(|_, _| Ok(Datum::Bool(false)))).volatile(),
    def("pg_is_wal_replay_paused() bool", row(|_, _| Ok(Datum::Bool(false)))).volatile(),
    def("pg_my_temp_schema() oid", row(|_, _| Ok(Datum::Int(0)))).stable(),
    def("pg_is_other_temp_schema(oid) bool", row(|_, _| Ok(Datum::Bool(false)))).stable(),
    def("pg_cancel_backend(int4) bool", row(|c, a| signal(c, a, false))).volatile(),
    def("pg_terminate_backend(int4, ?int8) bool", row(|c, a| signal(c, a, true))).volatile(),
    def("txid_current() int8", row(transaction_id)).stable(),
    def("pg_export_snapshot() text", row(export_snapshot)).volatile(),
    def("txid_current_if_assigned() int8", row(transaction_id)).stable(),
    def("pg_current_xact_id() xid8", row(transaction_id)).stable(),
    def("pg_current_xact_id_if_assigned() xid8", row(transaction_id)).stable(),
    def("age(xid) int4", row(|_, _| Ok(Datum::Int(0)))).stable(),
    def("mxid_age(xid) int4", row(|_, _| Ok(Datum::Int(0)))).stable(),
    def("pg_typeof(any) regtype", row(pg_typeof)).with_nulls(),
    // Keeps a parameter that a call does without in the statement, see `resolve`.
    def("value beside(anyelement, any) anyelement", row(|_, a| Ok(a.get(0).clone().into_owned())))
        .with_nulls(),
    def("gen_random_uuid() uuid", row(uuid)).volatile(),
    // Of the extension uuid-ossp, which many migrations ask for.
    def("uuid_generate_v4() uuid", row(uuid)).volatile(),
    def("uuid_nil() uuid", row(|_, _| Ok(Datum::bytes(vec![0; 16])))),
    def("format_type(oid, int4) text", row(format_type)).with_nulls().stable(),
    def("pg_get_indexdef(oid) text", row(index_definition)).stable(),
    def("pg_get_indexdef(oid, int4, bool) text", row(index_definition)).stable(),
    def("pg_get_viewdef(oid, ?bool) text", row(view_definition)).stable(),
    def("pg_get_viewdef(oid, int4) text", row(view_definition)).stable(),
    def("pg_get_viewdef(text, ?bool) text", row(view_definition)).stable(),
    def("pg_get_expr(text, oid, ?bool) text", row(expression)).stable(),
    def("pg_get_expr(pg_node_tree, oid, ?bool) text", row(expression)).stable(),
    def("pg_get_userbyid(oid) name", row(user_by_id)).stable(),
    def("pg_get_serial_sequence(text, text) text", row(serial_sequence)).stable(),
    def("pg_get_keywords() setof (word text, catcode \"char\", barelabel bool, catdesc text, baredesc text)", row(keywords)).stable(),
    def("obj_description(oid, ?text) text", row(description)).stable(),
    def("shobj_description(oid, text) text", row(description)).stable(),
    def("col_description(oid, int4) text", row(column_description)).stable(),
    def("pg_database_size(text) int8", row(database_size)).volatile(),
    def("pg_database_size(oid) int8", row(database_size)).volatile(),
    def("pg_size_pretty(int8) text", row(pretty)),
    def("pg_size_pretty(numeric) text", row(pretty)),
    def("pg_encoding_to_char(int4) name", row(encoding_name)),
    def("pg_char_to_encoding(text) int4", row(encoding_number)),
    def("getdatabaseencoding() name", row(|_, _| text("UTF8"))),
    def("pg_client_encoding() name", row(|c, _| text(c.setting("client_encoding", "UTF8")))).stable(),
    def("pg_relation_filenode(regclass) oid", row(kind_of_relation)).stable(),
    def("pg_relation_filepath(regclass) text", row(null)).stable(),
    def("pg_relation_is_publishable(regclass) bool", row(kind_of_relation)).stable(),
    def("pg_relation_is_updatable(regclass, bool) int4", row(kind_of_relation)).stable(),
    def("pg_column_is_updatable(regclass, int2, bool) bool", row(kind_of_relation)).stable(),
    def("pg_tablespace_location(oid) text", row(|_, _| text(""))).stable(),
    def("pg_stat_get_live_tuples(oid) int8", row(|c, a| {
        Ok(Datum::Int(c.session()?.catalog().row_count(oid_at(a, 0)?).unwrap_or(0)))
    })).stable(),
    def("pg_partition_ancestors(regclass) setof regclass", row(|_, _| Ok(Datum::List(Vec::new())))).stable(),
    def("pg_options_to_table(text[]) setof (option_name text, option_value text)", row(options_to_table)),
    def("acldefault(\"char\", oid) aclitem[]", row(acl_default)).stable(),
    // A CASE over "char" is text before its branches are looked at.
    def("acldefault(text, oid) aclitem[]", row(acl_default)).stable(),
    def("makeaclitem(oid, oid, text, bool) aclitem", row(super::acl::make_item)).stable(),
    def("aclexplode(aclitem[]) setof (grantor oid, grantee oid, privilege_type text, is_grantable bool)", row(super::acl::explode)).stable(),
    def("pg_index_column_has_property(regclass, int4, text) bool", row(index_property)).stable(),
    def("pg_index_has_property(regclass, text) bool", row(index_property)).stable(),
    def("pg_indexam_has_property(oid, text) bool", row(index_property)).stable(),
    def("pg_input_is_valid(text, text) bool", row(input_is_valid)).stable(),
    def("to_regclass(text) regclass", row(to_reg)).stable(),
    def("to_regtype(text) regtype", row(to_reg)).stable(),
    def("to_regproc(text) regproc", row(to_reg)).stable(),
    def("to_regprocedure(text) regprocedure", row(to_reg)).stable(),
    def("to_regoper(text) regoper", row(to_reg)).stable(),
    def("to_regoperator(text) regoperator", row(to_reg)).stable(),
    def("to_regnamespace(text) regnamespace", row(to_reg)).stable(),
    def("to_regrole(text) regrole", row(to_reg)).stable(),
    def("to_regcollation(text) regcollation", row(to_reg)).stable(),
    def("regroleout(regrole) text", row(role_text)).stable(),
    def("pg_trigger_depth() int4", row(|_, _| Ok(Datum::Int(0)))).stable(),
    def("pg_jit_available() bool", row(|_, _| Ok(Datum::Bool(false)))).volatile(),
];

//! The rows of `pg_type` for the built-in types graphwire has.

use super::hstore;
use super::pg_type::PgType;
use super::range::RangeKind;

/// What `pg_type` says about one built-in scalar type.
#[derive(Debug)]
pub struct BuiltinRow {
    pub ty: PgType,
    pub oid: u32,
    /// 0 where there is no array type.
    pub array_oid: u32,
    pub typname: &'static str,
    /// The name as `format_type` gives it without a modifier.
    pub sql_name: &'static str,
    pub len: i16,
    pub category: char,
    pub preferred: bool,
}

/// All built-in scalar types in the order of their OIDs.
pub static BUILTINS: &[BuiltinRow] = &[
    row(PgType::Bool, 16, 1000, "bool", "boolean", 1, 'B', true),
    row(PgType::Bytea, 17, 1001, "bytea", "bytea", -1, 'U', false),
    row(PgType::InternalChar, 18, 1002, "char", "\"char\"", 1, 'Z', false),
    row(PgType::Name, 19, 1003, "name", "name", 64, 'S', false),
    row(PgType::Int8, 20, 1016, "int8", "bigint", 8, 'N', false),
    row(PgType::Int2, 21, 1005, "int2", "smallint", 2, 'N', false),
    row(PgType::Int2vector, 22, 1006, "int2vector", "int2vector", -1, 'A', false),
    row(PgType::Int4, 23, 1007, "int4", "integer", 4, 'N', false),
    row(PgType::Regproc, 24, 1008, "regproc", "regproc", 4, 'N', false),
    row(PgType::Text, 25, 1009, "text", "text", -1, 'S', true),
    row(PgType::Oid, 26, 1028, "oid", "oid", 4, 'N', true),
    row(PgType::Tid, 27, 1010, "tid", "tid", 6, 'U', false),
    row(PgType::Xid, 28, 1011, "xid", "xid", 4, 'U', false),
    row(PgType::Cid, 29, 1012, "cid", "cid", 4, 'U', false),
    row(PgType::Oidvector, 30, 1013, "oidvector", "oidvector", -1, 'A', false),
    row(PgType::Json, 114, 199, "json", "json", -1, 'U', false),
    row(PgType::PgNodeTree, 194, 0, "pg_node_tree", "pg_node_tree", -1, 'Z', false),
    row(PgType::Float4, 700, 1021, "float4", "real", 4, 'N', false),
    row(PgType::Float8, 701, 1022, "float8", "double precision", 8, 'N', true),
    row(PgType::Unknown, 705, 0, "unknown", "unknown", -2, 'X', false),
    row(PgType::Inet, 869, 1041, "inet", "inet", -1, 'I', true),
    row(PgType::Aclitem, 1033, 1034, "aclitem", "aclitem", 12, 'U', false),
    row(PgType::Bpchar(None), 1042, 1014, "bpchar", "character", -1, 'S', false),
    row(PgType::Varchar(None), 1043, 1015, "varchar", "character varying", -1, 'S', false),
    row(PgType::Date, 1082, 1182, "date", "date", 4, 'D', false),
    row(PgType::Time(None), 1083, 1183, "time", "time without time zone", 8, 'D', false),
    row(
        PgType::Timestamp(None),
        1114,
        1115,
        "timestamp",
        "timestamp without time zone",
        8,
        'D',
        false,
    ),
    row(
        PgType::Timestamptz(None),
        1184,
        1185,
        "timestamptz",
        "timestamp with time zone",
        8,
        'D',
        true,
    ),
    row(PgType::Interval, 1186, 1187, "interval", "interval", 16, 'T', true),
    row(PgType::Timetz(None), 1266, 1270, "timetz", "time with time zone", 12, 'D', false),
    row(PgType::Numeric(None), 1700, 1231, "numeric", "numeric", -1, 'N', false),
    row(PgType::Refcursor, 1790, 2201, "refcursor", "refcursor", -1, 'U', false),
    row(PgType::Regprocedure, 2202, 2207, "regprocedure", "regprocedure", 4, 'N', false),
    row(PgType::Regoper, 2203, 2208, "regoper", "regoper", 4, 'N', false),
    row(PgType::Regoperator, 2204, 2209, "regoperator", "regoperator", 4, 'N', false),
    row(PgType::Regclass, 2205, 2210, "regclass", "regclass", 4, 'N', false),
    row(PgType::Regtype, 2206, 2211, "regtype", "regtype", 4, 'N', false),
    row(PgType::Record, 2249, 2287, "record", "record", -1, 'P', false),
    row(PgType::Cstring, 2275, 1263, "cstring", "cstring", -2, 'P', false),
    row(PgType::Anyarray, 2277, 0, "anyarray", "anyarray", -1, 'P', false),
    row(PgType::Void, 2278, 0, "void", "void", 4, 'P', false),
    row(PgType::Uuid, 2950, 2951, "uuid", "uuid", 16, 'U', false),
    row(PgType::PgLsn, 3220, 3221, "pg_lsn", "pg_lsn", 8, 'U', false),
    row(PgType::Regconfig, 3734, 3735, "regconfig", "regconfig", 4, 'N', false),
    row(PgType::Regdictionary, 3769, 3770, "regdictionary", "regdictionary", 4, 'N', false),
    row(PgType::Jsonb, 3802, 3807, "jsonb", "jsonb", -1, 'U', false),
    range(RangeKind::Int4, 3904, 3905, "int4range"),
    range(RangeKind::Num, 3906, 3907, "numrange"),
    range(RangeKind::Ts, 3908, 3909, "tsrange"),
    range(RangeKind::Tstz, 3910, 3911, "tstzrange"),
    range(RangeKind::Date, 3912, 3913, "daterange"),
    range(RangeKind::Int8, 3926, 3927, "int8range"),
    row(PgType::Jsonpath, 4072, 4073, "jsonpath", "jsonpath", -1, 'U', false),
    row(PgType::Regnamespace, 4089, 4090, "regnamespace", "regnamespace", 4, 'N', false),
    row(PgType::Regrole, 4096, 4097, "regrole", "regrole", 4, 'N', false),
    row(PgType::Regcollation, 4191, 4192, "regcollation", "regcollation", 4, 'N', false),
    multirange(RangeKind::Int4, 4451, 6150, "int4multirange"),
    multirange(RangeKind::Num, 4532, 6151, "nummultirange"),
    multirange(RangeKind::Ts, 4533, 6152, "tsmultirange"),
    multirange(RangeKind::Tstz, 4534, 6153, "tstzmultirange"),
    multirange(RangeKind::Date, 4535, 6155, "datemultirange"),
    multirange(RangeKind::Int8, 4536, 6157, "int8multirange"),
    row(PgType::Xid8, 5069, 271, "xid8", "xid8", 8, 'U', false),
];

/// Types of extensions: the catalog has them where the extension was created.
static EXTENSIONS: &[BuiltinRow] =
    &[row(PgType::Hstore, hstore::OID, hstore::ARRAY_OID, "hstore", "hstore", -1, 'U', false)];

fn known() -> impl Iterator<Item = &'static BuiltinRow> {
    BUILTINS.iter().chain(EXTENSIONS)
}

#[expect(clippy::too_many_arguments, reason = "a row of the table above, in its column order")]
const fn row(
    ty: PgType,
    oid: u32,
    array_oid: u32,
    typname: &'static str,
    sql_name: &'static str,
    len: i16,
    category: char,
    preferred: bool,
) -> BuiltinRow {
    BuiltinRow { ty, oid, array_oid, typname, sql_name, len, category, preferred }
}

const fn range(kind: RangeKind, oid: u32, array_oid: u32, name: &'static str) -> BuiltinRow {
    row(PgType::Range(kind), oid, array_oid, name, name, -1, 'R', false)
}

const fn multirange(kind: RangeKind, oid: u32, array_oid: u32, name: &'static str) -> BuiltinRow {
    row(PgType::Multirange(kind), oid, array_oid, name, name, -1, 'R', false)
}

/// The row of a scalar type, whatever its modifier; for an array, that of `anyarray`.
pub(super) fn builtin_row(ty: &PgType) -> &'static BuiltinRow {
    let kind = std::mem::discriminant(ty);
    let is = |row: &&BuiltinRow| match ty {
        PgType::Range(_) | PgType::Multirange(_) => row.ty == *ty,
        _ => std::mem::discriminant(&row.ty) == kind,
    };
    known().find(is).unwrap_or(&ANYARRAY)
}

static ANYARRAY: BuiltinRow =
    row(PgType::Anyarray, 2277, 0, "anyarray", "anyarray", -1, 'P', false);

/// The row with this OID, and whether the OID is that of its array type.
pub(super) fn builtin_by_oid(oid: u32) -> Option<(&'static BuiltinRow, bool)> {
    if oid == 0 {
        return None;
    }
    let row = known().find(|row| row.oid == oid || row.array_oid == oid)?;
    Some((row, row.array_oid == oid))
}

/// The scalar type whose `typname` or SQL name this is.
pub(super) fn builtin_by_name(name: &str) -> Option<&'static PgType> {
    known().find(|row| row.typname == name).map(|row| &row.ty)
}

/// Whether PostgreSQL 15 has a type of this name that graphwire does not have.
pub(super) fn is_known_elsewhere(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "bit",
        "varbit",
        "box",
        "box2d",
        "cidr",
        "circle",
        "line",
        "lseg",
        "macaddr",
        "macaddr8",
        "money",
        "path",
        "pg_snapshot",
        "point",
        "polygon",
        "tsquery",
        "tsvector",
        "txid_snapshot",
        "xml",
        "any",
        "anyelement",
        "anynonarray",
        "anyenum",
        "trigger",
        "event_trigger",
        "internal",
        "language_handler",
        "fdw_handler",
        "gtsvector",
    ];
    NAMES.contains(&name)
}

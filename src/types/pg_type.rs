//! The Arrow ↔ PostgreSQL type table: which PostgreSQL type a column has, and how Arrow stores it.
//!
//! | PostgreSQL | Arrow |
//! |---|---|
//! | bool; int2, int4, int8; float4, float8 | Boolean; Int16, Int32, Int64; Float32, Float64 |
//! | numeric(p,s) | Decimal128(p,s), for p from 39 to 76 Decimal256(p,s) |
//! | numeric | Decimal128(38,16): 22 digits before the point, 16 after |
//! | text, varchar, char, name, "char", json, jsonb, hstore, … | Utf8View; char(n) without the spaces at its end |
//! | bytea | BinaryView |
//! | date; time; timestamp | Date32; Time64(µs); Timestamp(µs) |
//! | timestamptz | Timestamp(µs, "UTC") |
//! | timetz | FixedSizeBinary(12), whose bytes sort as PostgreSQL sorts the values |
//! | interval | Interval(MonthDayNano), nanoseconds a multiple of 1,000 |
//! | uuid | FixedSizeBinary(16) |
//! | oid, xid, cid, reg* ; xid8, pg_lsn | UInt32 ; UInt64 |
//! | int2vector, oidvector | List(Int16), List(UInt32) |
//! | an enum | FixedSizeBinary(8), whose bytes sort as the labels do |
//! | a range, a multirange | BinaryView, whose bytes sort as the ranges do, see [`super::range`] |
//! | a composite type, a row | BinaryView, of PostgreSQL's binary form |
//! | a domain | as what it stands on |
//! | an array | List of the element, its field named `item` |
//!
//! Several types share an Arrow type. Such a field says which one it is under the metadata key
//! [`TYPE_KEY`]; expressions that lose the metadata fall back to the commonest one (text, int8 …).
//!
//! **Deviation from PostgreSQL:** `numeric` without precision has a fixed scale here, so it does not
//! keep the number of zeros written after the point; it prints without trailing zeros (`1.50` reads
//! back as `1.5`). Declare a scale where it matters.
//!
//! An enumerated type is one case that holds its OIDs, name and labels, made by the catalog; see
//! [`super::enum_type`]. Domains are in [`super::domain`], rows in [`super::row_type`].

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

use super::builtin::{BuiltinRow, builtin_by_oid, builtin_row};
use super::domain::{DOMAIN_KEY, DomainType};
use super::enum_type::{self, ENUM_WIDTH, EnumType};
use super::error::TypeError;
use super::range::RangeKind;
use super::row_type::{self, RowType};
use super::type_name;

/// Metadata key of a field that holds the canonical type name (`character varying(10)`, `jsonb`).
pub const TYPE_KEY: &str = "graphwire.type";

/// Precision and scale in which `numeric` without a modifier is stored.
pub const NUMERIC_STORAGE: (u8, i8) = (38, 16);

/// A PostgreSQL data type with its modifier.
///
/// `Display` gives the name as `format_type` does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PgType {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    /// Precision (1 to 76) and scale, or none: see the deviation in the module documentation.
    Numeric(Option<(u8, i8)>),
    Text,
    /// Length limit in characters.
    Varchar(Option<u32>),
    /// Length in characters; values are padded with spaces. `None` is `bpchar` without a length.
    Bpchar(Option<u32>),
    Name,
    /// The one-byte type `"char"` of the system catalogs.
    InternalChar,
    Bytea,
    Date,
    /// Digits of the second that are kept, from 0 to 6.
    Time(Option<u8>),
    /// As [`Self::Time`].
    Timetz(Option<u8>),
    /// As [`Self::Time`].
    Timestamp(Option<u8>),
    /// As [`Self::Time`].
    Timestamptz(Option<u8>),
    Interval,
    Uuid,
    Json,
    Jsonb,
    /// A SQL/JSON path; its text form is stored.
    Jsonpath,
    Oid,
    Regproc,
    Regprocedure,
    Regoper,
    Regoperator,
    Regclass,
    Regtype,
    Regrole,
    Regnamespace,
    Regcollation,
    Regconfig,
    Regdictionary,
    Xid,
    Xid8,
    Cid,
    Tid,
    PgLsn,
    Inet,
    Int2vector,
    Oidvector,
    PgNodeTree,
    Aclitem,
    Refcursor,
    /// A literal whose type is not settled; behaves as text.
    Unknown,
    Cstring,
    Void,
    /// An anonymous row; its text form is stored.
    Record,
    /// The pseudo-type of `pg_stats` columns; its text form is stored.
    Anyarray,
    Array(Box<PgType>),
    /// `int4range`, `tstzrange`, …
    Range(RangeKind),
    /// `int4multirange`, `tstzmultirange`, …
    Multirange(RangeKind),
    /// Of the extension `hstore`; its text form is stored, see [`super::hstore`].
    Hstore,
    /// What `CREATE TYPE … AS ENUM` made.
    Enum(std::sync::Arc<EnumType>),
    /// What `CREATE TYPE … AS (…)` made, the row type of a table, or the type of a row that has none.
    Row(std::sync::Arc<RowType>),
    /// What `CREATE DOMAIN` made. Declarations and casts have it; expressions have what it stands on.
    Domain(std::sync::Arc<DomainType>),
}

impl PgType {
    /// The array type with this element.
    #[must_use]
    pub fn array_of(element: PgType) -> Self {
        Self::Array(Box::new(element))
    }

    /// The type's OID in `pg_type`.
    #[must_use]
    pub fn oid(&self) -> u32 {
        match self {
            Self::Array(element) => element.array_oid(),
            Self::Enum(ty) => ty.oid,
            Self::Domain(ty) => ty.oid,
            Self::Row(ty) => ty.oid,
            scalar => builtin_row(scalar).oid,
        }
    }

    /// The OID of the array type over this one; 0 where there is none. An array of arrays has the
    /// same type as the array, as in PostgreSQL.
    #[must_use]
    pub fn array_oid(&self) -> u32 {
        match self {
            Self::Array(element) => element.array_oid(),
            Self::Enum(ty) => ty.array_oid,
            Self::Domain(ty) => ty.array_oid,
            Self::Row(ty) => ty.array_oid,
            scalar => builtin_row(scalar).array_oid,
        }
    }

    /// The type modifier as `atttypmod` holds it; -1 for none.
    #[must_use]
    pub fn typmod(&self) -> i32 {
        match self {
            Self::Numeric(Some((precision, scale))) => {
                ((i32::from(*precision) << 16) | (i32::from(*scale) & 0x7ff)) + 4
            }
            Self::Varchar(Some(length)) | Self::Bpchar(Some(length)) => {
                i32::try_from(*length).map_or(-1, |length| length.saturating_add(4))
            }
            Self::Time(Some(digits))
            | Self::Timetz(Some(digits))
            | Self::Timestamp(Some(digits))
            | Self::Timestamptz(Some(digits)) => i32::from(*digits),
            Self::Array(element) => element.typmod(),
            // A domain's own modifier is that of what it stands on.
            _ => -1,
        }
    }

    /// The size in bytes as `typlen` holds it; -1 for variable, -2 for NUL-terminated.
    #[must_use]
    pub fn typlen(&self) -> i16 {
        match self {
            Self::Array(_) | Self::Row(_) => -1,
            Self::Enum(_) => 4,
            Self::Domain(ty) => ty.base.typlen(),
            scalar => builtin_row(scalar).len,
        }
    }

    /// `typcategory`: the group of types within which implicit conversion is considered.
    #[must_use]
    pub fn category(&self) -> char {
        match self {
            Self::Array(_) | Self::Int2vector | Self::Oidvector => 'A',
            Self::Enum(_) => 'E',
            Self::Domain(ty) => ty.base.category(),
            Self::Row(ty) if ty.is_record() => 'P',
            Self::Row(_) => 'C',
            scalar => builtin_row(scalar).category,
        }
    }

    /// `typispreferred`: whether the type wins within its category.
    #[must_use]
    pub fn is_preferred(&self) -> bool {
        match self {
            Self::Array(_) | Self::Enum(_) | Self::Domain(_) | Self::Row(_) => false,
            scalar => builtin_row(scalar).preferred,
        }
    }

    /// The built-in type with this OID and modifier (-1 for none).
    ///
    /// `None` for a type of the catalog, or one graphwire does not have.
    #[must_use]
    pub fn from_oid(oid: u32, typmod: i32) -> Option<Self> {
        let (row, is_array) = builtin_by_oid(oid)?;
        let element = row.ty.clone().with_typmod(typmod);
        Some(if is_array { Self::array_of(element) } else { element })
    }

    /// This type with the modifier that `typmod` encodes; other types than the ones that have a
    /// modifier are returned as they are.
    #[must_use]
    pub fn with_typmod(self, typmod: i32) -> Self {
        let length = u32::try_from(typmod.saturating_sub(4)).ok().filter(|length| *length > 0);
        let digits = u8::try_from(typmod).ok().map(|digits| digits.min(6));
        match self {
            Self::Time(_) => Self::Time(digits),
            Self::Timetz(_) => Self::Timetz(digits),
            Self::Timestamp(_) => Self::Timestamp(digits),
            Self::Timestamptz(_) => Self::Timestamptz(digits),
            Self::Varchar(_) => Self::Varchar(length),
            Self::Bpchar(_) => Self::Bpchar(length),
            Self::Numeric(_) => Self::Numeric(numeric_modifier(typmod)),
            Self::Array(element) => Self::array_of(element.with_typmod(typmod)),
            other => other,
        }
    }

    /// This type without its modifier: `character varying(10)` gives `character varying`.
    #[must_use]
    pub fn without_modifier(&self) -> Self {
        self.clone().with_typmod(-1)
    }

    /// How many digits of the second are kept, where that is fewer than there are.
    #[must_use]
    pub fn second_digits(&self) -> Option<u8> {
        match self {
            Self::Time(digits)
            | Self::Timetz(digits)
            | Self::Timestamp(digits)
            | Self::Timestamptz(digits) => digits.filter(|digits| *digits < 6),
            _ => None,
        }
    }

    /// The element type, if this is an array (or one of the two vector types).
    #[must_use]
    pub fn element(&self) -> Option<&PgType> {
        match self {
            Self::Array(element) => Some(element),
            Self::Int2vector => Some(&Self::Int2),
            Self::Oidvector => Some(&Self::Oid),
            _ => None,
        }
    }

    /// The delimiter between elements of an array of this type; a comma for every type here.
    #[must_use]
    pub fn delimiter(&self) -> u8 {
        b','
    }

    /// How the type is stored.
    #[must_use]
    pub fn arrow(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int2 => DataType::Int16,
            Self::Int4 => DataType::Int32,
            Self::Int8 => DataType::Int64,
            Self::Float4 => DataType::Float32,
            Self::Float8 => DataType::Float64,
            Self::Numeric(modifier) => match modifier.unwrap_or(NUMERIC_STORAGE) {
                (precision, scale) if precision > 38 => DataType::Decimal256(precision, scale),
                (precision, scale) => DataType::Decimal128(precision, scale),
            },
            Self::Bytea | Self::Row(_) | Self::Range(_) | Self::Multirange(_) => {
                DataType::BinaryView
            }
            Self::Date => DataType::Date32,
            Self::Time(_) => DataType::Time64(TimeUnit::Microsecond),
            Self::Timetz(_) => DataType::FixedSizeBinary(12),
            Self::Timestamp(_) => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Timestamptz(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Uuid => DataType::FixedSizeBinary(16),
            Self::Enum(_) => DataType::FixedSizeBinary(ENUM_WIDTH),
            Self::Domain(ty) => ty.base.arrow(),
            Self::Oid
            | Self::Regproc
            | Self::Regprocedure
            | Self::Regoper
            | Self::Regoperator
            | Self::Regclass
            | Self::Regtype
            | Self::Regrole
            | Self::Regnamespace
            | Self::Regcollation
            | Self::Regconfig
            | Self::Regdictionary
            | Self::Xid
            | Self::Cid => DataType::UInt32,
            Self::Xid8 | Self::PgLsn => DataType::UInt64,
            Self::Int2vector => list_of(DataType::Int16),
            Self::Oidvector => list_of(DataType::UInt32),
            Self::Array(element) => list_of(element.arrow()),
            Self::Text
            | Self::Varchar(_)
            | Self::Bpchar(_)
            | Self::Name
            | Self::InternalChar
            | Self::Json
            | Self::Jsonb
            | Self::Jsonpath
            | Self::Tid
            | Self::Inet
            | Self::PgNodeTree
            | Self::Aclitem
            | Self::Refcursor
            | Self::Unknown
            | Self::Cstring
            | Self::Void
            | Self::Record
            | Self::Hstore
            | Self::Anyarray => DataType::Utf8View,
        }
    }

    /// A field of this type, marked under [`TYPE_KEY`] where the Arrow type does not say it all.
    #[must_use]
    pub fn field(&self, name: impl Into<String>, nullable: bool) -> Field {
        if self.has_domain() {
            let mut field = self.plain().field(name, nullable);
            // Numbers and texts always have a text form.
            let declared = serde_json::to_string(self).unwrap_or_default();
            field.metadata_mut().insert(DOMAIN_KEY.to_owned(), declared);
            return field;
        }
        let field = Field::new(name, self.arrow(), nullable);
        if Self::from_arrow(field.data_type()) == *self {
            return field;
        }
        field.with_metadata(HashMap::from([(TYPE_KEY.to_owned(), self.marker())]))
    }

    /// The text that a field has under [`TYPE_KEY`] for this type: its name, or for an enumerated type all of it.
    #[must_use]
    pub fn marker(&self) -> String {
        let own = enum_type::marker(self).or_else(|| row_type::marker(self));
        own.unwrap_or_else(|| self.name())
    }

    /// The type of a field: what [`TYPE_KEY`] says, if it fits the Arrow type, else by that type.
    #[must_use]
    pub fn from_field(field: &Field) -> Self {
        let by_arrow = Self::from_arrow(field.data_type());
        let Some(name) = field.metadata().get(TYPE_KEY) else { return by_arrow };
        let own = enum_type::from_marker(name).or_else(|| row_type::from_marker(name));
        if let Some(marked) = own {
            return if same_storage(&marked.arrow(), field.data_type()) {
                marked
            } else {
                by_arrow
            };
        }
        match Self::parse_name(name) {
            // What is computed from a `numeric` may have another scale.
            Ok(Self::Numeric(None)) if matches!(by_arrow, Self::Numeric(_)) => Self::Numeric(None),
            Ok(marked) if same_storage(&marked.arrow(), field.data_type()) => marked,
            _ => by_arrow,
        }
    }

    /// The PostgreSQL type a value of this Arrow type is shown as.
    ///
    /// Total: an Arrow type that PostgreSQL has nothing like is shown as text or jsonb.
    #[must_use]
    pub fn from_arrow(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Bool,
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => Self::Int2,
            DataType::Int32 | DataType::UInt16 => Self::Int4,
            DataType::Int64 => Self::Int8,
            // Only object identifiers are stored so; aggregates and lists of them lose the metadata.
            DataType::UInt32 => Self::Oid,
            DataType::UInt64 => Self::Numeric(Some((20, 0))),
            DataType::Float16 | DataType::Float32 => Self::Float4,
            DataType::Float64 => Self::Float8,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale) => match (*precision, *scale) {
                NUMERIC_STORAGE => Self::Numeric(None),
                modifier => Self::Numeric(Some(modifier)),
            },
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Self::Bytea,
            // Bytes of a client are never of this form, so the width tells the type.
            DataType::FixedSizeBinary(16) => Self::Uuid,
            DataType::FixedSizeBinary(12) => Self::Timetz(None),
            DataType::FixedSizeBinary(_) => Self::Bytea,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time(None),
            DataType::Timestamp(_, None) => Self::Timestamp(None),
            DataType::Timestamp(_, Some(_)) => Self::Timestamptz(None),
            DataType::Interval(_) | DataType::Duration(_) => Self::Interval,
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::LargeListView(item)
            | DataType::FixedSizeList(item, _) => match Self::from_field(item) {
                // PostgreSQL has one array type for any number of dimensions.
                nested @ Self::Array(_) => nested,
                element => Self::array_of(element),
            },
            DataType::Dictionary(_, value) => Self::from_arrow(value),
            DataType::RunEndEncoded(_, value) => Self::from_field(value),
            DataType::Struct(_) | DataType::Map(_, _) | DataType::Union(_, _) => Self::Jsonb,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => {
                Self::Text
            }
        }
    }

    /// The name as `format_type` gives it: `character varying(10)`, `timestamp with time zone`,
    /// `integer[]`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Numeric(Some((precision, scale))) => format!("numeric({precision},{scale})"),
            Self::Varchar(Some(length)) => format!("character varying({length})"),
            Self::Bpchar(Some(length)) => format!("character({length})"),
            // `format_type` writes `character` only with a length: without one it would mean (1).
            Self::Bpchar(None) => "bpchar".to_owned(),
            Self::Time(Some(digits)) => format!("time({digits}) without time zone"),
            Self::Timetz(Some(digits)) => format!("time({digits}) with time zone"),
            Self::Timestamp(Some(digits)) => format!("timestamp({digits}) without time zone"),
            Self::Timestamptz(Some(digits)) => format!("timestamp({digits}) with time zone"),
            // However many dimensions were declared.
            Self::Array(element) if matches!(element.as_ref(), Self::Array(_)) => element.name(),
            Self::Array(element) => format!("{}[]", element.name()),
            Self::Enum(ty) => ty.shown(),
            Self::Domain(ty) => enum_type::shown(ty.schema.as_deref(), &ty.name),
            Self::Row(ty) => enum_type::shown(ty.schema.as_deref(), &ty.name),
            scalar => builtin_row(scalar).sql_name.to_owned(),
        }
    }

    /// The name as `pg_type.typname` holds it: `int4`, `_int4`.
    #[must_use]
    pub fn typname(&self) -> String {
        match self {
            Self::Array(element) if matches!(element.as_ref(), Self::Array(_)) => element.typname(),
            Self::Array(element) => format!("_{}", element.typname()),
            Self::Enum(ty) => ty.name.clone(),
            Self::Domain(ty) => ty.name.clone(),
            Self::Row(ty) => ty.name.clone(),
            scalar => builtin_row(scalar).typname.to_owned(),
        }
    }

    /// The type an SQL type name means: `int4`, `INTEGER`, `varchar(10)`, `"char"`, `int[]`,
    /// `pg_catalog.text`, `timestamp(6) with time zone`.
    ///
    /// # Errors
    /// `42704` for an unknown name, `42601` for bad syntax, `22023` for a modifier out of range,
    /// `0A000` for a type or modifier of PostgreSQL that graphwire does not have.
    pub fn parse_name(name: &str) -> Result<Self, TypeError> {
        type_name::parse(name)
    }

    /// Every built-in scalar type, without modifiers, in the order of their OIDs: for `pg_type`.
    pub fn builtins() -> impl Iterator<Item = &'static PgType> {
        super::builtin::BUILTINS.iter().map(|row: &BuiltinRow| &row.ty)
    }
}

impl std::fmt::Display for PgType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

fn list_of(element: DataType) -> DataType {
    // No metadata on the inner field: it is part of the data type's equality, and DataFusion would
    // take `varchar[]` and `text[]` for types that do not unite.
    DataType::List(Field::new_list_field(element, true).into())
}

fn numeric_modifier(typmod: i32) -> Option<(u8, i8)> {
    let packed = typmod.checked_sub(4).filter(|packed| *packed >= 0)?;
    let precision = u8::try_from((packed >> 16) & 0xffff).ok()?;
    // The scale is an 11-bit two's complement number.
    let scale = i8::try_from(((packed & 0x7ff) ^ 1024) - 1024).ok()?;
    Some((precision, scale))
}

/// Whether values of `actual` can be read as a type that is stored as `declared`. DataFusion changes
/// the representation of strings, bytes and lists freely, and the meaning stays.
fn same_storage(declared: &DataType, actual: &DataType) -> bool {
    use DataType as D;
    match (declared, actual) {
        (_, D::Dictionary(_, value)) => same_storage(declared, value),
        (_, D::RunEndEncoded(_, value)) => same_storage(declared, value.data_type()),
        (D::Utf8View, D::Utf8 | D::LargeUtf8 | D::Utf8View) => true,
        // A jsonb column may be a structure until it is encoded.
        (D::Utf8View, D::Struct(_) | D::Map(_, _)) => true,
        (D::BinaryView, D::Binary | D::LargeBinary | D::BinaryView) => true,
        (D::UInt32, D::UInt32 | D::Int64 | D::Int32) => true,
        (
            D::List(declared),
            D::List(actual)
            | D::LargeList(actual)
            | D::ListView(actual)
            | D::LargeListView(actual)
            | D::FixedSizeList(actual, _),
        ) => same_storage(declared.data_type(), actual.data_type()),
        (declared, actual) => declared == actual,
    }
}

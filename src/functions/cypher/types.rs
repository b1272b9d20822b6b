//! The static type of a Cypher expression, and the Arrow type its values have in a plan.
//!
//! | Cypher | Arrow |
//! |---|---|
//! | BOOLEAN, INTEGER, FLOAT, STRING | Boolean, Int64, Float64, Utf8View |
//! | NODE, RELATIONSHIP | UInt64 (`ElementRef`) |
//! | PATH | Struct{vertices: List<UInt64>, edges: List<UInt64>} |
//! | LIST&lt;T&gt; | List of T's Arrow type |
//! | MAP with known keys | Struct |
//! | temporals, ANY (and maps whose keys are not known) | BinaryView, see [`super::codec`] |
//! | a type of PostgreSQL that Cypher does not have | as the type table has it |

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};

use crate::types::pg_type::PgType;

/// What is known of a Cypher expression's values before it runs. Every type contains null.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CypherType {
    /// The literal `null`, and what is certainly null.
    Null,
    /// BOOLEAN.
    Boolean,
    /// INTEGER, 64 bits.
    Integer,
    /// FLOAT, 64 bits.
    Float,
    /// STRING.
    String,
    /// DATE.
    Date,
    /// LOCAL TIME.
    LocalTime,
    /// ZONED TIME.
    Time,
    /// LOCAL DATETIME.
    LocalDateTime,
    /// ZONED DATETIME.
    DateTime,
    /// DURATION.
    Duration,
    /// NODE.
    Node,
    /// RELATIONSHIP.
    Relationship,
    /// PATH.
    Path,
    /// LIST of one type.
    List(Box<CypherType>),
    /// MAP with exactly these keys, in order of writing.
    Map(Vec<(String, CypherType)>),
    /// Any value at all.
    Any,
    /// JSON text that is inserted as it is where a value becomes jsonb; never the type of what a user wrote.
    Json,
    /// The property of a typed graph, in a type that Cypher has only something like.
    Pg(PgType),
}

impl CypherType {
    /// LIST of `element`.
    pub fn list(element: CypherType) -> Self {
        Self::List(Box::new(element))
    }

    /// The Arrow type of its values.
    pub fn arrow(&self) -> DataType {
        match self {
            Self::Null | Self::String | Self::Json => DataType::Utf8View,
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Date
            | Self::LocalTime
            | Self::Time
            | Self::LocalDateTime
            | Self::DateTime
            | Self::Duration
            | Self::Any => DataType::BinaryView,
            Self::Node | Self::Relationship => DataType::UInt64,
            Self::Path => path_type(),
            Self::List(element) => {
                DataType::List(Arc::new(Field::new("item", element.arrow(), true)))
            }
            Self::Map(fields) => DataType::Struct(Fields::from(
                fields
                    .iter()
                    .map(|(name, ty)| Field::new(name, ty.arrow(), true))
                    .collect::<Vec<_>>(),
            )),
            Self::Pg(ty) => ty.arrow(),
        }
    }

    /// The Cypher type that values of a PostgreSQL type are converted to where something is done with them.
    ///
    /// `None` for types that Cypher has nothing like (numeric, uuid, …): they keep PostgreSQL's operators.
    pub fn of_pg(ty: &PgType) -> Option<Self> {
        Some(match ty {
            PgType::Bool => Self::Boolean,
            PgType::Int2 | PgType::Int4 | PgType::Int8 => Self::Integer,
            PgType::Float4 | PgType::Float8 => Self::Float,
            PgType::Text
            | PgType::Varchar(_)
            | PgType::Bpchar(_)
            | PgType::Name
            | PgType::Unknown => Self::String,
            PgType::Date => Self::Date,
            PgType::Time(_) => Self::LocalTime,
            PgType::Timestamp(_) => Self::LocalDateTime,
            PgType::Timestamptz(_) => Self::DateTime,
            PgType::Interval => Self::Duration,
            PgType::Json | PgType::Jsonb => Self::Any,
            PgType::Array(element) => Self::list(Self::of_pg(element)?),
            _ => return None,
        })
    }

    /// The type of an open graph's property of this PostgreSQL type.
    pub fn of_open(ty: &PgType) -> Self {
        match ty {
            PgType::Timetz(_) => Self::Time,
            PgType::Array(element) => Self::list(Self::of_open(element)),
            other => Self::of_pg(other).unwrap_or(Self::Any),
        }
    }

    /// The PostgreSQL type that stands for it as the type of an open graph's property; `None` for what has none.
    pub fn property_type(&self) -> Option<PgType> {
        Some(match self {
            Self::Boolean
            | Self::Integer
            | Self::Float
            | Self::String
            | Self::Date
            | Self::LocalTime
            | Self::Time
            | Self::LocalDateTime
            | Self::DateTime
            | Self::Duration => self.wire(),
            Self::List(element) => match element.as_ref() {
                Self::List(_) => return None,
                scalar => PgType::array_of(scalar.property_type()?),
            },
            Self::Pg(ty) => return Self::of_pg(ty)?.property_type(),
            Self::Null
            | Self::Node
            | Self::Relationship
            | Self::Path
            | Self::Map(_)
            | Self::Any
            | Self::Json => return None,
        })
    }

    /// The type a property of this PostgreSQL type has before anything is done with it.
    pub fn of_property(ty: &PgType) -> Self {
        match ty {
            PgType::Bool => Self::Boolean,
            PgType::Int8 => Self::Integer,
            PgType::Float8 => Self::Float,
            PgType::Text => Self::String,
            other => Self::Pg(other.clone()),
        }
    }

    /// True for INTEGER, FLOAT and PostgreSQL's numbers.
    pub fn is_number(&self) -> bool {
        match self {
            Self::Integer | Self::Float => true,
            Self::Pg(ty) => ty.category() == 'N',
            _ => false,
        }
    }

    /// True for Cypher's own temporal types.
    pub fn is_temporal(&self) -> bool {
        matches!(
            self,
            Self::Date
                | Self::LocalTime
                | Self::Time
                | Self::LocalDateTime
                | Self::DateTime
                | Self::Duration
        )
    }

    /// True where null or a value of a type not known before execution may stand.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Any | Self::Null)
    }

    /// Whether graph elements may be inside.
    pub fn holds_elements(&self) -> bool {
        match self {
            Self::Node | Self::Relationship | Self::Path => true,
            Self::List(element) => element.holds_elements(),
            Self::Map(fields) => fields.iter().any(|(_, ty)| ty.holds_elements()),
            _ => false,
        }
    }

    /// The type of a value that is of either type: the same, or ANY.
    pub fn unify(&self, other: &Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a.clone(),
            (Self::Null, other) | (other, Self::Null) => other.clone(),
            (Self::List(a), Self::List(b)) => Self::list(a.unify(b)),
            (Self::Map(a), Self::Map(b))
                if a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0) =>
            {
                Self::Map(a.iter().zip(b).map(|(a, b)| (a.0.clone(), a.1.unify(&b.1))).collect())
            }
            (Self::Pg(a), b) => match Self::of_pg(a) {
                Some(a) => a.unify(b),
                None => Self::Any,
            },
            (a, Self::Pg(b)) => match Self::of_pg(b) {
                Some(b) => a.unify(&b),
                None => Self::Any,
            },
            _ => Self::Any,
        }
    }

    /// The column type a client is told (WIRE.md §3), for temporals in their PostgreSQL types.
    pub fn wire(&self) -> PgType {
        match self {
            Self::Null | Self::String => PgType::Text,
            Self::Boolean => PgType::Bool,
            Self::Integer => PgType::Int8,
            Self::Float => PgType::Float8,
            Self::Date => PgType::Date,
            Self::LocalTime => PgType::Time(None),
            Self::Time => PgType::Timetz(None),
            Self::LocalDateTime => PgType::Timestamp(None),
            Self::DateTime => PgType::Timestamptz(None),
            Self::Duration => PgType::Interval,
            Self::List(element) => match element.as_ref() {
                Self::Boolean
                | Self::Integer
                | Self::Float
                | Self::String
                | Self::Date
                | Self::LocalTime
                | Self::Time
                | Self::LocalDateTime
                | Self::DateTime
                | Self::Duration => PgType::array_of(element.wire()),
                Self::Pg(ty) if !matches!(ty, PgType::Array(_)) => PgType::array_of(ty.clone()),
                _ => PgType::Jsonb,
            },
            Self::Pg(ty) => ty.clone(),
            Self::Node
            | Self::Relationship
            | Self::Path
            | Self::Map(_)
            | Self::Any
            | Self::Json => PgType::Jsonb,
        }
    }
}

/// The Arrow type of a path.
fn path_type() -> DataType {
    let list = || DataType::List(Arc::new(Field::new("item", DataType::UInt64, true)));
    DataType::Struct(Fields::from(vec![
        Field::new("vertices", list(), false),
        Field::new("edges", list(), false),
    ]))
}

impl fmt::Display for CypherType {
    /// As messages name it: `INTEGER`, `LIST<STRING>`, `uuid`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "NULL",
            Self::Boolean => "BOOLEAN",
            Self::Integer => "INTEGER",
            Self::Float => "FLOAT",
            Self::String => "STRING",
            Self::Date => "DATE",
            Self::LocalTime => "LOCAL TIME",
            Self::Time => "ZONED TIME",
            Self::LocalDateTime => "LOCAL DATETIME",
            Self::DateTime => "ZONED DATETIME",
            Self::Duration => "DURATION",
            Self::Node => "NODE",
            Self::Relationship => "RELATIONSHIP",
            Self::Path => "PATH",
            Self::List(element) => return write!(f, "LIST<{element}>"),
            Self::Map(_) => "MAP",
            Self::Any | Self::Json => "ANY",
            Self::Pg(ty) => return ty.fmt(f),
        })
    }
}

//! Casts: which ones PostgreSQL allows and where, and how they are computed.

pub(crate) mod kernel;
mod plan;
pub(crate) mod text_io;

pub(crate) use plan::depth;
pub use plan::{CastTo, is_immutable_cast, plan_cast, plan_coercion, typed_literal};

use crate::types::pg_type::PgType;

/// Where a cast may happen without being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CastContext {
    /// Only where written.
    Explicit,
    /// Also when a value is stored in a column.
    Assignment,
    /// Everywhere.
    Implicit,
}

fn is_reg(ty: &PgType) -> bool {
    matches!(
        ty,
        PgType::Regproc
            | PgType::Regprocedure
            | PgType::Regoper
            | PgType::Regoperator
            | PgType::Regclass
            | PgType::Regtype
            | PgType::Regrole
            | PgType::Regnamespace
            | PgType::Regcollation
            | PgType::Regconfig
            | PgType::Regdictionary
    )
}

/// Whether a value is stored as its text, which is also its meaning.
pub(crate) fn is_string(ty: &PgType) -> bool {
    matches!(
        ty,
        PgType::Text
            | PgType::Varchar(_)
            | PgType::Bpchar(_)
            | PgType::Name
            | PgType::InternalChar
            | PgType::Unknown
            | PgType::Cstring
    )
}

/// The cast from one type to another, modifiers aside; `None` if there is none. Rows of `pg_cast`, and the rule that
/// every type converts through its text to and from the string types.
#[must_use]
pub fn cast_context(from: &PgType, to: &PgType) -> Option<CastContext> {
    use CastContext::{Assignment, Explicit, Implicit};
    use PgType as T;
    if from.without_modifier() == to.without_modifier() || *from == T::Unknown {
        return Some(Implicit);
    }
    let found = match (from, to) {
        (T::Int2, T::Int4 | T::Int8 | T::Float4 | T::Float8 | T::Numeric(_))
        | (T::Int4, T::Int8 | T::Float4 | T::Float8 | T::Numeric(_))
        | (T::Int8, T::Float4 | T::Float8 | T::Numeric(_))
        | (T::Float4, T::Float8)
        | (T::Numeric(_), T::Float4 | T::Float8)
        | (T::Date, T::Timestamp(_) | T::Timestamptz(_))
        | (T::Timestamp(_), T::Timestamptz(_))
        | (T::Time(_), T::Interval | T::Timetz(_))
        | (T::Int2vector, T::Array(_))
        | (T::Oidvector, T::Array(_)) => Implicit,
        (T::Int2 | T::Int4 | T::Int8, T::Oid) => Implicit,
        (T::Int2 | T::Int4 | T::Int8 | T::Oid, to) if is_reg(to) => Implicit,
        (from, T::Oid) if is_reg(from) => Implicit,
        (from, T::Int4 | T::Int8) if is_reg(from) || *from == T::Oid => Assignment,
        (T::Regproc, T::Regprocedure) | (T::Regprocedure, T::Regproc) => Implicit,
        (T::Regoper, T::Regoperator) | (T::Regoperator, T::Regoper) => Implicit,
        (T::Int4 | T::Int8, T::Int2) | (T::Int8, T::Int4) => Assignment,
        (T::Float4 | T::Float8 | T::Numeric(_), T::Int2 | T::Int4 | T::Int8) => Assignment,
        (T::Float4 | T::Float8, T::Numeric(_)) | (T::Float8, T::Float4) => Assignment,
        (T::Int4, T::Bool) | (T::Bool, T::Int4) => Explicit,
        (T::InternalChar, T::Int4) | (T::Int4, T::InternalChar) => Explicit,
        (T::Timestamp(_) | T::Timestamptz(_), T::Date | T::Time(_)) => Assignment,
        (T::Timestamptz(_), T::Timestamp(_) | T::Timetz(_)) => Assignment,
        (T::Timetz(_), T::Time(_)) | (T::Interval, T::Time(_)) => Assignment,
        (T::Json, T::Jsonb) | (T::Jsonb, T::Json) => Assignment,
        (
            T::Jsonb,
            T::Bool | T::Int2 | T::Int4 | T::Int8 | T::Float4 | T::Float8 | T::Numeric(_),
        ) => Explicit,
        (T::Xid8, T::Xid) => Explicit,
        (T::PgNodeTree, T::Text) => Implicit,
        (T::Array(from), T::Array(to)) => cast_context(from, to)?,
        (T::Row(_), T::Record) => Implicit,
        (T::Range(from), T::Multirange(to)) if from == to => Explicit,
        (T::Row(from), T::Row(to)) if from.fields.len() == to.fields.len() => Assignment,
        (from, to) => string_cast(from, to)?,
    };
    Some(found)
}

fn string_cast(from: &PgType, to: &PgType) -> Option<CastContext> {
    use PgType as T;
    match (from, to) {
        (
            T::Text | T::Varchar(_) | T::Bpchar(_),
            T::Text | T::Varchar(_) | T::Bpchar(_) | T::Name,
        ) => Some(CastContext::Implicit),
        (T::Name | T::InternalChar, T::Text) | (T::Text | T::Varchar(_), T::Regclass) => {
            Some(CastContext::Implicit)
        }
        (T::Name | T::InternalChar, to) if is_string(to) => Some(CastContext::Assignment),
        (from, T::InternalChar) if is_string(from) => Some(CastContext::Assignment),
        (_, T::Void) => None,
        (T::Void, to) if !is_string(to) => None,
        // Conversion through text: assignment to the string types, explicit from them.
        (_, to) if is_string(to) => Some(CastContext::Assignment),
        (from, _) if is_string(from) => Some(CastContext::Explicit),
        _ => None,
    }
}

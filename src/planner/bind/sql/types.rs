//! SQL type names to PostgreSQL types.

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::Result as DataFusionResult;
use datafusion::logical_expr::planner::TypePlanner;
use sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, ObjectName, TimezoneInfo,
};

use super::names::qualified_name;
use crate::catalog::{Catalog, QualifiedName};
use crate::error::{PgError, SqlState};
use crate::planner::bind::context::BindContext;
use crate::types::pg_type::PgType;

/// Where names of types are looked up.
#[derive(Debug, Clone, Copy)]
pub struct TypeScope<'a> {
    /// The types of the database's own.
    pub catalog: Option<&'a Catalog>,
    /// Schemas searched for unqualified names, in order.
    pub search_path: &'a [String],
}

/// The type a name in a statement stands for.
///
/// # Errors
/// `42704` for an unknown name, `22023` for a bad modifier, `0A000` for a type that is known but not carried out.
pub fn sql_type(scope: TypeScope<'_>, ty: &DataType) -> Result<PgType, PgError> {
    Ok(match ty {
        DataType::Boolean | DataType::Bool => PgType::Bool,
        DataType::SmallInt(None) | DataType::Int2(None) => PgType::Int2,
        DataType::Int(None) | DataType::Integer(None) | DataType::Int4(None) => PgType::Int4,
        DataType::BigInt(None) | DataType::Int8(None) => PgType::Int8,
        DataType::Real | DataType::Float4 => PgType::Float4,
        DataType::Float(ExactNumberInfo::Precision(bits)) if *bits <= 24 => PgType::Float4,
        DataType::Float(_)
        | DataType::Float8
        | DataType::DoublePrecision
        | DataType::Double(ExactNumberInfo::None) => PgType::Float8,
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => numeric(info)?,
        DataType::Text => PgType::Text,
        DataType::Varchar(length)
        | DataType::CharacterVarying(length)
        | DataType::CharVarying(length) => {
            PgType::Varchar(character_length(length.as_ref(), "varchar")?)
        }
        DataType::Char(length) | DataType::Character(length) => {
            PgType::Bpchar(Some(character_length(length.as_ref(), "char")?.unwrap_or(1)))
        }
        DataType::Bytea => PgType::Bytea,
        DataType::Date => PgType::Date,
        DataType::Time(digits, zone) => match zone {
            TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => PgType::Time(second(*digits)),
            TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => PgType::Timetz(second(*digits)),
        },
        DataType::Timestamp(digits, zone) => match zone {
            TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => {
                PgType::Timestamp(second(*digits))
            }
            TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => PgType::Timestamptz(second(*digits)),
        },
        DataType::Interval { .. } => PgType::Interval,
        DataType::Uuid => PgType::Uuid,
        DataType::JSON => PgType::Json,
        DataType::JSONB => PgType::Jsonb,
        DataType::Regclass => PgType::Regclass,
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => {
            // Dimensions are documentation in PostgreSQL: int[][] is int[]. Here they say how an array is stored.
            PgType::Array(Box::new(sql_type(scope, element)?))
        }
        DataType::Array(ArrayElemTypeDef::AngleBracket(element)) => {
            PgType::Array(Box::new(sql_type(scope, element)?))
        }
        DataType::Custom(name, modifiers) => custom(scope, name, modifiers)?,
        other => {
            own_type(scope, &QualifiedName { schema: None, name: other.to_string().to_lowercase() })
                .ok_or_else(|| undefined_type(&other.to_string()))?
        }
    })
}

/// A type of the database's own, or the array over one under its `_name`.
fn own_type(scope: TypeScope<'_>, name: &QualifiedName) -> Option<PgType> {
    let catalog = scope.catalog?;
    if let Some(found) = catalog.user_type_named(name, scope.search_path) {
        return Some(found.ty());
    }
    if let Some(row) = row_of_table(scope, name) {
        return Some(row);
    }
    let element = name.name.strip_prefix('_')?.to_owned();
    let element = QualifiedName { schema: name.schema.clone(), name: element };
    match catalog.user_type_named(&element, scope.search_path) {
        Some(found) => Some(PgType::array_of(found.ty())),
        None => row_of_table(scope, &element).map(PgType::array_of),
    }
}

/// The type of the rows of the table or view of this name.
fn row_of_table(scope: TypeScope<'_>, name: &QualifiedName) -> Option<PgType> {
    let catalog = scope.catalog?;
    let relation = catalog.resolve(name, scope.search_path)?;
    Some(PgType::Row(Arc::new(catalog.row_type_of(relation)?)))
}

fn custom(
    scope: TypeScope<'_>,
    object: &ObjectName,
    modifiers: &[String],
) -> Result<PgType, PgError> {
    let name = &object.to_string();
    let bare = name.to_lowercase();
    let bare = bare.strip_prefix("pg_catalog.").unwrap_or(&bare);
    let full = match modifiers {
        [] => bare.to_owned(),
        some => format!("{bare}({})", some.join(",")),
    };
    match PgType::parse_name(&full) {
        // Only where the extension was created.
        Ok(ty) if *ty.element().unwrap_or(&ty) == PgType::Hstore => {}
        Ok(ty) => return Ok(ty),
        Err(_) => {}
    }
    let own = own_type(scope, &qualified_name(object)?).filter(|_| modifiers.is_empty());
    own.ok_or_else(|| undefined_type(name))
}

fn undefined_type(name: &str) -> PgError {
    PgError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("type \"{}\" does not exist", name.to_lowercase()),
    )
}

/// Digits of the second; there are six, whatever more is asked for.
fn second(digits: Option<u64>) -> Option<u8> {
    digits.map(|digits| u8::try_from(digits).unwrap_or(6).min(6))
}

fn numeric(info: &ExactNumberInfo) -> Result<PgType, PgError> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Ok(PgType::Numeric(None)),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    if precision == 0 || precision > 1000 {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("NUMERIC precision {precision} must be between 1 and 1000"),
        ));
    }
    if !(-1000..=1000).contains(&scale) {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("NUMERIC scale {scale} must be between -1000 and 1000"),
        ));
    }
    if precision > 38 {
        return Err(PgError::unsupported(
            format!("NUMERIC precision {precision} is not supported"),
            "graphwire stores numeric with up to 38 digits.",
        ));
    }
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision), Ok(scale)) if scale >= 0 && scale <= precision as i8 => {
            Ok(PgType::Numeric(Some((precision, scale))))
        }
        _ => Err(PgError::unsupported(
            format!("NUMERIC scale {scale} is not supported"),
            "The scale must be between 0 and the precision.",
        )),
    }
}

fn character_length(length: Option<&CharacterLength>, name: &str) -> Result<Option<u32>, PgError> {
    match length {
        None | Some(CharacterLength::Max) => Ok(None),
        Some(CharacterLength::IntegerLength { length, .. }) => match u32::try_from(*length) {
            Ok(0) => Err(PgError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("length for type {name} must be at least 1"),
            )),
            Ok(length) if length <= 10_485_760 => Ok(Some(length)),
            _ => Err(PgError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("length for type {name} cannot exceed 10485760"),
            )),
        },
    }
}

/// Lets DataFusion's planner resolve type names the way [`sql_type`] does.
#[derive(Debug)]
pub(super) struct PgTypePlanner {
    catalog: Arc<Catalog>,
    search_path: Vec<String>,
}

impl PgTypePlanner {
    pub(super) fn new(context: &BindContext) -> Self {
        Self { catalog: Arc::clone(&context.catalog), search_path: context.search_path.clone() }
    }
}

impl TypePlanner for PgTypePlanner {
    fn plan_type_field(&self, ty: &DataType) -> DataFusionResult<Option<FieldRef>> {
        // A field without a name would take over the marks of what is cast: `json::text` would still be json.
        let scope = TypeScope { catalog: Some(&self.catalog), search_path: &self.search_path };
        Ok(Some(Arc::new(sql_type(scope, ty)?.field("cast", true))))
    }
}

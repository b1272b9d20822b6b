//! The one mapping from DataFusion's and Arrow's errors to ours, and back.

use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};

use super::{PgError, SqlState};

impl From<PgError> for DataFusionError {
    fn from(error: PgError) -> Self {
        Self::External(Box::new(error))
    }
}

impl From<PgError> for ArrowError {
    fn from(error: PgError) -> Self {
        Self::ExternalError(Box::new(error))
    }
}

impl From<ArrowError> for PgError {
    fn from(error: ArrowError) -> Self {
        from_arrow(&error)
    }
}

impl From<DataFusionError> for PgError {
    fn from(error: DataFusionError) -> Self {
        from_datafusion(&error)
    }
}

impl PgError {
    /// The report of a DataFusion error.
    pub fn from_datafusion(error: &DataFusionError) -> Self {
        from_datafusion(error)
    }
}

/// A room's own error on its way through Arrow: as a client sees it, and as it was.
#[derive(Debug)]
pub struct Reported {
    /// As a client sees it.
    pub report: PgError,
    /// As it was.
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

impl std::fmt::Display for Reported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.cause.fmt(f)
    }
}

impl std::error::Error for Reported {}

fn from_boxed(error: &(dyn std::error::Error + 'static)) -> Option<PgError> {
    if let Some(own) = error.downcast_ref::<PgError>() {
        return Some(own.clone());
    }
    if let Some(inner) = error.downcast_ref::<DataFusionError>() {
        return Some(from_datafusion(inner));
    }
    if let Some(own) = error.downcast_ref::<Reported>() {
        return Some(own.report.clone());
    }
    error.downcast_ref::<ArrowError>().map(from_arrow)
}

/// Maps an Arrow error. Kernels report overflow and division by variants, everything else by text.
fn from_arrow(error: &ArrowError) -> PgError {
    match error {
        ArrowError::ExternalError(inner) => {
            from_boxed(inner.as_ref()).unwrap_or_else(|| PgError::internal(inner.to_string()))
        }
        ArrowError::DivideByZero => PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero"),
        ArrowError::ArithmeticOverflow(text) => overflow(text),
        ArrowError::CastError(text) | ArrowError::ParseError(text) => {
            PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, lower_first(text))
        }
        ArrowError::MemoryError(text) => {
            PgError::new(SqlState::OUT_OF_MEMORY, "out of memory").detail(text.clone())
        }
        ArrowError::ComputeError(text) | ArrowError::InvalidArgumentError(text) => {
            if text.to_ascii_lowercase().contains("overflow") {
                overflow(text)
            } else {
                PgError::new(SqlState::INVALID_PARAMETER_VALUE, lower_first(text))
            }
        }
        ArrowError::NotYetImplemented(text) => {
            PgError::new(SqlState::FEATURE_NOT_SUPPORTED, lower_first(text))
        }
        ArrowError::SchemaError(_)
        | ArrowError::CsvError(_)
        | ArrowError::JsonError(_)
        | ArrowError::AvroError(_)
        | ArrowError::IoError(_, _)
        | ArrowError::IpcError(_)
        | ArrowError::ParquetError(_)
        | ArrowError::CDataInterface(_)
        | ArrowError::DictionaryKeyOverflowError
        | ArrowError::RunEndIndexOverflowError
        | ArrowError::OffsetOverflowError(_) => PgError::internal(error.to_string()),
    }
}

/// PostgreSQL names the type that overflowed; the kernels say it only through the operands.
fn overflow(text: &str) -> PgError {
    let message = if text.contains("Int16") {
        "smallint out of range"
    } else if text.contains("Int64") {
        "bigint out of range"
    } else if text.contains("Decimal") {
        "numeric field overflow"
    } else {
        match text.split_whitespace().filter_map(|word| word.parse::<i128>().ok()).max() {
            Some(operand) if operand > i128::from(i32::MAX) => "bigint out of range",
            _ => "integer out of range",
        }
    };
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

fn from_datafusion(error: &DataFusionError) -> PgError {
    match error {
        DataFusionError::External(inner) => {
            from_boxed(inner.as_ref()).unwrap_or_else(|| PgError::internal(inner.to_string()))
        }
        DataFusionError::ArrowError(inner, _) => from_arrow(inner),
        DataFusionError::Context(_, inner) => from_datafusion(inner),
        DataFusionError::Shared(inner) => from_datafusion(inner),
        DataFusionError::Diagnostic(_, inner) => from_datafusion(inner),
        DataFusionError::Collection(errors) => errors
            .first()
            .map_or_else(|| PgError::internal("empty error collection"), from_datafusion),
        DataFusionError::SchemaError(schema, _) => from_schema(schema),
        DataFusionError::ResourcesExhausted(text) => {
            PgError::new(SqlState::OUT_OF_MEMORY, "out of memory").detail(text.clone())
        }
        DataFusionError::NotImplemented(text) => {
            PgError::new(SqlState::FEATURE_NOT_SUPPORTED, lower_first(text))
        }
        DataFusionError::Plan(text) => from_plan_text(text),
        DataFusionError::Execution(text) => from_execution_text(text),
        other => PgError::internal(other.strip_backtrace()),
    }
}

fn from_schema(error: &SchemaError) -> PgError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let known = |relation| {
                valid_fields.iter().any(|valid| valid.relation.as_ref() == Some(relation))
            };
            if let Some(relation) = &field.relation
                && !known(relation)
            {
                return PgError::new(
                    SqlState::UNDEFINED_TABLE,
                    format!("missing FROM-clause entry for table \"{}\"", relation.table()),
                );
            }
            let name = match &field.relation {
                Some(relation) => format!("{relation}.{}", field.name),
                None => format!("\"{}\"", field.name),
            };
            let error =
                PgError::new(SqlState::UNDEFINED_COLUMN, format!("column {name} does not exist"));
            let near = valid_fields
                .iter()
                .find(|valid| {
                    datafusion::common::utils::datafusion_strsim::normalized_levenshtein(
                        &valid.name,
                        &field.name,
                    ) > 0.6
                })
                .map(|valid| valid.flat_name());
            match near {
                Some(near) => {
                    error.hint(format!("Perhaps you meant to reference the column \"{near}\"."))
                }
                None => error,
            }
        }
        SchemaError::AmbiguousReference { field } => PgError::new(
            SqlState::AMBIGUOUS_COLUMN,
            format!("column reference \"{}\" is ambiguous", field.name),
        ),
        SchemaError::DuplicateQualifiedField { qualifier, .. } => PgError::new(
            SqlState::DUPLICATE_ALIAS,
            format!("table name \"{qualifier}\" specified more than once"),
        ),
        SchemaError::DuplicateUnqualifiedField { name } => PgError::new(
            SqlState::DUPLICATE_COLUMN,
            format!("column \"{name}\" specified more than once"),
        ),
    }
}

/// DataFusion's planner reports user mistakes as text; the first words say which kind it is.
fn from_plan_text(text: &str) -> PgError {
    if let Some(rest) = text.strip_prefix("Invalid function '") {
        return undefined_function(rest);
    }
    if let Some(error) = unmatched_types(text) {
        return error;
    }
    let first = lower_first(text);
    let has = |needle: &str| text.contains(needle);
    let code = if has("Invalid function")
        || has("No function matches")
        || has("coerce argument types")
        || has("does not support") && has("function")
    {
        SqlState::UNDEFINED_FUNCTION
    } else if has("must appear in the GROUP BY clause")
        || has("non-aggregate values")
        || has("Aggregate functions are not allowed")
    {
        SqlState::GROUPING_ERROR
    } else if has("Cannot coerce")
        || has("common argument type")
        || has("Cannot infer common")
        || has("Unsupported CAST")
        || has("requires a boolean expression")
        || has("must be boolean")
        || has("non-boolean")
    {
        SqlState::DATATYPE_MISMATCH
    } else if has("Ambiguous") || has("ambiguous") {
        SqlState::AMBIGUOUS_COLUMN
    } else if has("columns but only") && has("column alias") {
        SqlState::INVALID_COLUMN_REFERENCE
    } else if (has("window") && has("not defined")) || has("not found") {
        SqlState::UNDEFINED_OBJECT
    } else {
        SqlState::SYNTAX_ERROR
    };
    PgError::new(code, first)
}

/// Arguments that have no type in common, of functions that take any.
fn unmatched_types(text: &str) -> Option<PgError> {
    let fails =
        |name: &&&str| text.contains(&format!("Function '{name}' user-defined coercion failed"));
    let name = ["coalesce", "greatest", "least"].iter().find(fails)?.to_uppercase();
    Some(PgError::new(SqlState::DATATYPE_MISMATCH, format!("{name} types cannot be matched")))
}

/// `Invalid function 'x'.` and perhaps `Did you mean 'y'?`
fn undefined_function(rest: &str) -> PgError {
    let mut words = rest.split('\'');
    let name = words.next().unwrap_or_default();
    let near = words.nth(1).filter(|_| rest.contains("Did you mean"));
    let error =
        PgError::new(SqlState::UNDEFINED_FUNCTION, format!("function {name} does not exist"));
    match near {
        Some(near) => error.hint(format!("Perhaps you meant \"{near}\".")),
        None => error.hint(
            "No function matches the given name and argument types. You might need to add explicit type casts.",
        ),
    }
}

fn from_execution_text(text: &str) -> PgError {
    if let Some(error) = unmatched_types(text) {
        return error;
    }
    let lower = text.to_ascii_lowercase();
    let code = if lower.contains("divide by zero") || lower.contains("division by zero") {
        return PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero");
    } else if lower.contains("overflow") {
        return overflow(text);
    } else if lower.contains("regex") || lower.contains("regular expression") {
        SqlState::INVALID_REGULAR_EXPRESSION
    } else if lower.contains("more than one row") {
        return PgError::new(
            SqlState::CARDINALITY_VIOLATION,
            "more than one row returned by a subquery used as an expression",
        );
    } else {
        SqlState::INVALID_PARAMETER_VALUE
    };
    PgError::new(code, lower_first(text))
}

/// PostgreSQL's messages start in lower case and have no backtrace behind them.
fn lower_first(text: &str) -> String {
    let text = text.split("\n\nbacktrace:").next().unwrap_or(text).trim_end_matches('.');
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

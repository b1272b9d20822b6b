//! Whether values may be values of a domain: its conditions, bound as SQL over `VALUE`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::physical_expr::PhysicalExpr;

use super::engine::Engine;
use super::stored_expressions::physical_expression;
use crate::catalog::Catalog;
use crate::catalog::pg::describe::quote_identifier;
use crate::error::{PgError, SqlState};
use crate::planner::bind::BindContext;
use crate::planner::bind::sql::bind_expression;
use crate::planner::bind::sql::ddl::value_schema;
use crate::types::Oid;
use crate::types::domain::DomainType;
use crate::types::pg_type::PgType;

/// Checks values of what a declared type stands on.
///
/// # Errors
/// `23502` for a null and `23514` for a value that the domain does not take, naming the condition; whatever evaluating
/// a condition raises.
pub(super) fn check(
    engine: &Engine,
    context: &BindContext,
    declared: &PgType,
    values: &ArrayRef,
) -> Result<(), PgError> {
    match declared {
        PgType::Domain(domain) => {
            // What it stands on may be an array of domains.
            if let Some(PgType::Array(_)) = levels(domain).first().map(|level| &level.base) {
                let base = levels(domain).first().map_or(&domain.base, |level| &level.base);
                check(engine, context, base, values)?;
            }
            check_one(engine, context, domain, values)
        }
        PgType::Array(element) if element.has_domain() => {
            check(engine, context, element, &elements(values))
        }
        PgType::Row(row) if declared.has_domain() => {
            let Some(rows) = values.as_binary_view_opt() else {
                return Err(PgError::internal("rows are no bytes"));
            };
            let is_row = arrow::compute::is_not_null(rows)?;
            let rows = arrow::compute::filter(rows, &is_row)?;
            let columns = row.decode(rows.as_binary_view())?;
            let fields = row.fields.iter().zip(&columns);
            fields
                .filter(|(field, _)| field.ty.has_domain())
                .try_for_each(|(field, column)| check(engine, context, &field.ty, column))
        }
        _ => Ok(()),
    }
}

/// The values inside of arrays, of any number of dimensions.
fn elements(values: &ArrayRef) -> ArrayRef {
    let mut values = Arc::clone(values);
    while let Some(lists) = values.as_list_opt::<i32>() {
        let offsets = lists.value_offsets();
        let (from, to) = (offsets.first().copied(), offsets.last().copied());
        let (from, to) = (from.unwrap_or(0) as usize, to.unwrap_or(0) as usize);
        values = lists.values().slice(from, to.saturating_sub(from));
    }
    values
}

/// The domain itself and what it stands on, as long as those are domains; itself last.
fn levels(domain: &DomainType) -> Vec<&DomainType> {
    let mut levels = vec![domain];
    let mut base = &domain.base;
    while let PgType::Domain(below) = base {
        levels.push(below);
        base = &below.base;
    }
    levels.reverse();
    levels
}

fn check_one(
    engine: &Engine,
    context: &BindContext,
    domain: &DomainType,
    values: &ArrayRef,
) -> Result<(), PgError> {
    let catalog = &context.catalog;
    let known: Vec<_> =
        levels(domain).into_iter().filter_map(|level| catalog.domain(level)).collect();
    if known.iter().any(|level| level.not_null)
        && values.logical_nulls().is_some_and(|nulls| nulls.null_count() > 0)
    {
        let message = format!("domain {} does not allow null values", shown(domain));
        return Err(about(catalog, domain, PgError::new(SqlState::NOT_NULL_VIOLATION, message)));
    }
    for level in known {
        // In the order of their names, as PostgreSQL tries them.
        let mut checks: Vec<_> = level.checks.iter().collect();
        checks.sort_unstable_by_key(|check| &check.name);
        for one in checks {
            let condition = Condition::new(engine, context, &level.ty.base, &one.condition)?;
            if condition.fails(values)? {
                let message = format!(
                    "value for domain {} violates check constraint \"{}\"",
                    shown(domain),
                    one.name
                );
                let error = PgError::new(SqlState::CHECK_VIOLATION, message).constraint(&one.name);
                return Err(about(catalog, domain, error));
            }
        }
    }
    Ok(())
}

fn shown(domain: &DomainType) -> String {
    quote_identifier(&domain.name)
}

fn about(catalog: &Catalog, domain: &DomainType, error: PgError) -> PgError {
    let schema = catalog.types.get(&Oid(domain.oid)).map(|ty| ty.schema);
    let schema = schema.and_then(|schema| catalog.schemas.get(&schema));
    error.datatype(schema.map_or("", |schema| schema.name.as_str()), &domain.name)
}

/// One condition, ready to be asked.
pub(super) struct Condition {
    schema: Arc<arrow::datatypes::Schema>,
    expr: Arc<dyn PhysicalExpr>,
}

impl Condition {
    pub(super) fn new(
        engine: &Engine,
        context: &BindContext,
        base: &PgType,
        text: &str,
    ) -> Result<Self, PgError> {
        let schema = value_schema(base)?;
        let expr = crate::parser::stored::parse_expression(text)?;
        let expr = bind_expression(context, &expr, &schema)?;
        let expr = physical_expression(engine, &expr, &schema)?;
        Ok(Self { schema: Arc::new(schema.as_arrow().clone()), expr })
    }

    /// Whether it is false for one of the values. Null is not false: it passes.
    pub(super) fn fails(&self, values: &ArrayRef) -> Result<bool, PgError> {
        if values.is_empty() {
            return Ok(false);
        }
        let wanted = self.schema.field(0).data_type();
        let values = match values.data_type() == wanted {
            true => Arc::clone(values),
            false => arrow::compute::cast(values, wanted)?,
        };
        let rows = values.len();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), vec![values])?;
        let result = self.expr.evaluate(&batch)?.into_array(rows)?;
        let result = result.as_boolean();
        Ok((0..rows).any(|row| !result.is_null(row) && !result.value(row)))
    }
}

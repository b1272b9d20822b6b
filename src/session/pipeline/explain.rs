//! `EXPLAIN`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use futures::StreamExt;

use super::plan::Planned;
use crate::error::PgError;
use crate::planner::bind::PlanKind;
use crate::session::outcome::OutputColumn;
use crate::session::statements::PortalRows;

pub(super) fn explain(
    columns: Arc<[OutputColumn]>,
    kind: PlanKind,
    planned: &Planned,
) -> Result<PortalRows, PgError> {
    let (logical, operators) = planned;
    let analyze = matches!(kind, PlanKind::Explain { analyze: true, .. });
    if matches!(kind, PlanKind::Explain { json: true, .. }) {
        let document = super::explain_json::document(operators, logical.as_deref(), analyze);
        return rows_of(columns, kind, vec![format!("{document:#}")]);
    }
    let display = if analyze {
        DisplayableExecutionPlan::with_metrics(operators.as_ref())
    } else {
        DisplayableExecutionPlan::new(operators.as_ref())
    };
    let mut lines: Vec<String> = Vec::new();
    if let Some(logical) = logical {
        lines.push("Logical plan".to_owned());
        lines.extend(shown(logical).map(|line| format!("  {line}")));
        lines.push("Operators".to_owned());
    }
    let indent = if logical.is_some() { "  " } else { "" };
    let operators = display.indent(false).to_string();
    lines.extend(shown(&operators).map(|line| format!("{indent}{line}")));
    rows_of(columns, kind, lines)
}

fn rows_of(
    columns: Arc<[OutputColumn]>,
    kind: PlanKind,
    lines: Vec<String>,
) -> Result<PortalRows, PgError> {
    let (schema, batch) = text_rows("QUERY PLAN", lines)?;
    let rows = futures::stream::iter([Ok(batch)]).boxed();
    Ok(PortalRows::new(columns, schema, kind, rows))
}

/// The lines of a plan without those below row policies: what these say, and how many rows they hide, is not told.
pub(super) fn shown(plan: &str) -> impl Iterator<Item = &str> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut below: Option<usize> = None;
    plan.lines().filter(move |line| {
        if below.is_some_and(|policy| depth(line) > policy) {
            return false;
        }
        below = line.trim_start().starts_with("RowPolicy").then(|| depth(line));
        true
    })
}

/// A batch of one text column.
pub(in crate::session) fn text_rows(
    name: &str,
    lines: Vec<String>,
) -> Result<(Arc<Schema>, RecordBatch), PgError> {
    let schema = Arc::new(Schema::new(vec![Field::new(name, DataType::Utf8View, false)]));
    let values: ArrayRef = Arc::new(StringViewArray::from_iter_values(lines));
    Ok((Arc::clone(&schema), RecordBatch::try_new(schema, vec![values])?))
}

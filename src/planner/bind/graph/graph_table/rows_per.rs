//! `ONE ROW PER VERTEX` and `ONE ROW PER STEP`: the elements of paths, one after the other.

use std::borrow::Cow;

use datafusion::common::{Column, UnnestOptions};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::super::pattern::{PatternVariable, VariableKind};
use super::column;
use crate::error::{PgError, SqlState};
use crate::functions::cypher::path_rows::{PathRows, PathRowsOf};
use crate::parser::pattern::{GraphPattern, Name};
use crate::parser::pgq::{RowsPer, SqlExpr};

/// Column of what is unnested.
const ROWS: &str = "~rows";

/// The pattern with a variable for every path, where rows are made of paths.
pub(super) fn with_paths<'a>(
    pattern: &'a GraphPattern<SqlExpr>,
    rows: &RowsPer,
) -> Cow<'a, GraphPattern<SqlExpr>> {
    if *rows == RowsPer::Match {
        return Cow::Borrowed(pattern);
    }
    let mut named = pattern.clone();
    for (at, path) in named.paths.iter_mut().enumerate() {
        let span = path.span;
        path.variable.get_or_insert_with(|| Name {
            text: format!("~path{at}"),
            quoted: true,
            span,
        });
    }
    Cow::Owned(named)
}

/// The plan with a row for each element, the variables that may be used over it, and the iterator's number.
#[expect(clippy::type_complexity, reason = "three parts of one answer")]
pub(super) fn unnested(
    plan: LogicalPlan,
    rows: &RowsPer,
    mut variables: Vec<PatternVariable>,
) -> Result<(LogicalPlan, Vec<PatternVariable>, Option<(String, String)>), PgError> {
    let (of, names, paths) = match rows {
        RowsPer::Match => return Ok((plan, variables, None)),
        RowsPer::Vertex { variable, paths } => {
            (PathRowsOf::Vertices, vec![(variable, VariableKind::Vertex, "vertex")], paths)
        }
        RowsPer::Step { from, edge, to, paths } => (
            PathRowsOf::Steps,
            vec![
                (from, VariableKind::Vertex, "from"),
                (edge, VariableKind::Edge, "edge"),
                (to, VariableKind::Vertex, "to"),
            ],
            paths,
        ),
    };
    let list = PathRows::call(of, paths_of(&variables, paths)?);
    let mut columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    columns.push(list.alias(ROWS));
    let plan = LogicalPlanBuilder::from(plan)
        .project(columns)?
        .unnest_column_with_options(
            Column::new_unqualified(ROWS),
            UnnestOptions::new().with_preserve_nulls(false),
        )?
        .build()?;
    let mut columns: Vec<Expr> = plan
        .schema()
        .columns()
        .into_iter()
        .filter(|column| column.name != ROWS)
        .map(Expr::Column)
        .collect();
    let mut number = None;
    for (name, kind, field) in names {
        let (text, own) = (name.folded(), format!("~{field}"));
        if variables.iter().any(|variable| variable.name == text) {
            return Err(PgError::new(
                SqlState::DUPLICATE_ALIAS,
                format!("variable \"{text}\" is already bound"),
            )
            .at(name.span.start as usize));
        }
        columns.push(get_field(column(ROWS), field).alias(own.clone()));
        number.get_or_insert_with(|| (text.clone(), "~number".to_owned()));
        variables.push(PatternVariable { name: text, column: own, kind });
    }
    columns.push(get_field(column(ROWS), "number").alias("~number"));
    let plan = LogicalPlanBuilder::from(plan).project(columns)?.build()?;
    Ok((plan, variables, number))
}

/// Columns of the paths named, or of all.
fn paths_of(variables: &[PatternVariable], named: &[Name]) -> Result<Vec<Expr>, PgError> {
    let paths = || variables.iter().filter(|variable| variable.kind == VariableKind::Path);
    if named.is_empty() {
        return Ok(paths().map(|path| column(&path.column)).collect());
    }
    named
        .iter()
        .map(|name| match paths().find(|path| path.name == name.folded()) {
            Some(path) => Ok(column(&path.column)),
            None => Err(PgError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("path variable \"{}\" does not exist", name.folded()),
            )
            .at(name.span.start as usize)),
        })
        .collect()
}

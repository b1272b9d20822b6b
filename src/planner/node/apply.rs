//! A subquery run for each row beside it: what is left where no join says the same.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result, TableReference};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::error::PgError;

/// What of the subquery's rows stands beside an input row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApplyKind {
    /// The first column of its only row, null if there is none; `21000` if there are more.
    Scalar,
    /// Whether there is any row.
    Exists,
    /// Each of its rows.
    Rows {
        /// Whether an input row without any comes once, with nulls.
        optional: bool,
    },
}

/// A dependent join.
///
/// ```text
/// input    columns a, b, …
/// subplan  reads the keys as outer references  graphwire.apply7.key0, graphwire.apply7.key1, …
/// output   a, b, …, graphwire.apply7.value      (Rows: a, b, …, the subplan's columns)
/// ```
///
/// The keys are what the subquery reads of an input row. It is run once for each distinct combination of them, and not
/// at all for a row whose guard is not true, whose value is then null.
#[derive(Debug, Clone, PartialEq)]
pub struct Apply {
    /// The rows it is run for.
    pub input: Arc<LogicalPlan>,
    /// The subquery.
    pub subplan: Arc<LogicalPlan>,
    /// Tells this node's outer references from those of others in the plan.
    pub number: usize,
    /// What becomes of its rows.
    pub kind: ApplyKind,
    /// Expressions over the input, in the order of the keys' numbers.
    pub keys: Vec<Expr>,
    /// A condition over the input; rows for which it is not true do not ask.
    pub guard: Option<Expr>,
    schema: DFSchemaRef,
}

/// The parts of an [`Apply`] beside its plans.
#[derive(Debug, Clone)]
pub struct ApplyParts {
    /// See [`Apply::number`].
    pub number: usize,
    /// See [`Apply::kind`].
    pub kind: ApplyKind,
    /// See [`Apply::keys`].
    pub keys: Vec<Expr>,
    /// See [`Apply::guard`].
    pub guard: Option<Expr>,
}

impl Apply {
    /// A node over its two plans.
    ///
    /// # Errors
    /// `XX000` if the subplan of a scalar has no column.
    pub fn try_new(
        input: Arc<LogicalPlan>,
        subplan: Arc<LogicalPlan>,
        parts: ApplyParts,
    ) -> Result<Self> {
        let ApplyParts { number, kind, keys, guard } = parts;
        let mut fields: Vec<(Option<TableReference>, FieldRef)> = pairs(input.schema());
        match kind {
            ApplyKind::Scalar => {
                let Some(field) = subplan.schema().fields().first() else {
                    return Err(PgError::internal("a scalar subquery without a column").into());
                };
                let field = field.as_ref().clone().with_name("value").with_nullable(true);
                fields.push((Some(table(number)), Arc::new(field)));
            }
            ApplyKind::Exists => {
                let field = Field::new("value", DataType::Boolean, guard.is_some());
                fields.push((Some(table(number)), Arc::new(field)));
            }
            ApplyKind::Rows { optional } => {
                fields.extend(pairs(subplan.schema()).into_iter().map(|(qualifier, field)| {
                    let nullable = field.is_nullable() || optional;
                    (qualifier, Arc::new(field.as_ref().clone().with_nullable(nullable)))
                }))
            }
        }
        let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
        Ok(Self { input, subplan, number, kind, keys, guard, schema })
    }

    /// The node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// What the subplan calls the key with this number.
    pub fn key_column(number: usize, key: usize) -> Column {
        Column::new(Some(table(number)), format!("key{key}"))
    }

    /// The column a scalar or EXISTS gives.
    pub fn value_column(number: usize) -> Column {
        Column::new(Some(table(number)), "value")
    }

    /// The number of the key that a column named by [`Self::key_column`] is, of the node with this number.
    pub fn key_of(number: usize, column: &Column) -> Option<usize> {
        if column.relation.as_ref() != Some(&table(number)) {
            return None;
        }
        column.name.strip_prefix("key")?.parse().ok()
    }

    /// Whether a column is some node's key.
    pub fn is_key(column: &Column) -> bool {
        column.relation.as_ref().is_some_and(|relation| relation.table().starts_with(PREFIX))
    }
}

const PREFIX: &str = "graphwire.apply";

fn table(number: usize) -> TableReference {
    TableReference::bare(format!("{PREFIX}{number}"))
}

fn pairs(schema: &DFSchema) -> Vec<(Option<TableReference>, FieldRef)> {
    schema.iter().map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field))).collect()
}

impl Eq for Apply {}

impl Hash for Apply {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.subplan.hash(state);
        self.number.hash(state);
        self.kind.hash(state);
        self.keys.hash(state);
        self.guard.hash(state);
    }
}

impl PartialOrd for Apply {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for Apply {
    fn name(&self) -> &str {
        "Apply"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input, &self.subplan]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.keys.iter().chain(&self.guard).cloned().collect()
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let schema = self.input.schema();
        let width = schema.fields().len();
        let read = self.keys.iter().chain(&self.guard).flat_map(Expr::column_refs);
        let read = read.filter_map(|column| schema.maybe_index_of_column(column));
        let passed = output_columns.iter().copied().filter(|at| *at < width);
        let mut needed: Vec<usize> = read.chain(passed).collect();
        needed.sort_unstable();
        needed.dedup();
        let inner = match self.kind {
            ApplyKind::Scalar | ApplyKind::Exists => {
                (0..self.subplan.schema().fields().len()).collect()
            }
            ApplyKind::Rows { .. } => output_columns
                .iter()
                .copied()
                .filter(|at| *at >= width)
                .map(|at| at - width)
                .collect(),
        };
        Some(vec![needed, inner])
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        // A condition on an input row alone may be tested before the subquery is asked.
        let own = self.input.schema().fields().len();
        self.schema.fields().iter().skip(own).map(|field| field.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Apply {}: {:?}", self.number, self.kind)?;
        let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        write!(f, " for each [{}]", keys.join(", "))?;
        match &self.guard {
            Some(guard) => write!(f, " where {guard}"),
            None => Ok(()),
        }
    }

    fn with_exprs_and_inputs(
        &self,
        mut exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let (Some(subplan), Some(input)) = (inputs.pop(), inputs.pop()) else {
            return Err(PgError::internal("an apply has two inputs").into());
        };
        // DataFusion pushes a condition to every input of a node; it is one on the rows of the first alone.
        let subplan = match subplan {
            LogicalPlan::Filter(filter) if filter.input == self.subplan => filter.input,
            other => Arc::new(other),
        };
        let guard = self.guard.as_ref().and_then(|_| exprs.pop());
        let parts = ApplyParts { number: self.number, kind: self.kind, keys: exprs, guard };
        Self::try_new(Arc::new(input), subplan, parts)
    }
}

//! The short way: statements on a few rows found by key run without planning operators.
//!
//! ```text
//! admitted plan ── compile, once ──► ShortPlan ── run, with the values of parameters ──► rows
//!   Projection                         Project: physical expressions over the row and the parameters
//!     Filter a key = $1                Look up: the key index of each chunk
//!       TableScan
//! ```
//!
//! A plan has a short way when it is made of projections, filters, limits and sorts over one row of a table that a whole
//! key names, or over rows of expressions, perhaps with a write on top, and ON CONFLICT in between. Expressions are compiled once, with parameters as
//! columns beside those of the row. The plan was admitted, and what is compiled lives no longer than the catalog version
//! it was admitted in.

mod cells;
mod compile;
mod finder;
mod key;
mod look_up;
mod point;
mod point_write;
mod run;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;

use crate::catalog::Relation;
use crate::executor::operator::RowWriter;
use crate::types::Oid;
use look_up::LookUp;
pub use point::{FoundRow, PointRead};
pub use point_write::{PointRow, PointWrite};

/// A compiled statement. Made for one session, as its functions may be.
#[derive(Debug)]
pub struct ShortPlan {
    /// What is looked up before the rows are worked out: ON CONFLICT.
    conflicts: Option<Box<Conflicts>>,
    rows: Step,
    write: Option<Write>,
    /// `$1`, `$2`, … as far as the plan uses them; their place among the parameters, from 0.
    parameters: Vec<usize>,
    parameter_schema: SchemaRef,
    /// The whole statement, where it is no more than this.
    point: Option<PointRead>,
    /// The same of one that writes.
    point_write: Option<PointWrite>,
    /// The tables it reads and writes, where no foreign key leads to others.
    tables: Option<Box<[Oid]>>,
    /// Whether nothing is evaluated that leaves a trace: a sequence's next number.
    repeatable: bool,
}

#[derive(Debug)]
struct Write {
    writer: RowWriter,
    /// What is done with the written rows.
    returning: Vec<Projection>,
}

/// One expression for each column.
#[derive(Debug)]
struct Projection {
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    over: Over,
    schema: SchemaRef,
}

/// What expressions are evaluated over.
#[derive(Debug, Clone)]
enum Over {
    /// The rows alone.
    Rows,
    /// The rows with the parameters beside them.
    RowsAndParameters(SchemaRef),
}

/// Gives a batch of rows.
#[derive(Debug)]
enum Step {
    /// One row without columns.
    Row,
    /// A row for each list of expressions.
    Values { rows: Vec<Vec<Arc<dyn PhysicalExpr>>>, schema: SchemaRef },
    /// At most one row, by a key.
    LookUp(LookUp),
    /// Rows for which a condition is true.
    Filter { input: Box<Step>, condition: Arc<dyn PhysicalExpr>, over: Over },
    /// Other columns.
    Project { input: Box<Step>, projection: Projection },
    /// No more than so many rows.
    First { input: Box<Step>, fetch: usize },
    /// What [`Conflicts`] gave.
    Found,
}

/// The rows of an INSERT beside those they conflict with, which are looked for under locks.
#[derive(Debug)]
struct Conflicts {
    rows: Step,
    relation: Arc<Relation>,
    arbiters: Vec<Oid>,
    skips: bool,
    schema: SchemaRef,
}

fn as_any(expr: &Arc<dyn PhysicalExpr>) -> &(dyn std::any::Any + 'static) {
    let expr: &(dyn PhysicalExpr + 'static) = expr.as_ref();
    expr
}

impl Step {
    /// Whether it can give more than one row.
    fn many(&self) -> bool {
        match self {
            Self::Row | Self::LookUp(_) => false,
            Self::Values { rows, .. } => rows.len() > 1,
            Self::Found => true,
            Self::Filter { input, .. }
            | Self::Project { input, .. }
            | Self::First { input, .. } => input.many(),
        }
    }
}

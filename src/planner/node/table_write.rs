//! The logical node for INSERT, UPDATE and DELETE.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{DFSchema, DFSchemaRef, Result, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::catalog::Relation;

/// What is done to the table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WriteKind {
    /// Input columns are the new row, in the table's order.
    Insert,
    /// Input is `carried` columns, the row id, then the new row in the table's order.
    Update {
        /// Columns of the table that the statement assigns, for privileges and constraint checks.
        assigned: Vec<usize>,
    },
    /// Input is `carried` columns, the row id, then the old row in the table's order.
    Delete,
}

/// Writes the rows of its input to a table and gives each affected row.
///
/// ```text
/// input   carried columns (of FROM or USING; none for INSERT), [row id: UInt64,] the table's columns
/// output  carried columns, the table's columns under the target's name: the new row (INSERT, UPDATE) or the old (DELETE)
/// ```
///
/// All input is read before anything is written, so a statement never sees its own changes.
#[derive(Debug, Clone)]
pub struct TableWrite {
    /// The target.
    pub relation: Arc<Relation>,
    /// What is done.
    pub kind: WriteKind,
    /// Rows to write.
    pub input: Arc<LogicalPlan>,
    /// How many leading input columns are carried through.
    pub carried: usize,
    schema: DFSchemaRef,
}

impl TableWrite {
    /// A write of `input` to `relation`, whose columns RETURNING knows as `name`.
    pub fn try_new(
        relation: Arc<Relation>,
        kind: WriteKind,
        input: Arc<LogicalPlan>,
        carried: usize,
        name: &TableReference,
    ) -> Result<Self> {
        let mut fields: Vec<_> = input
            .schema()
            .iter()
            .take(carried)
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .collect();
        for column in relation.columns() {
            let field = Arc::new(column.ty.field(&column.name, !column.not_null));
            fields.push((Some(name.clone()), field));
        }
        let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
        Ok(Self { relation, kind, input, carried, schema })
    }
}

impl PartialEq for TableWrite {
    fn eq(&self, other: &Self) -> bool {
        self.relation.oid == other.relation.oid
            && self.kind == other.kind
            && self.input == other.input
            && self.carried == other.carried
    }
}

impl Eq for TableWrite {}

impl Hash for TableWrite {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.relation.oid.hash(state);
        self.kind.hash(state);
        self.input.hash(state);
        self.carried.hash(state);
    }
}

impl PartialOrd for TableWrite {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for TableWrite {
    fn name(&self) -> &str {
        "TableWrite"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match &self.kind {
            WriteKind::Insert => "Insert on",
            WriteKind::Update { .. } => "Update on",
            WriteKind::Delete => "Delete on",
        };
        write!(f, "{verb} {}", self.relation.name)
    }

    fn with_exprs_and_inputs(
        &self,
        _exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let input = inputs.pop().map_or_else(|| Arc::clone(&self.input), Arc::new);
        Ok(Self { input, ..self.clone() })
    }
}

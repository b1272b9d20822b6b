//! The logical node for INSERT, UPDATE, DELETE and MERGE.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{DFSchema, DFSchemaRef, Result, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::catalog::Relation;
use crate::types::Oid;

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
    /// Input is `carried` columns, a [`RowAction`], the row id (null for a new row), then the row in the table's order:
    /// the new one, or the old one where it goes.
    Each(EachRow),
}

/// What a statement may do that says for each row what is done.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EachRow {
    /// INSERT … ON CONFLICT DO UPDATE, rather than MERGE.
    pub on_conflict: bool,
    /// Whether it may add rows.
    pub inserts: bool,
    /// Columns it may assign.
    pub assigned: Vec<usize>,
    /// Whether it may remove rows.
    pub deletes: bool,
}

/// What is done about one row of the input of [`WriteKind::Each`]: an Int8 column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowAction {
    /// The row is left alone.
    Nothing,
    /// It is added.
    Insert,
    /// It replaces the one with the row id.
    Update,
    /// The one with the row id is removed.
    Delete,
}

impl RowAction {
    /// The value in the column.
    pub fn code(self) -> i8 {
        match self {
            Self::Nothing => 0,
            Self::Insert => 1,
            Self::Update => 2,
            Self::Delete => 3,
        }
    }

    /// The action of a value; null and what is unknown are nothing.
    pub fn of(code: Option<i8>) -> Self {
        match code {
            Some(1) => Self::Insert,
            Some(2) => Self::Update,
            Some(3) => Self::Delete,
            _ => Self::Nothing,
        }
    }
}

impl WriteKind {
    /// The words EXPLAIN has for it.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Insert => "Insert on",
            Self::Update { .. } => "Update on",
            Self::Delete => "Delete on",
            Self::Each(each) if each.on_conflict => "Insert or update on",
            Self::Each(_) => "Merge on",
        }
    }

    /// How many columns stand between the carried ones and the table's.
    pub fn leading(&self) -> usize {
        match self {
            Self::Insert => 0,
            Self::Update { .. } | Self::Delete => 1,
            Self::Each(_) => 2,
        }
    }
}

/// Writes the rows of its input to a table and gives each affected row.
///
/// ```text
/// input   carried columns (of FROM or USING; none for INSERT), [row id: UInt64,] the table's columns
/// output  carried columns, the table's columns under the target's name: the new row (INSERT, UPDATE) or the old (DELETE)
/// ```
///
/// All input is read before anything is written, so a statement never sees its own changes. A row id that comes twice is
/// written once, the first time; in [`WriteKind::Each`] the second is an error (`21000`).
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
    /// Columns of the target that the statement reads (in WHERE, RETURNING, …), sorted: for privileges and policies.
    pub reads: Vec<usize>,
    /// Whether the statement is done with it, so that foreign keys must hold; not so inside WITH.
    pub ends_statement: bool,
    /// Columns that the statement gives values for in new rows, for privileges; `None` is all of them.
    pub inserted: Option<Vec<usize>>,
    /// Whose rights on the table count: the owner of the view it goes through; `None` is the caller.
    pub as_role: Option<Oid>,
    /// The view it goes through, and whose rights on that count.
    pub view: Option<(Arc<Relation>, Option<Oid>)>,
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
        let ends_statement = true;
        Ok(Self {
            relation,
            kind,
            input,
            carried,
            reads: Vec::new(),
            ends_statement,
            inserted: None,
            as_role: None,
            view: None,
            schema,
        })
    }

    /// The same write, which gives values for these columns of new rows.
    #[must_use]
    pub fn inserting(mut self, mut columns: Vec<usize>) -> Self {
        columns.sort_unstable();
        self.inserted = Some(columns);
        self
    }

    /// The same write of other rows.
    #[must_use]
    pub fn with_input(&self, input: LogicalPlan) -> Self {
        Self { input: Arc::new(input), ..self.clone() }
    }

    /// The same write by a statement that reads these columns of the target.
    #[must_use]
    pub fn with_reads(&self, reads: Vec<usize>) -> Self {
        Self { reads, ..self.clone() }
    }
}

impl PartialEq for TableWrite {
    fn eq(&self, other: &Self) -> bool {
        self.relation.oid == other.relation.oid
            && self.kind == other.kind
            && self.input == other.input
            && self.carried == other.carried
            && self.reads == other.reads
            && self.ends_statement == other.ends_statement
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
        write!(f, "{} {}", self.kind.verb(), self.relation.name)
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

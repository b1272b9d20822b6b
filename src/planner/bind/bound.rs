//! The result of binding a statement.

use datafusion::logical_expr::LogicalPlan;

use crate::catalog::PropertyGraph;
use crate::planner::bind::sql::ddl::DdlCommand;
use crate::types::pg_type::PgType;

/// A statement with its names and types resolved.
#[derive(Debug, Clone)]
pub enum Bound {
    /// Something with a plan.
    Plan(BoundPlan),
    /// A change of the catalog.
    Ddl(DdlCommand),
}

/// A bound plan: query or write.
#[derive(Debug, Clone)]
pub struct BoundPlan {
    /// What to run. Parameters are still placeholders.
    pub plan: LogicalPlan,
    /// What kind of statement it is, for the command tag.
    pub kind: PlanKind,
    /// Parameter types, `$1` first.
    pub parameters: Vec<PgType>,
    /// The result's columns, in the plan's order; empty for a write without RETURNING.
    pub columns: Vec<BoundColumn>,
}

/// A result column.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundColumn {
    /// Name as the client sees it.
    pub name: String,
    /// Its type.
    pub ty: PgType,
    /// The type of a column that keeps it: `ty`, or the domain it was declared with.
    pub kept: PgType,
    /// OID of the table it comes from unchanged, else 0.
    pub table: u32,
    /// `attnum` in that table, else 0.
    pub attnum: i16,
    /// Whether the type's modifier was declared, by a table or a cast; else a client is told none.
    pub declared: bool,
}

/// What kind of statement a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanKind {
    /// Rows for the client.
    Select,
    /// Rows for the client, of a query whose WITH writes.
    SelectWithWrites,
    /// INSERT; rows are sent if `returning`.
    Insert {
        /// Whether the rows are for the client.
        returning: bool,
    },
    /// UPDATE.
    Update {
        /// Whether the rows are for the client.
        returning: bool,
    },
    /// DELETE.
    Delete {
        /// Whether the rows are for the client.
        returning: bool,
    },
    /// MERGE.
    Merge,
    /// CALL.
    Call {
        /// Whether the procedure gives a row.
        returning: bool,
    },
    /// Cypher that writes.
    Cypher {
        /// The first clause that writes: `CREATE`, `MERGE`, `SET`, `DELETE`.
        verb: &'static str,
        /// Whether there are rows for the client.
        returning: bool,
    },
    /// EXPLAIN, with or without ANALYZE.
    Explain {
        /// Whether the statement is also run.
        analyze: bool,
        /// More detail.
        verbose: bool,
        /// As a JSON document instead of lines.
        json: bool,
    },
}

impl PlanKind {
    /// Whether the rows of the plan are for the client.
    pub fn gives_rows(self) -> bool {
        match self {
            Self::Select | Self::SelectWithWrites | Self::Explain { .. } => true,
            Self::Merge => false,
            Self::Insert { returning }
            | Self::Update { returning }
            | Self::Delete { returning }
            | Self::Call { returning }
            | Self::Cypher { returning, .. } => returning,
        }
    }

    /// Whether running it changes data.
    pub fn writes(self) -> bool {
        match self {
            Self::Select => false,
            // What EXPLAIN ANALYZE runs may write; the plan says.
            Self::Explain { analyze, .. } => analyze,
            Self::SelectWithWrites
            | Self::Insert { .. }
            | Self::Update { .. }
            | Self::Delete { .. }
            | Self::Cypher { .. }
            | Self::Call { .. }
            | Self::Merge => true,
        }
    }

    /// Its first word.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Select | Self::SelectWithWrites => "SELECT",
            Self::Insert { .. } => "INSERT",
            Self::Update { .. } => "UPDATE",
            Self::Delete { .. } => "DELETE",
            Self::Merge => "MERGE",
            Self::Call { .. } => "CALL",
            Self::Explain { .. } => "EXPLAIN",
            Self::Cypher { verb, .. } => verb,
        }
    }

    /// The command tag for `rows` rows.
    pub fn tag(self, rows: u64) -> String {
        match self {
            Self::Select | Self::SelectWithWrites | Self::Cypher { returning: true, .. } => {
                format!("SELECT {rows}")
            }
            Self::Cypher { verb, returning: false } => format!("{verb} {rows}"),
            Self::Merge => format!("MERGE {rows}"),
            Self::Call { .. } => "CALL".to_owned(),
            Self::Insert { .. } => format!("INSERT 0 {rows}"),
            Self::Update { .. } => format!("UPDATE {rows}"),
            Self::Delete { .. } => format!("DELETE {rows}"),
            Self::Explain { .. } => "EXPLAIN".to_owned(),
        }
    }
}

/// A property graph to be made.
pub type NewPropertyGraph = PropertyGraph;

//! Physical operators DataFusion lacks, one in each file. They stream, hold no more than a batch beyond what they
//! reserve from the pool, and give way to cancellation inside long loops.
//!
//! The operators on graph patterns are [`GraphOperator`]s run by one [`GraphExec`] (`graph_exec`): each turns a batch of
//! input rows into slices of output rows, appending columns. What they share: `checks` (conditions on new rows), `hops`
//! (adjacency lists of a step), `edge_filter` (conditions on edges while walking), `append` (building output batches).

mod algorithm_exec;
mod append;
mod apply_exec;
mod arrange;
mod checks;
mod conflict_lookup_exec;
mod count_exec;
mod count_matches;
mod distances;
mod distinct_ends;
mod distinct_limits;
mod edge_filter;
mod edge_list;
mod ends_of_edge;
mod expand;
mod expand_into;
mod give_way;
mod graph_exec;
mod graph_write_exec;
mod group;
mod hops;
mod intersect;
mod keyed_rows_exec;
mod load_csv_exec;
mod lock_rows_exec;
mod optional_match_exec;
mod path;
mod path_select;
mod policy_check_exec;
mod reachability;
mod row_policy_exec;
mod rows_exec;
mod scan_exec;
mod search_side;
mod series_exec;
mod shortest_k;
mod shortest_path;
mod table_write_exec;
mod var_expand;
mod vertex_lookup;
mod vertex_scan_exec;
mod walk;
mod with_writes_exec;

pub use algorithm_exec::AlgorithmExec;
pub use apply_exec::{ApplyExec, ApplyExecParts};
pub use arrange::Arrange;
pub use checks::{Checks, PatternFilter};
pub use conflict_lookup_exec::ConflictLookupExec;
pub use count_matches::CountMatches;
pub use distinct_ends::DistinctEnds;
pub use distinct_limits::DistinctLimits;
pub use edge_filter::EdgePredicate;
pub use ends_of_edge::EndsOfEdge;
pub use expand::Expand;
pub use expand_into::ExpandInto;
pub use give_way::GiveWay;
pub use graph_exec::{GraphExec, GraphOperator, Names};
pub use graph_write_exec::{GraphWriteChecks, GraphWriteExec};
pub use group::{GroupBody, GroupHops, Unpack, Unpacked};
pub use hops::HopSet;
pub use intersect::Intersect;
pub use keyed_rows_exec::{KeptRows, KeyedRowsExec};
pub use load_csv_exec::LoadCsvExec;
pub use lock_rows_exec::LockRowsExec;
pub use optional_match_exec::{ArgumentExec, OptionalMatchExec};
pub use path::{PathBuild, PathPart};
pub use path_select::{Kept, NumberRows, PathModeFilter, PathSelect};
pub use policy_check_exec::PolicyCheckExec;
pub use row_policy_exec::RowPolicyExec;
pub use rows_exec::RowsExec;
pub use scan_exec::{ScanExec, ScanRange};
pub use series_exec::SeriesExec;
pub use shortest_k::{Fewest, ShortestK};
pub use shortest_path::{Shortest, ShortestPath};
pub use table_write_exec::{RowWriter, TableWriteExec};
pub use var_expand::{VarEnd, VarExpand};
pub use vertex_lookup::{LookupTable, LookupValue, VertexLookup};
pub use vertex_scan_exec::{KeyLookup, ScanTable, VertexScanExec};
pub use with_writes_exec::{RowSlot, WithWritesExec, WrittenRowsTable};

/// A batch of one row without columns, to evaluate what names none.
fn one_row() -> datafusion::common::Result<arrow::array::RecordBatch> {
    let schema = std::sync::Arc::new(arrow::datatypes::Schema::empty());
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
    Ok(arrow::array::RecordBatch::try_new_with_options(schema, Vec::new(), &options)?)
}

//! Physical operators DataFusion lacks, one in each file. They stream, hold no more than a batch beyond what they
//! reserve from the pool, and give way to cancellation inside long loops.
//!
//! The operators on graph patterns are [`GraphOperator`]s run by one [`GraphExec`] (`graph_exec`): each turns a batch of
//! input rows into slices of output rows, appending columns. What they share: `checks` (conditions on new rows), `hops`
//! (adjacency lists of a step), `edge_filter` (conditions on edges while walking), `append` (building output batches).

mod append;
mod apply_exec;
mod arrange;
mod checks;
mod conflict_lookup_exec;
mod distances;
mod distinct_ends;
mod edge_filter;
mod edge_list;
mod ends_of_edge;
mod expand;
mod expand_into;
mod graph_exec;
mod hops;
mod index_lookup_exec;
mod intersect;
mod lock_rows_exec;
mod optional_match_exec;
mod path;
mod reachability;
mod scan_exec;
mod search_side;
mod shortest_path;
mod table_write_exec;
mod var_expand;
mod vertex_scan_exec;
mod walk;
mod with_writes_exec;

pub use apply_exec::{ApplyExec, ApplyExecParts};
pub use arrange::Arrange;
pub use checks::{Checks, PatternFilter};
pub use conflict_lookup_exec::ConflictLookupExec;
pub use distinct_ends::DistinctEnds;
pub use edge_filter::EdgePredicate;
pub use ends_of_edge::EndsOfEdge;
pub use expand::Expand;
pub use expand_into::ExpandInto;
pub use graph_exec::{GraphExec, GraphOperator, Names};
pub use hops::HopSet;
pub use index_lookup_exec::IndexLookupExec;
pub use intersect::Intersect;
pub use lock_rows_exec::LockRowsExec;
pub use optional_match_exec::{ArgumentExec, OptionalMatchExec};
pub use path::{PathBuild, PathPart};
pub use scan_exec::ScanExec;
pub use shortest_path::{Shortest, ShortestPath};
pub use table_write_exec::TableWriteExec;
pub use var_expand::{VarEnd, VarExpand};
pub use vertex_scan_exec::{KeyLookup, ScanTable, VertexScanExec};
pub use with_writes_exec::{RowSlot, WithWritesExec, WrittenRowsTable};

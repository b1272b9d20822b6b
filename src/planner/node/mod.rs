//! Logical nodes and functions that DataFusion lacks.

mod apply;
mod conflict_lookup;
mod graph_algorithm;
mod graph_check;
mod graph_function;
mod graph_listing;
mod graph_write;
mod load_csv;
mod lock_rows;
mod match_pattern;
mod pattern_column;
mod policy_check;
mod routine_call;
mod row_labels;
mod row_policy;
mod series;
mod subquery;
mod table_write;
mod with_writes;

pub use apply::{Apply, ApplyKind, ApplyParts};
pub use conflict_lookup::{ConflictLookup, EXCLUDED};
pub use graph_algorithm::{Algorithm, GraphAlgorithm};
pub use graph_check::{GraphCheck, RowEvent};
pub use graph_function::{GraphFunction, GraphFunctionKind};
pub use graph_listing::{GraphListing, Listing, ListingColumns, ListingType};
pub use graph_write::{
    ElementChange, GraphAction, GraphWrite, NewEdge, NewProperties, NewVertex, SetAction, TypedRow,
    ValueColumn,
};
pub use load_csv::{CsvForm, LoadCsv};
pub use lock_rows::{LockRows, LockStrength, LockWait, LockedTable};
pub use match_pattern::{Element, ElementGuard, MatchPattern, path_type};
pub use policy_check::{CheckKind, PolicyCheck, RowTest};
pub use routine_call::RoutineCall;
pub use row_labels::HoldsLabels;
pub use row_policy::{RowPolicy, conditions_on_scan};
pub use series::Series;
pub use subquery::{has_subquery, is_subquery};
pub use table_write::{EachRow, RowAction, TableWrite, WriteKind};
pub use with_writes::{WithWrites, WrittenRows};

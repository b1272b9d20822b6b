//! Binds names and types: syntax trees to one DataFusion `LogicalPlan`, with the nodes DataFusion lacks.
//!
//! A table in a plan is a source with a schema and an OID, not something that can be scanned; only `executor` reaches
//! data.

pub mod bind;
pub mod node;
pub mod pattern;
pub mod source;

pub use node::{GraphFunction, GraphFunctionKind, MatchPattern, TableWrite, WriteKind, path_type};
pub use pattern::{
    BoundPattern, Direction, EdgeRule, LabelTest, OpenLabels, PathMode, PathSearch, PatternEdge,
    PatternElement, PatternPath, PatternVertex, Quantifier,
};

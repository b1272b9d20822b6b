//! Binding: one module for each language, one for data definition, and what they share.

pub mod cypher;
pub mod graph;

//! Runs admitted plans: physical operators, scans, memory and cancellation.

pub mod graph;
pub mod operator;

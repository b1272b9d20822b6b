//! Scalar and aggregate functions, operators, casts.

pub mod cypher;

//! graphwire: a graph database that speaks PostgreSQL.
//!
//! One process accepts PostgreSQL wire-protocol connections, reads SQL, SQL/PGQ and Cypher, turns all three into one
//! DataFusion plan, checks that plan against the caller's rights and streams Arrow batches back as protocol rows.
//! `docs/ARCHITECTURE.md` is the map; `session::pipeline` is the best place to start reading.

pub mod access;
pub mod catalog;
pub mod error;
pub mod executor;
pub mod functions;
pub mod optimizer;
pub mod parser;
pub mod planner;
pub mod server;
pub mod session;
pub mod storage;
pub mod telemetry;
pub mod types;

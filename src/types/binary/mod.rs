//! The binary form of each type, as PostgreSQL's send and receive functions have it.

pub(crate) mod receive;
pub(crate) mod send;

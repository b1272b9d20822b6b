//! The text form of each type: input and output functions as PostgreSQL 15 has them.

pub(crate) mod input;
pub(crate) mod output;

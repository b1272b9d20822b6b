//! One rule in one file.

mod push_down_pattern;
mod subqueries;

pub use push_down_pattern::PushDownPattern;
pub use subqueries::{apply_subqueries, is_settled};

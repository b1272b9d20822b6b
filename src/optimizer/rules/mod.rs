//! One rule in one file.

mod push_down_pattern;
mod refuse_correlated;

pub use push_down_pattern::PushDownPattern;
pub use refuse_correlated::refuse_correlated;

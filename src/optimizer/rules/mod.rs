//! One rule in one file.

mod push_down_pattern;

pub use push_down_pattern::PushDownPattern;

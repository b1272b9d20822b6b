//! One rule in one file.

mod constant_errors;
mod leak_proof_lookups;
mod name_join_keys;
mod policies_apart;
mod push_down_pattern;
mod settle_limits;
mod stream_series;
mod subqueries;

pub use constant_errors::constant_errors;
pub use leak_proof_lookups::leak_proof_lookups;
pub use name_join_keys::name_join_keys;
pub use policies_apart::{policies_apart, policies_back};
pub use push_down_pattern::PushDownPattern;
pub use settle_limits::settle_limits;
pub use stream_series::stream_series;
pub use subqueries::{apply_subqueries, is_settled};

//! Session variables: what SET, SHOW and startup parameters may say.
//!
//! Each is honored or refused; a name that is here because drivers set it and that changes nothing in graphwire says so in
//! its description.
//!
//! Reading order: `definition` (what is known of a setting), `definitions` (all that change something), `planner` (those of
//! PostgreSQL's planner), `values` (the values of one session), `check` (what a value may be), `derived` (what every statement
//! asks for), `formats` (dates, intervals, time zones).

mod check;
mod definition;
mod definitions;
mod derived;
mod formats;
mod planner;
mod values;

pub use check::milliseconds;
pub use definition::{Definition, Kind, definition, definitions};
pub use definitions::{DEFINITIONS, SERVER_VERSION, SERVER_VERSION_NUM};
pub use derived::split_path;
pub use values::Settings;

pub(super) use check::memory_in_units;

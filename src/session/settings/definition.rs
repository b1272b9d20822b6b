//! What is known of a setting.

use super::definitions::DEFINITIONS;
use super::planner::PLANNER_DEFINITIONS;

/// How a setting's text is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// on/off.
    Bool,
    /// A whole number, perhaps with a unit of time; shown in the base unit given.
    Milliseconds,
    /// A whole number between the bounds.
    Int(i64, i64),
    /// A number between the bounds.
    Real(f64, f64),
    /// An amount of memory, in units of some kilobytes where none is written; shown in the largest unit that divides it.
    Memory {
        /// Kilobytes of the unit.
        unit_kb: i64,
        /// In units.
        min: i64,
        /// In units.
        max: i64,
    },
    /// One of these.
    Enum(&'static [&'static str]),
    /// Checked by the date and time code.
    DateStyle,
    /// A time zone.
    TimeZone,
    /// Names separated by commas.
    Path,
    /// An encoding's name; only UTF8 (and SQL_ASCII's alias) are served.
    Encoding,
}

/// A setting's definition.
#[derive(Debug)]
pub struct Definition {
    /// Its name as SHOW ALL lists it.
    pub name: &'static str,
    /// Value at the start.
    pub default: &'static str,
    /// How a value is checked.
    pub kind: Kind,
    /// Whether a session may change it.
    pub settable: bool,
    /// Whether a change is reported to the client (ParameterStatus).
    pub reported: bool,
    /// One sentence.
    pub description: &'static str,
}

/// A session may change it.
pub(super) const USER: Definition = Definition {
    name: "",
    default: "",
    kind: Kind::Text,
    settable: true,
    reported: false,
    description: "",
};
/// A session may change it, and the client is told of each change.
pub(super) const REPORTED: Definition = Definition { reported: true, ..USER };
/// It is shown only.
pub(super) const FIXED: Definition = Definition { settable: false, ..USER };
/// It is shown only, and the client is told of it.
pub(super) const FIXED_REPORTED: Definition = Definition { settable: false, ..REPORTED };

/// Definitions as a table: who may change it, then its name, its default, how a value is checked, and its description.
macro_rules! settings {
    ($($who:ident $name:literal, $default:expr, $kind:expr, $description:literal;)*) => {
        &[$(Definition {
            name: $name,
            default: $default,
            kind: $kind,
            description: $description,
            ..$who
        }),*]
    };
}
pub(super) use settings;

/// Every definition; those that change something come first, so that they are found first.
pub fn definitions() -> impl Iterator<Item = &'static Definition> {
    DEFINITIONS.iter().chain(PLANNER_DEFINITIONS)
}

/// The definition of a name, whatever its case.
pub fn definition(name: &str) -> Option<&'static Definition> {
    definitions().find(|definition| definition.name.eq_ignore_ascii_case(name))
}

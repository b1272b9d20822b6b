//! Why a value or type could not be read, written or converted.

use std::borrow::Cow;
use std::fmt;

/// A refusal in PostgreSQL's words, with its SQLSTATE.
///
/// `context` is the CONTEXT line of COPY (`COPY t, line 3, column a: "x"`); no other caller has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeError {
    pub sqlstate: &'static str,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub context: Option<String>,
}

impl TypeError {
    /// An error with a code and a message and nothing else.
    pub fn new(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self { sqlstate, message: message.into(), detail: None, hint: None, context: None }
    }

    /// `0A000`: PostgreSQL has it, graphwire does not.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new("0A000", message)
    }

    /// `22P02`: the text is not of the type's form.
    pub fn syntax(type_name: &str, text: impl AsRef<[u8]>) -> Self {
        Self::new(
            "22P02",
            format!("invalid input syntax for type {type_name}: \"{}\"", lossy(text.as_ref())),
        )
    }

    /// `22003`: the number has the type's form and does not fit.
    pub fn out_of_range(type_name: &str, text: impl AsRef<[u8]>) -> Self {
        Self::new(
            "22003",
            format!("value \"{}\" is out of range for type {type_name}", lossy(text.as_ref())),
        )
    }

    /// `XX000`: an Arrow array that does not have the type its column announced; our own mistake.
    pub fn mismatch(expected: &str, found: impl fmt::Display) -> Self {
        Self::new("XX000", format!("column of type {expected} holds an Arrow {found}"))
    }

    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into());
        self
    }
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TypeError {}

impl From<arrow::error::ArrowError> for TypeError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::new("XX000", error.to_string())
    }
}

/// Client bytes as they may stand in a message.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

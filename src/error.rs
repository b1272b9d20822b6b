//! SQLSTATEs and the error a client sees.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// `fuzz/` compiles parsers and types without DataFusion.
#[cfg(not(graphwire_parts))]
#[path = "engine_error.rs"]
mod engines;
#[cfg(not(graphwire_parts))]
pub use engines::Reported;

/// A five-character SQLSTATE. The constants are PostgreSQL's (`src/backend/utils/errcodes.txt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState(pub &'static str);

macro_rules! sqlstates {
    ($($name:ident = $code:literal),* $(,)?) => {
        impl SqlState {
            $(#[doc = $code] pub const $name: Self = Self($code);)*

            /// The one with this code, if it is among those that graphwire raises.
            pub fn known(code: &str) -> Option<Self> {
                [$($code),*].into_iter().find(|known| *known == code).map(Self)
            }
        }
    };
}

/// Codes that a statement gave and graphwire does not raise itself; a client cannot make more of them.
const GIVEN_MAX: usize = 4096;

impl SqlState {
    /// Any code of five digits and capital letters, as `RAISE` may give one; `None` for another text.
    ///
    /// # Errors
    /// `54000` if statements gave too many that graphwire does not know.
    pub fn given(code: &str) -> Result<Option<Self>, PgError> {
        static GIVEN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        let is_code = code.len() == 5
            && code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        if !is_code {
            return Ok(None);
        }
        if let Some(known) = Self::known(code) {
            return Ok(Some(known));
        }
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = given.get(code) {
            return Ok(Some(Self(known)));
        }
        if given.len() >= GIVEN_MAX {
            return Err(Self::too_many());
        }
        let code: &'static str = Box::leak(code.to_owned().into_boxed_str());
        given.insert(code);
        Ok(Some(Self(code)))
    }

    fn too_many() -> PgError {
        let message =
            format!("statements have raised more than {GIVEN_MAX} SQLSTATEs of their own");
        PgError::new(Self::PROGRAM_LIMIT_EXCEEDED, message)
    }
}

sqlstates! {
    SUCCESSFUL_COMPLETION = "00000",
    WARNING = "01000",
    PROTOCOL_VIOLATION = "08P01",
    FEATURE_NOT_SUPPORTED = "0A000",
    STACKED_DIAGNOSTICS_WITHOUT_HANDLER = "0Z002",
    CASE_NOT_FOUND = "20000",
    CARDINALITY_VIOLATION = "21000",
    DATA_EXCEPTION = "22000",
    STRING_DATA_RIGHT_TRUNCATION = "22001",
    NUMERIC_VALUE_OUT_OF_RANGE = "22003",
    NULL_VALUE_NOT_ALLOWED = "22004",
    ERROR_IN_ASSIGNMENT = "22005",
    INVALID_DATETIME_FORMAT = "22007",
    DATETIME_FIELD_OVERFLOW = "22008",
    DIVISION_BY_ZERO = "22012",
    CHARACTER_NOT_IN_REPERTOIRE = "22021",
    INVALID_PARAMETER_VALUE = "22023",
    ARRAY_SUBSCRIPT_ERROR = "2202E",
    INVALID_TABLESAMPLE_ARGUMENT = "2202H",
    INVALID_ROW_COUNT_IN_LIMIT_CLAUSE = "2201W",
    INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE = "2201X",
    INVALID_REGULAR_EXPRESSION = "2201B",
    INVALID_TEXT_REPRESENTATION = "22P02",
    INVALID_BINARY_REPRESENTATION = "22P03",
    BAD_COPY_FILE_FORMAT = "22P04",
    INTEGRITY_CONSTRAINT_VIOLATION = "23000",
    NOT_NULL_VIOLATION = "23502",
    FOREIGN_KEY_VIOLATION = "23503",
    UNIQUE_VIOLATION = "23505",
    CHECK_VIOLATION = "23514",
    INVALID_CURSOR_STATE = "24000",
    ACTIVE_SQL_TRANSACTION = "25001",
    READ_ONLY_SQL_TRANSACTION = "25006",
    NO_ACTIVE_SQL_TRANSACTION = "25P01",
    IDLE_IN_TRANSACTION_SESSION_TIMEOUT = "25P03",
    TRANSACTION_TIMEOUT = "25P04",
    IN_FAILED_SQL_TRANSACTION = "25P02",
    INVALID_SQL_STATEMENT_NAME = "26000",
    INVALID_AUTHORIZATION_SPECIFICATION = "28000",
    INVALID_PASSWORD = "28P01",
    DEPENDENT_OBJECTS_STILL_EXIST = "2BP01",
    NO_RETURN = "2F005",
    INVALID_CURSOR_NAME = "34000",
    INVALID_CATALOG_NAME = "3D000",
    INVALID_SCHEMA_NAME = "3F000",
    T_R_SERIALIZATION_FAILURE = "40001",
    T_R_DEADLOCK_DETECTED = "40P01",
    SEQUENCE_GENERATOR_LIMIT_EXCEEDED = "2200H",
    INSUFFICIENT_PRIVILEGE = "42501",
    SYNTAX_ERROR = "42601",
    INVALID_NAME = "42602",
    INVALID_COLUMN_DEFINITION = "42611",
    DUPLICATE_COLUMN = "42701",
    AMBIGUOUS_COLUMN = "42702",
    UNDEFINED_COLUMN = "42703",
    UNDEFINED_OBJECT = "42704",
    DUPLICATE_OBJECT = "42710",
    DUPLICATE_ALIAS = "42712",
    DUPLICATE_FUNCTION = "42723",
    AMBIGUOUS_FUNCTION = "42725",
    RESERVED_NAME = "42939",
    GROUPING_ERROR = "42803",
    DATATYPE_MISMATCH = "42804",
    WRONG_OBJECT_TYPE = "42809",
    INVALID_FOREIGN_KEY = "42830",
    CANNOT_COERCE = "42846",
    UNDEFINED_FUNCTION = "42883",
    INVALID_COLUMN_REFERENCE = "42P10",
    GENERATED_ALWAYS = "428C9",
    UNDEFINED_TABLE = "42P01",
    UNDEFINED_PARAMETER = "42P02",
    DUPLICATE_CURSOR = "42P03",
    DUPLICATE_DATABASE = "42P04",
    DUPLICATE_PREPARED_STATEMENT = "42P05",
    DUPLICATE_SCHEMA = "42P06",
    DUPLICATE_TABLE = "42P07",
    AMBIGUOUS_PARAMETER = "42P08",
    INVALID_FUNCTION_DEFINITION = "42P13",
    INVALID_TABLE_DEFINITION = "42P16",
    INDETERMINATE_DATATYPE = "42P18",
    WINDOWING_ERROR = "42P20",
    INVALID_OBJECT_DEFINITION = "42P17",
    TOO_MANY_CONNECTIONS = "53300",
    OUT_OF_MEMORY = "53200",
    DISK_FULL = "53100",
    CONFIGURATION_LIMIT_EXCEEDED = "53400",
    PROGRAM_LIMIT_EXCEEDED = "54000",
    STATEMENT_TOO_COMPLEX = "54001",
    TOO_MANY_COLUMNS = "54011",
    OBJECT_NOT_IN_PREREQUISITE_STATE = "55000",
    OBJECT_IN_USE = "55006",
    CANT_CHANGE_RUNTIME_PARAM = "55P02",
    LOCK_NOT_AVAILABLE = "55P03",
    QUERY_CANCELED = "57014",
    ADMIN_SHUTDOWN = "57P01",
    CANNOT_CONNECT_NOW = "57P03",
    IDLE_SESSION_TIMEOUT = "57P05",
    IO_ERROR = "58030",
    UNDEFINED_FILE = "58P01",
    RAISE_EXCEPTION = "P0001",
    NO_DATA_FOUND = "P0002",
    TOO_MANY_ROWS = "P0003",
    ASSERT_FAILURE = "P0004",
    INTERNAL_ERROR = "XX000",
    DATA_CORRUPTED = "XX001",
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Severity of a report: whether the statement, or the connection, ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The statement failed.
    Error,
    /// The connection is closed after this.
    Fatal,
    /// Something the user should look at.
    Warning,
    /// Something the user may want to know.
    Notice,
    /// Informational output that was asked for.
    Info,
}

impl Severity {
    /// PostgreSQL's word for it (fields `S` and `V`).
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Warning => "WARNING",
            Self::Notice => "NOTICE",
            Self::Info => "INFO",
        }
    }
}

/// What a client sees of an error or notice: the fields of ErrorResponse.
///
/// Boxed inside, so that `Result<T, PgError>` stays small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgError(Box<Fields>);

/// The fields of a [`PgError`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// Whether the statement or the connection ends.
    pub severity: Severity,
    /// SQLSTATE.
    pub code: SqlState,
    /// Lower case, no full stop.
    pub message: Cow<'static, str>,
    /// Whole sentences.
    pub detail: Option<String>,
    /// Whole sentences.
    pub hint: Option<String>,
    /// Byte offset into the statement's text; turned into a character position when it is sent.
    pub offset: Option<usize>,
    /// The literal that could not be read, for whoever has the statement to find its place; not sent.
    pub literal: Option<String>,
    /// Context (`W`).
    pub context: Option<String>,
    /// Schema of the object concerned.
    pub schema: Option<String>,
    /// Table concerned.
    pub table: Option<String>,
    /// Column concerned.
    pub column: Option<String>,
    /// Constraint or quota concerned.
    pub constraint: Option<String>,
    /// Data type concerned.
    pub datatype: Option<String>,
    /// The openCypher detail word, where there is one (`R`).
    pub routine: Option<&'static str>,
    /// Where graphwire's own text reports it (`F`, `L`): the file's name and the line.
    pub place: Option<(&'static str, u32)>,
}

impl PgError {
    /// An error of severity ERROR.
    pub fn new(code: SqlState, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Fields {
            severity: Severity::Error,
            code,
            message: message.into(),
            detail: None,
            hint: None,
            offset: None,
            literal: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            constraint: None,
            datatype: None,
            routine: None,
            place: None,
        }))
    }

    /// A refusal of something known but not carried out (`0A000`), with what to do instead.
    pub fn unsupported(message: impl Into<Cow<'static, str>>, hint: impl Into<String>) -> Self {
        Self::new(SqlState::FEATURE_NOT_SUPPORTED, message).hint(hint)
    }

    /// A defect of graphwire itself (`XX000`).
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(SqlState::INTERNAL_ERROR, message)
    }

    /// A notice of severity NOTICE with SQLSTATE 00000.
    pub fn notice(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(SqlState::SUCCESSFUL_COMPLETION, message).severity(Severity::Notice)
    }

    /// Sets the severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.0.severity = severity;
        self
    }

    /// Sets the detail.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The error without its detail.
    #[must_use]
    pub fn without_detail(mut self) -> Self {
        self.0.detail = None;
        self
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets the byte offset into the statement's text.
    #[must_use]
    pub fn at(mut self, offset: usize) -> Self {
        self.0.offset = Some(offset);
        self
    }

    /// Forgets the byte offset: it counts in a text that is not the client's.
    #[must_use]
    pub fn without_offset(mut self) -> Self {
        self.0.offset = None;
        self
    }

    /// Sets the byte offset if none is set.
    #[must_use]
    pub fn or_at(mut self, offset: Option<usize>) -> Self {
        self.0.offset = self.0.offset.or(offset);
        self
    }

    /// The same error for a text that stands `base` bytes further on in the client's text.
    #[must_use]
    pub fn shift_offset(mut self, base: usize) -> Self {
        self.0.offset = self.0.offset.map(|offset| offset + base);
        self
    }

    /// Names the literal that could not be read.
    #[must_use]
    pub fn literal(mut self, text: impl Into<String>) -> Self {
        self.0.literal = Some(text.into());
        self
    }

    /// Sets the context.
    #[must_use]
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.0.context = Some(context.into());
        self
    }

    /// Names the table concerned.
    #[must_use]
    pub fn table(mut self, schema: impl Into<String>, table: impl Into<String>) -> Self {
        self.0.schema = Some(schema.into());
        self.0.table = Some(table.into());
        self
    }

    /// Names the column concerned.
    #[must_use]
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.0.column = Some(column.into());
        self
    }

    /// Names the constraint concerned.
    #[must_use]
    pub fn constraint(mut self, constraint: impl Into<String>) -> Self {
        self.0.constraint = Some(constraint.into());
        self
    }

    /// Names the data type concerned.
    #[must_use]
    pub fn datatype(mut self, schema: impl Into<String>, name: impl Into<String>) -> Self {
        self.0.schema = Some(schema.into());
        self.0.datatype = Some(name.into());
        self
    }

    /// Sets the openCypher detail word.
    #[must_use]
    pub fn routine(mut self, word: &'static str) -> Self {
        self.0.routine = Some(word);
        self
    }

    /// Says which line of graphwire's own text reports it: that of the call.
    #[must_use]
    #[track_caller]
    pub fn here(mut self) -> Self {
        let place = std::panic::Location::caller();
        let file = place.file().rsplit(['/', '\\']).next().unwrap_or_default();
        self.0.place = Some((file, place.line()));
        self
    }

    /// The fields, to encode them.
    pub fn fields(&self) -> &Fields {
        &self.0
    }

    /// The SQLSTATE.
    pub fn code(&self) -> SqlState {
        self.0.code
    }

    /// The 1-based position in characters that `offset` stands for in `text`.
    pub fn position_in(&self, text: &str) -> Option<usize> {
        let offset = self.0.offset?.min(text.len());
        Some(text.bytes().take(offset).filter(|byte| (byte & 0xC0) != 0x80).count() + 1)
    }
}

impl fmt::Display for PgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for PgError {}

/// What each room's error enum says of itself, so that it can be shown to a client.
pub trait Report: fmt::Display {
    /// The SQLSTATE; matched exhaustively, so a new variant must choose.
    fn sqlstate(&self) -> SqlState;

    /// Whole sentences.
    fn detail(&self) -> Option<String> {
        None
    }

    /// Whole sentences.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Byte offset into the statement's text.
    fn offset(&self) -> Option<usize> {
        None
    }

    /// The report as a client gets it.
    fn report(&self) -> PgError {
        let mut report = PgError::new(self.sqlstate(), self.to_string());
        report.0.detail = self.detail();
        report.0.hint = self.hint();
        report.0.offset = self.offset();
        report
    }
}

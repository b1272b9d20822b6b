//! Function signatures as they are written in the tables: `name(type, …, variadic type) [setof] type`.

use std::fmt;

use crate::error::PgError;
use crate::functions::datum::Kernel;
use crate::types::pg_type::PgType;

/// The type of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArgType {
    /// This type, with any modifier.
    Exact(PgType),
    /// `"any"`: takes anything as it is.
    Any,
    /// `anyelement`: all of them in a signature mean one type.
    AnyElement,
    /// `anyarray`: the array type over `anyelement`.
    AnyArray,
    /// `anyrange`: the range type over `anyelement`.
    AnyRange,
    /// `anymultirange`: the multirange type over `anyelement`.
    AnyMultirange,
    /// `anyenum`: an `anyelement` that is an enumerated type.
    AnyEnum,
}

/// The type of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReturnType {
    /// This type.
    Exact(PgType),
    /// The type that `anyelement` stands for in this call.
    AnyElement,
    /// The array over it.
    AnyArray,
    /// The range type over it.
    AnyRange,
    /// The multirange type over it.
    AnyMultirange,
    /// A row of several columns, for set-returning functions: names and types.
    Row(Vec<(String, PgType)>),
}

/// Whether the same arguments give the same result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stability {
    /// Always.
    Immutable,
    /// Within a statement.
    Stable,
    /// Never sure.
    Volatile,
}

/// One function of one argument list.
pub(crate) struct Overload {
    pub(crate) name: String,
    pub(crate) args: Vec<ArgType>,
    /// The last argument may come any number of times, at least once.
    pub(crate) variadic: bool,
    /// How many arguments at the end may be left out.
    pub(crate) optional: usize,
    pub(crate) returns: ReturnType,
    /// `setof`: the kernel returns a list that is unnested into rows.
    pub(crate) set: bool,
    /// Null if an argument is null; the kernel is not called then.
    pub(crate) strict: bool,
    pub(crate) stability: Stability,
    pub(crate) kernel: Kernel,
    /// Computes the result type where it depends on the modifiers or values of arguments.
    pub(crate) refine: Option<Refine>,
}

/// Chooses the result type from the argument types and the constants among the arguments.
pub(crate) type Refine = fn(&[PgType], &[Option<i64>]) -> PgType;

impl fmt::Debug for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?} {:?}", self.name, self.args, self.returns)
    }
}

/// A line of a table.
#[derive(Clone, Copy)]
pub(crate) struct Def {
    pub(crate) text: &'static str,
    pub(crate) kernel: Kernel,
    pub(crate) strict: bool,
    pub(crate) stability: Stability,
    pub(crate) refine: Option<Refine>,
}

impl Def {
    /// Called for nulls too.
    pub(crate) const fn with_nulls(mut self) -> Self {
        self.strict = false;
        self
    }

    /// Constant within a statement.
    pub(crate) const fn stable(mut self) -> Self {
        self.stability = Stability::Stable;
        self
    }

    /// Evaluated for each row.
    pub(crate) const fn volatile(mut self) -> Self {
        self.stability = Stability::Volatile;
        self
    }

    /// Refines the result type.
    pub(crate) const fn refined(mut self, refine: Refine) -> Self {
        self.refine = Some(refine);
        self
    }

    /// Parses the signature.
    ///
    /// # Errors
    /// `XX000` for a line that is not one: a defect of the table, found by its test.
    pub(crate) fn parse(&self) -> Result<Overload, PgError> {
        let bad = || PgError::internal(format!("bad function signature: {}", self.text));
        let open = self.text.find('(').ok_or_else(bad)?;
        // No argument type has parentheses; a result may: `numeric(38,6)`, `setof (key text, value jsonb)`.
        let close = self.text.find(')').ok_or_else(bad)?;
        let row =
            self.text.find(") setof (").and_then(|at| self.text.get(at + 9..)?.strip_suffix(')'));
        let name = self.text.get(..open).ok_or_else(bad)?.trim().to_owned();
        let inner = self.text.get(open + 1..close).ok_or_else(bad)?;
        let mut args = Vec::new();
        let (mut variadic, mut optional) = (false, 0);
        for part in inner.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let part = match part.strip_prefix("variadic ") {
                Some(rest) => {
                    variadic = true;
                    rest
                }
                None => part,
            };
            let part = match part.strip_prefix('?') {
                Some(rest) => {
                    optional += 1;
                    rest
                }
                None => part,
            };
            args.push(match part {
                "any" => ArgType::Any,
                "anyelement" => ArgType::AnyElement,
                "anyarray" => ArgType::AnyArray,
                "anyenum" => ArgType::AnyEnum,
                "anyrange" => ArgType::AnyRange,
                "anymultirange" => ArgType::AnyMultirange,
                exact => ArgType::Exact(PgType::parse_name(exact).map_err(|_| bad())?),
            });
        }
        let tail = self.text.get(close + 1..).ok_or_else(bad)?.trim();
        let (set, tail) = match tail.strip_prefix("setof ") {
            Some(rest) => (true, rest),
            None => (false, tail),
        };
        let returns = match (row, tail) {
            (Some(columns), _) => ReturnType::Row(
                columns
                    .split(',')
                    .map(|column| {
                        let (name, ty) = column.trim().split_once(' ').ok_or_else(bad)?;
                        Ok((name.to_owned(), PgType::parse_name(ty).map_err(|_| bad())?))
                    })
                    .collect::<Result<_, PgError>>()?,
            ),
            (None, "anyelement") => ReturnType::AnyElement,
            (None, "anyarray") => ReturnType::AnyArray,
            (None, "anyrange") => ReturnType::AnyRange,
            (None, "anymultirange") => ReturnType::AnyMultirange,
            (None, exact) => ReturnType::Exact(PgType::parse_name(exact).map_err(|_| bad())?),
        };
        Ok(Overload {
            name,
            args,
            variadic,
            optional,
            returns,
            set,
            strict: self.strict,
            stability: self.stability,
            kernel: self.kernel,
            refine: self.refine,
        })
    }
}

/// A strict, immutable function.
pub(crate) const fn def(text: &'static str, kernel: Kernel) -> Def {
    Def { text, kernel, strict: true, stability: Stability::Immutable, refine: None }
}

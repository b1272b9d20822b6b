//! `format`, and what is needed to write SQL: reserved words and escapes.

use super::row;
use super::string::{MAX_VALUE, quote_ident, quote_literal};
use crate::error::{PgError, SqlState};
use crate::functions::cast::text_io::datum_text;
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};

/// Whether a word must be quoted to be a name: every key word that is not unreserved.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok()
}

/// Key words of PostgreSQL 15 that are reserved in some position, sorted.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn unterminated() -> PgError {
    invalid("unterminated format() type specifier").hint("For a single \"%\" use \"%%\".")
}

/// One `%[position$][-][width]type`.
struct Specifier {
    position: Option<usize>,
    left: bool,
    width: Width,
    kind: char,
}

enum Width {
    None,
    Given(usize),
    Argument(Option<usize>),
}

fn number(rest: &str) -> (Option<usize>, &str) {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, tail) = rest.split_at(end);
    (digits.parse().ok(), tail)
}

fn specifier(text: &str) -> Result<(Specifier, &str), PgError> {
    let (first, after) = number(text);
    let (position, mut rest) = match (first, after.strip_prefix('$')) {
        (Some(0), Some(_)) => {
            return Err(invalid("format specifies argument 0, but arguments are numbered from 1"));
        }
        (Some(position), Some(tail)) => (Some(position), tail),
        _ => (None, text),
    };
    let mut left = false;
    while let Some(tail) = rest.strip_prefix('-') {
        left = true;
        rest = tail;
    }
    let mut width = Width::None;
    if let Some(tail) = rest.strip_prefix('*') {
        let (argument, after) = number(tail);
        (width, rest) = match (argument, after.strip_prefix('$')) {
            (Some(argument), Some(tail)) => (Width::Argument(Some(argument)), tail),
            (Some(_), None) => {
                return Err(invalid("width argument position must be ended by \"$\""));
            }
            (None, _) => (Width::Argument(None), tail),
        };
    } else if let (Some(given), tail) = number(rest) {
        width = Width::Given(given);
        rest = tail;
    }
    let mut chars = rest.chars();
    let kind = chars.next().ok_or_else(unterminated)?;
    Ok((Specifier { position, left, width, kind }, chars.as_str()))
}

fn format(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.is_null(0) {
        return Ok(Datum::Null);
    }
    let mut result = String::new();
    let mut next = 1;
    let mut rest = args.text(0)?;
    while let Some(at) = rest.find('%') {
        result.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(tail) = rest.strip_prefix('%') {
            result.push('%');
            rest = tail;
            continue;
        }
        let (spec, tail) = specifier(rest)?;
        rest = tail;
        let mut take = |position: Option<usize>| -> Result<usize, PgError> {
            let index = position.unwrap_or(next);
            next = index + 1;
            if index >= args.len() {
                return Err(invalid("too few arguments for format()"));
            }
            Ok(index)
        };
        let (mut left, mut width) = (spec.left, 0);
        match spec.width {
            Width::None => {}
            Width::Given(given) => width = given,
            Width::Argument(position) => {
                let index = take(position)?;
                if args.has(index) {
                    let given = match args.get(index) {
                        Datum::Int(given) => *given,
                        _ => return Err(invalid("width of format() must be an integer")),
                    };
                    left |= given < 0;
                    width = usize::try_from(given.unsigned_abs()).unwrap_or(MAX_VALUE);
                }
            }
        }
        let index = take(spec.position)?;
        let value = datum_text(args.get(index), call.arg_type(index), call.session)?;
        let part = match (spec.kind, value) {
            ('s', value) => value.unwrap_or_default(),
            ('I', Some(value)) => quote_ident(&value),
            ('I', None) => {
                let message = "null values cannot be formatted as an SQL identifier";
                return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
            }
            ('L', Some(value)) => quote_literal(&value),
            ('L', None) => "NULL".to_owned(),
            (kind, _) => {
                return Err(invalid(format!("unrecognized format() type specifier \"{kind}\""))
                    .hint("For a single \"%\" use \"%%\"."));
            }
        };
        if width >= MAX_VALUE / 4 || result.len() >= MAX_VALUE {
            return Err(PgError::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "requested length too large",
            ));
        }
        let padding = " ".repeat(width.saturating_sub(part.chars().count()));
        if left {
            result.push_str(&part);
            result.push_str(&padding);
        } else {
            result.push_str(&padding);
            result.push_str(&part);
        }
    }
    result.push_str(rest);
    Ok(Datum::text(result))
}

/// Text with `\XXXX`, `\+XXXXXX`, `\uXXXX` and `\UXXXXXXXX` replaced by the characters they number.
pub(crate) fn unistr(text: &str) -> Result<String, PgError> {
    let bad = || {
        PgError::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape")
            .hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
    };
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        result.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(tail) = rest.strip_prefix('\\') {
            result.push('\\');
            rest = tail;
            continue;
        }
        let (skip, digits) = match rest.chars().next() {
            Some('+') => (1, 6),
            Some('u') => (1, 4),
            Some('U') => (1, 8),
            _ => (0, 4),
        };
        let code = rest.get(skip..skip + digits).ok_or_else(bad)?;
        let code = u32::from_str_radix(code, 16).map_err(|_| bad())?;
        result.push(char::from_u32(code).filter(|c| *c != '\0').ok_or_else(bad)?);
        rest = rest.get(skip + digits..).unwrap_or_default();
    }
    result.push_str(rest);
    Ok(result)
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("format(text) text", row(format)).with_nulls(),
    def("format(text, variadic any) text", row(format)).with_nulls().stable(),
];

//! The startup parameter `options`: command-line switches in one string, by libpq's rules.

use crate::error::{PgError, Severity, SqlState};

/// Reads `-c name=value`, `-cname=value` and `--name=value` switches.
///
/// White space separates switches; a backslash takes the next character as it is. Dashes in a name stand for
/// underscores.
///
/// # Errors
/// FATAL `42601` for anything else.
pub(super) fn split_options(text: &str) -> Result<Vec<(String, String)>, PgError> {
    let mut settings = Vec::new();
    let mut words = words(text).into_iter();
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next().ok_or_else(|| invalid("-c requires a value".to_owned()))?
        } else if let Some(rest) = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            rest.to_owned()
        } else {
            return Err(invalid(format!(
                "invalid command-line argument for server process: {word}"
            ))
            .hint("Only \"-c name=value\" and \"--name=value\" are supported in \"options\"."));
        };
        match assignment.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                settings.push((name.replace('-', "_"), value.to_owned()));
            }
            _ => return Err(invalid(format!("-c {assignment} requires a value"))),
        }
    }
    Ok(settings)
}

fn invalid(message: String) -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, message).severity(Severity::Fatal)
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            // A backslash at the end stands for nothing, as in PostgreSQL.
            '\\' => word.get_or_insert_default().extend(chars.next()),
            char if char.is_ascii_whitespace() || char == '\u{b}' => words.extend(word.take()),
            char => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(String, String)> {
        split_options(text).unwrap()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn all_three_spellings() {
        assert_eq!(
            split(" -c a=1  -cb=2 --c-d=3\t"),
            [pair("a", "1"), pair("b", "2"), pair("c_d", "3")]
        );
    }

    #[test]
    fn backslashes_keep_spaces_and_themselves() {
        assert_eq!(split(r"-c search_path=a\,\ b\\c"), [pair("search_path", r"a, b\c")]);
        assert_eq!(split("-c a=x\\"), [pair("a", "x")]);
        assert_eq!(split(""), []);
    }

    #[test]
    fn values_may_hold_equal_signs_and_nothing() {
        assert_eq!(split("-c a=b=c -c d="), [pair("a", "b=c"), pair("d", "")]);
    }

    #[test]
    fn other_switches_are_refused() {
        for text in ["-d 5", "x", "-c", "-c a", "--a", "-c =1", "-"] {
            let error = split_options(text).unwrap_err();
            assert_eq!(error.code(), SqlState::SYNTAX_ERROR, "{text}");
            assert_eq!(error.fields().severity, Severity::Fatal);
        }
    }
}

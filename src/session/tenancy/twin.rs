//! Functions that do what statements do: `graphwire.create_tenant('acme', tier => 'gold')`.
//!
//! A call becomes the statement's text and is read again, so that the two can never mean different things.

use datafusion::common::metadata::ScalarAndMetadata;

use crate::error::{PgError, SqlState};
use crate::parser::sql::tenancy::{Argument, Tenancy};
use crate::parser::{Body, QueryLanguage, Utility, parse_script};

/// The arguments of a call: those in order, those by name.
#[derive(Debug, Default)]
struct Arguments {
    positional: Vec<Option<String>>,
    named: Vec<(String, Option<String>)>,
}

/// The statement that a call stands for.
///
/// # Errors
/// `42883` for arguments that the function does not take; `42601` and the statement's own.
pub(super) fn statement(
    function: &str,
    arguments: &[(Option<String>, Argument)],
    values: &[ScalarAndMetadata],
) -> Result<Tenancy, PgError> {
    let mut given = Arguments::default();
    for (name, argument) in arguments {
        let value = match argument {
            Argument::Text(text) => Some(text.clone()),
            Argument::Null => None,
            Argument::Parameter(at) => text_of(values, *at)?,
        };
        match name {
            Some(name) => given.named.push((name.clone(), value)),
            None if given.named.is_empty() => given.positional.push(value),
            None => {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    "positional argument cannot follow named argument",
                ));
            }
        }
    }
    let text = text(function, &mut given)?;
    if let Some((name, _)) = given.named.first() {
        return Err(no_such(function, &format!("It has no argument \"{name}\".")));
    }
    if !given.positional.is_empty() {
        return Err(no_such(function, "It takes fewer arguments."));
    }
    let mut statements = parse_script(&text, QueryLanguage::Sql, &|_| false)
        // Positions in this text mean nothing to the client.
        .map_err(|error| {
            let error = PgError::from(error);
            PgError::new(error.code(), format!("{error} in \"{text}\""))
        })?;
    match statements.pop().map(|statement| statement.body) {
        Some(Body::Utility(Utility::Tenancy(tenancy))) if statements.is_empty() => Ok(*tenancy),
        _ => Err(PgError::internal("a function's statement is another one")),
    }
}

fn text_of(values: &[ScalarAndMetadata], at: usize) -> Result<Option<String>, PgError> {
    use datafusion::common::ScalarValue as Value;
    match values.get(at).map(|value| &value.value) {
        Some(Value::Utf8(text) | Value::Utf8View(text) | Value::LargeUtf8(text)) => {
            Ok(text.clone())
        }
        Some(value) if value.is_null() => Ok(None),
        Some(value) => Ok(Some(value.to_string())),
        None => Err(PgError::new(
            SqlState::UNDEFINED_PARAMETER,
            format!("there is no parameter ${}", at + 1),
        )),
    }
}

fn no_such(function: &str, detail: &str) -> PgError {
    PgError::new(
        SqlState::UNDEFINED_FUNCTION,
        format!("function graphwire.{function} does not take these arguments"),
    )
    .detail(detail)
}

impl Arguments {
    /// The argument at the front, or of this name; `None` where it is null or not there.
    fn take(&mut self, name: &str) -> Option<String> {
        if !self.positional.is_empty() {
            return self.positional.remove(0);
        }
        self.take_named(name)
    }

    fn take_named(&mut self, name: &str) -> Option<String> {
        let at = self.named.iter().position(|(known, _)| known == name)?;
        self.named.remove(at).1
    }

    fn need(&mut self, function: &str, name: &str) -> Result<String, PgError> {
        let missing = || no_such(function, &format!("The argument \"{name}\" is needed."));
        self.take(name).ok_or_else(missing)
    }

    fn name(&mut self, function: &str, argument: &str) -> Result<String, PgError> {
        self.need(function, argument).map(|name| quoted(&name))
    }

    /// Whether an argument that is true or false is true.
    fn is(&mut self, name: &str) -> bool {
        let at = self.named.iter().position(|(known, _)| known == name);
        let value = at.and_then(|at| self.named.remove(at).1);
        value.is_some_and(|value| matches!(value.as_str(), "true" | "t" | "on" | "yes" | "1"))
    }

    /// What is left by name, as options; those that are null are to be reset.
    fn options(&mut self) -> (Vec<String>, Vec<String>) {
        let (mut set, mut reset) = (Vec::new(), Vec::new());
        for (name, value) in self.named.drain(..) {
            match value {
                Some(value) => set.push(format!("{} = {}", quoted(&name), literal(&value))),
                None => reset.push(quoted(&name)),
            }
        }
        (set, reset)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The text of the statement.
fn text(function: &str, given: &mut Arguments) -> Result<String, PgError> {
    let name = given.name(function, "name")?;
    Ok(match function {
        "create_tenant" => {
            let check = if given.is("if_not_exists") { "IF NOT EXISTS " } else { "" };
            let (options, _) = given.options();
            let with = match options.is_empty() {
                true => String::new(),
                false => format!(" WITH ({})", options.join(", ")),
            };
            format!("CREATE TENANT {check}{name}{with}")
        }
        "alter_tenant" => match given.options() {
            (set, reset) if reset.is_empty() => {
                format!("ALTER TENANT {name} SET ({})", set.join(", "))
            }
            (set, reset) if set.is_empty() => {
                format!("ALTER TENANT {name} RESET ({})", reset.join(", "))
            }
            _ => return Err(no_such(function, "Set and reset options in two calls.")),
        },
        "rename_tenant" => {
            format!("ALTER TENANT {name} RENAME TO {}", given.name(function, "new_name")?)
        }
        "set_tenant_owner" => {
            format!("ALTER TENANT {name} OWNER TO {}", given.name(function, "owner")?)
        }
        "suspend_tenant" => format!("ALTER TENANT {name} SUSPEND"),
        "resume_tenant" => format!("ALTER TENANT {name} RESUME"),
        "drop_tenant" => {
            let check = if given.is("if_exists") { "IF EXISTS " } else { "" };
            let cascade = if given.is("cascade") { " CASCADE" } else { "" };
            format!("DROP TENANT {check}{name}{cascade}")
        }
        "create_quota" => {
            let replace = if given.is("or_replace") { "OR REPLACE " } else { "" };
            let check = if given.is("if_not_exists") { "IF NOT EXISTS " } else { "" };
            let definition = given.take("definition").unwrap_or_default();
            format!("CREATE {replace}QUOTA {check}{name} {definition}")
        }
        "alter_quota" => {
            format!("ALTER QUOTA {name} {}", given.need(function, "definition")?)
        }
        "drop_quota" => {
            let check = if given.is("if_exists") { "IF EXISTS " } else { "" };
            format!("DROP QUOTA {check}{name}")
        }
        "create_database" => format!("CREATE DATABASE {name}{}", database_options(given)),
        "alter_database" => {
            let change = match (given.take_named("new_name"), given.take_named("owner")) {
                (Some(new), None) => format!(" RENAME TO {}", quoted(&new)),
                (None, Some(owner)) => format!(" OWNER TO {}", quoted(&owner)),
                (None, None) => database_options(given),
                (Some(_), Some(_)) => return Err(no_such(function, "Change one thing at a time.")),
            };
            format!("ALTER DATABASE {name}{change}")
        }
        "drop_database" => {
            let check = if given.is("if_exists") { "IF EXISTS " } else { "" };
            let force = if given.is("force") { " WITH (FORCE)" } else { "" };
            format!("DROP DATABASE {check}{name}{force}")
        }
        _ => return Err(no_such(function, "There is no such function.")),
    })
}

fn database_options(given: &mut Arguments) -> String {
    let mut text = String::new();
    for (name, value) in given.named.drain(..) {
        let Some(value) = value else { continue };
        let value = match name.as_str() {
            "owner" | "template" => quoted(&value),
            "connection_limit" if value.parse::<i32>().is_ok() => value,
            _ => literal(&value),
        };
        let name =
            if name == "connection_limit" { "CONNECTION LIMIT".to_owned() } else { quoted(&name) };
        text.push_str(&format!(" {name} {value}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(
        function: &str,
        positional: &[&str],
        named: &[(&str, &str)],
    ) -> Result<String, PgError> {
        let mut given = Arguments {
            positional: positional.iter().map(|one| Some((*one).to_owned())).collect(),
            named: named
                .iter()
                .map(|(name, value)| {
                    ((*name).to_owned(), (*value != "NULL").then(|| (*value).to_owned()))
                })
                .collect(),
        };
        text(function, &mut given)
    }

    #[test]
    fn calls_become_statements() {
        for (function, positional, named, text) in [
            (
                "create_tenant",
                &["ac\"me"][..],
                &[("tier", "go'ld"), ("if_not_exists", "true")][..],
                "CREATE TENANT IF NOT EXISTS \"ac\"\"me\" WITH (\"tier\" = 'go''ld')",
            ),
            ("create_tenant", &[], &[("name", "a")], "CREATE TENANT \"a\""),
            ("alter_tenant", &["a"], &[("tier", "NULL")], "ALTER TENANT \"a\" RESET (\"tier\")"),
            ("rename_tenant", &["a", "b"], &[], "ALTER TENANT \"a\" RENAME TO \"b\""),
            ("drop_tenant", &["a"], &[("cascade", "true")], "DROP TENANT \"a\" CASCADE"),
            (
                "create_quota",
                &["q", "FOR INTERVAL '1 hour' MAX queries = 5"],
                &[("or_replace", "on")],
                "CREATE OR REPLACE QUOTA \"q\" FOR INTERVAL '1 hour' MAX queries = 5",
            ),
            (
                "create_database",
                &["d"],
                &[("owner", "ann"), ("connection_limit", "5")],
                "CREATE DATABASE \"d\" \"owner\" \"ann\" CONNECTION LIMIT 5",
            ),
        ] {
            let mut made = call(function, positional, named).unwrap();
            made.truncate(made.trim_end().len());
            assert_eq!(made, text);
            parse_script(&made, QueryLanguage::Sql, &|_| false).unwrap();
        }
        assert_eq!(call("suspend_tenant", &[], &[]).unwrap_err().code().0, "42883");
    }
}

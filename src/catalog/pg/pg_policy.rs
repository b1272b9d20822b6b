//! `pg_policy`, and the view over it, `pg_policies`.

use super::batch::{Rows, row};
use super::rows::{Source, SystemRowsError};
use crate::catalog::Table;
use crate::catalog::object::Relation;
use crate::catalog::policy::{Policy, PolicyCommand, PolicyExpression};
use crate::types::Oid;

fn policies<'a>(
    source: &'a Source<'_>,
) -> impl Iterator<Item = (&'a Relation, &'a Table, &'a Policy)> {
    source.catalog.relations.values().flat_map(|relation| {
        let table = relation.table().filter(|table| !table.row_security.policies.is_empty());
        table.into_iter().flat_map(move |table| {
            table
                .row_security
                .policies
                .iter()
                .map(move |policy| (relation.as_ref(), table.as_ref(), policy))
        })
    })
}

/// In parentheses, as PostgreSQL writes a condition anew.
fn shown(expression: &PolicyExpression) -> String {
    let text = &expression.text;
    let bare = !text.contains([' ', '(']) || (text.starts_with('(') && closes_last(text));
    if bare { text.clone() } else { format!("({text})") }
}

/// Whether the first parenthesis of a text is closed by its last character.
fn closes_last(text: &str) -> bool {
    let mut depth = 0usize;
    let mut quoted = None;
    for (at, letter) in text.char_indices() {
        match (quoted, letter) {
            (Some(quote), letter) if quote == letter => quoted = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quoted = Some(letter),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1 == text.len();
                }
            }
            (None, _) => {}
        }
    }
    false
}

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for (relation, _, policy) in policies(source) {
        let everybody = || vec![Oid::INVALID];
        let roles = if policy.roles.is_empty() { everybody() } else { policy.roles.clone() };
        row!(out,
            oid: policy.oid,
            polname: policy.name.as_str(),
            polrelid: relation.oid,
            polcmd: policy.command.letter().chars().next().unwrap_or('*'),
            polpermissive: policy.permissive,
            polroles: roles,
            polqual: policy.using.as_ref().map(shown),
            polwithcheck: policy.with_check.as_ref().map(shown),
        );
    }
    Ok(())
}

pub(super) fn view_rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for (relation, _, policy) in policies(source) {
        let schema = source.catalog.schemas.get(&relation.schema);
        let role = |oid: &Oid| source.catalog.cluster.roles.get(oid).map(|role| role.name.clone());
        let roles = match policy.roles.as_slice() {
            [] => vec!["public".to_owned()],
            named => named.iter().filter_map(role).collect(),
        };
        let command = match policy.command {
            PolicyCommand::All => "ALL",
            PolicyCommand::Select => "SELECT",
            PolicyCommand::Insert => "INSERT",
            PolicyCommand::Update => "UPDATE",
            PolicyCommand::Delete => "DELETE",
        };
        row!(out,
            schemaname: schema.map_or("", |schema| schema.name.as_str()),
            tablename: relation.name.as_str(),
            policyname: policy.name.as_str(),
            permissive: if policy.permissive { "PERMISSIVE" } else { "RESTRICTIVE" },
            roles: roles,
            cmd: command,
            qual: policy.using.as_ref().map(shown),
            with_check: policy.with_check.as_ref().map(shown),
        );
    }
    Ok(())
}

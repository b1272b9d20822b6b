//! Constraints, indexes and views as the SQL that makes them.

use super::super::derived_oid;
use super::super::index_of::{IndexOf, Key, KeyOf, index};
use super::name::{qualified_relation_name, quote_identifier, relation_name};
use crate::catalog::Catalog;
use crate::catalog::object::{
    Constraint, ConstraintKind, ConstraintTiming, ForeignKeyAction, IndexMethod, Table,
};
use crate::types::Oid;

/// How `pg_get_…def` functions write: as their argument `pretty` and the session's search path say.
#[derive(Debug, Clone, Copy)]
pub struct Style<'a> {
    /// With fewer parentheses, and names as short as the search path allows.
    pub pretty: bool,
    /// See the module documentation.
    pub search_path: &'a [String],
}

/// `pg_get_constraintdef`: `PRIMARY KEY (id)`, `CHECK ((a > 0))`, …; `None` if there is none.
pub fn constraint_definition(catalog: &Catalog, oid: Oid, style: Style<'_>) -> Option<String> {
    let mut domains = catalog.types.values().filter_map(|ty| ty.domain());
    let of_domain = domains.find_map(|domain| domain.checks.iter().find(|one| one.oid == oid));
    if let Some(check) = of_domain {
        let suffix = if check.validated { "" } else { " NOT VALID" };
        return Some(format!("{}{suffix}", check_definition(&check.condition, style)));
    }
    let (table, constraint) = catalog.relations.values().find_map(|relation| {
        let table = relation.table()?;
        let mut constraints = table.constraints.iter();
        constraints.find(|constraint| constraint.oid == oid).map(|c| (table, c))
    })?;
    let mut definition = definition_of(catalog, table, constraint, style);
    definition += match constraint.timing {
        ConstraintTiming::NotDeferrable => "",
        ConstraintTiming::InitiallyImmediate => " DEFERRABLE",
        ConstraintTiming::InitiallyDeferred => " DEFERRABLE INITIALLY DEFERRED",
    };
    if !constraint.validated {
        definition += " NOT VALID";
    }
    Some(definition)
}

fn included(table: &Table, columns: &[usize]) -> String {
    match columns {
        [] => String::new(),
        columns => format!(" INCLUDE ({})", column_list(Some(table), columns)),
    }
}

fn check_definition(condition: &str, style: Style<'_>) -> String {
    let condition = parenthesized(condition);
    if style.pretty { format!("CHECK {condition}") } else { format!("CHECK ({condition})") }
}

fn definition_of(
    catalog: &Catalog,
    table: &Table,
    constraint: &Constraint,
    style: Style<'_>,
) -> String {
    match &constraint.kind {
        ConstraintKind::PrimaryKey { columns, include, .. } => {
            format!(
                "PRIMARY KEY ({}){}",
                column_list(Some(table), columns),
                included(table, include)
            )
        }
        ConstraintKind::Unique { columns, include, nulls_not_distinct, .. } => {
            format!(
                "UNIQUE{} ({}){}",
                if *nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" },
                column_list(Some(table), columns),
                included(table, include)
            )
        }
        ConstraintKind::Check { condition } => check_definition(condition, style),
        ConstraintKind::ForeignKey {
            columns,
            referenced,
            referenced_columns,
            on_update,
            on_delete,
            delete_columns,
            match_full,
        } => {
            let target = catalog.relation(*referenced).and_then(|relation| relation.table());
            format!(
                "FOREIGN KEY ({}) REFERENCES {}({}){}{}{}{}",
                column_list(Some(table), columns),
                relation_name(catalog, *referenced, style.search_path)
                    .unwrap_or_else(|| referenced.to_string()),
                column_list(target.map(AsRef::as_ref), referenced_columns),
                if *match_full { " MATCH FULL" } else { "" },
                action_clause("UPDATE", *on_update),
                action_clause("DELETE", *on_delete),
                if delete_columns.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", column_list(Some(table), delete_columns))
                },
            )
        }
    }
}

/// The condition in parentheses, once.
fn parenthesized(condition: &str) -> String {
    if is_one_group(condition) { condition.to_owned() } else { format!("({condition})") }
}

/// Whether the first parenthesis closes at the very end.
fn is_one_group(text: &str) -> bool {
    let mut depth = 0usize;
    let mut in_quotes = None;
    for (index, c) in text.char_indices() {
        match (in_quotes, c) {
            (Some(quote), c) if c == quote => in_quotes = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => in_quotes = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        if depth == 0 && in_quotes.is_none() {
            return text.starts_with('(') && index + c.len_utf8() == text.len();
        }
    }
    false
}

fn action_clause(event: &str, action: ForeignKeyAction) -> String {
    let action = match action {
        ForeignKeyAction::NoAction => return String::new(),
        ForeignKeyAction::Restrict => "RESTRICT",
        ForeignKeyAction::Cascade => "CASCADE",
        ForeignKeyAction::SetNull => "SET NULL",
        ForeignKeyAction::SetDefault => "SET DEFAULT",
    };
    format!(" ON {event} {action}")
}

/// Names of columns, quoted where needed, between commas.
pub(super) fn column_list(table: Option<&Table>, positions: &[usize]) -> String {
    let name = |position: &usize| {
        table
            .and_then(|table| table.columns.get(*position))
            .map_or_else(|| "?".to_owned(), |column| quote_identifier(&column.name))
    };
    positions.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// `pg_get_indexdef` of a whole index; `None` if there is none.
pub fn index_definition(catalog: &Catalog, oid: Oid, style: Style<'_>) -> Option<String> {
    let index: IndexOf<'_> = index(catalog, oid)?;
    let table = match style.pretty {
        true => relation_name(catalog, index.relation.oid, style.search_path),
        false => qualified_relation_name(catalog, index.relation.oid),
    };
    let keys: Vec<String> =
        index.keys.iter().map(|key| key_definition(key, style.pretty)).collect();
    let mut text = format!(
        "CREATE {}INDEX {} ON {} USING {} ({})",
        if index.unique { "UNIQUE " } else { "" },
        quote_identifier(index.name()),
        table?,
        match index.method {
            IndexMethod::Btree => "btree",
            IndexMethod::Hash => "hash",
        },
        keys.join(", "),
    );
    if !index.include.is_empty() {
        text += &format!(" INCLUDE ({})", column_list(Some(index.table), index.include));
    }
    if index.nulls_not_distinct {
        text += " NULLS NOT DISTINCT";
    }
    if let Some(predicate) = index.predicate {
        match style.pretty {
            true => text += &format!(" WHERE {predicate}"),
            false => text += &format!(" WHERE {}", parenthesized(predicate)),
        }
    }
    Some(text)
}

/// A key with its operator class and order.
fn key_definition(key: &Key<'_>, pretty: bool) -> String {
    let mut text = key_text(key);
    if let (KeyOf::Expression { name: "expr", .. }, false) = (key.what, pretty) {
        text = format!("({text})");
    }
    if let Some(class) = key.operator_class {
        text += &format!(" {class}");
    }
    match (key.descending, key.nulls_first) {
        (false, false) => {}
        (false, true) => text += " NULLS FIRST",
        (true, true) => text += " DESC",
        (true, false) => text += " DESC NULLS LAST",
    }
    text
}

/// A key: a column, a call, or an expression in parentheses.
fn key_text(key: &Key<'_>) -> String {
    match key.what {
        KeyOf::Column(column) => quote_identifier(&column.name),
        KeyOf::Expression { text, name, .. } if name != "expr" => text.to_owned(),
        KeyOf::Expression { text, .. } => parenthesized(text),
    }
}

/// `pg_get_indexdef` of one column, counted from 1; empty if the index has fewer columns.
pub fn index_column(catalog: &Catalog, oid: Oid, column: i32) -> Option<String> {
    let index = index(catalog, oid)?;
    let position = usize::try_from(column).ok().and_then(|column| column.checked_sub(1));
    let Some(position) = position else { return Some(String::new()) };
    let carried = position.checked_sub(index.keys.len());
    Some(match (index.keys.get(position), carried) {
        (Some(key), _) => key_text(key),
        (None, Some(at)) => {
            index.included().nth(at).map(|c| quote_identifier(&c.name)).unwrap_or_default()
        }
        (None, None) => String::new(),
    })
}

/// `pg_get_viewdef`: the view's query as it was written, with a semicolon; `None` for other relations.
pub fn view_definition(catalog: &Catalog, oid: Oid) -> Option<String> {
    let view = catalog.relation(oid)?.view()?;
    Some(format!("{};", view.query.trim().trim_end_matches(';').trim_end()))
}

/// `pg_get_ruledef` of a view's rule; `None` if there is none.
pub fn rule_definition(catalog: &Catalog, oid: Oid) -> Option<String> {
    let views = catalog.relations.values().filter(|relation| relation.view().is_some());
    let view = views.into_iter().find(|view| derived_oid::view_rule(view.oid) == oid)?;
    Some(format!(
        "CREATE RULE \"_RETURN\" AS\n    ON SELECT TO {} DO INSTEAD {}",
        qualified_relation_name(catalog, view.oid)?,
        view_definition(catalog, view.oid)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_parenthesized_once() {
        assert_eq!(parenthesized("a > 0"), "(a > 0)");
        assert_eq!(parenthesized("(a > 0)"), "(a > 0)");
        assert_eq!(parenthesized("(a > 0) OR (b > 0)"), "((a > 0) OR (b > 0))");
        assert_eq!(parenthesized("a <> ')'"), "(a <> ')')");
        assert_eq!(parenthesized("(a <> ')')"), "(a <> ')')");
        assert_eq!(parenthesized(""), "()");
    }
}

//! Errors of constraints, without values that their reader may not see.

use super::session_impl::Session;
use crate::access::policy::row_security_applies;
use crate::catalog::{Catalog, ConstraintKind, Relation};
use crate::error::{PgError, SqlState};

impl Session {
    /// An error as its client may see it: PostgreSQL shows no values of a table whose policies apply to the role.
    pub(super) fn without_hidden_values(&self, error: PgError) -> PgError {
        let Some(table) = &error.fields().table else { return error };
        if error.fields().detail.is_none() {
            return error;
        }
        let catalog = &self.shared.catalog();
        let mut relation = relation(catalog, error.fields().schema.as_deref(), table);
        if error.fields().message.starts_with("update or delete on table") {
            // The values are of the table that is referred to; the error names the one that refers.
            let constraint = error.fields().constraint.as_deref();
            relation = relation.and_then(|child| referenced(catalog, child, constraint?));
        }
        let role = catalog.role_set(self.shared.caller().role);
        let hides = |relation: &Relation| row_security_applies(relation, &role).is_some();
        if !relation.is_some_and(hides) {
            return error;
        }
        match error.code() {
            SqlState::UNIQUE_VIOLATION
            | SqlState::NOT_NULL_VIOLATION
            | SqlState::CHECK_VIOLATION => error.without_detail(),
            SqlState::FOREIGN_KEY_VIOLATION => {
                let detail = error.fields().detail.clone().unwrap_or_default();
                match detail.rfind(" is ") {
                    Some(at) => {
                        let rest = detail.get(at..).unwrap_or_default().to_owned();
                        error.without_detail().detail(format!("Key{rest}"))
                    }
                    None => error.without_detail(),
                }
            }
            _ => error,
        }
    }
}

fn referenced<'a>(catalog: &'a Catalog, child: &Relation, name: &str) -> Option<&'a Relation> {
    let table = child.table()?;
    let constraint = table.constraints.iter().find(|constraint| constraint.name == name)?;
    match &constraint.kind {
        ConstraintKind::ForeignKey { referenced, .. } => {
            catalog.relation(*referenced).map(AsRef::as_ref)
        }
        ConstraintKind::PrimaryKey { .. }
        | ConstraintKind::Unique { .. }
        | ConstraintKind::Check { .. } => None,
    }
}

fn relation<'a>(catalog: &'a Catalog, schema: Option<&str>, table: &str) -> Option<&'a Relation> {
    let schema = catalog.schema(schema?)?;
    catalog.relation_in(schema.oid, table).map(AsRef::as_ref)
}

//! What functions ask of the catalog, answered from the statement's snapshot.

use std::fmt;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::pg::describe::{self, NameError, Style};
use crate::error::{PgError, Report, SqlState};
use crate::functions::context::{CatalogFacts, ObjectKind, ObjectName, RegKind, SizeKind};
use crate::types::Oid;

use super::privilege_facts;

/// A snapshot of the catalog with what of the session decides how names are read and written.
#[derive(Clone)]
pub(super) struct SnapshotFacts {
    pub(super) catalog: Catalog,
    /// Effective, without the implicit `pg_catalog`.
    pub(super) search_path: Vec<String>,
    /// The role whose rights count.
    pub(super) current_user: Oid,
    /// Bytes of a stored table; `None` where that may not be shown.
    pub(super) relation_bytes: Arc<dyn Fn(Oid) -> Option<u64> + Send + Sync>,
    /// Rows of a stored table; `None` where that may not be shown.
    pub(super) relation_rows: Arc<dyn Fn(Oid) -> Option<u64> + Send + Sync>,
}

impl fmt::Debug for SnapshotFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotFacts")
            .field("version", &self.catalog.version)
            .field("search_path", &self.search_path)
            .finish_non_exhaustive()
    }
}

impl SnapshotFacts {
    fn style(&self, pretty: bool) -> Style<'_> {
        Style { pretty, search_path: &self.search_path }
    }

    /// The relation of a name, or PostgreSQL's error for one that is not there.
    pub(super) fn relation(&self, name: &str) -> Result<Oid, PgError> {
        let found = self.reg_lookup(RegKind::Class, name)?;
        found.map(Oid).ok_or_else(|| {
            let message = format!("relation \"{name}\" does not exist");
            PgError::new(SqlState::UNDEFINED_TABLE, message)
        })
    }

    /// Fails with `3F000` if a qualified name's schema does not exist.
    fn check_schema(&self, name: &str) -> Result<(), PgError> {
        let parts = describe::parse_name(name).unwrap_or_default();
        match parts.as_slice() {
            [.., schema, _] if self.catalog.schema(schema).is_none() => {
                let message = format!("schema \"{schema}\" does not exist");
                Err(PgError::new(SqlState::INVALID_SCHEMA_NAME, message))
            }
            _ => Ok(()),
        }
    }

    fn bytes(&self, oid: Oid) -> i64 {
        (self.relation_bytes)(oid).and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(0)
    }
}

/// An answer as functions take it.
fn number(found: Result<Option<Oid>, NameError>) -> Result<Option<u32>, PgError> {
    found.map(|oid| oid.map(|oid| oid.0)).map_err(|error| error.report())
}

impl CatalogFacts for SnapshotFacts {
    fn reg_lookup(&self, kind: RegKind, name: &str) -> Result<Option<u32>, PgError> {
        let catalog = &self.catalog;
        let found = number(match kind {
            RegKind::Class => describe::resolve_relation(catalog, name, &self.search_path),
            RegKind::Type => describe::resolve_type(catalog, name, &self.search_path),
            RegKind::Proc => describe::resolve_function(catalog, name),
            RegKind::Procedure => describe::resolve_function_signature(catalog, name),
            RegKind::Oper => describe::resolve_operator(name),
            RegKind::Operator => describe::resolve_operator_signature(catalog, name),
            RegKind::Namespace => describe::resolve_schema(catalog, name),
            RegKind::Role => describe::resolve_role(catalog, name),
            RegKind::Collation => describe::resolve_collation(catalog, name),
            // There is no text search.
            RegKind::Config | RegKind::Dictionary => Ok(None),
        })?;
        if found.is_none() && matches!(kind, RegKind::Class) {
            self.check_schema(name)?;
        }
        Ok(found)
    }

    fn reg_name(&self, kind: RegKind, oid: u32) -> Option<String> {
        let (catalog, oid) = (&self.catalog, Oid(oid));
        match kind {
            RegKind::Class => describe::relation_name(catalog, oid, &self.search_path),
            RegKind::Type => describe::type_name(catalog, oid, &self.search_path),
            RegKind::Proc => describe::function_name(oid),
            RegKind::Procedure => describe::function_signature(catalog, oid),
            RegKind::Oper => describe::operator_name(oid),
            RegKind::Operator => describe::operator_signature(catalog, oid),
            RegKind::Namespace => describe::schema_name(catalog, oid),
            RegKind::Role => {
                describe::role_name(catalog, oid).map(|name| describe::quote_identifier(&name))
            }
            RegKind::Collation => describe::collation_name(oid),
            RegKind::Config | RegKind::Dictionary => None,
        }
    }

    fn type_name(&self, oid: u32, typmod: Option<i32>) -> Option<String> {
        describe::type_is_visible(&self.catalog, Oid(oid), &self.search_path)?;
        Some(describe::format_type(&self.catalog, Oid(oid), typmod))
    }

    fn constraint_definition(&self, oid: u32, pretty: bool) -> Option<String> {
        describe::constraint_definition(&self.catalog, Oid(oid), self.style(pretty))
    }

    fn index_definition(&self, oid: u32, column: i32, pretty: bool) -> Option<String> {
        match column {
            0 => describe::index_definition(&self.catalog, Oid(oid), self.style(pretty)),
            column => describe::index_column(&self.catalog, Oid(oid), column),
        }
    }

    fn view_definition(&self, oid: u32, _pretty: bool) -> Option<String> {
        describe::view_definition(&self.catalog, Oid(oid))
    }

    fn expression(&self, text: &str, relation: u32) -> Option<String> {
        let exists = relation == 0 || self.catalog.relation(Oid(relation)).is_some();
        exists.then(|| text.to_owned())
    }

    fn function_definition(&self, _oid: u32) -> Option<String> {
        // Built-in functions have no text.
        None
    }

    fn function_arguments(&self, oid: u32, identity: bool) -> Option<String> {
        match identity {
            true => describe::function_identity_arguments(&self.catalog, Oid(oid)),
            false => describe::function_arguments(&self.catalog, Oid(oid)),
        }
    }

    fn function_result(&self, oid: u32) -> Option<String> {
        describe::function_result(&self.catalog, Oid(oid))
    }

    fn other_definition(&self, function: &str, oid: u32) -> Option<String> {
        match function {
            "pg_get_ruledef" => describe::rule_definition(&self.catalog, Oid(oid)),
            "pg_get_propgraphdef" => describe::property_graph_definition(&self.catalog, Oid(oid)),
            // Triggers, extended statistics and partitions do not exist.
            _ => None,
        }
    }

    fn role_name(&self, oid: u32) -> Option<String> {
        describe::role_name(&self.catalog, Oid(oid))
    }

    fn serial_sequence(&self, table: &str, column: &str) -> Result<Option<String>, PgError> {
        let relation = self.relation(table)?;
        let relation = self.catalog.relation(relation);
        let has_column = |relation: &Arc<crate::catalog::Relation>| {
            relation.columns().iter().any(|candidate| candidate.name == column)
        };
        match relation {
            // There are no sequences, so no column has one.
            Some(relation) if has_column(relation) => Ok(None),
            _ => {
                let message = format!("column \"{column}\" of relation \"{table}\" does not exist");
                Err(PgError::new(SqlState::UNDEFINED_COLUMN, message))
            }
        }
    }

    fn description(&self, oid: u32, class: &str, column: i32) -> Option<String> {
        let class = (!class.is_empty()).then_some(class);
        match column {
            0 => describe::obj_description(&self.catalog, Oid(oid), class),
            column => describe::col_description(&self.catalog, Oid(oid), column),
        }
    }

    fn is_visible(&self, class: &str, oid: u32) -> Option<bool> {
        let (catalog, oid) = (&self.catalog, Oid(oid));
        match class {
            "pg_class" => describe::table_is_visible(catalog, oid, &self.search_path),
            "pg_type" => describe::type_is_visible(catalog, oid, &self.search_path),
            "pg_proc" => describe::function_is_visible(oid),
            "pg_operator" => describe::operator_is_visible(oid),
            "pg_opclass" => describe::opclass_is_visible(oid),
            "pg_opfamily" => describe::opfamily_is_visible(oid),
            "pg_collation" => describe::collation_is_visible(oid),
            // Conversions, text search and extended statistics do not exist.
            _ => None,
        }
    }

    fn has_privilege(
        &self,
        kind: ObjectKind,
        role: Option<&ObjectName>,
        object: &ObjectName,
        column: Option<&ObjectName>,
        privileges: &str,
    ) -> Result<Option<bool>, PgError> {
        privilege_facts::has_privilege(self, kind, role, object, column, privileges)
    }

    fn relation_size(&self, oid: u32, kind: SizeKind) -> Option<i64> {
        let oid = Oid(oid);
        if self.catalog.relation(oid).is_none() {
            // An index: rows are found by it, and it takes no file of its own.
            return describe::table_is_visible(&self.catalog, oid, &[]).map(|_| 0);
        }
        Some(match kind {
            SizeKind::Main | SizeKind::Table | SizeKind::Total => self.bytes(oid),
            SizeKind::Indexes => 0,
        })
    }

    fn default_acl(&self, kind: char, owner: u32) -> Vec<String> {
        describe::default_acl(&self.catalog, kind, Oid(owner)).unwrap_or_default()
    }

    fn keywords(&self) -> Vec<(String, char, bool, String, String)> {
        describe::keywords()
            .iter()
            .map(|keyword| {
                (
                    keyword.word.to_owned(),
                    keyword.category,
                    keyword.bare_label,
                    keyword.category_description().to_owned(),
                    keyword.label_description().to_owned(),
                )
            })
            .collect()
    }

    fn row_count(&self, oid: u32) -> Option<i64> {
        (self.relation_rows)(Oid(oid)).and_then(|rows| i64::try_from(rows).ok())
    }

    fn database_size(&self, name: &ObjectName) -> Option<i64> {
        let database = &self.catalog.database;
        let is_this = match name {
            ObjectName::Oid(oid) => database.oid == Oid(*oid),
            ObjectName::Name(name) => database.name == *name,
        };
        let exists = is_this
            || self.catalog.cluster.databases.values().any(|other| {
                other.tenant == database.tenant
                    && match name {
                        ObjectName::Oid(oid) => other.oid == Oid(*oid),
                        ObjectName::Name(name) => other.name == *name,
                    }
            });
        // Tables of another database are not in this snapshot.
        let tables = self.catalog.relations.keys().map(|oid| self.bytes(*oid));
        exists.then(|| if is_this { tables.sum() } else { 0 })
    }
}

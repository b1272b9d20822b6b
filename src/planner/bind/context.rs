//! What binding a statement may look at: one catalog snapshot, the search path, functions, parameter types.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::logical_expr::LogicalPlan;
use parking_lot::Mutex;

use crate::catalog::{
    Catalog, Column, PolicyExpression, QualifiedName, ReadColumn, Relation, Rights, RoleSet, View,
    ViewRead,
};
use crate::error::{PgError, SqlState};
use crate::functions::registry::SessionFunctions;
use crate::planner::bind::sql::{LockingQuery, PolicyCache, TypeScope};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// How deep views may stand in views.
const VIEW_DEPTH_MAX: usize = 64;

/// Parameter types a client declared; `None` where it left one open.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    /// `$1` first.
    pub types: Vec<Option<PgType>>,
}

/// Everything a binder may look at. It cannot reach rows.
#[derive(Debug, Clone)]
pub struct BindContext {
    /// Names.
    pub catalog: Arc<Catalog>,
    /// Schemas searched for unqualified names, in order.
    pub search_path: Vec<String>,
    /// Functions, among them those that ask the session.
    pub functions: Arc<SessionFunctions>,
    /// DataFusion's planner options.
    pub options: Arc<ConfigOptions>,
    /// Types of `$1` …
    pub parameters: Parameters,
    /// `SET graph_path`.
    pub graph_path: Option<String>,
    /// `cypher_temporal_output = 'iso'`.
    pub cypher_iso_temporals: bool,
    /// Queries of the WITH around a statement that writes, by name.
    pub ctes: Vec<(String, LogicalPlan)>,
    /// How many views are being bound now.
    pub view_depth: usize,
    /// The current role's name.
    pub user: String,
    /// The current role's number.
    pub role: Oid,
    /// The session's role, `session_user`.
    pub session_role: Oid,
    /// The current role with its memberships, for what a name is looked up by.
    pub roles: Arc<RoleSet>,
    /// Whose rights count for what is named: the owner of the view whose query is bound now; `None` is the caller.
    pub as_role: Option<Oid>,
    /// The name of the session's schema for temporary objects, `pg_temp` to the session.
    pub temporary_schema: String,
    /// What the names in a view's query stand for, while one is bound.
    pub view: Option<Arc<[ViewRead]>>,
    /// Whether this is the server itself, setting up its system views.
    pub system: bool,
    /// Relations that names resolved to, if someone wants to know.
    pub resolved: Option<Arc<Mutex<BTreeMap<QualifiedName, Oid>>>>,
    /// Queries of this statement that lock rows, cut out of it.
    pub locking: Arc<[LockingQuery]>,
    /// `SET row_security`: off means to fail where policies would hide rows.
    pub row_security: bool,
    /// `graphwire.row_labels`: the labels that the current role holds, comma-separated.
    pub row_labels: String,
    /// Conditions of policies that are bound already.
    pub policies: Arc<PolicyCache>,
    /// What the user may want to know of the statement.
    pub notices: Arc<Mutex<Vec<PgError>>>,
}

impl BindContext {
    /// Where names of types are looked up.
    pub fn types(&self) -> TypeScope<'_> {
        TypeScope { catalog: Some(&self.catalog), search_path: &self.search_path }
    }

    /// The relation of a name.
    ///
    /// # Errors
    /// `42P01` if there is none, `3F000` if the schema does not exist.
    pub fn relation(&self, name: &QualifiedName) -> Result<Arc<Relation>, PgError> {
        if let Some(read) = self.view_read(name) {
            let relation = self.catalog.relation(read.relation).cloned();
            return relation.ok_or_else(|| undefined_table(name));
        }
        let own;
        let name = match name.schema.as_deref() {
            Some("pg_temp") => {
                let schema = Some(self.temporary_schema.clone());
                own = QualifiedName { schema, name: name.name.clone() };
                &own
            }
            _ => name,
        };
        if let Some(schema) = &name.schema {
            self.check_schema(schema)?;
        }
        match self.catalog.resolve(name, &self.search_path) {
            Some(relation) => {
                if let Some(resolved) = &self.resolved {
                    resolved.lock().insert(name.clone(), relation.oid);
                }
                Ok(Arc::clone(relation))
            }
            None => Err(undefined_table(name)),
        }
    }

    /// Whether the current role may look into a schema that a statement names.
    ///
    /// # Errors
    /// `42501`. Nothing is said of a schema that is not there.
    pub fn check_schema(&self, name: &str) -> Result<(), PgError> {
        self.check_schema_right(name, Rights::USAGE)
    }

    /// Whether the current role has a right on a schema.
    ///
    /// # Errors
    /// `42501`. Nothing is said of a schema that is not there.
    pub fn check_schema_right(&self, name: &str, right: Rights) -> Result<(), PgError> {
        if self.roles.superuser || self.system || name == self.temporary_schema {
            return Ok(());
        }
        let Some(schema) = self.catalog.schema(name) else { return Ok(()) };
        if self.catalog.schema_rights(schema.oid, &self.roles).contains(right) {
            return Ok(());
        }
        let message = format!("permission denied for schema {name}");
        Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
    }

    /// What a name stands for in the view that is bound now.
    pub fn view_read(&self, name: &QualifiedName) -> Option<&ViewRead> {
        let reads = self.view.as_ref()?;
        reads.iter().find(|read| read.schema == name.schema && read.name == name.name)
    }

    /// A context that remembers which relations names resolve to.
    #[must_use]
    pub fn tracking(&self) -> Self {
        Self { resolved: Some(Arc::default()), ..self.clone() }
    }

    /// The relations names resolved to since [`Self::tracking`].
    pub fn touched(&self) -> Vec<ViewRead> {
        let Some(resolved) = &self.resolved else { return Vec::new() };
        let columns = |relation: &Relation| {
            let read = |column: &Column| ReadColumn {
                attnum: column.attnum,
                name: column.name.clone(),
                used: true,
            };
            relation.columns().iter().map(read).collect()
        };
        let resolved = resolved.lock();
        let read = |(name, oid): (&QualifiedName, &Oid)| ViewRead {
            schema: name.schema.clone(),
            name: name.name.clone(),
            relation: *oid,
            columns: self.catalog.relation(*oid).map(|r| columns(r)).unwrap_or_default(),
        };
        resolved.iter().map(read).collect()
    }

    /// The context for a condition of a policy: same snapshot, the search path and names it was made with.
    ///
    /// # Errors
    /// `54001` if policies and views stand too deep in each other.
    pub fn for_policy(&self, expression: &PolicyExpression) -> Result<Self, PgError> {
        let depth = self.view_depth + 1;
        if depth > VIEW_DEPTH_MAX {
            return Err(PgError::new(
                SqlState::STATEMENT_TOO_COMPLEX,
                "policies are nested too deeply",
            ));
        }
        Ok(Self {
            search_path: expression.search_path.clone(),
            view: Some(expression.reads.clone().into()),
            parameters: Parameters::default(),
            view_depth: depth,
            resolved: None,
            ctes: Vec::new(),
            ..self.clone()
        })
    }

    /// The context for the query of a view: same snapshot, the view's own search path and names.
    ///
    /// # Errors
    /// `54001` if views stand too deep in each other.
    pub fn for_view(&self, relation: &Relation, view: &View) -> Result<Self, PgError> {
        let depth = self.view_depth + 1;
        if depth > VIEW_DEPTH_MAX {
            return Err(PgError::new(
                SqlState::STATEMENT_TOO_COMPLEX,
                "views are nested too deeply",
            ));
        }
        Ok(Self {
            search_path: view.search_path.clone(),
            view: Some(view.reads.clone().into()),
            as_role: if view.security_invoker() { self.as_role } else { Some(relation.owner) },
            parameters: Parameters::default(),
            view_depth: depth,
            resolved: None,
            ctes: Vec::new(),
            ..self.clone()
        })
    }
}

/// `relation "x" does not exist`
pub fn undefined_table(name: &QualifiedName) -> PgError {
    PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

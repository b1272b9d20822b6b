//! Functions and procedures that were made: queries with parameters, and bodies that are run.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::catalog::snapshot::{Catalog, QualifiedName, next_version};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// A query, or statements, under a name, with parameters.
///
/// Names in the body are looked up where it is called, as PostgreSQL does for bodies that are given as text, so it
/// depends on nothing that it reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlFunction {
    /// `pg_proc.oid`.
    pub oid: Oid,
    /// The schema it is in.
    pub schema: Oid,
    /// Its name.
    pub name: String,
    /// The owning role.
    pub owner: Oid,
    /// In order.
    pub arguments: Vec<FunctionArgument>,
    /// What a call gives.
    pub result: FunctionResult,
    /// The body as given.
    pub body: String,
    /// `pg_proc.provolatile`: `i`, `s` or `v`.
    pub volatility: char,
    /// Whether a null argument gives no rows, or null, without the body being asked.
    pub strict: bool,
    /// What the body is written in.
    #[serde(default, skip_serializing_if = "RoutineLanguage::is_sql")]
    pub language: RoutineLanguage,
    /// Whether the body is run statement by statement, rather than written out into the query that calls it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub runs: bool,
    /// `CREATE PROCEDURE`: called by CALL.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub procedure: bool,
}

/// The language of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RoutineLanguage {
    /// `LANGUAGE sql`
    #[default]
    Sql,
    /// `LANGUAGE plpgsql`
    PlPgSql,
}

impl RoutineLanguage {
    /// Whether it is SQL.
    pub fn is_sql(&self) -> bool {
        matches!(self, Self::Sql)
    }
}

/// An argument of a function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionArgument {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its type; of `VARIADIC`, the array.
    pub ty: PgType,
    /// The expression that stands for it where a call leaves it out, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// `VARIADIC`: a call gives the array's elements.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub variadic: bool,
}

/// What a call of a function gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FunctionResult {
    /// `RETURNS void`.
    Void,
    /// `RETURNS TABLE (…)`: rows of these columns.
    Table(Vec<(String, PgType)>),
    /// `RETURNS SETOF type`: rows of one column.
    SetOf(PgType),
    /// `RETURNS type`: one value.
    Value(PgType),
    /// `OUT` arguments: one row of these columns.
    Row(Vec<(String, PgType)>),
}

impl SqlFunction {
    /// Types of the arguments, by which functions of one name differ.
    pub fn argument_types(&self) -> impl Iterator<Item = &PgType> {
        self.arguments.iter().map(|argument| &argument.ty)
    }

    /// Whether the last argument is `VARIADIC`.
    pub fn variadic(&self) -> bool {
        self.arguments.last().is_some_and(|argument| argument.variadic)
    }

    /// Columns of what a call gives; none for `void`.
    pub fn columns(&self) -> Vec<(String, PgType)> {
        match &self.result {
            FunctionResult::Void => Vec::new(),
            FunctionResult::Table(columns) | FunctionResult::Row(columns) => columns.clone(),
            FunctionResult::SetOf(ty) | FunctionResult::Value(ty) => {
                vec![(self.name.clone(), ty.clone())]
            }
        }
    }

    /// `name(integer,text)`.
    pub fn signature(&self) -> String {
        let types: Vec<String> = self.argument_types().map(PgType::name).collect();
        format!("{}({})", self.name, types.join(","))
    }
}

impl Catalog {
    /// Functions of this name in a schema, by OID.
    pub fn functions_in(&self, schema: Oid, name: &str) -> Vec<Arc<SqlFunction>> {
        let is_one =
            |function: &&Arc<SqlFunction>| function.schema == schema && function.name == name;
        self.functions.values().filter(is_one).cloned().collect()
    }

    /// Functions a name stands for: of the schema it names, else of the first one on the search path that has any.
    pub fn functions_named(
        &self,
        name: &QualifiedName,
        search_path: &[String],
    ) -> Vec<Arc<SqlFunction>> {
        let schemas: Vec<&str> = match &name.schema {
            Some(schema) => vec![schema.as_str()],
            None => search_path.iter().map(String::as_str).collect(),
        };
        let found = schemas.into_iter().filter_map(|schema| self.schema(schema));
        found
            .map(|schema| self.functions_in(schema.oid, &name.name))
            .find(|functions| !functions.is_empty())
            .unwrap_or_default()
    }

    /// Adds a function, or replaces the one with its OID.
    pub fn put_function(&mut self, function: SqlFunction) {
        Arc::make_mut(&mut self.functions).insert(function.oid, Arc::new(function));
        self.version = next_version();
    }

    /// Removes a function.
    pub fn remove_function(&mut self, oid: Oid) {
        Arc::make_mut(&mut self.functions).remove(&oid);
        self.forget_grants(crate::catalog::AclClass::Function, oid);
        self.set_comment(oid, None);
        self.version = next_version();
    }
}

//! `COMMENT ON`

use sqlparser::ast::{Ident, ObjectName};

use super::DdlCommand;
use super::index::index_named;
use crate::catalog::{QualifiedName, RelationKind};
use crate::error::{PgError, SqlState};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::{fold, qualified_name};

pub(super) fn bind(
    context: &BindContext,
    kind: &str,
    name: &ObjectName,
    text: Option<String>,
) -> Result<DdlCommand, PgError> {
    // An empty comment is none.
    let text = text.filter(|text| !text.is_empty());
    match kind {
        "TABLE" | "VIEW" | "SEQUENCE" | "MATERIALIZED VIEW" | "PROPERTY GRAPH" => {
            let relation = context.relation(&qualified_name(name)?)?;
            let is = match &relation.kind {
                RelationKind::Table(_) | RelationKind::System(_) => "TABLE",
                RelationKind::View(_) => "VIEW",
                RelationKind::MaterializedView(_) => "MATERIALIZED VIEW",
                RelationKind::Sequence(_) => "SEQUENCE",
                RelationKind::PropertyGraph(_) => "PROPERTY GRAPH",
            };
            if is != kind {
                return Err(PgError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("\"{}\" is not a {}", relation.name, kind.to_lowercase()),
                ));
            }
            Ok(DdlCommand::Comment { relation, column: None, text })
        }
        "COLUMN" => column(context, name, text),
        "INDEX" => {
            let name = qualified_name(name)?;
            let (table, index) = index_named(context, &name).ok_or_else(|| undefined(&name))?;
            Ok(DdlCommand::CommentOn { owned: table.oid, object: index, text })
        }
        "TYPE" => super::user_type::comment(context, name, text),
        "DOMAIN" => super::domain::comment(context, name, text),
        "SCHEMA" => {
            let name = qualified_name(name)?.name;
            let schema = context.catalog.schema(&name).ok_or_else(|| {
                PgError::new(
                    SqlState::INVALID_SCHEMA_NAME,
                    format!("schema \"{name}\" does not exist"),
                )
            })?;
            Ok(DdlCommand::CommentOn { owned: schema.oid, object: schema.oid, text })
        }
        "DATABASE" => {
            let name = qualified_name(name)?.name;
            let database = &context.catalog.database;
            if database.name != name {
                return Err(PgError::new(
                    SqlState::INVALID_CATALOG_NAME,
                    format!("database \"{name}\" does not exist"),
                ));
            }
            Ok(DdlCommand::CommentOn { owned: database.oid, object: database.oid, text })
        }
        other => Err(PgError::unsupported(
            format!("COMMENT ON {other} is not supported yet"),
            "Comments are kept on relations, columns, indexes, constraints, types, domains, schemas and the database.",
        )),
    }
}

fn undefined(name: &QualifiedName) -> PgError {
    PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

fn column(
    context: &BindContext,
    name: &ObjectName,
    text: Option<String>,
) -> Result<DdlCommand, PgError> {
    let mut parts = name.0.clone();
    let column = parts.pop().and_then(|part| part.as_ident().map(fold)).unwrap_or_default();
    let relation = context.relation(&qualified_name(&ObjectName(parts))?)?;
    let at = relation.columns().iter().position(|other| other.name == column);
    let at = at.ok_or_else(|| {
        PgError::new(
            SqlState::UNDEFINED_COLUMN,
            format!("column \"{column}\" of relation \"{}\" does not exist", relation.name),
        )
    })?;
    Ok(DdlCommand::Comment { relation, column: Some(at), text })
}

/// `COMMENT ON CONSTRAINT name ON table`
pub(super) fn on_constraint(
    context: &BindContext,
    name: &Ident,
    table: &ObjectName,
    text: Option<String>,
) -> Result<DdlCommand, PgError> {
    let relation = context.relation(&qualified_name(table)?)?;
    let name = fold(name);
    let found = relation.table().and_then(|table| {
        let mut constraints = table.constraints.iter();
        constraints.find(|constraint| constraint.name == name).map(|known| known.oid)
    });
    let object = found.ok_or_else(|| {
        PgError::new(
            SqlState::UNDEFINED_OBJECT,
            format!("constraint \"{name}\" for table \"{}\" does not exist", relation.name),
        )
    })?;
    let text = text.filter(|text| !text.is_empty());
    Ok(DdlCommand::CommentOn { owned: relation.oid, object, text })
}

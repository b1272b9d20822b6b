//! `DROP …` and `TRUNCATE`.

use sqlparser::ast::{CascadeOption, ObjectName, ObjectType, Truncate, TruncateIdentityOption};

use super::{DdlCommand, drop_kind};
use crate::catalog::{Relation, RelationKind};
use crate::error::{PgError, SqlState};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::dml::target;
use crate::planner::bind::sql::names::qualified_name;

pub(super) fn bind(
    context: &BindContext,
    object: ObjectType,
    if_exists: bool,
    names: &[ObjectName],
    cascade: bool,
) -> Result<DdlCommand, PgError> {
    if object == ObjectType::Schema {
        return drop_schemas(context, if_exists, names, cascade);
    }
    if object == ObjectType::Index {
        return super::index::drop(context, if_exists, names, cascade);
    }
    if object == ObjectType::Type {
        return super::user_type::drop(context, if_exists, names, cascade, "DROP TYPE");
    }
    let Some(kind) = drop_kind(object) else {
        return Err(PgError::unsupported(
            format!("DROP {object} is not supported yet"),
            "See docs/compat.md for the statements that are.",
        ));
    };
    drop_relations(
        context,
        kind,
        if_exists,
        names.iter().map(qualified_name).collect::<Result<_, _>>()?,
        cascade,
    )
}

/// Drops relations of one kind by name.
pub(crate) fn drop_relations(
    context: &BindContext,
    kind: &'static str,
    if_exists: bool,
    names: Vec<crate::catalog::QualifiedName>,
    cascade: bool,
) -> Result<DdlCommand, PgError> {
    let mut relations = Vec::new();
    let mut missing = Vec::new();
    for name in names {
        match context.catalog.resolve(&name, &context.search_path) {
            Some(relation) => {
                check_kind(relation, kind)?;
                relations.push(std::sync::Arc::clone(relation));
            }
            None if super::index::index_named(context, &name).is_some() => {
                return Err(PgError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("\"{}\" is not a {}", name.name, kind.to_lowercase()),
                )
                .hint("Use DROP INDEX to remove an index."));
            }
            None if if_exists => missing.push(name.name),
            None => {
                return Err(PgError::new(
                    SqlState::UNDEFINED_TABLE,
                    format!("{} \"{}\" does not exist", kind.to_lowercase(), name.name),
                ));
            }
        }
    }
    Ok(DdlCommand::DropRelations { relations, missing, cascade, kind })
}

/// The kind's word in DROP, and with its article.
pub(super) fn kind_words(relation: &Relation) -> Result<(&'static str, String), PgError> {
    let is = match &relation.kind {
        RelationKind::Table(_) => "TABLE",
        RelationKind::View(_) => "VIEW",
        RelationKind::MaterializedView(_) => "MATERIALIZED VIEW",
        RelationKind::Sequence(_) => "SEQUENCE",
        RelationKind::PropertyGraph(_) => "PROPERTY GRAPH",
        RelationKind::System(_) => {
            return Err(PgError::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied: \"{}\" is a system catalog", relation.name),
            ));
        }
    };
    Ok((is, format!("a {}", is.to_lowercase())))
}

fn check_kind(relation: &Relation, wanted: &str) -> Result<(), PgError> {
    let (is, article) = kind_words(relation)?;
    if is == wanted {
        return Ok(());
    }
    Err(PgError::new(
        SqlState::WRONG_OBJECT_TYPE,
        format!("\"{}\" is not a {}", relation.name, wanted.to_lowercase()),
    )
    .hint(format!("Use DROP {is} to remove {article}.")))
}

fn drop_schemas(
    context: &BindContext,
    if_exists: bool,
    names: &[ObjectName],
    cascade: bool,
) -> Result<DdlCommand, PgError> {
    let mut schemas = Vec::new();
    for name in names {
        let name = qualified_name(name)?.name;
        match context.catalog.schema(&name) {
            Some(schema) if matches!(schema.name.as_str(), "pg_catalog" | "information_schema") => {
                return Err(PgError::new(
                    SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                    format!(
                        "cannot drop schema {name} because it is required by the database system"
                    ),
                ));
            }
            Some(schema) => schemas.push(schema.oid),
            None => {
                let error = PgError::new(
                    SqlState::INVALID_SCHEMA_NAME,
                    format!("schema \"{name}\" does not exist"),
                );
                if !if_exists {
                    return Err(error);
                }
                if names.len() == 1 {
                    return Ok(DdlCommand::Skip {
                        tag: "DROP SCHEMA",
                        notice: super::skipping(&error),
                    });
                }
            }
        }
    }
    Ok(DdlCommand::DropSchema { schemas, cascade })
}

pub(super) fn bind_truncate(
    context: &BindContext,
    truncate: &Truncate,
) -> Result<DdlCommand, PgError> {
    if truncate.partitions.is_some() || truncate.on_cluster.is_some() || truncate.if_exists {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in TRUNCATE"));
    }
    let restart = matches!(truncate.identity, Some(TruncateIdentityOption::Restart));
    let cascade = matches!(truncate.cascade, Some(CascadeOption::Cascade));
    let relations = truncate
        .table_names
        .iter()
        .map(|name| target(context, &name.name).map(|(relation, _)| relation))
        .collect::<Result<_, _>>()?;
    Ok(DdlCommand::Truncate { relations, restart, cascade })
}

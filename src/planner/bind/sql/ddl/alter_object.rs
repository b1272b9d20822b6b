//! What is done to objects of all kinds alike: RENAME, SET SCHEMA, OWNER TO.

use std::sync::Arc;

use super::alter_table::owner_of;
use super::index::index_named;
use super::{AlterStep, DdlCommand, skipping};
use crate::catalog::{QualifiedName, Relation, RelationKind, Sequence};
use crate::error::{PgError, SqlState};
use crate::parser::sql::definition::{ObjectAction, ObjectKind};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::{fold, qualified_name};
use crate::types::Oid;

/// An object that a statement names.
#[derive(Debug, Clone)]
pub enum ObjectRef {
    /// A table, view, sequence, …
    Relation(Arc<Relation>),
    /// An index, and the table it is on.
    Index(Arc<Relation>, Oid),
    /// A schema.
    Schema(Oid),
}

/// What is done to it.
#[derive(Debug, Clone)]
pub enum ObjectChange {
    /// RENAME TO
    Rename(String),
    /// RENAME COLUMN of a view, by position.
    RenameColumn(usize, String),
    /// SET SCHEMA
    SetSchema(Oid),
    /// OWNER TO
    OwnerTo(Oid),
}

impl ObjectRef {
    pub(super) fn is_table(&self) -> bool {
        matches!(self, Self::Relation(relation) if matches!(relation.kind, RelationKind::Table(_)))
    }

    /// The number of what is asked for rights: the object, or the table of an index.
    pub fn owned(&self) -> Oid {
        match self {
            Self::Relation(relation) | Self::Index(relation, _) => relation.oid,
            Self::Schema(oid) => *oid,
        }
    }
}

/// The relation or index of a name.
pub(super) fn any(context: &BindContext, name: &QualifiedName) -> Result<ObjectRef, PgError> {
    match context.relation(name) {
        Ok(relation) => Ok(ObjectRef::Relation(relation)),
        Err(error) => match index_named(context, name) {
            Some((table, index)) => Ok(ObjectRef::Index(table, index)),
            None => Err(error),
        },
    }
}

pub(super) fn bind(
    context: &BindContext,
    kind: ObjectKind,
    if_exists: bool,
    name: &sqlparser::ast::ObjectName,
    action: &ObjectAction,
) -> Result<DdlCommand, PgError> {
    let tag = match kind {
        ObjectKind::Sequence => "ALTER SEQUENCE",
        ObjectKind::Index => "ALTER INDEX",
        ObjectKind::View => "ALTER VIEW",
        ObjectKind::MaterializedView => "ALTER MATERIALIZED VIEW",
        ObjectKind::Schema => "ALTER SCHEMA",
    };
    let name = qualified_name(name)?;
    if kind == ObjectKind::Schema {
        return on_object(context, schema(context, &name.name)?, action, tag);
    }
    let object = match any(context, &name) {
        Err(error) if if_exists => {
            return Ok(DdlCommand::Skip { tag, notice: skipping(&error) });
        }
        other => other?,
    };
    let fits = match (&object, kind) {
        (ObjectRef::Index(..), ObjectKind::Index) => true,
        (ObjectRef::Relation(relation), kind) => matches!(
            (&relation.kind, kind),
            (RelationKind::Sequence(_), ObjectKind::Sequence)
                | (RelationKind::View(_), ObjectKind::View)
                | (RelationKind::MaterializedView(_), ObjectKind::MaterializedView)
        ),
        _ => false,
    };
    if !fits {
        let what = match kind {
            ObjectKind::Index => "an index".to_owned(),
            other => format!("a {}", other.words().to_lowercase()),
        };
        return Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{}\" is not {what}", name.name),
        ));
    }
    on_object(context, object, action, tag)
}

fn schema(context: &BindContext, name: &str) -> Result<ObjectRef, PgError> {
    let schema = context.catalog.schema(name).ok_or_else(|| {
        PgError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
    })?;
    if matches!(schema.name.as_str(), "pg_catalog" | "information_schema") {
        return Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied for schema {name}"),
        ));
    }
    Ok(ObjectRef::Schema(schema.oid))
}

/// Binds an action on an object that is known.
pub(crate) fn on_object(
    context: &BindContext,
    object: ObjectRef,
    action: &ObjectAction,
    tag: &'static str,
) -> Result<DdlCommand, PgError> {
    if let ObjectRef::Relation(relation) = &object
        && matches!(relation.kind, RelationKind::System(_))
    {
        return Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied: \"{}\" is a system catalog", relation.name),
        ));
    }
    let change = match action {
        ObjectAction::Rename(to) => ObjectChange::Rename(new_name(context, &object, fold(to))?),
        ObjectAction::OwnerTo(owner) => {
            let role = owner_of(context, owner)?;
            if let ObjectRef::Relation(relation) = &object {
                if matches!(relation.kind, RelationKind::Table(_)) {
                    let steps = vec![AlterStep::OwnerTo { role }];
                    return Ok(DdlCommand::AlterTable { relation: Arc::clone(relation), steps });
                }
                refuse_owned(context, relation, role != relation.owner, || {
                    format!("cannot change owner of sequence \"{}\"", relation.name)
                })?;
            }
            ObjectChange::OwnerTo(role)
        }
        ObjectAction::SetSchema(schema) => {
            ObjectChange::SetSchema(new_schema(context, &object, &fold(schema))?)
        }
        ObjectAction::RenameColumn(from, to) => {
            let ObjectRef::Relation(relation) = &object else {
                return Err(PgError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    "cannot rename a column of this",
                ));
            };
            if relation.view().is_none() {
                return Err(PgError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("cannot rename columns of relation \"{}\"", relation.name),
                ));
            }
            let (from, to) = (fold(from), fold(to));
            let columns = relation.columns();
            let at = columns.iter().position(|column| column.name == from).ok_or_else(|| {
                PgError::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{from}\" does not exist"),
                )
            })?;
            if columns.iter().any(|column| column.name == to) {
                return Err(PgError::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{to}\" of relation \"{}\" already exists", relation.name),
                ));
            }
            ObjectChange::RenameColumn(at, to)
        }
    };
    Ok(DdlCommand::AlterObject { object, change, tag })
}

fn new_name(context: &BindContext, object: &ObjectRef, to: String) -> Result<String, PgError> {
    let schema = match object {
        ObjectRef::Relation(relation) | ObjectRef::Index(relation, _) => relation.schema,
        ObjectRef::Schema(_) => {
            super::check_schema_name(&to)?;
            if context.catalog.schema(&to).is_some() {
                return Err(PgError::new(
                    SqlState::DUPLICATE_SCHEMA,
                    format!("schema \"{to}\" already exists"),
                ));
            }
            return Ok(to);
        }
    };
    if context.catalog.name_is_taken(schema, &to) {
        return Err(PgError::new(
            SqlState::DUPLICATE_TABLE,
            format!("relation \"{to}\" already exists"),
        ));
    }
    Ok(to)
}

fn new_schema(context: &BindContext, object: &ObjectRef, name: &str) -> Result<Oid, PgError> {
    let schema = context.catalog.schema(name).ok_or_else(|| {
        PgError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
    })?;
    let ObjectRef::Relation(relation) = object else {
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, "cannot change the schema of this"));
    };
    let is_temporary = |oid: Oid| {
        context.catalog.schemas.get(&oid).is_some_and(|schema| schema.name.starts_with("pg_temp"))
    };
    if is_temporary(schema.oid) || is_temporary(relation.schema) {
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "cannot move objects into or out of temporary schemas",
        ));
    }
    if matches!(schema.name.as_str(), "pg_catalog" | "information_schema") {
        return Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied for schema {name}"),
        ));
    }
    refuse_owned(context, relation, true, || {
        "cannot move an owned sequence into another schema".to_owned()
    })?;
    if schema.oid != relation.schema && context.catalog.name_is_taken(schema.oid, &relation.name) {
        return Err(PgError::new(
            SqlState::DUPLICATE_TABLE,
            format!("relation \"{}\" already exists in schema \"{name}\"", relation.name),
        ));
    }
    Ok(schema.oid)
}

/// A sequence that goes with a table's column is changed with the table.
fn refuse_owned(
    context: &BindContext,
    relation: &Relation,
    changes: bool,
    message: impl FnOnce() -> String,
) -> Result<(), PgError> {
    let sequence: Option<&Arc<Sequence>> = relation.sequence();
    let Some(owner) = sequence.and_then(|sequence| sequence.owner).filter(|_| changes) else {
        return Ok(());
    };
    let table = context.catalog.relation(owner.table).map_or("", |table| table.name.as_str());
    Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message())
        .detail(format!("Sequence \"{}\" is linked to table \"{table}\".", relation.name)))
}

//! `CREATE TYPE … AS (…)` and `ALTER TYPE … ATTRIBUTE`.

use sqlparser::ast::{DataType, Ident, ObjectName, UserDefinedTypeCompositeAttributeDef};

use super::user_type::{check_name, command};
use super::{DdlCommand, TypeChange, TypeCommand, creation_schema, skipping};
use crate::catalog::UserType;
use crate::error::{PgError, SqlState};
use crate::parser::sql::definition::AttributeAction;
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::{fold, qualified_name};
use crate::planner::bind::sql::types::sql_type;
use crate::types::pg_type::PgType;
use crate::types::row_type::RowField;

pub(super) fn create(
    context: &BindContext,
    name: &ObjectName,
    attributes: &[UserDefinedTypeCompositeAttributeDef],
) -> Result<DdlCommand, PgError> {
    let name = qualified_name(name)?;
    let schema = creation_schema(context, &name)?;
    check_name(&context.catalog, schema, &name.name)?;
    let mut fields: Vec<RowField> = Vec::with_capacity(attributes.len());
    for attribute in attributes {
        if let Some(collation) = &attribute.collation {
            return Err(PgError::unsupported(
                format!("COLLATE {collation} on an attribute is not supported"),
                "Text is compared byte by byte, as collation \"C\" does.",
            ));
        }
        let field = field(context, &attribute.name, &attribute.data_type)?;
        if fields.iter().any(|other| other.name == field.name) {
            let message = format!("column \"{}\" specified more than once", field.name);
            return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        fields.push(field);
    }
    Ok(command(TypeCommand::CreateRow { schema, name: name.name, fields }))
}

fn field(context: &BindContext, name: &Ident, data_type: &DataType) -> Result<RowField, PgError> {
    let ty = sql_type(context.types(), data_type)?;
    let name = fold(name);
    if matches!(ty, PgType::Record | PgType::Void | PgType::Unknown | PgType::Cstring) {
        let message = format!("column \"{name}\" has pseudo-type {ty}");
        return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    refuse_table_rows(context, &ty)?;
    Ok(RowField::new(name, ty))
}

/// What is stored says in full of which type it is, and a table's row type changes with the table.
pub(super) fn refuse_table_rows(context: &BindContext, ty: &PgType) -> Result<(), PgError> {
    let mut inner = ty;
    while let PgType::Array(element) = inner {
        inner = element;
    }
    let PgType::Row(row) = inner else { return Ok(()) };
    if row.is_record() || context.catalog.types.contains_key(&crate::types::Oid(row.oid)) {
        return Ok(());
    }
    Err(PgError::unsupported(
        format!("columns of the row type of table \"{}\" are not supported", row.name),
        "Make a type of the same columns with CREATE TYPE … AS (…).",
    ))
}

/// The fields after changes.
pub(super) fn alter(
    context: &BindContext,
    found: &UserType,
    actions: &[AttributeAction],
) -> Result<TypeChange, PgError> {
    let Some(row) = found.row() else {
        let message = format!("\"{}\" is not a composite type", found.name());
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
    };
    let name_of_type = &row.ty.name;
    let renames = actions.iter().all(|action| matches!(action, AttributeAction::Rename { .. }));
    if !renames {
        let retyped = actions.iter().any(|action| matches!(action, AttributeAction::Type { .. }));
        refuse_stored(context, found, retyped)?;
    }
    let mut fields = row.ty.fields.clone();
    let mut from: Vec<Option<usize>> = (0..fields.len()).map(Some).collect();
    let at = |fields: &[RowField], name: &Ident| {
        let name = fold(name);
        fields.iter().position(|field| field.name == name).ok_or_else(|| {
            let message =
                format!("column \"{name}\" of relation \"{name_of_type}\" does not exist");
            PgError::new(SqlState::UNDEFINED_COLUMN, message)
        })
    };
    let check_new = |fields: &[RowField], name: &str| {
        if !fields.iter().any(|field| field.name == name) {
            return Ok(());
        }
        let message = format!("column \"{name}\" of relation \"{name_of_type}\" already exists");
        Err(PgError::new(SqlState::DUPLICATE_COLUMN, message))
    };
    for action in actions {
        match action {
            AttributeAction::Add { name, data_type } => {
                let field = field(context, name, data_type)?;
                check_new(&fields, &field.name)?;
                fields.push(field);
                from.push(None);
            }
            AttributeAction::Drop { if_exists, name } => match at(&fields, name) {
                Ok(at) => {
                    fields.remove(at);
                    from.remove(at);
                }
                Err(missing) if *if_exists => context.notices.lock().push(skipping(&missing)),
                Err(missing) => return Err(missing),
            },
            AttributeAction::Type { name, data_type } => {
                let at = at(&fields, name)?;
                if let Some(slot) = fields.get_mut(at) {
                    slot.ty = field(context, name, data_type)?.ty;
                }
            }
            AttributeAction::Rename { from: old, to } => {
                let (at, to) = (at(&fields, old)?, fold(to));
                check_new(&fields, &to)?;
                if let Some(slot) = fields.get_mut(at) {
                    slot.name = to;
                }
            }
        }
    }
    Ok(TypeChange::Fields { fields, from })
}

/// Rows that are stored keep the types of their fields, and all of the fields inside of other values.
fn refuse_stored(context: &BindContext, found: &UserType, retyped: bool) -> Result<(), PgError> {
    let stays = |ty: &PgType| {
        ty.is_of(found.oid().0)
            && (retyped || !matches!(ty, PgType::Row(row) if row.oid == found.oid().0))
    };
    for relation in context.catalog.relations_using(found.oid()) {
        if relation.table().is_none() {
            continue;
        }
        let mut columns = relation.columns().iter();
        if let Some(column) = columns.find(|column| stays(column.declared())) {
            return Err(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!(
                    "cannot alter type \"{}\" because column \"{}.{}\" uses it",
                    found.name(),
                    relation.name,
                    column.name
                ),
            ));
        }
    }
    Ok(())
}

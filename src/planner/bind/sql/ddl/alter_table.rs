//! `ALTER TABLE`.

use std::sync::Arc;

use datafusion::common::{DFSchema, TableReference};
use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, DropBehavior, Owner, RenameTableNameKind,
};

use super::create_table::{check_condition, check_default, column, constraint};
use super::{AlterStep, DdlCommand, NewConstraintKind, column_of, generated, skipping};
use crate::catalog::{Column, ColumnDefault, Relation, RelationKind};
use crate::error::{PgError, SqlState};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::{fold, qualified_name};
use crate::planner::bind::sql::query::bind_expression;
use crate::planner::bind::sql::resolve;
use crate::planner::bind::sql::stored::stored_expression;
use crate::planner::bind::sql::types::sql_type;

pub(super) fn bind(context: &BindContext, alter: &AlterTable) -> Result<DdlCommand, PgError> {
    if alter.location.is_some() || alter.on_cluster.is_some() || alter.table_type.is_some() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in ALTER TABLE"));
    }
    let relation = match context.relation(&qualified_name(&alter.name)?) {
        Ok(relation) => relation,
        Err(error) if alter.if_exists => {
            return Ok(DdlCommand::Skip { tag: "ALTER TABLE", notice: skipping(&error) });
        }
        Err(error) => return Err(error),
    };
    if !matches!(relation.kind, RelationKind::Table(_)) {
        return Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{}\" is not a table", relation.name),
        ));
    }
    let mut steps = Vec::new();
    for operation in &alter.operations {
        if let Some(step) = bind_step(context, &relation, operation)? {
            steps.push(step);
        }
    }
    Ok(DdlCommand::AlterTable { relation, steps })
}

fn table_schema(relation: &Relation) -> Result<DFSchema, PgError> {
    let name = TableReference::bare(relation.name.as_str());
    let fields = relation
        .columns()
        .iter()
        .map(|column| {
            (Some(name.clone()), Arc::new(column.ty.field(&column.name, !column.not_null)))
        })
        .collect();
    Ok(DFSchema::new_with_metadata(fields, Default::default())?)
}

fn cascades(behavior: Option<&DropBehavior>) -> bool {
    matches!(behavior, Some(DropBehavior::Cascade))
}

fn bind_step(
    context: &BindContext,
    relation: &Relation,
    operation: &AlterTableOperation,
) -> Result<Option<AlterStep>, PgError> {
    Ok(Some(match operation {
        AlterTableOperation::AddColumn {
            if_not_exists, column_def, column_position: None, ..
        } => {
            return add_column(context, relation, *if_not_exists, column_def);
        }
        AlterTableOperation::DropColumn { column_names, if_exists, drop_behavior, .. } => {
            let [name] = column_names.as_slice() else {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, "DROP COLUMN takes one column"));
            };
            if let Err(error) = column_of(relation, name) {
                return if *if_exists { Ok(None) } else { Err(error) };
            }
            AlterStep::DropColumn { name: fold(name), cascade: cascades(drop_behavior.as_ref()) }
        }
        AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
            column_of(relation, old_column_name)?;
            if column_of(relation, new_column_name).is_ok() {
                return Err(duplicate_column(relation, &fold(new_column_name)));
            }
            AlterStep::RenameColumn { from: fold(old_column_name), to: fold(new_column_name) }
        }
        AlterTableOperation::RenameTable { table_name: RenameTableNameKind::To(name) } => {
            let to = qualified_name(name)?.name;
            if context.catalog.relation_in(relation.schema, &to).is_some() {
                return Err(PgError::new(
                    SqlState::DUPLICATE_TABLE,
                    format!("relation \"{to}\" already exists"),
                ));
            }
            AlterStep::Rename { to }
        }
        AlterTableOperation::RenameConstraint { old_name, new_name } => {
            AlterStep::RenameConstraint { from: fold(old_name), to: fold(new_name) }
        }
        AlterTableOperation::AddConstraint { constraint: definition, not_valid: false } => {
            let new = constraint(context, definition, Some(&relation.name))?;
            if let NewConstraintKind::Check { condition, .. } = &new.kind {
                check_condition(context, condition, &table_schema(relation)?)?;
            }
            AlterStep::AddConstraint(new)
        }
        AlterTableOperation::DropConstraint { if_exists, name, drop_behavior } => {
            AlterStep::DropConstraint {
                name: fold(name),
                if_exists: *if_exists,
                cascade: cascades(drop_behavior.as_ref()),
            }
        }
        AlterTableOperation::AlterColumn { column_name, op } => {
            let at = column_of(relation, column_name)?;
            alter_column(context, relation, at, op)?
        }
        AlterTableOperation::OwnerTo { new_owner } => owner_to(context, new_owner)?,
        other => {
            return Err(PgError::unsupported(
                format!("ALTER TABLE … {other} is not supported yet"),
                "See docs/compat.md for the forms that are.",
            ));
        }
    }))
}

fn duplicate_column(relation: &Relation, name: &str) -> PgError {
    PgError::new(
        SqlState::DUPLICATE_COLUMN,
        format!("column \"{name}\" of relation \"{}\" already exists", relation.name),
    )
}

fn add_column(
    context: &BindContext,
    relation: &Relation,
    if_not_exists: bool,
    definition: &sqlparser::ast::ColumnDef,
) -> Result<Option<AlterStep>, PgError> {
    let new = column(context, definition, &relation.name, relation.schema)?;
    let column = &new.column;
    if relation.columns().iter().any(|other| other.name == column.name) {
        return if if_not_exists {
            Ok(None)
        } else {
            Err(duplicate_column(relation, &column.name))
        };
    }
    let columns: Vec<Column> = relation.columns().iter().chain([column]).cloned().collect();
    generated::check(context, &relation.name, &columns)?;
    let fill = match &column.default {
        None | Some(ColumnDefault::Identity { .. }) => None,
        Some(ColumnDefault::Expression(text) | ColumnDefault::Generated(text)) => {
            let schema = table_schema(relation)?;
            let expr = crate::parser::stored::parse_expression(text)?;
            let expr = bind_expression(context, &expr, &schema)?;
            Some(resolve::assign(context, expr, &column.ty, &schema)?)
        }
    };
    Ok(Some(AlterStep::AddColumn { column: Box::new(new), fill }))
}

fn alter_column(
    context: &BindContext,
    relation: &Relation,
    at: usize,
    op: &AlterColumnOperation,
) -> Result<AlterStep, PgError> {
    let column: &Column = &relation.columns()[at];
    let name = column.name.clone();
    Ok(match op {
        AlterColumnOperation::SetNotNull => AlterStep::SetNotNull { name, not_null: true },
        AlterColumnOperation::DropNotNull => AlterStep::SetNotNull { name, not_null: false },
        AlterColumnOperation::DropDefault => AlterStep::SetDefault { name, default: None },
        AlterColumnOperation::SetDefault { value } => {
            check_default(context, value, column)?;
            let text = stored_expression(context, value, None)?;
            AlterStep::SetDefault { name, default: Some(text) }
        }
        AlterColumnOperation::SetDataType { data_type, using, .. } => {
            let ty = sql_type(data_type)?;
            let schema = table_schema(relation)?;
            let given = match using {
                Some(using) => bind_expression(context, using, &schema)?,
                None => datafusion::logical_expr::Expr::Column(schema.columns()[at].clone()),
            };
            let convert = resolve::assign(context, given, &ty, &schema).map_err(|error| {
                if error.code() != SqlState::CANNOT_COERCE {
                    return error;
                }
                PgError::new(
                    SqlState::DATATYPE_MISMATCH,
                    format!("column \"{name}\" cannot be cast automatically to type {}", ty.name()),
                )
                .hint(format!("You might need to specify \"USING {name}::{}\".", ty.name()))
            })?;
            AlterStep::SetType { name, ty, convert }
        }
        AlterColumnOperation::AddGenerated { .. } => {
            return Err(PgError::unsupported(
                "identity columns are not supported yet",
                "See docs/compat.md.",
            ));
        }
    })
}

fn owner_to(context: &BindContext, owner: &Owner) -> Result<AlterStep, PgError> {
    let name = match owner {
        Owner::Ident(name) => fold(name),
        Owner::CurrentRole | Owner::CurrentUser | Owner::SessionUser => context.user.clone(),
    };
    let role =
        context.catalog.cluster.roles.values().find(|role| role.name == name).ok_or_else(|| {
            PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
        })?;
    Ok(AlterStep::OwnerTo { role: role.oid })
}

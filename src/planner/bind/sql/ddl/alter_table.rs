//! `ALTER TABLE`
//!
//! Actions are bound one after another, each over the table as those before it leave it, in PostgreSQL's order: what is
//! dropped, then types, then new columns, then the rest.

use std::sync::Arc;

use datafusion::common::{DFSchema, TableReference};
use sqlparser::ast::{
    AlterColumnOperation, AlterTableOperation, DropBehavior, Ident, ObjectName, Owner,
};

use super::alter_object::{self, on_object};
use super::create_table::{check_condition, check_default, column, constraint, constraint_columns};
use super::sequence::{bind_options, of_identity};
use super::{
    AlterStep, DdlCommand, NewConstraint, NewConstraintKind, column_of, generated, skipping,
};
use crate::catalog::{Column, ColumnDefault, Relation, RelationKind, RowLabels};
use crate::error::{PgError, SqlState};
use crate::parser::sql::definition::{AlterAction, IdentityChange, ObjectAction, SequenceOption};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::column_value::default_of;
use crate::planner::bind::sql::names::{fold, qualified_name};
use crate::planner::bind::sql::query::bind_expression;
use crate::planner::bind::sql::resolve;
use crate::planner::bind::sql::stored::stored_default;
use crate::planner::bind::sql::types::sql_type;
use crate::planner::node::HoldsLabels;
use crate::types::Oid;

pub(super) fn bind(
    context: &BindContext,
    if_exists: bool,
    name: &ObjectName,
    actions: &[AlterAction],
) -> Result<DdlCommand, PgError> {
    let name = qualified_name(name)?;
    // ALTER TABLE does to views, indexes and sequences what it does to all.
    if let [AlterAction::Object(action)] = actions {
        let object = match alter_object::any(context, &name) {
            Err(error) if if_exists => {
                return Ok(DdlCommand::Skip { tag: "ALTER TABLE", notice: skipping(&error) });
            }
            other => other?,
        };
        if !object.is_table() || !matches!(action, ObjectAction::RenameColumn(..)) {
            return on_object(context, object, action, "ALTER TABLE");
        }
    }
    let relation = match context.relation(&name) {
        Ok(relation) => relation,
        Err(error) if if_exists => {
            return Ok(DdlCommand::Skip { tag: "ALTER TABLE", notice: skipping(&error) });
        }
        Err(error) => return Err(error),
    };
    if !matches!(relation.kind, RelationKind::Table(_)) {
        return Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("ALTER action cannot be performed on relation \"{}\"", relation.name),
        )
        .detail(format!("This operation is not supported for {}s.", kind_word(&relation))));
    }
    let mut actions: Vec<&AlterAction> = actions.iter().collect();
    actions.sort_by_key(|action| pass(action));
    let mut shape = Shape { context, relation: relation.as_ref().clone() };
    let mut steps = Vec::new();
    for action in actions {
        if let Some(step) = shape.bind(action)? {
            shape.apply(&step);
            steps.push(step);
        }
    }
    Ok(DdlCommand::AlterTable { relation, steps })
}

fn kind_word(relation: &Relation) -> &'static str {
    match &relation.kind {
        RelationKind::Table(_) | RelationKind::System(_) => "table",
        RelationKind::View(_) => "view",
        RelationKind::MaterializedView(_) => "materialized view",
        RelationKind::Sequence(_) => "sequence",
        RelationKind::PropertyGraph(_) => "property graph",
    }
}

/// When an action has its turn.
fn pass(action: &AlterAction) -> u8 {
    match action {
        AlterAction::Known(known) => match known.as_ref() {
            AlterTableOperation::DropColumn { .. } | AlterTableOperation::DropConstraint { .. } => {
                0
            }
            AlterTableOperation::AddColumn { .. } => 2,
            AlterTableOperation::AddConstraint { .. } => 4,
            _ => 3,
        },
        AlterAction::Column { op: AlterColumnOperation::SetDataType { .. }, .. } => 1,
        AlterAction::Column { op: AlterColumnOperation::DropNotNull, .. }
        | AlterAction::DropExpression { .. }
        | AlterAction::DropIdentity { .. } => 0,
        _ => 3,
    }
}

/// The table as the actions so far leave it.
struct Shape<'a> {
    context: &'a BindContext,
    relation: Relation,
}

fn cascades(behavior: Option<&DropBehavior>) -> bool {
    matches!(behavior, Some(DropBehavior::Cascade))
}

/// Whether an assignment failed as there is no cast, rather than in reading a value.
fn is_no_cast(error: &PgError) -> bool {
    matches!(error.code(), SqlState::CANNOT_COERCE | SqlState::DATATYPE_MISMATCH)
}

fn row_security(enabled: Option<bool>, forced: Option<bool>) -> AlterStep {
    AlterStep::SetRowSecurity { enabled, forced }
}

fn unsupported(what: &str) -> PgError {
    PgError::unsupported(
        format!("ALTER TABLE … {what} is not supported yet"),
        "See docs/compat.md for the forms that are.",
    )
}

/// A schema of a table's columns under its own name.
pub(super) fn table_schema(relation: &Relation) -> Result<DFSchema, PgError> {
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

impl Shape<'_> {
    fn bind(&self, action: &AlterAction) -> Result<Option<AlterStep>, PgError> {
        match action {
            AlterAction::Known(known) => self.known(known),
            AlterAction::Column { column, op } => {
                let at = column_of(&self.relation, column)?;
                self.alter_column(at, op).map(Some)
            }
            AlterAction::Object(action) => self.object(action).map(Some),
            AlterAction::AddIdentity { column, always, options } => {
                self.add_identity(column, *always, options).map(Some)
            }
            AlterAction::SetIdentity { column, changes } => {
                self.set_identity(column, changes).map(Some)
            }
            AlterAction::DropIdentity { column, if_exists } => {
                self.drop_identity(column, *if_exists)
            }
            AlterAction::DropExpression { column, if_exists } => {
                self.drop_expression(column, *if_exists)
            }
            AlterAction::SetOptions(options) => {
                let options = super::storage_options(options)?;
                self.check_labels(&options)?;
                Ok(Some(AlterStep::SetOptions { set: options, reset: Vec::new() }))
            }
            AlterAction::ResetOptions(names) => {
                let reset = names.iter().map(fold).collect();
                Ok(Some(AlterStep::SetOptions { set: Vec::new(), reset }))
            }
            AlterAction::SetLogged(logged) => Ok(Some(AlterStep::SetLogged(*logged))),
            AlterAction::SetTablespace(name) => super::check_tablespace(name).map(|()| None),
            AlterAction::SetAccessMethod(name) => super::check_access_method(name).map(|()| None),
            AlterAction::ClusterOn(name) => {
                Ok(Some(AlterStep::ClusterOn(Some(super::index::of_table(&self.relation, name)?))))
            }
            AlterAction::WithoutCluster => Ok(Some(AlterStep::ClusterOn(None))),
            AlterAction::AlterConstraint { .. } => Err(unsupported("ALTER CONSTRAINT")),
            AlterAction::SetStatistics { .. } => Err(unsupported("SET STATISTICS")),
            AlterAction::SetStorage { .. } => Err(unsupported("SET STORAGE")),
        }
    }

    fn known(&self, operation: &AlterTableOperation) -> Result<Option<AlterStep>, PgError> {
        Ok(Some(match operation {
            AlterTableOperation::AddColumn {
                if_not_exists,
                column_def,
                column_position: None,
                ..
            } => return self.add_column(*if_not_exists, column_def),
            AlterTableOperation::DropColumn { column_names, if_exists, drop_behavior, .. } => {
                let [name] = column_names.as_slice() else {
                    return Err(PgError::new(
                        SqlState::SYNTAX_ERROR,
                        "DROP COLUMN takes one column",
                    ));
                };
                if let Err(error) = column_of(&self.relation, name) {
                    if !if_exists {
                        return Err(error);
                    }
                    self.context.notices.lock().push(skipping(&error));
                    return Ok(None);
                }
                AlterStep::DropColumn {
                    name: fold(name),
                    cascade: cascades(drop_behavior.as_ref()),
                }
            }
            AlterTableOperation::AddConstraint { constraint: definition, not_valid } => {
                let mut new = constraint(self.context, definition, &self.relation)?;
                new.not_valid = *not_valid;
                if *not_valid
                    && !matches!(
                        new.kind,
                        NewConstraintKind::Check { .. } | NewConstraintKind::ForeignKey { .. }
                    )
                {
                    return Err(PgError::new(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        format!("{} constraints cannot be marked NOT VALID", kind_of(&new)),
                    ));
                }
                self.check_constraint(&new)?;
                AlterStep::AddConstraint(new)
            }
            AlterTableOperation::DropConstraint { if_exists, name, drop_behavior } => {
                AlterStep::DropConstraint {
                    name: fold(name),
                    if_exists: *if_exists,
                    cascade: cascades(drop_behavior.as_ref()),
                }
            }
            AlterTableOperation::RenameConstraint { old_name, new_name } => {
                AlterStep::RenameConstraint { from: fold(old_name), to: fold(new_name) }
            }
            AlterTableOperation::ValidateConstraint { name } => {
                AlterStep::ValidateConstraint { name: fold(name) }
            }
            AlterTableOperation::EnableRowLevelSecurity => row_security(Some(true), None),
            AlterTableOperation::DisableRowLevelSecurity => row_security(Some(false), None),
            AlterTableOperation::ForceRowLevelSecurity => row_security(None, Some(true)),
            AlterTableOperation::NoForceRowLevelSecurity => row_security(None, Some(false)),
            other => return Err(unsupported(&other.to_string())),
        }))
    }

    /// Labels of rows need a universe that fits the column of their masks.
    fn check_labels(&self, options: &[String]) -> Result<(), PgError> {
        let known = self.relation.table().map_or(&[][..], |table| &table.options);
        // What is set anew comes first.
        let all: Vec<String> = options.iter().chain(known).cloned().collect();
        let Some(labels) = RowLabels::of(&all) else { return Ok(()) };
        let invalid = |message: String| PgError::new(SqlState::INVALID_PARAMETER_VALUE, message);
        if labels.universe.is_empty() || labels.column.is_empty() {
            return Err(invalid("row labels need a universe and a column".to_owned())
                .hint("Set row_label_universe and row_label_column together."));
        }
        let mut names = labels.universe.clone();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(invalid(format!("row label \"{}\" is there twice", twice[0])));
        }
        let at = column_of(&self.relation, &Ident::with_quote('"', &labels.column))?;
        let ty = &self.relation.columns()[at].ty;
        let max = HoldsLabels::labels_max(&ty.arrow()).ok_or_else(|| {
            PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "column \"{}\" of type {} cannot hold row labels",
                    labels.column,
                    ty.name()
                ),
            )
            .hint("Use integer, bigint or uuid: 32, 64 or 128 labels.")
        })?;
        if labels.universe.len() > max {
            return Err(invalid(format!(
                "column \"{}\" has room for {max} row labels",
                labels.column
            )));
        }
        Ok(())
    }

    fn check_constraint(&self, new: &NewConstraint) -> Result<(), PgError> {
        if let NewConstraintKind::Check { condition, .. } = &new.kind {
            check_condition(self.context, condition, &table_schema(&self.relation)?)?;
        }
        for name in constraint_columns(&new.kind) {
            if !self.relation.columns().iter().any(|column| column.name == *name) {
                let what = match &new.kind {
                    NewConstraintKind::ForeignKey { .. } => {
                        format!(
                            "column \"{name}\" referenced in foreign key constraint does not exist"
                        )
                    }
                    _ => format!("column \"{name}\" named in key does not exist"),
                };
                return Err(PgError::new(SqlState::UNDEFINED_COLUMN, what));
            }
        }
        Ok(())
    }

    fn object(&self, action: &ObjectAction) -> Result<AlterStep, PgError> {
        match action {
            ObjectAction::RenameColumn(from, to) => {
                column_of(&self.relation, from)?;
                if column_of(&self.relation, to).is_ok() {
                    return Err(self.duplicate_column(&fold(to)));
                }
                Ok(AlterStep::RenameColumn { from: fold(from), to: fold(to) })
            }
            ObjectAction::OwnerTo(owner) => {
                Ok(AlterStep::OwnerTo { role: owner_of(self.context, owner)? })
            }
            ObjectAction::Rename(_) | ObjectAction::SetSchema(_) => {
                Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in ALTER TABLE"))
            }
        }
    }

    fn duplicate_column(&self, name: &str) -> PgError {
        PgError::new(
            SqlState::DUPLICATE_COLUMN,
            format!("column \"{name}\" of relation \"{}\" already exists", self.relation.name),
        )
    }

    fn add_column(
        &self,
        if_not_exists: bool,
        definition: &sqlparser::ast::ColumnDef,
    ) -> Result<Option<AlterStep>, PgError> {
        let (context, relation) = (self.context, &self.relation);
        let new = column(context, definition, relation)?;
        let column = &new.column;
        if relation.columns().iter().any(|other| other.name == column.name) {
            let exists = self.duplicate_column(&column.name);
            if !if_not_exists {
                return Err(exists);
            }
            context.notices.lock().push(skipping(&exists));
            return Ok(None);
        }
        let columns: Vec<Column> = relation.columns().iter().chain([column]).cloned().collect();
        generated::check(context, &relation.name, &columns)?;
        let fill = match &column.default {
            Some(ColumnDefault::Identity { .. }) => None,
            None if column.domain.is_none() => None,
            None => Some(bind_domain_default(context, column)?),
            Some(ColumnDefault::Expression(text) | ColumnDefault::Generated(text)) => {
                let schema = table_schema(relation)?;
                let expr = crate::parser::stored::parse_expression(text)?;
                let expr = bind_expression(context, &expr, &schema)?;
                Some(resolve::assign(context, expr, column.declared(), &schema)?)
            }
        };
        let after = Shape { context, relation: with_column(relation, column.clone()) };
        for constraint in &new.constraints {
            after.check_constraint(constraint)?;
        }
        Ok(Some(AlterStep::AddColumn { column: Box::new(new), fill }))
    }

    fn alter_column(&self, at: usize, op: &AlterColumnOperation) -> Result<AlterStep, PgError> {
        let column: &Column = &self.relation.columns()[at];
        let name = column.name.clone();
        Ok(match op {
            AlterColumnOperation::SetNotNull => AlterStep::SetNotNull { name, not_null: true },
            AlterColumnOperation::DropNotNull => {
                if matches!(column.default, Some(ColumnDefault::Identity { .. })) {
                    return Err(self.is_identity(column));
                }
                AlterStep::SetNotNull { name, not_null: false }
            }
            AlterColumnOperation::DropDefault => {
                self.refuse_no_default(column, true)?;
                AlterStep::SetDefault { name, default: None }
            }
            AlterColumnOperation::SetDefault { value } => {
                self.refuse_no_default(column, false)?;
                check_default(self.context, value, column)?;
                let text = stored_default(self.context, value, &column.ty)?;
                AlterStep::SetDefault { name, default: Some(text) }
            }
            AlterColumnOperation::SetDataType { data_type, using, .. } => {
                return self.set_type(column, at, data_type, using.as_ref());
            }
            AlterColumnOperation::AddGenerated { .. } => {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in ALTER COLUMN"));
            }
        })
    }

    fn is_identity(&self, column: &Column) -> PgError {
        PgError::new(
            SqlState::SYNTAX_ERROR,
            format!(
                "column \"{}\" of relation \"{}\" is an identity column",
                column.name, self.relation.name
            ),
        )
    }

    /// Identity and generated columns have no default that could be set.
    fn refuse_no_default(&self, column: &Column, dropping: bool) -> Result<(), PgError> {
        let (error, word) = match &column.default {
            Some(ColumnDefault::Identity { .. }) => (self.is_identity(column), "IDENTITY"),
            Some(ColumnDefault::Generated(_)) => {
                let message = format!(
                    "column \"{}\" of relation \"{}\" is a generated column",
                    column.name, self.relation.name
                );
                (PgError::new(SqlState::SYNTAX_ERROR, message), "EXPRESSION")
            }
            Some(ColumnDefault::Expression(_)) | None => return Ok(()),
        };
        if !dropping {
            return Err(error);
        }
        Err(error.hint(format!("Use ALTER TABLE ... ALTER COLUMN ... DROP {word} instead.")))
    }

    fn set_type(
        &self,
        column: &Column,
        at: usize,
        data_type: &sqlparser::ast::DataType,
        using: Option<&sqlparser::ast::Expr>,
    ) -> Result<AlterStep, PgError> {
        let (context, name) = (self.context, column.name.clone());
        let ty = sql_type(context.types(), data_type)?;
        super::row_type::refuse_table_rows(context, &ty)?;
        let schema = table_schema(&self.relation)?;
        if using.is_some() && matches!(column.default, Some(ColumnDefault::Generated(_))) {
            return Err(PgError::new(
                SqlState::INVALID_COLUMN_DEFINITION,
                format!("cannot specify USING when altering type of generated column \"{name}\""),
            ));
        }
        let given = match using {
            Some(using) => bind_expression(context, using, &schema)?,
            None => datafusion::logical_expr::Expr::Column(schema.columns()[at].clone()),
        };
        let convert = resolve::assign(context, given, &ty, &schema).map_err(|error| {
            if !is_no_cast(&error) {
                return error;
            }
            let shown = crate::catalog::pg::describe::quote_identifier(&name);
            let result =
                if using.is_some() { "result of USING clause for column" } else { "column" };
            let cast = ty.name();
            PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!("{result} \"{name}\" cannot be cast automatically to type {cast}"),
            )
            .hint(match using {
                Some(_) => "You might need to add an explicit cast.".to_owned(),
                None => format!("You might need to specify \"USING {shown}::{cast}\"."),
            })
        })?;
        if let Some(ColumnDefault::Expression(text)) = &column.default {
            let empty = DFSchema::empty();
            let expr = crate::parser::stored::parse_expression(text)?;
            let expr = bind_expression(context, &expr, &empty)?;
            resolve::assign(context, expr, &ty, &empty).map_err(|error| {
                if !is_no_cast(&error) {
                    return error;
                }
                PgError::new(
                    SqlState::DATATYPE_MISMATCH,
                    format!(
                        "default for column \"{name}\" cannot be cast automatically to type {}",
                        ty.name()
                    ),
                )
            })?;
        }
        Ok(AlterStep::SetType { name, ty, convert })
    }

    fn state_error(&self, column: &Column, what: &str) -> PgError {
        PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("column \"{}\" of relation \"{}\" {what}", column.name, self.relation.name),
        )
    }

    fn add_identity(
        &self,
        name: &Ident,
        always: bool,
        options: &[SequenceOption],
    ) -> Result<AlterStep, PgError> {
        let column = &self.relation.columns()[column_of(&self.relation, name)?];
        of_identity(self.context, column, always, &[], self.relation.schema)?;
        if !column.not_null {
            return Err(
                self.state_error(column, "must be declared NOT NULL before identity can be added")
            );
        }
        match &column.default {
            Some(ColumnDefault::Identity { .. }) => {
                return Err(self.state_error(column, "is already an identity column"));
            }
            Some(ColumnDefault::Expression(_) | ColumnDefault::Generated(_)) => {
                return Err(self.state_error(column, "already has a default value"));
            }
            None => {}
        }
        let schema = self.relation.schema;
        let new = of_identity(self.context, column, always, options, schema)?;
        Ok(AlterStep::AddIdentity(new))
    }

    fn set_identity(&self, name: &Ident, changes: &[IdentityChange]) -> Result<AlterStep, PgError> {
        let column = &self.relation.columns()[column_of(&self.relation, name)?];
        if !matches!(column.default, Some(ColumnDefault::Identity { .. })) {
            return Err(self.state_error(column, "is not an identity column"));
        }
        let mut always = None;
        let mut given = Vec::new();
        for change in changes {
            match change {
                IdentityChange::Always(value) => {
                    if always.replace(*value).is_some() {
                        return Err(PgError::new(
                            SqlState::SYNTAX_ERROR,
                            "conflicting or redundant options",
                        ));
                    }
                }
                IdentityChange::Option(option) => given.push(option.clone()),
            }
        }
        let (mut options, restart) = bind_options(self.context, &given, self.relation.schema)?;
        options.restart = restart;
        Ok(AlterStep::SetIdentity { name: column.name.clone(), always, options })
    }

    fn drop_identity(&self, name: &Ident, if_exists: bool) -> Result<Option<AlterStep>, PgError> {
        let column = &self.relation.columns()[column_of(&self.relation, name)?];
        if matches!(column.default, Some(ColumnDefault::Identity { .. })) {
            return Ok(Some(AlterStep::DropIdentity { name: column.name.clone() }));
        }
        let error = self.state_error(column, "is not an identity column");
        if !if_exists {
            return Err(error);
        }
        self.context.notices.lock().push(skipping(&error));
        Ok(None)
    }

    fn drop_expression(&self, name: &Ident, if_exists: bool) -> Result<Option<AlterStep>, PgError> {
        let column = &self.relation.columns()[column_of(&self.relation, name)?];
        if matches!(column.default, Some(ColumnDefault::Generated(_))) {
            return Ok(Some(AlterStep::SetDefault { name: column.name.clone(), default: None }));
        }
        let error = self.state_error(column, "is not a stored generated column");
        if !if_exists {
            return Err(error);
        }
        self.context.notices.lock().push(skipping(&error));
        Ok(None)
    }

    /// What later actions see of this one.
    fn apply(&mut self, step: &AlterStep) {
        let Some(table) = self.relation.table().cloned() else { return };
        let mut columns = table.columns.clone();
        let find = |columns: &mut Vec<Column>, name: &str| {
            columns.iter().position(|column| column.name == name)
        };
        match step {
            AlterStep::AddColumn { column, .. } => columns.push(column.column.clone()),
            AlterStep::DropColumn { name, .. } => columns.retain(|column| column.name != *name),
            AlterStep::SetType { name, ty, .. } => {
                if let Some(at) = find(&mut columns, name) {
                    columns[at].ty = ty.clone();
                }
            }
            AlterStep::SetDefault { name, default } => {
                if let Some(at) = find(&mut columns, name) {
                    columns[at].default = default.clone().map(ColumnDefault::Expression);
                }
            }
            AlterStep::SetNotNull { name, not_null } => {
                if let Some(at) = find(&mut columns, name) {
                    columns[at].not_null = *not_null;
                }
            }
            AlterStep::DropIdentity { name } => {
                if let Some(at) = find(&mut columns, name) {
                    columns[at].default = None;
                }
            }
            _ => return,
        }
        let table = table.reshaped(columns, table.constraints.clone());
        self.relation = self.relation.with_table(table);
    }
}

fn with_column(relation: &Relation, column: Column) -> Relation {
    let Some(table) = relation.table() else { return relation.clone() };
    let mut columns = table.columns.clone();
    columns.push(column);
    relation.with_table(table.reshaped(columns, table.constraints.clone()))
}

fn kind_of(new: &NewConstraint) -> &'static str {
    match &new.kind {
        NewConstraintKind::PrimaryKey(_) => "PRIMARY KEY",
        NewConstraintKind::Unique { .. } => "UNIQUE",
        NewConstraintKind::FromIndex { primary: true, .. } => "PRIMARY KEY",
        NewConstraintKind::FromIndex { .. } => "UNIQUE",
        NewConstraintKind::Check { .. } => "CHECK",
        NewConstraintKind::ForeignKey { .. } => "FOREIGN KEY",
    }
}

/// The role that becomes the owner.
pub(super) fn owner_of(context: &BindContext, owner: &Owner) -> Result<Oid, PgError> {
    let name = match owner {
        Owner::Ident(name) if fold(name) == context.user => return Ok(context.role),
        Owner::Ident(name) => fold(name),
        Owner::CurrentRole | Owner::CurrentUser | Owner::SessionUser => {
            return Ok(context.role);
        }
    };
    let role =
        context.catalog.cluster.roles.values().find(|role| role.name == name).ok_or_else(|| {
            PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
        })?;
    Ok(role.oid)
}

/// What rows that are there get in a column of a domain; the domain must take it, be it null.
fn bind_domain_default(
    context: &BindContext,
    column: &Column,
) -> Result<datafusion::logical_expr::Expr, PgError> {
    let empty = DFSchema::empty();
    let default = default_of(context, column)?;
    let expr = bind_expression(context, &default, &empty)?;
    resolve::assign(context, expr, column.declared(), &empty)
}

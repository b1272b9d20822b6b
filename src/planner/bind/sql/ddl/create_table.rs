//! `CREATE TABLE`, and the columns and constraints that `ALTER TABLE … ADD` shares with it.

use std::sync::Arc;

use datafusion::common::DFSchema;
use sqlparser::ast::{
    ColumnDef, ColumnOption, ConstraintCharacteristics, ConstraintReferenceMatchKind, CreateTable,
    CreateTableOptions, DeferrableInitial, Expr, Ident, IndexColumn, NullsDistinctOption,
    ReferentialAction, TableConstraint,
};

use super::like::{Likeness, likeness};
use super::sequence::{self, NewSequence};
use super::{DdlCommand, NewTable, generated, place, skipping, storage_options};
use crate::catalog::pg::{collation_named, is_collatable};
use crate::catalog::{
    Column, ColumnDefault, Constraint, ConstraintKind, ConstraintTiming, ForeignKeyAction, Index,
    OnCommit, Persistence, Relation, RelationKind, Table,
};
use crate::error::{PgError, SqlState};
use crate::parser::pgq::GraphTable;
use crate::parser::{SET_COLUMNS, TableLike};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::{fold, qualified_name};
use crate::planner::bind::sql::query::{bind_expression, bind_query};
use crate::planner::bind::sql::resolve;
use crate::planner::bind::sql::stored::{bare, stored_default, stored_expression};
use crate::planner::bind::sql::types::sql_type;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// A column to be made, with what was written on it.
#[derive(Debug, Clone)]
pub struct NewColumn {
    /// The column; an identity's or SERIAL's default is set when its sequence is made.
    pub column: Column,
    /// Its constraints.
    pub constraints: Vec<NewConstraint>,
    /// Its sequence, if it is SERIAL or an identity column.
    pub sequence: Option<NewSequence>,
}

/// A constraint to be made; columns by name, as the table may not exist yet.
#[derive(Debug, Clone)]
pub struct NewConstraint {
    /// As given; generated when it is made otherwise.
    pub name: Option<String>,
    /// What it demands.
    pub kind: NewConstraintKind,
    /// When it is checked.
    pub timing: ConstraintTiming,
    /// Columns that the key's index has beside the key (INCLUDE).
    pub include: Vec<String>,
    /// NOT VALID: rows that are there already are not looked at.
    pub not_valid: bool,
}

impl NewConstraint {
    /// A constraint for all rows.
    pub fn new(name: Option<String>, kind: NewConstraintKind, timing: ConstraintTiming) -> Self {
        Self { name, kind, timing, include: Vec::new(), not_valid: false }
    }
}

/// What a new constraint demands.
#[derive(Debug, Clone)]
pub enum NewConstraintKind {
    /// PRIMARY KEY
    PrimaryKey(Vec<String>),
    /// UNIQUE
    Unique {
        /// Its columns.
        columns: Vec<String>,
        /// NULLS NOT DISTINCT
        nulls_not_distinct: bool,
    },
    /// `PRIMARY KEY USING INDEX`, `UNIQUE USING INDEX`
    FromIndex {
        /// The table's index.
        index: Oid,
        /// PRIMARY KEY, not UNIQUE.
        primary: bool,
    },
    /// CHECK
    Check {
        /// SQL text.
        condition: String,
    },
    /// FOREIGN KEY
    ForeignKey {
        /// Referring columns.
        columns: Vec<String>,
        /// The referenced table; `None` is the table being made.
        referenced: Option<Oid>,
        /// Referenced columns.
        referenced_columns: Vec<String>,
        /// ON UPDATE
        on_update: ForeignKeyAction,
        /// ON DELETE
        on_delete: ForeignKeyAction,
        /// The columns that ON DELETE SET NULL and SET DEFAULT set; all if there are none.
        delete_columns: Vec<String>,
        /// MATCH FULL
        match_full: bool,
    },
}

pub(super) fn bind(
    context: &BindContext,
    create: &CreateTable,
    graphs: &Arc<[GraphTable]>,
) -> Result<DdlCommand, PgError> {
    check_options(create)?;
    let name = qualified_name(&create.name)?;
    let (schema, mut persistence) = place(context, &name, create.temporary)?;
    if create.transient {
        persistence = Persistence::Unlogged;
    }
    if context.catalog.name_is_taken(schema, &name.name) {
        let exists = PgError::new(
            SqlState::DUPLICATE_TABLE,
            format!("relation \"{}\" already exists", name.name),
        );
        if create.if_not_exists {
            return Ok(DdlCommand::Skip { tag: "CREATE TABLE", notice: skipping(&exists) });
        }
        return Err(exists);
    }
    let mut table = NewTable {
        schema,
        name: name.name,
        columns: Vec::new(),
        constraints: Vec::new(),
        sequences: Vec::new(),
        persistence,
        on_commit: on_commit(create, persistence)?,
        options: match &create.table_options {
            CreateTableOptions::With(options) => storage_options(options)?,
            CreateTableOptions::None => Vec::new(),
            CreateTableOptions::Options(_)
            | CreateTableOptions::Plain(_)
            | CreateTableOptions::TableProperties(_) => {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in CREATE TABLE"));
            }
        },
        rows: None,
        materialized: None,
    };
    if let Some(query) = &create.query {
        let rows = bind_query(context, query, graphs)?;
        table.columns = columns_of_query(&rows.columns, &create.columns)?;
        table.rows = Some(rows);
        return Ok(DdlCommand::CreateTable(Box::new(table)));
    }
    let provisional = provisional(&table);
    for definition in &create.columns {
        let new = match TableLike::of(&definition.name.value) {
            Some(like) => likeness(context, &like)?,
            None => {
                let NewColumn { column, constraints, sequence } =
                    column(context, definition, &provisional)?;
                let sequences = sequence.into_iter().collect();
                Likeness { columns: vec![column], constraints, sequences }
            }
        };
        for column in new.columns {
            if table.columns.iter().any(|other| other.name == column.name) {
                return Err(PgError::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{}\" specified more than once", column.name),
                ));
            }
            table.columns.push(Column { attnum: table.columns.len() as i16 + 1, ..column });
        }
        table.constraints.extend(new.constraints);
        table.sequences.extend(new.sequences);
    }
    generated::check(context, &table.name, &table.columns)?;
    for definition in &create.constraints {
        table.constraints.push(constraint(context, definition, &provisional)?);
    }
    check_constraints(context, &table)?;
    Ok(DdlCommand::CreateTable(Box::new(table)))
}

/// The table before it is there: its name and place.
fn provisional(table: &NewTable) -> Relation {
    Relation {
        oid: Oid::INVALID,
        schema: table.schema,
        name: table.name.clone(),
        owner: Oid::INVALID,
        comment: None,
        persistence: table.persistence,
        kind: RelationKind::Table(Arc::new(Table::new(Vec::new(), Vec::new()))),
    }
}

fn columns_of_query(
    columns: &[crate::planner::bind::bound::BoundColumn],
    names: &[ColumnDef],
) -> Result<Vec<Column>, PgError> {
    if names.len() > columns.len() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "too many column names were specified"));
    }
    let mut result: Vec<Column> = Vec::with_capacity(columns.len());
    for (at, from) in columns.iter().enumerate() {
        let name = names.get(at).map_or_else(|| from.name.clone(), |name| fold(&name.name));
        if result.iter().any(|other| other.name == name) {
            return Err(PgError::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            ));
        }
        let ty = if from.ty == PgType::Unknown { PgType::Text } else { from.kept.clone() };
        result.push(Column::of(at as i16 + 1, name, ty));
    }
    Ok(result)
}

/// What happens to a temporary table at COMMIT.
fn on_commit(create: &CreateTable, persistence: Persistence) -> Result<OnCommit, PgError> {
    if create.on_commit.is_some() && persistence != Persistence::Temporary {
        return Err(PgError::new(
            SqlState::INVALID_TABLE_DEFINITION,
            "ON COMMIT can only be used on temporary tables",
        ));
    }
    Ok(match create.on_commit {
        None | Some(sqlparser::ast::OnCommit::PreserveRows) => OnCommit::PreserveRows,
        Some(sqlparser::ast::OnCommit::DeleteRows) => OnCommit::DeleteRows,
        Some(sqlparser::ast::OnCommit::Drop) => OnCommit::Drop,
    })
}

/// Everything that CREATE TABLE may say and we do not carry out is refused by name.
fn check_options(create: &CreateTable) -> Result<(), PgError> {
    let refuse = |what: &str| {
        Err(PgError::unsupported(format!("{what} is not supported yet"), "See docs/compat.md."))
    };
    if create.inherits.is_some() {
        return refuse("table inheritance");
    }
    if create.partition_by.is_some() || create.partition_of.is_some() {
        return refuse("table partitioning");
    }
    if create.like.is_some() {
        return refuse("CREATE TABLE … LIKE");
    }
    let foreign = create.or_replace
        || create.external
        || create.dynamic
        || create.volatile
        || create.iceberg
        || create.file_format.is_some()
        || create.location.is_some()
        || create.without_rowid
        || create.clone.is_some()
        || create.comment.is_some()
        || create.on_cluster.is_some()
        || create.primary_key.is_some()
        || create.order_by.is_some()
        || create.cluster_by.is_some()
        || create.clustered_by.is_some()
        || create.strict;
    if foreign {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in CREATE TABLE"));
    }
    Ok(())
}

/// A column definition of a table, which may not be made yet, with what is written on it.
pub(super) fn column(
    context: &BindContext,
    definition: &ColumnDef,
    relation: &Relation,
) -> Result<NewColumn, PgError> {
    let table = relation.name.as_str();
    let name = fold(&definition.name);
    let serial = sequence::serial_type(&definition.data_type.to_string());
    let ty = match &serial {
        Some(ty) => ty.clone(),
        None => sql_type(context.types(), &definition.data_type)?,
    };
    super::row_type::refuse_table_rows(context, &ty)?;
    let column = Column::of(0, name, ty);
    let mut new = NewColumn { column, constraints: Vec::new(), sequence: None };
    if serial.is_some() {
        new.column.not_null = true;
        new.sequence = Some(sequence::of_serial(&new.column));
    }
    let mut said_null = None;
    for option in &definition.options {
        let given = option.name.as_ref().map(fold);
        if let ColumnOption::Null | ColumnOption::NotNull = &option.option {
            let not_null = matches!(&option.option, ColumnOption::NotNull);
            if said_null.replace(not_null).is_some_and(|before| before != not_null)
                || (!not_null && new.sequence.is_some())
            {
                return Err(conflict("conflicting NULL/NOT NULL declarations", &new, table));
            }
            new.column.not_null |= not_null;
            continue;
        }
        column_option(context, &mut new, &option.option, given, relation)?;
    }
    if said_null == Some(false) && new.column.not_null {
        return Err(conflict("conflicting NULL/NOT NULL declarations", &new, table));
    }
    Ok(new)
}

fn conflict(what: &str, new: &NewColumn, table: &str) -> PgError {
    PgError::new(
        SqlState::SYNTAX_ERROR,
        format!("{what} for column \"{}\" of table \"{table}\"", new.column.name),
    )
}

/// One option of a column; constraints get the name `given`, if there is one.
fn column_option(
    context: &BindContext,
    new: &mut NewColumn,
    option: &ColumnOption,
    given: Option<String>,
    relation: &Relation,
) -> Result<(), PgError> {
    let (table, schema) = (relation.name.as_str(), relation.schema);
    let name = new.column.name.clone();
    match option {
        ColumnOption::Null | ColumnOption::NotNull => {}
        ColumnOption::Default(expr) => {
            refuse_second_value(new, table, "default")?;
            check_default(context, expr, &new.column)?;
            let text = stored_default(context, expr, &new.column.ty)?;
            new.column.default = Some(ColumnDefault::Expression(text));
        }
        ColumnOption::PrimaryKey(key) => {
            new.column.not_null = true;
            let kind = NewConstraintKind::PrimaryKey(vec![name]);
            let timing = timing(key.characteristics.as_ref())?;
            new.constraints.push(NewConstraint::new(given, kind, timing));
        }
        ColumnOption::Unique(key) => {
            let nulls_not_distinct = nulls_not_distinct(key.nulls_distinct);
            let kind = NewConstraintKind::Unique { columns: vec![name], nulls_not_distinct };
            let timing = timing(key.characteristics.as_ref())?;
            new.constraints.push(NewConstraint::new(given, kind, timing));
        }
        ColumnOption::Check(check) => {
            let condition = stored_expression(context, bare(&check.expr), Some(table))?;
            let kind = NewConstraintKind::Check { condition };
            let name = given.or(check.name.as_ref().map(fold));
            let timing = ConstraintTiming::NotDeferrable;
            new.constraints.push(NewConstraint::new(name, kind, timing));
        }
        ColumnOption::ForeignKey(key) => {
            let mut foreign = foreign_key(context, key, relation)?;
            if let NewConstraintKind::ForeignKey { columns, .. } = &mut foreign {
                *columns = vec![name];
            }
            let timing = timing(key.characteristics.as_ref())?;
            new.constraints.push(NewConstraint::new(given, foreign, timing));
        }
        ColumnOption::Generated { generation_expr: Some(expr), .. } => {
            refuse_second_value(new, table, "generation expression")?;
            let text = stored_expression(context, expr, Some(table))?;
            new.column.default = Some(ColumnDefault::Generated(text));
        }
        ColumnOption::Generated { generated_as, sequence_options, .. } => {
            refuse_second_value(new, table, "identity")?;
            let options = sequence::from_column(sequence_options.as_deref().unwrap_or_default());
            let always = sequence::is_always(generated_as);
            let made = sequence::of_identity(context, &new.column, always, &options, schema)?;
            new.sequence = Some(made);
            new.column.not_null = true;
        }
        ColumnOption::Collation(name) => {
            let ty = new.column.declared();
            if !is_collatable(&ty.plain()) {
                let ty = ty.without_modifier();
                let message = format!("collations are not supported by type {ty}");
                return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
            }
            super::check_collation(name)?;
            new.column.collation = collation_named(&qualified_name(name)?.name);
        }
        other => {
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("syntax error at or near \"{other}\""),
            ));
        }
    }
    Ok(())
}

/// A column gets its value in one way.
fn refuse_second_value(new: &NewColumn, table: &str, second: &str) -> Result<(), PgError> {
    let first = match (&new.column.default, &new.sequence) {
        (Some(ColumnDefault::Generated(_)), _) => "generation expression",
        (Some(ColumnDefault::Expression(_)), _) => "default",
        (_, Some(NewSequence { identity: Some(_), .. })) => "identity",
        (Some(ColumnDefault::Identity { .. }) | None, Some(_)) => "default",
        (Some(ColumnDefault::Identity { .. }) | None, None) => return Ok(()),
    };
    let what = match (first, second) {
        ("default", "default") => "multiple default values specified".to_owned(),
        ("identity", "identity") => "multiple identity specifications".to_owned(),
        ("generation expression", "generation expression") => {
            "multiple generation clauses specified".to_owned()
        }
        (first, second) => {
            // PostgreSQL names them in this order, whichever was written first.
            let order = ["default", "identity", "generation expression"];
            let mut both = [first, second];
            both.sort_by_key(|what| order.iter().position(|known| known == what));
            format!("both {} and {} specified", both[0], both[1])
        }
    };
    Err(conflict(&what, new, table))
}

/// A default must be readable as the column's type and may name no column.
pub(super) fn check_default(
    context: &BindContext,
    expr: &Expr,
    column: &Column,
) -> Result<(), PgError> {
    let empty = DFSchema::empty();
    let bound = bind_expression(context, expr, &empty).map_err(|error| {
        if error.code() == SqlState::UNDEFINED_COLUMN {
            PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot use column reference in DEFAULT expression",
            )
        } else {
            error
        }
    })?;
    resolve::assign(context, bound, &column.ty, &empty).map(drop).map_err(|error| {
        if error.code() == SqlState::CANNOT_COERCE {
            PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "column \"{}\" is of type {} but default expression is of another type",
                    column.name,
                    column.ty.without_modifier().name()
                ),
            )
            .hint("You will need to rewrite or cast the expression.")
        } else {
            error
        }
    })
}

/// When a constraint is checked.
///
/// # Errors
/// `42601` for a constraint that is deferred and not deferrable, `0A000` for NOT ENFORCED.
pub(super) fn timing(
    given: Option<&ConstraintCharacteristics>,
) -> Result<ConstraintTiming, PgError> {
    let Some(ConstraintCharacteristics { deferrable, initially, enforced }) = given else {
        return Ok(ConstraintTiming::NotDeferrable);
    };
    if *enforced == Some(false) {
        return Err(PgError::unsupported(
            "NOT ENFORCED is not supported",
            "Leave the constraint out.",
        ));
    }
    let deferred = *initially == Some(DeferrableInitial::Deferred);
    match deferrable {
        Some(false) if deferred => Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "constraint declared INITIALLY DEFERRED must be DEFERRABLE",
        )),
        Some(false) => Ok(ConstraintTiming::NotDeferrable),
        None | Some(true) if deferred => Ok(ConstraintTiming::InitiallyDeferred),
        Some(true) => Ok(ConstraintTiming::InitiallyImmediate),
        None => Ok(ConstraintTiming::NotDeferrable),
    }
}

fn nulls_not_distinct(nulls: NullsDistinctOption) -> bool {
    matches!(nulls, NullsDistinctOption::NotDistinct)
}

/// Columns that a constraint names, but not those inside a CHECK.
pub(super) fn constraint_columns(kind: &NewConstraintKind) -> &[String] {
    match kind {
        NewConstraintKind::PrimaryKey(columns)
        | NewConstraintKind::Unique { columns, .. }
        | NewConstraintKind::ForeignKey { columns, .. } => columns,
        NewConstraintKind::FromIndex { .. } | NewConstraintKind::Check { .. } => &[],
    }
}

/// A constraint of a table, which may not be made yet.
pub(super) fn constraint(
    context: &BindContext,
    definition: &TableConstraint,
    relation: &Relation,
) -> Result<NewConstraint, PgError> {
    let table = Some(relation.name.as_str());
    let index_columns = |columns: &[IndexColumn]| -> Result<Vec<String>, PgError> {
        columns
            .iter()
            .map(|column| match &column.column.expr {
                Expr::Identifier(ident) => Ok(fold(ident)),
                other => Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    format!("syntax error at or near \"{other}\""),
                )),
            })
            .collect()
    };
    let characteristics = match definition {
        TableConstraint::PrimaryKey(key) => key.characteristics.as_ref(),
        TableConstraint::Unique(key) => key.characteristics.as_ref(),
        TableConstraint::ForeignKey(key) => key.characteristics.as_ref(),
        _ => None,
    };
    let timing = timing(characteristics)?;
    let (name, kind) = match definition {
        TableConstraint::PrimaryKey(key) => {
            (key.name.as_ref(), NewConstraintKind::PrimaryKey(index_columns(&key.columns)?))
        }
        TableConstraint::Unique(key) => {
            let columns = index_columns(&key.columns)?;
            let nulls_not_distinct = nulls_not_distinct(key.nulls_distinct);
            (key.name.as_ref(), NewConstraintKind::Unique { columns, nulls_not_distinct })
        }
        TableConstraint::Check(check) => {
            if check.enforced == Some(false) {
                return Err(PgError::unsupported(
                    "NOT ENFORCED is not supported",
                    "Leave the constraint out.",
                ));
            }
            (
                check.name.as_ref(),
                NewConstraintKind::Check {
                    condition: stored_expression(context, bare(&check.expr), table)?,
                },
            )
        }
        TableConstraint::ForeignKey(key) => {
            (key.name.as_ref(), foreign_key(context, key, relation)?)
        }
        TableConstraint::PrimaryKeyUsingIndex(key) | TableConstraint::UniqueUsingIndex(key) => {
            let index = super::index::of_table(relation, &key.index_name).map_err(|_| {
                PgError::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("index \"{}\" does not exist", fold(&key.index_name)),
                )
            })?;
            let primary = matches!(definition, TableConstraint::PrimaryKeyUsingIndex(_));
            (key.name.as_ref(), NewConstraintKind::FromIndex { index, primary })
        }
        other => {
            return Err(PgError::unsupported(
                format!("constraint {other} is not supported"),
                "See docs/compat.md.",
            ));
        }
    };
    let include = match definition {
        TableConstraint::PrimaryKey(key) => listed_columns(key.index_name.as_ref())?,
        TableConstraint::Unique(key) => listed_columns(key.index_name.as_ref())?,
        _ => Vec::new(),
    };
    Ok(NewConstraint { include, ..NewConstraint::new(name.map(fold), kind, timing) })
}

/// The columns that the parser has put where MySQL names an index: those of `ON DELETE SET NULL (…)` and `INCLUDE (…)`.
fn listed_columns(names: Option<&Ident>) -> Result<Vec<String>, PgError> {
    let Some(names) = names else { return Ok(Vec::new()) };
    match names.value.strip_prefix(SET_COLUMNS) {
        Some(names) => Ok(names.split(SET_COLUMNS).map(str::to_owned).collect()),
        None => Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            format!("syntax error at or near \"{}\"", names.value),
        )),
    }
}

fn action(action: Option<&ReferentialAction>) -> ForeignKeyAction {
    match action {
        None | Some(ReferentialAction::NoAction) => ForeignKeyAction::NoAction,
        Some(ReferentialAction::Restrict) => ForeignKeyAction::Restrict,
        Some(ReferentialAction::Cascade) => ForeignKeyAction::Cascade,
        Some(ReferentialAction::SetNull) => ForeignKeyAction::SetNull,
        Some(ReferentialAction::SetDefault) => ForeignKeyAction::SetDefault,
    }
}

fn foreign_key(
    context: &BindContext,
    key: &sqlparser::ast::ForeignKeyConstraint,
    table: &Relation,
) -> Result<NewConstraintKind, PgError> {
    let match_full = match &key.match_kind {
        None | Some(ConstraintReferenceMatchKind::Simple) => false,
        Some(ConstraintReferenceMatchKind::Full) => true,
        Some(ConstraintReferenceMatchKind::Partial) => {
            return Err(PgError::unsupported(
                "MATCH PARTIAL not yet implemented",
                "Use MATCH SIMPLE or MATCH FULL.",
            ));
        }
    };
    let delete_columns = listed_columns(key.index_name.as_ref())?;
    let name = qualified_name(&key.foreign_table)?;
    let own = name.name == table.name
        && name.schema.as_ref().is_none_or(|schema| {
            context.catalog.schema(schema).is_some_and(|schema| schema.oid == table.schema)
        });
    let names = |idents: &[Ident]| idents.iter().map(fold).collect::<Vec<_>>();
    let mut referenced_columns = names(&key.referred_columns);
    let referenced = if own {
        None
    } else {
        let relation = context.relation(&name)?;
        let Some(target) = relation.table() else {
            return Err(PgError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("referenced relation \"{}\" is not a table", relation.name),
            ));
        };
        if referenced_columns.is_empty() {
            referenced_columns = primary_key_names(target).ok_or_else(|| {
                PgError::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("there is no primary key for referenced table \"{}\"", relation.name),
                )
            })?;
        }
        check_referenced(target, &relation.name, &referenced_columns)?;
        Some(relation.oid)
    };
    Ok(NewConstraintKind::ForeignKey {
        columns: names(&key.columns),
        referenced,
        referenced_columns,
        on_update: action(key.on_update.as_ref()),
        on_delete: action(key.on_delete.as_ref()),
        delete_columns,
        match_full,
    })
}

fn primary_key_names(table: &Table) -> Option<Vec<String>> {
    Some(table.primary_key()?.iter().map(|at| table.columns[*at].name.clone()).collect())
}

/// The referenced columns must be a key.
fn check_referenced(table: &Table, name: &str, columns: &[String]) -> Result<(), PgError> {
    let mut positions = Vec::with_capacity(columns.len());
    for column in columns {
        positions.push(table.position(column).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{column}\" referenced in foreign key constraint does not exist"),
            )
        })?);
    }
    positions.sort_unstable();
    let is_key = |constraint: &&Constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } => {
            let mut key = columns.clone();
            key.sort_unstable();
            key == positions
        }
        ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } => false,
    };
    let mut keys = table.constraints.iter().filter(is_key).peekable();
    let is_deferrable = keys.peek().is_some();
    let is_unique = table.indexes.iter().filter_map(Index::unique_columns).any(|mut key| {
        key.sort_unstable();
        key == positions
    });
    if is_unique || keys.any(|key| key.timing == ConstraintTiming::NotDeferrable) {
        return Ok(());
    }
    if is_deferrable {
        return Err(PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("cannot use a deferrable unique constraint for referenced table \"{name}\""),
        ));
    }
    Err(PgError::new(
        SqlState::INVALID_FOREIGN_KEY,
        format!(
            "there is no unique constraint matching given keys for referenced table \"{name}\""
        ),
    ))
}

/// Columns that constraints name must be there, and there is one primary key at most.
fn check_constraints(context: &BindContext, table: &NewTable) -> Result<(), PgError> {
    let mut primary = false;
    let fields: Vec<_> = table
        .columns
        .iter()
        .map(|column| {
            (Some(table.name.as_str().into()), Arc::new(column.ty.field(&column.name, true)))
        })
        .collect();
    let schema = DFSchema::new_with_metadata(fields, Default::default())?;
    for constraint in &table.constraints {
        let named = match &constraint.kind {
            NewConstraintKind::FromIndex { .. } => continue,
            NewConstraintKind::PrimaryKey(columns) => {
                if primary {
                    return Err(PgError::new(
                        SqlState::INVALID_TABLE_DEFINITION,
                        format!(
                            "multiple primary keys for table \"{}\" are not allowed",
                            table.name
                        ),
                    ));
                }
                primary = true;
                columns
            }
            NewConstraintKind::Unique { columns, .. }
            | NewConstraintKind::ForeignKey { columns, .. } => columns,
            NewConstraintKind::Check { condition, .. } => {
                check_condition(context, condition, &schema)?;
                continue;
            }
        };
        for name in named {
            if !table.columns.iter().any(|column| column.name == *name) {
                return Err(PgError::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{name}\" named in key does not exist"),
                ));
            }
        }
    }
    Ok(())
}

/// A CHECK must be a condition over the table's columns.
pub(super) fn check_condition(
    context: &BindContext,
    condition: &str,
    schema: &DFSchema,
) -> Result<(), PgError> {
    let expr = crate::parser::stored::parse_expression(condition)?;
    let bound = bind_expression(context, &expr, schema)?;
    let ty = crate::planner::bind::sql::query::type_of(&bound, schema)?;
    if ty != PgType::Bool {
        return Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("argument of CHECK must be type boolean, not type {}", ty.name()),
        ));
    }
    Ok(())
}

//! Data definition: carrying out admitted commands inside the transaction.

mod alter;
mod drop;
mod names;
mod sequence;
mod truncate;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;

use super::pipeline::{self, Executed};
use super::session_impl::Session;
use crate::access::Admitted;
use crate::catalog::{
    Catalog, Column, Constraint, ConstraintKind, Persistence, Relation, RelationKind, Schema, Table,
};
use crate::error::{PgError, SqlState};
use crate::executor::WriteTarget;
use crate::executor::write::check_key_type;
use crate::planner::bind::sql::ddl::{DdlCommand, NewConstraint, NewConstraintKind, NewTable};
use crate::planner::bind::{Bound, BoundPlan};
use crate::storage::TableVersion;
use crate::types::Oid;

/// Runs a command; its tag.
pub(super) async fn run(
    session: &mut Session,
    command: Admitted<DdlCommand>,
) -> Result<String, PgError> {
    session.statement_snapshot()?;
    if session.transaction.as_ref().is_some_and(|transaction| transaction.read_only) {
        return Err(PgError::new(
            SqlState::READ_ONLY_SQL_TRANSACTION,
            "cannot execute this statement in a read-only transaction",
        ));
    }
    let owner = session.shared.caller.role;
    let mut catalog = current_catalog(session)?;
    let tag = match command.into_inner() {
        DdlCommand::Skip { tag, notice } => {
            session.shared.notify(notice);
            return Ok(tag.to_owned());
        }
        DdlCommand::CreateSchema { name, if_not_exists: _ } => {
            let oid = catalog.allocate();
            catalog.put_schema(Schema { oid, name, owner });
            "CREATE SCHEMA"
        }
        DdlCommand::DropSchema { schemas, cascade } => {
            drop::drop_schemas(session, &mut catalog, &schemas, cascade)?;
            "DROP SCHEMA"
        }
        DdlCommand::CreateSequence { schema, name, persistence, options } => {
            let new = sequence::Create { schema, name, persistence, options };
            sequence::create(session, &mut catalog, new)?;
            "CREATE SEQUENCE"
        }
        DdlCommand::AlterSequence { relation, options } => {
            sequence::alter(session, &mut catalog, &relation, &options)?;
            "ALTER SEQUENCE"
        }
        DdlCommand::CreateTable(table) => {
            return create_table(session, catalog, *table).await;
        }
        DdlCommand::AlterTable { relation, steps } => {
            return alter::run(session, catalog, &relation, steps).await;
        }
        DdlCommand::DropRelations { relations, missing, cascade, kind } => {
            for name in missing {
                session.shared.notify(PgError::notice(format!(
                    "{} \"{name}\" does not exist, skipping",
                    kind.to_lowercase()
                )));
            }
            let oids: BTreeSet<Oid> = relations.iter().map(|relation| relation.oid).collect();
            drop::drop_relations(session, &mut catalog, &oids, cascade)?;
            set_catalog(session, catalog);
            return Ok(format!("DROP {kind}"));
        }
        DdlCommand::CreateView { schema, name, view, replaces } => {
            let oid = match replaces {
                Some(oid) => oid,
                None if session.system => {
                    let schema =
                        catalog.schemas.get(&schema).map_or("", |schema| schema.name.as_str());
                    crate::catalog::pg::system_view_oid(schema, &name)
                        .unwrap_or_else(|| catalog.allocate())
                }
                None => catalog.allocate(),
            };
            let kind = RelationKind::View(Arc::new(view));
            catalog.put_relation(Relation {
                oid,
                schema,
                name,
                owner,
                comment: None,
                persistence: Persistence::Permanent,
                kind,
            });
            "CREATE VIEW"
        }
        DdlCommand::Truncate { relations, restart, cascade } => {
            if truncate::run(session, &mut catalog, &relations, restart, cascade)? {
                set_catalog(session, catalog);
            }
            return Ok("TRUNCATE TABLE".to_owned());
        }
        DdlCommand::CreateGraph { schema, mut graph, replaces } => {
            let oid = replaces.unwrap_or_else(|| catalog.allocate());
            graph.oid = oid;
            let name = graph.name.clone();
            let kind = RelationKind::PropertyGraph(Arc::new(*graph));
            catalog.put_relation(Relation {
                oid,
                schema,
                name,
                owner,
                comment: None,
                persistence: Persistence::Permanent,
                kind,
            });
            "CREATE PROPERTY GRAPH"
        }
        DdlCommand::AlterGraph { relation, graph } => {
            let mut changed = relation.as_ref().clone();
            changed.kind = RelationKind::PropertyGraph(Arc::new(*graph));
            catalog.put_relation(changed);
            "ALTER PROPERTY GRAPH"
        }
        DdlCommand::Comment { relation, column, text } => {
            comment(&mut catalog, &relation, column, text);
            "COMMENT"
        }
    };
    set_catalog(session, catalog);
    Ok(tag.to_owned())
}

fn current_catalog(session: &Session) -> Result<Catalog, PgError> {
    match &session.transaction {
        Some(transaction) => Ok(transaction.catalog.as_ref().clone()),
        None => Err(PgError::internal("no transaction")),
    }
}

fn set_catalog(session: &mut Session, catalog: Catalog) {
    if let Some(transaction) = &mut session.transaction {
        transaction.set_catalog(catalog);
        session.shared.set_catalog(&transaction.catalog);
    }
}

/// Changes the transaction's rows.
fn with_writes(session: &Session, change: impl FnOnce(&mut crate::executor::write::Writes)) {
    if let Some(transaction) = &session.transaction {
        change(&mut transaction.writes.lock());
    }
}

fn version_of(session: &Session, table: Oid) -> Option<Arc<TableVersion>> {
    let transaction = session.transaction.as_ref()?;
    transaction.writes.lock().view().table(table).cloned()
}

async fn create_table(
    session: &mut Session,
    mut catalog: Catalog,
    new: NewTable,
) -> Result<String, PgError> {
    let owner = session.shared.caller.role;
    let oid = catalog.allocate();
    let NewTable { schema, name, columns, constraints, sequences, rows } = new;
    let mut table = Table::new(columns, Vec::new());
    let mut relation = Relation {
        oid,
        schema,
        name,
        owner,
        comment: None,
        persistence: Persistence::Permanent,
        kind: RelationKind::Table(Arc::new(table.clone())),
    };
    for new in &sequences {
        let Some(column) = table.columns.iter_mut().find(|column| column.name == new.column) else {
            continue;
        };
        let made =
            sequence::create_for_column(session, &mut catalog, &relation, column.attnum, new)?;
        column.default = Some(made.1);
    }
    for constraint in constraints {
        add_constraint(&mut catalog, &relation, &mut table, constraint)?;
        relation.kind = RelationKind::Table(Arc::new(table.clone()));
    }
    let table = Table::new(table.columns, table.constraints);
    let version = TableVersion::empty(oid, Arc::clone(&table.schema));
    relation.kind = RelationKind::Table(Arc::new(table));
    let relation_name = relation.name.clone();
    catalog.put_relation(relation);
    let tag = match rows {
        None => "CREATE TABLE".to_owned(),
        Some(_) => String::new(),
    };
    let rows = match rows {
        Some(plan) => Some(compute_rows(session, plan).await?),
        None => None,
    };
    with_writes(session, |writes| writes.put_table(version));
    set_catalog(session, catalog);
    let Some(batches) = rows else { return Ok(tag) };
    let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    let relation = transaction
        .catalog
        .relation(oid)
        .cloned()
        .ok_or_else(|| PgError::internal(format!("table \"{relation_name}\" was not made")))?;
    let target = session.write_target(transaction);
    target.insert(&relation, batches).await?;
    target.finish().await?;
    Ok(format!("SELECT {count}"))
}

/// All rows of a query, for CREATE TABLE … AS. The gate admits the query by itself.
async fn compute_rows(session: &mut Session, plan: BoundPlan) -> Result<Vec<RecordBatch>, PgError> {
    let executed = Box::pin(pipeline::start(session, &Bound::Plan(plan), Vec::new())).await?;
    let Executed::Rows(rows) = executed else {
        return Err(PgError::internal("a query gave no rows"));
    };
    let mut stream = super::statements::read(&Arc::new(parking_lot::Mutex::new(rows)), 0)?;
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        batches.push(batch?);
    }
    Ok(batches)
}

fn positions(relation: &Relation, table: &Table, names: &[String]) -> Result<Vec<usize>, PgError> {
    names
        .iter()
        .map(|name| {
            table.position(name).ok_or_else(|| {
                PgError::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{name}\" of relation \"{}\" does not exist", relation.name),
                )
            })
        })
        .collect()
}

/// A name that no other relation of the schema, nor constraint of the table, has.
fn free_name(catalog: &Catalog, schema: Oid, table: &Table, wanted: &str) -> String {
    let taken = |name: &str| {
        catalog.relation_in(schema, name).is_some()
            || table.constraints.iter().any(|constraint| constraint.name == name)
    };
    let mut name = wanted.to_owned();
    let mut number = 0;
    while taken(&name) {
        number += 1;
        name = format!("{wanted}{number}");
    }
    name
}

/// Adds a constraint to a table; existing rows are the caller's to check.
fn add_constraint(
    catalog: &mut Catalog,
    relation: &Relation,
    table: &mut Table,
    new: NewConstraint,
) -> Result<(), PgError> {
    if let Some(name) = &new.name
        && table.constraints.iter().any(|constraint| constraint.name == *name)
    {
        return Err(PgError::new(
            SqlState::DUPLICATE_OBJECT,
            format!("constraint \"{name}\" for relation \"{}\" already exists", relation.name),
        ));
    }
    let (suffix, kind) = match new.kind {
        NewConstraintKind::PrimaryKey(names) => {
            if table.primary_key().is_some() {
                return Err(PgError::new(
                    SqlState::INVALID_TABLE_DEFINITION,
                    format!(
                        "multiple primary keys for table \"{}\" are not allowed",
                        relation.name
                    ),
                ));
            }
            let columns = positions(relation, table, &names)?;
            for column in &columns {
                check_key_type(&table.columns[*column].ty)?;
                table.columns[*column].not_null = true;
            }
            (
                "pkey".to_owned(),
                ConstraintKind::PrimaryKey {
                    columns,
                    index: catalog.allocate(),
                    include: Vec::new(),
                },
            )
        }
        NewConstraintKind::Unique { columns: names, nulls_not_distinct } => {
            let columns = positions(relation, table, &names)?;
            for column in &columns {
                check_key_type(&table.columns[*column].ty)?;
            }
            (
                format!("{}_key", names.join("_")),
                ConstraintKind::Unique {
                    columns,
                    index: catalog.allocate(),
                    include: Vec::new(),
                    nulls_not_distinct,
                },
            )
        }
        NewConstraintKind::Check { condition, column } => {
            let suffix =
                column.map_or_else(|| "check".to_owned(), |column| format!("{column}_check"));
            (suffix, ConstraintKind::Check { condition })
        }
        NewConstraintKind::ForeignKey {
            columns,
            referenced,
            referenced_columns,
            on_update,
            on_delete,
            delete_columns,
            match_full,
        } => {
            let delete_columns = positions(relation, table, &delete_columns)?;
            let (suffix, kind) = foreign_key(
                catalog,
                relation,
                table,
                ForeignKey { columns, referenced, referenced_columns },
            )?;
            let ConstraintKind::ForeignKey { columns, referenced, referenced_columns, .. } = kind
            else {
                return Err(PgError::internal("a foreign key became something else"));
            };
            if let Some(outside) = delete_columns.iter().find(|at| !columns.contains(at)) {
                return Err(PgError::new(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    format!(
                        "column \"{}\" referenced in ON DELETE SET action must be part of foreign key",
                        table.columns[*outside].name
                    ),
                ));
            }
            (
                suffix,
                ConstraintKind::ForeignKey {
                    columns,
                    referenced,
                    referenced_columns,
                    on_update,
                    on_delete,
                    delete_columns,
                    match_full,
                },
            )
        }
    };
    let name = new.name.unwrap_or_else(|| {
        free_name(catalog, relation.schema, table, &format!("{}_{suffix}", relation.name))
    });
    let oid = catalog.allocate();
    let timing = new.timing;
    table.constraints.push(Constraint { timing, ..Constraint::new(oid, name, kind) });
    Ok(())
}

struct ForeignKey {
    columns: Vec<String>,
    referenced: Option<Oid>,
    referenced_columns: Vec<String>,
}

fn foreign_key(
    catalog: &Catalog,
    relation: &Relation,
    table: &Table,
    key: ForeignKey,
) -> Result<(String, ConstraintKind), PgError> {
    let columns = positions(relation, table, &key.columns)?;
    let other =
        key.referenced.and_then(|oid| catalog.relation(oid)).and_then(|other| other.table());
    let target: &Table = other.map_or(table, Arc::as_ref);
    let referenced_columns = if key.referenced_columns.is_empty() {
        target.primary_key().map(<[usize]>::to_vec).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("there is no primary key for referenced table \"{}\"", relation.name),
            )
        })?
    } else {
        positions(relation, target, &key.referenced_columns)?
    };
    if columns.len() != referenced_columns.len() {
        return Err(PgError::new(
            SqlState::INVALID_FOREIGN_KEY,
            "number of referencing and referenced columns for foreign key disagree",
        ));
    }
    for (own, theirs) in columns.iter().zip(&referenced_columns) {
        let (own, theirs) = (&table.columns[*own], &target.columns[*theirs]);
        if own.ty.category() != theirs.ty.category() {
            return Err(PgError::new(
                SqlState::DATATYPE_MISMATCH,
                "foreign key constraint cannot be implemented",
            )
            .detail(format!(
                "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                own.name,
                theirs.name,
                own.ty.name(),
                theirs.ty.name()
            )));
        }
    }
    let kind = ConstraintKind::ForeignKey {
        columns,
        referenced: key.referenced.unwrap_or(relation.oid),
        referenced_columns,
        on_update: Default::default(),
        on_delete: Default::default(),
        delete_columns: Vec::new(),
        match_full: false,
    };
    Ok((format!("{}_fkey", key.columns.join("_")), kind))
}

fn comment(
    catalog: &mut Catalog,
    relation: &Relation,
    column: Option<usize>,
    text: Option<String>,
) {
    let mut relation = relation.clone();
    let Some(at) = column else {
        relation.comment = text;
        catalog.put_relation(relation);
        return;
    };
    let set = |columns: &mut Vec<Column>| {
        if let Some(column) = columns.get_mut(at) {
            column.comment = text;
        }
    };
    match &mut relation.kind {
        RelationKind::Table(table) | RelationKind::System(table) => {
            set(&mut Arc::make_mut(table).columns)
        }
        RelationKind::View(view) => set(&mut Arc::make_mut(view).columns),
        RelationKind::MaterializedView(view) => {
            set(&mut Arc::make_mut(&mut Arc::make_mut(view).table).columns)
        }
        RelationKind::Sequence(_) | RelationKind::PropertyGraph(_) => {}
    }
    catalog.put_relation(relation);
}

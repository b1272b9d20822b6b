//! Data definition: carrying out admitted commands inside the transaction.

mod alter;
mod constraint;
mod domain;
mod drop;
mod index;
mod label_rule;
mod names;
mod object;
mod policy;
mod roles;
mod sequence;
mod truncate;
mod user_type;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;

use super::pipeline::{self, Executed};
use super::session_impl::Session;
use crate::access::Admitted;
use crate::catalog::{
    AclClass, Catalog, Column, MaterializedView, NewOpenGraph, Persistence, Relation, RelationKind,
    Schema, Table,
};
use crate::error::{PgError, SqlState};
use crate::executor::WriteTarget;
use crate::executor::write::Collision;
use crate::planner::bind::sql::ddl::{DdlCommand, NewTable, ObjectChange, ObjectRef};
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
    let owner = session.shared.caller().role;
    let mut catalog = current_catalog(session)?;
    let tag = match command.into_inner() {
        DdlCommand::Skip { tag, notice } => {
            session.shared.notify(notice);
            return Ok(tag.to_owned());
        }
        DdlCommand::CreateSchema { name, if_not_exists: _, owner: said } => {
            let owner = said.unwrap_or(owner);
            roles::check_create_schema(session, &catalog, owner)?;
            let oid = catalog.allocate();
            catalog.put_schema(Schema { oid, name, owner });
            roles::born(&mut catalog, AclClass::Schema, oid, owner, Oid::INVALID);
            "CREATE SCHEMA"
        }
        DdlCommand::Roles(command) => {
            let tag = command.tag();
            roles::run(session, &mut catalog, *command)?;
            tag
        }
        DdlCommand::DropSchema { schemas, cascade } => {
            drop::drop_schemas(session, &mut catalog, &schemas, cascade)?;
            "DROP SCHEMA"
        }
        DdlCommand::CreateSequence { schema, name, persistence, options } => {
            let schema = place(session, &mut catalog, schema);
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
        DdlCommand::AlterObject { object, change, tag } => {
            if let (ObjectChange::OwnerTo(role), ObjectRef::Relation(relation)) = (&change, &object)
            {
                roles::check_owner_change(session, &catalog, relation.schema, *role)?;
            } else if let (ObjectChange::Rename(_), ObjectRef::Schema(_)) = (&change, &object) {
                roles::check_database_create(session, &catalog)?;
            } else if let ObjectChange::OwnerTo(role) = &change {
                crate::access::roles::check_new_owner(&catalog, &session.shared.caller(), *role)?;
            }
            object::alter(&mut catalog, &object, change)?;
            tag
        }
        DdlCommand::CreateIndex(new) => {
            index::create(session, &mut catalog, *new)?;
            "CREATE INDEX"
        }
        DdlCommand::DropIndexes { indexes, missing, cascade: _ } => {
            for name in missing {
                session
                    .shared
                    .notify(PgError::notice(format!("index \"{name}\" does not exist, skipping")));
            }
            index::drop(&mut catalog, &indexes)?;
            "DROP INDEX"
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
        DdlCommand::CreateView { schema, name, view, persistence, replaces } => {
            let schema = place(session, &mut catalog, schema);
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
            let owner = match replaces.and_then(|oid| catalog.relation(oid)) {
                Some(old) => old.owner,
                None => owner,
            };
            catalog.put_relation(Relation {
                oid,
                schema,
                name,
                owner,
                comment: None,
                persistence,
                kind,
            });
            if replaces.is_none() {
                roles::born(&mut catalog, AclClass::Table, oid, owner, schema);
            }
            "CREATE VIEW"
        }
        DdlCommand::Type(command) => {
            let tag = Box::pin(user_type::run(session, catalog, *command)).await?;
            return Ok(tag.to_owned());
        }
        DdlCommand::CreateFunction { mut function, replaces } => {
            match replaces.and_then(|oid| catalog.functions.get(&oid)) {
                Some(old) => (function.oid, function.owner) = (old.oid, old.owner),
                None => {
                    function.oid = catalog.allocate();
                    let (oid, owner, schema) = (function.oid, function.owner, function.schema);
                    roles::born(&mut catalog, AclClass::Function, oid, owner, schema);
                }
            }
            let tag = if function.procedure { "CREATE PROCEDURE" } else { "CREATE FUNCTION" };
            catalog.put_function(*function);
            tag
        }
        DdlCommand::GiveFunction { function, to } => {
            roles::check_owner_change(session, &catalog, function.schema, to)?;
            crate::access::owned::give_function(&mut catalog, &function, to);
            "ALTER FUNCTION"
        }
        DdlCommand::DropFunctions { functions, missing, procedure } => {
            let (kind, tag) = match procedure {
                true => ("procedure", "DROP PROCEDURE"),
                false => ("function", "DROP FUNCTION"),
            };
            for name in missing {
                let message = format!("{kind} {name} does not exist, skipping");
                session.shared.notify(PgError::notice(message));
            }
            functions.iter().for_each(|function| catalog.remove_function(function.oid));
            tag
        }
        DdlCommand::RefreshView { relation, rows, concurrently: _ } => {
            return refresh(session, catalog, &relation, rows.map(|rows| *rows)).await;
        }
        DdlCommand::Truncate { relations, restart, cascade } => {
            if truncate::run(session, &mut catalog, &relations, restart, cascade)? {
                set_catalog(session, catalog);
            }
            return Ok("TRUNCATE TABLE".to_owned());
        }
        DdlCommand::CreateGraph { schema, graph, replaces } if graph.open.is_some() => {
            if let Some(old) = replaces {
                drop::drop_relations(session, &mut catalog, &BTreeSet::from([old]), false)?;
            }
            let counter = session.shared.sequences.allocate();
            let new = NewOpenGraph { schema, name: graph.name, owner, counter };
            catalog.create_open_graph(new)?;
            "CREATE PROPERTY GRAPH"
        }
        DdlCommand::CreateGraph { schema, mut graph, replaces } => {
            if let Some(old) = replaces
                && catalog.relation(old).is_some_and(|old| drop::open_schema(old).is_some())
            {
                drop::drop_relations(session, &mut catalog, &BTreeSet::from([old]), false)?;
            }
            let schema = place(session, &mut catalog, schema);
            let oid = replaces.unwrap_or_else(|| catalog.allocate());
            graph.oid = oid;
            let name = graph.name.clone();
            let temporary = catalog
                .schemas
                .get(&schema)
                .is_some_and(|schema| schema.name.starts_with("pg_temp"));
            let kind = RelationKind::PropertyGraph(Arc::new(*graph));
            catalog.put_relation(Relation {
                oid,
                schema,
                name,
                owner,
                comment: None,
                persistence: if temporary {
                    Persistence::Temporary
                } else {
                    Persistence::Permanent
                },
                kind,
            });
            roles::born(&mut catalog, AclClass::Graph, oid, owner, schema);
            "CREATE PROPERTY GRAPH"
        }
        DdlCommand::AlterGraph { relation, graph } => {
            let mut changed = relation.as_ref().clone();
            changed.kind = RelationKind::PropertyGraph(Arc::new(*graph));
            catalog.put_relation(changed);
            "ALTER PROPERTY GRAPH"
        }
        DdlCommand::LabelRule { relation, change } => {
            let tag = change.tag();
            label_rule::change(session, &mut catalog, &relation, change)?;
            tag
        }
        DdlCommand::Policy { relation, change } => {
            let tag = change.tag();
            policy::change(&mut catalog, &relation, change)?;
            tag
        }
        DdlCommand::CommentOn { owned: _, object, text } => {
            catalog.set_comment(object, text);
            "COMMENT"
        }
        DdlCommand::Comment { relation, column, text } => {
            comment(&mut catalog, &relation, column, text);
            "COMMENT"
        }
    };
    set_catalog(session, catalog);
    Ok(tag.to_owned())
}

/// Where a new object goes: number 0 stands for the session's temporary schema, which may have to be made.
fn place(session: &Session, catalog: &mut Catalog, schema: Oid) -> Oid {
    match schema {
        Oid::INVALID => super::temporary::schema(session, catalog),
        schema => schema,
    }
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
    let owner = session.shared.caller().role;
    let oid = catalog.allocate();
    let NewTable {
        schema,
        name,
        columns,
        constraints,
        sequences,
        persistence,
        on_commit,
        options,
        rows,
        materialized,
    } = new;
    let schema = place(session, &mut catalog, schema);
    let mut table = Table::new(columns, Vec::new());
    table.options = options;
    table.on_commit = on_commit;
    let mut relation = Relation {
        oid,
        schema,
        name,
        owner,
        comment: None,
        persistence,
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
        constraint::add(session, &mut catalog, &relation, &mut table, constraint)?;
        relation.kind = RelationKind::Table(Arc::new(table.clone()));
    }
    let table = table.reshaped(table.columns.clone(), table.constraints.clone());
    let version = TableVersion::empty(oid, Arc::clone(&table.schema));
    let table = Arc::new(table);
    let mut tag = "CREATE TABLE";
    relation.kind = match materialized {
        None => RelationKind::Table(table),
        Some(view) => {
            tag = "CREATE MATERIALIZED VIEW";
            let view = MaterializedView { view: *view, table, populated: rows.is_some() };
            RelationKind::MaterializedView(Arc::new(view))
        }
    };
    catalog.put_relation(relation);
    roles::born(&mut catalog, AclClass::Table, oid, owner, schema);
    let rows = match rows {
        Some(plan) => Some(compute_rows(session, plan).await?),
        None => None,
    };
    with_writes(session, |writes| writes.put_table(version));
    set_catalog(session, catalog);
    let Some(batches) = rows else { return Ok(tag.to_owned()) };
    let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
    fill(session, oid, batches).await?;
    Ok(format!("SELECT {count}"))
}

/// Puts rows into a table that has none.
async fn fill(session: &Session, table: Oid, batches: Vec<RecordBatch>) -> Result<(), PgError> {
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    let relation = transaction.catalog.relation(table).cloned();
    let relation = relation.ok_or_else(|| PgError::internal("the table was not made"))?;
    let target = session.write_target(transaction);
    target.insert(&relation, batches, Collision::Write).await?;
    target.finish().await
}

/// `REFRESH MATERIALIZED VIEW`: the rows its query has now, in place of those it had.
async fn refresh(
    session: &mut Session,
    mut catalog: Catalog,
    relation: &Relation,
    rows: Option<BoundPlan>,
) -> Result<String, PgError> {
    let RelationKind::MaterializedView(view) = &relation.kind else {
        return Err(PgError::internal("no materialized view to refresh"));
    };
    let rows = match rows {
        Some(plan) => Some(compute_rows(session, plan).await?),
        None => None,
    };
    let view = MaterializedView { populated: rows.is_some(), ..view.as_ref().clone() };
    let version = TableVersion::empty(relation.oid, Arc::clone(&view.table.schema));
    let kind = RelationKind::MaterializedView(Arc::new(view));
    catalog.put_relation(Relation { kind, ..relation.clone() });
    with_writes(session, |writes| writes.put_table(version));
    set_catalog(session, catalog);
    if let Some(batches) = rows {
        fill(session, relation.oid, batches).await?;
    }
    Ok("REFRESH MATERIALIZED VIEW".to_owned())
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

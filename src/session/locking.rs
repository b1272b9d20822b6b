//! Which tables a statement locks before it runs, and how long it waits for others.
//!
//! A statement is bound, then locks what it uses, then looks whether definitions moved before the locks were had; if so
//! it is bound again. What changes definitions also locks the definitions of the whole database, last, so that two
//! sessions that do take turns. Table locks come first: who waits for a table keeps nobody from changing another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use sqlparser::ast::ObjectName;

use super::facts::SessionAnswers;
use super::session_impl::Session;
use super::transaction::Transaction;
use crate::access::privilege::{denied, has_whole};
use crate::access::{Needs, Right, admit_ddl, require, require_ddl};
use crate::catalog::{Catalog, Relation, RelationKind};
use crate::error::{PgError, SqlState};
use crate::executor::WriteTarget;
use crate::executor::write::{Collision, StatementLocks, lock_error};
use crate::functions::context::{CatalogFacts as _, RegKind};
use crate::planner::bind::Bound;
use crate::planner::bind::context::undefined_table;
use crate::planner::bind::sql::ddl::{AlterStep, DdlCommand, NewConstraint, NewConstraintKind};
use crate::planner::bind::sql::qualified_name;
use crate::storage::locks::{LockTarget, WhenHeld};
use crate::storage::{LockOwner, TableLock};
use crate::types::Oid;

/// Tables, and the strongest mode each is locked in.
type TableLocks = BTreeMap<Oid, TableLock>;

/// What a bound statement locks before it runs.
#[derive(Debug)]
pub(super) struct BoundLocks {
    /// The table that is altered: it is locked before what it refers to, as in PostgreSQL.
    first: Option<Oid>,
    tables: TableLocks,
    /// Whether it changes definitions.
    defines: bool,
}

impl BoundLocks {
    /// The locks of a statement that was bound in `catalog`.
    ///
    /// # Errors
    /// `XX000` where what the plan touches cannot be determined.
    pub(super) fn of(
        bound: &Bound,
        catalog: &Catalog,
        answers: &SessionAnswers,
    ) -> Result<Self, PgError> {
        let mut tables = TableLocks::new();
        let defines = match bound {
            Bound::Plan(plan) => {
                add_needs(&require(&plan.plan)?, catalog, &mut tables);
                for sequence in sequences_of(&plan.plan, answers)? {
                    add(&mut tables, catalog, sequence, TableLock::RowExclusive);
                }
                false
            }
            Bound::Ddl(command) => {
                ddl_locks(command, catalog, &mut tables)?;
                !matches!(command, DdlCommand::Skip { .. } | DdlCommand::Truncate { .. })
            }
        };
        let first = match bound {
            Bound::Ddl(DdlCommand::AlterTable { relation, .. }) => Some(relation.oid),
            Bound::Ddl(_) | Bound::Plan(_) => None,
        };
        Ok(Self { first, tables, defines })
    }

    /// Takes them if nobody has to be waited for; whether they are held.
    pub(super) fn try_take(&self, owner: &LockOwner) -> bool {
        let mut tables = self.tables.iter();
        !self.defines && tables.all(|(table, lock)| owner.try_lock_table(*table, *lock))
    }
}

impl Session {
    /// How a statement of a transaction locks rows and keys.
    pub(super) fn statement_locks(&self, transaction: &Transaction) -> StatementLocks {
        StatementLocks {
            owner: Arc::clone(&transaction.locks),
            limits: self.shared.wait_limits(),
            keeps_snapshot: transaction.keeps_snapshot(),
            stale: Arc::clone(&transaction.stale),
            committed: Arc::clone(&self.database) as _,
            database: transaction.catalog.database.oid,
        }
    }

    /// Locks what a bound statement uses; whether what it was bound to still stands. If not, it is to be bound again.
    ///
    /// # Errors
    /// `55P03`, `40P01`; `40001` if definitions moved under a transaction that keeps its snapshot and would change them.
    pub(super) async fn lock_bound(&mut self, bound: &Bound) -> Result<bool, PgError> {
        let Some(transaction) = &self.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        if let Bound::Ddl(command) = bound {
            // Who has no right to do it makes nobody wait. It is asked again under the locks.
            admit_ddl(command.clone(), &self.shared.caller(), &self.shared.catalog())?;
        }
        let locks = BoundLocks::of(bound, &transaction.catalog, &self.answers)?;
        self.lock_all(&locks).await
    }

    /// As [`Self::lock_bound`], for locks that are known.
    ///
    /// # Errors
    /// As [`Self::lock_bound`].
    pub(super) async fn lock_all(&mut self, locks: &BoundLocks) -> Result<bool, PgError> {
        let Some(transaction) = &self.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        let catalog = Arc::clone(&transaction.catalog);
        let defines = locks.defines;
        let mut waited = false;
        let only_reads = locks.tables.values().all(|lock| *lock == TableLock::AccessShare);
        if only_reads && !defines && !transaction.explicit && !transaction.locks.readers_may_wait()
        {
            return Ok(true);
        }
        let first = locks.first.and_then(|first| Some((first, *locks.tables.get(&first)?)));
        if let Some((table, lock)) = first {
            waited |= self.lock_table(&catalog, table, lock, WhenHeld::Wait).await?;
        }
        for (table, lock) in &locks.tables {
            waited |= self.lock_table(&catalog, *table, *lock, WhenHeld::Wait).await?;
        }
        if defines {
            waited |= self.lock_definitions().await?;
        }
        let Some(transaction) = &self.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        if transaction.definitions_moved(&self.database) {
            if !transaction.keeps_snapshot() {
                return Ok(false);
            }
            if defines {
                return Err(PgError::new(
                    SqlState::T_R_SERIALIZATION_FAILURE,
                    "could not serialize access due to concurrent change of the catalog",
                )
                .hint("Run the transaction again."));
            }
        }
        if waited {
            // What was waited for is to be seen.
            self.statement_snapshot()?;
        }
        Ok(true)
    }

    /// Locks the table of a name, or a view with what it reads.
    ///
    /// # Errors
    /// `42P01`, `42809` for what is neither; `55P03`, `40P01`.
    pub(super) async fn lock_named(
        &mut self,
        name: &ObjectName,
        lock: TableLock,
        when_held: WhenHeld,
    ) -> Result<(), PgError> {
        let name = qualified_name(name)?;
        loop {
            let database = Arc::clone(&self.database);
            let Some(transaction) = &mut self.transaction else {
                return Err(PgError::internal("no transaction"));
            };
            transaction.look(&database)?;
            let catalog = Arc::clone(&transaction.catalog);
            let found = catalog.resolve(&name, &self.shared.search_path()).map(|found| found.oid);
            let Some(found) = found else { return Err(undefined_table(&name)) };
            self.check_lock(&catalog, found, lock)?;
            for table in locked_with(&catalog, found)? {
                self.lock_table(&catalog, table, lock, when_held).await?;
            }
            let moved = self.transaction.as_ref().is_some_and(|transaction| {
                !transaction.keeps_its_snapshot() && transaction.definitions_moved(&database)
            });
            if !moved {
                return Ok(());
            }
        }
    }

    /// Whether the caller may lock a relation by LOCK TABLE: who may change its rows, and for weak modes who may read or
    /// add them.
    fn check_lock(&self, catalog: &Catalog, relation: Oid, lock: TableLock) -> Result<(), PgError> {
        let Some(relation) = catalog.relation(relation) else { return Ok(()) };
        let any = match lock {
            TableLock::AccessShare => vec![Right::Select],
            TableLock::RowExclusive => {
                vec![Right::Insert, Right::Update, Right::Delete, Right::Truncate]
            }
            _ => vec![Right::Update, Right::Delete, Right::Truncate],
        };
        let caller = self.shared.caller();
        let has = |right: &Right| has_whole(catalog, relation, *right, caller.roles());
        match any.iter().any(has) {
            true => Ok(()),
            false => Err(denied(relation, Right::Select)),
        }
    }

    /// Locks a table that rows are copied into; whether what it was found as still stands.
    ///
    /// # Errors
    /// `55P03`, `40P01`.
    pub(super) async fn lock_to_insert(&mut self, table: Oid) -> Result<bool, PgError> {
        let catalog = self.shared.now().catalog;
        let waited =
            self.lock_table(&catalog, table, TableLock::RowExclusive, WhenHeld::Wait).await?;
        let Some(transaction) = &self.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        if !transaction.keeps_snapshot() && transaction.definitions_moved(&self.database) {
            return Ok(false);
        }
        if waited {
            self.statement_snapshot()?;
        }
        Ok(true)
    }

    /// Adds rows to a table, again on a new snapshot if keys or referenced rows moved meanwhile.
    ///
    /// # Errors
    /// `23…`, `40001`, `55P03`, `40P01`.
    pub(super) async fn insert_rows(
        &mut self,
        relation: &Arc<Relation>,
        rows: Vec<RecordBatch>,
    ) -> Result<(), PgError> {
        loop {
            let Some(transaction) = &self.transaction else {
                return Err(PgError::internal("no transaction"));
            };
            transaction.stale.store(false, Ordering::Relaxed);
            let before = transaction.writes.lock().mark();
            let target = self.write_target(transaction);
            let written = match target.insert(relation, rows.clone(), Collision::Write).await {
                Ok(()) => target.finish().await,
                failed => failed,
            };
            match written {
                Err(_) if target.is_stale() => {
                    transaction.writes.lock().back_to(before);
                    self.statement_snapshot().map(|_| ())?;
                }
                result => return result,
            }
        }
    }

    /// Locks a table; whether it had to wait.
    ///
    /// # Errors
    /// `55P03`, `40P01`.
    pub(super) async fn lock_table(
        &self,
        catalog: &Catalog,
        table: Oid,
        lock: TableLock,
        when_held: WhenHeld,
    ) -> Result<bool, PgError> {
        let Some(transaction) = &self.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        let limits = self.shared.wait_limits();
        let held = transaction.locks.lock_table(table, lock, when_held, limits).await;
        held.map_err(|error| {
            lock_error(error, catalog.database.oid, || {
                let name = catalog.relation(table).map_or("", |relation| relation.name.as_str());
                format!("could not obtain lock on relation \"{name}\"")
            })
        })
    }

    async fn lock_definitions(&self) -> Result<bool, PgError> {
        let Some(transaction) = &self.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        let (locks, limits) = (&transaction.locks, self.shared.wait_limits());
        let held = locks.lock_target(LockTarget::Definitions, true, WhenHeld::Wait, limits).await;
        held.map_err(|error| lock_error(error, transaction.catalog.database.oid, String::new))
    }
}

/// A relation, and what it reads if it is a view, in the order they are locked.
fn locked_with(catalog: &Catalog, relation: Oid) -> Result<Vec<Oid>, PgError> {
    let mut found = vec![relation];
    let mut at = 0;
    while let Some(relation) = found.get(at).and_then(|oid| catalog.relation(*oid)) {
        at += 1;
        match &relation.kind {
            RelationKind::Table(_) | RelationKind::System(_) => {}
            RelationKind::View(view) => {
                for read in &view.reads {
                    if !found.contains(&read.relation) {
                        found.push(read.relation);
                    }
                }
            }
            RelationKind::MaterializedView(_)
            | RelationKind::Sequence(_)
            | RelationKind::PropertyGraph(_)
                if at == 1 =>
            {
                return Err(PgError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("\"{}\" is not a table or view", relation.name),
                ));
            }
            RelationKind::MaterializedView(_)
            | RelationKind::Sequence(_)
            | RelationKind::PropertyGraph(_) => {}
        }
    }
    Ok(found)
}

fn add(locks: &mut TableLocks, catalog: &Catalog, object: Oid, lock: TableLock) {
    // Schemas and system relations are not locked; the definitions are.
    let is_lockable = catalog
        .relation(object)
        .is_some_and(|relation| !matches!(relation.kind, RelationKind::System(_)));
    if is_lockable {
        let slot = locks.entry(object).or_insert(lock);
        *slot = (*slot).max(lock);
    }
}

fn add_needs(needs: &Needs, catalog: &Catalog, locks: &mut TableLocks) {
    for (object, right, _) in needs.iter() {
        let lock = match right {
            Right::Select | Right::Match(_) => TableLock::AccessShare,
            Right::Insert | Right::Update | Right::Delete => TableLock::RowExclusive,
            Right::Lock => TableLock::RowShare,
            Right::References => TableLock::ShareRowExclusive,
            Right::Truncate | Right::Drop | Right::Own => TableLock::AccessExclusive,
            Right::Create => continue,
        };
        add(locks, catalog, object, lock);
    }
}

/// What a change of definitions locks, the tables it changes by the way included.
fn ddl_locks(
    command: &DdlCommand,
    catalog: &Catalog,
    locks: &mut TableLocks,
) -> Result<(), PgError> {
    match command {
        DdlCommand::AlterTable { relation, steps } => {
            add(locks, catalog, relation.oid, strongest(steps));
        }
        DdlCommand::AlterSequence { relation, options } => {
            add(locks, catalog, relation.oid, TableLock::ShareRowExclusive);
            if let Some(Some(owner)) = options.owner {
                add(locks, catalog, owner.table, TableLock::AccessShare);
            }
        }
        // Nobody writes to the graph meanwhile: by Cypher, which locks the graph, or by SQL, which locks a partition.
        DdlCommand::LabelRule { relation, change } => {
            add(locks, catalog, relation.oid, TableLock::ShareRowExclusive);
            if let RelationKind::PropertyGraph(graph) = &relation.kind {
                for element in graph.elements_with(change.rule().edge, &change.rule().label) {
                    add(locks, catalog, element.relation, TableLock::ShareRowExclusive);
                }
            }
        }
        DdlCommand::RefreshView { relation, concurrently: true, .. } => {
            add(locks, catalog, relation.oid, TableLock::Exclusive);
        }
        _ => add_needs(&require_ddl(command), catalog, locks),
    }
    match command {
        DdlCommand::CreateTable(table) => {
            constraint_locks(&table.constraints, catalog, locks);
            if let Some(rows) = &table.rows {
                add_needs(&require(&rows.plan)?, catalog, locks);
            }
        }
        DdlCommand::RefreshView { rows: Some(rows), .. } => {
            add_needs(&require(&rows.plan)?, catalog, locks);
        }
        DdlCommand::AlterTable { relation: _, steps } => {
            for step in steps {
                match step {
                    AlterStep::AddConstraint(constraint) => {
                        constraint_locks(std::slice::from_ref(constraint), catalog, locks);
                    }
                    AlterStep::AddColumn { column, .. } => {
                        let constraints = &column.constraints;
                        constraint_locks(constraints, catalog, locks);
                    }
                    _ => {}
                }
            }
        }
        // What says which labels there are is with the rows too.
        DdlCommand::Type(command) => {
            let types = command.changed().into_iter().filter_map(|oid| catalog.types.get(&oid));
            for relation in types.flat_map(|ty| catalog.relations_using(ty.oid())) {
                add(locks, catalog, relation.oid, TableLock::AccessExclusive);
            }
        }
        DdlCommand::DropSchema { schemas, .. } => {
            for relation in catalog.relations.values() {
                if schemas.contains(&relation.schema) {
                    add(locks, catalog, relation.oid, TableLock::AccessExclusive);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// The sequences a plan takes values of, as far as they are written in it.
fn sequences_of(plan: &LogicalPlan, answers: &SessionAnswers) -> Result<Vec<Oid>, PgError> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarFunction(call) = expr
                    && call.func.name() == "nextval"
                {
                    found.extend(call.args.first().and_then(|arg| object_of(arg, answers)));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// The relation a constant of type `regclass` stands for; a text that is cast is looked up.
fn object_of(expr: &Expr, answers: &SessionAnswers) -> Option<Oid> {
    match expr {
        Expr::Literal(ScalarValue::UInt32(Some(oid)), _) => Some(Oid(*oid)),
        Expr::Literal(value, _) => {
            let name = value.try_as_str().flatten()?;
            // A name that stands for nothing is an error when the function is called.
            answers.reg_lookup(RegKind::Class, name).ok().flatten().map(Oid)
        }
        Expr::Alias(alias) => object_of(&alias.expr, answers),
        Expr::Cast(cast) => object_of(&cast.expr, answers),
        Expr::ScalarFunction(call) => match call.args.as_slice() {
            [arg] => object_of(arg, answers),
            _ => None,
        },
        _ => None,
    }
}

/// What `ALTER TABLE` keeps others from, as PostgreSQL has it: all that changes what a query sees excludes readers.
fn strongest(steps: &[AlterStep]) -> TableLock {
    let lock = |step: &AlterStep| match step {
        AlterStep::ValidateConstraint { .. }
        | AlterStep::SetOptions { .. }
        | AlterStep::ClusterOn(_) => TableLock::ShareUpdateExclusive,
        AlterStep::AddConstraint(NewConstraint {
            kind: NewConstraintKind::ForeignKey { .. },
            ..
        }) => TableLock::ShareRowExclusive,
        _ => TableLock::AccessExclusive,
    };
    steps.iter().map(lock).max().unwrap_or(TableLock::AccessExclusive)
}

/// A table that a new foreign key refers to must not change while the key is made.
fn constraint_locks(constraints: &[NewConstraint], catalog: &Catalog, locks: &mut TableLocks) {
    for constraint in constraints {
        if let NewConstraintKind::ForeignKey { referenced: Some(table), .. } = &constraint.kind {
            add(locks, catalog, *table, TableLock::ShareRowExclusive);
        }
    }
}

//! `SELECT … FOR UPDATE` and its like, also inside other queries.
//!
//! ```text
//! SELECT a FROM t ORDER BY b LIMIT 1 FOR UPDATE
//!
//! SELECT * FROM placeholder(n) LIMIT 1                    what DataFusion's planner sees
//!   placeholder(n): drop hidden ← LockRows ← Sort ← SELECT a, t.row_id AS hidden FROM t
//! ```
//!
//! A query that locks is cut out of the statement before DataFusion plans it, and planned by itself where its
//! placeholder stands: rows are locked in their order, and below the LIMIT.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::{
    Distinct, Expr as SqlExpr, Function, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator,
    LockClause, NonBlock, ObjectName, Query, SelectItem, SetExpr, TableAlias, TableFactor,
    TableWithJoins, Visit, VisitMut, Visitor, VisitorMut,
};

use super::names::{fold, qualified_name};
use super::provider::TARGET_SCHEMA;
use super::query::plan_query;
use crate::catalog::{Relation, RelationKind};
use crate::error::{PgError, SqlState};
use crate::functions::registry::registry;
use crate::parser::pgq::GraphTable;
use crate::planner::bind::context::BindContext;
use crate::planner::node::{LockRows, LockStrength, LockWait, LockedTable};
use crate::planner::source::ROW_ID;

/// The table function that stands for a query that was cut out.
pub(super) const PLACEHOLDER: &str = "__locking_query";

/// Begins the names of columns that carry row ids to the lock.
const HIDDEN: &str = "\u{2}lock";

/// A query whose rows are locked, without its locking clauses and its limit.
#[derive(Debug, Clone)]
pub struct LockingQuery {
    query: Query,
    clauses: Vec<Clause>,
    is_limited: bool,
}

/// `FOR strength [OF tables] [NOWAIT | SKIP LOCKED]`
#[derive(Debug, Clone)]
struct Clause {
    strength: LockStrength,
    tables: Vec<String>,
    wait: LockWait,
}

impl Clause {
    /// The clause as the parser left it: see `parser::sql::locking`.
    fn read(clause: &LockClause) -> Result<Self, PgError> {
        let mut names = clause.of.iter().flat_map(|of| &of.0).filter_map(|part| part.as_ident());
        let strength = match names.next().map(|ident| ident.value.as_str()) {
            Some("key share") => LockStrength::KeyShare,
            Some("share") => LockStrength::Share,
            Some("no key update") => LockStrength::NoKeyUpdate,
            Some("update") => LockStrength::Update,
            _ => return Err(PgError::internal("a locking clause without its strength")),
        };
        let wait = match clause.nonblock {
            None => LockWait::Wait,
            Some(NonBlock::SkipLocked) => LockWait::Skip,
            Some(NonBlock::Nowait) => LockWait::Fail,
        };
        Ok(Self { strength, tables: names.map(fold).collect(), wait })
    }

    fn words(&self) -> &'static str {
        match self.strength {
            LockStrength::KeyShare => "FOR KEY SHARE",
            LockStrength::Share => "FOR SHARE",
            LockStrength::NoKeyUpdate => "FOR NO KEY UPDATE",
            LockStrength::Update => "FOR UPDATE",
        }
    }

    fn names(&self, table: &str) -> bool {
        self.tables.iter().any(|name| name == table)
    }
}

/// Cuts the queries that lock out of a query; none if there are none.
///
/// # Errors
/// `0A000` for what cannot be locked.
pub(super) fn cut(query: &mut Query) -> Result<Vec<LockingQuery>, PgError> {
    let mut cutter = Cutter { queries: Vec::new() };
    match query.visit(&mut cutter) {
        ControlFlow::Continue(()) => Ok(cutter.queries),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Cutter {
    queries: Vec<LockingQuery>,
}

impl VisitorMut for Cutter {
    type Break = PgError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<PgError> {
        if query.locks.is_empty() {
            return ControlFlow::Continue(());
        }
        let locks = query.locks.clone();
        match query.body.as_mut() {
            SetExpr::Select(select) => {
                for from in &mut select.from {
                    push_down(from, &locks);
                }
            }
            SetExpr::Query(inner) => inner.locks.append(&mut query.locks),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<PgError> {
        if query.locks.is_empty() {
            return ControlFlow::Continue(());
        }
        let clauses = query.locks.drain(..).map(|clause| Clause::read(&clause));
        let clauses = match clauses.collect::<Result<Vec<_>, _>>() {
            Ok(clauses) => clauses,
            Err(error) => return ControlFlow::Break(error),
        };
        let mut outer = match placeholder(self.queries.len()) {
            Ok(outer) => outer,
            Err(error) => return ControlFlow::Break(error),
        };
        outer.limit_clause = query.limit_clause.take();
        outer.fetch = query.fetch.take();
        let is_limited = outer.limit_clause.is_some() || outer.fetch.is_some();
        let query = std::mem::replace(query, outer);
        self.queries.push(LockingQuery { query, clauses, is_limited });
        ControlFlow::Continue(())
    }
}

/// A clause that concerns a sub-select locks the rows of its tables.
fn push_down(from: &mut TableWithJoins, locks: &[LockClause]) {
    let factors =
        std::iter::once(&mut from.relation).chain(from.joins.iter_mut().map(|j| &mut j.relation));
    for factor in factors {
        match factor {
            TableFactor::Derived { subquery, alias, .. } => {
                let name = alias.as_ref().map(|alias| fold(&alias.name)).unwrap_or_default();
                for clause in locks {
                    let Ok(read) = Clause::read(clause) else { continue };
                    if read.tables.is_empty() || read.names(&name) {
                        let of = clause.of.as_ref().map(|of| ObjectName(of.0[..1].to_vec()));
                        subquery.locks.push(LockClause { of, ..clause.clone() });
                    }
                }
            }
            TableFactor::NestedJoin { table_with_joins, .. } => push_down(table_with_joins, locks),
            _ => {}
        }
    }
}

/// `SELECT * FROM placeholder(number)`
fn placeholder(number: usize) -> Result<Query, PgError> {
    crate::parser::stored::parse_query(&format!("SELECT * FROM {PLACEHOLDER}({number})"))
        .map_err(|error| PgError::internal(error.to_string()))
}

/// Plans a query that was cut out.
///
/// # Errors
/// As the query's; `0A000` where its rows stand for no rows of tables, `42P01` for `OF` something else.
pub(super) fn plan(
    context: &BindContext,
    locking: &LockingQuery,
    graphs: &Arc<[GraphTable]>,
) -> Result<LogicalPlan, PgError> {
    let mut query = locking.query.clone();
    let Some(first) = locking.clauses.first() else { return plan_query(context, &query, graphs) };
    let ctes: Vec<String> = query
        .with
        .iter()
        .flat_map(|with| &with.cte_tables)
        .map(|cte| fold(&cte.alias.name))
        .collect();
    check(first, &query)?;
    let mut marker = Marker { context, locking, ctes, tables: Vec::new(), seen: Vec::new() };
    if let SetExpr::Select(select) = query.body.as_mut() {
        for from in &mut select.from {
            marker.mark(from, false)?;
        }
        for (at, (name, ..)) in marker.tables.iter().enumerate() {
            let row_id = vec![Ident::with_quote('"', name), Ident::with_quote('"', ROW_ID)];
            select.projection.push(SelectItem::ExprWithAlias {
                expr: SqlExpr::CompoundIdentifier(row_id),
                alias: Ident::with_quote('"', format!("{HIDDEN}{at}")),
            });
        }
    }
    let Marker { tables, seen, .. } = marker;
    for clause in &locking.clauses {
        if let Some(name) = clause.tables.iter().find(|name| !seen.contains(*name)) {
            return Err(PgError::new(
                SqlState::UNDEFINED_TABLE,
                format!(
                    "relation \"{name}\" in {} clause not found in FROM clause",
                    clause.words()
                ),
            ));
        }
    }
    let rows = plan_query(context, &query, graphs)?;
    lock(rows, tables, locking.is_limited)
}

/// Puts the lock over the rows and takes the hidden columns away.
fn lock(
    rows: LogicalPlan,
    tables: Vec<(String, Arc<Relation>, LockStrength, LockWait)>,
    is_limited: bool,
) -> Result<LogicalPlan, PgError> {
    if tables.is_empty() {
        return Ok(rows);
    }
    let schema = Arc::clone(rows.schema());
    let mut locked = Vec::with_capacity(tables.len());
    for (at, (_, relation, strength, wait)) in tables.into_iter().enumerate() {
        let name = format!("{HIDDEN}{at}");
        let column = schema.fields().iter().position(|field| *field.name() == name);
        let column = column.ok_or_else(|| PgError::internal("a row id was lost"))?;
        locked.push(LockedTable { relation, column, strength, wait });
    }
    let node = LockRows { tables: locked, input: Arc::new(rows), is_limited };
    let kept = schema
        .columns()
        .into_iter()
        .filter(|column| column.name != ROW_ID && !column.name.starts_with(HIDDEN))
        .map(Expr::Column);
    let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    Ok(LogicalPlanBuilder::from(plan).project(kept)?.build()?)
}

/// Refuses what gives rows that are no rows of tables.
fn check(clause: &Clause, query: &Query) -> Result<(), PgError> {
    let refuse = |what: &str| {
        Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("{} is not allowed with {what}", clause.words()),
        ))
    };
    let select = match query.body.as_ref() {
        SetExpr::Select(select) => select,
        SetExpr::SetOperation { .. } => return refuse("UNION/INTERSECT/EXCEPT"),
        SetExpr::Values(_) => {
            return Err(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("{} cannot be applied to VALUES", clause.words()),
            ));
        }
        _ => return refuse("this query"),
    };
    if !matches!(select.distinct, None | Some(Distinct::All)) {
        return refuse("DISTINCT clause");
    }
    let grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(expressions, modifiers) => {
            !expressions.is_empty() || !modifiers.is_empty()
        }
    };
    if grouped {
        return refuse("GROUP BY clause");
    }
    if select.having.is_some() {
        return refuse("HAVING clause");
    }
    match select.projection.visit(&mut Calls { depth: 0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(what) => refuse(what),
    }
}

/// Looks for aggregate and window functions of the query itself.
struct Calls {
    depth: usize,
}

impl Visitor for Calls {
    type Break = &'static str;

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<Self::Break> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<Self::Break> {
        let SqlExpr::Function(Function { name, over, .. }) = expr else {
            return ControlFlow::Continue(());
        };
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        if over.is_some() {
            return ControlFlow::Break("window functions");
        }
        let name = name.0.last().and_then(|part| part.as_ident()).map(fold).unwrap_or_default();
        if registry().scalar(&name, &None).is_none() && registry().aggregate(&name).is_some() {
            return ControlFlow::Break("aggregate functions");
        }
        ControlFlow::Continue(())
    }
}

/// Makes the scans of tables that are locked give row ids.
struct Marker<'a> {
    context: &'a BindContext,
    locking: &'a LockingQuery,
    ctes: Vec<String>,
    /// Name in the query, table, how.
    tables: Vec<(String, Arc<Relation>, LockStrength, LockWait)>,
    /// Names in FROM.
    seen: Vec<String>,
}

impl Marker<'_> {
    fn mark(&mut self, from: &mut TableWithJoins, nullable: bool) -> Result<(), PgError> {
        let before_right = from.joins.iter().any(|join| makes_left_nullable(&join.join_operator));
        self.mark_factor(&mut from.relation, nullable || before_right)?;
        let count = from.joins.len();
        for at in 0..count {
            let later = from.joins[at + 1..].iter().any(|j| makes_left_nullable(&j.join_operator));
            let join = &mut from.joins[at];
            let own = makes_right_nullable(&join.join_operator);
            let tables = self.tables.len();
            self.mark_factor(&mut join.relation, nullable || own || later)?;
            if is_natural(join) && self.tables.len() > tables {
                return Err(PgError::unsupported(
                    "row locking with NATURAL JOIN is not supported",
                    "Name the columns with USING.",
                ));
            }
        }
        Ok(())
    }

    fn mark_factor(&mut self, factor: &mut TableFactor, nullable: bool) -> Result<(), PgError> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let own = name.0.last().and_then(|part| part.as_ident()).map(fold);
                let own = own.unwrap_or_default();
                let seen = alias.as_ref().map_or_else(|| own.clone(), |alias| fold(&alias.name));
                self.seen.push(seen.clone());
                let Some((words, strength, wait)) = self.how(&seen) else { return Ok(()) };
                if name.0.len() == 1 && self.ctes.contains(&own) {
                    return self.refuse_named(&seen, words, "a WITH query");
                }
                let Some(relation) = self.lockable(name)? else { return Ok(()) };
                if nullable {
                    return Err(PgError::new(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        format!("{words} cannot be applied to the nullable side of an outer join"),
                    ));
                }
                *name = with_row_ids(self.context, &relation);
                let alias = alias.get_or_insert_with(|| TableAlias {
                    explicit: true,
                    name: Ident::new(""),
                    columns: Vec::new(),
                    at: None,
                });
                alias.name = Ident::with_quote('"', &seen);
                self.tables.push((seen, relation, strength, wait));
                Ok(())
            }
            TableFactor::NestedJoin { table_with_joins, .. } => {
                self.mark(table_with_joins, nullable)
            }
            TableFactor::Derived { alias, .. } => {
                self.seen.extend(alias.as_ref().map(|alias| fold(&alias.name)));
                Ok(())
            }
            TableFactor::Table { alias, .. } | TableFactor::Function { alias, .. } => {
                let Some(alias) = alias.as_ref().map(|alias| fold(&alias.name)) else {
                    return Ok(());
                };
                self.seen.push(alias.clone());
                match self.how(&alias) {
                    Some((words, ..)) => self.refuse_named(&alias, words, "a function"),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// How a table is locked: by the strongest of the clauses that concern it.
    fn how(&self, table: &str) -> Option<(&'static str, LockStrength, LockWait)> {
        let concern = |clause: &&Clause| clause.tables.is_empty() || clause.names(table);
        let mut found = None;
        for clause in self.locking.clauses.iter().filter(concern) {
            found = Some(match found {
                Some((_, strength, wait)) if strength >= clause.strength => {
                    (clause.words(), strength, clause.wait.max(wait))
                }
                Some((_, _, wait)) => (clause.words(), clause.strength, clause.wait.max(wait)),
                None => (clause.words(), clause.strength, clause.wait),
            });
        }
        found
    }

    /// What has no rows to lock is passed over, unless it is named.
    fn refuse_named(&self, name: &str, words: &str, what: &str) -> Result<(), PgError> {
        if self.locking.clauses.iter().any(|clause| clause.names(name)) {
            return Err(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("{words} cannot be applied to {what}"),
            ));
        }
        Ok(())
    }

    /// The table of a name; `None` for a system catalog, whose rows nobody locks.
    fn lockable(&self, name: &ObjectName) -> Result<Option<Arc<Relation>>, PgError> {
        let relation = self.context.relation(&qualified_name(name)?)?;
        let kind = match &relation.kind {
            RelationKind::Table(_) => return Ok(Some(relation)),
            RelationKind::System(_) => return Ok(None),
            RelationKind::View(_) => {
                return Err(PgError::unsupported(
                    format!("locking rows of view \"{}\" is not supported", relation.name),
                    "Lock the rows of the tables behind it.",
                ));
            }
            RelationKind::MaterializedView(_) => "materialized view",
            RelationKind::Sequence(_) => "sequence",
            RelationKind::PropertyGraph(_) => "property graph",
        };
        Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("cannot lock rows in {kind} \"{}\"", relation.name),
        ))
    }
}

/// The name under which a table is scanned with row ids.
fn with_row_ids(context: &BindContext, relation: &Relation) -> ObjectName {
    let schema =
        context.catalog.schemas.get(&relation.schema).map_or("", |schema| schema.name.as_str());
    let place = format!("{schema}\u{1}{}", relation.name);
    ObjectName::from(vec![Ident::with_quote('"', TARGET_SCHEMA), Ident::with_quote('"', place)])
}

fn makes_right_nullable(operator: &JoinOperator) -> bool {
    matches!(
        operator,
        JoinOperator::Left(_) | JoinOperator::LeftOuter(_) | JoinOperator::FullOuter(_)
    )
}

fn makes_left_nullable(operator: &JoinOperator) -> bool {
    matches!(
        operator,
        JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_)
    )
}

fn is_natural(join: &Join) -> bool {
    matches!(
        &join.join_operator,
        JoinOperator::Join(JoinConstraint::Natural)
            | JoinOperator::Inner(JoinConstraint::Natural)
            | JoinOperator::Left(JoinConstraint::Natural)
            | JoinOperator::LeftOuter(JoinConstraint::Natural)
            | JoinOperator::Right(JoinConstraint::Natural)
            | JoinOperator::RightOuter(JoinConstraint::Natural)
            | JoinOperator::FullOuter(JoinConstraint::Natural)
    )
}

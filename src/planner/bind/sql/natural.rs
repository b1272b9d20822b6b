//! `NATURAL JOIN` as the `USING` that it stands for: the columns that both sides have.
//!
//! So its merged columns are told as those of `USING` are, in a subquery too, where DataFusion would look for their names
//! around it first.

use std::ops::ControlFlow;
use std::sync::Arc;

use sqlparser::ast::{
    Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem, TableFactor,
    TableWithJoins, Visit, Visitor, VisitorMut, WildcardAdditionalOptions, With,
};

use super::whole_row::{probe, visit_in_order};
use crate::error::{PgError, SqlState};
use crate::parser::pgq::GraphTable;
use crate::parser::sql::join::is_natural;
use crate::planner::bind::context::BindContext;

/// Rewrites a query in place. A join whose tables cannot be planned by themselves stays as it is.
///
/// # Errors
/// `42702` where a side has such a column twice.
pub(super) fn as_using(
    context: &BindContext,
    query: &mut Query,
    graph_tables: &Arc<[GraphTable]>,
) -> Result<(), PgError> {
    if !Visit::visit(&*query, &mut Finder).is_break() {
        return Ok(());
    }
    let mut joins = Joins { context, graph_tables, with: None };
    visit_in_order(query, &mut joins, |joins| &mut joins.with)
}

struct Finder;

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let mut joins = select.from.iter().flat_map(|from| &from.joins);
        match joins.any(|join| is_natural(&join.join_operator)) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

fn put(operator: &mut JoinOperator, using: JoinConstraint) {
    match operator {
        JoinOperator::Join(on)
        | JoinOperator::Inner(on)
        | JoinOperator::Left(on)
        | JoinOperator::LeftOuter(on)
        | JoinOperator::Right(on)
        | JoinOperator::RightOuter(on)
        | JoinOperator::FullOuter(on) => *on = using,
        _ => {}
    }
}

struct Joins<'a> {
    context: &'a BindContext,
    graph_tables: &'a Arc<[GraphTable]>,
    with: Option<With>,
}

impl VisitorMut for Joins<'_> {
    type Break = PgError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<PgError> {
        for from in &mut select.from {
            if let Err(error) = self.rewrite(from) {
                return ControlFlow::Break(error);
            }
        }
        ControlFlow::Continue(())
    }
}

impl Joins<'_> {
    fn rewrite(&self, from: &mut TableWithJoins) -> Result<(), PgError> {
        for at in 0..from.joins.len() {
            let Some(join) = from.joins.get(at).filter(|join| is_natural(&join.join_operator))
            else {
                continue;
            };
            let before = from.joins.get(..at).unwrap_or_default().to_vec();
            let left = TableWithJoins { relation: from.relation.clone(), joins: before };
            let (Some(left), Some(right)) = (self.columns(left), self.of_table(&join.relation))
            else {
                return Ok(());
            };
            let shared = shared(&left, &right)?;
            // Without one it is a cross join, which stays as it is written.
            if !shared.is_empty()
                && let Some(join) = from.joins.get_mut(at)
            {
                let name = |name: &String| ObjectName::from(vec![Ident::with_quote('"', name)]);
                let using = JoinConstraint::Using(shared.iter().map(name).collect());
                put(&mut join.join_operator, using);
            }
        }
        Ok(())
    }

    fn of_table(&self, relation: &TableFactor) -> Option<Vec<String>> {
        self.columns(TableWithJoins { relation: relation.clone(), joins: Vec::new() })
    }

    /// The columns of `SELECT * FROM from`; none where that cannot be planned by itself.
    fn columns(&self, from: TableWithJoins) -> Option<Vec<String>> {
        let all = SelectItem::Wildcard(WildcardAdditionalOptions::default());
        let found = probe(self.context, self.graph_tables, &self.with, vec![from], all).ok()?;
        Some(found.into_iter().map(|column| column.name).collect())
    }
}

/// The names that both sides have, as they stand in the left one.
fn shared(left: &[String], right: &[String]) -> Result<Vec<String>, PgError> {
    let count = |side: &[String], name: &String| side.iter().filter(|one| *one == name).count();
    let mut found: Vec<String> = Vec::new();
    for name in left.iter().filter(|name| right.contains(name)) {
        for (side, word) in [(left, "left"), (right, "right")] {
            if count(side, name) > 1 {
                let message =
                    format!("common column name \"{name}\" appears more than once in {word} table");
                return Err(PgError::new(SqlState::AMBIGUOUS_COLUMN, message));
            }
        }
        found.push(name.clone());
    }
    Ok(found)
}

//! Refuses joins without a condition: `sqlparser` takes `a JOIN b`, PostgreSQL does not. Puts joins behind a NATURAL
//! one, which needs no condition, where PostgreSQL has them.

use std::ops::ControlFlow;

use sqlparser::ast::{
    JoinConstraint, JoinOperator, Query, Select, SetExpr, Spanned, Statement, TableFactor,
    TableWithJoins, Visit, VisitMut, Visitor, VisitorMut,
};

use super::place::byte_span;

/// The byte behind the first join that lacks its `ON` or `USING`.
pub(super) fn without_condition(statement: &Statement) -> Option<u32> {
    match statement.visit(&mut Joins) {
        ControlFlow::Break(end) => Some(end),
        ControlFlow::Continue(()) => None,
    }
}

/// `a NATURAL JOIN b JOIN c ON …` is `(a NATURAL JOIN b) JOIN c ON …`, as long as no bracket says otherwise.
pub(super) fn associate(statement: &mut Statement, text: &str) {
    let _ = statement.visit(&mut Natural { text });
}

struct Natural<'a> {
    text: &'a str,
}

impl VisitorMut for Natural<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        select.from.iter_mut().for_each(|from| self.unfold(from));
        ControlFlow::Continue(())
    }
}

impl Natural<'_> {
    fn unfold(&self, tables: &mut TableWithJoins) {
        if let TableFactor::NestedJoin { table_with_joins, .. } = &mut tables.relation {
            self.unfold(table_with_joins);
        }
        let mut at = 0;
        while let Some(join) = tables.joins.get_mut(at) {
            at += 1;
            let natural = is_natural(&join.join_operator);
            let TableFactor::NestedJoin { table_with_joins, alias: None } = &mut join.relation
            else {
                continue;
            };
            if !natural || self.is_in_brackets(table_with_joins) {
                self.unfold(table_with_joins);
                continue;
            }
            let following = std::mem::take(&mut table_with_joins.joins);
            let relation = table_with_joins.relation.clone();
            join.relation = relation;
            tables.joins.splice(at..at, following);
        }
    }

    fn is_in_brackets(&self, tables: &TableWithJoins) -> bool {
        let start = byte_span(tables.relation.span()).map_or(0, |span| span.start as usize);
        let before = self.text.get(..start).unwrap_or_default();
        before.trim_end().ends_with('(')
    }
}

/// Whether a join is `NATURAL`.
pub fn is_natural(operator: &JoinOperator) -> bool {
    constraint(operator) == Some(&JoinConstraint::Natural)
}

/// How a join of a kind that PostgreSQL has is said to match rows.
fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}

struct Joins;

impl Visitor for Joins {
    type Break = u32;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<u32> {
        // Unions nest to the left, as deeply as there are of them.
        let mut parts = vec![query.body.as_ref()];
        while let Some(part) = parts.pop() {
            match part {
                SetExpr::Select(select) => check_tables(&select.from)?,
                SetExpr::SetOperation { left, right, .. } => {
                    parts.extend([left.as_ref(), right.as_ref()])
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}

fn check_tables(tables: &[TableWithJoins]) -> ControlFlow<u32> {
    let mut open: Vec<&TableWithJoins> = tables.iter().collect();
    while let Some(table) = open.pop() {
        let relations = table.joins.iter().map(|join| &join.relation);
        for relation in std::iter::once(&table.relation).chain(relations) {
            if let TableFactor::NestedJoin { table_with_joins, .. } = relation {
                open.push(table_with_joins);
            }
        }
        for join in &table.joins {
            if constraint(&join.join_operator) == Some(&JoinConstraint::None) {
                let end = byte_span(join.relation.span()).map_or(0, |span| span.end);
                return ControlFlow::Break(end);
            }
        }
    }
    ControlFlow::Continue(())
}

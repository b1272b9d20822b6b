//! Refuses joins without a condition: `sqlparser` takes `a JOIN b`, PostgreSQL does not.

use std::ops::ControlFlow;

use sqlparser::ast::{
    JoinConstraint, JoinOperator, Query, SetExpr, Spanned, Statement, TableFactor, TableWithJoins,
    Visit, Visitor,
};

use super::place::byte_span;

/// The byte behind the first join that lacks its `ON` or `USING`.
pub(super) fn without_condition(statement: &Statement) -> Option<u32> {
    match statement.visit(&mut Joins) {
        ControlFlow::Break(end) => Some(end),
        ControlFlow::Continue(()) => None,
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
            let constraint = match &join.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint) => constraint,
                _ => continue,
            };
            if *constraint == JoinConstraint::None {
                let end = byte_span(join.relation.span()).map_or(0, |span| span.end);
                return ControlFlow::Break(end);
            }
        }
    }
    ControlFlow::Continue(())
}

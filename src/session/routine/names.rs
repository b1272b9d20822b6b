//! Variables in statements of SQL: which names mean them, and parameters in their place.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, OrderByKind, Query, Statement as Sql, Value, Visit, VisitMut, Visitor, VisitorMut,
    visit_relations,
};

use super::frame::Frame;
use crate::error::{PgError, SqlState};
use crate::parser::{Body, Statement, byte_span};
use crate::planner::bind::sql::fold;

/// The names of the variables that stand as parameters, in their order.
#[derive(Debug, Default, Clone)]
pub(super) struct Parameters {
    pub(super) names: Vec<Vec<String>>,
}

impl Parameters {
    /// The arguments by number, so that `$1` in a body stays what it is.
    pub(super) fn of_arguments(count: usize) -> Self {
        Self { names: (1..=count).map(|number| vec![format!("${number}")]).collect() }
    }

    fn number(&mut self, names: Vec<String>) -> usize {
        match self.names.iter().position(|known| *known == names) {
            Some(at) => at + 1,
            None => {
                self.names.push(names);
                self.names.len()
            }
        }
    }
}

/// Where a name in a statement begins, in bytes of its text.
fn offset_of(ident: &Ident) -> Option<usize> {
    byte_span(ident.span).map(|span| span.start as usize)
}

fn names_of(expr: &Expr) -> Option<(Vec<String>, Option<usize>)> {
    match expr {
        Expr::Identifier(ident) => Some((vec![fold(ident)], offset_of(ident))),
        Expr::CompoundIdentifier(idents) => {
            let first = idents.first()?;
            Some((idents.iter().map(fold).collect(), offset_of(first)))
        }
        _ => None,
    }
}

/// Whether a statement reads any table, so that a name may be a column's.
pub(super) fn has_tables(statement: &Statement) -> bool {
    match &statement.body {
        Body::Sql { statement, graph_tables } => {
            !graph_tables.is_empty()
                || visit_relations(statement.as_ref(), |_| ControlFlow::Break(())).is_break()
        }
        Body::PropertyGraph(_) | Body::Cypher(_) | Body::Utility(_) => true,
    }
}

/// Puts parameters in the place of variables: of all, or of those that `wanted` picks by their names and place.
///
/// # Errors
/// What looking a variable up says.
pub(super) fn substitute(
    statement: &mut Statement,
    frame: &Frame,
    parameters: &mut Parameters,
    wanted: &dyn Fn(&[String], Option<usize>) -> bool,
) -> Result<bool, PgError> {
    struct Putting<'a> {
        frame: &'a Frame,
        parameters: &'a mut Parameters,
        wanted: &'a dyn Fn(&[String], Option<usize>) -> bool,
        found: bool,
    }
    impl VisitorMut for Putting<'_> {
        type Break = PgError;

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PgError> {
            let Some((names, offset)) = names_of(expr) else { return ControlFlow::Continue(()) };
            if !(self.wanted)(&names, offset) {
                return ControlFlow::Continue(());
            }
            match self.frame.lookup(&names) {
                Ok(Some(_)) => {
                    let number = self.parameters.number(names);
                    *expr = Expr::value(Value::Placeholder(format!("${number}")));
                    self.found = true;
                    ControlFlow::Continue(())
                }
                Ok(None) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }
        }
    }
    let Body::Sql { statement: tree, .. } = &mut statement.body else { return Ok(false) };
    let mut putting = Putting { frame, parameters, wanted, found: false };
    match tree.visit(&mut putting) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(putting.found),
    }
}

/// A name that means a column, and could mean a variable.
///
/// # Errors
/// `42702`.
pub(super) fn refuse_ambiguous(statement: &Statement, frame: &Frame) -> Result<(), PgError> {
    #[derive(Default)]
    struct Looking {
        /// Names in ORDER BY are the output's.
        ordered: BTreeSet<usize>,
        found: Vec<(Vec<String>, Option<usize>)>,
    }
    impl Visitor for Looking {
        type Break = ();

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let order = query.order_by.as_ref().map(|order| &order.kind);
            if let Some(OrderByKind::Expressions(exprs)) = order {
                let places = exprs.iter().filter_map(|one| names_of(&one.expr)?.1);
                self.ordered.extend(places);
            }
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.found.extend(names_of(expr));
            ControlFlow::Continue(())
        }
    }
    let Body::Sql { statement: tree, .. } = &statement.body else { return Ok(()) };
    let mut looking = Looking::default();
    let tree: &Sql = tree;
    let _ = tree.visit(&mut looking);
    for (names, offset) in &looking.found {
        if offset.is_some_and(|offset| looking.ordered.contains(&offset)) {
            continue;
        }
        if matches!(frame.lookup(names), Ok(Some(_))) {
            let message = format!("column reference \"{}\" is ambiguous", names.join("."));
            return Err(PgError::new(SqlState::AMBIGUOUS_COLUMN, message)
                .detail("It could refer to either a PL/pgSQL variable or a table column."));
        }
    }
    Ok(())
}

/// Whether an error says that this name is not there.
pub(super) fn is_missing(error: &PgError, names: &[String]) -> bool {
    let message = &error.fields().message;
    let quoted = || format!("column \"{}\" does not exist", names.join("."));
    let plain = || format!("column {} does not exist", names.join("."));
    let from = || {
        let first = names.first().map(String::as_str).unwrap_or_default();
        format!("missing FROM-clause entry for table \"{first}\"")
    };
    **message == quoted() || **message == plain() || (names.len() > 1 && **message == from())
}

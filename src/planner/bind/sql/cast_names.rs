//! Gives casts of columns names of their own where expressions would be taken for each other without: see
//! [`crate::functions::named_cast`].

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Value, Visit, VisitMut, Visitor, VisitorMut};

use super::rewrite::quoted_call;
use crate::functions::named_cast::CAST_NAME;

/// Whether there were any.
pub(super) fn name_casts(query: &mut Query) -> bool {
    let mut names = Names { found: false };
    let _ = query.visit(&mut names);
    names.found
}

struct Names {
    found: bool,
}

impl VisitorMut for Names {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Cast { data_type, expr: inner, .. } = &*expr else {
            return ControlFlow::Continue(());
        };
        if names_something(inner) {
            let name = format!("{CAST_NAME}{data_type}");
            let cast = std::mem::replace(expr, Expr::value(Value::Null));
            *expr = quoted_call(&name, vec![cast]);
            self.found = true;
        }
        ControlFlow::Continue(())
    }
}

/// Whether a column may stand in an expression.
fn names_something(expr: &Expr) -> bool {
    struct Finder;
    impl Visitor for Finder {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Finder).is_break()
}

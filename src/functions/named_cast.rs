//! Casts under a name of their own, while a statement is planned.
//!
//! DataFusion's planner leaves casts out of the names by which it knows expressions: `max(n)` and `max(n::text)` are one to
//! it. A cast inside a call of a function that is named after the type is told apart; [`super::resolve`] takes the call
//! away.

use std::sync::Arc;

use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF, Volatility};

use crate::error::PgError;
use crate::functions::unsettled::{Meaning, meaning, unsettled};
use crate::types::pg_type::PgType;

/// How the names of such functions begin; what a type is called follows.
pub const CAST_NAME: &str = "graphwire.cast ";

#[derive(Debug, PartialEq, Eq, Hash)]
struct NamedCast;

impl Meaning for NamedCast {
    fn returns(&self, types: &[PgType]) -> Result<PgType, PgError> {
        types.first().cloned().ok_or_else(|| PgError::internal("a named cast of nothing"))
    }
}

/// The function of that name, if it is one of these.
pub fn named_cast(name: &str) -> Option<Arc<ScalarUDF>> {
    name.starts_with(CAST_NAME).then(|| unsettled(name, Volatility::Immutable, NamedCast))
}

/// The cast inside of a call of such a function.
pub(super) fn cast_inside(call: &ScalarFunction) -> Option<&Expr> {
    meaning::<NamedCast>(&call.func).and_then(|_| call.args.first())
}

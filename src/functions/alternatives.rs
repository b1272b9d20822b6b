//! `coalesce` and `nullif` until the types of their arguments are settled.
//!
//! DataFusion's own judge Arrow types while a statement is planned, when a literal beside a `uuid` or a value of an
//! enumerated type is still a string. These take anything; [`super::resolve`] puts DataFusion's in their place.

use std::sync::Arc;

use datafusion::logical_expr::{ScalarUDF, Volatility};

use crate::error::PgError;
use crate::functions::overload::common_type;
use crate::functions::unsettled::{Meaning, unsettled};
use crate::types::pg_type::PgType;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Alternatives;

impl Meaning for Alternatives {
    fn returns(&self, types: &[PgType]) -> Result<PgType, PgError> {
        // What cannot be matched is an error when it is resolved.
        Ok(common_type(types).unwrap_or(PgType::Text))
    }
}

/// The function of that name that takes anything, if it is one of these.
pub fn alternatives(name: &str) -> Option<Arc<ScalarUDF>> {
    settled(name).map(|_| unsettled(name, Volatility::Immutable, Alternatives))
}

/// DataFusion's function of that name.
pub(super) fn settled(name: &str) -> Option<Arc<ScalarUDF>> {
    match name {
        "coalesce" => Some(datafusion::functions::core::coalesce()),
        "nullif" => Some(datafusion::functions::core::nullif()),
        _ => None,
    }
}

//! The last step: columns of a query to what a client is told (WIRE.md §3 and §4).

use super::binder::Binder;
use super::typed::Typed;
use crate::error::PgError;
use crate::functions::cypher::CypherType;
use crate::functions::cypher::output::{Conversion, Target};
use crate::types::pg_type::PgType;
use datafusion::logical_expr::Expr;

impl Binder<'_> {
    /// A value in the representation of its column type, with that type.
    pub(super) fn output(&self, value: Typed) -> Result<(Expr, PgType), PgError> {
        let wire = value.ty.wire();
        let temporal = match &value.ty {
            CypherType::List(element) => element.is_temporal(),
            ty => ty.is_temporal(),
        };
        if temporal {
            let (target, ty) = match (self.context.iso_temporals, &value.ty) {
                (false, _) => (Target::Native, wire),
                (true, CypherType::List(_)) => (Target::Iso, PgType::array_of(PgType::Text)),
                (true, _) => (Target::Iso, PgType::Text),
            };
            return Ok((Conversion::call(value.expr, value.ty, target), ty));
        }
        if let CypherType::Pg(pg) = &value.ty {
            let iso = self.context.iso_temporals;
            let normalized = self.normalized(value.clone());
            if iso && normalized.ty.is_temporal() {
                return self.output(normalized);
            }
            return Ok((value.expr, pg.clone()));
        }
        if wire != PgType::Jsonb {
            return Ok((value.expr, wire));
        }
        if matches!(value.ty, CypherType::Node | CypherType::Relationship | CypherType::Path) {
            return Ok((self.element_json(value.expr, &value.ty)?, wire));
        }
        let value = self.with_element_json(value)?;
        Ok((Conversion::call(value.expr, value.ty, Target::Json), wire))
    }
}

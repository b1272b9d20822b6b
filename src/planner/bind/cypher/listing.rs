//! Procedures that list what a graph has: `db.labels()` and its like.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{
    Expr as PlanExpr, Extension, LogicalPlan, LogicalPlanBuilder, Values, lit,
};

use super::binder::{Binder, column, one_row, projection};
use super::error;
use super::matching::input_of;
use crate::error::PgError;
use crate::parser::CATALOG_PROCEDURES;
use crate::parser::cypher::{Call, Yield};
use crate::planner::node::{GraphListing, Listing, ListingColumns, ListingType};

/// What a procedure gives.
enum Given {
    /// What the graph has.
    Listing(Listing),
    /// One row that is known.
    Row(ListingColumns, Vec<ScalarValue>),
    /// Nothing: what it waits for is always there.
    Nothing,
}

const PING: ListingColumns =
    ListingColumns { columns: &[("success", ListingType::Boolean)], shown: 1 };
const COMPONENTS: ListingColumns = ListingColumns {
    columns: &[
        ("name", ListingType::Text),
        ("versions", ListingType::Texts),
        ("edition", ListingType::Text),
    ],
    shown: 3,
};

/// What a procedure of this name gives, in lower case, and how many arguments it may have.
fn given(name: &str) -> Option<(Given, usize)> {
    Some(match name {
        "db.labels" => (Given::Listing(Listing::Labels), 0),
        "db.relationshiptypes" => (Given::Listing(Listing::RelationshipTypes), 0),
        "db.propertykeys" => (Given::Listing(Listing::PropertyKeys), 0),
        "db.schema.nodetypeproperties" => (Given::Listing(Listing::NodeProperties), 0),
        "db.schema.reltypeproperties" => (Given::Listing(Listing::RelationshipProperties), 0),
        "db.awaitindexes" => (Given::Nothing, 1),
        "db.ping" => (Given::Row(PING, vec![ScalarValue::Boolean(Some(true))]), 0),
        "dbms.components" => {
            let text = |text: &str| ScalarValue::Utf8View(Some(text.to_owned()));
            let versions = [text(env!("CARGO_PKG_VERSION"))];
            let ty = arrow::datatypes::DataType::Utf8View;
            let versions = ScalarValue::List(ScalarValue::new_list_nullable(&versions, &ty));
            (Given::Row(COMPONENTS, vec![text("graphwire"), versions, text("community")]), 0)
        }
        _ => return None,
    })
}

impl Binder<'_> {
    /// Binds the call of one of these procedures; `false` if it is none. `alone` where it is the whole statement.
    pub(super) fn catalog_procedure(&mut self, call: &Call, alone: bool) -> Result<bool, PgError> {
        let Call { optional, name, arguments, yields, condition, span } = call;
        let full = name.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(".");
        let Some((given, most)) = given(&full.to_ascii_lowercase()) else { return Ok(false) };
        let arguments = arguments.as_deref().unwrap_or_default();
        if arguments.len() > most {
            let known = CATALOG_PROCEDURES.iter().find(|known| known.eq_ignore_ascii_case(&full));
            let (name, found) = (known.copied().unwrap_or(&full), arguments.len());
            return Err(error::argument_count(name, &most.to_string(), found, *span));
        }
        if *optional {
            return Err(error::unsupported("OPTIONAL CALL of this procedure", *span));
        }
        for argument in arguments {
            self.expr(argument)?;
        }
        let (plan, columns) = match given {
            Given::Listing(listing) => (self.listing(listing)?, listing.columns()),
            Given::Row(columns, row) => (row_plan(columns, row)?, columns),
            Given::Nothing => {
                if alone {
                    self.filter(lit(false))?;
                }
                return Ok(true);
            }
        };
        let mut outputs = Vec::with_capacity(columns.columns.len());
        let mut fields = Vec::with_capacity(columns.columns.len());
        for (name, ty) in columns.columns.iter().take(columns.shown) {
            let known = self.fresh();
            outputs.push((column(name), known.clone()));
            fields.push((*name, column(&known), ty.cypher()));
        }
        let listed = projection(plan, outputs)?;
        self.plan = match input_of(std::mem::replace(&mut self.plan, one_row())) {
            None => listed,
            Some(rows) => {
                let rows = Arc::unwrap_or_clone(rows);
                LogicalPlanBuilder::from(rows).cross_join(listed)?.build()?
            }
        };
        let nothing = Yield::Items(Vec::new());
        let yields = if !alone && *yields == Yield::None { &nothing } else { yields };
        self.yield_fields(yields, &fields)?;
        if let Some(condition) = condition {
            let condition = self.condition(condition)?;
            self.filter(condition)?;
        }
        Ok(true)
    }

    /// The rows of a listing of the chosen graph.
    pub(super) fn listing(&self, listing: Listing) -> Result<LogicalPlan, PgError> {
        let as_role = self.context.bind.and_then(|bind| bind.as_role);
        let node = GraphListing::try_new(Arc::clone(self.graph()?), listing, as_role)?;
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
    }
}

fn row_plan(columns: ListingColumns, row: Vec<ScalarValue>) -> Result<LogicalPlan, PgError> {
    rows_plan(columns, vec![row])
}

/// Rows that are known when the statement is bound; at least one.
pub(super) fn rows_plan(
    columns: ListingColumns,
    rows: Vec<Vec<ScalarValue>>,
) -> Result<LogicalPlan, PgError> {
    let literal = |value| PlanExpr::Literal(value, None);
    let values = rows.into_iter().map(|row| row.into_iter().map(literal).collect()).collect();
    Ok(LogicalPlan::Values(Values { schema: columns.schema()?, values }))
}

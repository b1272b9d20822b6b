//! `SHOW` of labels, types, property keys, constraints, indexes, functions and procedures.

use std::cell::Cell;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr as PlanExpr;
use datafusion::logical_expr::lit;

use super::binder::{Binder, Binding, column};
use super::function::OWN;
use super::listing::rows_plan;
use super::parameter::Parameters;
use super::typed::text_literal;
use super::walk::AGGREGATES;
use super::{CypherContext, Part, finish};
use crate::catalog::Rights;
use crate::error::PgError;
use crate::functions::cypher::library::{self, Definition};
use crate::parser::CATALOG_PROCEDURES;
use crate::parser::cypher::{ShowCommand, ShowTarget};
use crate::planner::bind::graph::choose_graph;
use crate::planner::node::{Algorithm, Listing, ListingColumns, ListingType};

use ListingType::{Boolean, Text};

const FUNCTIONS: ListingColumns = ListingColumns {
    columns: &[
        ("name", Text),
        ("category", Text),
        ("description", Text),
        ("signature", Text),
        ("isBuiltIn", Boolean),
        ("aggregating", Boolean),
        ("isDeprecated", Boolean),
    ],
    shown: 3,
};

const PROCEDURES: ListingColumns = ListingColumns {
    columns: &[
        ("name", Text),
        ("description", Text),
        ("mode", Text),
        ("worksOnSystem", Boolean),
        ("isDeprecated", Boolean),
    ],
    shown: 4,
};

/// Binds the command.
pub(super) fn bind_show(
    context: &CypherContext<'_>,
    command: &ShowCommand,
    parameters: &Parameters,
) -> Result<Part, PgError> {
    let ShowCommand { target, kinds, built_in, condition, yields, returned, span } = command;
    let graph = choose_graph(context.catalog, context.search_path, context.graph_path, None);
    let names = Cell::new(0);
    let mut binder = Binder::new(context, graph, &names, parameters);
    let listing = match target {
        ShowTarget::Labels => Some(Listing::Labels),
        ShowTarget::RelationshipTypes => Some(Listing::RelationshipTypes),
        ShowTarget::PropertyKeys => Some(Listing::PropertyKeys),
        ShowTarget::Constraints => Some(Listing::Constraints),
        ShowTarget::Indexes => Some(Listing::Indexes),
        ShowTarget::Functions | ShowTarget::Procedures => None,
        ShowTarget::Databases => {
            return Err(PgError::unsupported(
                "SHOW DATABASES is not supported",
                "SELECT datname FROM pg_database lists the databases; SELECT name FROM pg_propgraph the graphs.",
            )
            .at(span.start as usize));
        }
    };
    let columns = match (listing, target) {
        (Some(listing), _) => {
            binder.plan = binder.listing(listing)?;
            listing.columns()
        }
        (None, ShowTarget::Functions) => {
            binder.plan = rows_plan(FUNCTIONS, functions())?;
            FUNCTIONS
        }
        (None, _) => {
            binder.plan = rows_plan(PROCEDURES, procedures(context))?;
            PROCEDURES
        }
    };
    let bindings = columns.columns.iter().map(|(name, ty)| Binding {
        name: (*name).to_owned(),
        expr: column(name),
        ty: ty.cypher(),
    });
    binder.scope = bindings.collect();
    if !kinds.is_empty() {
        let kinds: Vec<PlanExpr> = kinds.iter().map(|kind| text_literal(*kind)).collect();
        binder.filter(column("type").in_list(kinds, false))?;
    }
    if let Some(built_in) = built_in {
        binder.filter(column("isBuiltIn").eq(lit(*built_in)))?;
    }
    if let Some(condition) = condition {
        let condition = binder.condition(condition)?;
        binder.filter(condition)?;
    }
    match yields {
        None => binder.scope.truncate(columns.shown),
        Some(yields) => binder.projection(yields, "YIELD")?,
    }
    if let Some(returned) = returned {
        binder.projection(returned, "RETURN")?;
    }
    let notices = std::mem::take(&mut binder.notices);
    finish(binder, notices, true)
}

fn text(value: impl Into<String>) -> ScalarValue {
    ScalarValue::Utf8View(Some(value.into()))
}

fn flag(value: bool) -> ScalarValue {
    ScalarValue::Boolean(Some(value))
}

/// The functions that an expression may call, by name.
fn functions() -> Vec<Vec<ScalarValue>> {
    let known = library::FUNCTIONS
        .iter()
        .map(|function| (function.name, category(function.name), signature(function), false));
    let own = OWN.iter().map(|name| (*name, category(name), format!("{name}(…)"), false));
    let aggregates =
        AGGREGATES.iter().map(|name| (*name, "Aggregating", format!("{name}(…)"), true));
    let mut all: Vec<_> = known.chain(own).chain(aggregates).collect();
    all.sort_by_key(|(name, ..)| name.to_ascii_lowercase());
    all.dedup_by_key(|(name, ..)| *name);
    all.into_iter()
        .map(|(name, category, signature, aggregating)| {
            let (described, is_built_in) = (signature.clone(), flag(true));
            let aggregating = flag(aggregating);
            vec![
                text(name),
                text(category),
                text(described),
                text(signature),
                is_built_in,
                aggregating,
                flag(false),
            ]
        })
        .collect()
}

/// `substring(STRING, INTEGER[, INTEGER])`
fn signature(function: &Definition) -> String {
    let needed = function.parameters.len() - function.optional;
    let mut written = String::new();
    for (at, want) in function.parameters.iter().enumerate() {
        if at >= needed {
            written.push('[');
        }
        if at > 0 {
            written.push_str(", ");
        }
        written.push_str(want.describe());
    }
    format!("{}({written}{})", function.name, "]".repeat(function.optional))
}

/// The chapter of Neo4j's manual that a function is in.
fn category(name: &str) -> &'static str {
    let base = name.split('.').next().unwrap_or(name);
    match base {
        "date" | "localtime" | "time" | "localdatetime" | "datetime" | "duration" => "Temporal",
        "keys" | "labels" | "nodes" | "range" | "relationships" | "reverse" | "tail" => "List",
        "toBooleanList" | "toFloatList" | "toIntegerList" | "toStringList" => "List",
        "abs" | "ceil" | "ceiling" | "floor" | "isNaN" | "rand" | "round" | "sign" => "Numeric",
        "e" | "exp" | "log" | "log10" | "sqrt" => "Logarithmic",
        "acos" | "asin" | "atan" | "atan2" | "cos" | "cot" | "degrees" | "haversin" | "pi"
        | "radians" | "sin" | "tan" | "sinh" | "cosh" | "tanh" | "coth" => "Trigonometric",
        "left" | "lTrim" | "normalize" | "replace" | "right" | "rTrim" | "split" | "substring"
        | "toLower" | "lower" | "toUpper" | "upper" | "trim" | "btrim" | "toString"
        | "toStringOrNull" => "String",
        "exists" | "isEmpty" => "Predicate",
        _ => "Scalar",
    }
}

/// The procedures that `CALL` may call: the server's, and functions in schemas that the role may use.
fn procedures(context: &CypherContext<'_>) -> Vec<Vec<ScalarValue>> {
    let row = |name: String, description: &str, mode: &str| {
        vec![text(name), text(description), text(mode), flag(false), flag(false)]
    };
    let mut rows: Vec<(String, Vec<ScalarValue>)> = Vec::new();
    for name in Algorithm::names() {
        let name = format!("algo.{name}");
        rows.push((name.clone(), row(name, "A graph algorithm.", "READ")));
    }
    for name in CATALOG_PROCEDURES {
        rows.push(((*name).to_owned(), row((*name).to_owned(), "What the graph has.", "READ")));
    }
    if let Some(bind) = context.bind {
        for function in context.catalog.functions.values() {
            let Some(schema) = context.catalog.schemas.get(&function.schema) else { continue };
            let rights = context.catalog.schema_rights(schema.oid, &bind.roles);
            if !bind.roles.superuser && !rights.contains(Rights::USAGE) {
                continue;
            }
            let is_near = context.search_path.contains(&schema.name);
            let name = match is_near {
                true => function.name.clone(),
                false => format!("{}.{}", schema.name, function.name),
            };
            rows.push((name.clone(), row(name, "A function made by CREATE FUNCTION.", "READ")));
        }
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows.into_iter().map(|(_, row)| row).collect()
}

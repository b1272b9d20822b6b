//! Calls of scalar functions: those on graph elements and `coalesce` here, the rest by the library's table.

use datafusion::functions::core::expr_fn::{coalesce, get_field};
use datafusion::logical_expr::cast;

use super::binder::Binder;
use super::error;
use super::expression::{dynamic, from_json, kind_name};
use super::typed::Typed;
use super::walk::AGGREGATES;
use crate::error::PgError;
use crate::functions::cypher::library::{self, Definition};
use crate::functions::cypher::{Call, CypherType, lists, temporal_read};
use crate::parser::Span;
use crate::parser::cypher::{Expr, ExprKind, FunctionCall};
use crate::planner::bind::graph::names::near;
use crate::planner::node::{GraphFunction, GraphFunctionKind};
use crate::types::pg_type::PgType;

/// Functions that are bound here rather than from the library's table.
pub(super) const OWN: [&str; 14] = [
    "coalesce",
    "exists",
    "id",
    "elementId",
    "labels",
    "type",
    "keys",
    "properties",
    "startNode",
    "endNode",
    "nodes",
    "relationships",
    "length",
    "timestamp",
];

impl Binder<'_> {
    pub(super) fn function(&mut self, call: &FunctionCall, span: Span) -> Result<Typed, PgError> {
        let name = call.name.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(".");
        let folded = name.to_ascii_lowercase();
        if AGGREGATES.contains(&folded.as_str()) {
            return self.aggregate(&folded, call, span);
        }
        if call.distinct {
            return Err(error::wrong_type(
                format!("DISTINCT is for aggregate functions, {name} is none"),
                span,
            ));
        }
        let is_clock =
            ["date", "localtime", "time", "localdatetime", "datetime"].contains(&folded.as_str());
        if is_clock && let Some(zone) = zone_alone(&call.arguments) {
            let zone = self.expr(zone)?;
            return self.now_in(&folded, zone);
        }
        match folded.as_str() {
            "coalesce" => self.coalesce(&call.arguments, span),
            "exists" => self.property_exists(&call.arguments, span),
            "id" | "elementid" | "labels" | "type" | "properties" | "startnode" | "endnode"
            | "keys" => self.element_function(&folded, &name, &call.arguments, span),
            "nodes" | "relationships" | "length" => {
                self.path_function(&folded, &name, &call.arguments, span)
            }
            "date" | "localtime" | "time" | "localdatetime" | "datetime" | "timestamp"
                if call.arguments.is_empty() =>
            {
                Ok(self.now(&folded))
            }
            _ if clock(&folded).is_some() => {
                self.clock_call(&name, clock(&folded).unwrap_or(""), call, span)
            }
            _ => match library::find(&name) {
                Some(definition) => self.library_call(definition, &call.arguments, span),
                None => Err(no_such_function(&name, span)),
            },
        }
    }

    fn one<'e>(&self, name: &str, arguments: &'e [Expr], span: Span) -> Result<&'e Expr, PgError> {
        match arguments {
            [argument] => Ok(argument),
            _ => Err(error::argument_count(name, "1", arguments.len(), span)),
        }
    }

    fn coalesce(&mut self, arguments: &[Expr], span: Span) -> Result<Typed, PgError> {
        if arguments.is_empty() {
            return Err(error::argument_count("coalesce", "1 or more", 0, span));
        }
        let values =
            arguments.iter().map(|argument| self.expr(argument)).collect::<Result<Vec<_>, _>>()?;
        let (values, ty) = self.unified(values)?;
        Ok(Typed::new(coalesce(values), ty))
    }

    /// `exists(n.key)`: not null; `exists((a)-->(b))`: the pattern.
    fn property_exists(&mut self, arguments: &[Expr], span: Span) -> Result<Typed, PgError> {
        let argument = self.one("exists", arguments, span)?;
        match &argument.kind {
            ExprKind::PatternPredicate(_) => self.expr(argument),
            ExprKind::Property { .. } | ExprKind::Index { .. } => {
                let value = self.expr(argument)?;
                Ok(Typed::boolean(value.expr.is_not_null()))
            }
            _ => Err(error::wrong_type("exists() takes a property or a pattern", argument.span)),
        }
    }

    fn element_function(
        &mut self,
        folded: &str,
        name: &str,
        arguments: &[Expr],
        span: Span,
    ) -> Result<Typed, PgError> {
        let argument = self.one(name, arguments, span)?;
        let value = self.expr(argument)?;
        let value = self.normalized(value);
        let edge = match &value.ty {
            CypherType::Null => return Ok(Typed::null()),
            CypherType::Node => false,
            CypherType::Relationship => true,
            _ if folded == "keys" => return self.keys_of_map(value, argument.span),
            CypherType::Map(_) if folded == "properties" => return Ok(value),
            CypherType::Any => return self.any_element(folded, value, span),
            ty => {
                return Err(error::wrong_type(
                    format!("function {name} does not take a value of type {ty}"),
                    argument.span,
                ));
            }
        };
        let (kind, ty) = match (folded, edge) {
            ("id", edge) if self.graph()?.open.is_some() => {
                (GraphFunctionKind::Number { edge }, CypherType::Integer)
            }
            ("id", _) => {
                return Ok(Typed::new(
                    cast(value.expr, CypherType::Integer.arrow()),
                    CypherType::Integer,
                ));
            }
            ("elementid", _) => (GraphFunctionKind::ElementId { edge }, CypherType::String),
            ("labels", false) => {
                (GraphFunctionKind::Labels { edge }, CypherType::list(CypherType::String))
            }
            ("type", true) => (GraphFunctionKind::Labels { edge }, CypherType::String),
            ("keys", _) => (GraphFunctionKind::Keys { edge }, CypherType::list(CypherType::String)),
            ("properties", edge) if self.graph()?.open.is_some() => {
                let kind = GraphFunctionKind::PropertyMap { edge };
                let expr = GraphFunction::call(self.graph()?, kind, value.expr);
                return Ok(Typed::new(expr, CypherType::Any));
            }
            ("properties", _) => (GraphFunctionKind::Properties { edge }, CypherType::Any),
            ("startnode", true) => (GraphFunctionKind::EndPoint { end: false }, CypherType::Node),
            ("endnode", true) => (GraphFunctionKind::EndPoint { end: true }, CypherType::Node),
            _ => {
                return Err(error::wrong_type(
                    format!("function {name} does not take a {}", kind_name(edge)),
                    argument.span,
                ));
            }
        };
        let expr = GraphFunction::call(self.graph()?, kind, value.expr);
        Ok(if folded == "properties" { from_json(expr) } else { Typed::new(expr, ty) })
    }

    fn keys_of_map(&mut self, value: Typed, span: Span) -> Result<Typed, PgError> {
        match &value.ty {
            CypherType::Map(_) | CypherType::Any => {
                Ok(dynamic("keys", lists::keys, vec![value], CypherType::list(CypherType::String)))
            }
            ty => Err(error::wrong_type(
                format!("function keys does not take a value of type {ty}"),
                span,
            )),
        }
    }

    fn any_element(&mut self, folded: &str, value: Typed, span: Span) -> Result<Typed, PgError> {
        use crate::functions::cypher::elements;
        let strings = CypherType::list(CypherType::String);
        Ok(match folded {
            "labels" => dynamic("labels", elements::labels, vec![value], strings),
            "type" => dynamic("type", elements::relationship_type, vec![value], CypherType::String),
            "properties" => {
                dynamic("properties", elements::properties, vec![value], CypherType::Any)
            }
            "elementid" => {
                dynamic("element_id", elements::element_id, vec![value], CypherType::String)
            }
            "id" => dynamic("id", elements::id, vec![value], CypherType::Integer),
            "startnode" | "endnode" => {
                let relationship = self.coerce(value, &CypherType::Relationship)?;
                let kind = GraphFunctionKind::EndPoint { end: folded == "endnode" };
                Typed::new(GraphFunction::call(self.graph()?, kind, relationship), CypherType::Node)
            }
            _ => {
                return Err(error::unsupported("this function on a value of no static type", span));
            }
        })
    }

    fn path_function(
        &mut self,
        folded: &str,
        name: &str,
        arguments: &[Expr],
        span: Span,
    ) -> Result<Typed, PgError> {
        let argument = self.one(name, arguments, span)?;
        let value = self.expr(argument)?;
        match (&value.ty, folded) {
            (CypherType::Null, _) => Ok(Typed::null()),
            (CypherType::Path, "nodes") => Ok(Typed::new(
                get_field(value.expr, "vertices"),
                CypherType::list(CypherType::Node),
            )),
            (CypherType::Path, _) => {
                let edges = CypherType::list(CypherType::Relationship);
                let relationships = Typed::new(get_field(value.expr, "edges"), edges);
                if folded == "relationships" {
                    return Ok(relationships);
                }
                Ok(Typed::new(lists::ListLength::call(relationships.expr), CypherType::Integer))
            }
            (ty, _) => Err(error::wrong_type(
                format!("function {name} does not take a value of type {ty}"),
                argument.span,
            )),
        }
    }

    /// The time the statement began, as one of the temporal types (`timestamp`: milliseconds since 1970).
    fn now(&self, function: &str) -> Typed {
        let clock = self.context.bind.and_then(|bind| bind.functions.scalar("statement_timestamp"));
        let instant = match clock {
            Some(clock) => clock.call(Vec::new()),
            None => datafusion::functions::datetime::expr_fn::now(),
        };
        let instant = Typed::new(
            cast(instant, PgType::Timestamptz(None).arrow()),
            CypherType::Pg(PgType::Timestamptz(None)),
        );
        let instant = self.normalized(instant);
        match function {
            "date" => dynamic("date", temporal_read::date, vec![instant], CypherType::Date),
            "localtime" => dynamic(
                "localtime",
                temporal_read::local_time,
                vec![instant],
                CypherType::LocalTime,
            ),
            "time" => dynamic("time", temporal_read::time, vec![instant], CypherType::Time),
            "localdatetime" => dynamic(
                "localdatetime",
                temporal_read::local_date_time,
                vec![instant],
                CypherType::LocalDateTime,
            ),
            "timestamp" => dynamic(
                "timestamp",
                temporal_read::epoch_millis,
                vec![instant],
                CypherType::Integer,
            ),
            _ => instant,
        }
    }

    /// The time the statement began where a time zone is kept, as one of the temporal types.
    fn now_in(&mut self, function: &str, zone: Typed) -> Result<Typed, PgError> {
        let entries =
            vec![("datetime".to_owned(), self.now("datetime")), ("timezone".to_owned(), zone)];
        let map = self.map(entries)?;
        let there = dynamic("datetime", temporal_read::date_time, vec![map], CypherType::DateTime);
        Ok(match function {
            "date" => dynamic("date", temporal_read::date, vec![there], CypherType::Date),
            "localtime" => {
                let ty = CypherType::LocalTime;
                dynamic("localtime", temporal_read::local_time, vec![there], ty)
            }
            "time" => dynamic("time", temporal_read::time, vec![there], CypherType::Time),
            "localdatetime" => {
                let ty = CypherType::LocalDateTime;
                dynamic("localdatetime", temporal_read::local_date_time, vec![there], ty)
            }
            _ => there,
        })
    }

    /// `date.transaction()` and its like: all clocks show the start of the statement.
    fn clock_call(
        &mut self,
        name: &str,
        base: &str,
        call: &FunctionCall,
        span: Span,
    ) -> Result<Typed, PgError> {
        match call.arguments.as_slice() {
            [] => Ok(self.now(base)),
            [argument] => {
                let zone = self.expr(argument)?;
                let zone = self.expect(zone, &CypherType::String);
                match zone.ty {
                    CypherType::Null => Ok(Typed::null()),
                    CypherType::String | CypherType::Any => self.now_in(base, zone),
                    ty => Err(error::wrong_type(
                        format!("function {name} takes a time zone, not a value of type {ty}"),
                        argument.span,
                    )),
                }
            }
            arguments => Err(error::argument_count(name, "0 or 1", arguments.len(), span)),
        }
    }

    fn library_call(
        &mut self,
        definition: &'static Definition,
        arguments: &[Expr],
        span: Span,
    ) -> Result<Typed, PgError> {
        let most = definition.parameters.len();
        let least = most - definition.optional;
        if !(least..=most).contains(&arguments.len()) {
            let expected =
                if least == most { most.to_string() } else { format!("{least} to {most}") };
            return Err(error::argument_count(definition.name, &expected, arguments.len(), span));
        }
        let mut values = Vec::with_capacity(arguments.len());
        for (argument, want) in arguments.iter().zip(definition.parameters) {
            let value = self.expr(argument)?;
            let value = match want {
                library::Want::Integer => self.expect(value, &CypherType::Integer),
                library::Want::String => self.expect(value, &CypherType::String),
                library::Want::Number => self.expect(value, &CypherType::Float),
                _ => value,
            };
            let value = self.normalized(value);
            if !want.takes(&value.ty) {
                return Err(error::wrong_type(
                    format!(
                        "function {} takes {}, not {}",
                        definition.name,
                        want.describe(),
                        value.ty
                    ),
                    argument.span,
                ));
            }
            values.push(value);
        }
        if definition.name == "size"
            && let [Typed { expr, ty: CypherType::List(_), .. }] = values.as_slice()
        {
            return Ok(Typed::new(lists::ListLength::call(expr.clone()), CypherType::Integer));
        }
        if let Some(native) = native_string(definition.name, &values) {
            return Ok(native);
        }
        let types = values.iter().map(|value| value.ty.clone()).collect::<Vec<_>>();
        let result = if types.contains(&CypherType::Null) {
            CypherType::Null
        } else {
            (definition.result)(&types)
        };
        if result == CypherType::Null {
            return Ok(Typed::null());
        }
        let arguments = values.into_iter().map(|value| (value.expr, value.ty)).collect();
        let expr = Call::expression(
            definition.name,
            definition.kernel,
            definition.nulls,
            definition.volatility,
            arguments,
            result.clone(),
        );
        Ok(Typed::new(expr, result))
    }
}

/// The time zone of `datetime({timezone: zone})`, which asks for the time it is there.
fn zone_alone(arguments: &[Expr]) -> Option<&Expr> {
    let [Expr { kind: ExprKind::Map(entries), .. }] = arguments else { return None };
    match entries.as_slice() {
        [(key, zone)] if key.text == "timezone" => Some(zone),
        _ => None,
    }
}

/// The temporal type of a clock's name: `date` of `date.transaction`.
fn clock(name: &str) -> Option<&str> {
    let (base, clock) = name.split_once('.')?;
    (matches!(clock, "transaction" | "statement" | "realtime")
        && matches!(base, "date" | "localtime" | "time" | "localdatetime" | "datetime"))
    .then_some(base)
}

/// The engine's own kernel, where it does the same on plain strings.
fn native_string(name: &str, values: &[Typed]) -> Option<Typed> {
    use datafusion::functions::string::expr_fn::{lower, upper};
    let [Typed { expr, ty: CypherType::String, .. }] = values else { return None };
    let call = match name {
        "toUpper" | "upper" => upper(expr.clone()),
        "toLower" | "lower" => lower(expr.clone()),
        _ => return None,
    };
    // The engine's result may be in another string representation.
    Some(Typed::new(cast(call, CypherType::String.arrow()), CypherType::String))
}

fn no_such_function(name: &str, span: Span) -> PgError {
    let known =
        library::FUNCTIONS.iter().map(|function| function.name).chain(OWN).chain(AGGREGATES);
    let error = error::unknown_function(name, span);
    match near(name, known) {
        Some(near) => error.hint(format!("Perhaps you meant {near}.")),
        None => error,
    }
}

//! `CALL` of a procedure: a function that `CREATE FUNCTION` made, run for each row.
//!
//! `CALL a.b.c(…)` is the function `c` in the schema `"a.b"` (WIRE.md §7).

use std::sync::Arc;

use datafusion::logical_expr::{Expr as PlanExpr, ExprSchemable, lit};

use super::binder::{AggregatePlace, Binder, Binding, column, one_row, projection};
use super::error;
use super::matching::input_of;
use super::typed::Typed;
use crate::catalog::{QualifiedName, SqlFunction};
use crate::error::{PgError, SqlState};
use crate::functions::cast::plan_cast;
use crate::functions::cypher::CypherType;
use crate::parser::Span;
use crate::parser::cypher::{Call, Expr, Yield};
use crate::parser::pattern::Name;
use crate::planner::bind::context::BindContext;
use crate::planner::bind::graph::names::with_near;
use crate::planner::bind::sql::function;
use crate::planner::node::{Apply, ApplyKind, ApplyParts};
use crate::types::pg_type::PgType;

/// Numbers of applies made here, apart from those that others make.
const FIRST_NUMBER: u32 = 1 << 21;

impl Binder<'_> {
    /// Binds the clause; `alone` where it is the whole statement, which then gives what the procedure gives.
    pub(super) fn call_procedure(&mut self, call: &Call, alone: bool) -> Result<(), PgError> {
        let Call { optional, name, arguments, yields, condition, span } = call;
        let context = self.context.bind.ok_or_else(|| not_found(name, *span))?;
        let qualified = procedure_name(name);
        let known = context.catalog.functions_named(&qualified, &context.search_path);
        let [first, ..] = known.as_slice() else { return Err(not_found(name, *span)) };
        self.place = AggregatePlace::Forbidden("CALL");
        let values = match (arguments, alone) {
            (Some(arguments), _) => {
                arguments.iter().map(|argument| self.argument(argument)).collect()
            }
            (None, true) => self.implicit(first, *span),
            (None, false) => {
                Err(PgError::new(SqlState::SYNTAX_ERROR, "CALL within a query needs arguments")
                    .routine("InvalidArgumentPassingMode")
                    .at(span.start as usize))
            }
        }?;
        let found = function::find(context, &qualified, values.len());
        let function = found
            .map_err(|error| error.at(span.start as usize))?
            .ok_or_else(|| not_found(name, *span))?;
        let mut keys = Vec::with_capacity(values.len());
        for ((value, span), to) in values.into_iter().zip(function.argument_types()) {
            keys.push(self.assigned(context, value, to, span)?);
        }
        let fields = yielded(&function, yields, alone)?;
        self.apply(context, &function, keys, (*optional, alone), &fields)?;
        if let Some(condition) = condition {
            let condition = self.condition(condition)?;
            self.filter(condition)?;
        }
        Ok(())
    }

    fn argument(&mut self, argument: &Expr) -> Result<(Typed, Span), PgError> {
        Ok((self.expr(argument)?, argument.span))
    }

    /// `CALL name` without parentheses: each argument is the parameter of its name.
    fn implicit(
        &mut self,
        function: &SqlFunction,
        span: Span,
    ) -> Result<Vec<(Typed, Span)>, PgError> {
        let statement = self.context.statement;
        let mut values = Vec::with_capacity(function.arguments.len());
        for argument in &function.arguments {
            let name = argument.name.as_deref().unwrap_or_default();
            let Some(number) = statement.parameter_number(name) else {
                return Err(PgError::new(
                    SqlState::UNDEFINED_PARAMETER,
                    format!("parameter ${name} is not given"),
                )
                .hint("Give the arguments in parentheses, or name the parameters in the statement.")
                .routine("MissingParameter")
                .at(span.start as usize));
            };
            values.push((self.parameter(number), span));
        }
        Ok(values)
    }

    /// A value as an argument of this type takes it: FLOAT takes INTEGER, and null and ANY fit everywhere.
    fn assigned(
        &mut self,
        context: &BindContext,
        value: Typed,
        to: &PgType,
        span: Span,
    ) -> Result<PlanExpr, PgError> {
        let wanted = CypherType::of_pg(to).unwrap_or(CypherType::Pg(to.clone()));
        let value = self.expect(value, &wanted);
        let normalized = self.normalized(value.clone());
        let fits = match (&normalized.ty, &wanted) {
            (CypherType::Null, _) | (_, CypherType::Any) => true,
            (CypherType::Any, _) => false,
            (CypherType::Integer, CypherType::Float) => true,
            (have, wanted) => have == wanted,
        };
        let expr = match (&normalized.ty, &wanted) {
            (CypherType::Any, CypherType::Boolean | CypherType::Integer | CypherType::Float)
            | (CypherType::Any, CypherType::String) => self.coerce(normalized, &wanted)?,
            (_, CypherType::Any) => self.output(value)?.0,
            (have, CypherType::Pg(_)) if *have != CypherType::Null => value.expr,
            _ if fits => self.coerce(normalized, &wanted)?,
            (have, _) => {
                let message = format!("the argument must be of type {wanted}, not {have}");
                return Err(error::wrong_type(message, span));
            }
        };
        let from = PgType::from_field(&expr.to_field(self.plan.schema().as_ref())?.1);
        plan_cast(expr, &from, to, false, context.functions.session())
            .map_err(|error| error.at(span.start as usize))
    }

    /// Runs the function for each row.
    fn apply(
        &mut self,
        context: &BindContext,
        function: &SqlFunction,
        keys: Vec<PlanExpr>,
        (optional, whole): (bool, bool),
        fields: &[(usize, String, Span)],
    ) -> Result<(), PgError> {
        // One row without columns asks once, with constants.
        let alone = input_of(self.plan.clone()).is_none();
        if alone && (optional || keys.iter().any(PlanExpr::is_volatile)) {
            let row = self.fresh();
            self.project(vec![(lit(true), row)])?;
        }
        let once = input_of(self.plan.clone()).is_none();
        let number: u32 = self.fresh().trim_start_matches('#').parse().unwrap_or(0);
        let number = (FIRST_NUMBER + number) as usize;
        let mut inside = Vec::with_capacity(keys.len());
        for (at, key) in keys.iter().enumerate() {
            let (_, field) = key.to_field(self.plan.schema().as_ref())?;
            inside.push(PlanExpr::OuterReferenceColumn(field, Apply::key_column(number, at)));
        }
        let body = function::plan_call(context, function, if once { &keys } else { &inside })?;
        let given = body.schema().columns();
        let types = function.columns();
        let (mut outputs, mut bindings) = (Vec::new(), Vec::new());
        for (at, name, span) in fields {
            let (Some(from), Some((_, ty))) = (given.get(*at), types.get(*at)) else { continue };
            let taken = |binding: &Binding| binding.name == *name;
            if self.find(name).is_some() || bindings.iter().any(taken) {
                return Err(error::already_bound(name, *span));
            }
            let known = self.fresh();
            outputs.push((PlanExpr::Column(from.clone()), known.clone()));
            let ty = CypherType::of_property(ty);
            bindings.push(Binding { name: name.clone(), expr: column(&known), ty });
        }
        if function.columns().is_empty() {
            // It gives nothing: the rows go on.
            return if whole { self.filter(lit(false)) } else { Ok(()) };
        }
        if outputs.is_empty() {
            outputs.push((lit(true), self.fresh()));
        }
        let called = projection(body, outputs)?;
        self.scope.extend(bindings);
        if once {
            self.plan = called;
            return Ok(());
        }
        let subplan = Arc::new(called);
        let input = Arc::new(std::mem::replace(&mut self.plan, one_row()));
        let parts = ApplyParts { number, kind: ApplyKind::Rows { optional }, keys, guard: None };
        self.plan = Apply::try_new(input, subplan, parts)?.into_plan();
        Ok(())
    }
}

fn procedure_name(name: &[Name]) -> QualifiedName {
    let (last, schema) = name
        .split_last()
        .map_or(("", [].as_slice()), |(last, schema)| (last.text.as_str(), schema));
    let schema: Vec<&str> = schema.iter().map(|part| part.text.as_str()).collect();
    let schema = (!schema.is_empty()).then(|| schema.join("."));
    QualifiedName { schema, name: last.to_owned() }
}

fn not_found(name: &[Name], span: Span) -> PgError {
    let full = name.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(".");
    PgError::new(SqlState::UNDEFINED_FUNCTION, format!("procedure {full} does not exist"))
        .routine("ProcedureNotFound")
        .at(span.start as usize)
}

/// Which columns come out, under which names, and where that is said.
fn yielded(
    function: &SqlFunction,
    yields: &Yield,
    alone: bool,
) -> Result<Vec<(usize, String, Span)>, PgError> {
    let columns = function.columns();
    match yields {
        Yield::None if !alone => Ok(Vec::new()),
        Yield::None | Yield::Star => {
            let all = columns.into_iter().enumerate();
            Ok(all.map(|(at, (name, _))| (at, name, Span::default())).collect())
        }
        Yield::Items(items) => items
            .iter()
            .map(|item| {
                let field = item.field.text.as_str();
                let alias = item.alias.as_ref().unwrap_or(&item.field);
                let Some(at) = columns.iter().position(|(name, _)| name == field) else {
                    let message = format!("the procedure does not give \"{field}\"");
                    let error = PgError::new(SqlState::UNDEFINED_COLUMN, message)
                        .routine("UndefinedVariable")
                        .at(item.span.start as usize);
                    let known = columns.iter().map(|(name, _)| name.as_str());
                    return Err(with_near(error, field, known));
                };
                Ok((at, alias.text.clone(), item.span))
            })
            .collect(),
    }
}

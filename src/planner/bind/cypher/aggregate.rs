//! Aggregate functions: each becomes a column of the aggregation below the projection it stands in.

use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::stddev::{stddev_pop_udaf, stddev_udaf};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::{AggregateUDF, Expr as PlanExpr, cast, lit};
use std::sync::Arc;

use super::binder::{AggregatePlace, Binder, column};
use super::error;
use super::expression::{dynamic, empty_list};
use super::typed::Typed;
use super::walk::is_random;
use crate::error::PgError;
use crate::functions::cypher::output::{Conversion, Target};
use crate::functions::cypher::{CypherType, lists};
use crate::parser::Span;
use crate::parser::cypher::FunctionCall;
use crate::types::pg_type::PgType;

impl Binder<'_> {
    /// Adds an aggregate to the aggregation being collected; the same one only once. Gives its column.
    fn collect_aggregate(&mut self, aggregate: PlanExpr) -> PlanExpr {
        if let Some((_, name)) = self.aggregates.iter().find(|(known, _)| *known == aggregate) {
            return column(name);
        }
        let name = self.fresh();
        self.aggregates.push((aggregate, name.clone()));
        column(&name)
    }

    fn check_place(&self, span: Span) -> Result<(), PgError> {
        match self.place {
            AggregatePlace::Allowed if self.in_lambda => {
                Err(error::invalid_aggregation("the body of a list expression", span))
            }
            AggregatePlace::Allowed => Ok(()),
            AggregatePlace::Nested => Err(error::nested_aggregation(span)),
            AggregatePlace::Forbidden(clause) => Err(error::invalid_aggregation(clause, span)),
        }
    }

    /// `count(*)`.
    pub(super) fn count_star(&mut self, span: Span) -> Result<Typed, PgError> {
        self.check_place(span)?;
        let rows = call(count_udaf(), vec![lit(1_i64)], false, None);
        Ok(Typed::new(self.collect_aggregate(rows), CypherType::Integer))
    }

    pub(super) fn aggregate(
        &mut self,
        name: &str,
        call: &FunctionCall,
        span: Span,
    ) -> Result<Typed, PgError> {
        self.check_place(span)?;
        let percentile = name.starts_with("percentile");
        let expected = if percentile { 2 } else { 1 };
        if call.arguments.len() != expected {
            return Err(error::argument_count(
                name,
                &expected.to_string(),
                call.arguments.len(),
                span,
            ));
        }
        if let Some(random) = call.arguments.iter().find(|argument| is_random(argument)) {
            return Err(error::random_in_aggregate(random.span));
        }
        let outside = std::mem::replace(&mut self.place, AggregatePlace::Nested);
        let arguments = call
            .arguments
            .iter()
            .map(|argument| self.expr(argument))
            .collect::<Result<Vec<_>, _>>();
        self.place = outside;
        let mut arguments = arguments?.into_iter().map(|argument| self.normalized_number(argument));
        let (Some(value), second) = (arguments.next(), arguments.next()) else {
            return Err(PgError::internal("an aggregate without arguments"));
        };
        let argument_span = call.arguments.first().map_or(span, |argument| argument.span);
        match name {
            "count" => {
                let value = if call.distinct { self.grouping_key(value) } else { value.expr };
                Ok(Typed::new(
                    self.collect_aggregate(self::call(
                        count_udaf(),
                        vec![value],
                        call.distinct,
                        None,
                    )),
                    CypherType::Integer,
                ))
            }
            "sum" => self.sum(value, call.distinct, argument_span),
            "avg" => self.mean(avg_udaf(), value, call.distinct, argument_span),
            "stdev" => self.deviation(stddev_udaf(), value, call.distinct, argument_span),
            "stdevp" => self.deviation(stddev_pop_udaf(), value, call.distinct, argument_span),
            "min" => self.extreme(min_udaf(), value, argument_span),
            "max" => self.extreme(max_udaf(), value, argument_span),
            "collect" => Ok(self.collect(value, call.distinct)),
            _ => self.percentile(name, value, second, call.distinct, argument_span),
        }
    }

    /// Small integers and floats as Cypher's; PostgreSQL's other types as they are.
    fn normalized_number(&mut self, value: Typed) -> Typed {
        match &value.ty {
            CypherType::Pg(PgType::Numeric(_)) => value,
            _ => self.normalized(value),
        }
    }

    fn grouping_key(&self, value: Typed) -> PlanExpr {
        match value.ty {
            CypherType::Any => Conversion::call(value.expr, CypherType::Any, Target::GroupingKey),
            _ => value.expr,
        }
    }

    fn sum(&mut self, value: Typed, distinct: bool, span: Span) -> Result<Typed, PgError> {
        match &value.ty {
            CypherType::Null => Ok(Typed::new(lit(0_i64), CypherType::Integer)),
            CypherType::Integer | CypherType::Float => {
                let zero = if value.ty == CypherType::Integer { lit(0_i64) } else { lit(0.0_f64) };
                let sum =
                    self.collect_aggregate(call(sum_udaf(), vec![value.expr], distinct, None));
                Ok(Typed::new(coalesce(vec![sum, zero]), value.ty))
            }
            CypherType::Pg(PgType::Numeric(_)) => {
                let ty = CypherType::Pg(PgType::Numeric(None));
                let exact = cast(value.expr, ty.arrow());
                let sum = self.collect_aggregate(call(sum_udaf(), vec![exact], distinct, None));
                Ok(Typed::new(
                    coalesce(vec![cast(sum, ty.arrow()), cast(lit(0_i64), ty.arrow())]),
                    ty,
                ))
            }
            CypherType::Any | CypherType::Duration => {
                let ty = value.ty.clone();
                let list = self.collect(value, distinct);
                Ok(dynamic("sum", lists::sum, vec![list], ty))
            }
            ty => Err(error::wrong_type(format!("sum does not take values of type {ty}"), span)),
        }
    }

    /// Numbers as floats, for averages and deviations.
    fn floats(&mut self, function: &str, value: Typed, span: Span) -> Result<PlanExpr, PgError> {
        match &value.ty {
            CypherType::Float => Ok(value.expr),
            CypherType::Null => Ok(super::typed::null_of(&CypherType::Float)),
            CypherType::Any => self.coerce(value, &CypherType::Float),
            ty if ty.is_number() => Ok(cast(value.expr, CypherType::Float.arrow())),
            ty => Err(error::wrong_type(
                format!("{function} does not take values of type {ty}"),
                span,
            )),
        }
    }

    fn mean(
        &mut self,
        function: Arc<AggregateUDF>,
        value: Typed,
        distinct: bool,
        span: Span,
    ) -> Result<Typed, PgError> {
        if value.ty == CypherType::Duration {
            let list = self.collect(value, distinct);
            return Ok(dynamic("avg", lists::average, vec![list], CypherType::Duration));
        }
        let floats = self.floats("avg", value, span)?;
        Ok(Typed::new(
            self.collect_aggregate(call(function, vec![floats], distinct, None)),
            CypherType::Float,
        ))
    }

    /// Of fewer than two values the deviation is 0.
    fn deviation(
        &mut self,
        function: Arc<AggregateUDF>,
        value: Typed,
        distinct: bool,
        span: Span,
    ) -> Result<Typed, PgError> {
        let floats = self.floats("a standard deviation", value, span)?;
        let deviation = self.collect_aggregate(call(function, vec![floats], distinct, None));
        Ok(Typed::new(coalesce(vec![deviation, lit(0.0_f64)]), CypherType::Float))
    }

    fn extreme(
        &mut self,
        function: Arc<AggregateUDF>,
        value: Typed,
        _span: Span,
    ) -> Result<Typed, PgError> {
        let value = match &value.ty {
            CypherType::Null => return Ok(Typed::null()),
            CypherType::Integer
            | CypherType::Float
            | CypherType::String
            | CypherType::Boolean
            | CypherType::Any => value,
            CypherType::Pg(PgType::Numeric(_)) => value,
            ty if ty.is_temporal() => value,
            // Everything else compares as ANY does.
            _ => Typed::new(self.to_any(value)?, CypherType::Any),
        };
        let extreme = self.collect_aggregate(call(function, vec![value.expr], false, None));
        Ok(Typed::new(extreme, value.ty))
    }

    /// The list of values that are not null.
    pub(super) fn collect(&mut self, value: Typed, distinct: bool) -> Typed {
        let present = Box::new(value.expr.clone().is_not_null());
        let list =
            self.collect_aggregate(call(array_agg_udaf(), vec![value.expr], false, Some(present)));
        let ty = CypherType::list(value.ty.clone());
        let list = Typed::new(coalesce(vec![list, empty_list(&value.ty)]), ty.clone());
        // The engine's own DISTINCT loses the order of first appearance.
        if distinct { dynamic("distinct", lists::distinct, vec![list], ty) } else { list }
    }

    fn percentile(
        &mut self,
        name: &str,
        value: Typed,
        fraction: Option<Typed>,
        distinct: bool,
        span: Span,
    ) -> Result<Typed, PgError> {
        let Some(fraction) = fraction else {
            return Err(PgError::internal("a percentile without a fraction"));
        };
        let fraction = self.expect(fraction, &CypherType::Float);
        let fraction = self.normalized(fraction);
        for ty in [&value.ty, &fraction.ty] {
            if !ty.is_number() && !ty.is_open() {
                return Err(error::wrong_type(
                    format!("{name} does not take values of type {ty}"),
                    span,
                ));
            }
        }
        let result = match (&value.ty, name) {
            (_, "percentilecont") => CypherType::Float,
            (ty @ (CypherType::Integer | CypherType::Float), _) => ty.clone(),
            _ => CypherType::Any,
        };
        let list = self.collect(value, distinct);
        // The fraction is the same for all rows of a group.
        let fraction = Typed::new(
            self.collect_aggregate(call(max_udaf(), vec![fraction.expr], false, None)),
            fraction.ty,
        );
        Ok(match name {
            "percentilecont" => {
                dynamic("percentile_cont", lists::percentile_cont, vec![list, fraction], result)
            }
            _ => dynamic("percentile_disc", lists::percentile_disc, vec![list, fraction], result),
        })
    }
}

fn call(
    func: Arc<AggregateUDF>,
    args: Vec<PlanExpr>,
    distinct: bool,
    filter: Option<Box<PlanExpr>>,
) -> PlanExpr {
    PlanExpr::AggregateFunction(AggregateFunction {
        func,
        params: AggregateFunctionParams {
            args,
            distinct,
            filter,
            order_by: Vec::new(),
            null_treatment: None,
        },
    })
}

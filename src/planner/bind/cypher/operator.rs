//! Operators of two operands: which kernel, by the operands' static types.

use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{BinaryExpr, Expr as PlanExpr, Operator, cast};

use super::binder::Binder;
use super::error;
use super::expression::dynamic;
use super::typed::{Typed, null_of};
use crate::error::PgError;
use crate::functions::cypher::operators::{self, Arithmetic, FloatComparison, NumberArithmetic};
use crate::functions::cypher::{CypherType, Kernel};
use crate::parser::Span;
use crate::parser::cypher::{BinaryOperator, ComparisonOperator, Expr};
use crate::types::pg_type::PgType;

impl Binder<'_> {
    pub(super) fn binary(
        &mut self,
        operator: BinaryOperator,
        left: &Expr,
        right: &Expr,
        span: Span,
    ) -> Result<Typed, PgError> {
        if operator == BinaryOperator::Xor {
            let (left, right) = (self.condition(left)?, self.condition(right)?);
            return Ok(Typed::boolean(binary(left, Operator::NotEq, right)));
        }
        let (left_span, right_span) = (left.span, right.span);
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        match operator {
            BinaryOperator::Add => self.arithmetic(Arithmetic::Add, left, right, span),
            BinaryOperator::Subtract => self.arithmetic(Arithmetic::Subtract, left, right, span),
            BinaryOperator::Multiply => self.arithmetic(Arithmetic::Multiply, left, right, span),
            BinaryOperator::Divide => self.arithmetic(Arithmetic::Divide, left, right, span),
            BinaryOperator::Modulo => self.arithmetic(Arithmetic::Modulo, left, right, span),
            BinaryOperator::Power => self.power(left, right, span),
            BinaryOperator::Concat => self.concat(left, right, span),
            BinaryOperator::In => self.contained(left, right, right_span),
            BinaryOperator::StartsWith | BinaryOperator::EndsWith | BinaryOperator::Contains => {
                Ok(self.string_test(operator, left, right))
            }
            BinaryOperator::RegexMatch => self.regex(left, right, left_span, right_span),
            BinaryOperator::Xor => Err(PgError::internal("XOR is bound before")),
        }
    }

    /// Gives open parameters the other side's type, and PostgreSQL's types their Cypher types.
    fn operands(&mut self, left: Typed, right: Typed) -> (Typed, Typed) {
        let left = self.expect(left, &right.ty);
        let right = self.expect(right, &left.ty);
        (self.normalized(left), self.normalized(right))
    }

    pub(super) fn compare(
        &mut self,
        operator: ComparisonOperator,
        left: Typed,
        right: Typed,
    ) -> Result<Typed, PgError> {
        use CypherType as T;
        let (left, right) = self.operands(left, right);
        let equality = matches!(operator, ComparisonOperator::Equal | ComparisonOperator::NotEqual);
        Ok(match (&left.ty, &right.ty) {
            (T::Null, _) | (_, T::Null) => Typed::unknown(),
            (T::Integer, T::Integer) | (T::String, T::String) | (T::Boolean, T::Boolean) => {
                Typed::boolean(binary(left.expr, plan_operator(operator), right.expr))
            }
            (T::Node, T::Node) | (T::Relationship, T::Relationship) if equality => {
                Typed::boolean(binary(left.expr, plan_operator(operator), right.expr))
            }
            (T::Float | T::Integer, T::Float | T::Integer) => {
                let (left, right) = (as_float(left), as_float(right));
                Typed::boolean(FloatComparison::call(plan_operator(operator), left, right))
            }
            (T::Pg(a), T::Pg(b)) if a.without_modifier() == b.without_modifier() => {
                Typed::boolean(binary(left.expr, plan_operator(operator), right.expr))
            }
            (a, b) if a.is_number() && b.is_number() => {
                Typed::boolean(binary(left.expr, plan_operator(operator), right.expr))
            }
            _ => {
                let (name, kernel) = comparison_kernel(operator);
                dynamic(name, kernel, vec![left, right], T::Boolean)
            }
        })
    }

    fn arithmetic(
        &mut self,
        operator: Arithmetic,
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Result<Typed, PgError> {
        use CypherType as T;
        let (left, right) = self.operands(left, right);
        let number = |ty: &CypherType| matches!(ty, T::Integer | T::Float);
        let (name, kernel) = arithmetic_kernel(operator);
        Ok(match (&left.ty, &right.ty) {
            // A list and null is a list with a null.
            (T::List(_), _) | (_, T::List(_)) if operator == Arithmetic::Add => {
                return self.append(left, right);
            }
            (T::Null, _) | (_, T::Null) => Typed::null(),
            (T::Integer, T::Integer) => Typed::new(
                NumberArithmetic::call(operator, T::Integer.arrow(), left.expr, right.expr),
                T::Integer,
            ),
            (a, b) if number(a) && number(b) => {
                let (left, right) = (as_float(left), as_float(right));
                Typed::new(
                    NumberArithmetic::call(operator, T::Float.arrow(), left, right),
                    T::Float,
                )
            }
            (T::String, T::String) if operator == Arithmetic::Add => {
                Typed::new(binary(left.expr, Operator::StringConcat, right.expr), T::String)
            }
            (T::String, b) if operator == Arithmetic::Add && number(b) => {
                dynamic(name, kernel, vec![left, right], T::String)
            }
            (a, T::String) if operator == Arithmetic::Add && number(a) => {
                dynamic(name, kernel, vec![left, right], T::String)
            }
            (a, b) if a.is_number() && b.is_number() => numeric(operator, left, right)?,
            (T::Any, _) | (_, T::Any) => dynamic(name, kernel, vec![left, right], T::Any),
            (a, b) if a.is_temporal() || b.is_temporal() => {
                let result = temporal_result(operator, a, b)
                    .ok_or_else(|| undefined(operator, a, b, span))?;
                dynamic(name, kernel, vec![left, right], result)
            }
            (a, b) => return Err(undefined(operator, a, b, span)),
        })
    }

    /// `+` where one side is a list.
    fn append(&mut self, left: Typed, right: Typed) -> Result<Typed, PgError> {
        let part = |ty: &CypherType| match ty {
            CypherType::List(element) => (**element).clone(),
            other => other.clone(),
        };
        let result = match (&left.ty, &right.ty) {
            (CypherType::List(_), CypherType::Any) | (CypherType::Any, CypherType::List(_)) => {
                CypherType::list(CypherType::Any)
            }
            (a, b) => CypherType::list(part(a).unify(&part(b))),
        };
        let CypherType::List(element) = &result else { return Ok(Typed::null()) };
        // Both sides in the result's terms, so that elements keep what they need.
        let mut operands = Vec::with_capacity(2);
        for side in [left, right] {
            let ty = match &side.ty {
                CypherType::List(_) => result.clone(),
                _ => (**element).clone(),
            };
            let expr = self.coerce(side, &ty)?;
            operands.push((expr, ty));
        }
        let expr = crate::functions::cypher::Call::expression(
            "add",
            operators::add,
            crate::functions::cypher::Nulls::Seen,
            datafusion::logical_expr::Volatility::Immutable,
            operands,
            result.clone(),
        );
        Ok(Typed::new(expr, result))
    }

    fn power(&mut self, left: Typed, right: Typed, span: Span) -> Result<Typed, PgError> {
        let (left, right) = (self.normalized(left), self.normalized(right));
        for side in [&left, &right] {
            if !side.ty.is_number() && !side.ty.is_open() {
                return Err(error::wrong_type(
                    format!("operator ^ is not defined for {} and {}", left.ty, right.ty),
                    span,
                ));
            }
        }
        if [&left.ty, &right.ty].contains(&&CypherType::Null) {
            return Ok(Typed::null());
        }
        Ok(dynamic("power", operators::power, vec![left, right], CypherType::Float))
    }

    fn concat(&mut self, left: Typed, right: Typed, span: Span) -> Result<Typed, PgError> {
        let string = |ty: &CypherType| {
            matches!(ty, CypherType::String | CypherType::List(_)) || ty.is_open()
        };
        let (left, right) = self.operands(left, right);
        if !string(&left.ty) || !string(&right.ty) {
            return Err(error::wrong_type(
                format!("operator || is not defined for {} and {}", left.ty, right.ty),
                span,
            ));
        }
        self.arithmetic(Arithmetic::Add, left, right, span)
    }

    fn contained(&mut self, left: Typed, right: Typed, span: Span) -> Result<Typed, PgError> {
        let left = self.normalized(left);
        let right = self.expect(right, &CypherType::list(left.ty.clone()));
        let right = self.normalized(right);
        let left = match &right.ty {
            CypherType::List(element) => self.expect(left, element),
            _ => left,
        };
        match &right.ty {
            CypherType::Null => return Ok(Typed::unknown()),
            CypherType::List(_) | CypherType::Any => {}
            ty => {
                return Err(error::wrong_type(
                    format!("IN needs a list, not a value of type {ty}"),
                    span,
                ));
            }
        }
        if let Some(list) = plain_items(&left, &right) {
            return Ok(Typed::boolean(PlanExpr::InList(InList::new(
                Box::new(left.expr),
                list,
                false,
            ))));
        }
        let arguments = vec![(left.expr, left.ty), (right.expr, right.ty)];
        Ok(Typed::boolean(crate::functions::cypher::Call::expression(
            "in",
            operators::contained,
            crate::functions::cypher::Nulls::Seen,
            datafusion::logical_expr::Volatility::Immutable,
            arguments,
            CypherType::Boolean,
        )))
    }

    fn string_test(&mut self, operator: BinaryOperator, left: Typed, right: Typed) -> Typed {
        let left = self.expect(left, &CypherType::String);
        let right = self.expect(right, &CypherType::String);
        let (left, right) = (self.normalized(left), self.normalized(right));
        if left.ty == CypherType::String && right.ty == CypherType::String {
            use datafusion::functions::string::expr_fn::{contains, ends_with, starts_with};
            return Typed::boolean(match operator {
                BinaryOperator::StartsWith => starts_with(left.expr, right.expr),
                BinaryOperator::EndsWith => ends_with(left.expr, right.expr),
                _ => contains(left.expr, right.expr),
            });
        }
        if [&left.ty, &right.ty].contains(&&CypherType::Null) {
            return Typed::unknown();
        }
        let (name, kernel): (_, Kernel) = match operator {
            BinaryOperator::StartsWith => ("starts_with", operators::starts_with),
            BinaryOperator::EndsWith => ("ends_with", operators::ends_with),
            _ => ("contains", operators::contains),
        };
        dynamic(name, kernel, vec![left, right], CypherType::Boolean)
    }

    /// `=~`: the whole string must match.
    fn regex(
        &mut self,
        left: Typed,
        right: Typed,
        left_span: Span,
        right_span: Span,
    ) -> Result<Typed, PgError> {
        let mut sides = Vec::with_capacity(2);
        for (side, span) in [(left, left_span), (right, right_span)] {
            let side = self.expect(side, &CypherType::String);
            let side = self.normalized(side);
            sides.push(match side.ty {
                CypherType::String => side.expr,
                CypherType::Null => return Ok(Typed::unknown()),
                CypherType::Any => self.coerce(side, &CypherType::String)?,
                ty => {
                    return Err(error::wrong_type(
                        format!("operator =~ needs STRING, not {ty}"),
                        span,
                    ));
                }
            });
        }
        let pattern = sides.pop().unwrap_or_else(|| null_of(&CypherType::String));
        let text = sides.pop().unwrap_or_else(|| null_of(&CypherType::String));
        let whole = binary(
            binary(super::typed::text_literal("^(?:"), Operator::StringConcat, pattern),
            Operator::StringConcat,
            super::typed::text_literal(")$"),
        );
        Ok(Typed::boolean(binary(text, Operator::RegexMatch, whole)))
    }
}

/// A comparison or logical operator of the engine.
pub(super) fn binary(left: PlanExpr, operator: Operator, right: PlanExpr) -> PlanExpr {
    PlanExpr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)))
}

fn as_float(value: Typed) -> PlanExpr {
    if value.ty == CypherType::Float {
        value.expr
    } else {
        cast(value.expr, CypherType::Float.arrow())
    }
}

fn plan_operator(operator: ComparisonOperator) -> Operator {
    match operator {
        ComparisonOperator::Equal => Operator::Eq,
        ComparisonOperator::NotEqual => Operator::NotEq,
        ComparisonOperator::Less => Operator::Lt,
        ComparisonOperator::LessOrEqual => Operator::LtEq,
        ComparisonOperator::Greater => Operator::Gt,
        ComparisonOperator::GreaterOrEqual => Operator::GtEq,
    }
}

fn comparison_kernel(operator: ComparisonOperator) -> (&'static str, Kernel) {
    match operator {
        ComparisonOperator::Equal => ("equal", operators::equal),
        ComparisonOperator::NotEqual => ("not_equal", operators::not_equal),
        ComparisonOperator::Less => ("less", operators::less),
        ComparisonOperator::LessOrEqual => ("less_or_equal", operators::less_or_equal),
        ComparisonOperator::Greater => ("greater", operators::greater),
        ComparisonOperator::GreaterOrEqual => ("greater_or_equal", operators::greater_or_equal),
    }
}

fn arithmetic_kernel(operator: Arithmetic) -> (&'static str, Kernel) {
    match operator {
        Arithmetic::Add => ("add", operators::add),
        Arithmetic::Subtract => ("subtract", operators::subtract),
        Arithmetic::Multiply => ("multiply", operators::multiply),
        Arithmetic::Divide => ("divide", operators::divide),
        Arithmetic::Modulo => ("modulo", operators::modulo),
    }
}

/// Arithmetic with one of PostgreSQL's numbers that Cypher does not have: by the engine's rules.
fn numeric(operator: Arithmetic, left: Typed, right: Typed) -> Result<Typed, PgError> {
    let plan = match operator {
        Arithmetic::Add => Operator::Plus,
        Arithmetic::Subtract => Operator::Minus,
        Arithmetic::Multiply => Operator::Multiply,
        Arithmetic::Divide => Operator::Divide,
        Arithmetic::Modulo => Operator::Modulo,
    };
    let (a, b) = (left.ty.arrow(), right.ty.arrow());
    let result = BinaryTypeCoercer::new(&a, &plan, &b).get_result_type()?;
    Ok(Typed::new(
        binary(left.expr, plan, right.expr),
        CypherType::of_property(&PgType::from_arrow(&result)),
    ))
}

fn temporal_result(
    operator: Arithmetic,
    left: &CypherType,
    right: &CypherType,
) -> Option<CypherType> {
    use CypherType::Duration;
    match (operator, left, right) {
        (Arithmetic::Add, Duration, other)
        | (Arithmetic::Add | Arithmetic::Subtract, other, Duration)
            if other.is_temporal() =>
        {
            Some(other.clone())
        }
        (Arithmetic::Multiply, Duration, number) | (Arithmetic::Multiply, number, Duration)
            if number.is_number() =>
        {
            Some(Duration)
        }
        (Arithmetic::Divide, Duration, number) if number.is_number() => Some(Duration),
        _ => None,
    }
}

fn undefined(operator: Arithmetic, left: &CypherType, right: &CypherType, span: Span) -> PgError {
    error::wrong_type(
        format!("operator {} is not defined for {left} and {right}", operator.symbol()),
        span,
    )
}

/// The items of a list literal, where `IN` may be the engine's own: both sides of one scalar type.
fn plain_items(left: &Typed, right: &Typed) -> Option<Vec<PlanExpr>> {
    let CypherType::List(element) = &right.ty else { return None };
    if **element != left.ty
        || !matches!(
            left.ty,
            CypherType::Integer | CypherType::String | CypherType::Boolean | CypherType::Node
        )
    {
        return None;
    }
    match &right.expr {
        PlanExpr::ScalarFunction(call) if call.func.name() == "make_array" => {
            Some(call.args.clone())
        }
        _ => None,
    }
}

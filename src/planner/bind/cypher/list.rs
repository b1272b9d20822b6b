//! Expressions over the elements of a list: comprehensions, quantifiers, `reduce`.

use datafusion::logical_expr::Expr as PlanExpr;

use super::binder::{Binder, Binding};
use super::error;
use super::typed::Typed;
use crate::error::PgError;
use crate::functions::cypher::CypherType;
use crate::functions::cypher::lambda::{self, ListFunction, ListOperation};
use crate::parser::Span;
use crate::parser::cypher::{Expr, ListComprehension, ListQuantifier, Quantified, Reduce};
use crate::parser::pattern::Name;

impl Binder<'_> {
    /// A list and its element type; `None` for null.
    fn list_operand(&mut self, list: &Expr) -> Result<Option<(PlanExpr, CypherType)>, PgError> {
        let value = self.expr(list)?;
        let value = self.normalized(value);
        match value.ty {
            CypherType::Null => Ok(None),
            CypherType::List(element) => Ok(Some((value.expr, *element))),
            CypherType::Any => {
                let expr = self.coerce(value, &CypherType::list(CypherType::Any))?;
                Ok(Some((expr, CypherType::Any)))
            }
            ty => Err(error::wrong_type(
                format!("a list is needed, not a value of type {ty}"),
                list.span,
            )),
        }
    }

    /// Binds something inside a lambda whose variables are `variables`.
    fn with_variables<T>(
        &mut self,
        variables: &[(&Name, &str, &CypherType)],
        bind: impl FnOnce(&mut Self) -> Result<T, PgError>,
    ) -> Result<T, PgError> {
        let depth = self.scope.len();
        let outside = std::mem::replace(&mut self.in_lambda, true);
        for (name, unique, ty) in variables {
            self.scope.push(Binding {
                name: name.text.clone(),
                expr: lambda::variable(unique, ty),
                ty: (*ty).clone(),
            });
        }
        let bound = bind(self);
        self.scope.truncate(depth);
        self.in_lambda = outside;
        bound
    }

    pub(super) fn list_comprehension(
        &mut self,
        comprehension: &ListComprehension,
    ) -> Result<Typed, PgError> {
        let ListComprehension { variable, list, filter, map } = comprehension;
        let Some((mut expr, element)) = self.list_operand(list)? else { return Ok(Typed::null()) };
        if let Some(filter) = filter {
            let unique = self.lambda_name();
            let keep = self.with_variables(&[(variable, &unique, &element)], |binder| {
                binder.condition(filter)
            })?;
            expr = ListFunction::filter(expr, &element, &unique, keep);
        }
        let Some(map) = map else { return Ok(Typed::new(expr, CypherType::list(element))) };
        let unique = self.lambda_name();
        let body = self.with_variables(&[(variable, &unique, &element)], |binder| {
            let body = binder.expr(map)?;
            Ok(binder.normalized(body))
        })?;
        let expr = ListFunction::transform(expr, &element, &unique, body.expr, &body.ty);
        Ok(Typed::new(expr, CypherType::list(body.ty)))
    }

    pub(super) fn quantified(&mut self, quantified: &Quantified) -> Result<Typed, PgError> {
        let Quantified { quantifier, variable, list, predicate } = quantified;
        let Some((expr, element)) = self.list_operand(list)? else { return Ok(Typed::unknown()) };
        let unique = self.lambda_name();
        let body =
            self.with_variables(&[(variable, &unique, &element)], |binder| match predicate {
                Some(predicate) => binder.condition(predicate),
                None => {
                    let own = binder.variable(variable)?;
                    binder.truth(own, variable.span)
                }
            })?;
        let operation = match quantifier {
            ListQuantifier::All => ListOperation::All,
            ListQuantifier::Any => ListOperation::Any,
            ListQuantifier::None => ListOperation::None,
            ListQuantifier::Single => ListOperation::Single,
        };
        Ok(Typed::boolean(ListFunction::quantifier(operation, expr, &element, &unique, body)))
    }

    pub(super) fn reduce(&mut self, reduce: &Reduce, span: Span) -> Result<Typed, PgError> {
        let Reduce { accumulator, initial, variable, list, step } = reduce;
        let initial = self.expr(initial)?;
        let initial = self.normalized(initial);
        let Some((expr, element)) = self.list_operand(list)? else { return Ok(Typed::null()) };
        let mut ty = initial.ty.clone();
        // The accumulator is of the type of its first value and of each step's: found in at most two rounds.
        for _ in 0..3 {
            let names = [self.lambda_name(), self.lambda_name()];
            let body = self.with_variables(
                &[(accumulator, &names[0], &ty), (variable, &names[1], &element)],
                |binder| {
                    let body = binder.expr(step)?;
                    Ok(binder.normalized(body))
                },
            )?;
            let both = ty.unify(&body.ty);
            if both == ty {
                let (first, body) = (self.coerce(initial.clone(), &ty)?, self.coerce(body, &ty)?);
                let [name, variable] = &names;
                let expr = ListFunction::reduce(expr, &element, first, &ty, [name, variable], body);
                return Ok(Typed::new(expr, ty));
            }
            ty = both;
        }
        Err(error::wrong_type("the accumulator of reduce has no type of its own", span))
    }
}

//! An expression with its static Cypher type, and the conversions between types.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions::core::named_struct;
use datafusion::logical_expr::{Expr, cast, lit, when};

use super::binder::Binder;
use super::error;
use crate::catalog::PropertyGraph;
use crate::error::PgError;
use crate::functions::cypher::lambda::{self, ListFunction};
use crate::functions::cypher::output::{Conversion, ElementToAny, Target};
use crate::functions::cypher::{Call, CypherType, Nulls, operators};
use crate::parser::Span;
use crate::planner::node::{GraphFunction, GraphFunctionKind};
use crate::types::pg_type::PgType;
use datafusion::logical_expr::Volatility;

/// An expression and its type.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    /// Of the Arrow type that `ty` has.
    pub(super) expr: Expr,
    /// Its static type.
    pub(super) ty: CypherType,
    /// The parameter it is, if its type is still open.
    pub(super) parameter: Option<usize>,
}

impl Typed {
    pub(super) fn new(expr: Expr, ty: CypherType) -> Self {
        Self { expr, ty, parameter: None }
    }

    /// `null`.
    pub(super) fn null() -> Self {
        Self::new(null_of(&CypherType::Null), CypherType::Null)
    }

    /// A truth value that is not known.
    pub(super) fn unknown() -> Self {
        Self::new(null_of(&CypherType::Boolean), CypherType::Boolean)
    }

    pub(super) fn boolean(expr: Expr) -> Self {
        Self::new(expr, CypherType::Boolean)
    }

    pub(super) fn string(text: impl Into<String>) -> Self {
        Self::new(text_literal(text), CypherType::String)
    }
}

/// A literal string in the representation that every column has.
pub(super) fn text_literal(text: impl Into<String>) -> Expr {
    Expr::Literal(ScalarValue::Utf8View(Some(text.into())), None)
}

/// A null of a type.
pub(super) fn null_of(ty: &CypherType) -> Expr {
    Expr::Literal(ScalarValue::try_new_null(&ty.arrow()).unwrap_or(ScalarValue::Null), None)
}

impl Binder<'_> {
    /// A property of one of PostgreSQL's types as the Cypher type nearest to it; what Cypher has nothing like stays.
    pub(super) fn normalized(&self, value: Typed) -> Typed {
        let CypherType::Pg(pg) = &value.ty else { return value };
        let Some(ty) = CypherType::of_pg(pg) else { return value };
        let expr = match pg {
            PgType::Int2 | PgType::Int4 | PgType::Int8 | PgType::Float4 | PgType::Float8 => {
                cast(value.expr, ty.arrow())
            }
            PgType::Bool | PgType::Text | PgType::Varchar(_) | PgType::Name | PgType::Unknown => {
                value.expr
            }
            PgType::Json | PgType::Jsonb => Conversion::call(value.expr, value.ty, Target::Any),
            _ => Conversion::call(value.expr, value.ty, Target::Typed(ty.clone())),
        };
        Typed::new(expr, ty)
    }

    /// A truth value for `AND`, `WHERE` and their like.
    pub(super) fn truth(&mut self, value: Typed, span: Span) -> Result<Expr, PgError> {
        let value = self.expect(value, &CypherType::Boolean);
        let value = self.normalized(value);
        match value.ty {
            CypherType::Boolean => Ok(value.expr),
            CypherType::Null => Ok(null_of(&CypherType::Boolean)),
            CypherType::Any => Ok(Call::expression(
                "boolean",
                operators::boolean,
                Nulls::Strict,
                Volatility::Immutable,
                vec![(value.expr, value.ty)],
                CypherType::Boolean,
            )),
            ty => Err(error::wrong_type(
                format!("a truth value is needed, not a value of type {ty}"),
                span,
            )),
        }
    }

    /// A value as `to`, to which its type must be unifiable (see [`CypherType::unify`]).
    pub(super) fn coerce(&self, value: Typed, to: &CypherType) -> Result<Expr, PgError> {
        if value.ty == *to {
            return Ok(value.expr);
        }
        let value = match to {
            CypherType::Pg(_) => value,
            _ => self.normalized(value),
        };
        if value.ty == *to {
            return Ok(value.expr);
        }
        Ok(match (&value.ty, to) {
            (CypherType::Null, _) => null_of(to),
            (_, CypherType::Any) => self.to_any(value)?,
            (CypherType::List(from), CypherType::List(element)) if from.holds_elements() => {
                let variable = self.lambda_name();
                let inner = Typed::new(lambda::variable(&variable, from), (**from).clone());
                let body = self.coerce(inner, element)?;
                ListFunction::transform(value.expr, from, &variable, body, element)
            }
            (CypherType::Map(from), CypherType::Map(fields)) if from.len() == fields.len() => {
                let mut arguments = Vec::with_capacity(fields.len() * 2);
                for ((name, ty), (_, to)) in from.iter().zip(fields) {
                    let field =
                        Typed::new(get_field(value.expr.clone(), name.as_str()), ty.clone());
                    arguments.push(lit(name.as_str()));
                    arguments.push(self.coerce(field, to)?);
                }
                when(value.expr.is_null(), null_of(to)).otherwise(named_struct().call(arguments))?
            }
            _ => Conversion::call(value.expr, value.ty.clone(), Target::Typed(to.clone())),
        })
    }

    /// A value as ANY.
    pub(super) fn to_any(&self, value: Typed) -> Result<Expr, PgError> {
        let value = self.normalized(value);
        Ok(match &value.ty {
            CypherType::Any => value.expr,
            CypherType::Null => null_of(&CypherType::Any),
            CypherType::Node | CypherType::Relationship | CypherType::Path => {
                let json = self.element_json(value.expr.clone(), &value.ty)?;
                ElementToAny::call(value.expr, json, value.ty)
            }
            CypherType::List(element) if element.holds_elements() => {
                let list = CypherType::list(CypherType::Any);
                let expr = self.coerce(value, &list)?;
                Conversion::call(expr, list, Target::Any)
            }
            CypherType::Map(fields) if value.ty.holds_elements() => {
                let open = CypherType::Map(
                    fields.iter().map(|(name, _)| (name.clone(), CypherType::Any)).collect(),
                );
                let expr = self.coerce(value, &open)?;
                Conversion::call(expr, open, Target::Any)
            }
            _ => Conversion::call(value.expr, value.ty, Target::Any),
        })
    }

    /// The jsonb text of a node, relationship or path.
    pub(super) fn element_json(&self, expr: Expr, ty: &CypherType) -> Result<Expr, PgError> {
        let kind = match ty {
            CypherType::Path => GraphFunctionKind::PathJson,
            ty => GraphFunctionKind::ElementJson { edge: *ty == CypherType::Relationship },
        };
        Ok(GraphFunction::call(self.graph()?, kind, expr))
    }

    /// A value whose elements, wherever they stand, are replaced by their JSON.
    pub(super) fn with_element_json(&self, value: Typed) -> Result<Typed, PgError> {
        if !value.ty.holds_elements() {
            return Ok(value);
        }
        Ok(match &value.ty {
            CypherType::List(element) => {
                let variable = self.lambda_name();
                let inner = Typed::new(lambda::variable(&variable, element), (**element).clone());
                let body = self.with_element_json(inner)?;
                let expr =
                    ListFunction::transform(value.expr, element, &variable, body.expr, &body.ty);
                Typed::new(expr, CypherType::list(body.ty))
            }
            CypherType::Map(fields) => {
                let mut arguments = Vec::with_capacity(fields.len() * 2);
                let mut types = Vec::with_capacity(fields.len());
                for (name, ty) in fields {
                    let field =
                        Typed::new(get_field(value.expr.clone(), name.as_str()), ty.clone());
                    let field = self.with_element_json(field)?;
                    arguments.push(lit(name.as_str()));
                    arguments.push(field.expr);
                    types.push((name.clone(), field.ty));
                }
                let ty = CypherType::Map(types);
                let expr = when(value.expr.is_null(), null_of(&ty))
                    .otherwise(named_struct().call(arguments))?;
                Typed::new(expr, ty)
            }
            ty => Typed::new(self.element_json(value.expr, ty)?, CypherType::Json),
        })
    }

    /// The graph of the statement.
    ///
    /// # Errors
    /// As [`crate::planner::bind::graph::choose_graph`], where nothing has needed a graph before.
    pub(super) fn graph(&self) -> Result<&Arc<PropertyGraph>, PgError> {
        self.graph.as_ref().map_err(Clone::clone)
    }
}

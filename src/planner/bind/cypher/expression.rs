//! Expressions: literals, variables, access to parts, lists, maps, `CASE`, and the way to everything else.

use arrow::array::{ArrayRef, new_empty_array};
use arrow::datatypes::Field;
use datafusion::common::ScalarValue;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions::core::named_struct;
use datafusion::functions_nested::make_array::make_array;
use datafusion::logical_expr::expr::Case as PlanCase;
use datafusion::logical_expr::{Expr as PlanExpr, Volatility, lit};
use std::sync::Arc;

use super::binder::Binder;
use super::error;
use super::list_query::asks_graph;
use super::typed::{Typed, null_of, text_literal};
use crate::catalog::{ElementTable, PropertyGraph, PropertySource};
use crate::error::{PgError, SqlState};
use crate::functions::cypher::output::{Conversion, Target};
use crate::functions::cypher::{Call, CypherType, Nulls, Value, codec, operators, value_type};
use crate::parser::Span;
use crate::parser::cypher::{
    Case, ComparisonOperator, CypherType as TypeExpr, Expr, ExprKind, Literal, MapProjectionItem,
    UnaryOperator,
};
use crate::parser::pattern::{LabelExpr, Name};
use crate::planner::bind::graph::names::{self, Dialect};
use crate::planner::node::{GraphFunction, GraphFunctionKind};

impl Binder<'_> {
    /// Binds an expression.
    pub(super) fn expr(&mut self, expr: &Expr) -> Result<Typed, PgError> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Literal(literal) => Ok(bind_literal(literal)),
            ExprKind::Parameter(name) => self.named_parameter(name, span),
            ExprKind::Variable(name) => self.variable(name),
            ExprKind::Property { base, key } => {
                let base = self.expr(base)?;
                self.property(base, key)
            }
            ExprKind::Index { base, index } => self.index(base, index),
            ExprKind::Slice { base, from, to } => self.slice(base, from.as_deref(), to.as_deref()),
            ExprKind::List(items) => self.list(items),
            ExprKind::Map(entries) => {
                let mut values = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    values.push((key.text.clone(), self.expr(value)?));
                }
                self.map(values)
            }
            ExprKind::MapProjection { variable, items } => self.map_projection(variable, items),
            ExprKind::Unary { operator, operand } => self.unary(*operator, operand),
            ExprKind::Binary { operator, left, right } => self.binary(*operator, left, right, span),
            ExprKind::And(operands) => self.junction(operands, true),
            ExprKind::Or(operands) => self.junction(operands, false),
            ExprKind::Comparison { first, rest } => self.comparisons(first, rest),
            ExprKind::IsNull { operand, negated } => {
                let operand = self.expr(operand)?;
                Ok(Typed::boolean(if *negated {
                    operand.expr.is_not_null()
                } else {
                    operand.expr.is_null()
                }))
            }
            ExprKind::IsTyped { operand, ty, negated } => {
                let operand = self.expr(operand)?;
                self.is_typed(operand, ty, *negated)
            }
            ExprKind::HasLabels { operand, labels } => {
                let element = self.expr(operand)?;
                self.has_labels(element, labels, operand.span)
            }
            ExprKind::Function(call) => self.function(call, span),
            ExprKind::CountStar => self.count_star(span),
            ExprKind::Case(case) => self.case(case),
            ExprKind::ListComprehension(comprehension)
                if asks_graph(&[comprehension.filter.as_ref(), comprehension.map.as_ref()])
                    && !self.in_lambda =>
            {
                self.list_comprehension_query(comprehension, span)
            }
            ExprKind::ListComprehension(comprehension) => self.list_comprehension(comprehension),
            ExprKind::PatternComprehension(comprehension) => {
                self.pattern_comprehension(comprehension, span)
            }
            ExprKind::Quantified(quantified)
                if asks_graph(&[quantified.predicate.as_ref()]) && !self.in_lambda =>
            {
                self.quantified_query(quantified, span)
            }
            ExprKind::Quantified(quantified) => self.quantified(quantified),
            ExprKind::Reduce(reduce) => self.reduce(reduce, span),
            ExprKind::PatternPredicate(path) => self.pattern_predicate(path, span),
            ExprKind::ShortestPath(path) => self.shortest_path(path, span),
            ExprKind::Exists(subquery) => self.exists(subquery, span),
            ExprKind::Count(subquery) => self.count_subquery(subquery, span),
            ExprKind::Collect(subquery) => self.collect_subquery(subquery, span),
        }
    }

    /// Binds a condition.
    pub(super) fn condition(&mut self, expr: &Expr) -> Result<PlanExpr, PgError> {
        let value = self.expr(expr)?;
        self.truth(value, expr.span)
    }

    fn named_parameter(&mut self, name: &str, span: Span) -> Result<Typed, PgError> {
        let number = self.context.statement.parameter_number(name).ok_or_else(|| {
            PgError::new(
                crate::error::SqlState::UNDEFINED_PARAMETER,
                format!("there is no parameter ${name}"),
            )
            .routine("ParameterMissing")
            .at(span.start as usize)
        })?;
        Ok(self.parameter(number))
    }

    /// `base.key`.
    pub(super) fn property(&mut self, base: Typed, key: &Name) -> Result<Typed, PgError> {
        let base = self.normalized(base);
        match &base.ty {
            CypherType::Null => Ok(Typed::null()),
            CypherType::Node | CypherType::Relationship => self.element_property(base, key),
            CypherType::Map(fields) => {
                Ok(match fields.iter().find(|(name, _)| *name == key.text) {
                    Some((name, ty)) => Typed::new(get_field(base.expr, name.as_str()), ty.clone()),
                    None => Typed::null(),
                })
            }
            CypherType::Any => Ok(dynamic_property(base, &key.text, CypherType::Any)),
            ty if ty.is_temporal() => {
                let ty = match key.text.as_str() {
                    "timezone" | "offset" => CypherType::String,
                    _ => CypherType::Integer,
                };
                Ok(dynamic_property(base, &key.text, ty))
            }
            ty => {
                Err(error::wrong_type(format!("a value of type {ty} has no properties"), key.span))
            }
        }
    }

    fn element_property(&mut self, base: Typed, key: &Name) -> Result<Typed, PgError> {
        let edge = base.ty == CypherType::Relationship;
        let graph = Arc::clone(self.graph()?);
        if graph.open.is_some() {
            return Ok(self.open_property(&graph, base, key));
        }
        let Some(property) = names::cypher_property(&graph, &key.text, edge) else {
            let notice =
                PgError::notice(format!("no {} has a property \"{}\"", kind_name(edge), key.text))
                    .at(key.span.start as usize);
            let known = names::property_names(&graph, edge);
            self.notices.push(names::with_near(notice, &key.text, known.into_iter()));
            return Ok(Typed::null());
        };
        let ty = CypherType::of_property(&property.ty);
        let kind = GraphFunctionKind::Property {
            name: property.name.clone(),
            ty: property.ty.clone(),
            edge,
        };
        Ok(Typed::new(GraphFunction::call(&graph, kind, base.expr), ty))
    }

    /// A property in an open graph: of the type that all its values have so far.
    fn open_property(&mut self, graph: &Arc<PropertyGraph>, base: Typed, key: &Name) -> Typed {
        let edge = base.ty == CypherType::Relationship;
        let known = match &base.expr {
            PlanExpr::Column(column) => self.labels.get(&column.name),
            _ => None,
        };
        let (moved, silent) = {
            let written = self.written.borrow();
            (written.labels_moved, written.verb.is_some())
        };
        let tests = known.filter(|_| !moved);
        let fits = |table: &ElementTable| {
            tests.is_none_or(|tests| tests.iter().all(|test| test.holds(table)))
        };
        let Some(ty) = self.known_type(graph, edge, &key.text, &fits) else {
            if !silent {
                let what = kind_name(edge);
                let message = format!("no {what} here has a property \"{}\"", key.text);
                let notice = PgError::notice(message).at(key.span.start as usize);
                let known = names::property_names(graph, edge);
                let near = names::near(&key.text, known.into_iter());
                // In an open graph what is not there may come; a likely slip is worth a word.
                if let Some(near) = near {
                    self.notices.push(notice.hint(format!("Perhaps you meant \"{near}\".")));
                }
            }
            return Typed::null();
        };
        let kind = GraphFunctionKind::OpenProperty { name: key.text.clone(), ty: ty.clone(), edge };
        Typed::new(GraphFunction::call(graph, kind, base.expr), ty)
    }

    /// The type that all values of a property have so far, in an open graph's tables that fit.
    pub(super) fn known_type(
        &self,
        graph: &PropertyGraph,
        edge: bool,
        key: &str,
        fits: &dyn Fn(&ElementTable) -> bool,
    ) -> Option<CypherType> {
        let mut ty = self.written.borrow().property(edge, key);
        for table in names::tables_of(graph, edge).into_iter().filter(|table| fits(table)) {
            if let Some(property) = table.property(key) {
                let own = match property.source {
                    PropertySource::Open { mixed: true, .. } => CypherType::Any,
                    _ => CypherType::of_open(&property.ty),
                };
                ty = Some(ty.map_or(own.clone(), |ty| ty.unify(&own)));
            }
        }
        ty
    }

    fn index(&mut self, base: &Expr, index: &Expr) -> Result<Typed, PgError> {
        let (base_span, index_span) = (base.span, index.span);
        let base = self.expr(base)?;
        let base = self.normalized(base);
        let wanted = match base.ty {
            CypherType::List(_) => CypherType::Integer,
            CypherType::Map(_) | CypherType::Node | CypherType::Relationship => CypherType::String,
            _ => CypherType::Any,
        };
        let key = self.expr(index)?;
        let key = self.expect(key, &wanted);
        let key = self.normalized(key);
        if let (
            CypherType::Map(_) | CypherType::Node | CypherType::Relationship,
            ExprKind::Literal(Literal::String(text)),
        ) = (&base.ty, &index.kind)
        {
            let name = Name { text: text.clone(), quoted: true, span: index_span };
            return self.property(base, &name);
        }
        let result = match (&base.ty, &key.ty) {
            (CypherType::Null, _) | (_, CypherType::Null) => return Ok(Typed::null()),
            (CypherType::List(element), CypherType::Integer | CypherType::Any) => {
                (**element).clone()
            }
            (CypherType::Any, _) => CypherType::Any,
            (
                CypherType::Map(_) | CypherType::Node | CypherType::Relationship,
                CypherType::String | CypherType::Any,
            ) => {
                let expr = self.to_any(base)?;
                let base = Typed::new(expr, CypherType::Any);
                return Ok(dynamic("index", operators::index, vec![base, key], CypherType::Any));
            }
            (CypherType::List(_), ty) => {
                return Err(error::wrong_type(
                    format!("a list index must be an INTEGER, not {ty}"),
                    index_span,
                ));
            }
            (CypherType::Map(_) | CypherType::Node | CypherType::Relationship, ty) => {
                return Err(error::wrong_type(
                    format!("a key must be a STRING, not {ty}"),
                    index_span,
                ));
            }
            (ty, _) => {
                return Err(error::wrong_type(
                    format!("a value of type {ty} has no elements"),
                    base_span,
                ));
            }
        };
        Ok(dynamic("index", operators::index, vec![base, key], result))
    }

    fn slice(
        &mut self,
        base: &Expr,
        from: Option<&Expr>,
        to: Option<&Expr>,
    ) -> Result<Typed, PgError> {
        let span = base.span;
        let base = self.expr(base)?;
        let base = self.normalized(base);
        let mut arguments = vec![base.clone()];
        for bound in [from, to] {
            arguments.push(match bound {
                None => Typed::string(".."),
                Some(bound) => {
                    let value = self.expr(bound)?;
                    let value = self.expect(value, &CypherType::Integer);
                    let value = self.normalized(value);
                    match value.ty {
                        CypherType::Integer | CypherType::Any => value,
                        CypherType::Null => return Ok(Typed::null()),
                        ty => {
                            let message = format!("a list index must be an INTEGER, not {ty}");
                            return Err(error::wrong_type(message, bound.span));
                        }
                    }
                }
            });
        }
        let result = match &base.ty {
            CypherType::Null => return Ok(Typed::null()),
            ty @ (CypherType::List(_) | CypherType::Any) => ty.clone(),
            ty => {
                return Err(error::wrong_type(format!("a value of type {ty} has no slices"), span));
            }
        };
        Ok(dynamic("slice", operators::slice, arguments, result))
    }

    fn list(&mut self, items: &[Expr]) -> Result<Typed, PgError> {
        let values = items.iter().map(|item| self.expr(item)).collect::<Result<Vec<_>, _>>()?;
        self.list_of(values)
    }

    /// The list of some values: of their common type, or of ANY.
    pub(super) fn list_of(&mut self, values: Vec<Typed>) -> Result<Typed, PgError> {
        let values = values.into_iter().map(|value| self.normalized(value)).collect::<Vec<_>>();
        let element = values.iter().fold(CypherType::Null, |ty, value| ty.unify(&value.ty));
        let ty = CypherType::list(element.clone());
        if values.is_empty() {
            return Ok(Typed::new(empty_list(&element), ty));
        }
        let items = values
            .into_iter()
            .map(|value| self.coerce(value, &element))
            .collect::<Result<_, _>>()?;
        Ok(Typed::new(make_array(items), ty))
    }

    /// The map of some entries; of equal keys the last counts.
    pub(super) fn map(&mut self, entries: Vec<(String, Typed)>) -> Result<Typed, PgError> {
        let mut kept: Vec<(String, Typed)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let value = self.normalized(value);
            match kept.iter_mut().find(|entry| entry.0 == key) {
                Some(entry) => entry.1 = value,
                None => kept.push((key, value)),
            }
        }
        if kept.is_empty() {
            let bytes = codec::encode(&Value::Map(Vec::new()));
            return Ok(Typed::new(
                PlanExpr::Literal(ScalarValue::BinaryView(Some(bytes)), None),
                CypherType::Any,
            ));
        }
        let ty = CypherType::Map(
            kept.iter().map(|(key, value)| (key.clone(), value.ty.clone())).collect(),
        );
        let arguments = kept.into_iter().flat_map(|(key, value)| [lit(key), value.expr]).collect();
        Ok(Typed::new(named_struct().call(arguments), ty))
    }

    fn map_projection(
        &mut self,
        variable: &Name,
        items: &[MapProjectionItem],
    ) -> Result<Typed, PgError> {
        let base = self.variable(variable)?;
        let mut entries = Vec::new();
        for item in items {
            match item {
                MapProjectionItem::Property(key) => {
                    entries.push((key.text.clone(), self.property(base.clone(), key)?));
                }
                MapProjectionItem::AllProperties(span) => match &base.ty {
                    CypherType::Map(fields) => {
                        for (name, ty) in fields {
                            let field = get_field(base.expr.clone(), name.as_str());
                            entries.push((name.clone(), Typed::new(field, ty.clone())));
                        }
                    }
                    CypherType::Node | CypherType::Relationship => {
                        let edge = base.ty == CypherType::Relationship;
                        let graph = Arc::clone(self.graph()?);
                        for name in names::property_names(&graph, edge) {
                            let key = Name { text: name.to_owned(), quoted: true, span: *span };
                            entries.push((name.to_owned(), self.property(base.clone(), &key)?));
                        }
                    }
                    _ => return Err(error::unsupported("a map projection of this value", *span)),
                },
                MapProjectionItem::Entry(key, value) => {
                    entries.push((key.text.clone(), self.expr(value)?))
                }
                MapProjectionItem::Variable(name) => {
                    entries.push((name.text.clone(), self.variable(name)?))
                }
            }
        }
        let map = self.map(entries)?;
        // Of null there is no projection.
        let null = null_of(&map.ty);
        let expr = datafusion::logical_expr::when(base.expr.is_null(), null).otherwise(map.expr)?;
        Ok(Typed::new(expr, map.ty))
    }

    fn unary(&mut self, operator: UnaryOperator, operand: &Expr) -> Result<Typed, PgError> {
        let value = self.expr(operand)?;
        match operator {
            UnaryOperator::Not => {
                Ok(Typed::boolean(PlanExpr::Not(Box::new(self.truth(value, operand.span)?))))
            }
            UnaryOperator::Plus | UnaryOperator::Minus => self.sign(value, operator, operand.span),
        }
    }

    fn sign(
        &mut self,
        value: Typed,
        operator: UnaryOperator,
        span: Span,
    ) -> Result<Typed, PgError> {
        let value = self.normalized(value);
        let result = match &value.ty {
            CypherType::Null => return Ok(Typed::null()),
            ty @ (CypherType::Integer
            | CypherType::Float
            | CypherType::Any
            | CypherType::Duration) => ty.clone(),
            CypherType::Pg(_) if value.ty.is_number() => {
                return Ok(match operator {
                    UnaryOperator::Minus => {
                        Typed::new(PlanExpr::Negative(Box::new(value.expr)), value.ty)
                    }
                    UnaryOperator::Plus | UnaryOperator::Not => value,
                });
            }
            ty => return Err(error::wrong_type(format!("a value of type {ty} has no sign"), span)),
        };
        match operator {
            UnaryOperator::Minus => Ok(dynamic("negate", operators::negate, vec![value], result)),
            UnaryOperator::Plus | UnaryOperator::Not => Ok(value),
        }
    }

    fn junction(&mut self, operands: &[Expr], and: bool) -> Result<Typed, PgError> {
        let mut bound = Vec::with_capacity(operands.len());
        for operand in operands {
            bound.push(self.condition(operand)?);
        }
        let joined = bound
            .into_iter()
            .reduce(|left, right| if and { left.and(right) } else { left.or(right) });
        joined.map(Typed::boolean).ok_or_else(|| PgError::internal("AND or OR without operands"))
    }

    fn comparisons(
        &mut self,
        first: &Expr,
        rest: &[(ComparisonOperator, Expr)],
    ) -> Result<Typed, PgError> {
        let mut left = self.expr(first)?;
        let mut joined: Option<PlanExpr> = None;
        for (operator, right) in rest {
            let right = self.expr(right)?;
            let holds = self.compare(*operator, left, right.clone())?.expr;
            joined = Some(match joined {
                Some(joined) => joined.and(holds),
                None => holds,
            });
            left = right;
        }
        joined.map(Typed::boolean).ok_or_else(|| PgError::internal("a comparison without operands"))
    }

    /// `IS [NOT] :: TYPE`: never null.
    fn is_typed(&mut self, operand: Typed, ty: &TypeExpr, negated: bool) -> Result<Typed, PgError> {
        let operand = self.normalized(operand);
        let ty =
            PlanExpr::Literal(ScalarValue::BinaryView(Some(codec::encode(&type_value(ty)?))), None);
        let arguments = vec![(operand.expr, operand.ty), (ty, CypherType::Any)];
        let (kernel, result) = (value_type::is_typed, CypherType::Boolean);
        let volatility = Volatility::Immutable;
        let expr = Call::expression("is_typed", kernel, Nulls::Seen, volatility, arguments, result);
        Ok(Typed::boolean(if negated { PlanExpr::Not(Box::new(expr)) } else { expr }))
    }

    fn case(&mut self, case: &Case) -> Result<Typed, PgError> {
        let operand = case.operand.as_ref().map(|operand| self.expr(operand)).transpose()?;
        let mut conditions = Vec::with_capacity(case.branches.len());
        let mut values = Vec::with_capacity(case.branches.len() + 1);
        for branch in &case.branches {
            let mut alternatives: Option<PlanExpr> = None;
            for when in &branch.when {
                let holds = match &operand {
                    None => self.condition(when)?,
                    Some(operand) => {
                        let value = self.expr(when)?;
                        self.same(operand.clone(), value)?
                    }
                };
                alternatives = Some(match alternatives {
                    Some(before) => before.or(holds),
                    None => holds,
                });
            }
            conditions.push(
                alternatives
                    .ok_or_else(|| PgError::internal("a CASE branch without a condition"))?,
            );
            values.push(self.expr(&branch.then)?);
        }
        values.push(match &case.otherwise {
            Some(otherwise) => self.expr(otherwise)?,
            None => Typed::null(),
        });
        let (mut values, ty) = self.unified(values)?;
        let otherwise = values.pop().map(Box::new);
        let branches =
            conditions.into_iter().zip(values).map(|(when, then)| (Box::new(when), Box::new(then)));
        Ok(Typed::new(
            PlanExpr::Case(PlanCase {
                expr: None,
                when_then_expr: branches.collect(),
                else_expr: otherwise,
            }),
            ty,
        ))
    }

    /// `CASE x WHEN y`: equal, or both null.
    fn same(&mut self, operand: Typed, value: Typed) -> Result<PlanExpr, PgError> {
        if value.ty == CypherType::Null {
            return Ok(operand.expr.is_null());
        }
        Ok(self.compare(ComparisonOperator::Equal, operand, value)?.expr)
    }

    /// Values brought to their common type.
    pub(super) fn unified(
        &mut self,
        values: Vec<Typed>,
    ) -> Result<(Vec<PlanExpr>, CypherType), PgError> {
        let known = values
            .iter()
            .filter(|value| value.parameter.is_none())
            .fold(CypherType::Null, |ty, value| ty.unify(&value.ty));
        let values = values.into_iter().map(|value| self.expect(value, &known)).collect::<Vec<_>>();
        let ty = values.iter().fold(CypherType::Null, |ty, value| ty.unify(&value.ty));
        let values =
            values.into_iter().map(|value| self.coerce(value, &ty)).collect::<Result<_, _>>()?;
        Ok((values, ty))
    }

    fn has_labels(
        &mut self,
        element: Typed,
        labels: &LabelExpr,
        span: Span,
    ) -> Result<Typed, PgError> {
        let edge = match element.ty.clone() {
            CypherType::Node => false,
            CypherType::Relationship => true,
            CypherType::Null => return Ok(Typed::unknown()),
            CypherType::Any => {
                let node = self.coerce(element, &CypherType::Node)?;
                return self.label_test(&node, labels, false).map(Typed::boolean);
            }
            ty => {
                return Err(error::wrong_type(format!("a value of type {ty} has no labels"), span));
            }
        };
        self.label_test(&element.expr, labels, edge).map(Typed::boolean)
    }

    fn label_test(
        &mut self,
        element: &PlanExpr,
        labels: &LabelExpr,
        edge: bool,
    ) -> Result<PlanExpr, PgError> {
        let graph = Arc::clone(self.graph()?);
        let constant = |truth: bool| {
            datafusion::logical_expr::when(element.clone().is_null(), null_of(&CypherType::Boolean))
                .otherwise(lit(truth))
        };
        Ok(match labels {
            LabelExpr::Label(name) if graph.open.is_some() => GraphFunction::call(
                &graph,
                GraphFunctionKind::HasLabel { label: name.text.clone(), edge },
                element.clone(),
            ),
            LabelExpr::Label(name) => match names::find_label(&graph, name, edge, Dialect::Cypher)?
            {
                Some(label) => GraphFunction::call(
                    &graph,
                    GraphFunctionKind::HasLabel { label, edge },
                    element.clone(),
                ),
                None => constant(false)?,
            },
            LabelExpr::Wildcard(_) => constant(true)?,
            LabelExpr::Not(inner, _) => {
                PlanExpr::Not(Box::new(self.label_test(element, inner, edge)?))
            }
            LabelExpr::And(parts, span) | LabelExpr::Or(parts, span) => {
                let and = matches!(labels, LabelExpr::And(..));
                let mut joined: Option<PlanExpr> = None;
                for part in parts {
                    let holds = self.label_test(element, part, edge)?;
                    joined = Some(match joined {
                        None => holds,
                        Some(before) if and => before.and(holds),
                        Some(before) => before.or(holds),
                    });
                }
                joined.ok_or_else(|| error::wrong_type("an empty label expression", *span))?
            }
        })
    }
}

/// `node` or `relationship`, for messages.
pub(super) fn kind_name(edge: bool) -> &'static str {
    if edge { "relationship" } else { "node" }
}

/// A type as the kernel of `IS ::` takes it.
fn type_value(ty: &TypeExpr) -> Result<Value, PgError> {
    const NAMES: &[&str] = &[
        "NOTHING",
        "NULL",
        "ANY",
        "ANY VALUE",
        "PROPERTY VALUE",
        "ANY PROPERTY VALUE",
        "BOOL",
        "BOOLEAN",
        "INT",
        "INTEGER",
        "SIGNED INTEGER",
        "FLOAT",
        "STRING",
        "VARCHAR",
        "MAP",
        "ANY MAP",
        "PATH",
        "NODE",
        "VERTEX",
        "ANY NODE",
        "ANY VERTEX",
        "RELATIONSHIP",
        "EDGE",
        "ANY RELATIONSHIP",
        "ANY EDGE",
        "DATE",
        "LOCAL TIME",
        "ZONED TIME",
        "LOCAL DATETIME",
        "ZONED DATETIME",
        "DURATION",
        "TIME WITH TIMEZONE",
        "TIME WITHOUT TIMEZONE",
        "TIMESTAMP WITH TIMEZONE",
        "TIMESTAMP WITHOUT TIMEZONE",
        "LIST",
        "ARRAY",
        "POINT",
    ];
    let mut alternatives = Vec::with_capacity(ty.alternatives.len());
    for one in &ty.alternatives {
        if !NAMES.contains(&one.name.as_str()) {
            let message = format!("type {} does not exist", one.name);
            let error = PgError::new(SqlState::UNDEFINED_OBJECT, message);
            return Err(names::with_near(
                error.at(ty.span.start as usize),
                &one.name,
                NAMES.iter().copied(),
            ));
        }
        let inner = one.inner.as_ref().map(|inner| type_value(inner)).transpose()?;
        alternatives.push(value_type::type_value(&one.name, one.not_null, inner));
    }
    Ok(Value::List(alternatives))
}

fn bind_literal(literal: &Literal) -> Typed {
    match literal {
        Literal::Null => Typed::null(),
        Literal::Boolean(boolean) => Typed::boolean(lit(*boolean)),
        Literal::Integer(integer) => Typed::new(lit(*integer), CypherType::Integer),
        Literal::Float(float) => Typed::new(lit(*float), CypherType::Float),
        Literal::String(text) => Typed::new(text_literal(text), CypherType::String),
    }
}

/// A call of a kernel that is null where an operand is.
pub(super) fn dynamic(
    name: &'static str,
    kernel: crate::functions::cypher::Kernel,
    arguments: Vec<Typed>,
    result: CypherType,
) -> Typed {
    let arguments = arguments.into_iter().map(|argument| (argument.expr, argument.ty)).collect();
    Typed::new(
        Call::expression(
            name,
            kernel,
            Nulls::Strict,
            Volatility::Immutable,
            arguments,
            result.clone(),
        ),
        result,
    )
}

fn dynamic_property(base: Typed, key: &str, result: CypherType) -> Typed {
    dynamic("property", operators::property, vec![base, Typed::string(key)], result)
}

/// The empty list of a type.
pub(super) fn empty_list(element: &CypherType) -> PlanExpr {
    let items: ArrayRef = new_empty_array(&element.arrow());
    let list = arrow::array::ListArray::new(
        Arc::new(Field::new("item", element.arrow(), true)),
        arrow::buffer::OffsetBuffer::from_lengths([0]),
        items,
        None,
    );
    PlanExpr::Literal(ScalarValue::List(Arc::new(list)), None)
}

/// jsonb text, of which each part is already JSON, as ANY.
pub(super) fn from_json(expr: PlanExpr) -> Typed {
    Typed::new(Conversion::call(expr, CypherType::String, Target::FromJson), CypherType::Any)
}

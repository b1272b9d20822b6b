//! `WITH` and `RETURN`: items, grouping, `DISTINCT`, `ORDER BY`, `SKIP`, `LIMIT`, `WHERE`.
//!
//! ```text
//! input ─ [Aggregate] ─ Projection: items, hidden columns for sorting and WHERE ─ [Distinct] ─ [Sort] ─ [Limit]
//!       ─ [Filter] ─ Projection: items
//! ```

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::Sort as SortKey;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr as PlanExpr, Limit, LogicalPlan, Sort, lit,
};

use super::binder::{AggregatePlace, Binder, Binding, column, one_row, projection};
use super::error;
use super::matching::columns_of;
use super::order::{in_order, take_order};
use super::typed::Typed;
use super::walk::{
    beside_aggregates, has_aggregate, has_subquery, has_variable, is_simple_key, key_path,
    uses_variable,
};
use crate::error::{PgError, SqlState};
use crate::functions::cypher::CypherType;
use crate::functions::cypher::output::{Conversion, Target};
use crate::parser::Span;
use crate::parser::cypher::{Expr, ExprKind, Literal, Projection};

/// One column of a projection while it is bound.
struct Item {
    name: String,
    column: String,
    /// Over the input (and aggregates), as the user's other expressions may repeat it.
    bound: PlanExpr,
    /// Over what the projection stands on.
    value: PlanExpr,
    ty: CypherType,
    aggregated: bool,
    /// May stand inside a larger expression beside aggregates.
    simple: bool,
    span: Span,
}

/// A sort key over what the projection stands on.
struct Key {
    value: PlanExpr,
    ascending: bool,
    nulls_first: bool,
}

impl Binder<'_> {
    /// Binds the clause; `clause` names it in messages.
    pub(super) fn projection(
        &mut self,
        clause: &Projection,
        name: &'static str,
    ) -> Result<(), PgError> {
        let mut items = self.items(clause, name)?;
        let aggregated = items.iter().any(|item| item.aggregated);
        if aggregated {
            self.check_grouping(clause, &items)?;
        }
        let unnamed = clause
            .items
            .iter()
            .find(|item| item.alias.is_none() && !matches!(item.expr.kind, ExprKind::Variable(_)));
        if let (Some(item), "WITH") = (unnamed, name) {
            return Err(error::no_alias(item.span));
        }
        let depth = self.scope.len();
        for item in &items {
            let binding =
                Binding { name: item.name.clone(), expr: item.bound.clone(), ty: item.ty.clone() };
            self.scope.push(binding);
        }
        self.place = if aggregated {
            AggregatePlace::Allowed
        } else {
            AggregatePlace::Forbidden("ORDER BY")
        };
        let mut keys = Vec::with_capacity(clause.order_by.len());
        for sort in &clause.order_by {
            let value = self.expr(&sort.expr)?;
            let value = self.sortable(value)?;
            let nulls_first = sort.nulls_first.unwrap_or(sort.descending);
            keys.push((Key { value, ascending: !sort.descending, nulls_first }, sort.expr.span));
        }
        self.place = AggregatePlace::Forbidden("WHERE");
        let (hidden_condition, later) = match &clause.condition {
            Some(condition) if has_subquery(condition) => (None, Some(condition)),
            Some(condition) => (Some((self.condition(condition)?, condition.span)), None),
            None => (None, None),
        };
        self.scope.truncate(depth);
        let (mut keys, mut hidden_condition) = (keys, hidden_condition);
        if aggregated {
            self.aggregation(&mut items, &mut keys, &mut hidden_condition)?;
        }
        self.stages(clause, &items, keys, hidden_condition)?;
        let labels = items.iter().filter_map(|item| match &item.bound {
            PlanExpr::Column(from) => {
                Some((item.column.clone(), self.labels.get(&from.name)?.clone()))
            }
            _ => None,
        });
        self.labels = labels.collect();
        self.scope = items
            .into_iter()
            .map(|item| Binding { name: item.name, expr: column(&item.column), ty: item.ty })
            .collect();
        if let Some(condition) = later {
            let condition = self.condition(condition)?;
            self.filter(condition)?;
        }
        Ok(())
    }

    /// Beside aggregates stand only grouping keys: variables and properties that are items of their own.
    fn check_grouping(&self, clause: &Projection, items: &[Item]) -> Result<(), PgError> {
        let grouped = || clause.items.iter().filter(|item| !has_aggregate(&item.expr));
        let mut keys: Vec<Vec<&str>> = grouped().filter_map(|item| key_path(&item.expr)).collect();
        if clause.star.is_some() {
            keys.extend(self.scope.iter().map(|binding| vec![binding.name.as_str()]));
        }
        for item in clause.items.iter().filter(|item| has_aggregate(&item.expr)) {
            if beside_aggregates(&item.expr, &keys).is_some() {
                return Err(error::ambiguous_aggregation(item.span));
            }
        }
        // ORDER BY sees what the items are called, too.
        keys.extend(items.iter().map(|item| vec![item.name.as_str()]));
        for sort in &clause.order_by {
            let Some(name) = beside_aggregates(&sort.expr, &keys) else { continue };
            let is_grouped =
                grouped().any(|item| uses_variable(&item.expr, &|known| known == name.text));
            match (is_grouped, has_aggregate(&sort.expr)) {
                (true, true) => return Err(error::ambiguous_aggregation(sort.expr.span)),
                (true, false) => {}
                (false, _) => return Err(error::undefined_variable(&name.text, name.span)),
            }
        }
        Ok(())
    }

    /// The column of an item. Another column of its name below it would be taken for it.
    fn item_column(&self, heading: &str, value: &PlanExpr) -> String {
        let is_it = matches!(value, PlanExpr::Column(column) if column.name == heading);
        let is_taken = self.plan.schema().fields().iter().any(|field| field.name() == heading);
        if is_taken && !is_it { self.fresh() } else { self.column_name(heading) }
    }

    fn items(&mut self, clause: &Projection, name: &'static str) -> Result<Vec<Item>, PgError> {
        let mut items = Vec::new();
        self.aggregates.clear();
        if let Some(star) = clause.star {
            if self.scope.is_empty() && name == "RETURN" {
                return Err(error::no_variables(star));
            }
            for binding in self.scope.clone() {
                items.push(Item {
                    column: self.column_name(&binding.name),
                    name: binding.name,
                    value: binding.expr.clone(),
                    bound: binding.expr,
                    ty: binding.ty,
                    aggregated: false,
                    simple: true,
                    span: star,
                });
            }
        }
        self.place = AggregatePlace::Allowed;
        for item in &clause.items {
            let value = self.expr(&item.expr)?;
            let heading = item.column_name().to_owned();
            items.push(Item {
                column: self.item_column(&heading, &value.expr),
                name: heading,
                value: value.expr.clone(),
                bound: value.expr,
                ty: value.ty,
                aggregated: has_aggregate(&item.expr),
                simple: is_simple_key(&item.expr),
                span: item.span,
            });
        }
        for (at, item) in items.iter().enumerate() {
            if items.iter().take(at).any(|before| before.name == item.name) {
                return Err(error::column_conflict(&item.name, item.span));
            }
        }
        Ok(items)
    }

    /// A value in a form whose order is Cypher's.
    fn sortable(&mut self, value: Typed) -> Result<PlanExpr, PgError> {
        Ok(match &value.ty {
            CypherType::List(_) | CypherType::Map(_) | CypherType::Path => self.to_any(value)?,
            _ => value.expr,
        })
    }

    /// Puts the aggregation below the projection and rewrites everything to its columns.
    fn aggregation(
        &mut self,
        items: &mut [Item],
        keys: &mut [(Key, Span)],
        condition: &mut Option<(PlanExpr, Span)>,
    ) -> Result<(), PgError> {
        let mut groups = self.carried.iter().map(|name| column(name)).collect::<Vec<_>>();
        let mut aggregates = Vec::new();
        let mut substitutes = Vec::new();
        for item in items.iter_mut().filter(|item| !item.aggregated) {
            let name = self.fresh();
            if item.ty == CypherType::Any {
                // Equal numbers of different types are one group, shown as its first.
                let key =
                    Conversion::call(item.bound.clone(), CypherType::Any, Target::GroupingKey);
                groups.push(key.alias(self.fresh()));
                aggregates
                    .push(first_value_udaf().call(vec![item.bound.clone()]).alias(name.clone()));
            } else {
                groups.push(item.bound.clone().alias(name.clone()));
            }
            substitutes.push((item.bound.clone(), column(&name), item.simple));
            item.value = column(&name);
        }
        let (input, order) = take_order(std::mem::replace(&mut self.plan, one_row()));
        for (aggregate, name) in std::mem::take(&mut self.aggregates) {
            aggregates.push(in_order(aggregate, &order).alias(name));
        }
        self.plan =
            LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input), groups, aggregates)?);
        let known =
            self.plan.schema().columns().into_iter().map(|column| column.name).collect::<Vec<_>>();
        let simple = substitutes
            .iter()
            .filter(|(_, _, simple)| *simple)
            .map(|(from, to, _)| (from.clone(), to.clone()))
            .collect::<Vec<_>>();
        let complete = |value: &PlanExpr| columns_of(value).iter().all(|name| known.contains(name));
        for item in items.iter_mut().filter(|item| item.aggregated) {
            item.value = replaced(item.bound.clone(), &simple)?;
            if !complete(&item.value) {
                return Err(error::ambiguous_aggregation(item.span));
            }
        }
        let all =
            items.iter().map(|item| (item.bound.clone(), item.value.clone())).collect::<Vec<_>>();
        let rewritten = keys.iter_mut().map(|(key, span)| (&mut key.value, *span));
        for (value, span) in
            rewritten.chain(condition.iter_mut().map(|(value, span)| (value, *span)))
        {
            *value = replaced(value.clone(), &all)?;
            if !complete(value) {
                return Err(error::ambiguous_aggregation(span));
            }
        }
        Ok(())
    }

    fn stages(
        &mut self,
        clause: &Projection,
        items: &[Item],
        keys: Vec<(Key, Span)>,
        condition: Option<(PlanExpr, Span)>,
    ) -> Result<(), PgError> {
        let mut columns =
            self.carried.iter().map(|name| (column(name), name.clone())).collect::<Vec<_>>();
        columns.extend(items.iter().map(|item| (item.value.clone(), item.column.clone())));
        let visible =
            columns.iter().map(|(_, name)| (column(name), name.clone())).collect::<Vec<_>>();
        let outputs =
            items.iter().map(|item| (item.value.clone(), column(&item.column))).collect::<Vec<_>>();
        if clause.distinct {
            let input = std::mem::replace(&mut self.plan, one_row());
            self.plan = LogicalPlan::Distinct(Distinct::All(Arc::new(projection(input, columns)?)));
            columns = visible.clone();
        }
        // Each sort key is a column: an item's where it is one, else hidden.
        let mut hidden = false;
        let mut place = |binder: &Self, value: PlanExpr, span: Span| -> Result<PlanExpr, PgError> {
            if let Some((_, output)) = outputs.iter().find(|(item, _)| *item == value) {
                return Ok(output.clone());
            }
            let value = if clause.distinct {
                let value = replaced(value, &outputs)?;
                if let Some(name) = columns_of(&value)
                    .iter()
                    .find(|name| !visible.iter().any(|(_, column)| column == *name))
                {
                    return Err(error::undefined_variable(name, span));
                }
                value
            } else {
                value
            };
            let name = binder.fresh();
            columns.push((value, name.clone()));
            hidden = true;
            Ok(column(&name))
        };
        let mut sort = Vec::with_capacity(keys.len());
        for (key, span) in keys {
            let Key { value, ascending, nulls_first } = key;
            sort.push(SortKey::new(place(self, value, span)?, ascending, nulls_first));
        }
        let filter = condition.map(|(value, span)| place(self, value, span)).transpose()?;
        if !clause.distinct || hidden {
            self.project(columns)?;
        }
        if !sort.is_empty() {
            let input = Arc::new(std::mem::replace(&mut self.plan, one_row()));
            self.plan = LogicalPlan::Sort(Sort { expr: sort, input, fetch: None });
        }
        self.limit(clause)?;
        if let Some(filter) = filter {
            self.filter(filter)?;
        }
        if hidden {
            self.project(visible)?;
        }
        Ok(())
    }

    fn limit(&mut self, clause: &Projection) -> Result<(), PgError> {
        let skip = clause.skip.as_ref().map(|count| self.row_count(count, "SKIP")).transpose()?;
        let fetch =
            clause.limit.as_ref().map(|count| self.row_count(count, "LIMIT")).transpose()?;
        if skip.is_none() && fetch.is_none() {
            return Ok(());
        }
        if let (false, Some(count)) =
            (self.carried.is_empty(), clause.limit.as_ref().or(clause.skip.as_ref()))
        {
            return Err(error::unsupported(
                "SKIP or LIMIT inside a subquery that uses outer variables",
                count.span,
            ));
        }
        let input = Arc::new(std::mem::replace(&mut self.plan, one_row()));
        self.plan = LogicalPlan::Limit(Limit {
            skip: skip.map(Box::new),
            fetch: fetch.map(Box::new),
            input,
        });
        Ok(())
    }

    fn row_count(&mut self, count: &Expr, clause: &'static str) -> Result<PlanExpr, PgError> {
        if has_variable(count) || has_subquery(count) {
            return Err(error::not_constant(clause, count.span));
        }
        if let ExprKind::Literal(literal) = &count.kind {
            return match literal {
                Literal::Integer(rows @ 0..) => Ok(lit(*rows)),
                Literal::Integer(_) => Err(negative_count(clause).at(count.span.start as usize)),
                _ => Err(error::wrong_type(format!("{clause} needs an INTEGER"), count.span)),
            };
        }
        self.place = AggregatePlace::Forbidden(clause);
        let value = self.expr(count)?;
        let value = self.expect(value, &CypherType::Integer);
        let value = self.normalized(value);
        match value.ty {
            CypherType::Integer => Ok(value.expr),
            CypherType::Any => self.coerce(value, &CypherType::Integer),
            ty => {
                Err(error::wrong_type(format!("{clause} needs an INTEGER, not {ty}"), count.span))
            }
        }
    }
}

fn negative_count(clause: &str) -> PgError {
    let code = if clause == "SKIP" {
        SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE
    } else {
        SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE
    };
    PgError::new(code, format!("{clause} must not be negative")).routine("NegativeIntegerArgument")
}

/// The expression with each part that equals one of the first replaced by the second.
fn replaced(expr: PlanExpr, by: &[(PlanExpr, PlanExpr)]) -> Result<PlanExpr, PgError> {
    Ok(expr
        .transform_down(|expr| match by.iter().find(|(from, _)| *from == expr) {
            Some((_, to)) => Ok(Transformed::new(to.clone(), true, TreeNodeRecursion::Jump)),
            None => Ok(Transformed::no(expr)),
        })?
        .data)
}

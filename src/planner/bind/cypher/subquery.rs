//! Patterns and queries inside expressions: `EXISTS { }`, `COUNT { }`, `COLLECT { }`, pattern predicates and
//! comprehensions, `shortestPath`.
//!
//! Each becomes a left join: the inner query starts from the distinct values of the outer columns it uses, runs once
//! for all of them, and is joined back on those values. So the expression is an ordinary column for what stands above.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinConstraint, JoinType, NullEquality};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::{Aggregate, Distinct, EmptyRelation, Join, LogicalPlan, lit};

use super::binder::{AggregatePlace, Binder, Binding, column, one_row, projection};
use super::error;
use super::expression::empty_list;
use super::matching::columns_of;
use super::order::{list_of, take_order};
use super::typed::Typed;
use super::written::Writes;
use super::{different_columns, union};
use crate::error::PgError;
use crate::functions::cypher::CypherType;
use crate::parser::Span;
use crate::parser::cypher::{Expr, PatternComprehension, SingleQuery, Subquery, UnionKind};
use crate::parser::pattern::{GraphPattern, PathPattern, PathSelector};
use crate::planner::node::MatchPattern;

/// What an inner query gives for each combination of outer values.
enum Gives {
    /// Whether it has a row.
    Existence,
    /// How many rows.
    Count,
    /// The values of an expression over its rows, in a list.
    List(Typed),
    /// Its rows themselves, with these columns; the outer row is kept where there are none.
    Rows(Vec<Binding>),
}

impl Binder<'_> {
    pub(super) fn pattern_predicate(
        &mut self,
        path: &PathPattern<Expr>,
        span: Span,
    ) -> Result<Typed, PgError> {
        self.correlated(span, |inner| {
            let known = inner.scope.len();
            inner.match_path(path, None)?;
            // In a predicate no new variable may be named.
            match inner.scope.get(known) {
                Some(binding) => Err(error::undefined_variable(&binding.name, span)),
                None => Ok(Gives::Existence),
            }
        })
    }

    pub(super) fn exists(&mut self, subquery: &Subquery, span: Span) -> Result<Typed, PgError> {
        self.correlated(span, |inner| {
            inner.subquery_rows(subquery)?;
            Ok(Gives::Existence)
        })
    }

    pub(super) fn count_subquery(
        &mut self,
        subquery: &Subquery,
        span: Span,
    ) -> Result<Typed, PgError> {
        self.correlated(span, |inner| {
            inner.subquery_rows(subquery)?;
            Ok(Gives::Count)
        })
    }

    pub(super) fn collect_subquery(
        &mut self,
        subquery: &Subquery,
        span: Span,
    ) -> Result<Typed, PgError> {
        self.correlated(span, |inner| {
            inner.subquery_rows(subquery)?;
            match inner.scope.as_slice() {
                [only] => Ok(Gives::List(Typed::new(only.expr.clone(), only.ty.clone()))),
                _ => Err(error::wrong_type("COLLECT needs a query that returns one column", span)),
            }
        })
    }

    pub(super) fn pattern_comprehension(
        &mut self,
        comprehension: &PatternComprehension,
        span: Span,
    ) -> Result<Typed, PgError> {
        let PatternComprehension { pattern, filter, map } = comprehension;
        self.correlated(span, |inner| {
            inner.match_path(pattern, filter.as_ref())?;
            let value = inner.expr(map)?;
            Ok(Gives::List(inner.normalized(value)))
        })
    }

    /// `shortestPath(…)` as a value: the path, or null; `allShortestPaths`: the list of them.
    pub(super) fn shortest_path(
        &mut self,
        path: &PathPattern<Expr>,
        span: Span,
    ) -> Result<Typed, PgError> {
        let mut named = path.clone();
        let name = self.fresh();
        named.variable = Some(crate::parser::pattern::Name {
            text: name.clone(),
            quoted: true,
            span: path.span,
        });
        let all = path.prefix.selector == Some(PathSelector::AllShortestPathsFunction);
        self.correlated(span, |inner| {
            inner.match_path(&named, None)?;
            let Some(binding) = inner.find(&name).cloned() else {
                return Err(PgError::internal("a shortest path without its variable"));
            };
            Ok(if all {
                Gives::List(Typed::new(binding.expr, binding.ty))
            } else {
                Gives::Rows(vec![binding])
            })
        })
    }

    /// `OPTIONAL MATCH` whose condition asks for other patterns.
    pub(super) fn optional_by_join(&mut self, pattern: &GraphPattern<Expr>) -> Result<(), PgError> {
        let span = pattern.span;
        let known = self.scope.len();
        let mut bound = Vec::new();
        self.correlated(span, |inner| {
            let known = inner.scope.len();
            inner.match_pattern(pattern, false)?;
            bound = inner.scope.get(known..).unwrap_or_default().to_vec();
            Ok(Gives::Rows(bound.clone()))
        })?;
        debug_assert!(self.scope.len() >= known);
        Ok(())
    }

    fn subquery_rows(&mut self, subquery: &Subquery) -> Result<(), PgError> {
        match subquery {
            Subquery::Pattern(pattern) => self.match_pattern(pattern, false),
            Subquery::Query(query) => match query.parts.as_slice() {
                [part] => self.clauses(part),
                parts => self.union_rows(parts, query.union == UnionKind::Distinct),
            },
        }
    }

    /// The rows of a `UNION`, each part over the same outer rows.
    fn union_rows(&mut self, parts: &[SingleQuery], distinct: bool) -> Result<(), PgError> {
        let (input, scope) = (self.plan.clone(), self.scope.clone());
        let mut bound: Vec<Binder<'_>> = Vec::with_capacity(parts.len());
        for part in parts {
            let mut inner = self.inner();
            inner.plan = input.clone();
            inner.scope = scope.clone();
            inner.carried.clone_from(&self.carried);
            inner.clauses(part)?;
            let same = |first: &Binder<'_>| {
                let names = |binder: &Binder<'_>| {
                    binder.scope.iter().map(|known| known.name.clone()).collect::<Vec<_>>()
                };
                names(first) == names(&inner)
            };
            if !bound.first().is_none_or(same) {
                return Err(different_columns(part));
            }
            bound.push(inner);
        }
        let notices: Vec<PgError> =
            bound.iter_mut().flat_map(|part| part.notices.drain(..)).collect();
        let Binder { plan, scope, .. } = union(bound, distinct)?;
        self.plan = plan;
        self.scope = scope;
        self.notices.extend(notices);
        Ok(())
    }

    /// Runs `bind` on an inner binder and joins what it gives to the outer rows.
    fn correlated(
        &mut self,
        span: Span,
        mut bind: impl FnMut(&mut Binder<'_>) -> Result<Gives, PgError>,
    ) -> Result<Typed, PgError> {
        if self.in_lambda {
            return Err(error::unsupported("a pattern or subquery inside a list expression", span));
        }
        let used = self.used_by(&mut bind)?;
        let outer = self
            .scope
            .iter()
            .filter(|binding| columns_of(&binding.expr).iter().any(|name| used.contains(name)))
            .cloned()
            .collect::<Vec<_>>();
        let keys = used.iter().map(|name| (name.clone(), self.fresh())).collect::<Vec<_>>();
        let mut inner = self.inner();
        if !keys.is_empty() {
            let columns = keys.iter().map(|(name, _)| (column(name), name.clone())).collect();
            let distinct = LogicalPlan::Distinct(Distinct::All(Arc::new(projection(
                self.plan.clone(),
                columns,
            )?)));
            // Each key twice: under its own name for the inner query, under a new one that reaches its end.
            let twice = keys
                .iter()
                .flat_map(|(name, key)| [(column(name), name.clone()), (column(name), key.clone())])
                .collect();
            inner.plan = projection(distinct, twice)?;
        }
        inner.scope = outer;
        inner.carried = keys.iter().map(|(_, key)| key.clone()).collect();
        let gives = bind(&mut inner)?;
        let (plan, notices) = (inner.plan, inner.notices);
        self.notices.extend(notices);
        self.join_back(plan, &keys, gives)
    }

    pub(super) fn inner(&self) -> Binder<'_> {
        Binder {
            context: self.context,
            graph: self.graph.clone(),
            plan: one_row(),
            scope: Vec::new(),
            carried: Vec::new(),
            place: AggregatePlace::Forbidden("this subquery"),
            aggregates: Vec::new(),
            in_lambda: false,
            names: self.names,
            parameters: self.parameters,
            notices: Vec::new(),
            written: Writes::clone(&self.written),
            labels: self.labels.clone(),
        }
    }

    /// Outer columns that an inner query uses: found by binding it once on a relation that has all of them.
    fn used_by(
        &mut self,
        bind: &mut impl FnMut(&mut Binder<'_>) -> Result<Gives, PgError>,
    ) -> Result<BTreeSet<String>, PgError> {
        let mut inner = self.inner();
        let schema = Arc::clone(self.plan.schema());
        let columns =
            schema.columns().into_iter().map(|column| column.name).collect::<BTreeSet<_>>();
        inner.plan = LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, schema });
        inner.scope = self.scope.clone();
        let gives = bind(&mut inner)?;
        let mut used = BTreeSet::new();
        collect_used(&inner.plan, &mut used)?;
        if let Gives::List(value) = &gives {
            used.extend(columns_of(&value.expr));
        }
        Ok(used.intersection(&columns).cloned().collect())
    }

    fn join_back(
        &mut self,
        plan: LogicalPlan,
        keys: &[(String, String)],
        gives: Gives,
    ) -> Result<Typed, PgError> {
        let result = self.fresh();
        let groups = keys.iter().map(|(_, key)| column(key)).collect::<Vec<_>>();
        let key_columns = || keys.iter().map(|(_, key)| (column(key), key.clone()));
        let (right, value) = match gives {
            Gives::Existence => {
                let rows = count_udaf().call(vec![lit(1_i64)]).alias(result.clone());
                let counted =
                    LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(plan), groups, vec![rows])?);
                let truth = coalesce(vec![column(&result), lit(0_i64)]).gt(lit(0_i64));
                (counted, Typed::boolean(truth))
            }
            Gives::Count => {
                let rows = count_udaf().call(vec![lit(1_i64)]).alias(result.clone());
                let counted =
                    LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(plan), groups, vec![rows])?);
                (
                    counted,
                    Typed::new(coalesce(vec![column(&result), lit(0_i64)]), CypherType::Integer),
                )
            }
            Gives::List(value) => {
                let (plan, order) = take_order(plan);
                let list = list_of(value.expr, order).alias(result.clone());
                let listed =
                    LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(plan), groups, vec![list])?);
                let whole = coalesce(vec![column(&result), empty_list(&value.ty)]);
                (listed, Typed::new(whole, CypherType::list(value.ty)))
            }
            Gives::Rows(bindings) => {
                let mut columns = key_columns().collect::<Vec<_>>();
                let mut value = Typed::null();
                for binding in bindings {
                    let name = self.fresh();
                    columns.push((binding.expr, name.clone()));
                    value = Typed::new(column(&name), binding.ty.clone());
                    self.scope.push(Binding {
                        expr: column(&name),
                        ..binding_named(binding.name, binding.ty)
                    });
                }
                (projection(plan, columns)?, value)
            }
        };
        let left = std::mem::replace(&mut self.plan, one_row());
        let on = keys.iter().map(|(name, key)| (column(name), column(key))).collect();
        self.plan = LogicalPlan::Join(Join::try_new(
            Arc::new(left),
            Arc::new(right),
            on,
            None,
            JoinType::Left,
            JoinConstraint::On,
            NullEquality::NullEqualsNull,
            false,
        )?);
        Ok(value)
    }
}

fn binding_named(name: String, ty: CypherType) -> Binding {
    Binding { name, expr: lit(true), ty }
}

/// Columns that the nodes of a plan read.
fn collect_used(plan: &LogicalPlan, used: &mut BTreeSet<String>) -> Result<(), PgError> {
    plan.apply(|plan| {
        if let LogicalPlan::Extension(extension) = plan
            && let Some(node) = extension.node.as_any().downcast_ref::<MatchPattern>()
        {
            let vertices = node.pattern.vertices.iter().filter(|vertex| vertex.bound);
            used.extend(vertices.map(|vertex| vertex.variable.clone()));
            let edges = node.pattern.edges.iter().filter(|edge| edge.bound);
            used.extend(edges.map(|edge| edge.variable.clone()));
        }
        plan.apply_expressions(|expr| {
            used.extend(columns_of(expr));
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

//! Finds out whether a plan has a short way, and compiles it.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, ScalarValue, TableReference};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::async_udf::AsyncScalarUDF;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    BinaryExpr, Cast, Expr, LogicalPlan, Operator, TableScan, UserDefinedLogicalNodeCore as _,
    Volatility,
};
use datafusion::optimizer::Optimizer;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;

use super::cells::Numbered;
use super::key::Key;
use super::{Conflicts, LookUp, Over, PointRead, PointWrite, Projection, ShortPlan, Step, Write};
use crate::access::Admitted;
use crate::catalog::{Catalog, ConstraintKind, Relation};
use crate::error::PgError;
use crate::executor::operator::RowWriter;
use crate::planner::node::{ConflictLookup, RowPolicy, TableWrite};
use crate::planner::source::RelationSource;
use crate::types::Oid;

/// Rows of VALUES that are worth evaluating one by one.
const VALUES_ROWS_MAX: usize = 32;
/// Functions of DataFusion that are run as what its simplifier makes of them.
const SIMPLIFIED_AWAY: [&str; 6] =
    ["coalesce", "nvl2", "arrow_cast", "arrow_try_cast", "cast_to_type", "try_cast_to_type"];

impl ShortPlan {
    /// Whether a plan could have a short way; cheap enough to ask of every plan.
    pub fn may_exist(plan: &LogicalPlan) -> bool {
        shape_fits(plan)
    }

    /// The short way of a plan, if it has one.
    ///
    /// A plan that DataFusion would refuse has none: the long way says why.
    ///
    /// # Errors
    /// `XX000` if leaving out columns that are not needed widened what the plan touches.
    pub fn compile(
        state: &SessionState,
        catalog: &Catalog,
        plan: Admitted<LogicalPlan>,
    ) -> Result<Option<Self>, PgError> {
        let needed = Optimizer::with_rules(vec![Arc::new(OptimizeProjections::new())]);
        let plan = plan.rewritten(|plan| Ok(needed.optimize(plan, state, |_, _| {})?))?;
        Ok(Self::of(state, catalog, plan.get()))
    }

    fn of(state: &SessionState, catalog: &Catalog, plan: &LogicalPlan) -> Option<Self> {
        let parameters = parameters_of(plan)?;
        let compiler = Compiler {
            state,
            parameters: parameter_schema(&parameters)?,
            conflicts: RefCell::new(None),
        };
        let (rows, write) = compiler.statement(plan)?;
        let parameter_schema = Arc::clone(compiler.parameters.inner());
        let parameters: Vec<usize> = parameters.into_iter().map(|(place, _)| place).collect();
        let point = if write.is_none() { PointRead::of(&rows, &parameters) } else { None };
        let tables = tables_of(plan, catalog);
        let conflicts = compiler.conflicts.into_inner();
        let repeatable = is_repeatable(plan);
        let numbered = Numbered { places: &parameters, schema: &parameter_schema };
        let point_write = write
            .as_ref()
            .filter(|_| repeatable && tables.is_some() && conflicts.is_none())
            .and_then(|write| PointWrite::of(&rows, write, numbered));
        Some(Self {
            conflicts,
            rows,
            write,
            parameters,
            parameter_schema,
            point,
            point_write,
            tables,
            repeatable,
        })
    }
}

/// Whether no expression of a plan is volatile.
fn is_repeatable(plan: &LogicalPlan) -> bool {
    let volatile = plan.exists(|node| Ok(node.expressions().iter().any(Expr::is_volatile)));
    !volatile.unwrap_or(true)
}

/// What stands below names.
fn unnamed(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => unnamed(&alias.input),
        other => other,
    }
}

/// A policy's barrier, and the choice of columns above it, if there is one: those that only the policy reads end there.
fn guarded_rows(
    plan: &LogicalPlan,
) -> Option<(&RowPolicy, Option<&datafusion::logical_expr::Projection>)> {
    match plan {
        LogicalPlan::Extension(node) => Some((node.node.as_any().downcast_ref()?, None)),
        LogicalPlan::Projection(chosen)
            if chosen.expr.iter().all(|expr| matches!(expr, Expr::Column(_))) =>
        {
            match guarded_rows(unnamed(&chosen.input))? {
                (policy, None) => Some((policy, Some(chosen))),
                (_, Some(_)) => None,
            }
        }
        _ => None,
    }
}

/// The tables that a plan reads and writes; `None` where a write may lead to others, by a foreign key.
fn tables_of(plan: &LogicalPlan, catalog: &Catalog) -> Option<Box<[Oid]>> {
    let mut tables = Vec::new();
    let mut alone = true;
    plan.apply(|node| {
        match node {
            LogicalPlan::TableScan(scan) => match scan.source.downcast_ref::<RelationSource>() {
                Some(source) => tables.push(source.relation.oid),
                None => alone = false,
            },
            LogicalPlan::Extension(extension) => {
                let node = extension.node.as_any();
                match node.downcast_ref::<TableWrite>() {
                    Some(write) => {
                        alone &= is_alone(&write.relation, catalog);
                        tables.push(write.relation.oid);
                    }
                    // It looks at the table that is written.
                    None => alone &= node.is::<ConflictLookup>() || node.is::<RowPolicy>(),
                }
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .ok()?;
    alone.then(|| tables.into())
}

/// Whether no foreign key leads from or to a table.
fn is_alone(relation: &Relation, catalog: &Catalog) -> bool {
    let refers = |other: &Relation, to: Option<Oid>| {
        other.table().is_some_and(|table| {
            table.constraints.iter().any(|constraint| match &constraint.kind {
                ConstraintKind::ForeignKey { referenced, .. } => {
                    to.is_none_or(|to| *referenced == to)
                }
                _ => false,
            })
        })
    };
    !refers(relation, None)
        && !catalog.relations.values().any(|other| refers(other, Some(relation.oid)))
}

/// Nodes that can be part of a short way, and no query inside an expression.
fn shape_fits(plan: &LogicalPlan) -> bool {
    let mut scans = 0;
    let walked = plan.apply(|node| {
        let fits = match node {
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::EmptyRelation(_) => true,
            LogicalPlan::Values(values) => values.values.len() <= VALUES_ROWS_MAX,
            LogicalPlan::TableScan(_) => {
                scans += 1;
                scans == 1
            }
            LogicalPlan::Extension(extension) => {
                let node = extension.node.as_any();
                node.is::<TableWrite>() || node.is::<ConflictLookup>()
            }
            _ => false,
        };
        if !fits || node.expressions().iter().any(needs_operators) {
            scans = usize::MAX;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    walked.is_ok() && scans <= 1
}

/// Queries, aggregates and functions that wait are run by operators.
fn needs_operators(expr: &Expr) -> bool {
    expr.exists(|expr| {
        Ok(waits(expr)
            || matches!(
                expr,
                Expr::ScalarSubquery(_)
                    | Expr::InSubquery(_)
                    | Expr::Exists(_)
                    | Expr::SetComparison(_)
                    | Expr::OuterReferenceColumn(..)
                    | Expr::AggregateFunction(_)
                    | Expr::WindowFunction(_)
            ))
    })
    .unwrap_or(true)
}

fn waits(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.func.as_async().is_some())
}

/// The parameters a plan uses, in order of their numbers; `None` if one has no type.
fn parameters_of(plan: &LogicalPlan) -> Option<Vec<(usize, FieldRef)>> {
    let mut found: Vec<(usize, FieldRef)> = Vec::new();
    let mut typed = true;
    let walked = plan.apply(|node| {
        for expr in node.expressions() {
            expr.apply(|expr| {
                let Expr::Placeholder(placeholder) = expr else {
                    return Ok(TreeNodeRecursion::Continue);
                };
                let place = place_of(&placeholder.id);
                match (place, &placeholder.field) {
                    (Some(place), Some(field)) => {
                        if !found.iter().any(|(known, _)| *known == place) {
                            let named = field.as_ref().clone().with_name(&placeholder.id);
                            found.push((place, Arc::new(named.with_nullable(true))));
                        }
                    }
                    _ => typed = false,
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found.sort_by_key(|(place, _)| *place);
    (walked.is_ok() && typed).then_some(found)
}

fn place_of(id: &str) -> Option<usize> {
    id.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
}

/// What parameters are qualified by among the columns; no relation can have an empty name.
fn parameters_name() -> TableReference {
    TableReference::bare("")
}

fn parameter_schema(parameters: &[(usize, FieldRef)]) -> Option<DFSchemaRef> {
    let fields =
        parameters.iter().map(|(_, field)| (Some(parameters_name()), Arc::clone(field))).collect();
    DFSchema::new_with_metadata(fields, Default::default()).ok().map(Arc::new)
}

struct Compiler<'a> {
    state: &'a SessionState,
    parameters: DFSchemaRef,
    /// The look-up that was met on the way.
    conflicts: RefCell<Option<Box<Conflicts>>>,
}

impl Compiler<'_> {
    /// A query, or a write with what is done with its rows.
    fn statement(&self, plan: &LogicalPlan) -> Option<(Step, Option<Write>)> {
        if let Some(rows) = self.step(plan) {
            return Some((rows, None));
        }
        match plan {
            LogicalPlan::Projection(projection) => {
                let (rows, write) = self.statement(&projection.input)?;
                let mut write = write?;
                let input = projection.input.schema();
                write.returning.push(self.projection(
                    &projection.expr,
                    input,
                    &projection.schema,
                )?);
                Some((rows, Some(write)))
            }
            LogicalPlan::SubqueryAlias(alias) => self.statement(&alias.input),
            LogicalPlan::Extension(extension) => {
                let node = extension.node.as_any().downcast_ref::<TableWrite>()?.clone();
                let rows = self.step(&node.input)?;
                let writer = RowWriter::new(&node, node.input.schema().fields().len()).ok()?;
                Some((rows, Some(Write { writer, returning: Vec::new() })))
            }
            _ => None,
        }
    }

    fn step(&self, plan: &LogicalPlan) -> Option<Step> {
        match plan {
            LogicalPlan::EmptyRelation(empty) => empty.produce_one_row.then_some(Step::Row),
            LogicalPlan::Values(values) => {
                let none = DFSchema::empty();
                let rows = values
                    .values
                    .iter()
                    .map(|row| row.iter().map(|expr| self.expression(expr, &none)).collect())
                    .collect::<Option<Vec<_>>>()?;
                Some(Step::Values { rows, schema: Arc::clone(values.schema.inner()) })
            }
            LogicalPlan::Filter(filter) => match filter.input.as_ref() {
                LogicalPlan::TableScan(scan) => {
                    self.look_up(scan, scan.projected_schema.as_ref(), &filter.predicate)
                }
                LogicalPlan::SubqueryAlias(alias) => match unnamed(&alias.input) {
                    LogicalPlan::TableScan(scan) => {
                        self.look_up(scan, alias.schema.as_ref(), &filter.predicate)
                    }
                    below => match guarded_rows(below) {
                        Some((policy, chosen)) => {
                            let schema = alias.schema.as_ref();
                            self.guarded(policy, chosen, schema, &filter.predicate)
                        }
                        None => self.filter(filter),
                    },
                },
                _ => self.filter(filter),
            },
            LogicalPlan::Projection(projection) => {
                let input = Box::new(self.step(&projection.input)?);
                let schema = projection.input.schema();
                let projection = self.projection(&projection.expr, schema, &projection.schema)?;
                Some(Step::Project { input, projection })
            }
            LogicalPlan::SubqueryAlias(alias) => self.step(&alias.input),
            LogicalPlan::Limit(limit) => {
                let input = self.step(&limit.input)?;
                let fetch = match limit.fetch.as_deref() {
                    None => usize::MAX,
                    Some(Expr::Literal(ScalarValue::Int64(Some(rows)), _)) => {
                        usize::try_from(*rows).ok()?
                    }
                    Some(_) => return None,
                };
                let skips = match limit.skip.as_deref() {
                    None => false,
                    Some(Expr::Literal(ScalarValue::Int64(Some(rows)), _)) => *rows != 0,
                    Some(_) => true,
                };
                (!skips).then_some(Step::First { input: Box::new(input), fetch })
            }
            LogicalPlan::Extension(extension) => {
                let node = extension.node.as_any().downcast_ref::<ConflictLookup>()?;
                let rows = self.step(&node.input)?;
                let conflicts = Conflicts {
                    rows,
                    relation: Arc::clone(&node.relation),
                    arbiters: node.arbiters.clone(),
                    skips: node.skips,
                    schema: Arc::clone(node.schema().inner()),
                };
                // There is one at most, as there is one write.
                let taken = self.conflicts.replace(Some(Box::new(conflicts)));
                taken.is_none().then_some(Step::Found)
            }
            // One row is in order.
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                self.step(&sort.input).filter(|input| !input.many())
            }
            _ => None,
        }
    }

    fn filter(&self, filter: &datafusion::logical_expr::Filter) -> Option<Step> {
        let input = Box::new(self.step(&filter.input)?);
        let schema = filter.input.schema();
        let condition = self.expression(&filter.predicate, schema)?;
        let over = self.over(std::slice::from_ref(&filter.predicate), schema)?;
        Some(Step::Filter { input, condition, over })
    }

    /// A scan under policies under a condition that names a whole key: the policies are asked about the row before anything
    /// else that the condition says.
    fn guarded(
        &self,
        policy: &RowPolicy,
        chosen: Option<&datafusion::logical_expr::Projection>,
        schema: &DFSchema,
        predicate: &Expr,
    ) -> Option<Step> {
        let mut conditions = Vec::new();
        let mut plan = policy.input.as_ref();
        while let LogicalPlan::Filter(filter) = plan {
            conditions.push(&filter.predicate);
            plan = filter.input.as_ref();
        }
        let LogicalPlan::TableScan(scan) = plan else { return None };
        if !policy.above.is_empty() {
            return None;
        }
        let (mut step, rest) = self.find(scan, schema, predicate)?;
        for condition in conditions.into_iter().rev() {
            step = self.checked(step, condition, scan.projected_schema.as_ref())?;
        }
        if let Some(chosen) = chosen {
            let projection =
                self.projection(&chosen.expr, chosen.input.schema(), &chosen.schema)?;
            step = Step::Project { input: Box::new(step), projection };
        }
        match rest {
            None => Some(step),
            Some(rest) => self.checked(step, &rest, schema),
        }
    }

    fn checked(&self, step: Step, predicate: &Expr, schema: &DFSchema) -> Option<Step> {
        let condition = self.expression(predicate, schema)?;
        let over = self.over(std::slice::from_ref(predicate), schema)?;
        Some(Step::Filter { input: Box::new(step), condition, over })
    }

    /// A scan under a condition that names a whole key; what else the condition says is checked on the row.
    fn look_up(&self, scan: &TableScan, schema: &DFSchema, predicate: &Expr) -> Option<Step> {
        match self.find(scan, schema, predicate)? {
            (step, None) => Some(step),
            (step, Some(rest)) => self.checked(step, &rest, schema),
        }
    }

    /// The look-up that a condition allows, and what else it says.
    fn find(
        &self,
        scan: &TableScan,
        schema: &DFSchema,
        predicate: &Expr,
    ) -> Option<(Step, Option<Expr>)> {
        let source = scan.source.downcast_ref::<RelationSource>()?;
        if scan.fetch.is_some() || !scan.filters.is_empty() {
            return None;
        }
        let relation = &source.relation;
        let mut conjuncts = Vec::new();
        conjunction(predicate, &mut conjuncts);
        let width = relation.columns().len();
        let (key, values, used) = self.key(relation, schema, &conjuncts)?;
        let types: Vec<DataType> =
            key.iter().map(|column| relation.columns()[*column].ty.arrow()).collect();
        let key = Arc::new(Key::new(key, types)?);
        let all = width + usize::from(source.with_row_id);
        let projection = scan.projection.clone().unwrap_or_else(|| (0..all).collect());
        let schema_out: SchemaRef = Arc::clone(scan.projected_schema.inner());
        let look_up = Step::LookUp(LookUp {
            table: relation.oid,
            key,
            values,
            width,
            projection,
            schema: schema_out,
        });
        let rest = conjuncts
            .iter()
            .enumerate()
            .filter(|(at, _)| !used.contains(at))
            .map(|(_, expr)| (*expr).clone())
            .reduce(Expr::and);
        Some((look_up, rest))
    }

    /// A key of the table that the conjuncts name, what its columns equal, and which conjuncts say so.
    #[expect(clippy::type_complexity, reason = "used once, beside its definition")]
    fn key(
        &self,
        relation: &Relation,
        schema: &DFSchema,
        conjuncts: &[&Expr],
    ) -> Option<(Vec<usize>, Vec<Arc<dyn PhysicalExpr>>, Vec<usize>)> {
        let table = relation.table()?;
        table.constraints.iter().find_map(|constraint| {
            let (ConstraintKind::PrimaryKey { columns, .. }
            | ConstraintKind::Unique { columns, .. }) = &constraint.kind
            else {
                return None;
            };
            let mut values = Vec::with_capacity(columns.len());
            let mut used = Vec::with_capacity(columns.len());
            for column in columns {
                let column = &table.columns[*column];
                let (at, value) = conjuncts.iter().enumerate().find_map(|(at, expr)| {
                    Some((at, equal_to(expr, &column.name, &column.ty.arrow(), schema)?))
                })?;
                values.push(self.expression(value, &DFSchema::empty())?);
                used.push(at);
            }
            Some((columns.clone(), values, used))
        })
    }

    fn projection(
        &self,
        exprs: &[Expr],
        input: &DFSchema,
        output: &DFSchema,
    ) -> Option<Projection> {
        let expressions =
            exprs.iter().map(|expr| self.expression(expr, input)).collect::<Option<Vec<_>>>()?;
        let over = self.over(exprs, input)?;
        Some(Projection { expressions, over, schema: Arc::clone(output.inner()) })
    }

    fn over(&self, exprs: &[Expr], input: &DFSchema) -> Option<Over> {
        let uses_parameters = |expr: &Expr| {
            expr.exists(|expr| Ok(matches!(expr, Expr::Placeholder(_)))).unwrap_or(true)
        };
        if !exprs.iter().any(uses_parameters) {
            return Some(Over::Rows);
        }
        let both = input.join(&self.parameters).ok()?;
        Some(Over::RowsAndParameters(Arc::clone(both.inner())))
    }

    /// An expression over the columns of `schema` and, after them, the parameters.
    fn expression(&self, expr: &Expr, schema: &DFSchema) -> Option<Arc<dyn PhysicalExpr>> {
        let expr = expr.clone().transform(|expr| match expr {
            Expr::Placeholder(placeholder) => {
                let column = Column::new(Some(parameters_name()), placeholder.id);
                Ok(Transformed::yes(Expr::Column(column)))
            }
            Expr::Alias(alias) => Ok(Transformed::yes(*alias.expr)),
            other => Ok(Transformed::no(other)),
        });
        let schema = schema.join(&self.parameters).ok()?;
        let expr = self.simplified(expr.ok()?.data, &schema)?;
        self.state.create_physical_expr(expr, &schema).ok()
    }

    /// Some functions exist only as what they are simplified to; others must not be replaced by their value of today.
    fn simplified(&self, expr: Expr, schema: &DFSchema) -> Option<Expr> {
        let waits = |expr: &Expr| match expr {
            Expr::ScalarFunction(call) => call.func.inner().is::<AsyncScalarUDF>(),
            _ => false,
        };
        if expr.exists(|expr| Ok(waits(expr))).ok()? {
            return None;
        }
        let of_the_moment = |expr: &Expr| match expr {
            Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
            _ => false,
        };
        if expr.exists(|expr| Ok(of_the_moment(expr))).ok()? {
            let simplified_away = |expr: &Expr| match expr {
                Expr::ScalarFunction(call) => SIMPLIFIED_AWAY.contains(&call.func.name()),
                _ => false,
            };
            let unfit = expr.exists(|expr| Ok(simplified_away(expr))).ok()?;
            return (!unfit).then_some(expr);
        }
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::clone(self.state.config_options()))
            .build();
        let simplifier = ExprSimplifier::new(context);
        simplifier.simplify(simplifier.coerce(expr, schema).ok()?).ok()
    }
}

fn conjunction<'a>(expr: &'a Expr, found: &mut Vec<&'a Expr>) {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            conjunction(left, found);
            conjunction(right, found);
        }
        other => found.push(other),
    }
}

/// What the conjunct says a column equals, if that is a parameter or a constant whose values the column's type can hold
/// one for one.
fn equal_to<'a>(
    expr: &'a Expr,
    column: &str,
    ty: &DataType,
    schema: &DFSchema,
) -> Option<&'a Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return None };
    let matches = |side: &Expr, value: &Expr| {
        let (named, compared) = match side {
            Expr::Column(named) => (named, ty.clone()),
            Expr::Cast(Cast { expr, field }) => match expr.as_ref() {
                Expr::Column(named) if widens(ty, field.data_type()) => {
                    (named, field.data_type().clone())
                }
                _ => return false,
            },
            _ => return false,
        };
        let constant = match value {
            Expr::Placeholder(placeholder) => {
                placeholder.field.as_ref().map(|field| field.data_type().clone())
            }
            Expr::Literal(value, _) => Some(value.data_type()),
            _ => None,
        };
        named.name == column && schema.has_column(named) && constant == Some(compared)
    };
    if matches(left, right) {
        return Some(right);
    }
    matches(right, left).then_some(left.as_ref())
}

/// Whether a cast between the types keeps every value apart.
fn widens(from: &DataType, to: &DataType) -> bool {
    from.is_signed_integer() && to.is_signed_integer()
}

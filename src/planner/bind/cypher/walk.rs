//! Questions about expression trees that are asked before they are bound.

use crate::parser::cypher::{Expr, ExprKind, MapProjectionItem};
use crate::parser::pattern::Name;

/// The aggregate functions.
pub(super) const AGGREGATES: [&str; 10] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "collect",
    "stdev",
    "stdevp",
    "percentilecont",
    "percentiledisc",
];

/// Calls `visit` for each direct operand of an expression; insides of subqueries are not visited.
fn operands<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e Expr)) {
    match &expr.kind {
        ExprKind::Literal(_)
        | ExprKind::Parameter(_)
        | ExprKind::Variable(_)
        | ExprKind::CountStar
        | ExprKind::PatternPredicate(_)
        | ExprKind::ShortestPath(_)
        | ExprKind::PatternComprehension(_)
        | ExprKind::Exists(_)
        | ExprKind::Count(_)
        | ExprKind::Collect(_) => {}
        ExprKind::Property { base, key: _ } => visit(base),
        ExprKind::Index { base, index } => {
            visit(base);
            visit(index);
        }
        ExprKind::Slice { base, from, to } => {
            visit(base);
            from.iter().chain(to).for_each(|bound| visit(bound));
        }
        ExprKind::List(items) | ExprKind::And(items) | ExprKind::Or(items) => {
            items.iter().for_each(visit)
        }
        ExprKind::Map(entries) => entries.iter().for_each(|(_, value)| visit(value)),
        ExprKind::MapProjection { variable: _, items } => {
            for item in items {
                if let MapProjectionItem::Entry(_, value) = item {
                    visit(value);
                }
            }
        }
        ExprKind::Unary { operator: _, operand }
        | ExprKind::IsNull { operand, negated: _ }
        | ExprKind::IsTyped { operand, ty: _, negated: _ }
        | ExprKind::HasLabels { operand, labels: _ } => visit(operand),
        ExprKind::Binary { operator: _, left, right } => {
            visit(left);
            visit(right);
        }
        ExprKind::Comparison { first, rest } => {
            visit(first);
            rest.iter().for_each(|(_, operand)| visit(operand));
        }
        ExprKind::Function(call) => call.arguments.iter().for_each(visit),
        ExprKind::Case(case) => {
            case.operand.iter().for_each(&mut *visit);
            for branch in &case.branches {
                branch.when.iter().for_each(&mut *visit);
                visit(&branch.then);
            }
            case.otherwise.iter().for_each(visit);
        }
        ExprKind::ListComprehension(comprehension) => {
            visit(&comprehension.list);
            comprehension.filter.iter().chain(&comprehension.map).for_each(visit);
        }
        ExprKind::Quantified(quantified) => {
            visit(&quantified.list);
            quantified.predicate.iter().for_each(visit);
        }
        ExprKind::Reduce(reduce) => {
            visit(&reduce.initial);
            visit(&reduce.list);
            visit(&reduce.step);
        }
    }
}

/// Whether `test` holds for the expression or anything in it.
fn any(expr: &Expr, test: &dyn Fn(&Expr) -> bool) -> bool {
    if test(expr) {
        return true;
    }
    let mut found = false;
    operands(expr, &mut |operand| found = found || any(operand, test));
    found
}

fn is_aggregate(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::CountStar => true,
        ExprKind::Function(call) => match call.name.as_slice() {
            [name] => AGGREGATES.contains(&name.text.to_ascii_lowercase().as_str()),
            _ => false,
        },
        _ => false,
    }
}

/// Whether an aggregate function is called.
pub(super) fn has_aggregate(expr: &Expr) -> bool {
    any(expr, &is_aggregate)
}

/// Whether a pattern or subquery is asked, so that the expression needs the rows it stands for.
pub(super) fn has_subquery(expr: &Expr) -> bool {
    any(expr, &|expr| {
        matches!(
            expr.kind,
            ExprKind::PatternPredicate(_)
                | ExprKind::ShortestPath(_)
                | ExprKind::PatternComprehension(_)
                | ExprKind::Exists(_)
                | ExprKind::Count(_)
                | ExprKind::Collect(_)
        )
    })
}

/// Whether a variable is used.
pub(super) fn has_variable(expr: &Expr) -> bool {
    any(expr, &|expr| matches!(expr.kind, ExprKind::Variable(_) | ExprKind::MapProjection { .. }))
}

/// Whether a variable for which `test` holds is used; names that the expression itself binds count too.
pub(super) fn uses_variable(expr: &Expr, test: &dyn Fn(&str) -> bool) -> bool {
    any(expr, &|expr| match &expr.kind {
        ExprKind::Variable(name) | ExprKind::MapProjection { variable: name, .. } => {
            test(&name.text)
        }
        _ => false,
    })
}

/// Whether a function is called that gives another value each time.
pub(super) fn is_random(expr: &Expr) -> bool {
    any(expr, &|expr| match &expr.kind {
        ExprKind::Function(call) => match call.name.as_slice() {
            [name] => ["rand", "randomuuid"].contains(&name.text.to_ascii_lowercase().as_str()),
            _ => false,
        },
        _ => false,
    })
}

/// A variable, or a property of one, as the names along it.
pub(super) fn key_path(expr: &Expr) -> Option<Vec<&str>> {
    match &expr.kind {
        ExprKind::Variable(name) => Some(vec![name.text.as_str()]),
        ExprKind::Property { base, key } => {
            let mut path = key_path(base)?;
            path.push(key.text.as_str());
            Some(path)
        }
        _ => None,
    }
}

/// The first variable that is used outside of aggregates and is no part of one of the keys.
pub(super) fn beside_aggregates<'e>(expr: &'e Expr, keys: &[Vec<&str>]) -> Option<&'e Name> {
    outside(expr, keys, &mut Vec::new())
}

fn outside<'e>(expr: &'e Expr, keys: &[Vec<&str>], own: &mut Vec<&'e str>) -> Option<&'e Name> {
    if is_aggregate(expr) || key_path(expr).is_some_and(|path| keys.contains(&path)) {
        return None;
    }
    let known = own.len();
    match &expr.kind {
        ExprKind::Variable(name) => {
            return (!own.contains(&name.text.as_str())).then_some(name);
        }
        ExprKind::MapProjection { variable, items: _ }
            if !own.contains(&variable.text.as_str())
                && !keys.contains(&vec![variable.text.as_str()]) =>
        {
            return Some(variable);
        }
        ExprKind::ListComprehension(comprehension) => own.push(&comprehension.variable.text),
        ExprKind::Quantified(quantified) => own.push(&quantified.variable.text),
        ExprKind::Reduce(reduce) => {
            own.extend([reduce.accumulator.text.as_str(), reduce.variable.text.as_str()])
        }
        _ => {}
    }
    let mut found = None;
    operands(expr, &mut |operand| {
        if found.is_none() {
            found = outside(operand, keys, own);
        }
    });
    own.truncate(known);
    found
}

/// Whether the expression may be a grouping key inside a larger one: a variable, or a property of one.
pub(super) fn is_simple_key(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Variable(_) => true,
        ExprKind::Property { base, key: _ } => is_simple_key(base),
        _ => false,
    }
}

/// The conditions joined by `AND` at the top.
pub(super) fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::And(parts) => parts.iter().flat_map(conjuncts).collect(),
        _ => vec![expr],
    }
}

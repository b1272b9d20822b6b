//! Bounds of window frames, which the planner wants as they were written: other rewriting makes casts of intervals.

use sqlparser::ast::{DataType, Expr, Function, Interval, Value, WindowFrameBound, WindowType};

/// Gives the bounds of a call's frame the form that the planner reads: a number, or an interval.
pub(super) fn plain_bounds(function: &mut Function) {
    let Some(WindowType::WindowSpec(spec)) = &mut function.over else { return };
    let Some(frame) = &mut spec.window_frame else { return };
    for bound in std::iter::once(&mut frame.start_bound).chain(frame.end_bound.as_mut()) {
        if let WindowFrameBound::Preceding(Some(expr)) | WindowFrameBound::Following(Some(expr)) =
            bound
            && let Some(text) = text_of(expr)
        {
            **expr = Expr::Interval(Interval {
                value: Box::new(Expr::value(Value::SingleQuotedString(text))),
                leading_field: None,
                leading_precision: None,
                last_field: None,
                fractional_seconds_precision: None,
            });
        }
    }
}

/// The text of a literal, or of one that is cast to an interval.
fn text_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        Expr::Cast { expr, data_type: DataType::Interval { .. }, .. } => text_of(expr),
        _ => None,
    }
}

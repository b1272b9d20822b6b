//! How SQL's operators become functions and comparisons: the expression planner that DataFusion's SQL planner asks.
//!
//! Arithmetic, text, date, array and JSON operators are functions of the operator tables: checked for overflow, typed by
//! PostgreSQL's rules. Comparisons stay DataFusion's, as joins and statistics know them, on operands of one type.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ExprSchema, Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr::{Alias, Like, Placeholder, ScalarFunction};
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr,
};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, GetFieldAccess, Operator};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::error::{PgError, SqlState};
use crate::functions::cast::{plan_coercion, typed_literal};
use crate::functions::overload::{NoChoice, common_type, operator_error};
use crate::functions::record;
use crate::functions::registry::registry;
use crate::functions::scalar::{PgFunction, SessionRef, field_type, is_small, small_constant};
use crate::types::pg_type::PgType;
use crate::types::row_type::RowType;

/// Plans operators by PostgreSQL's rules.
#[derive(Debug, Clone)]
pub struct PgExprPlanner {
    session: SessionRef,
}

/// The type of an expression; `unknown` for an untyped string literal, NULL or parameter.
///
/// # Errors
/// What DataFusion or a function says of an expression that has no type.
pub(crate) fn expr_type(expr: &Expr, schema: &dyn ExprSchema) -> DfResult<PgType> {
    match expr {
        Expr::Alias(Alias { expr, .. }) => expr_type(expr, schema),
        Expr::Placeholder(Placeholder { field: None, .. }) => Ok(PgType::Unknown),
        Expr::Literal(ScalarValue::Int64(Some(value)), None) if is_small(*value) => {
            Ok(PgType::Int4)
        }
        Expr::Literal(value, None) if value.is_null() => Ok(PgType::Unknown),
        Expr::Literal(..) => Ok(field_type(&expr.to_field(schema)?.1)),
        Expr::Cast(cast) => Ok(PgType::from_field(&cast.field)),
        Expr::Case(case) => {
            let branches = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
            let types = branches
                .chain(case.else_expr.as_deref())
                .map(|branch| expr_type(branch, schema))
                .collect::<DfResult<Vec<_>>>()?;
            Ok(common_type(&types).unwrap_or(PgType::Text))
        }
        expr => {
            let field = expr.to_field(schema)?.1;
            // Only literals are unknown; DataFusion's own functions return Utf8 for text.
            Ok(PgType::from_field(&field))
        }
    }
}

/// An untyped number as PostgreSQL types it: integer, bigint or numeric by its size.
pub(crate) fn typed_number(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), None) => match i32::try_from(value) {
            Ok(value) => typed_literal(ScalarValue::Int32(Some(value)), &PgType::Int4),
            Err(_) => typed_literal(ScalarValue::Int64(Some(value)), &PgType::Int8),
        },
        Expr::Literal(ScalarValue::UInt64(Some(value)), None) => {
            let ty = PgType::Numeric(Some((20, 0)));
            typed_literal(ScalarValue::Decimal128(Some(value.into()), 20, 0), &ty)
        }
        other => other,
    }
}

/// Calls a function of the operator tables.
///
/// # Errors
/// `42883` if no operator of this name takes the operands.
pub(crate) fn call_operator(
    name: &str,
    args: Vec<Expr>,
    schema: &dyn ExprSchema,
    session: &SessionRef,
) -> DfResult<Expr> {
    let args: Vec<Expr> = args.into_iter().map(typed_number).collect();
    let types = args.iter().map(|arg| expr_type(arg, schema)).collect::<DfResult<Vec<_>>>()?;
    let Some(function) = registry().operator(name, session) else {
        return Err(operator_error(name, &types, NoChoice::None).into());
    };
    call_resolved(&function, args, &types)
}

/// Calls a function with its arguments converted to the parameters of the overload they choose.
///
/// # Errors
/// `42883`, `42725`.
pub(crate) fn call_resolved(
    function: &PgFunction,
    args: Vec<Expr>,
    types: &[PgType],
) -> DfResult<Expr> {
    let constants: Vec<Option<i64>> = args
        .iter()
        .map(|arg| match arg {
            Expr::Literal(value, _) => small_constant(Some(value)),
            _ => None,
        })
        .collect();
    let choice = function.choose(types, &constants)?;
    let args = args
        .into_iter()
        .zip(types)
        .zip(&choice.args)
        .map(|((arg, from), to)| plan_coercion(arg, from, to, function.session()))
        .collect::<Result<Vec<_>, PgError>>()?;
    let function = Arc::new(function.resolved(choice));
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, args)))
}

fn comparison(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        _ => return None,
    })
}

fn operator_name(op: &BinaryOperator) -> Option<String> {
    Some(
        match op {
            BinaryOperator::Plus => "+",
            BinaryOperator::Minus => "-",
            BinaryOperator::Multiply => "*",
            BinaryOperator::Divide => "/",
            BinaryOperator::Modulo => "%",
            BinaryOperator::StringConcat => "||",
            BinaryOperator::BitwiseAnd => "&",
            BinaryOperator::BitwiseOr => "|",
            // `^` is exponentiation; the planner's dialect reads it so.
            BinaryOperator::PGExp | BinaryOperator::BitwiseXor => "^",
            BinaryOperator::PGBitwiseXor => "#",
            BinaryOperator::PGBitwiseShiftLeft => "<<",
            BinaryOperator::PGBitwiseShiftRight => ">>",
            BinaryOperator::PGRegexMatch => "~",
            BinaryOperator::PGRegexIMatch => "~*",
            BinaryOperator::PGRegexNotMatch => "!~",
            BinaryOperator::PGRegexNotIMatch => "!~*",
            BinaryOperator::PGStartsWith => "^@",
            BinaryOperator::PGOverlap => "&&",
            BinaryOperator::AndLt => "&<",
            BinaryOperator::AndGt => "&>",
            BinaryOperator::Arrow => "->",
            BinaryOperator::LongArrow => "->>",
            BinaryOperator::HashArrow => "#>",
            BinaryOperator::HashLongArrow => "#>>",
            BinaryOperator::HashMinus => "#-",
            BinaryOperator::AtArrow => "@>",
            BinaryOperator::ArrowAt => "<@",
            BinaryOperator::AtQuestion => "@?",
            BinaryOperator::AtAt => "@@",
            BinaryOperator::Question => "?",
            BinaryOperator::QuestionAnd => "?&",
            BinaryOperator::QuestionPipe => "?|",
            BinaryOperator::Custom(name) => name,
            BinaryOperator::PGCustomBinaryOperator(parts) => parts.last()?,
            _ => return None,
        }
        .to_owned(),
    )
}

fn like(op: &BinaryOperator) -> Option<(bool, bool)> {
    Some(match op {
        BinaryOperator::PGLikeMatch => (false, false),
        BinaryOperator::PGNotLikeMatch => (true, false),
        BinaryOperator::PGILikeMatch => (false, true),
        BinaryOperator::PGNotILikeMatch => (true, true),
        _ => return None,
    })
}

/// The type two operands are compared as. Blanks at the end of char(n) do not count, so it compares as text.
fn comparison_type(left: &PgType, right: &PgType) -> Option<PgType> {
    let plain = |ty: &PgType| match ty {
        PgType::Bpchar(_) | PgType::Varchar(_) => PgType::Text,
        other => other.clone(),
    };
    let common = common_type([&plain(left), &plain(right)])?;
    (common != PgType::Json).then_some(common)
}

/// Whether a type is left to DataFusion: rows and structures.
fn foreign(ty: &PgType, data_type: &DataType) -> bool {
    matches!(ty, PgType::Record)
        || matches!(data_type, DataType::Struct(_) | DataType::Map(_, _) | DataType::Union(_, _))
}

/// Converts the operands of a comparison to one type.
///
/// # Errors
/// `42883` if their types do not compare.
pub(crate) fn coerce_comparison(
    op: Operator,
    left: Expr,
    right: Expr,
    schema: &dyn ExprSchema,
    session: &SessionRef,
) -> DfResult<(Expr, Expr)> {
    let (left, right) = (typed_number(left), typed_number(right));
    let (l, r) = (expr_type(&left, schema)?, expr_type(&right, schema)?);
    let stored = |expr: &Expr| match expr {
        Expr::Placeholder(_) => Ok(DataType::Null),
        expr => expr.get_type(schema),
    };
    if foreign(&l, &stored(&left)?) || foreign(&r, &stored(&right)?) {
        return Ok((left, right));
    }
    if let (PgType::Row(from), PgType::Row(to)) = (&l, &r) {
        if let Some(at) = dissimilar(from, to) {
            return Err(at.into());
        }
        return Ok((record::sort_key(left, from), record::sort_key(right, to)));
    }
    if l == r && !matches!(l, PgType::Bpchar(_) | PgType::Json | PgType::Unknown | PgType::Interval)
    {
        return Ok((left, right));
    }
    let Some(common) = comparison_type(&l, &r) else {
        return Err(
            operator_error(&op.to_string().replace("!=", "<>"), &[l, r], NoChoice::None).into()
        );
    };
    let (left, right) =
        (plan_operand(left, &l, &common, session)?, plan_operand(right, &r, &common, session)?);
    if let PgType::Row(ty) = &common {
        return Ok((record::sort_key(left, ty), record::sort_key(right, ty)));
    }
    if common == PgType::Interval {
        // A month is 30 days and a day 24 hours when intervals are compared.
        return Ok((span(left, schema, session)?, span(right, schema, session)?));
    }
    Ok((left, right))
}

/// Whether values of two types can be compared with each other; rows and what DataFusion alone knows are not judged.
pub(crate) fn comparable(left: &PgType, right: &PgType) -> bool {
    let judged = |ty: &PgType| !matches!(ty, PgType::Record | PgType::Row(_) | PgType::Unknown);
    !judged(left) || !judged(right) || left == right || comparison_type(left, right).is_some()
}

/// Why two rows cannot be compared, if they cannot.
fn dissimilar(left: &RowType, right: &RowType) -> Option<PgError> {
    let mismatch = |message: String| PgError::new(SqlState::DATATYPE_MISMATCH, message);
    if left.fields.len() != right.fields.len() {
        let message = "cannot compare record types with different numbers of columns";
        return Some(mismatch(message.to_owned()));
    }
    let mut pairs = left.fields.iter().zip(&right.fields).zip(1..);
    let ((left, right), at) =
        pairs.find(|((left, right), _)| left.ty.arrow() != right.ty.arrow())?;
    Some(mismatch(format!(
        "cannot compare dissimilar column types {} and {} at record column {at}",
        left.ty.without_modifier(),
        right.ty.without_modifier()
    )))
}

fn span(expr: Expr, schema: &dyn ExprSchema, session: &SessionRef) -> DfResult<Expr> {
    if expr_type(&expr, schema)? != PgType::Interval {
        return Ok(expr);
    }
    let function = registry().own("interval_span", session)?;
    call_resolved(&function, vec![expr], &[PgType::Interval])
}

/// Decimals of several scales and varchar beside text compare as they are.
fn plan_operand(expr: Expr, from: &PgType, to: &PgType, session: &SessionRef) -> DfResult<Expr> {
    let comparable = match (from, to) {
        (PgType::Numeric(_), PgType::Numeric(_)) | (PgType::Varchar(_), PgType::Text) => true,
        (from, to) => from.without_modifier() == to.without_modifier(),
    };
    if comparable && *from != PgType::Unknown {
        return Ok(expr);
    }
    // A literal beside `timestamp(3)` is not rounded as that is.
    let plain = to.second_digits().map(|_| to.without_modifier());
    Ok(plan_coercion(expr, from, plain.as_ref().unwrap_or(to), session)?)
}

impl PgExprPlanner {
    /// A planner for one session.
    #[must_use]
    pub fn new(session: SessionRef) -> Self {
        Self { session }
    }

    fn binary(
        &self,
        raw: RawBinaryExpr,
        schema: &DFSchema,
    ) -> DfResult<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = raw;
        if let Some(op) = comparison(&op) {
            let (left, right) = coerce_comparison(op, left, right, schema, &self.session)?;
            return Ok(PlannerResult::Planned(binary(left, op, right)));
        }
        if matches!(op, BinaryOperator::And | BinaryOperator::Or) {
            let side = |expr: Expr| -> DfResult<Expr> {
                match expr_type(&expr, schema)? {
                    from @ PgType::Unknown => {
                        Ok(plan_coercion(expr, &from, &PgType::Bool, &self.session)?)
                    }
                    _ => Ok(expr),
                }
            };
            let (left, right) = (side(left)?, side(right)?);
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        }
        if let Some((negated, case_insensitive)) = like(&op) {
            let like = Like::new(negated, Box::new(left), Box::new(right), None, case_insensitive);
            return Ok(PlannerResult::Planned(Expr::Like(like)));
        }
        let Some(name) = operator_name(&op) else {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        };
        // `~~` and `=` may be written as OPERATOR(pg_catalog.=).
        if let Some(op) = spelled_comparison(&name) {
            let (left, right) = coerce_comparison(op, left, right, schema, &self.session)?;
            return Ok(PlannerResult::Planned(binary(left, op, right)));
        }
        if let Some((negated, insensitive)) = spelled_like(&name) {
            let like = Like::new(negated, Box::new(left), Box::new(right), None, insensitive);
            return Ok(PlannerResult::Planned(Expr::Like(like)));
        }
        Ok(PlannerResult::Planned(call_operator(&name, vec![left, right], schema, &self.session)?))
    }

    fn function(&self, name: &str, args: Vec<Expr>) -> DfResult<Expr> {
        let function = registry().scalar(name, &self.session).ok_or_else(|| {
            PgError::new(SqlState::UNDEFINED_FUNCTION, format!("function {name} does not exist"))
        })?;
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, args)))
    }
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

/// The function for a field: the result has as many digits after the point as the field.
fn extract_function(field: &str) -> &'static str {
    match field {
        "second" | "seconds" | "epoch" => "extract_micros",
        "milliseconds" | "millisecond" => "extract_millis",
        "julian" => "extract",
        _ => "extract_whole",
    }
}

fn spelled_comparison(name: &str) -> Option<Operator> {
    Some(match name {
        "=" => Operator::Eq,
        "<>" | "!=" => Operator::NotEq,
        "<" => Operator::Lt,
        "<=" => Operator::LtEq,
        ">" => Operator::Gt,
        ">=" => Operator::GtEq,
        _ => return None,
    })
}

fn spelled_like(name: &str) -> Option<(bool, bool)> {
    Some(match name {
        "~~" => (false, false),
        "!~~" => (true, false),
        "~~*" => (false, true),
        "!~~*" => (true, true),
        _ => return None,
    })
}

/// The arguments of a subscript: `a[i][j]` is one call for both.
fn chained(expr: Expr, name: &str, keys: Vec<Expr>) -> Vec<Expr> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, mut args }) if func.name() == name => {
            args.extend(keys);
            args
        }
        expr => std::iter::once(expr).chain(keys).collect(),
    }
}

impl ExprPlanner for PgExprPlanner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> DfResult<PlannerResult<RawBinaryExpr>> {
        self.binary(expr, schema)
    }

    fn plan_extract(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        let mut digits = "extract";
        let args = args
            .into_iter()
            .enumerate()
            .map(|(index, arg)| match arg {
                // Field names are words, not text: `EXTRACT(EPOCH FROM …)`.
                Expr::Literal(ScalarValue::Utf8(Some(field)), None) if index == 0 => {
                    let field = field.trim_matches(['\'', '"']).to_ascii_lowercase();
                    digits = extract_function(&field);
                    typed_literal(ScalarValue::Utf8View(Some(field)), &PgType::Text)
                }
                arg => arg,
            })
            .collect();
        Ok(PlannerResult::Planned(self.function(digits, args)?))
    }

    fn plan_substring(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(self.function("substring", args)?))
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(self.function("overlay", args)?))
    }

    fn plan_position(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(self.function("strpos", args)?))
    }

    fn plan_array_literal(
        &self,
        exprs: Vec<Expr>,
        _schema: &DFSchema,
    ) -> DfResult<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(self.function("array_of", exprs)?))
    }

    fn plan_struct_literal(
        &self,
        args: Vec<Expr>,
        _is_named_struct: bool,
    ) -> DfResult<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(record::unresolved_row(args)))
    }

    fn plan_field_access(
        &self,
        expr: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> DfResult<PlannerResult<RawFieldAccessExpr>> {
        let RawFieldAccessExpr { field_access, expr } = expr;
        let planned = match field_access {
            GetFieldAccess::ListIndex { key } if expr_type(&expr, schema)? == PgType::Hstore => {
                call_operator("->", vec![expr, *key], schema, &self.session)?
            }
            GetFieldAccess::ListIndex { key } => {
                if expr_type(&expr, schema)? == PgType::Jsonb {
                    self.function("jsonb_subscript", vec![expr, *key])?
                } else {
                    self.function("array_subscript", chained(expr, "array_subscript", vec![*key]))?
                }
            }
            GetFieldAccess::ListRange { start, stop, stride: _ } => {
                let bounds = vec![*start, *stop];
                self.function("array_slice", chained(expr, "array_slice", bounds))?
            }
            GetFieldAccess::NamedStructField { name }
                if expr_type(&expr, schema)? == PgType::Hstore =>
            {
                let key = Expr::Literal(name, None);
                call_operator("->", vec![expr, key], schema, &self.session)?
            }
            GetFieldAccess::NamedStructField { name } => {
                if let PgType::Row(ty) = expr_type(&expr, schema)? {
                    let name = name.try_as_str().flatten().unwrap_or_default();
                    let at = ty.position(name).ok_or_else(|| record::no_field(&ty, name))?;
                    let field = record::field_of(expr, &ty, at);
                    return Ok(PlannerResult::Planned(field));
                }
                let key = Expr::Literal(name.clone(), None);
                if expr_type(&expr, schema)? == PgType::Jsonb
                    && !matches!(expr.get_type(schema)?, DataType::Struct(_))
                {
                    self.function("jsonb_subscript", vec![expr, key])?
                } else {
                    let field_access = GetFieldAccess::NamedStructField { name };
                    return Ok(PlannerResult::Original(RawFieldAccessExpr { field_access, expr }));
                }
            }
        };
        Ok(PlannerResult::Planned(planned))
    }
}

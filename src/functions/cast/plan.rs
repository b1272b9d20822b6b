//! Casts in expressions: the verdict, the folding of literals, and the function that casts when the plan runs.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr::{Cast, Placeholder, ScalarFunction};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::kernel::{cast_array, lossless};
use super::{CastContext, cast_context, is_reg};
use crate::error::{PgError, SqlState};
use crate::functions::record::convert_row;
use crate::functions::scalar::{SessionRef, field_type};
use crate::types::pg_type::PgType;

/// The function that casts to a type.
#[derive(Debug, Clone)]
pub struct CastTo {
    to: PgType,
    explicit: bool,
    session: SessionRef,
}

impl PartialEq for CastTo {
    fn eq(&self, other: &Self) -> bool {
        self.to == other.to && self.explicit == other.explicit
    }
}

impl Eq for CastTo {}

impl Hash for CastTo {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to.hash(state);
        self.explicit.hash(state);
    }
}

impl CastTo {
    /// The function for one type. `explicit`: text too long for its column is cut.
    #[must_use]
    pub fn new(to: PgType, explicit: bool, session: SessionRef) -> Self {
        Self { to, explicit, session }
    }

    /// The value, once the domain takes it.
    fn to_domain(&self, from: &PgType, args: Vec<ColumnarValue>) -> DfResult<ColumnarValue> {
        let session = self.session.as_deref();
        let asked = session.ok_or_else(|| PgError::internal("a domain without a session"))?;
        let (is_scalar, array) = match args.into_iter().next() {
            Some(ColumnarValue::Array(array)) => (false, array),
            Some(ColumnarValue::Scalar(scalar)) => (true, scalar.to_array()?),
            None => return Err(PgError::internal("a cast without an argument").into()),
        };
        let plain = self.to.plain();
        let array = match *from == plain {
            true => array,
            false => cast_array(&array, from, &plain, self.explicit, session)?,
        };
        asked.catalog().check_domain(&self.to, &array)?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
            false => ColumnarValue::Array(array),
        })
    }

    /// The type it casts to.
    #[must_use]
    pub fn target(&self) -> &PgType {
        &self.to
    }
}

static ANY_ONE: LazyLock<Signature> = LazyLock::new(|| Signature::any(1, Volatility::Immutable));
static ANY_ONE_STABLE: LazyLock<Signature> =
    LazyLock::new(|| Signature::any(1, Volatility::Stable));

impl ScalarUDFImpl for CastTo {
    fn name(&self) -> &str {
        "cast"
    }

    fn signature(&self) -> &Signature {
        if depends_on_session(&self.to) { &ANY_ONE_STABLE } else { &ANY_ONE }
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        match args.first() {
            Some(arg) => Ok(arg.schema_name().to_string()),
            None => Ok(self.to.typname()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.to.arrow())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let field = self.to.field("cast", nullable);
        let from = args.arg_fields.first().map_or(0, |field| depth(field.data_type()));
        if !matches!(self.to, PgType::Array(_)) || from <= depth(field.data_type()) {
            return Ok(Arc::new(field));
        }
        // An array keeps its dimensions.
        let mut ty = field.data_type().clone();
        for _ in depth(&ty)..from {
            ty = DataType::List(Arc::new(Field::new_list_field(ty, true)));
        }
        Ok(Arc::new(field.with_data_type(ty)))
    }

    fn is_strict(&self) -> bool {
        !self.to.has_domain()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let from = args.arg_fields.first().map_or(PgType::Unknown, |field| field_type(field));
        let session = self.session.as_deref();
        if self.to.has_domain() {
            return self.to_domain(&from, args.args);
        }
        match args.args.into_iter().next() {
            // They are stored alike.
            Some(text)
                if self.to == PgType::Text
                    && matches!(from, PgType::Name | PgType::Text | PgType::Varchar(_)) =>
            {
                Ok(text)
            }
            Some(ColumnarValue::Array(array)) => {
                let array = cast_array(&array, &from, &self.to, self.explicit, session)?;
                check_dimensions(&array, &args.return_field)?;
                Ok(ColumnarValue::Array(array))
            }
            Some(ColumnarValue::Scalar(scalar)) => {
                let array =
                    cast_array(&scalar.to_array()?, &from, &self.to, self.explicit, session)?;
                check_dimensions(&array, &args.return_field)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
            None => Err(PgError::internal("a cast without an argument").into()),
        }
    }
}

/// The dimensions of an array's storage.
pub(crate) fn depth(ty: &DataType) -> usize {
    match ty {
        DataType::List(item) => 1 + depth(item.data_type()),
        _ => 0,
    }
}

/// How many dimensions arrays have is known when a statement is planned.
fn check_dimensions(array: &ArrayRef, declared: &FieldRef) -> Result<(), PgError> {
    if depth(array.data_type()) == depth(declared.data_type()) {
        return Ok(());
    }
    Err(PgError::unsupported(
        "texts that are read as arrays of several dimensions are not supported here",
        "Write the array as a literal, or as a parameter.",
    ))
}

/// Whether a call is a cast whose result follows from its argument alone; `None` if it is no cast.
#[must_use]
pub fn is_immutable_cast(call: &ScalarFunction, from: &PgType) -> Option<bool> {
    let cast = call.func.inner().downcast_ref::<CastTo>()?;
    let plain = |ty: &PgType| {
        matches!(
            ty,
            PgType::Bool
                | PgType::Int2
                | PgType::Int4
                | PgType::Int8
                | PgType::Numeric(_)
                | PgType::Uuid
                | PgType::Text
                | PgType::Varchar(_)
                | PgType::Bpchar(_)
                | PgType::Name
                | PgType::Enum(_)
        )
    };
    Some((plain(from) && plain(&cast.to)) || !depends_on_session(&cast.to))
}

/// Whether reading or writing a value of the type looks at the session: zones, `now`, names of objects.
fn depends_on_session(ty: &PgType) -> bool {
    match ty {
        PgType::Domain(_) => true,
        PgType::Array(element) => depends_on_session(element),
        PgType::Range(kind) | PgType::Multirange(kind) => kind.depends_on_session(),
        PgType::Date
        | PgType::Time(_)
        | PgType::Timestamp(_)
        | PgType::Timestamptz(_)
        | PgType::Timetz(_) => true,
        // Output of dates, intervals, bytea and floats follows settings.
        PgType::Text | PgType::Varchar(_) | PgType::Bpchar(_) => true,
        ty => is_reg(ty),
    }
}

/// A cast as written (`CAST`, `::`) or, not `explicit`, as an assignment to a column makes it.
///
/// `expr` is returned as it is if there is nothing to do; a literal is converted at once, so its errors come while the
/// statement is planned; a parameter without a type gets this one.
///
/// # Errors
/// `42846` if PostgreSQL has no such cast, `42804` if it is not an assignment cast; what the conversion of a literal
/// says.
pub fn plan_cast(
    expr: Expr,
    from: &PgType,
    to: &PgType,
    explicit: bool,
    session: &SessionRef,
) -> Result<Expr, PgError> {
    if to.has_domain() {
        // A parameter is described by the domain, and its values are those of what the domain stands on.
        let value = match typed_placeholder(&expr, from, to) {
            Some(typed) => typed,
            None => plan_cast(expr, from, &to.plain(), explicit, session)?,
        };
        let function = ScalarUDF::from(CastTo::new(to.clone(), explicit, session.clone()));
        return Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![value])));
    }
    if let Some(typed) = typed_placeholder(&expr, from, to) {
        return Ok(typed);
    }
    if let (PgType::Row(from), PgType::Row(to)) = (from, to) {
        return match from == to || from.fields == to.fields && from.oid == to.oid {
            true => Ok(expr),
            false => convert_row(expr, from, to, explicit, session),
        };
    }
    if matches!((from, to), (PgType::Array(_), PgType::Array(_))) && leaf(from) == leaf(to) {
        return Ok(expr);
    }
    let needed = if explicit { CastContext::Explicit } else { CastContext::Assignment };
    match cast_context(from, to) {
        Some(context) if context >= needed => Ok(cast_expr(expr, from, to, explicit, session)?),
        Some(_) => Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("value is of type {} but type {} is expected", from, to.without_modifier()),
        )
        .hint("You will need to rewrite or cast the expression.")),
        None => Err(PgError::new(
            SqlState::CANNOT_COERCE,
            format!("cannot cast type {} to {}", from.without_modifier(), to.without_modifier()),
        )),
    }
}

/// A conversion that no one wrote: an argument to its parameter, an operand to its operator.
///
/// # Errors
/// `42846` if it is not implicit; what the conversion of a literal says.
pub fn plan_coercion(
    expr: Expr,
    from: &PgType,
    to: &PgType,
    session: &SessionRef,
) -> Result<Expr, PgError> {
    if let Some(typed) = typed_placeholder(&expr, from, to) {
        return Ok(typed);
    }
    cast_expr(expr, from, to, false, session)
}

/// What is in arrays of any number of dimensions.
fn leaf(ty: &PgType) -> &PgType {
    match ty {
        PgType::Array(element) => leaf(element),
        other => other,
    }
}

fn typed_placeholder(expr: &Expr, from: &PgType, to: &PgType) -> Option<Expr> {
    let Expr::Placeholder(Placeholder { id, field: None }) = expr else { return None };
    debug_assert_eq!(*from, PgType::Unknown);
    let ty = to.without_modifier();
    let ty = if ty == PgType::Unknown { PgType::Text } else { ty };
    Some(Expr::Placeholder(Placeholder::new_with_field(
        id.clone(),
        Some(Arc::new(ty.field(id, true))),
    )))
}

fn cast_expr(
    expr: Expr,
    from: &PgType,
    to: &PgType,
    explicit: bool,
    session: &SessionRef,
) -> Result<Expr, PgError> {
    if from == to {
        return Ok(expr);
    }
    if let Expr::Literal(value, _) = &expr
        && !names_now(value)
    {
        let lasts = !depends_on_session(to)
            || super::is_string(leaf(to)) && super::is_string(from)
            || *to == PgType::Date;
        // What cannot be read is an error now, with the literal's place, whatever the session's settings become.
        if lasts || *from == PgType::Unknown {
            let read = cast_literal(value, from, to, explicit, session)?;
            if lasts {
                return Ok(typed_literal(read, to));
            }
        }
    }
    // Conversions DataFusion knows and can move through joins and statistics.
    if lossless(from, to) {
        return Ok(Expr::Cast(Cast::new_from_field(
            Box::new(expr),
            Arc::new(to.field("cast", true)),
        )));
    }
    let function = ScalarUDF::from(CastTo::new(to.clone(), explicit, session.clone()));
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![expr])))
}

fn cast_literal(
    value: &ScalarValue,
    from: &PgType,
    to: &PgType,
    explicit: bool,
    session: &SessionRef,
) -> Result<ScalarValue, PgError> {
    let array = cast_array(&value.to_array()?, from, to, explicit, session.as_deref()).map_err(
        |error| match value.try_as_str() {
            Some(Some(text)) if *from == PgType::Unknown => error.literal(text),
            _ => error,
        },
    )?;
    Ok(ScalarValue::try_from_array(&array, 0)?)
}

/// `now`, `today`, … are not constants of a plan that may be cached.
fn names_now(value: &ScalarValue) -> bool {
    let Some(Some(text)) = value.try_as_str() else { return false };
    let word = text.trim().to_ascii_lowercase();
    ["now", "today", "tomorrow", "yesterday"].iter().any(|special| word.starts_with(special))
}

/// A literal that says its type, so that it is not taken for an untyped one.
#[must_use]
pub fn typed_literal(value: ScalarValue, ty: &PgType) -> Expr {
    let mut field = ty.field("lit", true);
    // Types that are marked by nothing else still differ from a bare literal: `1::bigint` is not `1`.
    field.metadata_mut().insert(crate::types::TYPE_KEY.to_owned(), ty.marker());
    Expr::Literal(value, Some(FieldMetadata::from(field.metadata())))
}

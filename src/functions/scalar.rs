//! The DataFusion face of a function: by name while a statement is planned, by overload once it is resolved.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef};
use async_trait::async_trait;
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::error::PgError;
use crate::functions::cast::kernel::cast_array;
use crate::functions::context::SessionContext;
use crate::functions::datum::{
    Args, Call, Datum, Kernel, Value, build, build_arrow, build_rows, read,
};
use crate::functions::lib::advisory;
use crate::functions::overload::{Choice, function_error, operator_error, select};
use crate::functions::signature::{ArgType, Overload, ReturnType, Stability};
use crate::types::pg_type::PgType;

/// The session, where there is one.
pub type SessionRef = Option<Arc<dyn SessionContext>>;

/// The type of a field, `unknown` for a string no one has typed.
///
/// DataFusion's planner makes literals `Utf8`; every text that graphwire computes or stores is `Utf8View`.
pub(crate) fn field_type(field: &Field) -> PgType {
    if matches!(field.data_type(), DataType::Utf8 | DataType::Null) && field.metadata().is_empty() {
        return PgType::Unknown;
    }
    PgType::from_field(field)
}

/// The type of an argument: an untyped integer literal is `integer` if it fits, as in PostgreSQL.
pub(crate) fn literal_type(field: &Field, literal: Option<&ScalarValue>) -> PgType {
    if field.metadata().is_empty()
        && let Some(ScalarValue::Int64(Some(value))) = literal
        && is_small(*value)
    {
        return PgType::Int4;
    }
    field_type(field)
}

/// The types of a call's arguments while it is planned.
pub(crate) fn argument_types(args: &ReturnFieldArgs<'_>) -> Vec<PgType> {
    let literal = |index: usize| args.scalar_arguments.get(index).copied().flatten();
    let fields = args.arg_fields.iter().enumerate();
    fields.map(|(index, field)| literal_type(field, literal(index))).collect()
}

/// Whether a number is written as an `integer`.
pub(crate) fn is_small(value: i64) -> bool {
    i32::try_from(value).is_ok()
}

/// The constants a result type may depend on: digits of `round`, and the like.
pub(crate) fn small_constant(literal: Option<&ScalarValue>) -> Option<i64> {
    match literal? {
        ScalarValue::Int64(value) => *value,
        ScalarValue::Int32(value) => value.map(i64::from),
        ScalarValue::Int16(value) => value.map(i64::from),
        _ => None,
    }
}

fn volatility(stability: Stability) -> Volatility {
    match stability {
        Stability::Immutable => Volatility::Immutable,
        Stability::Stable => Volatility::Stable,
        Stability::Volatile => Volatility::Volatile,
    }
}

/// A function by name: all its overloads.
#[derive(Debug, Clone)]
pub struct PgFunction {
    name: String,
    overloads: &'static [&'static Overload],
    operator: bool,
    session: SessionRef,
    signature: Signature,
}

impl PartialEq for PgFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.operator == other.operator
    }
}

impl Eq for PgFunction {}

impl Hash for PgFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl PgFunction {
    pub(crate) fn new(
        name: &str,
        overloads: &'static [&'static Overload],
        operator: bool,
        session: SessionRef,
    ) -> Self {
        let stability =
            overloads.first().map_or(Stability::Volatile, |overload| overload.stability);
        let signature = Signature::user_defined(volatility(stability));
        Self { name: name.to_owned(), overloads, operator, session, signature }
    }

    pub(crate) fn choose(
        &self,
        args: &[PgType],
        constants: &[Option<i64>],
    ) -> Result<Choice, PgError> {
        // `"char" = ANY (varchar[])` compares text, as `"char" = varchar` does.
        let as_text;
        let args = match args {
            [PgType::InternalChar, PgType::Array(element)]
                if self.operator
                    && matches!(
                        element.as_ref(),
                        PgType::Text | PgType::Varchar(_) | PgType::Name
                    ) =>
            {
                as_text = [PgType::Text, PgType::Array(element.clone())];
                &as_text[..]
            }
            args => args,
        };
        let mut choice = select(self.overloads, args, self.operator).map_err(|why| {
            if self.operator {
                operator_error(&self.name, args, why)
            } else {
                function_error(&self.name, args, why)
            }
        })?;
        if let Some(refine) = choice.overload.refine {
            choice.returns = refine(&choice.args, constants);
        }
        Ok(choice)
    }

    /// The function for one overload.
    pub(crate) fn resolved(&self, choice: Choice) -> ScalarUDF {
        if advisory::waits(&choice.overload.name) {
            let mut function = ResolvedFunction::new(choice, self.session.clone());
            function.signature = Signature::any(function.choice.args.len(), Volatility::Volatile);
            return AsyncScalarUDF::new(Arc::new(function)).into_scalar_udf();
        }
        ScalarUDF::from(ResolvedFunction::new(choice, self.session.clone()))
    }

    pub(crate) fn session(&self) -> &SessionRef {
        &self.session
    }
}

impl ScalarUDFImpl for PgFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> DfResult<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Err(PgError::internal("the result type needs the argument fields").into())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        let literal = |index: usize| args.scalar_arguments.get(index).copied().flatten();
        // Parameters of type void go when the call is resolved.
        let given = argument_types(&args).into_iter().enumerate();
        let given = given.filter(|(_, ty)| *ty != PgType::Void);
        let (types, constants): (Vec<_>, Vec<_>) =
            given.map(|(index, ty)| (ty, small_constant(literal(index)))).unzip();
        let choice = self.choose(&types, &constants)?;
        Ok(return_field(&choice, args.arg_fields))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let types: Vec<PgType> = args.arg_fields.iter().map(|field| field_type(field)).collect();
        let constants: Vec<_> = args
            .args
            .iter()
            .map(|arg| match arg {
                ColumnarValue::Scalar(value) => small_constant(Some(value)),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        let choice = self.choose(&types, &constants)?;
        Ok(invoke(&choice, &args, self.session.as_deref())?)
    }
}

/// One overload of a function, with its argument and result types settled.
#[derive(Debug, Clone)]
pub struct ResolvedFunction {
    choice: Choice,
    session: SessionRef,
    signature: Signature,
}

impl PartialEq for ResolvedFunction {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.choice.overload, other.choice.overload)
            && self.choice.args == other.choice.args
            && self.choice.returns == other.choice.returns
    }
}

impl Eq for ResolvedFunction {}

impl Hash for ResolvedFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.choice.overload.name.hash(state);
        self.choice.args.hash(state);
        self.choice.returns.hash(state);
    }
}

impl ResolvedFunction {
    pub(crate) fn new(choice: Choice, session: SessionRef) -> Self {
        let signature = Signature::user_defined(volatility(choice.overload.stability));
        Self { choice, session, signature }
    }

    /// The session it reads settings of.
    pub fn session(&self) -> &SessionRef {
        &self.session
    }

    /// The session whose transaction's start it tells, if that is what it does.
    pub(crate) fn transaction_start(&self) -> Option<&Arc<dyn SessionContext>> {
        let names = ["now", "current_timestamp", "transaction_timestamp"];
        let tells = names.contains(&self.choice.overload.name.as_str());
        self.session.as_ref().filter(|_| tells && self.choice.args.is_empty())
    }

    /// What it does with two whole numbers of one type, if it is an operator that does that; beyond the type's range it
    /// fails.
    pub(crate) fn arithmetic(&self) -> Option<Arithmetic> {
        let returns = &self.choice.returns;
        let whole = matches!(returns, PgType::Int2 | PgType::Int4 | PgType::Int8)
            && self.choice.args.len() == 2
            && self.choice.args.iter().all(|arg| arg == returns);
        match self.choice.overload.name.as_str() {
            "+" if whole => Some(Arithmetic::Add),
            "-" if whole => Some(Arithmetic::Subtract),
            "*" if whole => Some(Arithmetic::Multiply),
            _ => None,
        }
    }
}

/// Arithmetic on whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
}

impl ScalarUDFImpl for ResolvedFunction {
    fn name(&self) -> &str {
        &self.choice.overload.name
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        let names: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        let name = self.name();
        match names.as_slice() {
            [left, right]
                if !name.starts_with(|first: char| first.is_alphabetic() || first == '_') =>
            {
                Ok(format!("{left} {name} {right}"))
            }
            names => Ok(format!("{name}({})", names.join(","))),
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> DfResult<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Err(PgError::internal("the result type needs the argument fields").into())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        Ok(return_field(&self.choice, args.arg_fields))
    }

    fn is_strict(&self) -> bool {
        self.choice.overload.strict
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(invoke(&self.choice, &args, self.session.as_deref())?)
    }
}

/// The functions that wait.
#[async_trait]
impl AsyncScalarUDFImpl for ResolvedFunction {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let Some(session) = &self.session else {
            return Err(PgError::internal("a wait without a session").into());
        };
        let columns = argument_columns(&self.choice, &args, Some(session.as_ref()))?;
        let columns = columns
            .into_iter()
            .map(|column| {
                if column.len() == args.number_rows {
                    return Ok(column);
                }
                ScalarValue::try_from_array(&column, 0)?.to_array_of_size(args.number_rows)
            })
            .collect::<DfResult<Vec<_>>>()?;
        let name = &self.choice.overload.name;
        let done = advisory::wait(name, &columns, args.number_rows, session.as_ref()).await?;
        Ok(ColumnarValue::Array(done))
    }
}

/// The deepest list among the arguments that stand for the array a function returns.
fn nested_list<'a>(choice: &Choice, arg_fields: &'a [FieldRef]) -> Option<&'a DataType> {
    let arrays =
        choice.overload.args.iter().zip(arg_fields).filter(|(arg, _)| **arg == ArgType::AnyArray);
    arrays
        .map(|(_, field)| field.data_type())
        .filter(|ty| matches!(ty, DataType::List(item) if matches!(item.data_type(), DataType::List(_))))
        .max_by_key(|ty| format!("{ty}").len())
}

fn return_field(choice: &Choice, arg_fields: &[FieldRef]) -> FieldRef {
    let name = &choice.overload.name;
    if choice.overload.returns == ReturnType::AnyArray
        && let Some(nested) = nested_list(choice, arg_fields)
    {
        return Arc::new(Field::new(name, nested.clone(), true));
    }
    Arc::new(match &choice.overload.returns {
        // Rows of one column are that column's values.
        ReturnType::Row(columns) if columns.len() == 1 => {
            let ty = columns.first().map_or(PgType::Text, |(_, ty)| ty.clone());
            PgType::array_of(ty).field(name, true)
        }
        ReturnType::Row(columns) => {
            let fields = columns.iter().map(|(name, ty)| ty.field(name, true)).collect();
            let item = Field::new_list_field(DataType::Struct(fields), true);
            Field::new(name, DataType::List(Arc::new(item)), true)
        }
        _ if choice.overload.set => PgType::array_of(choice.returns.clone()).field(name, true),
        _ => choice.returns.field(name, true),
    })
}

/// How many rows are computed between two looks at the cancel flag.
const CANCEL_INTERVAL: usize = 1024;

fn invoke(
    choice: &Choice,
    args: &ScalarFunctionArgs,
    session: Option<&dyn SessionContext>,
) -> Result<ColumnarValue, PgError> {
    let overload = choice.overload;
    let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
        && overload.stability != Stability::Volatile;
    let columns = argument_columns(choice, args, session)?;
    let rows = if scalar { 1 } else { args.number_rows };
    let call = Call {
        session,
        arg_types: &choice.args,
        return_type: &choice.returns,
        name: &overload.name,
    };
    let result = match overload.kernel {
        Kernel::Column(kernel) => run_columns(kernel, &call, overload, columns, rows)?,
        Kernel::Row(kernel) => {
            run_rows(kernel, &call, overload, &columns, rows, args.return_field.data_type())?
        }
    };
    if scalar {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
    }
    Ok(ColumnarValue::Array(result))
}

/// The arguments in the types of the overload, a constant as one row.
fn argument_columns(
    choice: &Choice,
    args: &ScalarFunctionArgs,
    session: Option<&dyn SessionContext>,
) -> Result<Vec<ArrayRef>, PgError> {
    let mut columns = Vec::with_capacity(args.args.len());
    for (index, (arg, field)) in args.args.iter().zip(&args.arg_fields).enumerate() {
        let array = match arg {
            ColumnarValue::Array(array) => Arc::clone(array),
            ColumnarValue::Scalar(value) => value.to_array()?,
        };
        let from = field_type(field);
        columns.push(match choice.args.get(index) {
            Some(to) if from.without_modifier() != to.without_modifier() => {
                cast_array(&array, &from, to, false, session)?
            }
            _ => array,
        });
    }
    Ok(columns)
}

fn run_columns(
    kernel: crate::functions::datum::ColumnFn,
    call: &Call<'_>,
    overload: &Overload,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<ArrayRef, PgError> {
    let null_constant = |column: &ArrayRef| column.len() == 1 && column.null_count() == 1;
    if overload.strict && rows > 0 && columns.iter().any(null_constant) {
        return Ok(new_null_array(&call.return_type.arrow(), rows));
    }
    let columns = columns
        .into_iter()
        .map(|column| {
            if column.len() == rows {
                return Ok(column);
            }
            Ok(ScalarValue::try_from_array(&column, 0)?.to_array_of_size(rows)?)
        })
        .collect::<Result<Vec<_>, PgError>>()?;
    kernel(call, &columns)
}

fn run_rows(
    kernel: crate::functions::datum::RowFn,
    call: &Call<'_>,
    overload: &Overload,
    columns: &[ArrayRef],
    rows: usize,
    result: &DataType,
) -> Result<ArrayRef, PgError> {
    let mut values: Vec<Value> = Vec::with_capacity(rows);
    // A constant stands in one row for all and is read once.
    let constant = |column: &ArrayRef| column.len() == 1;
    let mut args: Vec<Datum<'_>> = columns
        .iter()
        .map(|column| if constant(column) { read(column.as_ref(), 0) } else { Ok(Datum::Null) })
        .collect::<Result<_, _>>()?;
    for row in 0..rows {
        if row % CANCEL_INTERVAL == CANCEL_INTERVAL - 1
            && let Some(session) = call.session
        {
            session.check_cancel()?;
        }
        for (arg, column) in args.iter_mut().zip(columns).filter(|(_, column)| !constant(column)) {
            *arg = read(column.as_ref(), row)?;
        }
        let null = overload.strict && args.iter().any(Datum::is_null);
        values.push(if null { Datum::Null } else { kernel(call, Args(&args))? });
    }
    match &overload.returns {
        ReturnType::Row(columns) if columns.len() == 1 => {
            let ty = columns.first().map_or(PgType::Text, |(_, ty)| ty.clone());
            let values: Vec<Value> = values.into_iter().map(single_column).collect();
            build(&PgType::array_of(ty), &values)
        }
        ReturnType::Row(columns) => build_rows(columns, &values),
        _ if overload.set => build(&PgType::array_of(call.return_type.clone()), &values),
        ReturnType::AnyArray => build_arrow(result, &values, call.return_type),
        _ => build(call.return_type, &values),
    }
}

fn single_column(rows: Value) -> Value {
    let Datum::List(rows) = rows else { return Datum::Null };
    let inner = rows.into_iter().map(|row| match row {
        Datum::Row(mut cells) if cells.len() == 1 => cells.pop().unwrap_or(Datum::Null),
        other => other,
    });
    Datum::List(inner.collect())
}

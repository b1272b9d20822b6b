//! `ROW(…)`, and rows of one type as rows of another.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::{only, rows_of, shaped};
use crate::error::{PgError, SqlState};
use crate::functions::cast::kernel::cast_array;
use crate::functions::cast::plan_coercion;
use crate::functions::operators::expr_type;
use crate::functions::scalar::{SessionRef, field_type};
use crate::types::pg_type::PgType;
use crate::types::row_type::{RowField, RowType};

/// The name under which a row is made.
const ROW: &str = "row";

/// The function that makes a row of names and values in turn.
pub const NAMED_ROW: &str = "graphwire.row";

/// [`ROW`], or NULL where all of its arguments are.
pub const NULLABLE_ROW: &str = "graphwire.nullable_row";

/// [`NAMED_ROW`], or NULL where all of its values are.
pub const NULLABLE_NAMED_ROW: &str = "graphwire.nullable_named_row";

static ANY: LazyLock<Signature> = LazyLock::new(|| Signature::variadic_any(Volatility::Immutable));

/// Makes rows of its arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct MakeRow {
    /// The type of the rows; none before the arguments have types.
    ty: Option<Arc<RowType>>,
    nullary: bool,
    /// Every other argument is the name of the one behind it.
    named: bool,
    /// NULL where all arguments are.
    nullable: bool,
}

static NONE: LazyLock<Signature> = LazyLock::new(|| Signature::nullary(Volatility::Immutable));

impl ScalarUDFImpl for MakeRow {
    fn name(&self) -> &str {
        ROW
    }

    fn signature(&self) -> &Signature {
        if self.nullary { &NONE } else { &ANY }
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::BinaryView)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        let ty = match &self.ty {
            Some(ty) => Arc::clone(ty),
            None => {
                let types = args.arg_fields.iter().map(|field| field_type(field));
                Arc::new(RowType::record(numbered(types)))
            }
        };
        Ok(Arc::new(PgType::Row(ty).field(ROW, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let Some(ty) = &self.ty else {
            return Err(PgError::internal("a row whose fields have no types").into());
        };
        let rows = args.number_rows;
        let is_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { rows };
        let columns = args
            .args
            .iter()
            .zip(&ty.fields)
            .map(|(arg, field)| {
                let array = arg.to_array(rows)?;
                Ok(match array.data_type() {
                    DataType::Null => arrow::array::new_null_array(&field.ty.arrow(), rows),
                    _ => array,
                })
            })
            .collect::<DfResult<Vec<ArrayRef>>>()?;
        let nulls = self.nullable.then(|| {
            let is_row = |row: usize| {
                columns.iter().any(|column| !column.logical_nulls().is_some_and(|n| n.is_null(row)))
            };
            NullBuffer::from((0..rows).map(is_row).collect::<Vec<bool>>())
        });
        let made = ty.encode(&columns, nulls.as_ref(), rows).map_err(PgError::from)?;
        shaped(Arc::new(made), is_scalar)
    }
}

/// Fields without names of their own.
fn numbered(types: impl IntoIterator<Item = PgType>) -> Vec<RowField> {
    let types = types.into_iter().enumerate();
    types.map(|(at, ty)| RowField::new(format!("f{}", at + 1), ty)).collect()
}

fn call(ty: Option<Arc<RowType>>, args: Vec<Expr>, nullable: bool) -> Expr {
    let nullary = args.is_empty();
    let function = ScalarUDF::from(MakeRow { ty, nullary, named: false, nullable });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), args))
}

/// `ROW(…)` as it was written.
#[must_use]
pub fn unresolved_row(args: Vec<Expr>) -> Expr {
    call(None, args, false)
}

/// The function of this name in a query, if it makes rows.
#[must_use]
pub fn row_function(name: &str) -> Option<Arc<ScalarUDF>> {
    let (named, nullable) = match name {
        ROW => (false, false),
        NAMED_ROW => (true, false),
        NULLABLE_ROW => (false, true),
        NULLABLE_NAMED_ROW => (true, true),
        _ => return None,
    };
    Some(Arc::new(ScalarUDF::from(MakeRow { ty: None, nullary: false, named, nullable })))
}

/// A row of a type, of arguments that have its types.
#[must_use]
pub fn row_of(ty: Arc<RowType>, args: Vec<Expr>, nullable: bool) -> Expr {
    call(Some(ty), args, nullable)
}

/// Whether a call makes a row.
pub(crate) fn is_row_call(call: &ScalarFunction) -> bool {
    call.func.inner().is::<MakeRow>()
}

/// `ROW(…)` with the types of its arguments; literals that have none are text.
pub(crate) fn resolve_row(
    call: ScalarFunction,
    schema: &DFSchema,
    session: &SessionRef,
) -> DfResult<Expr> {
    let made = call.func.inner().downcast_ref::<MakeRow>();
    if made.is_some_and(|made| made.ty.is_some()) {
        return Ok(Expr::ScalarFunction(call));
    }
    let named = made.is_some_and(|made| made.named);
    let nullable = made.is_some_and(|made| made.nullable);
    let mut names: Vec<String> = Vec::new();
    let mut types = Vec::with_capacity(call.args.len());
    let mut args = Vec::with_capacity(call.args.len());
    for (at, arg) in call.args.into_iter().enumerate() {
        if named && at % 2 == 0 {
            let name = match &arg {
                Expr::Literal(name, _) => name.try_as_str().flatten().unwrap_or_default(),
                _ => "",
            };
            names.push(name.to_owned());
            continue;
        }
        let from = expr_type(&arg, schema)?;
        let (arg, ty) = match from {
            PgType::Unknown => (plan_coercion(arg, &from, &PgType::Text, session)?, PgType::Text),
            ty => (arg, ty),
        };
        args.push(arg);
        types.push(ty);
    }
    let mut fields = numbered(types);
    for (field, name) in fields.iter_mut().zip(names) {
        field.name = name;
    }
    Ok(row_of(Arc::new(RowType::record(fields)), args, nullable))
}

/// Rows of one type as rows of another.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ConvertRow {
    from: Arc<RowType>,
    to: Arc<RowType>,
    explicit: bool,
    session: Asked,
}

/// A session, which is the same for all that is compared.
#[derive(Debug)]
struct Asked(SessionRef);

impl PartialEq for Asked {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Asked {}

impl std::hash::Hash for Asked {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

static ONE: LazyLock<Signature> = LazyLock::new(|| Signature::any(1, Volatility::Stable));

impl ScalarUDFImpl for ConvertRow {
    fn name(&self) -> &str {
        "convert_row"
    }

    fn signature(&self) -> &Signature {
        &ONE
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::BinaryView)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        Ok(Arc::new(PgType::Row(Arc::clone(&self.to)).field("cast", true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let (array, is_scalar) = only(args.args)?;
        let session = self.session.0.as_deref();
        let rows = rows_of(&array)?;
        let columns = self.from.decode(&rows).map_err(PgError::from)?;
        let fields = columns.iter().zip(&self.from.fields).zip(&self.to.fields);
        let columns = fields
            .map(|((column, from), to)| {
                cast_array(column, &from.ty, &to.ty, self.explicit, session)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let made = self.to.encode(&columns, rows.nulls(), rows.len()).map_err(PgError::from)?;
        shaped(Arc::new(made), is_scalar)
    }
}

/// A row as one of another type with as many fields. The arguments of a `ROW(…)` are converted one by one.
///
/// # Errors
/// `42846` if the types have not as many fields, or a field cannot be converted; what converting a literal raises.
pub fn convert_row(
    expr: Expr,
    from: &Arc<RowType>,
    to: &Arc<RowType>,
    explicit: bool,
    session: &SessionRef,
) -> Result<Expr, PgError> {
    let refused = |detail: &str| {
        let message = format!("cannot cast type {} to {}", from.name, to.name);
        PgError::new(SqlState::CANNOT_COERCE, message).detail(detail)
    };
    match from.fields.len().cmp(&to.fields.len()) {
        std::cmp::Ordering::Less => return Err(refused("Input has too few columns.")),
        std::cmp::Ordering::Greater => return Err(refused("Input has too many columns.")),
        std::cmp::Ordering::Equal => {}
    }
    if let Expr::ScalarFunction(ScalarFunction { func, args }) = &expr
        && func.inner().is::<MakeRow>()
    {
        let fields = args.iter().cloned().zip(&from.fields).zip(&to.fields);
        let args = fields
            .map(|((arg, from), to)| {
                let literal = matches!(arg, Expr::Literal(..)) && from.ty == PgType::Text;
                let from = if literal { &PgType::Unknown } else { &from.ty };
                crate::functions::cast::plan_cast(arg, from, &to.ty, explicit, session)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let made = func.inner().downcast_ref::<MakeRow>();
        let nullable = made.is_some_and(|made| made.nullable);
        return Ok(row_of(Arc::clone(to), args, nullable));
    }
    let (from, to) = (Arc::clone(from), Arc::clone(to));
    let function = ConvertRow { from, to, explicit, session: Asked(session.clone()) };
    let function = ScalarUDF::from(function);
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![expr])))
}

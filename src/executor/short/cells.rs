//! One row of expressions: what is a column, a parameter, a constant, arithmetic on whole numbers or the time is worked out
//! at once, anything else as DataFusion does it, over a batch of one row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int16Array, Int32Array, Int64Array, RecordBatch,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Int16Type, Int32Type, Int64Type, SchemaRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use super::run::row_of;
use super::{Over, as_any};
use crate::functions::cast::CastTo;
use crate::functions::context::SessionContext;
use crate::functions::lib::time::local_transaction_start;
use crate::functions::scalar::{Arithmetic, ResolvedFunction};
use crate::types::pg_type::PgType;

/// The parameters of a statement, as expressions number them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbered<'a> {
    /// For each its place among all, from 0.
    pub(super) places: &'a [usize],
    pub(super) schema: &'a SchemaRef,
}

/// Expressions over one row of columns and the parameters.
#[derive(Debug)]
pub(super) struct Cells {
    cells: Box<[Cell]>,
    /// What computed ones see; `None` where all columns are parameters.
    input: Option<SchemaRef>,
    over: Over,
    places: Box<[usize]>,
    parameters: SchemaRef,
}

#[derive(Debug)]
enum Cell {
    /// A column of the row.
    Column(usize),
    /// The place of a parameter, from 0, and the type it is used as.
    Parameter(usize, DataType),
    Constant(ArrayRef),
    Number(Number, DataType),
    Moment(Moment, DataType),
    Computed(Arc<dyn PhysicalExpr>),
}

/// The start of the transaction.
#[derive(Debug)]
enum Moment {
    Instant(Arc<dyn SessionContext>),
    /// In the session's time zone.
    Local(Arc<dyn SessionContext>),
}

/// A whole number that is computed.
#[derive(Debug)]
enum Number {
    Column(usize),
    Parameter(usize),
    Constant(Option<i64>),
    Of(Arithmetic, DataType, Box<[Number; 2]>),
}

impl Cells {
    /// Cells over a row of `input` and, where `over` says so, the parameters behind it; without `input` over the
    /// parameters alone.
    pub(super) fn of(
        expressions: &[Arc<dyn PhysicalExpr>],
        input: Option<&SchemaRef>,
        over: &Over,
        numbered: Numbered<'_>,
    ) -> Option<Self> {
        let width = input.map_or(0, |input| input.fields().len());
        let cell = |expr: &Arc<dyn PhysicalExpr>| Cell::of(expr, width, numbered);
        Some(Self {
            cells: expressions.iter().map(cell).collect::<Option<_>>()?,
            input: input.cloned(),
            over: over.clone(),
            places: numbered.places.into(),
            parameters: Arc::clone(numbered.schema),
        })
    }

    /// Whether some of them are computed in general.
    pub(super) fn compute(&self) -> bool {
        self.cells.iter().any(|cell| matches!(cell, Cell::Computed(_)))
    }

    /// The column of the row that a cell is, if it is one as it stands.
    pub(super) fn column(&self, cell: usize) -> Option<usize> {
        match self.cells.get(cell)? {
            Cell::Column(column) => Some(*column),
            _ => None,
        }
    }

    /// The cells from `first` on, an array of one value each; `None` where the general way is needed, which also says
    /// what is wrong.
    pub(super) fn row(
        &self,
        first: usize,
        columns: &[ArrayRef],
        parameters: &[ScalarValue],
    ) -> Option<Vec<ArrayRef>> {
        let mut batch = None;
        let cells = self.cells.get(first..)?.iter();
        let value = |cell: &Cell| match cell {
            Cell::Column(column) => columns.get(*column).cloned(),
            Cell::Parameter(place, ty) => {
                let value = parameters.get(*place)?.to_array().ok()?;
                (value.data_type() == ty).then_some(value)
            }
            Cell::Constant(value) => Some(Arc::clone(value)),
            Cell::Number(number, ty) => array_of(number.value(columns, parameters)?, ty),
            Cell::Moment(moment, ty) => moment.value(ty),
            Cell::Computed(expr) => {
                if batch.is_none() {
                    batch = Some(self.batch(columns, parameters)?);
                }
                expr.evaluate(batch.as_ref()?).ok()?.into_array(1).ok()
            }
        };
        cells.map(value).collect()
    }

    /// What computed cells see.
    fn batch(&self, columns: &[ArrayRef], parameters: &[ScalarValue]) -> Option<RecordBatch> {
        let given = || -> Option<RecordBatch> {
            let values = self.places.iter().zip(self.parameters.fields()).map(|(place, field)| {
                let value = parameters.get(*place)?.to_array().ok()?;
                (value.data_type() == field.data_type()).then_some(value)
            });
            row_of(Arc::clone(&self.parameters), values.collect::<Option<_>>()?).ok()
        };
        let Some(input) = &self.input else { return given() };
        let row = row_of(Arc::clone(input), columns.to_vec()).ok()?;
        match self.over {
            Over::Rows => Some(row),
            Over::RowsAndParameters(_) => Some(self.over.input(&row, &given()?).ok()?.into_owned()),
        }
    }
}

impl Cell {
    /// `None` for a parameter that is not there.
    fn of(expr: &Arc<dyn PhysicalExpr>, width: usize, numbered: Numbered<'_>) -> Option<Self> {
        if let Some(column) = as_any(expr).downcast_ref::<Column>() {
            let Some(at) = column.index().checked_sub(width) else {
                return Some(Self::Column(column.index()));
            };
            let ty = numbered.schema.fields().get(at)?.data_type().clone();
            return Some(Self::Parameter(*numbered.places.get(at)?, ty));
        }
        if let Some(literal) = as_any(expr).downcast_ref::<Literal>() {
            return Some(Self::Constant(literal.value().to_array().ok()?));
        }
        if let Some((moment, ty)) = Moment::of(expr) {
            return Some(Self::Moment(moment, ty));
        }
        Some(match Number::of(expr, width, numbered) {
            Some(Number::Of(arithmetic, ty, sides)) => {
                Self::Number(Number::Of(arithmetic, ty.clone(), sides), ty)
            }
            _ => Self::Computed(Arc::clone(expr)),
        })
    }
}

impl Moment {
    fn of(expr: &Arc<dyn PhysicalExpr>) -> Option<(Self, DataType)> {
        let call = as_any(expr).downcast_ref::<ScalarFunctionExpr>()?;
        let ty = call.return_type().clone();
        let function = call.fun().inner();
        if let Some(function) = function.downcast_ref::<ResolvedFunction>() {
            return Some((Self::Instant(Arc::clone(function.transaction_start()?)), ty));
        }
        let cast = function.downcast_ref::<CastTo>()?;
        match (Self::of(call.args().first()?)?.0, cast.target()) {
            (Self::Instant(session), PgType::Timestamp(None)) => Some((Self::Local(session), ty)),
            (moment @ Self::Instant(_), PgType::Timestamptz(None)) => Some((moment, ty)),
            _ => None,
        }
    }

    fn value(&self, ty: &DataType) -> Option<ArrayRef> {
        let (micros, is_local) = match self {
            Self::Instant(session) => (session.transaction_timestamp(), false),
            Self::Local(session) => (local_transaction_start(session.as_ref()).ok()?, true),
        };
        let DataType::Timestamp(TimeUnit::Microsecond, zone) = ty else { return None };
        let fits = zone.is_none() == is_local;
        let array = TimestampMicrosecondArray::from(vec![micros]).with_timezone_opt(zone.clone());
        fits.then(|| Arc::new(array) as ArrayRef)
    }
}

impl Number {
    fn of(expr: &Arc<dyn PhysicalExpr>, width: usize, numbered: Numbered<'_>) -> Option<Self> {
        if let Some(column) = as_any(expr).downcast_ref::<Column>() {
            return match column.index().checked_sub(width) {
                None => Some(Self::Column(column.index())),
                Some(at) => numbered.places.get(at).copied().map(Self::Parameter),
            };
        }
        if let Some(literal) = as_any(expr).downcast_ref::<Literal>() {
            return number_of(literal.value()).map(Self::Constant);
        }
        let call = as_any(expr).downcast_ref::<ScalarFunctionExpr>()?;
        let arithmetic = call.fun().inner().downcast_ref::<ResolvedFunction>()?.arithmetic()?;
        let [left, right] = call.args() else { return None };
        let sides = [Self::of(left, width, numbered)?, Self::of(right, width, numbered)?];
        Some(Self::Of(arithmetic, call.return_type().clone(), Box::new(sides)))
    }

    /// The number, which may be null; `None` where it is out of its type's range, or is none.
    fn value(&self, columns: &[ArrayRef], parameters: &[ScalarValue]) -> Option<Option<i64>> {
        match self {
            Self::Column(column) => number_at(columns.get(*column)?),
            Self::Parameter(place) => number_of(parameters.get(*place)?),
            Self::Constant(value) => Some(*value),
            Self::Of(arithmetic, ty, sides) => {
                let [left, right] = sides.as_ref();
                let left = left.value(columns, parameters)?;
                let (Some(left), Some(right)) = (left, right.value(columns, parameters)?) else {
                    return Some(None);
                };
                let value = match arithmetic {
                    Arithmetic::Add => left.checked_add(right)?,
                    Arithmetic::Subtract => left.checked_sub(right)?,
                    Arithmetic::Multiply => left.checked_mul(right)?,
                };
                let fits = match ty {
                    DataType::Int16 => i16::try_from(value).is_ok(),
                    DataType::Int32 => i32::try_from(value).is_ok(),
                    _ => *ty == DataType::Int64,
                };
                fits.then_some(Some(value))
            }
        }
    }
}

/// `None` for what is no whole number.
fn number_of(value: &ScalarValue) -> Option<Option<i64>> {
    match value {
        ScalarValue::Int16(value) => Some(value.map(i64::from)),
        ScalarValue::Int32(value) => Some(value.map(i64::from)),
        ScalarValue::Int64(value) => Some(*value),
        _ => None,
    }
}

/// As [`number_of`], of an array of one value.
fn number_at(array: &ArrayRef) -> Option<Option<i64>> {
    if array.len() != 1 || array.is_null(0) {
        return (array.len() == 1).then_some(None);
    }
    Some(Some(match array.data_type() {
        DataType::Int16 => i64::from(array.as_primitive::<Int16Type>().value(0)),
        DataType::Int32 => i64::from(array.as_primitive::<Int32Type>().value(0)),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(0),
        _ => return None,
    }))
}

/// The number as an array of a type that it fits into.
fn array_of(value: Option<i64>, ty: &DataType) -> Option<ArrayRef> {
    Some(match ty {
        DataType::Int16 => {
            Arc::new(Int16Array::from(vec![value.map(i16::try_from).transpose().ok()?]))
        }
        DataType::Int32 => {
            Arc::new(Int32Array::from(vec![value.map(i32::try_from).transpose().ok()?]))
        }
        DataType::Int64 => Arc::new(Int64Array::from(vec![value])),
        _ => return None,
    })
}

//! List comprehensions, quantifiers and `reduce` as higher-order functions: the body is a lambda that runs over the
//! elements of all rows at once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{filter, interleave, take, take_arrays};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::expr::{HigherOrderFunction, LambdaVariable};
use datafusion::logical_expr::{
    ColumnarValue, Expr, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
    HigherOrderUDF, HigherOrderUDFImpl, LambdaArgument, LambdaParametersProgress, ValueOrLambda,
    Volatility, lambda,
};

use super::types::CypherType;

/// What is done with the elements of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListOperation {
    /// Keep those for which the body is true.
    Filter,
    /// The body for each.
    Transform,
    /// `all(x IN list WHERE …)`.
    All,
    /// `any(…)`.
    Any,
    /// `none(…)`.
    None,
    /// `single(…)`.
    Single,
    /// `reduce(accumulator = initial, x IN list | …)`.
    Reduce,
}

/// A [`ListOperation`] on lists of one Arrow type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ListFunction {
    operation: ListOperation,
    element: DataType,
    /// Arrow type of what it gives.
    result: DataType,
    signature: HigherOrderSignature,
}

/// The variable of a lambda: what the body refers to.
pub fn variable(name: &str, ty: &CypherType) -> Expr {
    let field = Field::new(name, ty.arrow(), true);
    Expr::LambdaVariable(LambdaVariable::new(name.to_owned(), Some(Arc::new(field))))
}

impl ListFunction {
    fn udf(
        operation: ListOperation,
        element: &CypherType,
        result: DataType,
        arguments: usize,
    ) -> Arc<HigherOrderUDF> {
        let signature = HigherOrderSignature::any(arguments, Volatility::Immutable);
        let function = Self { operation, element: element.arrow(), result, signature };
        Arc::new(HigherOrderUDF::new_from_impl(function))
    }

    /// The elements of `list` for which `body` (a truth value) is true.
    pub fn filter(list: Expr, element: &CypherType, variable: &str, body: Expr) -> Expr {
        let result = CypherType::list(element.clone()).arrow();
        let udf = Self::udf(ListOperation::Filter, element, result, 2);
        Expr::HigherOrderFunction(HigherOrderFunction::new(
            udf,
            vec![list, lambda([variable], body)],
        ))
    }

    /// `body`, of type `to`, for each element of `list`.
    pub fn transform(
        list: Expr,
        element: &CypherType,
        variable: &str,
        body: Expr,
        to: &CypherType,
    ) -> Expr {
        let result = CypherType::list(to.clone()).arrow();
        let udf = Self::udf(ListOperation::Transform, element, result, 2);
        Expr::HigherOrderFunction(HigherOrderFunction::new(
            udf,
            vec![list, lambda([variable], body)],
        ))
    }

    /// A quantifier over the truth of `body`.
    pub fn quantifier(
        operation: ListOperation,
        list: Expr,
        element: &CypherType,
        variable: &str,
        body: Expr,
    ) -> Expr {
        let udf = Self::udf(operation, element, DataType::Boolean, 2);
        Expr::HigherOrderFunction(HigherOrderFunction::new(
            udf,
            vec![list, lambda([variable], body)],
        ))
    }

    /// `reduce`: `initial` and `body` are of type `accumulator`; `variables` names accumulator and element.
    pub fn reduce(
        list: Expr,
        element: &CypherType,
        initial: Expr,
        accumulator: &CypherType,
        variables: [&str; 2],
        body: Expr,
    ) -> Expr {
        let udf = Self::udf(ListOperation::Reduce, element, accumulator.arrow(), 3);
        Expr::HigherOrderFunction(HigherOrderFunction::new(
            udf,
            vec![list, initial, lambda(variables, body)],
        ))
    }
}

impl HigherOrderUDFImpl for ListFunction {
    fn name(&self) -> &str {
        match self.operation {
            ListOperation::Filter => "list_filter",
            ListOperation::Transform => "list_transform",
            ListOperation::All => "all",
            ListOperation::Any => "any",
            ListOperation::None => "none",
            ListOperation::Single => "single",
            ListOperation::Reduce => "reduce",
        }
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        _fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let element = Arc::new(Field::new("element", self.element.clone(), true));
        let parameters = match self.operation {
            ListOperation::Reduce => {
                vec![Arc::new(Field::new("accumulator", self.result.clone(), true)), element]
            }
            _ => vec![element],
        };
        Ok(LambdaParametersProgress::Complete(vec![parameters]))
    }

    fn return_field_from_args(
        &self,
        _arguments: HigherOrderReturnFieldArgs<'_>,
    ) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), self.result.clone(), true)))
    }

    fn invoke_with_args(&self, arguments: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let (values, body) = split(&arguments)?;
        let list = values.first().ok_or_else(|| wrong("no list"))?.to_array(rows)?;
        let list = list.as_list_opt::<i32>().ok_or_else(|| wrong("not a list"))?;
        let elements = Elements::of(list)?;
        let result = match self.operation {
            ListOperation::Reduce => {
                let initial =
                    values.get(1).ok_or_else(|| wrong("no initial value"))?.to_array(rows)?;
                self.reduce_rows(&elements, initial, body)?
            }
            ListOperation::Transform => {
                let mapped = elements.evaluate(body)?;
                let DataType::List(item) = &self.result else {
                    return Err(wrong("not a list type"));
                };
                Arc::new(ListArray::try_new(
                    Arc::clone(item),
                    elements.offsets(),
                    mapped,
                    elements.nulls.clone(),
                )?)
            }
            ListOperation::Filter => elements.filtered(&elements.truth(body)?, &self.result)?,
            quantifier => Arc::new(elements.quantified(&elements.truth(body)?, quantifier)),
        };
        Ok(ColumnarValue::Array(result))
    }
}

fn wrong(what: &str) -> DataFusionError {
    DataFusionError::Internal(format!("a list function was called with {what}"))
}

fn split(arguments: &HigherOrderFunctionArgs) -> Result<(Vec<&ColumnarValue>, &LambdaArgument)> {
    let mut values = Vec::new();
    let mut body = None;
    for argument in &arguments.args {
        match argument {
            ValueOrLambda::Value(value) => values.push(value),
            ValueOrLambda::Lambda(lambda) => body = Some(lambda),
        }
    }
    Ok((values, body.ok_or_else(|| wrong("no body"))?))
}

/// The elements of all rows side by side; those of null rows are left out.
pub(super) struct Elements {
    values: ArrayRef,
    /// Row of each element.
    rows: UInt32Array,
    /// Number of elements in each row.
    lengths: Vec<usize>,
    nulls: Option<NullBuffer>,
}

impl Elements {
    pub(super) fn of(list: &ListArray) -> Result<Self> {
        let mut rows = Vec::new();
        let mut positions = Vec::new();
        let mut lengths = Vec::with_capacity(list.len());
        let offsets = list.value_offsets();
        for row in 0..list.len() {
            let range =
                if list.is_null(row) { 0..0 } else { offsets[row] as u32..offsets[row + 1] as u32 };
            lengths.push(range.len());
            rows.extend(std::iter::repeat_n(
                u32::try_from(row).map_err(|_| wrong("too many rows"))?,
                range.len(),
            ));
            positions.extend(range);
        }
        let values = take(list.values(), &UInt32Array::from(positions), None)?;
        Ok(Self { values, rows: UInt32Array::from(rows), lengths, nulls: list.nulls().cloned() })
    }

    fn offsets(&self) -> OffsetBuffer<i32> {
        OffsetBuffer::from_lengths(self.lengths.iter().copied())
    }

    /// Number of elements in each row.
    pub(super) fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Number of elements in all rows.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn evaluate(&self, body: &LambdaArgument) -> Result<ArrayRef> {
        let result = body.evaluate(&[&|| Ok(Arc::clone(&self.values))], |captures| {
            Ok(take_arrays(captures, &self.rows, None)?)
        })?;
        result.into_array(self.values.len())
    }

    fn truth(&self, body: &LambdaArgument) -> Result<BooleanArray> {
        let result = self.evaluate(body)?;
        Ok(result
            .as_boolean_opt()
            .ok_or_else(|| wrong("a body that is not a truth value"))?
            .clone())
    }

    fn filtered(&self, keep: &BooleanArray, ty: &DataType) -> Result<ArrayRef> {
        let DataType::List(item) = ty else { return Err(wrong("not a list type")) };
        let mut at = 0;
        let lengths = self.lengths.iter().map(|length| {
            let range = at..at + length;
            at += length;
            range.filter(|at| keep.is_valid(*at) && keep.value(*at)).count()
        });
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(
            Arc::clone(item),
            offsets,
            filter(&self.values, keep)?,
            self.nulls.clone(),
        )?))
    }

    fn quantified(&self, truth: &BooleanArray, operation: ListOperation) -> BooleanArray {
        let mut at = 0;
        self.lengths
            .iter()
            .enumerate()
            .map(|(row, length)| {
                let range = at..at + length;
                at += length;
                if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                    return None;
                }
                let (mut holds, mut unknown) = (0, 0);
                for at in range {
                    if truth.is_null(at) {
                        unknown += 1;
                    } else {
                        holds += usize::from(truth.value(at));
                    }
                }
                quantify(operation, *length, holds, unknown)
            })
            .collect()
    }
}

/// The truth of a quantifier over `length` elements, of which `holds` are true and `unknown` null.
fn quantify(operation: ListOperation, length: usize, holds: usize, unknown: usize) -> Option<bool> {
    match operation {
        ListOperation::Any if holds > 0 => Some(true),
        ListOperation::None if holds > 0 => Some(false),
        ListOperation::Single if holds > 1 => Some(false),
        ListOperation::All if holds + unknown < length => Some(false),
        _ if unknown > 0 => None,
        ListOperation::Any => Some(false),
        ListOperation::Single => Some(holds == 1),
        _ => Some(true),
    }
}

impl ListFunction {
    /// One step for all rows that have an element left, then the next: as many evaluations as the longest list is long.
    fn reduce_rows(
        &self,
        elements: &Elements,
        initial: ArrayRef,
        body: &LambdaArgument,
    ) -> Result<ArrayRef> {
        let mut accumulator = initial;
        let starts = elements.offsets();
        let longest = elements.lengths.iter().copied().max().unwrap_or(0);
        for step in 0..longest {
            let mut rows = Vec::new();
            let mut positions = Vec::new();
            for (row, length) in elements.lengths.iter().enumerate() {
                if step < *length {
                    rows.push(u32::try_from(row).map_err(|_| wrong("too many rows"))?);
                    positions.push(starts[row] as u32 + step as u32);
                }
            }
            let (rows, positions) = (UInt32Array::from(rows), UInt32Array::from(positions));
            let before = take(&accumulator, &rows, None)?;
            let element = take(&elements.values, &positions, None)?;
            let after = body
                .evaluate(
                    &[&|| Ok(Arc::clone(&before)), &|| Ok(Arc::clone(&element))],
                    |captures| Ok(take_arrays(captures, &rows, None)?),
                )?
                .into_array(rows.len())?;
            accumulator = merged(&accumulator, &after, &rows)?;
        }
        match &elements.nulls {
            // A null list has no reduction.
            Some(nulls) => {
                let null = BooleanArray::new(!nulls.inner(), None);
                Ok(arrow::compute::nullif(&accumulator, &null)?)
            }
            None => Ok(accumulator),
        }
    }
}

/// `old` with the values of `new` in `rows` (ascending).
fn merged(old: &ArrayRef, new: &ArrayRef, rows: &UInt32Array) -> Result<ArrayRef> {
    let mut picks = (0..old.len()).map(|row| (0, row)).collect::<Vec<_>>();
    for (at, row) in rows.values().iter().enumerate() {
        if let Some(pick) = picks.get_mut(*row as usize) {
            *pick = (1, at);
        }
    }
    Ok(interleave(&[old.as_ref(), new.as_ref()], &picks)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantifiers_follow_three_valued_logic() {
        // (length, true, unknown) → all, any, none, single
        for (counts, expected) in [
            ((0, 0, 0), [Some(true), Some(false), Some(true), Some(false)]),
            ((2, 2, 0), [Some(true), Some(true), Some(false), Some(false)]),
            ((2, 1, 0), [Some(false), Some(true), Some(false), Some(true)]),
            ((2, 1, 1), [None, Some(true), Some(false), None]),
            ((2, 0, 1), [Some(false), None, None, None]),
            ((3, 2, 1), [None, Some(true), Some(false), Some(false)]),
        ] {
            let operations = [
                ListOperation::All,
                ListOperation::Any,
                ListOperation::None,
                ListOperation::Single,
            ];
            let (length, holds, unknown) = counts;
            assert_eq!(
                operations.map(|operation| quantify(operation, length, holds, unknown)),
                expected
            );
        }
    }
}

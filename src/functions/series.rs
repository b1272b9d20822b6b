//! `generate_series` as a progression: its values a batch at a time.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int32Array, Int64Array, TimestampMicrosecondArray, new_empty_array,
};
use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use datafusion::common::ScalarValue;

use crate::error::{PgError, SqlState};
use crate::functions::cast::text_io::time_zone;
use crate::functions::context::SessionContext;
use crate::functions::lib::decimal::Dec;
use crate::functions::lib::time::{add_interval, add_zoned, interval_span};
use crate::types::TimeZone;

/// What is left of a series.
#[derive(Debug)]
pub struct Progression {
    element: DataType,
    steps: Steps,
}

#[derive(Debug)]
enum Steps {
    Done,
    Integers { next: i64, end: i64, step: i64 },
    Numerics { next: Dec, end: Dec, step: Dec },
    Timestamps { next: i64, end: i64, step: IntervalMonthDayNano, zone: Option<TimeZone> },
}

/// The error for a series that would never end.
pub(crate) fn zero_step() -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, "step size cannot equal zero")
}

impl Progression {
    /// The series from start to end by a step of 1 or the third argument; nothing if any of them is null.
    ///
    /// # Errors
    /// `22023` for a step of zero.
    pub fn start(
        args: &[ScalarValue],
        element: &DataType,
        session: Option<&dyn SessionContext>,
    ) -> Result<Self, PgError> {
        let element = element.clone();
        if args.iter().any(ScalarValue::is_null) {
            return Ok(Self { element, steps: Steps::Done });
        }
        let [start, end, rest @ ..] = args else {
            return Err(PgError::internal("generate_series takes two or three arguments"));
        };
        let wrong = || PgError::internal("generate_series got arguments of another type");
        let steps = match &element {
            DataType::Int32 | DataType::Int64 => {
                let number = |value: &ScalarValue| match value {
                    ScalarValue::Int32(Some(value)) => Ok(i64::from(*value)),
                    ScalarValue::Int64(Some(value)) => Ok(*value),
                    _ => Err(wrong()),
                };
                let step = rest.first().map_or(Ok(1), number)?;
                if step == 0 {
                    return Err(zero_step());
                }
                Steps::Integers { next: number(start)?, end: number(end)?, step }
            }
            DataType::Decimal128(..) => {
                let number = |value: &ScalarValue| match value {
                    ScalarValue::Decimal128(Some(value), _, scale) => Ok(Dec::new(*value, *scale)),
                    ScalarValue::Int32(Some(value)) => Ok(Dec::from_int(i64::from(*value))),
                    ScalarValue::Int64(Some(value)) => Ok(Dec::from_int(*value)),
                    _ => Err(wrong()),
                };
                let step = rest.first().map_or(Ok(Dec::from_int(1)), number)?;
                if step.is_zero() {
                    return Err(zero_step());
                }
                Steps::Numerics { next: number(start)?, end: number(end)?, step }
            }
            DataType::Timestamp(TimeUnit::Microsecond, zoned) => {
                let time = |value: &ScalarValue| match value {
                    ScalarValue::TimestampMicrosecond(Some(value), _) => Ok(*value),
                    _ => Err(wrong()),
                };
                let Some(ScalarValue::IntervalMonthDayNano(Some(step))) = rest.first() else {
                    return Err(wrong());
                };
                if interval_span(step) == 0 {
                    return Err(zero_step());
                }
                let zone = zoned.is_some().then(|| time_zone(session));
                Steps::Timestamps { next: time(start)?, end: time(end)?, step: *step, zone }
            }
            _ => return Err(wrong()),
        };
        Ok(Self { element, steps })
    }

    /// The next values, at most `rows_max`; none at the end.
    ///
    /// # Errors
    /// `22003`, `22008` where a step leaves its type's range before the end is reached.
    pub fn next(&mut self, rows_max: usize) -> Result<ArrayRef, PgError> {
        match &mut self.steps {
            Steps::Done => Ok(new_empty_array(&self.element)),
            Steps::Integers { next, end, step } => {
                let mut values = Vec::with_capacity(rows_max.min(1024));
                let mut done = false;
                while values.len() < rows_max
                    && !done
                    && if *step > 0 { *next <= *end } else { *next >= *end }
                {
                    values.push(*next);
                    match next.checked_add(*step) {
                        Some(following) => *next = following,
                        None => done = true,
                    }
                }
                let array = integers(&self.element, values)?;
                if done {
                    self.steps = Steps::Done;
                }
                Ok(array)
            }
            Steps::Numerics { next, end, step } => {
                let DataType::Decimal128(precision, scale) = self.element else {
                    return Err(PgError::internal("a numeric series of another type"));
                };
                let past = if step.value > 0 { Ordering::Greater } else { Ordering::Less };
                let mut values = Vec::with_capacity(rows_max.min(1024));
                while values.len() < rows_max && next.compare(end) != past {
                    values.push(next.at_scale(scale)?);
                    *next = next.add(*step)?;
                }
                let array = Decimal128Array::from(values);
                Ok(Arc::new(array.with_precision_and_scale(precision, scale)?))
            }
            Steps::Timestamps { next, end, step, zone } => {
                let ahead = interval_span(step) > 0;
                let mut values = Vec::with_capacity(rows_max.min(1024));
                while values.len() < rows_max && if ahead { *next <= *end } else { *next >= *end } {
                    values.push(*next);
                    *next = match zone {
                        Some(zone) => add_zoned(*next, step, zone)?,
                        None => add_interval(*next, step)?,
                    };
                }
                let array = TimestampMicrosecondArray::from(values);
                Ok(Arc::new(match &self.element {
                    DataType::Timestamp(_, Some(name)) => array.with_timezone(Arc::clone(name)),
                    _ => array,
                }))
            }
        }
    }
}

fn integers(element: &DataType, values: Vec<i64>) -> Result<ArrayRef, PgError> {
    if *element == DataType::Int64 {
        return Ok(Arc::new(Int64Array::from(values)));
    }
    let small: Result<Vec<i32>, _> = values.into_iter().map(i32::try_from).collect();
    let small = small.map_err(|_| PgError::internal("an integer series left its range"))?;
    Ok(Arc::new(Int32Array::from(small)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(args: &[ScalarValue], element: &DataType) -> Vec<i64> {
        let mut series = Progression::start(args, element, None).unwrap();
        let mut values = Vec::new();
        loop {
            let batch = series.next(3).unwrap();
            if batch.is_empty() {
                return values;
            }
            let batch = arrow::compute::cast(&batch, &DataType::Int64).unwrap();
            let batch = batch.as_any().downcast_ref::<Int64Array>().unwrap();
            values.extend(batch.values());
        }
    }

    #[test]
    fn integers_count_up_and_down_and_stop_at_the_ends_of_their_range() {
        let int = |value| ScalarValue::Int64(Some(value));
        let element = DataType::Int64;
        assert_eq!(all(&[int(1), int(7)], &element), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(all(&[int(5), int(-4), int(-4)], &element), [5, 1, -3]);
        assert_eq!(all(&[int(3), int(2)], &element), Vec::<i64>::new());
        assert_eq!(all(&[int(i64::MAX - 1), int(i64::MAX)], &element), [i64::MAX - 1, i64::MAX]);
        assert_eq!(all(&[int(1), ScalarValue::Int64(None)], &element), Vec::<i64>::new());
        let zero = Progression::start(&[int(1), int(2), int(0)], &element, None);
        assert_eq!(zero.unwrap_err().code(), SqlState::INVALID_PARAMETER_VALUE);
    }

    #[test]
    fn an_integer_series_stays_in_its_type() {
        let int = |value| ScalarValue::Int32(Some(value));
        assert_eq!(
            all(&[int(i32::MAX - 1), int(i32::MAX)], &DataType::Int32),
            [i64::from(i32::MAX) - 1, i64::from(i32::MAX)]
        );
    }
}

//! One row by a key of one whole number: each chunk knows the least and the greatest it has, so nearly all are passed by.
//!
//! ```text
//! version ──► for each chunk: least and greatest number ──► the few that may have it ──► its rows, if they are few
//!                                                                                  └──► index, or pages of a file
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::error::ArrowError;

use super::content::Content;
use super::version::TableVersion;

/// So many rows are looked through sooner than an index of them is made.
const ROWS_MAX: usize = 64;

/// The least and the greatest number of a column, the other way round where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NumberSpan {
    pub(super) column: usize,
    least: i64,
    greatest: i64,
}

impl NumberSpan {
    fn of(column: usize, range: Option<(i64, i64)>) -> Self {
        let (least, greatest) = range.unwrap_or((i64::MAX, i64::MIN));
        Self { column, least, greatest }
    }

    fn holds(&self, number: i64) -> bool {
        (self.least..=self.greatest).contains(&number)
    }
}

impl TableVersion {
    /// Chunk and offset of the first live row with a number in a key column of whole numbers; the number is given in both
    /// forms.
    ///
    /// A key that is checked at the end of its transaction may be there twice until then.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    pub fn find_number(
        &self,
        column: usize,
        number: i64,
        encoded: &[u8],
    ) -> Result<Option<(usize, usize)>, ArrowError> {
        for (at, chunk) in self.chunks().iter().enumerate() {
            let content = chunk.content();
            if !content.number_span(column)?.holds(number) {
                continue;
            }
            let mut first = None;
            content.find_number(column, number, encoded, |offset| {
                if first.is_none() && chunk.is_live(offset) {
                    first = Some((at, offset));
                }
            })?;
            if first.is_some() {
                return Ok(first);
            }
        }
        Ok(None)
    }
}

impl Content {
    fn number_span(&self, column: usize) -> Result<NumberSpan, ArrowError> {
        match self.numbers.get() {
            Some(known) if known.column == column => return Ok(*known),
            // The span of a second key is with its index.
            Some(_) => {
                return Ok(NumberSpan::of(column, self.key_entry(&[column])?.number_range()));
            }
            None => {}
        }
        // Of rows in a file it is known from there.
        let fresh = self.in_memory(column).filter(|_| self.file().is_none());
        let range = match fresh.and_then(|numbers| range_of(&numbers)) {
            Some(range) => range,
            None => self.key_entry(&[column])?.number_range(),
        };
        let span = NumberSpan::of(column, range);
        let _ = self.numbers.set(span);
        Ok(span)
    }

    /// Gives the offsets of rows with a number, deleted ones included.
    fn find_number(
        self: &Arc<Self>,
        column: usize,
        number: i64,
        encoded: &[u8],
        found: impl FnMut(usize),
    ) -> Result<(), ArrowError> {
        if self.rows() <= ROWS_MAX
            && let Some(numbers) = self.in_memory(column)
            && let Some(offsets) = offsets_of(&numbers, number)
        {
            offsets.into_iter().for_each(found);
            return Ok(());
        }
        let entry = self.key_entry(&[column])?;
        self.find_number_by(&entry, number, encoded, found)
    }
}

/// `None` for other types.
fn range_of(numbers: &ArrayRef) -> Option<Option<(i64, i64)>> {
    fn of<T: ArrowPrimitiveType<Native: Into<i64>>>(
        numbers: &PrimitiveArray<T>,
    ) -> Option<(i64, i64)> {
        Some((min(numbers)?.into(), max(numbers)?.into()))
    }
    Some(match numbers.data_type() {
        DataType::Int8 => of(numbers.as_primitive::<Int8Type>()),
        DataType::Int16 => of(numbers.as_primitive::<Int16Type>()),
        DataType::Int32 => of(numbers.as_primitive::<Int32Type>()),
        DataType::Int64 => of(numbers.as_primitive::<Int64Type>()),
        _ => return None,
    })
}

/// `None` for other types.
fn offsets_of(numbers: &ArrayRef, number: i64) -> Option<Vec<usize>> {
    fn of<T: ArrowPrimitiveType<Native: Into<i64>>>(
        numbers: &PrimitiveArray<T>,
        number: i64,
    ) -> Vec<usize> {
        let values = numbers.values().iter().enumerate();
        let same = values.filter(|(at, value)| (**value).into() == number && numbers.is_valid(*at));
        same.map(|(at, _)| at).collect()
    }
    Some(match numbers.data_type() {
        DataType::Int8 => of(numbers.as_primitive::<Int8Type>(), number),
        DataType::Int16 => of(numbers.as_primitive::<Int16Type>(), number),
        DataType::Int32 => of(numbers.as_primitive::<Int32Type>(), number),
        DataType::Int64 => of(numbers.as_primitive::<Int64Type>(), number),
        _ => return None,
    })
}

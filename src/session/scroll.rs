//! Rows of a cursor that are kept: they can be read again and backwards, and outlive their transaction.
//!
//! A cursor stands on a row, before the first or after the last:
//!
//! ```text
//! 0      1   2   …   n      n + 1
//! before rows               after
//! ```

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::StreamExt;
use sqlparser::ast::{FetchDirection, ValueWithSpan};

use super::outcome::OutputColumn;
use super::statements::{PortalRows, read};
use crate::error::{PgError, SqlState};

/// Where a FETCH goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// The next so many rows; `None` is all that are left. 0 is the row it stands on.
    Forward(Option<u64>),
    /// The previous so many rows, nearest first.
    Backward(Option<u64>),
    /// One row by its number, from the end if it is negative.
    Absolute(i64),
    /// One row by its distance.
    Relative(i64),
}

fn number(value: &ValueWithSpan) -> Result<i64, PgError> {
    let text = value.value.to_string();
    text.parse().map_err(|_| PgError::new(SqlState::SYNTAX_ERROR, "FETCH takes a whole number"))
}

/// A negative count goes the other way.
fn signed(count: i64, backward: bool) -> Direction {
    if backward == (count > 0) && count != 0 {
        Direction::Backward(Some(count.unsigned_abs()))
    } else {
        Direction::Forward(Some(count.unsigned_abs()))
    }
}

impl Direction {
    /// The direction a statement says.
    ///
    /// # Errors
    /// `42601` for a number that is none.
    pub(super) fn of(direction: &FetchDirection) -> Result<Self, PgError> {
        Ok(match direction {
            FetchDirection::Next | FetchDirection::Forward { limit: None } => {
                Self::Forward(Some(1))
            }
            FetchDirection::Prior | FetchDirection::Backward { limit: None } => {
                Self::Backward(Some(1))
            }
            FetchDirection::First => Self::Absolute(1),
            FetchDirection::Last => Self::Absolute(-1),
            FetchDirection::Absolute { limit } => Self::Absolute(number(limit)?),
            FetchDirection::Relative { limit } => Self::Relative(number(limit)?),
            FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => {
                signed(number(limit)?, false)
            }
            FetchDirection::Backward { limit: Some(limit) } => signed(number(limit)?, true),
            FetchDirection::All | FetchDirection::ForwardAll => Self::Forward(None),
            FetchDirection::BackwardAll => Self::Backward(None),
        })
    }

    /// How many rows are next, for a cursor that is read forward only.
    ///
    /// # Errors
    /// `55000` for any other way.
    pub(super) fn forward_only(self) -> Result<Option<usize>, PgError> {
        match self {
            Self::Forward(count) => {
                Ok(count.map(|count| usize::try_from(count).unwrap_or(usize::MAX)))
            }
            Self::Relative(1) => Ok(Some(1)),
            Self::Backward(_) | Self::Absolute(_) | Self::Relative(_) => Err(forward_only()),
        }
    }
}

fn forward_only() -> PgError {
    PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
        .hint("Declare it with SCROLL option to enable backward scan.")
}

/// All rows of a cursor, and where it stands.
pub(super) struct Scrolled {
    pub(super) columns: Arc<[OutputColumn]>,
    rows: RecordBatch,
    /// 0 is before the first row.
    position: u64,
    backward: bool,
    _memory: MemoryReservation,
}

impl Scrolled {
    /// Reads a cursor's rows to their end, in memory of `pool`.
    ///
    /// # Errors
    /// `53200`, and what the query raises.
    pub(super) async fn read(
        rows: PortalRows,
        backward: bool,
        pool: &Arc<dyn MemoryPool>,
    ) -> Result<Self, PgError> {
        let memory = MemoryConsumer::new("rows of a cursor").register(pool);
        let (columns, schema) = (Arc::clone(&rows.columns), Arc::clone(&rows.schema));
        let mut stream = read(&Arc::new(parking_lot::Mutex::new(rows)), 0)?;
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            memory.try_grow(batch.get_array_memory_size())?;
            batches.push(batch);
        }
        let schema = batches.first().map_or(schema, RecordBatch::schema);
        let rows = concat_batches(&schema, &batches)?;
        Ok(Self { columns, rows, position: 0, backward, _memory: memory })
    }

    /// The rows of a FETCH; the cursor stands on the last of them.
    ///
    /// # Errors
    /// `55000` for a way back where it goes forward only.
    pub(super) fn fetch(&mut self, direction: Direction) -> Result<RecordBatch, PgError> {
        if !self.backward {
            direction.forward_only()?;
        }
        let wanted = self.wanted(direction);
        let in_order = wanted.windows(2).all(|pair| pair[1] == pair[0] + 1);
        if let Some(first) = wanted.first().filter(|_| in_order) {
            return Ok(self.rows.slice(*first as usize - 1, wanted.len()));
        }
        let places: UInt64Array = wanted.iter().map(|row| row - 1).collect();
        Ok(take_record_batch(&self.rows, &places)?)
    }

    /// Numbers of the rows, in order.
    fn wanted(&mut self, direction: Direction) -> Vec<u64> {
        let count = self.rows.num_rows() as u64;
        let end = count + 1;
        let at = self.position;
        match direction {
            Direction::Forward(Some(0)) | Direction::Relative(0) => {
                (1..end).contains(&at).then_some(at).into_iter().collect()
            }
            Direction::Forward(wanted) => {
                let last = wanted.map_or(end, |wanted| at.saturating_add(wanted)).min(end);
                self.position = last;
                (at + 1..=last.min(count)).collect()
            }
            Direction::Backward(wanted) => {
                let last = wanted.map_or(0, |wanted| at.saturating_sub(wanted));
                self.position = last;
                (last.max(1)..at).rev().collect()
            }
            Direction::Absolute(number) => self.stand_on(if number < 0 {
                i128::from(end) + i128::from(number)
            } else {
                i128::from(number)
            }),
            Direction::Relative(distance) => self.stand_on(i128::from(at) + i128::from(distance)),
        }
    }

    fn stand_on(&mut self, row: i128) -> Vec<u64> {
        let end = self.rows.num_rows() as u64 + 1;
        self.position = u64::try_from(row.max(0)).unwrap_or(end).min(end);
        (1..end).contains(&self.position).then_some(self.position).into_iter().collect()
    }
}

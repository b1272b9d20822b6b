//! PostgreSQL's rules for the options of a sequence.

use crate::catalog::object::{Sequence, SequenceCounter, SequenceOwner};
use crate::error::{PgError, SqlState};
use crate::types::pg_type::PgType;

/// Options as a statement gives them; `None` where it does not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SequenceOptions {
    /// AS
    pub ty: Option<PgType>,
    /// INCREMENT BY
    pub increment: Option<i64>,
    /// MINVALUE; the inner `None` is NO MINVALUE.
    pub min: Option<Option<i64>>,
    /// MAXVALUE; the inner `None` is NO MAXVALUE.
    pub max: Option<Option<i64>>,
    /// START WITH
    pub start: Option<i64>,
    /// RESTART; the inner `None` goes back to the start.
    pub restart: Option<Option<i64>>,
    /// CACHE
    pub cache: Option<i64>,
    /// CYCLE, NO CYCLE
    pub cycle: Option<bool>,
    /// OWNED BY; the inner `None` is NONE.
    pub owner: Option<Option<SequenceOwner>>,
}

/// Where a sequence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The last value given, or the first to give.
    pub value: i64,
    /// Whether it was given.
    pub called: bool,
}

fn invalid(message: String) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// Smallest and largest value of a sequence's type.
fn bounds(ty: &PgType) -> Result<(i64, i64), PgError> {
    match ty {
        PgType::Int2 => Ok((i16::MIN.into(), i16::MAX.into())),
        PgType::Int4 => Ok((i32::MIN.into(), i32::MAX.into())),
        PgType::Int8 => Ok((i64::MIN, i64::MAX)),
        _ => Err(invalid("sequence type must be smallint, integer, or bigint".to_owned())),
    }
}

impl SequenceOptions {
    /// A new sequence, of `ty` unless the options say otherwise; its counter has number `counter`.
    ///
    /// # Errors
    /// `22023` for options that do not fit together.
    pub fn create(&self, ty: PgType, counter: u64) -> Result<Sequence, PgError> {
        let ty = self.ty.clone().unwrap_or(ty);
        let unset = Sequence {
            ty,
            start: 0,
            increment: 1,
            min: 0,
            max: 0,
            cache: 1,
            cycle: false,
            counter: SequenceCounter { id: counter, value: 0, called: false },
            owner: None,
        };
        self.settle(unset, None, counter)
    }

    /// An altered sequence that goes on from `position`, counting at `counter`.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn alter(
        &self,
        old: &Sequence,
        position: Position,
        counter: u64,
    ) -> Result<Sequence, PgError> {
        self.settle(old.clone(), Some(position), counter)
    }

    /// Whether these options change how the sequence counts, and not only whose it is.
    pub fn changes_counting(&self) -> bool {
        Self { owner: None, ..self.clone() } != Self::default()
    }

    fn settle(
        &self,
        mut sequence: Sequence,
        position: Option<Position>,
        counter: u64,
    ) -> Result<Sequence, PgError> {
        let is_new = position.is_none();
        let old_bounds = bounds(&sequence.ty)?;
        let (mut widen_min, mut widen_max) = (false, false);
        if let Some(ty) = &self.ty {
            // Bounds that were the type's own go on to be.
            widen_min = !is_new && sequence.min == old_bounds.0;
            widen_max = !is_new && sequence.max == old_bounds.1;
            sequence.ty = ty.clone();
        }
        let (low, high) = bounds(&sequence.ty)?;
        if let Some(increment) = self.increment {
            sequence.increment = increment;
        }
        if sequence.increment == 0 {
            return Err(invalid("INCREMENT must not be zero".to_owned()));
        }
        sequence.cycle = self.cycle.unwrap_or(sequence.cycle);
        let ascending = sequence.increment > 0;
        match self.max {
            Some(Some(max)) => sequence.max = max,
            Some(None) => sequence.max = if ascending || widen_max { high } else { -1 },
            None if is_new || widen_max => {
                sequence.max = if ascending || widen_max { high } else { -1 }
            }
            None => {}
        }
        match self.min {
            Some(Some(min)) => sequence.min = min,
            Some(None) => sequence.min = if !ascending || widen_min { low } else { 1 },
            None if is_new || widen_min => {
                sequence.min = if !ascending || widen_min { low } else { 1 }
            }
            None => {}
        }
        check_bounds(&sequence, (low, high))?;
        match self.start {
            Some(start) => sequence.start = start,
            None if is_new => sequence.start = if ascending { sequence.min } else { sequence.max },
            None => {}
        }
        within(&sequence, "START", sequence.start)?;
        let position = match (self.restart, position) {
            (Some(to), _) => Position { value: to.unwrap_or(sequence.start), called: false },
            (None, None) => Position { value: sequence.start, called: false },
            (None, Some(position)) => position,
        };
        within(&sequence, "RESTART", position.value)?;
        sequence.cache = self.cache.unwrap_or(sequence.cache);
        if sequence.cache <= 0 {
            return Err(invalid(format!("CACHE ({}) must be greater than zero", sequence.cache)));
        }
        if let Some(owner) = self.owner {
            sequence.owner = owner;
        }
        sequence.counter =
            SequenceCounter { id: counter, value: position.value, called: position.called };
        Ok(sequence)
    }
}

fn check_bounds(sequence: &Sequence, (low, high): (i64, i64)) -> Result<(), PgError> {
    for (word, value) in [("MAXVALUE", sequence.max), ("MINVALUE", sequence.min)] {
        if !(low..=high).contains(&value) {
            return Err(invalid(format!(
                "{word} ({value}) is out of range for sequence data type {}",
                sequence.ty.name()
            )));
        }
    }
    if sequence.min >= sequence.max {
        return Err(invalid(format!(
            "MINVALUE ({}) must be less than MAXVALUE ({})",
            sequence.min, sequence.max
        )));
    }
    Ok(())
}

fn within(sequence: &Sequence, what: &str, value: i64) -> Result<(), PgError> {
    if value < sequence.min {
        return Err(invalid(format!(
            "{what} value ({value}) cannot be less than MINVALUE ({})",
            sequence.min
        )));
    }
    if value > sequence.max {
        return Err(invalid(format!(
            "{what} value ({value}) cannot be greater than MAXVALUE ({})",
            sequence.max
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(options: SequenceOptions) -> Result<Sequence, String> {
        options.create(PgType::Int8, 0).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_follows_from_the_rest() {
        let plain = new(SequenceOptions::default()).unwrap();
        assert_eq!((plain.min, plain.max, plain.start), (1, i64::MAX, 1));
        let down = new(SequenceOptions { increment: Some(-1), ..Default::default() }).unwrap();
        assert_eq!((down.min, down.max, down.start), (i64::MIN, -1, -1));
        let small = new(SequenceOptions { ty: Some(PgType::Int2), ..Default::default() }).unwrap();
        assert_eq!(small.max, 32767);
        let position = Position { value: 7, called: true };
        let wide = SequenceOptions { ty: Some(PgType::Int4), ..Default::default() };
        let wide = wide.alter(&small, position, 1).unwrap();
        assert_eq!((wide.min, wide.max, wide.counter.value), (1, 2_147_483_647, 7));
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        let error = |options| new(options).unwrap_err();
        assert_eq!(
            error(SequenceOptions { increment: Some(0), ..Default::default() }),
            "INCREMENT must not be zero"
        );
        assert_eq!(
            error(SequenceOptions { min: Some(Some(5)), max: Some(Some(5)), ..Default::default() }),
            "MINVALUE (5) must be less than MAXVALUE (5)"
        );
        assert_eq!(
            error(SequenceOptions { start: Some(0), ..Default::default() }),
            "START value (0) cannot be less than MINVALUE (1)"
        );
        assert_eq!(
            error(SequenceOptions {
                ty: Some(PgType::Int2),
                max: Some(Some(40_000)),
                ..Default::default()
            }),
            "MAXVALUE (40000) is out of range for sequence data type smallint"
        );
        assert_eq!(
            error(SequenceOptions { ty: Some(PgType::Text), ..Default::default() }),
            "sequence type must be smallint, integer, or bigint"
        );
    }
}

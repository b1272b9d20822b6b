//! Output functions: each appends a value's text to a buffer, without allocating.

mod date_time;
mod interval;
mod number;
mod quoting;

pub(crate) use date_time::{
    append_date, append_time, append_timestamp, append_timestamptz, append_timetz,
};
pub(crate) use interval::append_interval;
pub(crate) use number::{
    append_decimal, append_decimal256, append_float4, append_float8, append_integer, append_lsn,
};
pub(crate) use quoting::{append_array_element, append_bytea, append_record_field, append_uuid};

const DIGIT_PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// The two decimal digits of a number below 100.
fn two_digits(number: u32) -> [u8; 2] {
    let at = (number as usize % 100) * 2;
    [DIGIT_PAIRS[at], DIGIT_PAIRS[at + 1]]
}

//! The COPY formats, both ways: text, csv and binary.
//!
//! [`CopyReader`] takes bytes in pieces of any size and gives record batches; [`CopyWriter`] takes
//! record batches and appends bytes. Neither knows where the bytes come from or go to.

mod binary;
mod csv;
mod lines;
pub(crate) mod options;
mod reader;
mod text;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use options::{CopyColumns, CopyFormat, CopyHeader, CopyOptionTexts, CopyOptions};
pub(crate) use reader::{CopyColumn, CopyReader};
pub(crate) use writer::CopyWriter;

//! Fields of a line in the csv format, and their quotes.

/// A field of a csv line.
pub(super) struct CsvField<'a> {
    /// The field as it stands, if it has no quotes; else it is in the buffer.
    pub(super) plain: Option<&'a [u8]>,
}

/// Takes the next field off `rest`; `None` in `rest` when it was the last. A field with quotes is put
/// into `out` without them.
///
/// # Errors
/// `Err(())` if a quote is not closed.
pub(super) fn next_field<'a>(
    rest: &mut Option<&'a [u8]>,
    delimiter: u8,
    quote: u8,
    escape: u8,
    out: &mut Vec<u8>,
) -> Option<Result<CsvField<'a>, ()>> {
    let line = (*rest)?;
    match memchr::memchr2(delimiter, quote, line) {
        None => {
            *rest = None;
            return Some(Ok(CsvField { plain: Some(line) }));
        }
        Some(at) if line[at] == delimiter => {
            *rest = line.get(at + 1..);
            return Some(Ok(CsvField { plain: Some(&line[..at]) }));
        }
        Some(_) => {}
    }
    out.clear();
    let mut bytes = line.iter().enumerate();
    let mut quoted = false;
    *rest = None;
    while let Some((at, byte)) = bytes.next() {
        let next = line.get(at + 1).copied();
        if !quoted {
            if *byte == delimiter {
                *rest = line.get(at + 1..);
                break;
            }
            if *byte == quote {
                quoted = true;
            } else {
                out.push(*byte);
            }
        } else if *byte == escape && next.is_some_and(|next| next == quote || next == escape) {
            out.extend(next);
            bytes.next();
        } else if *byte == quote {
            quoted = false;
        } else {
            out.push(*byte);
        }
    }
    Some(if quoted { Err(()) } else { Ok(CsvField { plain: None }) })
}

/// How values are quoted.
pub(super) struct CsvQuoting<'a> {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
    pub(super) escape: u8,
    pub(super) null: &'a [u8],
    /// `\.` alone on a line would end the data.
    pub(super) is_single_column: bool,
}

impl CsvQuoting<'_> {
    /// Appends a value, in quotes if they are forced or needed.
    pub(super) fn append(&self, value: &[u8], force: bool, out: &mut Vec<u8>) {
        let means_something = |byte: &u8| {
            *byte == self.delimiter || *byte == self.quote || matches!(byte, b'\n' | b'\r')
        };
        let needed = force
            || value == self.null
            || (self.is_single_column && value == b"\\.")
            || value.iter().any(means_something);
        if !needed {
            return out.extend_from_slice(value);
        }
        out.push(self.quote);
        for byte in value {
            if *byte == self.quote || *byte == self.escape {
                out.push(self.escape);
            }
            out.push(*byte);
        }
        out.push(self.quote);
    }
}

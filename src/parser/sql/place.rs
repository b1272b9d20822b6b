//! Places in `sqlparser`'s tree.
//!
//! `sqlparser` knows lines and columns and never looks at what they mean. So a token's place is put there as line 1,
//! column byte offset + 1: it comes back from the tree and from error messages as a byte offset, whatever the text.

use sqlparser::tokenizer::{Location, Span as SqlSpan};

use crate::parser::span::Span;

/// The span a token gets.
pub(in crate::parser) fn sqlparser_span(span: Span) -> SqlSpan {
    let location = |offset: u32| Location::new(1, u64::from(offset) + 1);
    SqlSpan::new(location(span.start), location(span.end))
}

/// The bytes of the client's text that a node of the SQL tree covers; `None` for nodes without a place.
pub fn byte_span(span: SqlSpan) -> Option<Span> {
    let offset = |location: Location| {
        let column = location.column.checked_sub(1)?;
        u32::try_from(column).ok().filter(|_| location.line > 0)
    };
    Some(Span::new(offset(span.start)?, offset(span.end)?))
}

//! ErrorResponse and NoticeResponse.

use bytes::{BufMut, BytesMut};

use super::reply::{message, put_text};
use crate::error::{PgError, Severity};

/// Appends `error` as ErrorResponse, or as NoticeResponse if its severity is below ERROR.
///
/// `position` counts characters of the client's text from 1.
pub(super) fn report(out: &mut BytesMut, error: &PgError, position: Option<usize>) {
    let fields = error.fields();
    let tag = match fields.severity {
        Severity::Error | Severity::Fatal => b'E',
        Severity::Warning | Severity::Notice | Severity::Info => b'N',
    };
    message(out, tag, |out| {
        let word = fields.severity.word();
        put_field(out, b'S', word);
        put_field(out, b'V', word);
        put_field(out, b'C', fields.code.0);
        put_field(out, b'M', &fields.message);
        put_optional(out, b'D', fields.detail.as_deref());
        put_optional(out, b'H', fields.hint.as_deref());
        if let Some(position) = position {
            put_field(out, b'P', &position.to_string());
        }
        put_optional(out, b'W', fields.context.as_deref());
        put_optional(out, b's', fields.schema.as_deref());
        put_optional(out, b't', fields.table.as_deref());
        put_optional(out, b'c', fields.column.as_deref());
        put_optional(out, b'd', fields.datatype.as_deref());
        put_optional(out, b'n', fields.constraint.as_deref());
        if let Some((file, line)) = fields.place {
            put_field(out, b'F', file);
            put_field(out, b'L', &line.to_string());
        }
        put_optional(out, b'R', fields.routine);
        out.put_u8(0);
    });
}

fn put_field(out: &mut BytesMut, field: u8, value: &str) {
    out.put_u8(field);
    put_text(out, value);
}

fn put_optional(out: &mut BytesMut, field: u8, value: Option<&str>) {
    if let Some(value) = value {
        put_field(out, field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SqlState;

    #[test]
    fn every_field_is_sent_in_order() {
        let error = PgError::new(SqlState::UNIQUE_VIOLATION, "m")
            .detail("d")
            .hint("h")
            .context("w")
            .table("s", "t")
            .column("c")
            .constraint("n")
            .routine("r");
        let mut out = BytesMut::new();
        report(&mut out, &error, Some(7));
        let body = b"SERROR\0VERROR\0C23505\0Mm\0Dd\0Hh\0P7\0Ww\0ss\0tt\0cc\0nn\0Rr\0\0";
        assert_eq!(out[0], b'E');
        assert_eq!(out[1..5], u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        assert_eq!(&out[5..], body);
    }

    #[test]
    fn a_place_is_a_file_and_a_line() {
        let error = PgError::new(SqlState::WARNING, "m").routine("r").here();
        let mut out = BytesMut::new();
        report(&mut out, &error, None);
        let line = line!() - 3;
        let body = format!("SERROR\0VERROR\0C01000\0Mm\0Ferror.rs\0L{line}\0Rr\0\0");
        assert_eq!(&out[5..], body.as_bytes());
    }

    #[test]
    fn notices_are_notices_and_a_nul_ends_the_text() {
        let mut out = BytesMut::new();
        report(&mut out, &PgError::notice("a\0b"), None);
        assert_eq!(out[0], b'N');
        assert_eq!(&out[5..], b"SNOTICE\0VNOTICE\0C00000\0Ma\0\0");
    }
}

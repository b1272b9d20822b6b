//! Bodies that are whole, cut short, too long, miscounted, or not text.

use super::*;
use crate::error::Severity;

fn body(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn bind_body() -> Vec<u8> {
    let mut bytes = b"portal\0statement\0".to_vec();
    bytes.extend_from_slice(&[0, 2, 0, 0, 0, 1]); // two parameter formats
    bytes.extend_from_slice(&[0, 2]); // two values
    bytes.extend_from_slice(&[0, 0, 0, 2, b'a', b'b']);
    bytes.extend_from_slice(&[0xff; 4]);
    bytes.extend_from_slice(&[0, 1, 0, 1]); // one result format
    bytes
}

#[test]
fn bind_is_read_field_by_field() {
    let body = body(&bind_body());
    let Message::Bind(bind) = decode(b'B', &body).unwrap() else { panic!("not a Bind") };
    assert_eq!(
        bind,
        Bind {
            portal: "portal",
            statement: "statement",
            parameter_formats: Formats::Each(vec![Format::Text, Format::Binary]),
            values: vec![Some(Bytes::from_static(b"ab")), None],
            result_formats: Formats::All(Format::Binary),
        }
    );
}

#[test]
fn every_truncation_and_every_extra_byte_is_a_violation() {
    let parse = b"name\0SELECT 1\0\0\x01\0\0\0\x17".to_vec();
    for (tag, whole) in [
        (b'B', bind_body()),
        (b'P', parse),
        (b'Q', b"SELECT 1\0".to_vec()),
        (b'E', b"p\0\0\0\0\x05".to_vec()),
        (b'D', b"Sname\0".to_vec()),
        (b'C', b"Pname\0".to_vec()),
        (b'f', b"reason\0".to_vec()),
    ] {
        assert!(decode(tag, &body(&whole)).is_ok(), "{}", char::from(tag));
        for n in 0..whole.len() {
            let error = decode(tag, &body(&whole[..n])).unwrap_err();
            assert_eq!(error.code(), SqlState::PROTOCOL_VIOLATION, "{} {n}", char::from(tag));
            assert_eq!(error.fields().severity, Severity::Fatal);
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert!(decode(tag, &body(&longer)).is_err(), "{} +1", char::from(tag));
    }
}

#[test]
fn counts_without_their_items_reserve_nothing() {
    let error = decode(b'P', &body(b"\0\0\xff\xff")).unwrap_err();
    assert_eq!(error.code(), SqlState::PROTOCOL_VIOLATION);
    let error = decode(b'B', &body(b"\0\0\0\0\xff\xff")).unwrap_err();
    assert_eq!(error.code(), SqlState::PROTOCOL_VIOLATION);
}

#[test]
fn negative_value_lengths_other_than_null_are_violations() {
    let error = decode(b'B', &body(b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0")).unwrap_err();
    assert_eq!(error.code(), SqlState::PROTOCOL_VIOLATION);
}

#[test]
fn text_must_be_utf8_and_the_error_shows_the_bytes() {
    for (bytes, shown) in [
        (&b"\xff\0"[..], "0xff"),
        (b"a\xc3\x28\0", "0xc3 0x28"),
        (b"\xed\xa0\x80\0", "0xed 0xa0 0x80"), // a lone surrogate
        (b"\xc0\xaf\0", "0xc0 0xaf"),          // an overlong slash
        (b"\xf0\x9f\0", "0xf0 0x9f"),
    ] {
        let error = decode(b'Q', &body(bytes)).unwrap_err();
        assert_eq!(error.code(), SqlState::CHARACTER_NOT_IN_REPERTOIRE);
        assert_eq!(error.fields().severity, Severity::Error);
        assert_eq!(
            error.to_string(),
            format!("invalid byte sequence for encoding \"UTF8\": {shown}")
        );
    }
    assert_eq!(
        check_text_value(b"a\0b").unwrap_err().code(),
        SqlState::CHARACTER_NOT_IN_REPERTOIRE
    );
    assert!(check_text_value("é".as_bytes()).is_ok());
}

#[test]
fn a_nul_inside_a_query_is_not_its_end() {
    let error = decode(b'Q', &body(b"SELECT 1\0; DROP TABLE t\0")).unwrap_err();
    assert_eq!(error.code(), SqlState::PROTOCOL_VIOLATION);
}

#[test]
fn unknown_format_codes_and_subtypes_are_refused() {
    let error = decode(b'B', &body(b"\0\0\0\x01\0\x02\0\0\0\0")).unwrap_err();
    assert_eq!(error.code(), SqlState::INVALID_PARAMETER_VALUE);
    assert!(decode(b'D', &body(b"Xname\0")).is_err());
    assert!(decode(b'?', &body(b"")).is_err());
}

#[test]
fn row_limits_below_zero_mean_all() {
    assert_eq!(
        decode(b'E', &body(b"\0\xff\xff\xff\xff")).unwrap(),
        Message::Execute { portal: "", max_rows: 0 }
    );
}

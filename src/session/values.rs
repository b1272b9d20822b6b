//! Values of parameters of the types that nearly all are of, read without building a column.

use datafusion::common::ScalarValue;

use super::outcome::Format;
use crate::types::pg_type::PgType;
use crate::types::text::input::{read_int2, read_int4, read_int8};

/// Reads a value; `None` where the type is not one of the plain ones, or the value is wrong: the general way reads it
/// then, or says what is the matter.
pub(super) fn read_plain(ty: &PgType, format: Format, value: Option<&[u8]>) -> Option<ScalarValue> {
    Some(match (ty, format) {
        (PgType::Int2, Format::Text) => ScalarValue::Int16(read(value, |v| read_int2(v).ok())?),
        (PgType::Int4, Format::Text) => ScalarValue::Int32(read(value, |v| read_int4(v).ok())?),
        (PgType::Int8, Format::Text) => ScalarValue::Int64(read(value, |v| read_int8(v).ok())?),
        (PgType::Int2, Format::Binary) => {
            ScalarValue::Int16(read(value, |v| Some(i16::from_be_bytes(v.try_into().ok()?)))?)
        }
        (PgType::Int4, Format::Binary) => {
            ScalarValue::Int32(read(value, |v| Some(i32::from_be_bytes(v.try_into().ok()?)))?)
        }
        (PgType::Int8, Format::Binary) => {
            ScalarValue::Int64(read(value, |v| Some(i64::from_be_bytes(v.try_into().ok()?)))?)
        }
        (PgType::Text | PgType::Varchar(None), _) => ScalarValue::Utf8View(read(value, text)?),
        _ => return None,
    })
}

/// NULL is read as it is.
fn read<T>(value: Option<&[u8]>, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => read(value).map(Some),
    }
}

fn text(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    (!text.contains('\0')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::InputSettings;
    use crate::types::input_column::InputColumn;

    /// What the general way makes of the value.
    fn general(ty: &PgType, format: Format, value: Option<&[u8]>) -> Option<ScalarValue> {
        let mut column = InputColumn::new(ty, &InputSettings::default());
        match format {
            Format::Text => column.push_text(value).ok()?,
            Format::Binary => column.push_binary(value).ok()?,
        }
        ScalarValue::try_from_array(&column.finish_as_read().ok()?, 0).ok()
    }

    #[test]
    fn plain_values_are_what_the_general_way_makes_of_them() {
        let types = [PgType::Int2, PgType::Int4, PgType::Int8, PgType::Text, PgType::Varchar(None)];
        let texts: [&[u8]; 8] = [b"0", b"-7", b" 12 ", b"40000", b"9999999999", b"x", b"", b"1.5"];
        for ty in &types {
            assert_eq!(read_plain(ty, Format::Text, None), general(ty, Format::Text, None));
            for text in texts {
                let plain = read_plain(ty, Format::Text, Some(text));
                assert_eq!(plain, general(ty, Format::Text, Some(text)), "{ty} {text:?}");
            }
            for bytes in [&[0, 7][..], &[0, 0, 0, 7], &[255; 8]] {
                let Some(plain) = read_plain(ty, Format::Binary, Some(bytes)) else { continue };
                assert_eq!(Some(plain), general(ty, Format::Binary, Some(bytes)));
            }
        }
        assert_eq!(read_plain(&PgType::Text, Format::Text, Some(b"a\0b")), None);
        assert_eq!(read_plain(&PgType::Varchar(Some(3)), Format::Text, Some(b"abc")), None);
    }
}

//! Parameters' values, and the columns a client is told of.

use std::cell::OnceCell;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::common::metadata::{FieldMetadata, ScalarAndMetadata};

use crate::error::{PgError, SqlState};
use crate::functions::cast::text_io::{reg_input, reg_kind};
use crate::functions::context::RegKind;
use crate::planner::bind::BoundColumn;
use crate::session::outcome::{Format, OutputColumn};
use crate::session::session_impl::Session;
use crate::session::statements::Prepared;
use crate::session::values::read_plain;
use crate::types::input_column::InputColumn;
use crate::types::pg_type::PgType;

pub(in crate::session) fn output_columns(columns: &[BoundColumn]) -> Arc<[OutputColumn]> {
    columns
        .iter()
        .map(|column| OutputColumn {
            name: column.name.clone(),
            ty: if column.ty == PgType::Unknown { PgType::Text } else { column.ty.clone() },
            table: column.table,
            attnum: column.attnum,
            declared: column.declared,
        })
        .collect()
}

/// Reads the values of parameters by the types of a prepared statement.
pub(in crate::session) fn read_values(
    session: &Session,
    prepared: &Prepared,
    name: &str,
    values: &[(Format, Option<&[u8]>)],
) -> Result<Vec<ScalarAndMetadata>, PgError> {
    if values.len() != prepared.parameters.len() {
        return Err(PgError::new(
            SqlState::PROTOCOL_VIOLATION,
            format!(
                "bind message supplies {} parameters, but prepared statement \"{name}\" requires {}",
                values.len(),
                prepared.parameters.len()
            ),
        ));
    }
    let settings = OnceCell::new();
    let mut read = Vec::with_capacity(values.len());
    for (at, ((format, value), ty)) in values.iter().zip(&prepared.parameters).enumerate() {
        if let Some(value) = read_plain(ty, *format, *value) {
            read.push(ScalarAndMetadata::new(value, metadata_of(ty)));
            continue;
        }
        let settings = settings
            .get_or_init(|| session.shared.settings.lock().input(session.shared.transaction_us()));
        let context = || format!("unnamed portal parameter ${}", at + 1);
        let mut column = InputColumn::new(ty, settings);
        let pushed = match (format, reg_kind(ty)) {
            (Format::Text, Some(kind)) => {
                let number = object_number(session, kind, *value)
                    .map_err(|error| error.context(context()))?
                    .map(|number| number.to_string());
                column.push_text(number.as_ref().map(String::as_bytes))
            }
            (Format::Text, None) if is_open(prepared, at) => {
                column.push_text(open_json(*value).as_deref())
            }
            (Format::Text, None) => column.push_text(*value),
            (Format::Binary, _) => column.push_binary(*value),
        };
        pushed.map_err(|error| PgError::from(error).context(context()))?;
        let array = column.finish_as_read().map_err(PgError::from)?;
        read.push(typed_value(ScalarValue::try_from_array(&array, 0)?, ty));
    }
    Ok(read)
}

/// Whether a parameter is jsonb because nothing tells its type: neither the client nor the Cypher statement.
fn is_open(prepared: &Prepared, at: usize) -> bool {
    let is_cypher = prepared
        .statement
        .as_ref()
        .is_some_and(|statement| matches!(statement.body, crate::parser::Body::Cypher(_)));
    is_cypher
        && prepared.parameters.get(at) == Some(&PgType::Jsonb)
        && prepared.declared.get(at).cloned().flatten().is_none()
}

/// The text of an open parameter as JSON. Drivers that send texts without a type send them as they are, so what is no JSON
/// is a string.
fn open_json(value: Option<&[u8]>) -> Option<std::borrow::Cow<'_, [u8]>> {
    let value = value?;
    if serde_json::from_slice::<serde::de::IgnoredAny>(value).is_ok() {
        return Some(value.into());
    }
    match std::str::from_utf8(value).map(serde_json::to_vec) {
        Ok(Ok(string)) => Some(string.into()),
        // Reading it says what is wrong with it.
        _ => Some(value.into()),
    }
}

/// The number of an object that a parameter names.
fn object_number(
    session: &Session,
    kind: RegKind,
    name: Option<&[u8]>,
) -> Result<Option<u32>, PgError> {
    let Some(name) = name else { return Ok(None) };
    let name = std::str::from_utf8(name).map_err(|_| {
        PgError::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"UTF8\"",
        )
    })?;
    reg_input(kind, name, Some(session.answers.as_ref())).map(Some)
}

/// A value with its PostgreSQL type beside it, where the Arrow type alone does not tell.
pub(in crate::session) fn typed_value(value: ScalarValue, ty: &PgType) -> ScalarAndMetadata {
    ScalarAndMetadata::new(value, metadata_of(ty))
}

fn metadata_of(ty: &PgType) -> Option<FieldMetadata> {
    if matches!(ty, PgType::Int2 | PgType::Int4 | PgType::Int8 | PgType::Text) {
        return None;
    }
    let field = ty.field("", true);
    (!field.metadata().is_empty()).then(|| FieldMetadata::from(field.metadata()))
}

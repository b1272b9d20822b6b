//! `SHOW`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema};
use futures::StreamExt;
use sqlparser::ast::{Ident, UtilityOption};

use crate::error::{PgError, SqlState};
use crate::session::outcome::{Completion, Outcome, OutputColumn, RowStream};
use crate::session::session_impl::Session;
use crate::session::settings;
use crate::types::pg_type::PgType;

pub(super) fn show_name(variable: &[Ident]) -> String {
    let words: Vec<String> = variable.iter().map(|word| word.value.to_lowercase()).collect();
    match words.join(" ").as_str() {
        "transaction isolation level" => "transaction_isolation".to_owned(),
        "time zone" => "TimeZone".to_owned(),
        "session authorization" => "session_authorization".to_owned(),
        _ => variable.iter().map(|word| word.value.as_str()).collect::<Vec<_>>().join("."),
    }
}

fn text_column(name: &str) -> OutputColumn {
    OutputColumn { name: name.to_owned(), ty: PgType::Text, table: 0, attnum: 0, declared: false }
}

/// The column of EXPLAIN with these options.
pub(super) fn explain_column(options: &[UtilityOption]) -> OutputColumn {
    let json = options.iter().any(|option| {
        let value = option.arg.as_ref().map(ToString::to_string).unwrap_or_default();
        option.name.value.eq_ignore_ascii_case("format")
            && value.trim_matches(['\'', '"']).eq_ignore_ascii_case("json")
    });
    let ty = if json { PgType::Json } else { PgType::Text };
    OutputColumn { ty, ..text_column("QUERY PLAN") }
}

pub(super) fn show_columns(name: &str) -> Arc<[OutputColumn]> {
    if name.eq_ignore_ascii_case("all") {
        return ["name", "setting", "description"].into_iter().map(text_column).collect();
    }
    let name = settings::definition(name).map_or(name, |definition| definition.name);
    [text_column(name)].into()
}

pub(super) fn show(session: &Session, name: &str) -> Result<Outcome, PgError> {
    let settings = session.shared.settings.lock();
    let columns = show_columns(name);
    let values: Vec<Vec<String>> = if name.eq_ignore_ascii_case("all") {
        let mut columns = vec![Vec::new(), Vec::new(), Vec::new()];
        for (definition, value) in settings.all() {
            columns[0].push(definition.name.to_owned());
            columns[1].push(value.to_owned());
            columns[2].push(definition.description.to_owned());
        }
        columns
    } else {
        let value = settings.get(name).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("unrecognized configuration parameter \"{name}\""),
            )
        })?;
        vec![vec![value.to_owned()]]
    };
    drop(settings);
    rows_of_text(columns, values, "SHOW")
}

/// Rows made here: text columns and a fixed tag.
fn rows_of_text(
    columns: Arc<[OutputColumn]>,
    values: Vec<Vec<String>>,
    tag: &str,
) -> Result<Outcome, PgError> {
    let fields: Vec<Field> =
        columns.iter().map(|column| Field::new(&column.name, DataType::Utf8View, false)).collect();
    let schema = Arc::new(Schema::new(fields));
    let rows = values.first().map_or(0, Vec::len);
    let arrays: Vec<ArrayRef> = values
        .into_iter()
        .map(|values| Arc::new(StringViewArray::from_iter_values(values)) as ArrayRef)
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)?;
    let tag = tag.to_owned();
    let rows = RowStream::new(
        schema,
        futures::stream::iter([Ok(batch)]).boxed(),
        Arc::new(move || Completion::Complete(tag.clone())),
    );
    Ok(Outcome::Rows { columns, rows })
}

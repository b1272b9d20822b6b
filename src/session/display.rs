//! Results as aligned text, as psql prints them: for the command line and for tests.

use arrow::array::Array as _;

use super::session_impl::Finished;
use crate::error::PgError;
use crate::types::{OutputSettings, to_text_array};

/// A result's rows as text, cell by cell; `None` is NULL.
///
/// # Errors
/// `XX000` if a column is not of its type.
pub fn cells(
    result: &Finished,
    settings: &OutputSettings,
) -> Result<Vec<Vec<Option<String>>>, PgError> {
    let Some(columns) = &result.columns else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    for batch in &result.batches {
        let texts = columns
            .iter()
            .zip(batch.columns())
            .map(|(column, array)| {
                to_text_array(array, &column.ty, settings).map_err(PgError::from)
            })
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            rows.push(
                texts
                    .iter()
                    .map(|text| (!text.is_null(row)).then(|| text.value(row).to_owned()))
                    .collect(),
            );
        }
    }
    Ok(rows)
}

/// A result as psql's aligned table.
///
/// # Errors
/// As [`cells`].
pub fn text_table(result: &Finished, settings: &OutputSettings) -> Result<String, PgError> {
    let Some(columns) = &result.columns else { return Ok(result.tag.clone()) };
    let rows = cells(result, settings)?;
    let width = |text: &str| text.chars().count();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = rows.iter().filter_map(|row| row[at].as_deref()).map(width);
            cells.chain([width(&column.name)]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: Vec<String>| format!(" {}", cells.join(" | ")).trim_end().to_owned();
    let names = columns
        .iter()
        .zip(&widths)
        .map(|(column, width)| format!("{:^width$}", column.name))
        .collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let mut lines = vec![line(names), rule.join("+")];
    for row in &rows {
        let cells = row
            .iter()
            .zip(columns.iter().zip(&widths))
            .map(|(cell, (column, width))| {
                let cell = cell.as_deref().unwrap_or_default();
                if column.ty.category() == 'N' {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect();
        lines.push(line(cells));
    }
    let plural = if rows.len() == 1 { "" } else { "s" };
    lines.push(format!("({} row{plural})\n", rows.len()));
    Ok(lines.join("\n"))
}

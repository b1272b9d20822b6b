//! Catalog rows that are the same in every database: built-in types, functions, operators, …
//!
//! They come from the data files, which `data/generate.py` writes from a PostgreSQL 15 server.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::record_batch::RecordBatch;

use super::batch::Rows;
use super::definition::{SystemRelation, system_relations};
use super::rows::{SystemRowsError, schema_of};

macro_rules! data {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("data/", $name, ".tsv")))),*]
    };
}

static DATA: &[(&str, &str)] = data![
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_cast",
    "pg_collation",
    "pg_language",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_proc",
    "pg_range",
    "pg_tablespace",
    "pg_timezone_abbrevs",
    "pg_type",
];

/// The text of a relation's data file.
pub(super) fn data(relation: &str) -> Option<&'static str> {
    DATA.iter().find(|(name, _)| *name == relation).map(|(_, text)| *text)
}

/// Parsed once: the fixed rows of each relation that has any.
static BATCHES: LazyLock<HashMap<&'static str, RecordBatch>> = LazyLock::new(|| {
    let parsed = system_relations().iter().filter_map(|relation| {
        let text = data(relation.name)?;
        // The data is compiled in and read by a test; a file that does not parse shows no rows.
        parse(relation, text).ok().map(|batch| (relation.name, batch))
    });
    parsed.collect()
});

/// The fixed rows of a relation; `None` if it has none.
pub(super) fn batch(relation: &str) -> Option<&'static RecordBatch> {
    BATCHES.get(relation)
}

/// Reads a data file: names of the columns that vary, `name=value` of those that do not, rows.
fn parse(relation: &SystemRelation, text: &'static str) -> Result<RecordBatch, SystemRowsError> {
    let mut lines = text.lines();
    let varying: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let same: HashMap<&str, &str> = lines
        .next()
        .unwrap_or_default()
        .split('\t')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let sources: Vec<Source> = relation
        .columns
        .iter()
        .map(|column| {
            let varies = varying.iter().position(|name| *name == column.name).map(Source::Field);
            let fixed = || same.get(column.name.as_str()).map(|value| Source::Same(value));
            varies.or_else(fixed).ok_or_else(|| SystemRowsError::Column {
                relation: relation.name,
                column: column.name.clone(),
            })
        })
        .collect::<Result<_, _>>()?;
    let mut rows = Rows::new(relation.name, Arc::clone(schema_of(relation)));
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let row: Vec<&str> = sources.iter().map(|source| source.of(&fields)).collect();
        rows.push_text(&row)?;
    }
    rows.finish()
}

/// Where a column's text comes from.
enum Source {
    Field(usize),
    Same(&'static str),
}

impl Source {
    fn of<'a>(&self, fields: &[&'a str]) -> &'a str {
        match self {
            Self::Field(index) => fields.get(*index).copied().unwrap_or("\\N"),
            Self::Same(value) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_file_is_read_in_full() {
        for (name, text) in DATA {
            let relation = system_relations().iter().find(|relation| relation.name == *name);
            let batch = parse(relation.expect("a relation of this name"), text);
            assert_eq!(batch.expect(name).num_rows(), text.lines().count() - 2, "{name}");
        }
    }
}

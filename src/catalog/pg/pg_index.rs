//! `pg_index`: the indexes behind PRIMARY KEY and UNIQUE constraints, and those that CREATE INDEX made.

use super::batch::{Rows, row};
use super::index_of::{IndexOf, KeyOf, attnums, indexes};
use super::rows::{Source, SystemRowsError};
use super::type_facts;
use crate::catalog::object::ConstraintTiming;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for index in indexes(source.catalog) {
        push(&index, out)?;
    }
    Ok(())
}

fn push(index: &IndexOf<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let saturate = |count: usize| i16::try_from(count).unwrap_or(i16::MAX);
    // An expression has number 0.
    let keys = index.keys.iter().map(|key| match key.what {
        KeyOf::Column(column) => column.attnum,
        KeyOf::Expression { .. } => 0,
    });
    let expressions: Vec<&str> = index
        .keys
        .iter()
        .filter_map(|key| match key.what {
            KeyOf::Column(_) => None,
            KeyOf::Expression { text, .. } => Some(text),
        })
        .collect();
    let timing = index.constraint().map_or(ConstraintTiming::NotDeferrable, |c| c.timing);
    let collation = |key: &super::index_of::Key<'_>| type_facts::facts(key.ty()).collation;
    row!(out,
        indexrelid: index.oid,
        indrelid: index.relation.oid,
        indnatts: saturate(index.width()),
        indnkeyatts: saturate(index.keys.len()),
        indisunique: index.unique,
        indnullsnotdistinct: index.nulls_not_distinct,
        indisprimary: index.primary,
        indisexclusion: false,
        indimmediate: timing == ConstraintTiming::NotDeferrable,
        indisclustered: index.table.clustered == Some(index.oid),
        indisvalid: true,
        indcheckxmin: false,
        indisready: true,
        indislive: true,
        indisreplident: false,
        indkey: keys.chain(attnums(index.table, index.include)).collect::<Vec<_>>(),
        indcollation: index.keys.iter().map(collation).collect::<Vec<_>>(),
        indclass: index.keys.iter().map(|key| key.class()).collect::<Vec<_>>(),
        indoption: index.keys.iter().map(|key| key.option()).collect::<Vec<_>>(),
        indexprs: (!expressions.is_empty()).then(|| expressions.join(", ")),
        indpred: index.predicate,
    );
    Ok(())
}

//! `pg_sequence`, and the views over sequences: `pg_sequences`, `information_schema.sequences`.

use super::batch::{Rows, row};
use super::rows::{Source, SystemRowsError};
use crate::catalog::object::{Relation, Sequence};
use crate::types::Oid;

fn sequences<'a>(source: &'a Source<'_>) -> impl Iterator<Item = (&'a Relation, &'a Sequence)> {
    source
        .catalog
        .relations
        .values()
        .filter_map(|relation| Some((relation.as_ref(), relation.sequence()?.as_ref())))
}

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for (relation, sequence) in sequences(source) {
        row!(out,
            seqrelid: relation.oid,
            seqtypid: Oid(sequence.ty.oid()),
            seqstart: sequence.start,
            seqincrement: sequence.increment,
            seqmax: sequence.max,
            seqmin: sequence.min,
            seqcache: sequence.cache,
            seqcycle: sequence.cycle,
        );
    }
    Ok(())
}

fn schema_name(source: &Source<'_>, relation: &Relation) -> String {
    let schema = source.catalog.schemas.get(&relation.schema);
    schema.map_or_else(String::new, |schema| schema.name.clone())
}

pub(super) fn view_rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for (relation, sequence) in sequences(source) {
        let owner = source.catalog.cluster.roles.get(&relation.owner);
        row!(out,
            schemaname: schema_name(source, relation).as_str(),
            sequencename: relation.name.as_str(),
            sequenceowner: owner.map(|owner| owner.name.as_str()),
            data_type: Oid(sequence.ty.oid()),
            start_value: sequence.start,
            min_value: sequence.min,
            max_value: sequence.max,
            increment_by: sequence.increment,
            cycle: sequence.cycle,
            cache_size: sequence.cache,
            last_value: source.session.sequence_last_value(sequence),
        );
    }
    Ok(())
}

/// Without the sequences of identity columns, which the standard counts with their columns.
pub(super) fn schema_rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for (relation, sequence) in sequences(source) {
        if sequence.owner.is_some_and(|owner| owner.identity) {
            continue;
        }
        let bits = i32::from(sequence.ty.typlen()) * 8;
        row!(out,
            sequence_catalog: source.catalog.database.name.as_str(),
            sequence_schema: schema_name(source, relation).as_str(),
            sequence_name: relation.name.as_str(),
            data_type: sequence.ty.name().as_str(),
            numeric_precision: bits,
            numeric_precision_radix: 2,
            numeric_scale: 0,
            start_value: sequence.start.to_string().as_str(),
            minimum_value: sequence.min.to_string().as_str(),
            maximum_value: sequence.max.to_string().as_str(),
            increment: sequence.increment.to_string().as_str(),
            cycle_option: if sequence.cycle { "YES" } else { "NO" },
        );
    }
    Ok(())
}

//! `pg_index`: the indexes behind PRIMARY KEY and UNIQUE constraints.

use super::batch::{Rows, Value, row};
use super::index_of::{attnums, indexes};
use super::rows::{Source, SystemRowsError};
use super::type_facts;
use crate::catalog::object::{ConstraintKind, ConstraintTiming};

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for index in indexes(source.catalog) {
        let columns = i16::try_from(index.columns.len()).unwrap_or(i16::MAX);
        row!(out,
            indexrelid: index.oid,
            indrelid: index.relation.oid,
            indnatts: columns,
            indnkeyatts: columns,
            indisunique: true,
            indnullsnotdistinct: matches!(
                index.constraint.kind,
                ConstraintKind::Unique { nulls_not_distinct: true, .. }
            ),
            indisprimary: index.primary,
            indisexclusion: false,
            indimmediate: index.constraint.timing == ConstraintTiming::NotDeferrable,
            indisclustered: false,
            indisvalid: true,
            indcheckxmin: false,
            indisready: true,
            indislive: true,
            indisreplident: false,
            indkey: attnums(index.table, index.columns),
            indcollation: index.key().map(|c| type_facts::facts(&c.ty).collation).collect::<Vec<_>>(),
            indclass: index.key().map(|c| type_facts::operator_class(&c.ty)).collect::<Vec<_>>(),
            // Ascending, nulls last.
            indoption: vec![0i16; index.columns.len()],
            indexprs: Value::Null,
            indpred: Value::Null,
        );
    }
    Ok(())
}

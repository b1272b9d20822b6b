//! `pg_rewrite`: the query of each view, as the rule `_RETURN`.

use super::batch::{Rows, row};
use super::derived_oid;
use super::rows::{Source, SystemRowsError};

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for relation in source.catalog.relations.values() {
        let Some(view) = relation.view() else { continue };
        row!(out,
            oid: derived_oid::view_rule(relation.oid),
            rulename: "_RETURN",
            ev_class: relation.oid,
            // A rule on SELECT.
            ev_type: '1',
            ev_enabled: 'O',
            is_instead: true,
            ev_qual: "<>",
            ev_action: view.query.as_str(),
        );
    }
    Ok(())
}

//! `pg_matviews`

use super::batch::{Rows, row};
use super::rows::{Source, SystemRowsError};
use crate::catalog::object::RelationKind;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let catalog = source.catalog;
    for relation in catalog.relations.values() {
        let RelationKind::MaterializedView(view) = &relation.kind else { continue };
        let schema = catalog.schemas.get(&relation.schema);
        let owner = catalog.cluster.roles.get(&relation.owner);
        row!(out,
            schemaname: schema.map(|schema| schema.name.as_str()),
            matviewname: relation.name.as_str(),
            matviewowner: owner.map(|owner| owner.name.as_str()),
            tablespace: None::<&str>,
            hasindexes: !view.table.indexes.is_empty(),
            ispopulated: view.populated,
            definition: format!("{};", view.view.query).as_str(),
        );
    }
    Ok(())
}

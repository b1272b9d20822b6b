//! Policies: what CREATE, ALTER and DROP POLICY do to a table, and what goes when a relation does.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Policy, Relation, Table};
use crate::error::PgError;
use crate::planner::bind::sql::ddl::PolicyChange;
use crate::types::Oid;

pub(super) fn change(
    catalog: &mut Catalog,
    relation: &Relation,
    change: PolicyChange,
) -> Result<(), PgError> {
    // The relation as it is now, not as the statement found it.
    let relation = catalog.relation(relation.oid).cloned();
    let found = relation.as_ref().and_then(|relation| Some((relation, relation.table()?)));
    let Some((relation, table)) = found else {
        return Err(PgError::internal("the table of a policy is gone"));
    };
    let (relation, mut table) = (relation.as_ref().clone(), table.as_ref().clone());
    match change {
        PolicyChange::Create(policy) => {
            let policy = Policy { oid: catalog.allocate(), ..policy };
            table.row_security.put(policy);
        }
        PolicyChange::Alter(policy) => table.row_security.put(policy),
        PolicyChange::Drop(oid) => {
            table.row_security.policies.retain(|policy| policy.oid != oid);
            catalog.set_comment(oid, None);
        }
    }
    catalog.put_relation(relation.with_table(table));
    Ok(())
}

/// Policies of a table that cannot be without a relation, by name.
pub(super) fn reading(table: &Table, relation: Oid) -> impl Iterator<Item = &Policy> {
    table.row_security.policies.iter().filter(move |policy| policy.reads(relation))
}

/// Takes away the policies that read what goes.
pub(super) fn forget(table: &mut Table, going: &BTreeSet<Oid>) {
    let policies = &mut table.row_security.policies;
    policies.retain(|policy| !going.iter().any(|gone| policy.reads(*gone)));
}

/// Policies that need a column, with the tables they are on.
pub(super) fn on_column(
    catalog: &Catalog,
    own: (&Relation, &Table),
    attnum: i16,
) -> Vec<(Relation, Policy)> {
    let (relation, table) = own;
    let oid = relation.oid;
    let mut found: Vec<(Relation, Policy)> = Vec::new();
    let mut add = |relation: &Relation, table: &Table| {
        let policies = table.row_security.policies.iter();
        let needing = policies.filter(|policy| policy.uses(oid, attnum));
        found.extend(needing.map(|policy| (relation.clone(), policy.clone())));
    };
    add(relation, table);
    for other in catalog.dependents(oid) {
        if let Some(table) = other.table() {
            add(&other, table);
        }
    }
    found
}

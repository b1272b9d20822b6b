//! Roles that policies name.

use crate::catalog::{Catalog, Policy, Relation};
use crate::types::Oid;

/// Policies that are for a role by name, with their tables.
pub(in crate::access) fn naming(
    catalog: &Catalog,
    role: Oid,
) -> impl Iterator<Item = (&Relation, &Policy)> {
    catalog.relations.values().flat_map(move |relation| {
        let policies = relation.table().map_or(&[][..], |table| &table.row_security.policies);
        let named = policies.iter().filter(move |policy| policy.roles.contains(&role));
        named.map(move |policy| (relation.as_ref(), policy))
    })
}

/// Takes roles out of policies; a policy that is for no one else goes.
pub(in crate::access) fn forget_roles(catalog: &mut Catalog, roles: &[Oid]) {
    let named = |policy: &Policy| policy.roles.iter().any(|role| roles.contains(role));
    let tables: Vec<_> = catalog
        .relations
        .values()
        .filter(|relation| {
            relation.table().is_some_and(|table| table.row_security.policies.iter().any(named))
        })
        .cloned()
        .collect();
    for relation in tables {
        let Some(table) = relation.table() else { continue };
        let mut table = table.as_ref().clone();
        table.row_security.policies.retain_mut(|policy| {
            if !named(policy) {
                return true;
            }
            policy.roles.retain(|role| !roles.contains(role));
            !policy.roles.is_empty()
        });
        catalog.put_relation(relation.with_table(table));
    }
}

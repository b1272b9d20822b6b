//! `information_schema.table_privileges` and `column_privileges`: what was granted by or to a role of the reader's.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::batch::{Rows, row};
use super::rows::{Source, SystemRowsError};
use crate::catalog::acl::{Acl, AclClass, PUBLIC, Rights};
use crate::catalog::grants::class_of;
use crate::catalog::object::Relation;
use crate::types::Oid;

/// One right of one grantee.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Granted {
    grantor: Oid,
    grantee: Oid,
    right: &'static str,
    option: bool,
}

fn granted(acl: &Acl, known: Rights) -> impl Iterator<Item = Granted> {
    acl.0.iter().flat_map(move |item| {
        item.rights.and(known).each().map(|(right, name)| Granted {
            grantor: item.grantor,
            grantee: item.grantee,
            right: name,
            option: item.options.contains(right),
        })
    })
}

fn yes(value: bool) -> &'static str {
    if value { "YES" } else { "NO" }
}

struct Names<'a> {
    source: &'a Source<'a>,
    reader: Arc<crate::catalog::role::RoleSet>,
}

impl<'a> Names<'a> {
    fn new(source: &'a Source<'a>) -> Self {
        let reader = source.catalog.role_set(source.session.current_user());
        Self { source, reader }
    }

    /// Who granted it and to whom, if the reader may see it and neither is gone.
    fn parties(&self, one: &Granted) -> Option<(&str, &str)> {
        let roles = &self.reader;
        let sees = one.grantee == PUBLIC || roles.has(one.grantee) || roles.has(one.grantor);
        if !sees {
            return None;
        }
        Some((self.role(one.grantor)?, self.role(one.grantee)?))
    }

    /// `None` for a role that is gone.
    fn role(&self, oid: Oid) -> Option<&str> {
        match oid {
            PUBLIC => Some("PUBLIC"),
            oid => self.source.catalog.cluster.roles.get(&oid).map(|role| role.name.as_str()),
        }
    }

    fn grantable(&self, one: &Granted, owner: Oid) -> &'static str {
        let by_owner =
            one.grantee != PUBLIC && self.source.catalog.role_set(one.grantee).has(owner);
        yes(by_owner || one.option)
    }

    fn schema(&self, relation: &Relation) -> &str {
        let schema = self.source.catalog.schemas.get(&relation.schema);
        schema.map_or("", |schema| schema.name.as_str())
    }
}

/// Relations whose rights are those of tables.
fn tables<'a>(source: &'a Source<'_>) -> impl Iterator<Item = &'a Arc<Relation>> {
    source.catalog.relations.values().filter(|relation| class_of(relation) == AclClass::Table)
}

pub(super) fn table_rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let names = Names::new(source);
    for relation in tables(source) {
        let acl = source.catalog.relation_acl(relation);
        for one in granted(&acl, AclClass::Table.all()) {
            let Some((grantor, grantee)) = names.parties(&one) else { continue };
            row!(out,
                grantor: grantor,
                grantee: grantee,
                table_catalog: source.catalog.database.name.as_str(),
                table_schema: names.schema(relation),
                table_name: relation.name.as_str(),
                privilege_type: one.right,
                is_grantable: names.grantable(&one, relation.owner),
                with_hierarchy: yes(one.right == "SELECT"),
            );
        }
    }
    Ok(())
}

pub(super) fn column_rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let names = Names::new(source);
    let known = AclClass::Column.all();
    for relation in tables(source) {
        let whole = source.catalog.relation_acl(relation);
        for column in relation.columns() {
            let own = source.catalog.grants.columns.get(&(relation.oid, column.attnum));
            let own = own.into_iter().flat_map(|acl| granted(acl, known));
            let all: BTreeSet<Granted> = granted(&whole, known).chain(own).collect();
            for one in &all {
                let Some((grantor, grantee)) = names.parties(one) else { continue };
                row!(out,
                    grantor: grantor,
                    grantee: grantee,
                    table_catalog: source.catalog.database.name.as_str(),
                    table_schema: names.schema(relation),
                    table_name: relation.name.as_str(),
                    column_name: column.name.as_str(),
                    privilege_type: one.right,
                    is_grantable: names.grantable(one, relation.owner),
                );
            }
        }
    }
    Ok(())
}

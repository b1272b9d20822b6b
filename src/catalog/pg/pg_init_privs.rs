//! `pg_init_privs`: rights that the system's own objects have from the start, which a dump leaves out.

use super::PUBLIC_OID;
use super::batch::{Rows, row};
use super::describe::acl_texts;
use super::rows::{Source, SystemRowsError};
use crate::catalog::acl::Acl;
use crate::catalog::grants::{system_relation_acl, system_schema_acl};
use crate::types::Oid;

const PG_CLASS: Oid = Oid(1259);
const PG_NAMESPACE: Oid = Oid(2615);

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let catalog = source.catalog;
    let mut put = |class: Oid, oid: Oid, acl: &Acl| {
        row!(out,
            objoid: oid,
            classoid: class,
            objsubid: 0,
            privtype: 'i',
            initprivs: acl_texts(catalog, acl),
        );
        Ok::<_, SystemRowsError>(())
    };
    for relation in catalog.relations.values() {
        if let Some(acl) = system_relation_acl(relation) {
            put(PG_CLASS, relation.oid, &acl)?;
        }
    }
    for (oid, schema) in catalog.schemas.iter().filter(|(oid, _)| **oid != PUBLIC_OID) {
        if let Some(acl) = system_schema_acl(*oid, schema.owner) {
            put(PG_NAMESPACE, *oid, &acl)?;
        }
    }
    Ok(())
}

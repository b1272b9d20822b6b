//! `pg_default_acl`: what new objects are born with.

use super::batch::{Rows, row};
use super::describe::acl_texts;
use super::rows::{Source, SystemRowsError};
use crate::catalog::acl::AclClass;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for rights in source.catalog.grants.defaults.values() {
        let kind = match rights.class {
            AclClass::Sequence => 'S',
            AclClass::Function => 'f',
            AclClass::Type => 'T',
            AclClass::Schema => 'n',
            _ => 'r',
        };
        row!(out,
            oid: rights.oid,
            defaclrole: rights.role,
            defaclnamespace: rights.schema,
            defaclobjtype: kind,
            defaclacl: acl_texts(source.catalog, &rights.acl),
        );
    }
    Ok(())
}

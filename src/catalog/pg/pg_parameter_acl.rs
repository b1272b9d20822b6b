//! `pg_parameter_acl`: parameters that something was granted of.

use super::batch::{Rows, row};
use super::describe::acl_texts;
use super::rows::{Source, SystemRowsError};
use crate::catalog::acl::AclClass;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let catalog = source.catalog;
    for parameter in catalog.cluster.parameters.values() {
        if parameter.tenant != catalog.database.tenant {
            continue;
        }
        let acl = catalog.stored_acl(AclClass::Parameter, parameter.oid);
        row!(out,
            oid: parameter.oid,
            parname: parameter.name.as_str(),
            paracl: acl.map(|acl| acl_texts(catalog, &acl)),
        );
    }
    Ok(())
}

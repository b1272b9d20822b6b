//! `pg_auth_members`: which roles are members of which, as the reader's tenant sees them.

use super::batch::{Rows, row};
use super::rows::{Source, SystemRowsError};

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let catalog = source.catalog;
    for membership in catalog.cluster.memberships.values() {
        if catalog.role(membership.role).is_none() || catalog.role(membership.member).is_none() {
            continue;
        }
        row!(out,
            roleid: membership.role,
            member: membership.member,
            grantor: membership.grantor,
            admin_option: membership.admin,
        );
    }
    Ok(())
}

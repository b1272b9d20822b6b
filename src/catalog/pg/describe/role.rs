//! Roles by name, and the rights an owner has by default.

use super::name::quote_identifier;
use crate::catalog::Catalog;
use crate::catalog::object::Role;
use crate::types::Oid;

/// PostgreSQL 15's predefined roles: clients ask whether one is a member of them. Nobody is.
pub static PREDEFINED_ROLES: &[(Oid, &str)] = &[
    (Oid(3373), "pg_monitor"),
    (Oid(3374), "pg_read_all_settings"),
    (Oid(3375), "pg_read_all_stats"),
    (Oid(3377), "pg_stat_scan_tables"),
    (Oid(4200), "pg_signal_backend"),
    (Oid(4544), "pg_checkpoint"),
    (Oid(4569), "pg_read_server_files"),
    (Oid(4570), "pg_write_server_files"),
    (Oid(4571), "pg_execute_server_program"),
    (Oid(6171), "pg_database_owner"),
    (Oid(6181), "pg_read_all_data"),
    (Oid(6182), "pg_write_all_data"),
];

/// The bootstrap superuser, which owns the system catalog in every database.
const BOOTSTRAP_SUPERUSER: Oid = Oid(10);

/// Whether a role exists as seen from this database: it is of the same tenant, or owns the catalog.
pub fn is_visible_role(catalog: &Catalog, role: &Role) -> bool {
    role.tenant == catalog.database.tenant || role.oid == BOOTSTRAP_SUPERUSER
}

/// A role's name; `None` if there is none.
pub fn role_name(catalog: &Catalog, oid: Oid) -> Option<String> {
    let role = catalog.cluster.roles.get(&oid).filter(|role| is_visible_role(catalog, role));
    role.map(|role| role.name.clone()).or_else(|| {
        let predefined = PREDEFINED_ROLES.iter().find(|(role, _)| *role == oid);
        predefined.map(|(_, name)| (*name).to_owned())
    })
}

/// `pg_get_userbyid`.
pub fn user_by_id(catalog: &Catalog, oid: Oid) -> String {
    role_name(catalog, oid).unwrap_or_else(|| format!("unknown (OID={oid})"))
}

/// `acldefault`: the rights that hold while an object's list is null, in `aclitem` form. `kind` is a
/// letter of `acldefault`'s first argument; an unknown one gives `None`.
pub fn default_acl(catalog: &Catalog, kind: char, owner: Oid) -> Option<Vec<String>> {
    let (public, own) = match kind {
        'c' => ("", ""),
        'r' => ("", "arwdDxt"),
        's' => ("", "rwU"),
        'd' => ("Tc", "CTc"),
        'f' => ("X", "X"),
        'l' | 'T' => ("U", "U"),
        'L' => ("", "rw"),
        'n' => ("", "UC"),
        't' => ("", "C"),
        'F' | 'S' => ("", "U"),
        'p' => ("", "sA"),
        _ => return None,
    };
    let owner = quote_identifier(&user_by_id(catalog, owner));
    let for_public = (!public.is_empty()).then(|| format!("={public}/{owner}"));
    let for_owner = (!own.is_empty()).then(|| format!("{owner}={own}/{owner}"));
    Some(for_public.into_iter().chain(for_owner).collect())
}

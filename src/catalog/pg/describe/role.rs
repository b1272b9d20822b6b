//! Roles by name, and the rights an owner has by default.

use crate::catalog::Catalog;
use crate::catalog::acl::{Acl, AclClass};
use crate::types::Oid;

/// A role's name; `None` if there is none.
pub fn role_name(catalog: &Catalog, oid: Oid) -> Option<String> {
    catalog.role(oid).map(|role| role.name.clone())
}

/// `pg_get_userbyid`.
pub fn user_by_id(catalog: &Catalog, oid: Oid) -> String {
    role_name(catalog, oid).unwrap_or_else(|| format!("unknown (OID={oid})"))
}

/// An ACL's items as `aclitem` texts.
pub fn acl_texts(catalog: &Catalog, acl: &Acl) -> Vec<String> {
    acl.texts(|oid| match catalog.cluster.roles.get(&oid) {
        Some(role) => quote_acl_name(&role.name),
        None => oid.to_string(),
    })
}

/// A role's name in an `aclitem`: in quotes if it has anything but letters, digits and underscores.
fn quote_acl_name(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    match name.bytes().all(plain) && !name.is_empty() {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// `acldefault`: the rights that hold while an object's list is null, in `aclitem` form. `kind` is a
/// letter of `acldefault`'s first argument; an unknown one gives `None`.
pub fn default_acl(catalog: &Catalog, kind: char, owner: Oid) -> Option<Vec<String>> {
    let class = AclClass::of_letter(kind)?;
    Some(acl_texts(catalog, &class.default_acl(owner)))
}

//! The cluster's objects in the store, and how two changes of them become one.

use std::collections::BTreeMap;

use crate::catalog::snapshot::{Cluster, next_version};
use crate::catalog::stored::{
    ObjectChange, Objects, acl_class_number, acl_key, decode, differences, encode, key, oid,
};
use crate::error::{PgError, SqlState};
use crate::storage::wal::ObjectKey;
use crate::types::Oid;

const ROLE: u8 = 1;
const DATABASE: u8 = 2;
/// The counter of OIDs, under OID 0.
const NEXT_OID: u8 = 6;
/// A membership: role in the upper, member in the lower 32 bits.
const MEMBERSHIP: u8 = 8;
/// An ACL: class in the upper, OID in the lower 32 bits.
const ACL: u8 = 9;
const PARAMETER: u8 = 10;
/// Settings of a role in a database: database in the upper, role in the lower 32 bits.
const SETTINGS: u8 = 11;
const COMMENT: u8 = 12;

fn pair(kind: u8, (high, low): (Oid, Oid)) -> ObjectKey {
    ObjectKey { kind, id: (u64::from(high.0) << 32) | u64::from(low.0) }
}

fn unpair(key: ObjectKey) -> (Oid, Oid) {
    (Oid((key.id >> 32) as u32), Oid(key.id as u32))
}

impl Cluster {
    /// The objects that it has otherwise than `base`, the one it was made from.
    ///
    /// # Errors
    /// `XX000`: our own defect.
    pub fn changes_since(&self, base: &Self) -> Result<Vec<ObjectChange>, PgError> {
        let mut changes = Vec::new();
        let out = &mut changes;
        differences(&self.roles, &base.roles, out, |oid| Some(key(ROLE, *oid)))?;
        differences(&self.databases, &base.databases, out, |oid| Some(key(DATABASE, *oid)))?;
        differences(&self.memberships, &base.memberships, out, |ids| Some(pair(MEMBERSHIP, *ids)))?;
        differences(&self.acls, &base.acls, out, |(class, oid)| {
            let id = (u64::from(acl_class_number(*class)) << 32) | u64::from(oid.0);
            Some(ObjectKey { kind: ACL, id })
        })?;
        differences(&self.parameters, &base.parameters, out, |oid| Some(key(PARAMETER, *oid)))?;
        differences(&self.settings, &base.settings, out, |ids| Some(pair(SETTINGS, *ids)))?;
        differences(&self.comments, &base.comments, out, |oid| Some(key(COMMENT, *oid)))?;
        changes.push((key(NEXT_OID, Oid::INVALID), Some(encode(&self.next_oid.peek())?)));
        Ok(changes)
    }

    /// All of its objects.
    ///
    /// # Errors
    /// `XX000`: our own defect.
    pub fn stored_objects(&self) -> Result<Objects, PgError> {
        let changes = self.changes_since(&Self::default())?;
        Ok(changes.into_iter().filter_map(|(key, object)| Some((key, object?))).collect())
    }

    /// The cluster of the objects that were stored.
    ///
    /// # Errors
    /// `XX001` if one of them cannot be read.
    pub fn of_objects(objects: &Objects) -> Result<Self, PgError> {
        let mut cluster = Self { version: next_version(), ..Self::default() };
        for (key, bytes) in objects {
            cluster.put(*key, bytes)?;
        }
        let used = cluster.roles.keys().chain(cluster.databases.keys()).map(|oid| oid.0 + 1);
        cluster.next_oid.at_least(used.max().unwrap_or(0));
        Ok(cluster)
    }

    fn put(&mut self, key: ObjectKey, bytes: &[u8]) -> Result<(), PgError> {
        match key.kind {
            ROLE => {
                self.roles.insert(oid(key)?, decode(key, bytes)?);
            }
            DATABASE => {
                self.databases.insert(oid(key)?, decode(key, bytes)?);
            }
            NEXT_OID => self.next_oid.at_least(decode(key, bytes)?),
            MEMBERSHIP => {
                self.memberships.insert(unpair(key), decode(key, bytes)?);
            }
            ACL => {
                self.acls.insert(acl_key(key)?, decode(key, bytes)?);
            }
            PARAMETER => {
                self.parameters.insert(oid(key)?, decode(key, bytes)?);
            }
            SETTINGS => {
                self.settings.insert(unpair(key), decode(key, bytes)?);
            }
            COMMENT => {
                self.comments.insert(oid(key)?, decode(key, bytes)?);
            }
            _ => {
                let what = format!("cluster object {} is of unknown kind", key.id);
                let detail = format!("Its kind is {}.", key.kind);
                return Err(PgError::new(SqlState::DATA_CORRUPTED, what).detail(detail));
            }
        }
        Ok(())
    }

    /// What a transaction made of `base`, done to the newest cluster instead.
    ///
    /// # Errors
    /// `40001` if both changed the same object.
    pub fn merged(&self, base: &Self, newest: &Self) -> Result<Self, PgError> {
        Ok(Self {
            version: next_version(),
            roles: merge(&self.roles, &base.roles, &newest.roles)?,
            databases: merge(&self.databases, &base.databases, &newest.databases)?,
            memberships: merge(&self.memberships, &base.memberships, &newest.memberships)?,
            acls: merge(&self.acls, &base.acls, &newest.acls)?,
            parameters: merge(&self.parameters, &base.parameters, &newest.parameters)?,
            settings: merge(&self.settings, &base.settings, &newest.settings)?,
            comments: merge(&self.comments, &base.comments, &newest.comments)?,
            next_oid: newest.next_oid.clone(),
            role_sets: Default::default(),
        })
    }
}

fn merge<K: Ord + Clone, V: Clone + PartialEq>(
    mine: &BTreeMap<K, V>,
    base: &BTreeMap<K, V>,
    newest: &BTreeMap<K, V>,
) -> Result<BTreeMap<K, V>, PgError> {
    let mut merged = newest.clone();
    let keys = mine.keys().chain(base.keys().filter(|key| !mine.contains_key(key)));
    for key in keys {
        let (now, before) = (mine.get(key), base.get(key));
        if now == before {
            continue;
        }
        if newest.get(key) != before {
            return Err(PgError::new(
                SqlState::T_R_SERIALIZATION_FAILURE,
                "could not serialize access due to concurrent change of the catalog",
            )
            .hint("Run the transaction again."));
        }
        match now {
            Some(value) => merged.insert(key.clone(), value.clone()),
            None => merged.remove(key),
        };
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Role;
    use crate::types::TenantId;

    fn cluster(names: &[(u32, &str)]) -> Cluster {
        let mut cluster = Cluster::default();
        for (oid, name) in names {
            cluster.roles.insert(Oid(*oid), Role::new(Oid(*oid), name, TenantId::SYSTEM));
        }
        cluster
    }

    #[test]
    fn changes_of_different_roles_are_both_done() {
        let base = cluster(&[(1, "a"), (2, "b")]);
        let mine = cluster(&[(1, "a"), (2, "mine"), (3, "c")]);
        let newest = cluster(&[(2, "b")]);
        let merged = mine.merged(&base, &newest).unwrap();
        let names: Vec<&str> = merged.roles.values().map(|role| role.name.as_str()).collect();
        assert_eq!(names, ["mine", "c"]);
        let theirs = cluster(&[(1, "a"), (2, "theirs")]);
        assert_eq!(
            mine.merged(&base, &theirs).unwrap_err().code(),
            SqlState::T_R_SERIALIZATION_FAILURE
        );
    }

    #[test]
    fn what_is_stored_comes_back() {
        let mut one = cluster(&[(10, "system"), (16_400, "a")]);
        one.settings.insert((Oid(0), Oid(10)), vec![("work_mem".into(), "1MB".into())]);
        let read = Cluster::of_objects(&one.stored_objects().unwrap()).unwrap();
        assert_eq!(read.roles, one.roles);
        assert_eq!(read.settings, one.settings);
        assert_eq!(read.next_oid.take(), Oid(16_401));
    }
}

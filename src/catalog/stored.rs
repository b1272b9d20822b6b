//! Catalog objects as the storage keeps them: a key, and bytes that say what the object is.
//!
//! ```text
//! object    version:u8=1  JSON: the fields of the object by name
//! ```
//!
//! A commit stores the objects that it changed, a checkpoint all of them. Relations of the system (OIDs below 16384)
//! are not stored: each start makes them anew. Temporary ones are not either: no session outlives the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::catalog::acl::AclClass;
use crate::catalog::object::{Persistence, Relation, RelationKind, Table};
use crate::catalog::pg::PUBLIC_OID;
use crate::catalog::snapshot::Catalog;
use crate::error::{PgError, SqlState};
use crate::storage::CounterRecord;
use crate::storage::wal::ObjectKey;
use crate::types::Oid;

const VERSION: u8 = 1;

const SCHEMA: u8 = 3;
const RELATION: u8 = 4;
const COMMENT: u8 = 5;
/// The database's counter of OIDs, under OID 0.
const NEXT_OID: u8 = 6;
/// Where a sequence's counter stands, under the counter's number.
const COUNTER: u8 = 7;
/// An ACL: class in the upper, OID in the lower 32 bits.
const ACL: u8 = 8;
/// A column's ACL: table above the lower 16 bits, `attnum` in them.
const COLUMN_ACL: u8 = 9;
/// Default rights, by their OID.
const DEFAULT_RIGHTS: u8 = 10;
/// Rights on parts of a graph, by the graph's OID.
const GRAPH_RULES: u8 = 11;

/// A function that CREATE FUNCTION made.
const FUNCTION: u8 = 12;

/// A type that CREATE TYPE made.
const TYPE: u8 = 13;

/// An object's key, and what it is now; `None` if it is gone.
pub type ObjectChange = (ObjectKey, Option<Vec<u8>>);

/// Stored objects by key.
pub type Objects = BTreeMap<ObjectKey, Vec<u8>>;

/// Fields behind an `Arc`, stored as what they point to.
pub(super) mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &Arc<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(deserializer).map(Arc::new)
    }
}

pub(super) fn encode(object: &impl Serialize) -> Result<Vec<u8>, PgError> {
    let mut out = vec![VERSION];
    serde_json::to_writer(&mut out, object)
        .map_err(|error| PgError::internal(format!("could not store a catalog object: {error}")))?;
    Ok(out)
}

pub(super) fn decode<T: DeserializeOwned>(key: ObjectKey, bytes: &[u8]) -> Result<T, PgError> {
    let damaged = |reason: &dyn std::fmt::Display| {
        let what = format!("catalog object {} of kind {} cannot be read", key.id, key.kind);
        PgError::new(SqlState::DATA_CORRUPTED, what).detail(reason.to_string())
    };
    match bytes.split_first() {
        Some((&VERSION, json)) => serde_json::from_slice(json).map_err(|error| damaged(&error)),
        Some((version, _)) => Err(damaged(&format!("Its format version is {version}."))),
        None => Err(damaged(&"It is empty.")),
    }
}

pub(super) fn key(kind: u8, oid: Oid) -> ObjectKey {
    ObjectKey { kind, id: u64::from(oid.0) }
}

pub(super) fn oid(key: ObjectKey) -> Result<Oid, PgError> {
    u32::try_from(key.id)
        .map(Oid)
        .map_err(|_| PgError::new(SqlState::DATA_CORRUPTED, format!("{} is not an OID", key.id)))
}

/// A counter's record as an object.
pub fn counter_object(record: CounterRecord) -> (ObjectKey, Vec<u8>) {
    let key = ObjectKey { kind: COUNTER, id: record.id };
    let mut object = vec![VERSION];
    object.extend_from_slice(format!("[{},{}]", record.value, record.called).as_bytes());
    (key, object)
}

/// The counters among stored objects.
///
/// # Errors
/// `XX001` if one of them cannot be read.
pub fn counters(objects: &Objects) -> Result<Vec<CounterRecord>, PgError> {
    let counters = objects.iter().filter(|(key, _)| key.kind == COUNTER);
    counters
        .map(|(key, bytes)| {
            let (value, called) = decode(*key, bytes)?;
            Ok(CounterRecord { id: key.id, value, called })
        })
        .collect()
}

/// Whether rows and definition of a relation outlive the process.
fn is_stored(relation: &Relation) -> bool {
    relation.oid >= Oid::FIRST_NORMAL
        && relation.persistence != Persistence::Temporary
        && !matches!(relation.kind, RelationKind::System(_))
}

/// The schemas of temporary tables are a session's own.
fn is_temporary_schema(name: &str) -> bool {
    name.starts_with("pg_temp_") || name.starts_with("pg_toast_temp_")
}

impl Catalog {
    /// Whether the rows of a table outlive the process; not those of a temporary table.
    pub fn keeps_rows_of(&self, table: Oid) -> bool {
        self.relation(table).is_none_or(|relation| is_stored(relation))
    }

    /// The objects that this catalog has otherwise than `base`, the one it was made from.
    ///
    /// Costs a comparison of pointers for each relation.
    ///
    /// # Errors
    /// `XX000`: our own defect.
    pub fn changes_since(&self, base: &Self) -> Result<Vec<ObjectChange>, PgError> {
        let mut changes = Vec::new();
        let mut add = |kind, oid, object| changes.push((key(kind, oid), object));
        if !Arc::ptr_eq(&self.relations, &base.relations) {
            for (oid, relation) in self.relations.iter().filter(|(_, new)| is_stored(new)) {
                let old = base.relations.get(oid);
                if !old.is_some_and(|old| Arc::ptr_eq(old, relation)) {
                    add(RELATION, *oid, Some(encode(relation.as_ref())?));
                }
            }
            for (oid, _) in base.relations.iter().filter(|(_, old)| is_stored(old)) {
                if !self.relations.contains_key(oid) {
                    add(RELATION, *oid, None);
                }
            }
        }
        let is_kept = |name: &str| !is_temporary_schema(name);
        for (oid, schema) in self.schemas.iter().filter(|(_, schema)| is_kept(&schema.name)) {
            if base.schemas.get(oid) != Some(schema) {
                add(SCHEMA, *oid, Some(encode(schema)?));
            }
        }
        for (oid, schema) in base.schemas.iter() {
            if is_kept(&schema.name) && !self.schemas.contains_key(oid) {
                add(SCHEMA, *oid, None);
            }
        }
        for (oid, comment) in self.comments.iter() {
            if base.comments.get(oid) != Some(comment) {
                add(COMMENT, *oid, Some(encode(comment)?));
            }
        }
        for oid in base.comments.keys().filter(|oid| !self.comments.contains_key(oid)) {
            add(COMMENT, *oid, None);
        }
        if !Arc::ptr_eq(&self.functions, &base.functions) {
            differences(&self.functions, &base.functions, &mut changes, |oid| {
                Some(key(FUNCTION, *oid))
            })?;
        }
        if !Arc::ptr_eq(&self.types, &base.types) {
            differences(&self.types, &base.types, &mut changes, |oid| Some(key(TYPE, *oid)))?;
        }
        let mut add = |kind, oid, object| changes.push((key(kind, oid), object));
        if self.next_oid != base.next_oid {
            add(NEXT_OID, Oid::INVALID, Some(encode(&self.next_oid)?));
        }
        if !Arc::ptr_eq(&self.grants, &base.grants) {
            let (new, old) = (&self.grants, &base.grants);
            let temporary = |oid: Oid| !self.keeps_rows_of(oid);
            differences(&new.objects, &old.objects, &mut changes, |(class, oid)| {
                let id = (u64::from(acl_class_number(*class)) << 32) | u64::from(oid.0);
                let is_kept = *class != AclClass::Table || !temporary(*oid);
                is_kept.then_some(ObjectKey { kind: ACL, id })
            })?;
            differences(&new.columns, &old.columns, &mut changes, |(table, attnum)| {
                let id = (u64::from(table.0) << 16) | u64::from(attnum.cast_unsigned());
                (!temporary(*table)).then_some(ObjectKey { kind: COLUMN_ACL, id })
            })?;
            differences(&new.defaults, &old.defaults, &mut changes, |oid| {
                Some(key(DEFAULT_RIGHTS, *oid))
            })?;
            differences(&new.graph_rules, &old.graph_rules, &mut changes, |oid| {
                Some(key(GRAPH_RULES, *oid))
            })?;
        }
        Ok(changes)
    }

    /// All of its objects that are stored.
    ///
    /// # Errors
    /// `XX000`: our own defect.
    pub fn stored_objects(&self) -> Result<Objects, PgError> {
        let nothing = Self {
            schemas: Arc::default(),
            relations: Arc::default(),
            names: Arc::default(),
            comments: Arc::default(),
            functions: Arc::default(),
            types: Arc::default(),
            grants: Arc::default(),
            index_names: Default::default(),
            next_oid: 0,
            ..self.clone()
        };
        let changes = self.changes_since(&nothing)?;
        Ok(changes.into_iter().filter_map(|(key, object)| Some((key, object?))).collect())
    }

    /// This catalog, which has the system's relations, with the objects that were stored.
    ///
    /// # Errors
    /// `XX001` if one of them cannot be read.
    pub fn with_objects(mut self, objects: &Objects) -> Result<Self, PgError> {
        for (key, bytes) in objects {
            match key.kind {
                SCHEMA => self.put_schema(decode(*key, bytes)?),
                RELATION => self.put_relation(with_schemas(decode(*key, bytes)?)),
                COMMENT => {
                    Arc::make_mut(&mut self.comments).insert(oid(*key)?, decode(*key, bytes)?);
                }
                NEXT_OID => self.next_oid = self.next_oid.max(decode(*key, bytes)?),
                ACL => {
                    let (class, oid) = acl_key(*key)?;
                    let objects = &mut Arc::make_mut(&mut self.grants).objects;
                    objects.insert((class, oid), decode(*key, bytes)?);
                }
                COLUMN_ACL => {
                    let attnum = ((key.id & 0xffff) as u16).cast_signed();
                    let table = oid(ObjectKey { kind: key.kind, id: key.id >> 16 })?;
                    let columns = &mut Arc::make_mut(&mut self.grants).columns;
                    columns.insert((table, attnum), decode(*key, bytes)?);
                }
                DEFAULT_RIGHTS => {
                    let defaults = &mut Arc::make_mut(&mut self.grants).defaults;
                    defaults.insert(oid(*key)?, decode(*key, bytes)?);
                }
                GRAPH_RULES => {
                    let rules = &mut Arc::make_mut(&mut self.grants).graph_rules;
                    rules.insert(oid(*key)?, decode(*key, bytes)?);
                }
                FUNCTION => self.put_function(decode(*key, bytes)?),
                // What uses it is stored with it as it is.
                TYPE => self.put_type(decode(*key, bytes)?),
                // Not part of the catalog: no transaction moves it back.
                COUNTER => {}
                _ => {
                    let what = format!("catalog object {} is of unknown kind", key.id);
                    let detail = format!("Its kind is {}.", key.kind);
                    return Err(PgError::new(SqlState::DATA_CORRUPTED, what).detail(detail));
                }
            }
        }
        // It was stored when the database was made, so if it is not there now, it was dropped.
        if !objects.contains_key(&key(SCHEMA, PUBLIC_OID)) {
            self.remove_schema(PUBLIC_OID);
        }
        Ok(self)
    }
}

fn with_schemas(relation: Relation) -> Relation {
    match relation.table() {
        Some(table) => {
            let table = Table::clone(table).with_schema();
            relation.with_table(table)
        }
        None => relation,
    }
}

/// The objects of a map that are otherwise than in `old`; those without a key are not stored.
pub(super) fn differences<K: Ord, V: PartialEq + Serialize>(
    new: &BTreeMap<K, V>,
    old: &BTreeMap<K, V>,
    changes: &mut Vec<ObjectChange>,
    key: impl Fn(&K) -> Option<ObjectKey>,
) -> Result<(), PgError> {
    for (id, value) in new {
        if old.get(id) != Some(value)
            && let Some(key) = key(id)
        {
            changes.push((key, Some(encode(value)?)));
        }
    }
    let gone = old.keys().filter(|id| !new.contains_key(id));
    changes.extend(gone.filter_map(|id| Some((key(id)?, None))));
    Ok(())
}

/// How classes are numbered in the store.
const ACL_CLASSES: [(AclClass, u32); 14] = [
    (AclClass::Table, 1),
    (AclClass::Sequence, 2),
    (AclClass::Graph, 3),
    (AclClass::Column, 4),
    (AclClass::Database, 5),
    (AclClass::Schema, 6),
    (AclClass::Function, 7),
    (AclClass::Type, 8),
    (AclClass::Language, 9),
    (AclClass::Parameter, 10),
    (AclClass::Tablespace, 11),
    (AclClass::ForeignDataWrapper, 12),
    (AclClass::ForeignServer, 13),
    (AclClass::LargeObject, 14),
];

pub(super) fn acl_class_number(class: AclClass) -> u32 {
    ACL_CLASSES.iter().find(|(known, _)| *known == class).map_or(0, |(_, number)| *number)
}

/// The class and OID of an ACL's key.
pub(super) fn acl_key(key: ObjectKey) -> Result<(AclClass, Oid), PgError> {
    let number = key.id >> 32;
    let class = ACL_CLASSES.iter().find(|(_, known)| u64::from(*known) == number);
    let (class, _) = class.ok_or_else(|| {
        let what = format!("an ACL is of unknown class {number}");
        PgError::new(SqlState::DATA_CORRUPTED, what)
    })?;
    Ok((*class, oid(ObjectKey { kind: key.kind, id: key.id & 0xffff_ffff })?))
}

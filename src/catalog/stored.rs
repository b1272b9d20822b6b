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

use crate::catalog::object::{Persistence, Relation, RelationKind, Table};
use crate::catalog::pg::PUBLIC_OID;
use crate::catalog::snapshot::{Catalog, Cluster};
use crate::error::{PgError, SqlState};
use crate::storage::CounterRecord;
use crate::storage::wal::ObjectKey;
use crate::types::Oid;

const VERSION: u8 = 1;

const ROLE: u8 = 1;
const DATABASE: u8 = 2;
const SCHEMA: u8 = 3;
const RELATION: u8 = 4;
const COMMENT: u8 = 5;
/// The database's counter of OIDs, under OID 0.
const NEXT_OID: u8 = 6;
/// Where a sequence's counter stands, under the counter's number.
const COUNTER: u8 = 7;

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

fn encode(object: &impl Serialize) -> Result<Vec<u8>, PgError> {
    let mut out = vec![VERSION];
    serde_json::to_writer(&mut out, object)
        .map_err(|error| PgError::internal(format!("could not store a catalog object: {error}")))?;
    Ok(out)
}

fn decode<T: DeserializeOwned>(key: ObjectKey, bytes: &[u8]) -> Result<T, PgError> {
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

fn key(kind: u8, oid: Oid) -> ObjectKey {
    ObjectKey { kind, id: u64::from(oid.0) }
}

fn oid(key: ObjectKey) -> Result<Oid, PgError> {
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
        if self.next_oid != base.next_oid {
            add(NEXT_OID, Oid::INVALID, Some(encode(&self.next_oid)?));
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

impl Cluster {
    /// All of its objects.
    ///
    /// # Errors
    /// `XX000`: our own defect.
    pub fn stored_objects(&self) -> Result<Objects, PgError> {
        let roles = self.roles.iter().map(|(oid, role)| (ROLE, *oid, encode(role)));
        let databases = self.databases.iter().map(|(oid, one)| (DATABASE, *oid, encode(one)));
        roles.chain(databases).map(|(kind, oid, object)| Ok((key(kind, oid), object?))).collect()
    }

    /// The cluster of the objects that were stored.
    ///
    /// # Errors
    /// `XX001` if one of them cannot be read.
    pub fn of_objects(objects: &Objects) -> Result<Self, PgError> {
        let mut cluster = Self::default();
        for (key, bytes) in objects {
            match key.kind {
                ROLE => {
                    cluster.roles.insert(oid(*key)?, decode(*key, bytes)?);
                }
                DATABASE => {
                    cluster.databases.insert(oid(*key)?, decode(*key, bytes)?);
                }
                _ => {
                    let what = format!("cluster object {} is of unknown kind", key.id);
                    let detail = format!("Its kind is {}.", key.kind);
                    return Err(PgError::new(SqlState::DATA_CORRUPTED, what).detail(detail));
                }
            }
        }
        Ok(cluster)
    }
}

//! `pg_class`: tables, views, property graphs, system relations and indexes.

use std::collections::BTreeSet;

use super::batch::{Rows, Value, row};
use super::definition::{GRAPHWIRE_OID, system_relation};
use super::derived_oid;
use super::describe::acl_texts;
use super::index_of::{indexes, indexes_of, stored};
use super::rows::{Source, SystemRowsError};
use crate::catalog::acl::AclClass;
use crate::catalog::object::{ConstraintKind, IndexMethod, Persistence, Relation, RelationKind};
use crate::types::Oid;

const HEAP: Oid = Oid(2);
const BTREE: Oid = Oid(403);
const HASH: Oid = Oid(405);
const PAGE_BYTES: u64 = 8192;
/// `pg_class.reltuples` where the number is not known.
const UNKNOWN_TUPLES: f32 = -1.0;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let foreign = foreign_key_ends(source);
    let listed = |relation: &&std::sync::Arc<Relation>| relation.schema != GRAPHWIRE_OID;
    for relation in source.catalog.relations.values().filter(listed) {
        push(source, out, &Entry::of_relation(relation, foreign.contains(&relation.oid)))?;
    }
    for ty in source.catalog.types.values() {
        let Some(row) = ty.row() else { continue };
        let entry = Entry {
            oid: row.relation,
            name: ty.name(),
            schema: ty.schema,
            row_type: ty.oid(),
            owner: ty.owner,
            access_method: Oid::INVALID,
            file: Oid::INVALID,
            relkind: 'c',
            attributes: row.ty.fields.len() as i64,
            checks: 0,
            has_index: false,
            has_rule: false,
            has_trigger: false,
            replica_identity: 'n',
            persistence: Persistence::Permanent,
            populated: true,
            options: &[],
            row_security: (false, false),
        };
        push(source, out, &entry)?;
    }
    for index in indexes(source.catalog) {
        let entry = Entry {
            oid: index.oid,
            name: index.name(),
            schema: index.relation.schema,
            row_type: Oid::INVALID,
            owner: index.relation.owner,
            access_method: match index.method {
                IndexMethod::Btree => BTREE,
                IndexMethod::Hash => HASH,
            },
            file: index.oid,
            relkind: 'i',
            attributes: index.width() as i64,
            checks: 0,
            has_index: false,
            has_rule: false,
            has_trigger: false,
            replica_identity: 'n',
            persistence: index.relation.persistence,
            populated: true,
            options: &[],
            row_security: (false, false),
        };
        push(source, out, &entry)?;
    }
    Ok(())
}

/// Tables at either end of a foreign key. PostgreSQL enforces those by triggers, and psql looks for
/// foreign keys only where `relhastriggers` is set.
fn foreign_key_ends(source: &Source<'_>) -> BTreeSet<Oid> {
    let mut ends = BTreeSet::new();
    for relation in source.catalog.relations.values() {
        for constraint in stored(relation).into_iter().flat_map(|table| &table.constraints) {
            if let ConstraintKind::ForeignKey { referenced, .. } = &constraint.kind {
                ends.insert(relation.oid);
                ends.insert(*referenced);
            }
        }
    }
    ends
}

/// The parts of a row in which kinds of relations differ.
struct Entry<'a> {
    oid: Oid,
    name: &'a str,
    schema: Oid,
    row_type: Oid,
    owner: Oid,
    access_method: Oid,
    file: Oid,
    relkind: char,
    attributes: i64,
    checks: i64,
    has_index: bool,
    has_rule: bool,
    has_trigger: bool,
    replica_identity: char,
    persistence: Persistence,
    populated: bool,
    options: &'a [String],
    /// Enabled, and forced.
    row_security: (bool, bool),
}

impl<'a> Entry<'a> {
    fn of_relation(relation: &'a std::sync::Arc<Relation>, has_trigger: bool) -> Self {
        let view = Self {
            oid: relation.oid,
            name: &relation.name,
            schema: relation.schema,
            row_type: derived_oid::row_type(relation.oid),
            owner: relation.owner,
            access_method: Oid::INVALID,
            file: Oid::INVALID,
            relkind: 'v',
            attributes: relation.columns().len() as i64,
            checks: 0,
            has_index: false,
            has_rule: true,
            has_trigger: false,
            replica_identity: 'n',
            persistence: relation.persistence,
            populated: true,
            options: match &relation.kind {
                RelationKind::View(view) => &view.options,
                _ => relation.table().map_or(&[], |table| &table.options),
            },
            row_security: relation.table().map_or((false, false), |table| {
                (table.row_security.enabled, table.row_security.forced)
            }),
        };
        match &relation.kind {
            RelationKind::View(_) => view,
            RelationKind::MaterializedView(materialized) => Self {
                access_method: HEAP,
                file: relation.oid,
                relkind: 'm',
                has_index: indexes_of(relation).next().is_some(),
                replica_identity: 'd',
                populated: materialized.populated,
                ..view
            },
            RelationKind::Sequence(_) => Self {
                row_type: Oid::INVALID,
                file: relation.oid,
                relkind: 'S',
                has_rule: false,
                ..view
            },
            RelationKind::PropertyGraph(_) => {
                Self { row_type: Oid::INVALID, relkind: 'g', has_rule: false, ..view }
            }
            RelationKind::System(_) => {
                let system = system_relation(relation.oid);
                let relkind = system.map_or('r', |system| system.relkind);
                let is_table = relkind == 'r';
                Self {
                    row_type: system.map_or(Oid::INVALID, |system| system.row_type),
                    access_method: if is_table { HEAP } else { Oid::INVALID },
                    relkind,
                    has_rule: !is_table,
                    ..view
                }
            }
            RelationKind::Table(table) => Self {
                access_method: HEAP,
                file: relation.oid,
                relkind: 'r',
                attributes: i64::from(table.next_attnum) - 1,
                checks: table
                    .constraints
                    .iter()
                    .filter(|constraint| matches!(constraint.kind, ConstraintKind::Check { .. }))
                    .count() as i64,
                has_index: indexes_of(relation).next().is_some(),
                has_rule: false,
                has_trigger,
                replica_identity: 'd',
                ..view
            },
        }
    }
}

fn push(source: &Source<'_>, out: &mut Rows, entry: &Entry<'_>) -> Result<(), SystemRowsError> {
    let is_stored = matches!(entry.relkind, 'r' | 'm') && entry.file != Oid::INVALID;
    let row_count = is_stored.then(|| source.session.row_count(entry.oid)).flatten();
    let byte_count = is_stored.then(|| source.session.byte_count(entry.oid)).flatten();
    let pages = byte_count.unwrap_or(0).div_ceil(PAGE_BYTES);
    let tuples = match entry.relkind {
        'r' | 'm' => row_count.map_or(UNKNOWN_TUPLES, |rows| rows as f32),
        // A sequence is one row.
        'S' => 1.0,
        _ => 0.0,
    };
    let persistence = match entry.persistence {
        Persistence::Permanent => 'p',
        Persistence::Unlogged => 'u',
        Persistence::Temporary => 't',
    };
    let acl = match entry.relkind {
        'i' => None,
        _ => source.catalog.stored_acl(AclClass::Table, entry.oid),
    };
    let relacl = acl.map(|acl| acl_texts(source.catalog, &acl));
    row!(out,
        oid: entry.oid,
        relname: entry.name,
        relnamespace: entry.schema,
        reltype: entry.row_type,
        reloftype: Oid::INVALID,
        relowner: entry.owner,
        relam: entry.access_method,
        relfilenode: entry.file,
        reltablespace: Oid::INVALID,
        relpages: i32::try_from(pages).unwrap_or(i32::MAX),
        reltuples: tuples,
        relallvisible: 0,
        reltoastrelid: Oid::INVALID,
        relhasindex: entry.has_index,
        relisshared: false,
        relpersistence: persistence,
        relkind: entry.relkind,
        relnatts: saturate(entry.attributes),
        relchecks: saturate(entry.checks),
        relhasrules: entry.has_rule,
        relhastriggers: entry.has_trigger,
        relhassubclass: false,
        relrowsecurity: entry.row_security.0,
        relforcerowsecurity: entry.row_security.1,
        relispopulated: entry.populated,
        relreplident: entry.replica_identity,
        relispartition: false,
        relrewrite: Oid::INVALID,
        relfrozenxid: Oid::INVALID,
        relminmxid: Oid::INVALID,
        relacl: relacl,
        reloptions: (!entry.options.is_empty()).then(|| entry.options.to_vec()),
        relpartbound: Value::Null,
    );
    Ok(())
}

fn saturate(count: i64) -> i16 {
    i16::try_from(count).unwrap_or(i16::MAX)
}

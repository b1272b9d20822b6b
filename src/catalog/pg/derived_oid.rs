//! Object identifiers of things that belong to a relation and are not stored with one of their own.
//!
//! An identifier must never change while its object lives, so these are pure functions of what was
//! stored at creation: the relation's OID with a column's number, or with names.
//!
//! ```text
//! 10rrrrrr rrrrrrrr rrrrrsss ssssssss   relation (low 19 bits), slot: attnum 1..=1600, or below
//! 11hhhhhh hhhhhhhh hhhhhhhh hhhhhhhh   hash of graph OID, kind and names
//! ```
//!
//! A database in which more than 500,000 objects were ever made runs out of slots: its newer tables
//! have no row types that can be found by number, and may share numbers with older ones.

use crate::types::Oid;

const RELATION_BITS: u32 = 19;
const SLOT_BITS: u32 = 11;
const RULE_SLOT: u32 = 0;
const ROW_TYPE_SLOT: u32 = 1601;
const ROW_ARRAY_SLOT: u32 = 1602;

fn slot(relation: Oid, slot: u32) -> Oid {
    let relation = relation.0 & ((1 << RELATION_BITS) - 1);
    Oid((0b10 << 30) | (relation << SLOT_BITS) | (slot & ((1 << SLOT_BITS) - 1)))
}

/// The relation that a number made here belongs to; `None` for other numbers.
pub(super) fn relation_of(oid: Oid) -> Option<Oid> {
    let is_slot = oid.0 >> (RELATION_BITS + SLOT_BITS) == 0b10;
    is_slot.then_some(Oid((oid.0 >> SLOT_BITS) & ((1 << RELATION_BITS) - 1)))
}

/// `pg_attrdef.oid` of a column's default.
pub(super) fn column_default(relation: Oid, attnum: i16) -> Oid {
    slot(relation, u32::from(attnum.unsigned_abs()))
}

/// `pg_rewrite.oid` of a view's query.
pub(super) fn view_rule(relation: Oid) -> Oid {
    slot(relation, RULE_SLOT)
}

/// `pg_class.reltype` of a table or view that a user made.
pub(in crate::catalog) fn row_type(relation: Oid) -> Oid {
    slot(relation, ROW_TYPE_SLOT)
}

/// The array type over [`row_type`].
pub(in crate::catalog) fn row_array_type(relation: Oid) -> Oid {
    slot(relation, ROW_ARRAY_SLOT)
}

/// Identifier of a part of a property graph, found by its names.
///
/// Two parts of 1,000 share one with a probability below 1 in 2,000.
pub(super) fn graph_part(graph: Oid, kind: &str, names: &[&str]) -> Oid {
    // FNV-1a: fixed for all time, unlike the standard library's hasher.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut eat = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    eat(&graph.0.to_le_bytes());
    eat(kind.as_bytes());
    names.iter().for_each(|name| eat(name.as_bytes()));
    let folded = (hash ^ (hash >> 32)) as u32;
    Oid((0b11 << 30) | (folded & ((1 << 30) - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_neighboring_relations_do_not_meet() {
        assert_ne!(column_default(Oid(16384), 1), column_default(Oid(16385), 1));
        assert!(row_array_type(Oid(16384)) < view_rule(Oid(16385)));
        assert_eq!(relation_of(row_type(Oid(16385))), Some(Oid(16385)));
        assert_eq!(relation_of(Oid(16385)), None);
        assert_eq!(relation_of(graph_part(Oid(16385), "label", &["a"])), None);
        assert_eq!(column_default(Oid(16384), 3).0, 0x8000_0000 + 16384 * 2048 + 3);
    }

    #[test]
    fn names_are_kept_apart() {
        let graph = Oid(16400);
        assert_ne!(
            graph_part(graph, "label", &["ab", "c"]),
            graph_part(graph, "label", &["a", "bc"])
        );
        assert_eq!(graph_part(graph, "label", &["a"]), graph_part(graph, "label", &["a"]));
    }
}

//! What the clauses of a statement have written so far, as far as binding can tell.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use datafusion::logical_expr::LogicalPlan;

use crate::functions::cypher::CypherType;

/// Shared by all binders of a statement.
pub(super) type Writes = Rc<RefCell<Written>>;

/// The steps of a statement that writes, and what properties its writes may have given elements.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Plans to be run in order, by the numbers of their rows.
    pub(super) steps: Vec<(usize, LogicalPlan)>,
    /// Steps that see what they do themselves, as [`WithWrites::rounds`](crate::planner::node::WithWrites) has it.
    pub(super) rounds: BTreeMap<usize, (usize, String)>,
    /// The first clause that writes.
    pub(super) verb: Option<&'static str>,
    /// Types of values given to properties of nodes (`false`) and relationships, by name.
    properties: BTreeMap<(bool, String), CypherType>,
    /// Whether properties were given whose names or types are known only when the statement runs.
    dynamic: [bool; 2],
    /// Whether labels were set or removed: what a pattern asked for says nothing any more.
    pub(super) labels_moved: bool,
}

impl Written {
    /// Notes a value given to a property.
    pub(super) fn note(&mut self, edge: bool, name: &str, ty: &CypherType) {
        let ty = match ty {
            CypherType::Null => return,
            ty => ty.property_type().map_or(CypherType::Any, |ty| CypherType::of_open(&ty)),
        };
        let slot = self.properties.entry((edge, name.to_owned())).or_insert(CypherType::Null);
        *slot = slot.unify(&ty);
    }

    /// Notes that any property may have got any value.
    pub(super) fn note_any(&mut self, edge: bool) {
        self.dynamic[usize::from(edge)] = true;
    }

    /// The type of values given to a property; `None` if it got none.
    pub(super) fn property(&self, edge: bool, name: &str) -> Option<CypherType> {
        if self.dynamic[usize::from(edge)] {
            return Some(CypherType::Any);
        }
        self.properties.get(&(edge, name.to_owned())).cloned()
    }
}

//! Parameter types: what the client declared, what uses tell.

use std::cell::RefCell;

use crate::types::pg_type::PgType;

/// Types of the parameters of a statement, as far as they are known.
#[derive(Debug)]
pub(super) struct Parameters {
    state: RefCell<Vec<State>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    known: Option<PgType>,
    /// Used where nothing told the type: as jsonb.
    open: bool,
    /// Told by a use after an open one.
    late: bool,
}

impl Parameters {
    /// `count` parameters, of which the first have declared types.
    pub(super) fn new(declared: &[Option<PgType>], count: usize) -> Self {
        let state = (0..count.max(declared.len()))
            .map(|at| State { known: declared.get(at).cloned().flatten(), ..State::default() })
            .collect();
        Self { state: RefCell::new(state) }
    }

    pub(super) fn known(&self, index: usize) -> Option<PgType> {
        self.state.borrow().get(index).and_then(|state| state.known.clone())
    }

    pub(super) fn use_open(&self, index: usize) {
        if let Some(state) = self.state.borrow_mut().get_mut(index) {
            state.open = true;
        }
    }

    pub(super) fn infer(&self, index: usize, ty: &PgType) {
        if let Some(state) = self.state.borrow_mut().get_mut(index)
            && state.known.is_none()
        {
            state.late = true;
            state.known = Some(ty.clone());
        }
    }

    /// Whether an earlier use would have been bound otherwise, had it known the type: then bind again.
    pub(super) fn changed(&self) -> bool {
        self.state.borrow().iter().any(|state| state.open && state.late)
    }

    /// What is known now, to bind again with.
    pub(super) fn declared(&self) -> Vec<Option<PgType>> {
        self.state.borrow().iter().map(|state| state.known.clone()).collect()
    }

    /// The types a client is told: jsonb where nothing tells.
    pub(super) fn types(&self) -> Vec<PgType> {
        self.declared().into_iter().map(|ty| ty.unwrap_or(PgType::Jsonb)).collect()
    }
}

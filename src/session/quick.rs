//! Look-ups that are answered at once: no transaction is begun for them, as nothing of one would be seen.
//!
//! A prepared SELECT of columns of one row by its key, outside a transaction block, reads the newest state and is over.
//! It needs what any statement needs, and asks for it each time: that it was bound in this catalog and search path, that
//! it was admitted for this role, that nobody excludes readers from tables. Whatever is not as it should be goes the
//! ordinary way, which also finds the words for what is wrong.

use std::sync::Arc;
use std::time::Instant;

use datafusion::common::ScalarValue;

use super::outcome::{Format, OutputColumn};
use super::session_impl::Session;
use super::statements::Prepared;
use super::values::read_plain;
use crate::executor::short::FoundRow;
use crate::planner::bind::{Bound, PlanKind};
use crate::storage::reading::in_memory_only;

/// What a look-up gave.
#[derive(Debug)]
pub struct LookedUp {
    /// The columns; the same that describing the statement gave.
    pub columns: Arc<[OutputColumn]>,
    /// The row, if there is one.
    pub row: Option<FoundRow>,
    /// When it was asked for.
    pub(super) begun: Instant,
}

impl Session {
    /// Runs a prepared look-up on its own, if it is one, and if nothing stands against it; `None` says that the statement
    /// is to be bound and executed as any other. Nothing has happened then. What it gives may be sent if [`Self::admits`]
    /// says so.
    pub fn look_up(
        &mut self,
        statement: &str,
        values: &[(Format, Option<&[u8]>)],
    ) -> Option<LookedUp> {
        if self.transaction.is_some() {
            return None;
        }
        let prepared = Arc::clone(self.statements.known(statement)?);
        self.look_up_prepared(&prepared, values)
    }

    /// As [`Self::look_up`].
    pub(super) fn look_up_prepared(
        &self,
        prepared: &Prepared,
        values: &[(Format, Option<&[u8]>)],
    ) -> Option<LookedUp> {
        if self.transaction.is_some() || self.copy.is_some() {
            return None;
        }
        let begun = Instant::now();
        // Its client gets it if the quotas admit it ([`Self::admits`]).
        if !self.gate.may_answer_at_once(&self.engine) || self.shared.ended.is_cancelled() {
            return None;
        }
        if values.len() != prepared.parameters.len() {
            return None;
        }
        let known = prepared.bound.lock();
        let known = known.as_ref()?;
        let latest = self.database.latest();
        if known.catalog_version != latest.catalog.stamp()
            || !matches!(known.bound.as_ref(), Bound::Plan(plan) if plan.kind == PlanKind::Select)
            || self.shared.locks.readers_may_wait()
        {
            return None;
        }
        {
            let settings = self.shared.settings.lock();
            if settings.transaction_defaults().0 == "serializable"
                || self.shared.has_temporary()
                || !settings.policies_as_usual()
                || !settings.search_path_is(&known.search_path, &self.shared.user)
            {
                return None;
            }
        }
        let short = known.admitted_short(&self.shared.caller())??;
        let point = short.plan.point()?;
        let mut parameters: Vec<ScalarValue> = Vec::with_capacity(values.len());
        for ((format, value), ty) in values.iter().zip(&prepared.parameters) {
            parameters.push(read_plain(ty, *format, *value)?);
        }
        // What has to be read from a file is read by others.
        let row = in_memory_only(|| point.find(&latest.store, &parameters))?.ok()?;
        let columns = Arc::clone(&short.columns);
        self.shared.note_finished(&prepared.text);
        Some(LookedUp { columns, row, begun })
    }
}

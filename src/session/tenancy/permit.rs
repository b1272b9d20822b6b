//! Quotas before each statement, and what is charged to them after it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sqlparser::ast::Statement as Sql;

use super::tenant::TenantPlace;
use crate::access::quota::{
    ConnectionPermit, Gauge, Metric, Permit, Quotas, StatementClass, Subject, Warning,
};
use crate::error::{PgError, Severity, SqlState};
use crate::parser::{Body, Statement, Utility};
use crate::session::engine::Engine;
use crate::session::outcome::{Outcome, RowStream};
use crate::session::quick::LookedUp;
use crate::session::session_impl::Session;
use crate::session::utility::ends_transaction;
use crate::types::MemoryBranch;

/// What a session knows of its quotas.
#[derive(Debug, Default)]
pub(in crate::session) struct Gate {
    /// Version of the quotas that the rest was looked up in.
    version: u64,
    /// Whether nothing stands in the way of any statement.
    is_open: bool,
    quotas: Option<Quotas>,
    permit: Option<Permit>,
    /// The windows of which the client was told that they are nearly used up, and how far.
    warned: HashMap<(String, String), (i64, u8)>,
    _place: Option<(TenantPlace, Option<ConnectionPermit>)>,
    /// The operator inside another tenant, by its name in the system tenant.
    pub(in crate::session) operator: Option<String>,
    /// Whether its tenant takes no changes.
    pub(in crate::session) read_only: bool,
}

impl Gate {
    /// Whether a statement needs no permit: nothing has changed since nobody had a quota here.
    pub(in crate::session) fn needs_nothing(&self, engine: &Engine) -> bool {
        self.is_open && self.version == engine.common.quotas.version()
    }

    /// Whether a look-up may be answered before it is known whether the quotas admit it: see
    /// [`Session::admits`].
    pub(in crate::session) fn may_answer_at_once(&self, engine: &Engine) -> bool {
        self.needs_nothing(engine)
            || self.quotas.is_some()
                && self.version == engine.common.quotas.version()
                && !engine.tenant.record().suspended
    }

    /// The memory that statements take theirs from.
    pub(in crate::session) fn memory(&self, engine: &Engine) -> Arc<MemoryBranch> {
        let own = self.quotas.as_ref().and_then(Quotas::memory);
        Arc::clone(own.unwrap_or_else(|| engine.runtime.memory()))
    }

    /// The running statement is over.
    pub(in crate::session) fn close(&mut self) {
        self.permit = None;
    }

    /// The running statement failed.
    pub(in crate::session) fn failed(&mut self) {
        if self.permit.take().is_some()
            && let Some(quotas) = &self.quotas
        {
            quotas.add(Metric::Errors, 1);
        }
    }
}

impl Session {
    /// Takes a place among the connections of its tenant and its quotas.
    ///
    /// # Errors
    /// `57P03` if the tenant is suspended, `28000` from an address that it does not take, `53300` if there are too many.
    pub(in crate::session) fn take_place(&mut self) -> Result<(), PgError> {
        let fatal = |error: PgError| error.severity(Severity::Fatal);
        let tenant = Arc::clone(&self.engine.tenant);
        let record = tenant.record();
        let is_operator = self.gate.operator.is_some();
        if record.suspended && !is_operator {
            return Err(fatal(record.suspended()));
        }
        let address = self.shared.peer.address().map(|address| address.ip());
        if !record.allows(address) && !is_operator {
            return Err(fatal(PgError::new(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                format!("tenant \"{}\" takes no connections from this address", record.name),
            )));
        }
        self.look_up_quotas();
        let connected = match (&self.gate.quotas, is_operator) {
            (Some(quotas), false) => Some(quotas.connect().map_err(|refusal| refusal.error())?),
            _ => None,
        };
        if !is_operator && self.engine.is_over_its_share() {
            return Err(fatal(
                PgError::new(
                    SqlState::TOO_MANY_CONNECTIONS,
                    format!("too many connections for tenant \"{}\"", record.name),
                )
                .detail("The connections that are left are kept for the other tenants."),
            ));
        }
        self.gate._place = Some((tenant.enter(), connected));
        Ok(())
    }

    fn look_up_quotas(&mut self) {
        let quotas = &self.engine.common.quotas;
        // Before looking: what changes meanwhile is looked up again.
        let version = quotas.version();
        let record = self.engine.tenant.record();
        let is_operator = self.gate.operator.is_some();
        let found = quotas.of(&Subject {
            tenant: record.id,
            tenant_name: record.name.clone(),
            named: record.quotas(),
            role: self.shared.login_role,
            role_name: self.shared.user.clone(),
            address: self.shared.peer.address().map(|address| address.ip()),
            memory: Arc::clone(self.engine.runtime.memory()),
        });
        self.gate.quotas = found.filter(|_| !is_operator);
        self.gate.read_only = record.is_read_only() && !is_operator;
        let suspended = record.suspended && !is_operator;
        self.gate.is_open = self.gate.quotas.is_none() && !suspended;
        self.gate.version = version;
    }

    /// Takes a permit for a statement. COMMIT and ROLLBACK need none.
    ///
    /// # Errors
    /// `53400`, `53100` over a limit, `57P03` in a suspended tenant.
    pub(in crate::session) async fn take_permit(
        &mut self,
        statement: &Statement,
    ) -> Result<(), PgError> {
        if self.gate.needs_nothing(&self.engine) {
            return Ok(());
        }
        Box::pin(self.take_limited_permit(statement)).await
    }

    /// Counts a look-up that is ready to be sent. `false`, and nothing is counted, if a quota may have something to say of
    /// it: it is then to be run as any other statement.
    pub fn admits(&self, found: &LookedUp) -> bool {
        if self.gate.needs_nothing(&self.engine) {
            return true;
        }
        let Some(quotas) = &self.gate.quotas else { return false };
        let rows = u64::from(found.row.is_some());
        quotas.count_answered(StatementClass::Query, rows, found.begun.elapsed())
    }

    async fn take_limited_permit(&mut self, statement: &Statement) -> Result<(), PgError> {
        self.gate.permit = None;
        if ends_transaction(statement) {
            return Ok(());
        }
        if self.gate.version != self.engine.common.quotas.version() {
            self.look_up_quotas();
        }
        let record = self.engine.tenant.record();
        if record.suspended && self.gate.operator.is_none() {
            return Err(record.suspended());
        }
        let Some(quotas) = self.gate.quotas.clone() else { return Ok(()) };
        let Some(class) = class(statement) else { return Ok(()) };
        if stores_more(statement) && quotas.gauge(Gauge::StorageBytes).is_some() {
            quotas.check_storage(self.engine.stored_bytes()).map_err(|refusal| refusal.error())?;
        }
        let permit = wait_for(&quotas, class).await?;
        for warning in &permit.warnings {
            self.warn_once(warning);
        }
        if let Some((limit, _)) = permit.deadline {
            self.limit_time(limit);
        }
        self.gate.permit = Some(permit);
        Ok(())
    }

    fn warn_once(&mut self, warning: &Warning) {
        let key = (warning.quota.clone(), warning.what.clone());
        let told = self.gate.warned.get(&key);
        if told.is_some_and(|(reset, percent)| {
            *reset == warning.reset_us && *percent >= warning.percent
        }) {
            return;
        }
        self.gate.warned.insert(key, (warning.reset_us, warning.percent));
        self.shared.notify(warning.clone().error());
    }

    /// Looks whether a statement of a function's body may store more; the permit is that of the statement around it.
    ///
    /// # Errors
    /// `53400`
    pub(in crate::session) fn check_inner(&self, statement: &Statement) -> Result<(), PgError> {
        match self.gate.quotas.as_ref().filter(|_| self.gate.permit.is_some()) {
            Some(quotas)
                if stores_more(statement) && quotas.gauge(Gauge::StorageBytes).is_some() =>
            {
                quotas.check_storage(self.engine.stored_bytes()).map_err(|refusal| refusal.error())
            }
            _ => Ok(()),
        }
    }

    /// Charges what a statement of a function's body wrote.
    pub(in crate::session) fn charge_inner(&self, statement: &Statement, rows: u64) {
        let quotas = self.gate.quotas.as_ref().filter(|_| self.gate.permit.is_some());
        if let Some(quotas) = quotas.filter(|_| writes(statement)) {
            quotas.add(Metric::WrittenRows, rows);
        }
    }

    /// Charges what a statement gives to the quotas that count it.
    pub(in crate::session) fn charged(&self, outcome: Outcome, statement: &Statement) -> Outcome {
        let Some(quotas) = self.gate.quotas.as_ref().filter(|_| self.gate.permit.is_some()) else {
            return outcome;
        };
        match outcome {
            Outcome::Rows { columns, rows } => {
                let (own, tenant) = (quotas.clone(), self.engine.tenant.name());
                let rows = charged_rows(quotas, rows, writes(statement));
                let rows = rows.explained(Arc::new(move |error| explain(error, &own, &tenant)));
                Outcome::Rows { columns, rows }
            }
            Outcome::Command(tag) => {
                if writes(statement) {
                    quotas.add(Metric::WrittenRows, rows_of(&tag));
                }
                Outcome::Command(tag)
            }
            Outcome::CopyOut(copy) => Outcome::CopyOut(charged_copy(quotas, copy)),
            Outcome::Empty => Outcome::Empty,
            Outcome::CopyIn(copy) => Outcome::CopyIn(copy),
        }
    }

    /// Charges the rows of a COPY FROM.
    pub(in crate::session) fn charge_copied(&self, tag: &str) {
        if let Some(quotas) = &self.gate.quotas {
            quotas.add(Metric::WrittenRows, rows_of(tag));
        }
    }

    /// An error of memory or temporary space, with what the quota says of it.
    pub(in crate::session) fn explained(&self, error: PgError) -> PgError {
        match &self.gate.quotas {
            Some(quotas) => explain(error, quotas, &self.engine.tenant.name()),
            None => error,
        }
    }
}

/// An error of memory or temporary space, with what the quota says of it.
fn explain(error: PgError, quotas: &Quotas, tenant: &str) -> PgError {
    if error.code() != SqlState::OUT_OF_MEMORY || error.fields().constraint.is_some() {
        return error;
    }
    let detail = error.fields().detail.clone().unwrap_or_default();
    let is_disk = detail.contains("disk space during the spilling");
    let gauge = if is_disk { Gauge::TempBytes } else { Gauge::MemoryBytes };
    match (gauge, quotas.gauge(gauge)) {
        (_, None) => error.detail(format!("tenant={tenant} {detail}")),
        // Without any temporary space it is memory that was wanted.
        (Gauge::TempBytes, Some((max, quota))) if max > 0 => PgError::new(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            format!("quota \"{quota}\" exceeded: temp_bytes"),
        )
        .detail(format!("tenant={tenant} limit={max}"))
        .constraint(quota),
        (_, Some((_, temp))) if is_disk => {
            let (max, quota) = quotas.gauge(Gauge::MemoryBytes).unwrap_or((0, temp));
            error.detail(format!("tenant={tenant} limit={max} {detail}")).constraint(quota)
        }
        (_, Some((max, quota))) => {
            error.detail(format!("tenant={tenant} limit={max} {detail}")).constraint(quota)
        }
    }
}

/// A permit, after waiting for as long as the quotas say.
async fn wait_for(quotas: &Quotas, class: StatementClass) -> Result<Permit, PgError> {
    let mut left_us = quotas.longest_delay_us();
    loop {
        let refusal = match quotas.permit(class) {
            Ok(permit) => return Ok(permit),
            Err(refusal) => refusal,
        };
        let wait_us = refusal.retry_after_us.unwrap_or(i64::MAX).max(1000);
        if wait_us > left_us {
            return Err(refusal.error());
        }
        left_us -= wait_us;
        tokio::time::sleep(Duration::from_micros(wait_us.unsigned_abs())).await;
    }
}

fn charged_rows(quotas: &Quotas, rows: RowStream, writes: bool) -> RowStream {
    let counts_results = quotas.counts(Metric::ResultRows);
    let counts_writes = writes && quotas.counts(Metric::WrittenRows);
    if !counts_results && !counts_writes {
        return rows;
    }
    let quotas = quotas.clone();
    rows.charged(Arc::new(move |rows| {
        if counts_writes {
            quotas.add(Metric::WrittenRows, rows);
        }
        if counts_results {
            quotas.try_add(Metric::ResultRows, rows).map_err(|refusal| refusal.error())?;
        }
        Ok(())
    }))
}

/// A COPY TO is charged when it ends.
fn charged_copy(
    quotas: &Quotas,
    copy: crate::session::outcome::CopyOut,
) -> crate::session::outcome::CopyOut {
    use crate::session::outcome::Completion;
    use futures::StreamExt as _;
    if !quotas.counts(Metric::ResultRows) {
        return copy;
    }
    let (quotas, completion) = (quotas.clone(), Arc::clone(&copy.completion));
    let end = futures::stream::poll_fn(move |_| {
        if let Completion::Complete(tag) = completion() {
            quotas.add(Metric::ResultRows, rows_of(&tag));
        }
        std::task::Poll::Ready(None)
    });
    crate::session::outcome::CopyOut { data: copy.data.chain(end).boxed(), ..copy }
}

/// The count in a command tag: `INSERT 0 5`.
fn rows_of(tag: &str) -> u64 {
    tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn writes(statement: &Statement) -> bool {
    match &statement.body {
        Body::Sql { statement, .. } => matches!(
            statement.as_ref(),
            Sql::Insert(_) | Sql::Update(_) | Sql::Delete(_) | Sql::Merge(_) | Sql::Copy { .. }
        ),
        Body::Cypher(_) | Body::PropertyGraph(_) | Body::Utility(_) => false,
    }
}

/// Whether a statement may make what is stored grow.
fn stores_more(statement: &Statement) -> bool {
    match &statement.body {
        Body::Sql { statement, .. } => matches!(
            statement.as_ref(),
            Sql::Insert(_)
                | Sql::Update(_)
                | Sql::Merge(_)
                | Sql::Copy { to: false, .. }
                | Sql::CreateTable(_)
                | Sql::CreateView { .. }
        ),
        Body::Cypher(_) => {
            let text = statement.text.to_ascii_uppercase();
            ["CREATE", "MERGE", "SET"].iter().any(|word| text.contains(word))
        }
        Body::PropertyGraph(_) | Body::Utility(_) => false,
    }
}

/// What kind of statement it is; `None` for one that is not counted.
fn class(statement: &Statement) -> Option<StatementClass> {
    let words = statement.text.split_whitespace().take(3).map(str::to_ascii_uppercase);
    if words.eq(["SHOW", "QUOTA", "USAGE"]) {
        return None;
    }
    // What only gives back is never refused: drivers send it behind a ROLLBACK.
    if let Body::Sql { statement, .. } = &statement.body
        && matches!(
            statement.as_ref(),
            Sql::Deallocate { .. } | Sql::Discard { .. } | Sql::Close { .. } | Sql::UNLISTEN { .. }
        )
    {
        return None;
    }
    Some(match &statement.body {
        Body::Cypher(cypher) if cypher.body.defines() => StatementClass::Admin,
        Body::Cypher(_) => StatementClass::Query,
        Body::PropertyGraph(_) => StatementClass::Admin,
        Body::Utility(utility) => match utility {
            Utility::Move(_) | Utility::SetConstraints { .. } => StatementClass::Query,
            Utility::Checkpoint => StatementClass::Batch,
            _ => StatementClass::Admin,
        },
        Body::Sql { statement, .. } => match statement.as_ref() {
            Sql::Query(_)
            | Sql::Insert(_)
            | Sql::Update(_)
            | Sql::Delete(_)
            | Sql::Merge(_)
            | Sql::Call(_)
            | Sql::StartTransaction { .. }
            | Sql::Savepoint { .. }
            | Sql::ReleaseSavepoint { .. }
            | Sql::Set(_)
            | Sql::Reset(_)
            | Sql::Prepare { .. }
            | Sql::Execute { .. }
            | Sql::Declare { .. }
            | Sql::Fetch { .. }
            | Sql::Lock(_) => StatementClass::Query,
            Sql::ShowVariable { .. } | Sql::Explain { .. } => StatementClass::Monitor,
            Sql::Copy { .. } | Sql::Analyze { .. } => StatementClass::Batch,
            Sql::CreateTable(table) if table.query.is_some() => StatementClass::Batch,
            _ => StatementClass::Admin,
        },
    })
}

//! What all statements of the process share: optimizer rules, memory, and the settings of DataFusion.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionState;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::TrackConsumersPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionConfig;

use super::measured::follow_tasks;
use super::memory_pool::BranchPool;
use crate::error::PgError;
use crate::executor::operator::{CountMatches, DistinctEnds, DistinctLimits, GiveWay};
use crate::types::{Measure, MemoryBranch};

/// How many consumers an out-of-memory error names.
const TOP_CONSUMERS: NonZeroUsize = NonZeroUsize::new(5).expect("5 is not zero");

/// A hash join is planned if the second largest table of a statement takes no more than one in so many bytes of the
/// memory of all statements.
const HASH_JOIN_SHARE: u64 = 4;

/// Sizes of the shared resources.
#[derive(Debug, Clone)]
pub struct RuntimeOptions {
    /// Bytes all statements together may reserve.
    pub memory_bytes_max: usize,
    /// Parallel streams of one statement.
    pub partitions: usize,
    /// Rows of a batch.
    pub batch_rows: usize,
}

/// Bytes of temporary files that the statements of a tenant may have, unless a quota says less.
const TEMP_BYTES_DEFAULT: u64 = 100 << 30;

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            memory_bytes_max: 4 << 30,
            partitions: std::thread::available_parallelism().map_or(2, usize::from),
            batch_rows: 8192,
        }
    }
}

/// DataFusion as we use it: no catalog, no SQL, our options.
pub struct Runtime {
    state: SessionState,
    serial: Arc<SessionState>,
    /// For joins of tables that would not fit in memory: both sides are sorted, which spills, and merged.
    merging: SessionState,
    planning: Arc<ConfigOptions>,
    environment: Arc<RuntimeEnv>,
    memory: Arc<MemoryBranch>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

impl Runtime {
    /// Sets up DataFusion for a tenant: its statements take memory from `memory` and put what does not fit there into
    /// files in `temporary`, or where the system has such files.
    ///
    /// # Errors
    /// `XX000` if it refuses our options.
    pub fn new(
        options: &RuntimeOptions,
        memory: Arc<MemoryBranch>,
        temporary: Option<PathBuf>,
    ) -> Result<Self, PgError> {
        let mode = match temporary {
            Some(folder) => DiskManagerMode::Directories(vec![folder]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let disk = DiskManagerBuilder::default()
            .with_mode(mode)
            .with_max_temp_directory_size(TEMP_BYTES_DEFAULT);
        follow_tasks();
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(BranchPool::new(&memory)))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let mut config = SessionConfig::new()
            .with_target_partitions(options.partitions)
            .with_batch_size(options.batch_rows)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(false);
        let settings = config.options_mut();
        settings.sql_parser.collect_spans = true;
        settings.sql_parser.parse_float_as_decimal = true;
        settings.sql_parser.enable_ident_normalization = true;
        settings.sql_parser.map_string_types_to_utf8view = true;
        settings.execution.time_zone = Some("UTC".to_owned());
        settings.execution.collect_statistics = true;
        settings.optimizer.skip_failed_rules = false;
        // A cast to a type of ours may be null for the operators although its value never is, and DataFusion would refuse
        // the aggregate above it for that.
        settings.execution.skip_physical_aggregate_schema_check = true;
        // A join would compare the least and the greatest of its keys to filter the other side's rows: paths have no order,
        // no scan of ours takes such a filter, and DataFusion 55 brings it down through another join by its column's name,
        // to the wrong table where two have one of that name (tests/slt/pg_compat/join_by_key.slt).
        settings.optimizer.enable_join_dynamic_filter_pushdown = false;
        let planning = Arc::clone(config.options());
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&environment))
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(DistinctEnds))
            .with_physical_optimizer_rule(Arc::new(CountMatches))
            .with_physical_optimizer_rule(Arc::new(DistinctLimits))
            .with_physical_optimizer_rule(Arc::new(GiveWay))
            .build();
        let one_stream = state.config().clone().with_target_partitions(1);
        let serial =
            SessionStateBuilder::new_from_existing(state.clone()).with_config(one_stream).build();
        let mut merge_joins = state.config().clone();
        merge_joins.options_mut().optimizer.prefer_hash_join = false;
        let merging =
            SessionStateBuilder::new_from_existing(state.clone()).with_config(merge_joins).build();
        let serial = Arc::new(serial);
        Ok(Self { state, serial, merging, planning, environment, memory })
    }

    /// Options of DataFusion's SQL planner.
    pub fn planning_options(&self) -> &Arc<ConfigOptions> {
        &self.planning
    }

    /// Optimizer rules and physical planning.
    pub fn state(&self) -> &SessionState {
        &self.state
    }

    /// As [`Self::state`], for a plan that reads tables of so many bytes: where a hash table of the smaller side of a join
    /// might not fit, joins are by merging.
    pub fn state_for(&self, mut tables: Vec<u64>) -> &SessionState {
        tables.sort_unstable();
        let second = tables.iter().rev().nth(1).copied().unwrap_or(0);
        let room = self.memory.bytes_max() as u64 / HASH_JOIN_SHARE;
        if second > room { &self.merging } else { &self.state }
    }

    /// As [`Self::state`], for plans of one stream.
    pub fn serial_state(&self) -> &Arc<SessionState> {
        &self.serial
    }

    /// The memory of the tenant.
    pub fn memory(&self) -> &Arc<MemoryBranch> {
        &self.memory
    }

    /// Limits the temporary files of the tenant; without a limit, the usual one.
    pub fn set_temp_bytes_max(&self, bytes_max: Option<u64>) {
        // It is refused only where there can be no temporary files at all.
        let bytes_max = bytes_max.unwrap_or(TEMP_BYTES_DEFAULT);
        let _ = self.environment.disk_manager.set_max_temp_directory_size(bytes_max);
    }

    /// Bytes of temporary files there are now.
    pub fn temp_bytes_used(&self) -> u64 {
        self.environment.disk_manager.used_disk_space()
    }

    /// What short work runs in.
    pub fn task_context(&self) -> Arc<TaskContext> {
        self.context_in(Arc::clone(&self.environment))
    }

    /// What a statement's operators run in, and what it holds: their memory is counted together, below `memory`, and an
    /// error names those of them that took most.
    pub fn statement_context(
        &self,
        memory: &Arc<MemoryBranch>,
    ) -> (Arc<TaskContext>, Arc<Measure>) {
        let statement = memory.child("statement", None);
        let measure = Measure::new(Arc::clone(&statement));
        let pool = BranchPool::measured(&statement, &measure);
        let pool = TrackConsumersPool::new(pool, TOP_CONSUMERS);
        let environment =
            RuntimeEnv { memory_pool: Arc::new(pool), ..RuntimeEnv::clone(&self.environment) };
        (self.context_in(Arc::new(environment)), measure)
    }

    fn context_in(&self, environment: Arc<RuntimeEnv>) -> Arc<TaskContext> {
        Arc::new(TaskContext::new(
            None,
            String::new(),
            self.state.config().clone(),
            Default::default(),
            Default::default(),
            Default::default(),
            Default::default(),
            environment,
        ))
    }
}

//! Settings of PostgreSQL's planner and of its memory: kept and shown, and without effect.
//!
//! Scripts and tools set them to steer a planner that is not this one; DataFusion chooses by its own rules, within the
//! limits of the tenant. Names, bounds and defaults are PostgreSQL 15's.

use super::definition::Kind::{self, Bool, Enum, Int, Memory, Real};
use super::definition::{Definition, USER, settings};

const COST: Kind = Real(0.0, f64::MAX);
const COUNT: Kind = Int(0, 2147483647);

/// All of them, by name.
pub(super) const PLANNER_DEFINITIONS: &[Definition] = settings! {
    USER "constraint_exclusion", "partition", Enum(&["partition", "on", "off"]), "Enables the planner to use constraints to optimize queries.";
    USER "cpu_index_tuple_cost", "0.005", COST, "Sets the planner's estimate of the cost of processing each index entry during an index scan.";
    USER "cpu_operator_cost", "0.0025", COST, "Sets the planner's estimate of the cost of processing each operator or function call.";
    USER "cpu_tuple_cost", "0.01", COST, "Sets the planner's estimate of the cost of processing each tuple (row).";
    USER "cursor_tuple_fraction", "0.1", Real(0.0, 1.0), "Sets the planner's estimate of the fraction of a cursor's rows that will be retrieved.";
    USER "default_statistics_target", "100", Int(1, 10000), "Sets the default statistics target.";
    USER "effective_cache_size", "4GB", Memory { unit_kb: 8, min: 1, max: 2147483647 }, "Sets the planner's assumption about the total size of the data caches.";
    USER "effective_io_concurrency", "1", Int(0, 1000), "Number of simultaneous requests that can be handled efficiently by the disk subsystem.";
    USER "enable_async_append", "on", Bool, "Enables the planner's use of async append plans.";
    USER "enable_bitmapscan", "on", Bool, "Enables the planner's use of bitmap-scan plans.";
    USER "enable_gathermerge", "on", Bool, "Enables the planner's use of gather merge plans.";
    USER "enable_hashagg", "on", Bool, "Enables the planner's use of hashed aggregation plans.";
    USER "enable_hashjoin", "on", Bool, "Enables the planner's use of hash join plans.";
    USER "enable_incremental_sort", "on", Bool, "Enables the planner's use of incremental sort steps.";
    USER "enable_indexonlyscan", "on", Bool, "Enables the planner's use of index-only-scan plans.";
    USER "enable_indexscan", "on", Bool, "Enables the planner's use of index-scan plans.";
    USER "enable_material", "on", Bool, "Enables the planner's use of materialization.";
    USER "enable_memoize", "on", Bool, "Enables the planner's use of memoization.";
    USER "enable_mergejoin", "on", Bool, "Enables the planner's use of merge join plans.";
    USER "enable_nestloop", "on", Bool, "Enables the planner's use of nested-loop join plans.";
    USER "enable_parallel_append", "on", Bool, "Enables the planner's use of parallel append plans.";
    USER "enable_parallel_hash", "on", Bool, "Enables the planner's use of parallel hash plans.";
    USER "enable_partition_pruning", "on", Bool, "Enables plan-time and execution-time partition pruning.";
    USER "enable_partitionwise_aggregate", "off", Bool, "Enables partitionwise aggregation and grouping.";
    USER "enable_partitionwise_join", "off", Bool, "Enables partitionwise join.";
    USER "enable_seqscan", "on", Bool, "Enables the planner's use of sequential-scan plans.";
    USER "enable_sort", "on", Bool, "Enables the planner's use of explicit sort steps.";
    USER "enable_tidscan", "on", Bool, "Enables the planner's use of TID scan plans.";
    USER "escape_string_warning", "on", Bool, "Warn about backslash escapes in ordinary string literals.";
    USER "force_parallel_mode", "off", Enum(&["off", "on", "regress"]), "Forces use of parallel query facilities.";
    USER "from_collapse_limit", "8", Int(1, 2147483647), "Sets the FROM-list size beyond which subqueries are not collapsed.";
    USER "geqo", "on", Bool, "Enables genetic query optimization.";
    USER "geqo_effort", "5", Int(1, 10), "GEQO: effort is used to set the default for other GEQO parameters.";
    USER "geqo_generations", "0", COUNT, "GEQO: number of iterations of the algorithm.";
    USER "geqo_pool_size", "0", COUNT, "GEQO: number of individuals in the population.";
    USER "geqo_seed", "0", Real(0.0, 1.0), "GEQO: seed for random path selection.";
    USER "geqo_selection_bias", "2", Real(1.5, 2.0), "GEQO: selective pressure within the population.";
    USER "geqo_threshold", "12", Int(2, 2147483647), "Sets the threshold of FROM items beyond which GEQO is used.";
    USER "gin_fuzzy_search_limit", "0", COUNT, "Sets the maximum allowed result for exact search by GIN.";
    USER "hash_mem_multiplier", "2", Real(1.0, 1000.0), "Multiple of work_mem to use for hash tables.";
    USER "jit_above_cost", "100000", Real(-1.0, f64::MAX), "Perform JIT compilation if query is more expensive.";
    USER "jit_inline_above_cost", "500000", Real(-1.0, f64::MAX), "Perform JIT inlining if query is more expensive.";
    USER "jit_optimize_above_cost", "500000", Real(-1.0, f64::MAX), "Optimize JIT-compiled functions if query is more expensive.";
    USER "join_collapse_limit", "8", Int(1, 2147483647), "Sets the FROM-list size beyond which JOIN constructs are not flattened.";
    USER "logical_decoding_work_mem", "64MB", Memory { unit_kb: 1, min: 64, max: 2147483647 }, "Sets the maximum memory to be used for logical decoding.";
    USER "maintenance_io_concurrency", "10", Int(0, 1000), "A variant of effective_io_concurrency that is used for maintenance work.";
    USER "maintenance_work_mem", "64MB", Memory { unit_kb: 1, min: 1024, max: 2147483647 }, "Sets the maximum memory to be used for maintenance operations.";
    USER "max_parallel_maintenance_workers", "2", Int(0, 1024), "Sets the maximum number of parallel processes per maintenance operation.";
    USER "max_parallel_workers", "8", Int(0, 1024), "Sets the maximum number of parallel workers that can be active at one time.";
    USER "max_parallel_workers_per_gather", "2", Int(0, 1024), "Sets the maximum number of parallel processes per executor node.";
    USER "min_parallel_index_scan_size", "512kB", Memory { unit_kb: 8, min: 0, max: 715827882 }, "Sets the minimum amount of index data for a parallel scan.";
    USER "min_parallel_table_scan_size", "8MB", Memory { unit_kb: 8, min: 0, max: 715827882 }, "Sets the minimum amount of table data for a parallel scan.";
    USER "parallel_leader_participation", "on", Bool, "Controls whether Gather and Gather Merge also run subplans.";
    USER "parallel_setup_cost", "1000", COST, "Sets the planner's estimate of the cost of starting up worker processes for parallel query.";
    USER "parallel_tuple_cost", "0.1", COST, "Sets the planner's estimate of the cost of passing each tuple (row) from worker to leader backend.";
    USER "plan_cache_mode", "auto", Enum(&["auto", "force_generic_plan", "force_custom_plan"]), "Controls the planner's selection of custom or generic plan.";
    USER "random_page_cost", "4", COST, "Sets the planner's estimate of the cost of a nonsequentially fetched disk page.";
    USER "recursive_worktable_factor", "10", Real(0.001, 1000000.0), "Sets the planner's estimate of the average size of a recursive query's working table.";
    USER "seq_page_cost", "1", COST, "Sets the planner's estimate of the cost of a sequentially fetched disk page.";
    USER "temp_buffers", "8MB", Memory { unit_kb: 8, min: 100, max: 1073741823 }, "Sets the maximum number of temporary buffers used by each session.";
    USER "vacuum_cost_delay", "0", Real(0.0, 100.0), "Vacuum cost delay in milliseconds.";
    USER "vacuum_cost_limit", "200", Int(1, 10000), "Vacuum cost amount available before napping.";
    USER "vacuum_failsafe_age", "1600000000", Int(0, 2100000000), "Age at which VACUUM should trigger failsafe to avoid a wraparound outage.";
    USER "vacuum_freeze_min_age", "50000000", Int(0, 1000000000), "Minimum age at which VACUUM should freeze a table row.";
    USER "vacuum_freeze_table_age", "150000000", Int(0, 2000000000), "Age at which VACUUM should scan whole table to freeze tuples.";
    USER "vacuum_multixact_failsafe_age", "1600000000", Int(0, 2100000000), "Multixact age at which VACUUM should trigger failsafe to avoid a wraparound outage.";
    USER "vacuum_multixact_freeze_min_age", "5000000", Int(0, 1000000000), "Minimum age at which VACUUM should freeze a MultiXactId in a table row.";
    USER "vacuum_multixact_freeze_table_age", "150000000", Int(0, 2000000000), "Multixact age at which VACUUM should scan whole table to freeze tuples.";
    USER "work_mem", "4MB", Memory { unit_kb: 1, min: 64, max: 2147483647 }, "Sets the maximum memory to be used for query workspaces.";
};

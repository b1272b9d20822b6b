//! SQL: DataFusion's planner between a pass over the syntax tree before it and one over the plan after it.
//!
//! ```text
//! Statement ─ rewrite ─► Statement ─ SqlToRel ─► LogicalPlan ─ resolve ─► LogicalPlan
//!             names of unnamed      names, types               literals and casts by
//!             columns, PostgreSQL                              PostgreSQL's rules
//!             forms, refusals
//! ```

mod behind;
mod call;
mod cast_names;
mod check;
pub(crate) mod column_value;
pub mod ddl;
mod dml;
mod forms;
mod frame_bound;
pub(crate) mod function;
mod json_records;
mod literal;
mod locking;
mod made;
mod names;
mod natural;
mod order_apart;
mod ordered_input;
mod policy;
mod provider;
mod query;
mod recursive;
mod relations;
mod resolve;
mod rewrite;
pub mod roles;
mod sample;
pub mod stored;
mod table_oid;
mod ties;
mod types;
mod unnest_apart;
mod using;
mod whole_row;

pub use call::bind_call;
pub(crate) use dml::ACTION;
pub use dml::{Dml, bind_default, bind_with, bind_write, has_writes, target as write_target};
pub use literal::at_literal;
pub use locking::LockingQuery;
pub use names::{fold, qualified_name};
pub use policy::{PolicyCache, bind_policy};
pub use query::{bind_explain, bind_expression, bind_query, plan_query};
pub use resolve::assign as assign_expression;
pub use types::{TypeScope, sql_type};

pub(crate) use query::type_of;

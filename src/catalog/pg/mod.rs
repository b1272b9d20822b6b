//! The system catalog: the relations of `pg_catalog` that are computed from a [`Catalog`] snapshot.
//!
//! PostgreSQL 15's catalogs all exist here with their columns, types and OIDs, and PostgreSQL 19's
//! catalogs of property graphs; rows are there for whatever graphwire has. Views over them are SQL,
//! in `sql/`. Parse trees (`pg_attrdef.adbin` and the like) are the SQL text itself.
//!
//! Reading order: `definition` (which relations, which columns), [`facts`] (what only a session
//! knows), `batch` (rows to Arrow), `fixed` (rows that never change), `rows` (which file computes
//! which relation), then one file a relation; [`describe`] says things in words for functions such
//! as `pg_get_constraintdef`.
//!
//! **Invariant:** no column holds a password verifier, so no view can reach one.
//!
//! [`Catalog`]: crate::catalog::Catalog

mod batch;
mod definition;
mod derived_oid;
pub(in crate::catalog) use derived_oid::{row_array_type, row_type};
pub mod describe;
pub mod facts;
mod fixed;
mod fixed_acl;
mod graphwire;
mod index_of;
mod rows;
mod type_facts;

mod parameters;
mod pg_attrdef;
mod pg_attribute;
mod pg_auth_members;
mod pg_authid;
mod pg_class;
mod pg_constraint;
mod pg_cursors;
mod pg_database;
mod pg_db_role_setting;
mod pg_default_acl;
mod pg_depend;
mod pg_description;
mod pg_enum;
mod pg_extension;
mod pg_index;
mod pg_init_privs;
mod pg_locks;
mod pg_matviews;
mod pg_namespace;
mod pg_parameter_acl;
mod pg_policy;
mod pg_prepared_statements;
mod pg_proc;
mod pg_propgraph;
mod pg_rewrite;
mod pg_sequence;
mod pg_settings;
mod pg_stat_activity;
mod pg_stat_progress_graph;
mod pg_timezone_names;
mod pg_type;
mod privileges;

pub use definition::{
    DATABASE_OWNER_ROLE, GRAPHWIRE_OID, INFORMATION_SCHEMA_OID, PG_CATALOG_OID, PUBLIC_OID,
    SystemRelation, system_relations, system_view_oid,
};
pub use facts::{
    AlgorithmRun, Backend, Cursor, PreparedStatement, QuotaFacts, QuotaUsageFacts, SessionFacts,
    Setting, TenantFacts,
};
pub(in crate::catalog) use index_of::index_names;
pub use pg_extension::BUILT_IN_EXTENSIONS;
pub use rows::{SystemRowsError, rows};
pub use type_facts::{collation_named, is_collatable};

/// The views over these relations, as scripts to be run in this order when a database is made.
pub static SYSTEM_VIEWS: &[(&str, &str)] = &[
    ("sql/10_pg_catalog.sql", include_str!("../../../sql/10_pg_catalog.sql")),
    ("sql/20_information_schema.sql", include_str!("../../../sql/20_information_schema.sql")),
    ("sql/30_graph_catalog.sql", include_str!("../../../sql/30_graph_catalog.sql")),
];

#[cfg(test)]
mod tests;

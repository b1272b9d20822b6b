//! Which file computes which relation.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::batch::Rows;
use super::definition::{SystemRelation, system_relation, system_relations};
use super::facts::SessionFacts;
use super::{fixed, fixed_acl};
use crate::catalog::Catalog;
use crate::error::{Report, SqlState};
use crate::types::Oid;

/// Why the rows of a system relation could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SystemRowsError {
    /// The OID is not that of a computed relation.
    #[error("relation with OID {0} is not a computed system relation")]
    Unknown(Oid),
    /// A row was made with other columns than the relation has: a defect here.
    #[error("rows of system relation \"{relation}\" do not have its columns")]
    Columns { relation: &'static str },
    /// A value does not fit its column: a defect here.
    #[error("column \"{column}\" of system relation \"{relation}\" got a value of another type")]
    Column { relation: &'static str, column: String },
    /// Arrow refused the batch: a defect here.
    #[error("rows of system relation \"{relation}\" could not be made")]
    Arrow {
        relation: &'static str,
        #[source]
        source: Box<arrow::error::ArrowError>,
    },
}

impl Report for SystemRowsError {
    fn sqlstate(&self) -> SqlState {
        match self {
            Self::Unknown(_) => SqlState::UNDEFINED_TABLE,
            Self::Columns { .. } | Self::Column { .. } | Self::Arrow { .. } => {
                SqlState::INTERNAL_ERROR
            }
        }
    }
}

/// What a relation's rows are computed from.
pub(super) struct Source<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) session: &'a dyn SessionFacts,
}

/// Adds the rows of one relation.
type Compute = fn(&Source<'_>, &mut Rows) -> Result<(), SystemRowsError>;

/// The rows of a computed relation, with the schema that `Table::new` gives for its columns.
///
/// Cost: time and memory in the number of objects that the relation lists.
///
/// # Errors
/// [`SystemRowsError::Unknown`] if no computed relation has this OID; else defects only.
pub fn rows(
    relation: Oid,
    catalog: &Catalog,
    session: &dyn SessionFacts,
) -> Result<RecordBatch, SystemRowsError> {
    let relation = system_relation(relation).ok_or(SystemRowsError::Unknown(relation))?;
    let schema = schema_of(relation);
    let fixed = fixed::batch(relation.name);
    let with_acls = fixed.and_then(|fixed| fixed_acl::with_acls(catalog, relation.name, fixed));
    let fixed = with_acls.as_ref().or(fixed);
    let Some(compute) = compute(relation.name) else {
        return Ok(fixed.cloned().unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(schema))));
    };
    let mut rows = Rows::new(relation.name, Arc::clone(schema));
    compute(&Source { catalog, session }, &mut rows)?;
    let computed = rows.finish()?;
    let Some(fixed) = fixed else { return Ok(computed) };
    concat_batches(schema, [fixed, &computed]).map_err(|source| SystemRowsError::Arrow {
        relation: relation.name,
        source: Box::new(source),
    })
}

/// What computes a relation; `None` if it has fixed rows alone, or none as graphwire has no such
/// thing.
fn compute(relation: &str) -> Option<Compute> {
    Some(match relation {
        "column_privileges" => super::privileges::column_rows,
        "parameters" => super::parameters::rows,
        "pg_attrdef" => super::pg_attrdef::rows,
        "pg_attribute" => super::pg_attribute::rows,
        "pg_auth_members" => super::pg_auth_members::rows,
        "pg_authid" => super::pg_authid::rows,
        "pg_class" => super::pg_class::rows,
        "pg_constraint" => super::pg_constraint::rows,
        "pg_cursors" => super::pg_cursors::rows,
        "pg_database" => super::pg_database::rows,
        "pg_db_role_setting" => super::pg_db_role_setting::rows,
        "pg_default_acl" => super::pg_default_acl::rows,
        "pg_depend" => super::pg_depend::rows,
        "pg_description" => super::pg_description::rows,
        "pg_index" => super::pg_index::rows,
        "pg_init_privs" => super::pg_init_privs::rows,
        "pg_locks" => super::pg_locks::rows,
        "pg_matviews" => super::pg_matviews::rows,
        "pg_namespace" => super::pg_namespace::rows,
        "pg_parameter_acl" => super::pg_parameter_acl::rows,
        "pg_policies" => super::pg_policy::view_rows,
        "pg_policy" => super::pg_policy::rows,
        "pg_prepared_statements" => super::pg_prepared_statements::rows,
        "pg_proc" => super::pg_proc::rows,
        "pg_propgraph_element" => super::pg_propgraph::element_rows,
        "pg_propgraph_element_label" => super::pg_propgraph::element_label_rows,
        "pg_propgraph_label" => super::pg_propgraph::label_rows,
        "pg_propgraph_label_property" => super::pg_propgraph::label_property_rows,
        "pg_propgraph_property" => super::pg_propgraph::property_rows,
        "pg_enum" => super::pg_enum::rows,
        "pg_extension" => super::pg_extension::rows,
        "pg_rewrite" => super::pg_rewrite::rows,
        "pg_sequence" => super::pg_sequence::rows,
        "pg_sequences" => super::pg_sequence::view_rows,
        "sequences" => super::pg_sequence::schema_rows,
        "tenants" => super::graphwire::tenants,
        "quotas" => super::graphwire::quotas,
        "quota_usage" => super::graphwire::quota_usage,
        "pg_settings" => super::pg_settings::rows,
        "pg_stat_activity" => super::pg_stat_activity::rows,
        "pg_stat_progress_graph" => super::pg_stat_progress_graph::rows,
        "table_privileges" => super::privileges::table_rows,
        "pg_timezone_names" => super::pg_timezone_names::rows,
        "pg_type" => super::pg_type::rows,
        _ => return None,
    })
}

/// The Arrow schema of a computed relation.
pub(super) fn schema_of(relation: &SystemRelation) -> &'static SchemaRef {
    static SCHEMAS: LazyLock<HashMap<Oid, SchemaRef>> = LazyLock::new(|| {
        system_relations().iter().map(|relation| (relation.oid, make_schema(relation))).collect()
    });
    static EMPTY: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::empty()));
    SCHEMAS.get(&relation.oid).unwrap_or(&EMPTY)
}

fn make_schema(relation: &SystemRelation) -> SchemaRef {
    let field = |column: &crate::catalog::Column| column.ty.field(&column.name, !column.not_null);
    Arc::new(Schema::new(relation.columns.iter().map(field).collect::<Vec<_>>()))
}

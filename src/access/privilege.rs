//! Whether a role has the rights that a statement needs, in PostgreSQL's words where it has not.

use datafusion::logical_expr::LogicalPlan;

use super::caller::Caller;
use super::columns::{Used, UsedColumns, used_columns};
use super::graph_rights;
use super::require::{AsRole, Need, Needs, Right};
use crate::catalog::{Catalog, Relation, RelationKind, Rights, RoleSet, predefined_role};
use crate::error::{PgError, SqlState};
use crate::types::{Oid, TenantId};

/// Checks all that a statement needs.
///
/// # Errors
/// `42501` for the first right that is missing.
pub(super) fn check(
    needs: &Needs,
    caller: &Caller,
    catalog: &Catalog,
    plan: Option<&LogicalPlan>,
) -> Result<(), PgError> {
    if needs.reads_files() {
        check_server_files(caller, catalog)?;
    }
    let mut used: Option<UsedColumns> = None;
    for (as_role, object, right, need) in needs.iter_as() {
        let role = acting(as_role, caller, catalog);
        if role.superuser {
            continue;
        }
        if let Right::Match(graph) = right
            && graph_rights::is_ruled(catalog, graph, &role)
        {
            // What may not be seen will not be there.
            if graph == object && !graph_rights::may_use(catalog, graph, &role) {
                return Err(denied_graph(catalog, graph));
            }
            continue;
        }
        let Some(relation) = catalog.relation(object) else {
            check_schema(catalog, object, right, &role)?;
            continue;
        };
        if has_whole(catalog, relation, right, &role) {
            continue;
        }
        let by_columns = match (right, need, plan) {
            (Right::Select | Right::Match(_), _, Some(plan)) => {
                let used = used.get_or_insert_with(|| used_columns(plan));
                reads_columns(catalog, relation, &role, used.get(&(as_role, object)), need)
            }
            (_, Need::Columns(columns), _) => {
                let columns = columns.iter().copied();
                has_columns(catalog, relation, acl_right(right), &role, columns)
            }
            // Locking rows is changing one of their columns.
            (Right::Lock, Need::Whole, _) => {
                has_columns(catalog, relation, Rights::UPDATE, &role, [].into_iter())
            }
            (_, Need::Whole, _) => false,
        };
        if !by_columns {
            return Err(denied(relation, right));
        }
    }
    Ok(())
}

/// The role behind a reference.
fn acting(as_role: AsRole, caller: &Caller, catalog: &Catalog) -> std::sync::Arc<RoleSet> {
    match as_role {
        None => std::sync::Arc::clone(caller.roles()),
        Some(role) => catalog.role_set(role),
    }
}

/// The right's name in an ACL; of rows that are locked, that to change them.
fn acl_right(right: Right) -> Rights {
    match right {
        Right::Select | Right::Match(_) => Rights::SELECT,
        Right::Insert => Rights::INSERT,
        Right::Update | Right::Lock => Rights::UPDATE,
        Right::Delete => Rights::DELETE,
        Right::Truncate => Rights::TRUNCATE,
        Right::References => Rights::REFERENCES,
        Right::Create => Rights::CREATE,
        Right::Drop | Right::Own => Rights::NONE,
    }
}

/// Whether a role has a right on a relation as a whole.
pub fn has_whole(catalog: &Catalog, relation: &Relation, right: Right, role: &RoleSet) -> bool {
    if role.superuser {
        return true;
    }
    if right == Right::Own {
        return role.inherits(relation.owner);
    }
    if right == Right::Drop {
        let schema = catalog.schemas.get(&relation.schema);
        return role.inherits(relation.owner)
            || schema.is_some_and(|schema| role.inherits(schema.owner));
    }
    let wanted = acl_right(right);
    catalog.relation_rights(relation, role).contains(wanted)
        || predefined_rights(relation, role).contains(wanted)
}

/// Whether the caller may read the server's own files, as COPY from a file asks: in a tenant, rights are about the
/// tenant's own things.
fn check_server_files(caller: &Caller, catalog: &Catalog) -> Result<(), PgError> {
    let role = predefined_role::READ_SERVER_FILES;
    if caller.tenant == TenantId::SYSTEM && caller.has(role) {
        return Ok(());
    }
    let name = catalog.role(role).map_or("", |role| role.name.as_str());
    Err(PgError::new(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("must be superuser or have privileges of the {name} role to LOAD CSV from a file"),
    )
    .hint("Anyone can pass rows as a parameter: UNWIND $1 AS row."))
}

/// Rights on all relations that come with a predefined role.
pub fn predefined_rights(relation: &Relation, role: &RoleSet) -> Rights {
    let mut rights = Rights::NONE;
    let is_secret = relation.oid < Oid::FIRST_NORMAL;
    if role.inherits(predefined_role::READ_ALL_DATA) {
        rights = rights.or(Rights::SELECT);
    }
    if role.inherits(predefined_role::WRITE_ALL_DATA) && !is_secret {
        rights = rights.or(Rights::INSERT).or(Rights::UPDATE).or(Rights::DELETE);
    }
    rights
}

/// Whether a role has a right on each of these columns by the columns' own ACLs; on any column if there are none.
pub fn has_columns(
    catalog: &Catalog,
    relation: &Relation,
    wanted: Rights,
    role: &RoleSet,
    columns: impl ExactSizeIterator<Item = usize>,
) -> bool {
    let granted: Vec<i16> = catalog
        .column_acls(relation.oid)
        .filter(|(_, acl)| acl.rights_of(|grantee| role.inherits(grantee)).contains(wanted))
        .map(|(attnum, _)| attnum)
        .collect();
    if columns.len() == 0 {
        return !granted.is_empty();
    }
    let all = relation.columns();
    columns.into_iter().all(|at| all.get(at).is_some_and(|one| granted.contains(&one.attnum)))
}

/// Whether a role may read what a statement reads of a relation; the target of a write may not be read at all.
fn reads_columns(
    catalog: &Catalog,
    relation: &Relation,
    role: &RoleSet,
    used: Option<&Used>,
    need: &Need,
) -> bool {
    // A target of which nothing is read is only written.
    let Some(used) = used else { return matches!(need, Need::Columns(_)) };
    let columns = match used.whole {
        true => (0..relation.columns().len()).collect(),
        false => used.columns.iter().copied().collect::<Vec<_>>(),
    };
    has_columns(catalog, relation, Rights::SELECT, role, columns.into_iter())
}

fn denied_graph(catalog: &Catalog, graph: Oid) -> PgError {
    match catalog.relation(graph) {
        Some(relation) => denied(relation, Right::Select),
        None => PgError::internal("a graph without a relation"),
    }
}

fn check_schema(
    catalog: &Catalog,
    schema: Oid,
    right: Right,
    role: &RoleSet,
) -> Result<(), PgError> {
    if schema == catalog.database.oid && !role.has(catalog.database_owner()) {
        let message = format!("must be owner of database {}", catalog.database.name);
        return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    }
    let Some(found) = catalog.schemas.get(&schema) else { return Ok(()) };
    let name = &found.name;
    if right == Right::Create && name.starts_with("pg_temp_") {
        // A session's own: the binder finds no other.
        return Ok(());
    }
    let refused = match right {
        Right::Own => (!role.has(found.owner)).then(|| format!("must be owner of schema {name}")),
        _ => {
            let has = catalog.schema_rights(schema, role).contains(acl_right(right));
            (!has).then(|| format!("permission denied for schema {name}"))
        }
    };
    match refused {
        Some(message) => Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message)),
        None => Ok(()),
    }
}

/// What PostgreSQL calls a relation in these errors.
pub fn relation_word(relation: &Relation) -> &'static str {
    match &relation.kind {
        RelationKind::Table(_) | RelationKind::System(_) => "table",
        RelationKind::View(_) => "view",
        RelationKind::MaterializedView(_) => "materialized view",
        RelationKind::Sequence(_) => "sequence",
        RelationKind::PropertyGraph(_) => "property graph",
    }
}

/// `permission denied for table x`, or `must be owner of table x`.
pub fn denied(relation: &Relation, right: Right) -> PgError {
    let (word, name) = (relation_word(relation), &relation.name);
    let message = match right {
        Right::Own | Right::Drop => format!("must be owner of {word} {name}"),
        _ => format!("permission denied for {word} {name}"),
    };
    PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
}

//! Constraints and indexes on labels of open graphs.

use std::sync::Arc;

use crate::catalog::{Catalog, LabelRule, Relation};
use crate::error::{PgError, SqlState};
use crate::executor::write::check_label_rule;
use crate::planner::bind::sql::ddl::LabelRuleChange;
use crate::session::session_impl::Session;

/// Makes one, or drops it.
///
/// # Errors
/// `23505`, `23502` if what is there does not obey it; `42710` if its name is taken.
pub(super) fn change(
    session: &Session,
    catalog: &mut Catalog,
    relation: &Arc<Relation>,
    change: LabelRuleChange,
) -> Result<(), PgError> {
    let Some(graph) = catalog.graph(relation.oid).map(Arc::clone) else {
        return Err(PgError::internal("the graph is not there"));
    };
    let mut rules = graph.label_rules.clone();
    match change {
        LabelRuleChange::Create(rule) => {
            if rules.iter().any(|known| known.name == rule.name) {
                return Err(taken(&rule));
            }
            if let Some(transaction) = &session.transaction
                && rule.kind.is_constraint()
            {
                let view = transaction.writes.lock().view().clone();
                check_label_rule(&graph, &rule, &view)?;
            }
            rules.push(LabelRule { oid: catalog.allocate(), ..rule });
        }
        LabelRuleChange::Drop(rule) => rules.retain(|known| known.name != rule.name),
    }
    let relation = catalog.relation(relation.oid).cloned();
    if let Some(relation) = relation {
        catalog.set_label_rules(&relation, rules);
    }
    Ok(())
}

fn taken(rule: &LabelRule) -> PgError {
    let what = if rule.kind.is_constraint() { "constraint" } else { "index" };
    PgError::new(SqlState::DUPLICATE_OBJECT, format!("{what} \"{}\" already exists", rule.name))
}

//! Row security of a table: whether it is on, and what its policies say.

use serde::{Deserialize, Serialize};

use crate::catalog::object::{Table, ViewRead};
use crate::types::Oid;

/// What decides which rows of a table a role may see and write.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSecurity {
    /// ENABLE ROW LEVEL SECURITY (`pg_class.relrowsecurity`).
    pub enabled: bool,
    /// FORCE ROW LEVEL SECURITY: for the owner too (`pg_class.relforcerowsecurity`).
    pub forced: bool,
    /// In the order of their names.
    pub policies: Vec<Policy>,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// `pg_policy.oid`.
    pub oid: Oid,
    /// Its name, unique in the table.
    pub name: String,
    /// Which statements it is for.
    pub command: PolicyCommand,
    /// One that lets through is enough; every restrictive one must.
    pub permissive: bool,
    /// Whom it is for; nobody named is PUBLIC.
    pub roles: Vec<Oid>,
    /// Which rows there are.
    pub using: Option<PolicyExpression>,
    /// Which rows may be written; USING if there is none.
    pub with_check: Option<PolicyExpression>,
}

/// Which statements a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PolicyCommand {
    /// Every one.
    All,
    /// SELECT, and whatever needs the right to.
    Select,
    /// INSERT.
    Insert,
    /// UPDATE, and SELECT … FOR UPDATE.
    Update,
    /// DELETE.
    Delete,
}

impl PolicyCommand {
    /// `pg_policy.polcmd`
    pub fn letter(self) -> &'static str {
        match self {
            Self::All => "*",
            Self::Select => "r",
            Self::Insert => "a",
            Self::Update => "w",
            Self::Delete => "d",
        }
    }
}

/// A condition of a policy: its text, bound again where it is used, and what its names stand for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyExpression {
    /// SQL, over the columns of the table.
    pub text: String,
    /// The search path that was in force.
    pub search_path: Vec<String>,
    /// Relations that its subqueries name.
    pub reads: Vec<ViewRead>,
}

impl RowSecurity {
    /// The policy of this name.
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.name == name)
    }

    /// Adds a policy, or replaces the one with its OID.
    pub fn put(&mut self, policy: Policy) {
        self.policies.retain(|known| known.oid != policy.oid);
        self.policies.push(policy);
        self.policies.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

impl Policy {
    /// Its conditions.
    pub fn expressions(&self) -> impl Iterator<Item = &PolicyExpression> {
        self.using.iter().chain(&self.with_check)
    }

    /// Whether a condition reads another relation.
    pub fn reads(&self, relation: Oid) -> bool {
        let reads = |expr: &PolicyExpression| expr.reads.iter().any(|r| r.relation == relation);
        self.expressions().any(reads)
    }

    /// Whether a condition needs a column of another relation.
    pub fn uses(&self, relation: Oid, attnum: i16) -> bool {
        let reads = self.expressions().flat_map(|expr| &expr.reads);
        let mut of = reads.filter(|read| read.relation == relation);
        of.any(|read| read.columns.iter().any(|column| column.attnum == attnum && column.used))
    }
}

impl Table {
    /// Whether a policy of the table reads another relation.
    pub fn policies_read(&self, relation: Oid) -> bool {
        self.row_security.policies.iter().any(|policy| policy.reads(relation))
    }
}

/// Storage parameters of a table whose rows have labels.
pub const ROW_LABEL_PARAMETERS: [&str; 2] = ["row_label_universe", "row_label_column"];

/// The labels that rows of a table may have, and the column that says which of them each has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowLabels {
    /// At most 128, the first the lowest bit of the mask.
    pub universe: Vec<String>,
    /// The column of masks.
    pub column: String,
}

impl RowLabels {
    /// What storage parameters say of labels; a table that names one of the two has them.
    pub fn of(options: &[String]) -> Option<Self> {
        let [universe, column] = ROW_LABEL_PARAMETERS.map(|name| {
            let own =
                |option: &String| Some(option.strip_prefix(name)?.strip_prefix('=')?.to_owned());
            options.iter().find_map(own)
        });
        if universe.is_none() && column.is_none() {
            return None;
        }
        let universe = universe.map(|names| split(&names)).unwrap_or_default();
        Some(Self { universe, column: column.unwrap_or_default() })
    }

    /// The mask of some labels, comma-separated; those that are not in the universe count for nothing.
    pub fn mask(&self, labels: &str) -> u128 {
        let labels = split(labels);
        let bits = self.universe.iter().take(128).enumerate();
        bits.filter(|(_, name)| labels.contains(name)).fold(0, |mask, (bit, _)| mask | 1 << bit)
    }
}

fn split(names: &str) -> Vec<String> {
    let names = names.split(',').map(|name| name.trim().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bits_in_their_order() {
        let options =
            ["fillfactor=70", "row_label_universe=secret, nato,fr", "row_label_column=lbl"];
        let labels = RowLabels::of(&options.map(str::to_owned)).unwrap();
        assert_eq!(labels.column, "lbl");
        assert_eq!(labels.mask("nato,fr"), 0b110);
        assert_eq!(labels.mask(" secret "), 1);
        assert_eq!(labels.mask("unknown"), 0);
        assert_eq!(RowLabels::of(&["fillfactor=70".to_owned()]), None);
    }
}

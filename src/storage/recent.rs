//! Which rows were written lately, so that a transaction on an older snapshot can tell that a row changed under it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::types::{CommitNo, Oid, RowId};

/// A row of a table.
pub type RowKey = (Oid, RowId);

/// The last commit that replaced or deleted each row, as far back as the oldest snapshot in use.
#[derive(Debug, Default)]
pub struct RecentWrites {
    inner: Mutex<Inner>,
}

/// What a commit did to a table.
#[derive(Debug, Clone, Default)]
pub struct TableChange {
    /// Rows that were replaced or deleted, each once.
    pub touched: Vec<RowId>,
    /// Runs of rows that came: the first, and how many.
    pub inserted: Vec<(RowId, u64)>,
    /// The table was emptied, rewritten or dropped as a whole.
    pub whole: bool,
}

/// What a commit did, by table.
pub type Changes = Vec<(Oid, TableChange)>;

#[derive(Debug, Default)]
struct Inner {
    last: HashMap<RowKey, CommitNo>,
    /// The same of tables that changed as a whole.
    whole: HashMap<Oid, CommitNo>,
    commits: VecDeque<(CommitNo, Arc<Changes>)>,
    /// Snapshots in use, and by how many.
    held: BTreeMap<CommitNo, usize>,
}

impl RecentWrites {
    /// A snapshot at `commit` is in use from now on. Must be called before a later commit can be published.
    pub fn hold(&self, commit: CommitNo) {
        *self.inner.lock().held.entry(commit).or_default() += 1;
    }

    /// A snapshot that was held is not in use any more.
    pub fn release(&self, commit: CommitNo) {
        let mut inner = self.inner.lock();
        if let Some(count) = inner.held.get_mut(&commit) {
            *count -= 1;
            if *count == 0 {
                inner.held.remove(&commit);
            }
        }
    }

    /// Notes what `commit`, which is about to be published after `published`, did.
    pub fn note(&self, commit: CommitNo, published: CommitNo, changes: Changes) {
        let mut inner = self.inner.lock();
        for (table, change) in &changes {
            for row in &change.touched {
                inner.last.insert((*table, *row), commit);
            }
            if change.whole {
                inner.whole.insert(*table, commit);
            }
        }
        inner.commits.push_back((commit, Arc::new(changes)));
        inner.forget(published);
    }

    /// Whether a commit after `snapshot` replaced or deleted the row. The snapshot must be held.
    pub fn changed_after(&self, row: RowKey, snapshot: CommitNo) -> bool {
        self.inner.lock().changed_after(row, snapshot)
    }

    /// Those of these rows that a commit after `snapshot` replaced or deleted. The snapshot must be held.
    pub fn changed(&self, table: Oid, rows: &[RowId], snapshot: CommitNo) -> Vec<RowId> {
        let inner = self.inner.lock();
        let is_changed = |row: &RowId| inner.changed_after((table, *row), snapshot);
        rows.iter().copied().filter(is_changed).collect()
    }

    /// What was committed after `snapshot`, oldest first. The snapshot must be held.
    pub fn changes_after(&self, snapshot: CommitNo) -> Vec<Arc<Changes>> {
        let inner = self.inner.lock();
        let from = inner.commits.partition_point(|(commit, _)| *commit <= snapshot);
        inner.commits.range(from..).map(|(_, changes)| Arc::clone(changes)).collect()
    }
}

impl Inner {
    fn changed_after(&self, row: RowKey, snapshot: CommitNo) -> bool {
        let after = |commit: Option<&CommitNo>| commit.is_some_and(|commit| *commit > snapshot);
        after(self.last.get(&row)) || after(self.whole.get(&row.0))
    }

    /// Forgets commits that every snapshot in use, and every one to come, contains.
    fn forget(&mut self, published: CommitNo) {
        let oldest = self.held.keys().next().map_or(published, |held| published.min(*held));
        while let Some((commit, _)) = self.commits.front()
            && *commit <= oldest
        {
            let Some((commit, changes)) = self.commits.pop_front() else { return };
            for (table, change) in changes.iter() {
                for row in &change.touched {
                    if self.last.get(&(*table, *row)) == Some(&commit) {
                        self.last.remove(&(*table, *row));
                    }
                }
                if change.whole && self.whole.get(table) == Some(&commit) {
                    self.whole.remove(table);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: RowKey = (Oid(1), RowId(7));

    #[test]
    fn remembers_for_as_long_as_a_snapshot_needs_it() {
        let recent = RecentWrites::default();
        recent.hold(CommitNo(5));
        recent.note(
            CommitNo(6),
            CommitNo(5),
            vec![(ROW.0, TableChange { touched: vec![ROW.1], ..TableChange::default() })],
        );
        recent.note(CommitNo(7), CommitNo(6), vec![]);
        assert!(recent.changed_after(ROW, CommitNo(5)));
        assert!(!recent.changed_after(ROW, CommitNo(6)));
        assert_eq!(recent.changes_after(CommitNo(5)).len(), 2);
        assert_eq!(recent.changes_after(CommitNo(6)).len(), 1);
        recent.release(CommitNo(5));
        recent.note(CommitNo(8), CommitNo(7), vec![]);
        assert!(recent.inner.lock().last.is_empty());
        assert_eq!(recent.inner.lock().commits.len(), 1);
    }
}

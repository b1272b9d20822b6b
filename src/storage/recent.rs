//! Which rows were written lately, so that a transaction on an older snapshot can tell that a row changed under it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use parking_lot::Mutex;

use crate::types::{CommitNo, Oid, RowId};

/// A row of a table.
pub type RowKey = (Oid, RowId);

/// The last commit that replaced or deleted each row, as far back as the oldest snapshot in use.
#[derive(Debug, Default)]
pub struct RecentWrites {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: HashMap<RowKey, CommitNo>,
    commits: VecDeque<(CommitNo, Vec<RowKey>)>,
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

    /// Notes what `commit`, which is about to be published after `published`, replaced or deleted.
    pub fn note(&self, commit: CommitNo, published: CommitNo, rows: Vec<RowKey>) {
        let mut inner = self.inner.lock();
        for row in &rows {
            inner.last.insert(*row, commit);
        }
        inner.commits.push_back((commit, rows));
        inner.forget(published);
    }

    /// Whether a commit after `snapshot` replaced or deleted the row. The snapshot must be held.
    pub fn changed_after(&self, row: RowKey, snapshot: CommitNo) -> bool {
        self.inner.lock().last.get(&row).is_some_and(|commit| *commit > snapshot)
    }
}

impl Inner {
    /// Forgets commits that every snapshot in use, and every one to come, contains.
    fn forget(&mut self, published: CommitNo) {
        let oldest = self.held.keys().next().map_or(published, |held| published.min(*held));
        while let Some((commit, _)) = self.commits.front()
            && *commit <= oldest
        {
            let Some((commit, rows)) = self.commits.pop_front() else { return };
            for row in rows {
                if self.last.get(&row) == Some(&commit) {
                    self.last.remove(&row);
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
        recent.note(CommitNo(6), CommitNo(5), vec![ROW]);
        recent.note(CommitNo(7), CommitNo(6), vec![]);
        assert!(recent.changed_after(ROW, CommitNo(5)));
        assert!(!recent.changed_after(ROW, CommitNo(6)));
        recent.release(CommitNo(5));
        recent.note(CommitNo(8), CommitNo(7), vec![]);
        assert!(recent.inner.lock().last.is_empty());
        assert_eq!(recent.inner.lock().commits.len(), 1);
    }
}

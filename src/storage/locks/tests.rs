use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::types::{Oid, RowId};

const TABLE: Oid = Oid(7);
const LIMITS: WaitLimits =
    WaitLimits { lock_timeout: None, deadlock_timeout: Duration::from_millis(20) };

fn owner(table: &Arc<LockTable>, session: i32) -> Arc<LockOwner> {
    Arc::new(LockOwner::new(table, session, 700 + session as u64))
}

async fn rows(owner: &LockOwner, ids: &[u64], lock: RowLock) -> Result<Vec<RowId>, LockError> {
    let ids: Vec<RowId> = ids.iter().copied().map(RowId).collect();
    owner.lock_rows(TABLE, &ids, lock, WhenHeld::Wait, LIMITS).await
}

async fn try_row(owner: &LockOwner, id: u64, lock: RowLock) -> bool {
    owner.lock_rows(TABLE, &[RowId(id)], lock, WhenHeld::Fail, LIMITS).await.is_ok()
}

/// Waits until a session is in a queue.
async fn blocked(table: &LockTable, session: i32) {
    while table.waits_for(session).is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn rows_exclude_each_other_as_in_postgresql() {
    use RowLock::{KeyShare, NoKeyUpdate, Share, Update};
    let expected = [
        (KeyShare, [true, true, true, false]),
        (Share, [true, true, false, false]),
        (NoKeyUpdate, [true, false, false, false]),
        (Update, [false, false, false, false]),
    ];
    for (first, allowed) in expected {
        for (second, allowed) in [KeyShare, Share, NoKeyUpdate, Update].into_iter().zip(allowed) {
            let table = Arc::new(LockTable::default());
            let (one, two) = (owner(&table, 1), owner(&table, 2));
            assert!(try_row(&one, 5, first).await);
            assert_eq!(try_row(&two, 5, second).await, allowed, "{first:?} then {second:?}");
            assert!(try_row(&two, 6, second).await);
        }
    }
}

#[tokio::test]
async fn tables_exclude_each_other_as_in_postgresql() {
    // Rows of the table in PostgreSQL's documentation, weakest first.
    let conflicts = [
        "       X", "      XX", "    XXXX", "   XXXXX", "  XX XXX", "  XXXXXX", " XXXXXXX",
        "XXXXXXXX",
    ];
    for (first, row) in TableLock::ALL.into_iter().zip(conflicts) {
        for (second, mark) in TableLock::ALL.into_iter().zip(row.chars()) {
            let table = Arc::new(LockTable::default());
            let (one, two) = (owner(&table, 1), owner(&table, 2));
            one.lock_table(TABLE, first, WhenHeld::Fail, LIMITS).await.unwrap();
            let got = two.lock_table(TABLE, second, WhenHeld::Fail, LIMITS).await.is_ok();
            assert_eq!(got, mark == ' ', "{first:?} then {second:?}");
        }
    }
}

#[tokio::test]
async fn a_million_rows_are_few_entries_and_go_at_the_end() {
    let table = Arc::new(LockTable::default());
    let one = owner(&table, 1);
    let ids: Vec<u64> = (0..1_000_000).collect();
    rows(&one, &ids, RowLock::Update).await.unwrap();
    assert_eq!(one.mark(), 977);
    let two = owner(&table, 2);
    let skipped = two
        .lock_rows(
            TABLE,
            &[RowId(999_999), RowId(2_000_000)],
            RowLock::KeyShare,
            WhenHeld::Skip,
            LIMITS,
        )
        .await
        .unwrap();
    assert_eq!(skipped, [RowId(999_999)]);
    one.release_all();
    assert!(try_row(&two, 17, RowLock::Update).await);
    assert!(!try_row(&one, 18, RowLock::Update).await, "nothing is taken after the end");
    drop(two);
    assert!(table.views().is_empty());
    assert!(try_row(&owner(&table, 3), 18, RowLock::Update).await);
}

#[tokio::test]
async fn a_savepoint_gives_back_what_came_after_it() {
    let table = Arc::new(LockTable::default());
    let (one, two) = (owner(&table, 1), owner(&table, 2));
    rows(&one, &[1], RowLock::NoKeyUpdate).await.unwrap();
    let mark = one.mark();
    rows(&one, &[1, 2], RowLock::Update).await.unwrap();
    assert!(!try_row(&two, 1, RowLock::KeyShare).await);
    one.release_after(mark);
    assert!(try_row(&two, 1, RowLock::KeyShare).await);
    assert!(!try_row(&two, 1, RowLock::Share).await);
    assert!(try_row(&two, 2, RowLock::Update).await);
}

#[tokio::test]
async fn who_fits_beside_the_holders_does_not_wait() {
    let table = Arc::new(LockTable::default());
    let (one, two, three) = (owner(&table, 1), owner(&table, 2), owner(&table, 3));
    rows(&one, &[1], RowLock::Share).await.unwrap();
    let writer = tokio::spawn(async move {
        rows(&two, &[1], RowLock::Update).await.unwrap();
    });
    blocked(&table, 2).await;
    assert_eq!(table.blockers(2), [1]);
    // As in PostgreSQL, a second reader is let in beside the first, whoever waits.
    rows(&three, &[1], RowLock::Share).await.unwrap();
    one.release_all();
    assert!(!writer.is_finished());
    three.release_all();
    writer.await.unwrap();
}

#[tokio::test]
async fn who_holds_a_row_gets_more_of_it_before_those_who_wait() {
    let table = Arc::new(LockTable::default());
    let (one, two) = (owner(&table, 1), owner(&table, 2));
    rows(&one, &[1], RowLock::Share).await.unwrap();
    let waiter = {
        let two = Arc::clone(&two);
        tokio::spawn(async move { rows(&two, &[1], RowLock::Update).await.map(|_| ()) })
    };
    blocked(&table, 2).await;
    assert!(try_row(&one, 1, RowLock::Update).await);
    one.release_all();
    waiter.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_dropped_wait_leaves_nothing_behind() {
    let table = Arc::new(LockTable::default());
    let (one, two, three) = (owner(&table, 1), owner(&table, 2), owner(&table, 3));
    rows(&one, &[1], RowLock::Share).await.unwrap();
    let waiter = tokio::spawn(async move { rows(&two, &[1], RowLock::Update).await.map(|_| ()) });
    blocked(&table, 2).await;
    waiter.abort();
    assert!(waiter.await.unwrap_err().is_cancelled());
    assert!(table.waits_for(2).is_none());
    assert!(try_row(&three, 1, RowLock::Share).await);
}

#[tokio::test]
async fn a_wait_ends_at_its_limit() {
    let table = Arc::new(LockTable::default());
    let (one, two) = (owner(&table, 1), owner(&table, 2));
    rows(&one, &[1], RowLock::Update).await.unwrap();
    let limits = WaitLimits { lock_timeout: Some(Duration::from_millis(5)), ..LIMITS };
    let error = two.lock_rows(TABLE, &[RowId(1)], RowLock::KeyShare, WhenHeld::Wait, limits).await;
    assert!(matches!(error, Err(LockError::TimedOut)));
    assert!(table.waits_for(2).is_none());
}

#[tokio::test]
async fn a_circle_ends_with_one_error_and_the_others_go_on() {
    let table = Arc::new(LockTable::default());
    let owners: Vec<_> = (1..=3).map(|session| owner(&table, session)).collect();
    for (at, owner) in owners.iter().enumerate() {
        rows(owner, &[at as u64], RowLock::Update).await.unwrap();
    }
    let mut tasks = Vec::new();
    for (at, owner) in owners.into_iter().enumerate() {
        tasks.push(tokio::spawn(async move {
            let result = rows(&owner, &[(at as u64 + 1) % 3], RowLock::Update).await;
            owner.release_all();
            result
        }));
    }
    let mut deadlocks = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => {}
            Err(LockError::Deadlock(steps)) => {
                assert_eq!(steps.len(), 3);
                deadlocks += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(deadlocks >= 1);
}

#[tokio::test]
async fn a_circle_of_queue_order_alone_is_undone() {
    let table = Arc::new(LockTable::default());
    let (one, two, three) = (owner(&table, 1), owner(&table, 2), owner(&table, 3));
    // 1 reads the table; 2 waits to change it; 3 holds a row, and waits behind 2 to read; 1 waits for the row.
    one.lock_table(TABLE, TableLock::AccessShare, WhenHeld::Fail, LIMITS).await.unwrap();
    rows(&three, &[1], RowLock::Update).await.unwrap();
    let changer = {
        let two = Arc::clone(&two);
        tokio::spawn(async move {
            two.lock_table(TABLE, TableLock::AccessExclusive, WhenHeld::Wait, LIMITS).await
        })
    };
    blocked(&table, 2).await;
    let reader = tokio::spawn(async move {
        three.lock_table(TABLE, TableLock::AccessShare, WhenHeld::Wait, LIMITS).await.unwrap();
        three.release_all();
    });
    blocked(&table, 3).await;
    rows(&one, &[1], RowLock::Update).await.unwrap();
    reader.await.unwrap();
    one.release_all();
    changer.await.unwrap().unwrap();
}

/// Random owners lock random rows: no two ever hold what excludes each other, and everyone ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_owners_never_hold_what_excludes_each_other() {
    use rand::{Rng as _, SeedableRng as _};
    use std::sync::atomic::{AtomicI32, Ordering};
    let table = Arc::new(LockTable::default());
    let inside: Arc<Vec<AtomicI32>> = Arc::new((0..8).map(|_| AtomicI32::new(0)).collect());
    let mut tasks = Vec::new();
    for session in 0..8 {
        let (table, inside) = (Arc::clone(&table), Arc::clone(&inside));
        tasks.push(tokio::spawn(async move {
            let mut random = rand::rngs::StdRng::seed_from_u64(session as u64);
            for _ in 0..100 {
                let owner = owner(&table, session);
                let mut ids: Vec<u64> = (0..8).filter(|_| random.random_bool(0.3)).collect();
                if random.random_bool(0.5) {
                    ids.reverse();
                }
                let mut held: Vec<u64> = Vec::new();
                for id in ids {
                    let wanted = [RowId(id)];
                    let limits =
                        WaitLimits { deadlock_timeout: Duration::from_millis(1), ..LIMITS };
                    let taken =
                        owner.lock_rows(TABLE, &wanted, RowLock::Update, WhenHeld::Wait, limits);
                    match taken.await {
                        Ok(_) => {
                            assert_eq!(inside[id as usize].fetch_add(1, Ordering::SeqCst), 0);
                            held.push(id);
                        }
                        Err(LockError::Deadlock(_)) => break,
                        Err(other) => panic!("{other}"),
                    }
                    tokio::task::yield_now().await;
                }
                for id in held {
                    inside[id as usize].fetch_sub(1, Ordering::SeqCst);
                }
                owner.release_all();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert!(table.views().is_empty());
}

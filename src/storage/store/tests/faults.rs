//! For every operation on the disk: it fails, the disk is full from it on, or the machine stops in the middle of it.

use super::harness::{Database, Do, Model, workloads};
use crate::storage::StorageError;
use crate::storage::fs::simulated::{Fault, SimulatedFileSystem};

/// How a workload went that something went wrong with.
#[derive(Default)]
struct Ran {
    /// What was acknowledged.
    model: Model,
    /// The same with the step whose fate is not known.
    or: Option<Model>,
    failed: usize,
}

/// Runs a workload on an empty disk; a step that fails is left out.
fn run(fs: &SimulatedFileSystem, steps: &[Do], fault: Fault) -> Ran {
    fs.set_fault(fault);
    let mut ran = Ran::default();
    let Ok((mut database, found)) = Database::open(fs) else {
        ran.failed = 1;
        return ran;
    };
    assert_eq!(found, Model::default());
    for step in steps {
        let mut after = ran.model.clone();
        match database.commit(&mut after, step) {
            Ok(()) => ran.model = after,
            Err(error) => {
                ran.failed += 1;
                assert_eq!(database.visible(), ran.model, "something of {step:?} is visible");
                if matches!(error, StorageError::Refused { .. }) {
                    ran.or.get_or_insert(after);
                }
            }
        }
    }
    ran
}

/// Opens what a crash left, twice, and checks that it is what was acknowledged, and that work goes on.
fn check(crashed: &SimulatedFileSystem, ran: &Ran, what: &str) {
    let (database, found) =
        Database::open(crashed).unwrap_or_else(|error| panic!("{what}: {error}"));
    let is_right = found == ran.model || ran.or.as_ref() == Some(&found);
    assert!(is_right, "{what}: {found:#?} is neither {:#?} nor {:#?}", ran.model, ran.or);
    drop(database);
    let (mut database, again) = Database::open(crashed).unwrap();
    assert_eq!(again, found, "{what}: the second start differs");
    let mut model = again;
    database.commit(&mut model, &Do::Insert(77, 1)).unwrap();
    database.commit(&mut model, &Do::Checkpoint).unwrap();
    drop(database);
    let (_, last) = Database::open(&crashed.after_crash()).unwrap();
    assert_eq!(last, model, "{what}: work after the crash is lost");
}

fn operations_of(steps: &[Do]) -> u64 {
    let fs = SimulatedFileSystem::new(1);
    assert_eq!(run(&fs, steps, Fault::None).failed, 0);
    fs.operations()
}

#[test]
fn a_clean_run_is_there_after_a_crash() {
    for steps in workloads() {
        let fs = SimulatedFileSystem::new(1);
        let ran = run(&fs, &steps, Fault::None);
        assert_eq!(ran.failed, 0);
        check(&fs.after_crash(), &ran, "clean run");
    }
}

#[test]
fn the_machine_may_stop_at_any_operation() {
    for steps in workloads() {
        for at in 0..operations_of(&steps) {
            for seed in 0..3 {
                let fs = SimulatedFileSystem::new(seed * 1000 + at);
                let ran = run(&fs, &steps, Fault::Stop(at));
                check(&fs.after_crash(), &ran, &format!("stopped at {at}, seed {seed}"));
            }
        }
    }
}

#[test]
fn any_operation_may_fail() {
    for steps in workloads() {
        for at in 0..operations_of(&steps) {
            let fs = SimulatedFileSystem::new(at);
            let ran = run(&fs, &steps, Fault::Fail(at));
            check(&fs.after_crash(), &ran, &format!("failed at {at}"));
        }
    }
}

#[test]
fn a_full_disk_fails_commits_and_nothing_else() {
    for steps in workloads() {
        for at in 0..operations_of(&steps) {
            let fs = SimulatedFileSystem::new(at);
            fs.set_fault(Fault::Full(at));
            let Ok((mut database, mut model)) = Database::open(&fs) else { continue };
            for step in &steps {
                let mut after = model.clone();
                match database.commit(&mut after, step) {
                    Ok(()) => model = after,
                    Err(error) => {
                        use crate::error::Report as _;
                        assert_eq!(error.sqlstate().0, "53100", "{at}: {step:?} {error:?}");
                        assert_eq!(database.visible(), model);
                    }
                }
            }
            fs.set_fault(Fault::None);
            database.commit(&mut model, &Do::Insert(500, 2)).unwrap();
            database.commit(&mut model, &Do::Checkpoint).unwrap();
            assert_eq!(database.visible(), model);
            drop(database);
            check(&fs.after_crash(), &Ran { model, ..Ran::default() }, &format!("full at {at}"));
        }
    }
}

#[test]
fn after_a_failed_sync_nothing_is_written_until_the_store_is_opened_again() {
    let fs = SimulatedFileSystem::new(3);
    let (mut database, mut model) = Database::open(&fs).unwrap();
    database.commit(&mut model, &Do::Insert(0, 1)).unwrap();
    // The write works, the sync after it does not.
    fs.set_fault(Fault::Fail(1));
    let mut after = model.clone();
    let error = database.commit(&mut after, &Do::Insert(1, 1)).unwrap_err();
    assert!(matches!(error, StorageError::Refused { .. }), "{error}");
    for step in [Do::Insert(2, 1), Do::Checkpoint] {
        let error = database.commit(&mut model.clone(), &step).unwrap_err();
        assert!(matches!(error, StorageError::Refused { .. }), "{error}");
    }
    assert_eq!(database.visible(), model);
    drop(database);
    let ran = Ran { model, or: Some(after), failed: 0 };
    check(&fs.after_crash(), &ran, "failed sync");
}

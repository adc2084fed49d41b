//! The proofs, as small as they fit into every test run. The large ones: see the crate's documentation.

#![expect(clippy::print_stdout, reason = "what was shown")]

use proofs::order::Options;
use proofs::{Failure, Functions, crashes, order};

#[test]
fn there_is_one_order() {
    let functions = Functions::default();
    let (operations, seed, clients, services, trouble) = (1500, 4711, 8, 1, true);
    let options = Options { operations, seed, clients, services, trouble, functions };
    let report = order::run(&options, &|_, _| ()).unwrap();
    println!("{report}");
    assert!(report.answers() >= 1500, "{report}");
    assert!(report.trouble.values().sum::<u64>() > 10 && report.totals.versions > 300, "{report}");
}

/// Four for each change that each operation makes.
#[test]
fn every_crash_converges() {
    let report = crashes::run(&Functions::default(), None).unwrap();
    println!("{report}");
    let changes: usize = crashes::SCENES.iter().map(|scene| scene.changes.len()).sum();
    assert_eq!((report.rows.len(), changes), (4 * 42, 42));
}

#[test]
fn what_can_not_be_tried_is_told_from_what_is_wrong() {
    let nowhere = Functions { folder: Some("/nowhere".into()), ..Functions::default() };
    let error = crashes::run(&nowhere, None).unwrap_err();
    assert!(matches!(error, Failure::CannotRun(_)), "{error:?}");
    let error = crashes::run(&Functions::default(), Some("pay")).unwrap_err();
    assert!(matches!(error, Failure::CannotRun(_)), "{error:?}");
}

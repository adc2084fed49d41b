//! Small runs of both proofs, for every test run. The crate's documentation has the commands for large runs.

#![expect(clippy::print_stdout, reason = "reports of the proofs")]

use proofs::order::Options;
use proofs::{Failure, Functions, crashes, order, purchases};

#[test]
fn concurrent_operations_have_one_sequential_order() {
    let functions = Functions::default();
    let (operations, seed, clients, services, inject_faults) = (900, 4711, 8, 1, true);
    let options = Options { operations, seed, clients, services, inject_faults, functions };
    let report = order::run(&options, &|_, _| ()).unwrap();
    println!("{report}");
    assert!(report.responses() >= 900, "{report}");
    assert!(report.faults.values().sum::<u64>() > 10 && report.totals.versions > 200, "{report}");
    let events = &report.totals.events;
    assert!(events.stored["primary-changed"] > 5 && events.delivered > 5, "{report}");
    let payments = &report.totals.payments;
    let [captured, credited, _, held] = payments.ledger;
    assert!(payments.versions > 100 && captured > 0 && credited > 0 && held == 0, "{report}");
}

/// A small load. `proofs purchases` pays 10,000 orders.
#[test]
fn every_order_of_a_load_with_faults_is_paid_as_answered() {
    let functions = Functions::default();
    let (orders, seed, clients, inject_faults) = (60, 4711, 8, true);
    let options = purchases::Options { orders, seed, clients, inject_faults, functions };
    let report = purchases::run(&options).unwrap();
    println!("{report}");
    let ([captured, credited, _, held], [paid, refunded]) = (report.ledger, report.orders);
    assert!(captured > credited && credited > 0 && held == 0, "{report}");
    assert!((30..60).contains(&paid) && (4..30).contains(&refunded), "{report}");
    assert!(report.table_faults.values().sum::<u64>() > 5, "{report}");
    assert!(report.responses(503) > 0 && report.repetitions() > 0, "{report}");
}

/// One scenario, with four crashes for each of its side effects. `proofs crashes` runs all scenarios.
#[test]
fn every_crash_of_authorize_converges() {
    let report = crashes::run(&Functions::default(), Some("authorize")).unwrap();
    println!("{report}");
    let authorize =
        crashes::SCENARIOS.iter().find(|scenario| scenario.name == "authorize").unwrap();
    assert_eq!((report.rows.len(), authorize.side_effects.len()), (4 * 4, 4));
    let all: usize = crashes::SCENARIOS.iter().map(|scenario| scenario.side_effects.len()).sum();
    assert_eq!(all, 110);
}

#[test]
fn a_proof_that_cannot_run_is_not_a_violation() {
    let nowhere = Functions { folder: Some("/nowhere".into()), ..Functions::default() };
    let error = crashes::run(&nowhere, None).unwrap_err();
    assert!(matches!(error, Failure::CannotRun(_)), "{error:?}");
    let error = crashes::run(&Functions::default(), Some("pay")).unwrap_err();
    assert!(matches!(error, Failure::CannotRun(_)), "{error:?}");
}

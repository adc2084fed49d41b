//! Small histories from the specification, some with an error that the checker must find.

mod events;
mod history;
mod simulation;

use serde_json::json;

use super::*;
use crate::order::operation::Change;
use crate::order::spec::decide;
use simulation::*;

#[test]
fn correct_history_has_no_violation() {
    let mut simulation = Simulation::new();
    let (first, second) = (simulation.create(), simulation.create());
    simulation.change(rename(second), |_| {}).unwrap();
    simulation.change(Operation::End(first), |_| {}).unwrap();
    simulation.deliver().unwrap();
    let (id, call) = simulation.invoke(Operation::List("4711".to_owned(), false));
    simulation.read(id);
    let expected = decide(&call, &mut simulation.wallet.at(call.now)).unwrap();
    simulation.respond(id, response_to(&expected)).unwrap();
    let (id, _) = simulation.invoke(Operation::Get(first ^ 1 << 20));
    let other_slot = (first ^ 1 << 20) >> 10;
    simulation.process(Event::Read(id, other_slot, None)).unwrap();
    simulation.respond(id, problem(404, "not-found")).unwrap();
    simulation.checker.finish().unwrap();
    assert_eq!((simulation.checker.totals.versions, simulation.checker.totals.wallets), (6, 1));
}

#[test]
fn version_that_differs_from_the_specification_is_a_violation() {
    type Modify = fn(&mut Item);
    let cases: [(Modify, &str); 6] = [
        (|item| item.wallet.choices.push(1), "choices"),
        (|item| item.wallet.payments[0].nickname = None, "recurring payment: stored"),
        (|item| drop(item.wallet.payments.pop()), "list of recurring payments"),
        (|item| item.expiry_at = None, "expiryAt"),
        (|item| item.task_at = Some(START), "taskAt"),
        (|item| item.has_correct_pan_hashes = false, "a pan hash"),
    ];
    for (modify, what) in cases {
        let mut simulation = Simulation::new();
        let id = simulation.create();
        assert_violation(simulation.change(rename(id), modify).map(drop), what);
    }
}

#[test]
fn two_writes_of_one_version_are_a_violation() {
    let mut simulation = Simulation::new();
    let id = simulation.create();
    simulation.change(rename(id), |_| {}).unwrap();
    let (other, _) = simulation.invoke(Operation::End(id));
    let again = simulation.item();
    assert_violation(
        simulation.process(Event::Written(other, Box::new(again))),
        "version 2 was written again",
    );
}

#[test]
fn operation_done_twice_is_a_violation() {
    let mut simulation = Simulation::new();
    simulation.create();
    let (id, call) = simulation.invoke(create_operation());
    for _ in 0..2 {
        decide(&call, &mut simulation.wallet).unwrap();
        simulation.version += 1;
        let result = simulation.process(Event::Written(id, Box::new(simulation.item())));
        if simulation.version == 3 {
            return assert_violation(result, "one invocation wrote twice");
        }
        result.unwrap();
    }
}

#[test]
fn response_that_matches_no_version_is_a_violation() {
    let mut simulation = Simulation::new();
    let id = simulation.create();
    let (get, _) = simulation.invoke(Operation::Get(id));
    simulation.read(get);
    assert_violation(simulation.respond(get, problem(404, "not-found")), "matches no version");
    // The operation is done, but the response says that it is not.
    let (end, call) = simulation.invoke(Operation::End(id));
    decide(&call, &mut simulation.wallet).unwrap();
    simulation.version += 1;
    simulation.process(Event::Written(end, Box::new(simulation.item()))).unwrap();
    assert_violation(simulation.respond(end, problem(404, "not-found")), "expected");
    // The invocation read nothing.
    let (get, call) = simulation.invoke(Operation::Get(id));
    let expected_response = decide(&call, &mut simulation.wallet.clone()).unwrap();
    assert_violation(
        simulation.respond(get, response_to(&expected_response)),
        "matches no version",
    );
}

#[test]
fn response_older_than_the_request_is_a_violation() {
    let mut simulation = Simulation::new();
    let id = simulation.create();
    let before = (simulation.version, simulation.wallet.clone());
    simulation.change(rename(id), |_| {}).unwrap();
    let (get, call) = simulation.invoke(Operation::Get(id));
    let head = Head { slot: simulation.slot, version: before.0 };
    simulation.process(Event::Read(get, simulation.slot, Some(Stored::Head(head)))).unwrap();
    let expected_response = decide(&call, &mut before.1.at(call.now)).unwrap();
    assert_violation(simulation.respond(get, response_to(&expected_response)), "began after");
}

/// Each word is an attempt. The condition fails and the response contains the stored item (`item`) or does not (`no-item`); that
/// response is lost and the SDK repeats the write (`repeated`); the write does not reach the table, and another invocation wrote a
/// version (`lost`) or did not (`lost-alone`).
#[test]
fn busy_requires_five_attempts_and_no_write() {
    let cases = [
        ("item item item item item", false, true),
        ("item item item item", false, false),
        ("item item item item item", true, false),
        ("no-item no-item no-item no-item no-item", false, true),
        ("no-item no-item no-item no-item", false, false),
        ("item lost item item item", false, true),
        ("lost item lost no-item no-item", false, true),
        ("item lost item item", false, false),
        ("item lost-alone lost-alone item item", false, true),
        ("lost-alone lost-alone lost-alone lost-alone item", false, true),
        ("item item item item lost-alone", false, true),
        ("lost-alone lost-alone lost-alone lost-alone lost-alone lost-alone", false, false),
        ("item item item item item repeated", false, true),
        ("repeated item item item item", false, true),
    ];
    for (attempts, has_written, is_accepted) in cases {
        let mut simulation = Simulation::new();
        let id = simulation.create();
        let (update, call) = simulation.invoke(rename(id));
        simulation.read(update);
        let mut must_read = false;
        for attempt in attempts.split(' ') {
            if attempt == "lost-alone" {
                simulation.read(update);
                continue;
            }
            if std::mem::take(&mut must_read) {
                simulation.read(update);
            }
            if attempt == "repeated" {
                let head = Head { slot: simulation.slot, version: simulation.version };
                simulation.process(Event::ConditionFailed(update, Some(head))).unwrap();
                continue;
            }
            let nickname = Some(Some(format!("Kort {}", simulation.version)));
            simulation
                .change(Operation::Update(id, Change { nickname, primary: None }), |_| {})
                .unwrap();
            let head = Head { slot: simulation.slot, version: simulation.version };
            match attempt {
                "item" => simulation.process(Event::ConditionFailed(update, Some(head))).unwrap(),
                "no-item" => {
                    simulation.process(Event::ConditionFailed(update, None)).unwrap();
                    must_read = true;
                }
                _ => simulation.read(update),
            }
        }
        if has_written {
            decide(&call, &mut simulation.wallet).unwrap();
            simulation.version += 1;
            simulation.process(Event::Written(update, Box::new(simulation.item()))).unwrap();
        }
        assert_eq!(
            simulation.respond(update, problem(409, "busy")).is_ok(),
            is_accepted,
            "{attempts} {has_written}"
        );
    }
}

#[test]
fn write_after_the_response_is_allowed_only_if_the_outcome_was_unknown() {
    for status in [Some(503), None, Some(200)] {
        let mut simulation = Simulation::new();
        let id = simulation.create();
        simulation.change(rename(id), |_| {}).unwrap();
        let (again, call) = simulation.invoke(rename(id));
        simulation.read(again);
        let expected_response = response_to(&decide(&call, &mut simulation.wallet).unwrap());
        let response = status.map(|status| {
            if status == 200 { expected_response } else { problem(status, "unavailable") }
        });
        simulation.process(Event::Returned(again, response)).unwrap();
        simulation.version += 1;
        let result = simulation.process(Event::Written(again, Box::new(simulation.item())));
        assert_eq!(result.is_ok(), status != Some(200), "{status:?}");
    }
}

#[test]
fn events_may_arrive_in_a_different_order_than_versions() {
    let mut simulation = Simulation::new();
    let id = simulation.create();
    let (update, call) = simulation.invoke(rename(id));
    let (get, later) = simulation.invoke(Operation::Get(id));
    let expected = decide(&call, &mut simulation.wallet).unwrap();
    simulation.version += 1;
    // The version is read and shown in a response before the event of its write arrives.
    simulation.read(get);
    let expected_response = decide(&later, &mut simulation.wallet.clone()).unwrap();
    simulation.respond(get, response_to(&expected_response)).unwrap();
    assert!(simulation.checker.finish().is_err(), "the read version was not written yet");
    simulation.process(Event::Written(update, Box::new(simulation.item()))).unwrap();
    simulation.respond(update, response_to(&expected)).unwrap();
    simulation.checker.finish().unwrap();
}

#[test]
fn wallet_in_a_wrong_slot_or_with_another_owner_is_a_violation() {
    let mut simulation = Simulation::new();
    let (id, call) = simulation.invoke(create_operation());
    decide(&call, &mut simulation.wallet).unwrap();
    simulation.wallet.slot += 1;
    simulation.version += 1;
    assert_violation(
        simulation.process(Event::Written(id, Box::new(simulation.item()))),
        "in the wrong slot",
    );
    let mut simulation = Simulation::new();
    let id = simulation.create();
    let change_owner = |item: &mut Item| item.owner = "b3RoZXI=".to_owned();
    assert_violation(simulation.change(rename(id), change_owner).map(drop), "the owner changed");
}

/// The customer enters a card in a registered session, and the card is never stored.
#[test]
fn lost_card_is_a_violation() {
    let card = || PageAction::EnterCard("VISA".to_owned(), "0004".to_owned(), "2029-03".to_owned());
    let opened = || {
        let mut simulation = Simulation::new();
        let id = simulation.create();
        let response = simulation.change(Operation::Terminal(id, None), |_| {}).unwrap();
        let transaction = response.body["transactionId"].as_u64().unwrap();
        simulation.process(Event::ActionStarted(transaction, card())).unwrap();
        simulation.process(Event::ActionFinished(transaction, true)).unwrap();
        (simulation, id)
    };
    let (mut simulation, _) = opened();
    assert_violation(simulation.process(Event::Idle(simulation.now)), "a card is lost");
    let (mut simulation, id) = opened();
    let (authorize, _) = simulation.invoke(Operation::Authorize(id));
    simulation.read(authorize);
    assert_violation(
        simulation.respond(authorize, problem(409, "terminal-open")),
        "matches no version",
    );
}

#[test]
fn work_that_stays_due_is_a_violation() {
    let mut simulation = Simulation::new();
    simulation.create();
    simulation.process(Event::Idle(START + 3_600_000)).unwrap();
    let id = simulation.create();
    simulation.change(rename(id), |_| {}).unwrap();
    assert_violation(simulation.process(Event::Idle(START + 100_000_000)), "work is due");
}

/// The recurring payment is abandoned a day after its creation, before or after the end of the wait.
#[test]
fn a_request_that_waits_shows_a_version_and_an_instant_within_the_wait() {
    let abandoned_at = START + 1 + 24 * 3_600_000;
    for (begins_before, seconds, is_accepted) in
        [(1_500, 2, true), (2_500, 2, true), (5_000, 2, false), (0, 1, true)]
    {
        let mut simulation = Simulation::new();
        let id = simulation.create();
        simulation.now = abandoned_at - begins_before - 1;
        let (wait, call) = simulation.invoke(Operation::Wait(id, seconds));
        simulation.read(wait);
        let expected = decide(&call, &mut simulation.wallet.at(abandoned_at)).unwrap();
        let responded = simulation.respond(wait, response_to(&expected));
        assert_eq!(responded.is_ok(), is_accepted, "{begins_before} {seconds}");
    }
    let mut simulation = Simulation::new();
    let id = simulation.create();
    let (wait, call) = simulation.invoke(Operation::Wait(id, 2));
    simulation.read(wait);
    simulation.change(rename(id), |_| {}).unwrap();
    let later = decide(&call, &mut simulation.wallet.clone()).unwrap();
    assert_violation(simulation.respond(wait, response_to(&later)), "matches no version");
    let (wait, _) = simulation.invoke(Operation::Wait(id, 2));
    simulation.read(wait);
    simulation.respond(wait, response_to(&later)).unwrap();
}

//! Dry runs and histories: correct ones, and some with an error that the checker must find.

use serde_json::Value;

use super::*;

impl Simulation {
    /// Sends a read operation. Returns the invocation and the response that the specification requires.
    fn request(&mut self, operation: Operation) -> (u64, Response) {
        let (id, call) = self.invoke(operation);
        self.read(id);
        let expected = decide(&call, &mut self.wallet.at(call.now)).unwrap();
        (id, response_to(&expected))
    }

    /// The history of a recurring payment. The checker must accept it.
    fn history(&mut self, payment: u64) -> Vec<Value> {
        let (id, response) = self.request(Operation::History(payment));
        self.respond(id, response.clone()).unwrap();
        response.body.as_array().unwrap().clone()
    }

    /// The invocation of the last request.
    fn client(&self) -> Value {
        format!("proofs-{}", self.next).into()
    }
}

fn choose(id: u64) -> Operation {
    Operation::Update(id, Change { nickname: None, primary: Some(true) })
}

#[test]
fn dry_run_shows_the_result_and_writes_nothing() {
    let mut simulation = Simulation::new();
    let (first, second) = (simulation.create(), simulation.create());
    let (id, response) = simulation.request(Operation::DryRun(first, None));
    assert_eq!(response.body["recurringStatus"], "CANCELLED");
    assert_eq!(response.body["primaryRecurringPaymentId"], second);
    simulation.respond(id, response).unwrap();
    let change = Change { nickname: None, primary: Some(true) };
    let (id, response) = simulation.request(Operation::DryRun(second, Some(change.clone())));
    assert_eq!(
        (&response.body["primary"], &response.body["recurringStatus"]),
        (&json!(true), &json!("CREATED"))
    );
    assert_eq!(response.body["primaryRecurringPaymentId"], second);
    simulation.respond(id, response).unwrap();
    let change = Change { primary: Some(false), ..change };
    let (id, _) = simulation.invoke(Operation::DryRun(first, Some(change)));
    simulation.read(id);
    simulation.respond(id, problem(409, "primary-needs-successor")).unwrap();
    simulation.checker.finish().unwrap();

    let (id, _) = simulation.request(Operation::DryRun(first, None));
    simulation.version += 1;
    let written = simulation.process(Event::Written(id, Box::new(simulation.item())));
    assert_violation(written, "a read operation wrote");
}

#[test]
fn dry_run_with_another_result_is_a_violation() {
    let other_results: [fn(&mut Value, u64); 4] = [
        |body, first| body["primaryRecurringPaymentId"] = first.into(),
        |body, _| drop(body.as_object_mut().unwrap().remove("primaryRecurringPaymentId")),
        |body, _| body["recurringStatus"] = "CREATED".into(),
        |body, _| body["primary"] = true.into(),
    ];
    for modify in other_results {
        let mut simulation = Simulation::new();
        let first = simulation.create();
        simulation.create();
        let (id, mut response) = simulation.request(Operation::DryRun(first, None));
        modify(&mut response.body, first);
        assert_violation(simulation.respond(id, response), "matches no version");
    }
}

#[test]
fn history_has_every_change_with_its_request_or_the_instant_at_which_it_was_due() {
    let mut simulation = Simulation::new();
    let first = simulation.create();
    let first_client = simulation.client();
    simulation.now += 3_600_000;
    let second = simulation.create();
    let second_client = simulation.client();
    let actor = json!({ "type": "CLIENT", "client": "tests-proofs" });
    let created = json!({
        "changedAt": "2026-11-23T10:00:00.001Z",
        "actor": actor,
        "statusAfter": "CREATED",
        "reason": "FIRST",
        "primaryAfter": first,
        "correlationId": first_client,
    });
    assert_eq!(simulation.history(first), [created]);
    let added = json!({
        "changedAt": "2026-11-23T11:00:00.002Z",
        "actor": actor,
        "statusAfter": "CREATED",
        "reason": "REQUESTED",
        "primaryBefore": first,
        "primaryAfter": first,
        "correlationId": second_client,
    });
    // A day after its creation, the first one is abandoned. The end of the second one stores it, half an hour later.
    simulation.now = START + 24 * 3_600_000 + 1_800_000;
    let promoted = json!({
        "changedAt": "2026-11-24T10:00:00.001Z",
        "actor": { "type": "TIME" },
        "statusBefore": "CREATED",
        "statusAfter": "CREATED",
        "reason": "PROMOTED_AFTER_ABANDONMENT",
        "primaryBefore": first,
        "primaryAfter": second,
    });
    assert_eq!(simulation.history(second), [added.clone(), promoted.clone()]);
    simulation.change(Operation::End(second), |_| {}).unwrap();
    let third_client = simulation.client();
    let history = simulation.history(second);
    assert_eq!(history[..2], [added, promoted]);
    assert_eq!(history[2]["reason"], "ENDED");
    assert_eq!((&history[2]["actor"], &history[2]["correlationId"]), (&actor, &third_client));
    assert_eq!(simulation.history(first)[1]["reason"], "ABANDONED");
}

#[test]
fn abandoned_choice_hands_the_primary_back() {
    let mut simulation = Simulation::new();
    let (first, second) = (simulation.create(), simulation.create());
    simulation.now += 3_600_000;
    // Both are created at about the same time. Only the terminal of the first one keeps it longer than the chosen one.
    simulation.change(Operation::Terminal(first, None), |_| {}).unwrap();
    simulation.change(choose(second), |_| {}).unwrap();
    simulation.now += 24 * 3_600_000 - 3_600_000;
    let last = simulation.history(first).pop().unwrap();
    assert_eq!(last["reason"], "HANDED_BACK");
    assert_eq!((&last["primaryBefore"], &last["primaryAfter"]), (&json!(second), &json!(first)));
}

#[test]
fn wallet_has_its_last_sixteen_changes() {
    let mut simulation = Simulation::new();
    let ids = [simulation.create(), simulation.create()];
    for turn in 1..=20 {
        simulation.change(choose(ids[turn % 2]), |_| {}).unwrap();
    }
    let clients: Vec<_> =
        simulation.history(ids[0]).iter().map(|change| change["correlationId"].clone()).collect();
    assert_eq!(clients.len(), 16);
    assert_eq!(clients[15], format!("proofs-{}", simulation.next - 1));
}

#[test]
fn history_that_differs_from_the_versions_is_a_violation() {
    type Modify = fn(&mut Vec<Value>);
    let modifications: [Modify; 8] = [
        |changes| drop(changes.pop()),
        |changes| drop(changes.remove(0)),
        |changes| changes.push(changes[1].clone()),
        |changes| changes[1]["correlationId"] = "proofs-1".into(),
        |changes| changes[1]["reason"] = "REQUESTED".into(),
        |changes| changes[1]["changedAt"] = "2026-11-23T10:00:00.002Z".into(),
        |changes| changes[1]["primaryAfter"] = changes[1]["primaryBefore"].clone(),
        |changes| changes[1]["actor"] = json!({ "type": "TIME" }),
    ];
    for modify in modifications {
        let mut simulation = Simulation::new();
        let (first, second) = (simulation.create(), simulation.create());
        simulation.change(Operation::End(first), |_| {}).unwrap();
        assert_eq!(simulation.history(second).len(), 2);
        let (id, mut response) = simulation.request(Operation::History(second));
        modify(response.body.as_array_mut().unwrap());
        assert_violation(simulation.respond(id, response), "matches no version");
    }
}

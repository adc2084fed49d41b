//! Replies that are lost and functions that are killed: one card in the end, processed once at Nets, nothing stuck.

use std::sync::Arc;

use local::inbox::Answer;
use local::netaxept::{Kind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{Answer as Reply, PAYMENTS, VISA, World};

/// Whatever became of the calls so far, the client never comes back: in the end the card is there, and Nets processed once.
async fn ends_with_one_card(world: &mut World, id: &Value) {
    world.wait("PT1M1S").await;
    // The first look may meet what is left of the faults; one of the next ones, a minute later each, does not.
    for _ in 0..3 {
        world.run("finish-terminals").await;
        world.wait("PT1M1S").await;
    }
    let seen = world.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json();
    assert_eq!((&seen["recurringStatus"], &seen["primary"]), (&json!("ACTIVE"), &json!(true)));
    assert_eq!(world.events(), ["recurring-payment.activated"]);
    world.local.inbox().forget();
    let transactions = world.local.netaxept().transactions();
    let of_it = |one: &&Value| {
        let transaction = one["transactionId"].as_str().unwrap().parse::<u64>().unwrap();
        Some(transaction >> 4) == id.as_u64()
    };
    let verified = |one: &Value| one["transaction"]["done"]["VERIFY"].as_u64().unwrap_or_default();
    assert_eq!(transactions.as_array().unwrap().iter().filter(of_it).map(verified).sum::<u64>(), 1);
    world.pass("PT1H").await;
    assert!(world.nothing_is_due().await);
}

/// A recurring payment of a customer who has no other.
async fn new(world: &World) -> Value {
    let customer = world.local.dynamodb().requests().len().to_string();
    world.create(&customer, json!({})).await["recurringPaymentId"].clone()
}

/// A recurring payment whose customer has entered a card.
async fn with_a_card(world: &World) -> Value {
    let id = new(world).await;
    let uri = world.terminal(&id).await;
    world.press(&uri, VISA, "okButton").await;
    id
}

/// Every way in which Nets or the network can fail, but the slow one.
const FAULTS: [Kind; 4] = [Kind::DropReply, Kind::Http500, Kind::Html, Kind::Garbage];

#[tokio::test]
async fn a_register_that_fails_is_looked_up() {
    let mut world = World::new().await;
    for kind in FAULTS {
        let id = new(&world).await;
        world.local.netaxept().fail(Operation::Register, kind, 1);
        let body = json!({ "redirectUrl": "https://shop.example/done" });
        let path = format!("{PAYMENTS}/{id}/terminal");
        let opened = world.call("POST", &path, Some(&body)).await;
        if kind == Kind::DropReply {
            assert_eq!(opened.status, StatusCode::CREATED, "Nets had done it");
        } else {
            assert_eq!(opened.problem(), (503, "unavailable".to_owned()), "{kind:?}");
        }
        let uri = world.terminal(&id).await;
        world.press(&uri, VISA, "okButton").await;
        ends_with_one_card(&mut world, &id).await;
    }
}

/// Found by `tests/model`: a client that repeats its request with the same key may be registering the visit while the first
/// request gives up. So that one leaves the visit open, and whoever repeats the request gets it.
#[tokio::test]
async fn a_register_that_fails_leaves_the_visit_to_whoever_asks_again_with_its_key() {
    let mut world = World::new().await;
    let id = new(&world).await;
    world.local.netaxept().fail(Operation::Register, Kind::Http500, 1);
    let bearer = format!("Bearer {}", world.partner);
    let headers = [
        ("authorization", bearer.as_str()),
        ("et-client-name", "tests-api"),
        ("content-type", "application/json"),
        ("idempotency-key", "one"),
    ];
    let tell = format!("{}/inbox/{id}", world.local.addresses().console);
    let body =
        json!({ "redirectUrl": "https://shop.example/done", "callbackUrl": tell }).to_string();
    let path = format!("{PAYMENTS}/{id}/terminal");
    let opened = world.send("POST", &path, &headers, Some(&body)).await;
    assert_eq!(opened.problem(), (503, "unavailable".to_owned()));
    assert_eq!(world.authorize(&id).await.problem(), (409, "no-terminal".to_owned()));
    let opened = world.send("POST", &path, &headers, Some(&body)).await.json();
    assert_eq!(opened["transactionId"], id.as_u64().unwrap() << 4, "the first visit");
    world.press(opened["terminalUri"].as_str().unwrap(), VISA, "okButton").await;
    ends_with_one_card(&mut world, &id).await;
}

#[tokio::test]
async fn a_register_and_its_query_that_fail_leave_a_harmless_visit() {
    let mut world = World::new().await;
    let id = new(&world).await;
    let nets = world.local.netaxept();
    nets.fail(Operation::Register, Kind::DropReply, 1);
    nets.fail(Operation::Query, Kind::DropReply, 1);
    let body = json!({ "redirectUrl": "https://shop.example/done" });
    let opened = world.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
    assert_eq!(opened.problem(), (503, "unavailable".to_owned()));
    assert_ne!(opened.header("retry-after"), "");
    let uri = world.terminal(&id).await;
    world.press(&uri, VISA, "okButton").await;
    ends_with_one_card(&mut world, &id).await;
}

/// Authorize asks three times: Query, Process, Query. Each of them fails in each way, and the schedule finishes.
#[tokio::test]
async fn an_authorize_that_meets_a_fault_is_finished_by_the_schedule() {
    let mut world = World::new().await;
    for kind in FAULTS {
        for (operation, turns_before) in
            [(Operation::Query, 0), (Operation::Process, 0), (Operation::Query, 1)]
        {
            let id = with_a_card(&world).await;
            world.local.netaxept().fail(operation, Kind::Pass, turns_before);
            world.local.netaxept().fail(operation, kind, 1);
            let answer = world.authorize(&id).await;
            assert_eq!(answer.problem(), (503, "unavailable".to_owned()), "{kind:?} {operation:?}");
            ends_with_one_card(&mut world, &id).await;
        }
    }
}

/// Every combination of lost replies to Register, Process and Query, met first by the client or first by the schedule.
#[tokio::test]
async fn every_combination_of_lost_replies_verifies_once() {
    let mut world = World::new().await;
    for lost in 0..8_u8 {
        for client_first in [true, false] {
            let nets = world.local.netaxept().clone();
            let drop_reply = |operation, bit: u8| {
                nets.fail(operation, Kind::DropReply, usize::from(lost >> bit & 1));
            };
            let id = new(&world).await;
            drop_reply(Operation::Register, 0);
            let uri = world.terminal(&id).await;
            world.press(&uri, VISA, "okButton").await;
            drop_reply(Operation::Process, 1);
            drop_reply(Operation::Query, 2);
            world.wait("PT1M1S").await;
            if client_first {
                let clear = world.authorize(&id).await.status == StatusCode::OK;
                assert_eq!(clear, lost >> 1 == 0, "{lost:03b}");
            } else {
                let unclear = world.run("finish-terminals").await["unclear"].clone();
                assert_eq!(unclear, u64::from(lost >> 1 != 0), "{lost:03b}");
                // Whatever is left of the faults, authorize is safe.
                world.authorize(&id).await;
            }
            ends_with_one_card(&mut world, &id).await;
        }
    }
}

/// The schedule's own calls fail: the next look, a minute later, goes well.
#[tokio::test]
async fn a_look_of_the_schedule_that_meets_a_fault_is_repeated() {
    let mut world = World::new().await;
    for (operation, turns_before) in
        [(Operation::Query, 0), (Operation::Process, 0), (Operation::Query, 1)]
    {
        let id = with_a_card(&world).await;
        world.local.netaxept().fail(operation, Kind::Pass, turns_before);
        world.local.netaxept().fail(operation, Kind::DropReply, 1);
        world.wait("PT1M1S").await;
        let tally = world.run("finish-terminals").await;
        assert_eq!((&tally["unclear"], &tally["heard"]), (&json!(1), &json!(0)), "{tally}");
        ends_with_one_card(&mut world, &id).await;
    }
}

/// Nets is slower than we wait: the caller is answered in time, and the card is not lost.
#[tokio::test]
async fn a_slow_nets_is_not_waited_for() {
    let mut world = World::new().await;
    let id = with_a_card(&world).await;
    world.local.netaxept().fail(Operation::Process, Kind::Delay, 1);
    let answer = world.authorize(&id).await;
    assert_eq!(answer.problem(), (503, "unavailable".to_owned()));
    ends_with_one_card(&mut world, &id).await;
}

/// Calls a function, and kills it once Nets has met the fault.
async fn killed(world: &Arc<World>, function: &str, call: JoinHandle<Reply>) {
    world.local.netaxept().met().await;
    for instance in world.local.lambda().instances(function) {
        world.local.lambda().kill(instance);
    }
    assert_eq!(call.await.unwrap().status, StatusCode::INTERNAL_SERVER_ERROR);
}

fn calling(
    world: &Arc<World>,
    method: &'static str,
    path: String,
    body: Option<Value>,
) -> JoinHandle<Reply> {
    let world = world.clone();
    tokio::spawn(async move { world.call(method, &path, body.as_ref()).await })
}

/// Create-terminal writes the visit down, asks Nets to register it, and looks it up when the answer is not clear: killed while
/// Nets registers, and while Nets is asked.
#[tokio::test]
async fn create_terminal_is_killed_after_its_write() {
    for (register, query) in [(Kind::Delay, None), (Kind::Http500, Some(Kind::Delay))] {
        let world = Arc::new(World::new().await);
        let id = new(&world).await;
        let nets = world.local.netaxept().clone();
        nets.fail(Operation::Register, register, 1);
        if let Some(kind) = query {
            nets.fail(Operation::Query, kind, 1);
        }
        let body = json!({ "redirectUrl": "https://shop.example/done" });
        let call = calling(&world, "POST", format!("{PAYMENTS}/{id}/terminal"), Some(body));
        while query.is_some() && nets.calls(Operation::Query) == 0 {
            tokio::task::yield_now().await;
        }
        killed(&world, "create-terminal", call).await;
        let mut world = Arc::into_inner(world).unwrap();
        let uri = world.terminal(&id).await;
        world.press(&uri, VISA, "okButton").await;
        ends_with_one_card(&mut world, &id).await;
    }
}

/// Killed while Nets verifies, and while Nets is asked for the pan hash: nothing is written, and the schedule finishes.
#[tokio::test]
async fn authorize_is_killed_before_its_first_write() {
    for (operation, turns_before) in [(Operation::Process, 0), (Operation::Query, 1)] {
        let world = Arc::new(World::new().await);
        let id = with_a_card(&world).await;
        world.local.netaxept().fail(operation, Kind::Pass, turns_before);
        world.local.netaxept().fail(operation, Kind::Delay, 1);
        let call = calling(&world, "PUT", format!("{PAYMENTS}/{id}/authorize"), None);
        killed(&world, "authorize-recurring-payment", call).await;
        let mut world = Arc::into_inner(world).unwrap();
        ends_with_one_card(&mut world, &id).await;
    }
}

/// Killed between the write that activates and the write that forgets the notification: it is told again, with the same id.
#[tokio::test]
async fn authorize_is_killed_between_its_writes() {
    let world = Arc::new(World::new().await);
    let id = with_a_card(&world).await;
    world.local.inbox().answer_with(Answer::Nothing, 1);
    let call = calling(&world, "PUT", format!("{PAYMENTS}/{id}/authorize"), None);
    while world.local.inbox().received().is_empty() {
        tokio::task::yield_now().await;
    }
    for instance in world.local.lambda().instances("authorize-recurring-payment") {
        world.local.lambda().kill(instance);
    }
    assert_eq!(call.await.unwrap().status, StatusCode::INTERNAL_SERVER_ERROR);
    let mut world = Arc::into_inner(world).unwrap();
    let seen = world.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json();
    assert_eq!(seen["recurringStatus"], "ACTIVE");
    world.pass("PT1M").await;
    let received = world.local.inbox().received();
    assert_eq!(received.len(), 2);
    assert_eq!((&received[0].id, &received[0].body), (&received[1].id, &received[1].body));
    assert!(world.nothing_is_due().await);
}

/// The schedule is killed while Nets verifies: the next run finishes.
#[tokio::test]
async fn the_schedule_is_killed() {
    let mut world = World::new().await;
    let id = with_a_card(&world).await;
    world.wait("PT1M1S").await;
    world.local.netaxept().fail(Operation::Process, Kind::Delay, 1);
    let scheduler = world.local.scheduler().clone();
    let run = tokio::spawn(async move { scheduler.run("finish-terminals").await });
    world.local.netaxept().met().await;
    for instance in world.local.lambda().instances("finish-terminals") {
        world.local.lambda().kill(instance);
    }
    assert!(run.await.unwrap().is_err());
    ends_with_one_card(&mut world, &id).await;
}

/// The client, the schedule and Nets come at once: Nets verifies once, and it is told once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_come_at_once() {
    let mut world = World::new().await;
    let id = new(&world).await;
    let uri = world.terminal(&id).await;
    world.press(&uri, VISA, "okButton").await;
    world.wait("PT1M1S").await;
    let transaction = uri.split("transactionId=").nth(1).unwrap();
    let body = json!({ "TransactionId": transaction }).to_string();
    let path = format!("/v1/netaxept/callback/{}", local::netaxept::CALLBACK_SECRET);
    let json = [("content-type", "application/json")];
    let (authorized, ran, called, again) = tokio::join!(
        world.authorize(&id),
        world.run("finish-terminals"),
        world.send("POST", &path, &json, Some(&body)),
        world.authorize(&id),
    );
    assert_eq!((authorized.status, again.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!((&ran["failed"], called.status), (&json!(0), StatusCode::OK));
    ends_with_one_card(&mut world, &id).await;
}

/// Replies to `DynamoDB`'s writes are lost all along: one card, told once.
#[tokio::test]
async fn writes_whose_replies_are_lost() {
    let mut world = World::new().await;
    for lost in [1, 3] {
        let id =
            world.create("4711", json!({ "isPrimary": true })).await["recurringPaymentId"].clone();
        let uri = world.terminal(&id).await;
        world.press(&uri, VISA, "okButton").await;
        world.wait("PT1M1S").await;
        world.local.inbox().forget();
        world.local.dynamodb().lose_replies_to_writes(lost);
        world.run("finish-terminals").await;
        world.pass("PT1M").await;
        assert_eq!(world.events(), ["recurring-payment.activated"], "{lost}");
        let seen = world.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json();
        assert_eq!((&seen["recurringStatus"], &seen["primary"]), (&json!("ACTIVE"), &json!(true)));
    }
    world.wait("P3Y").await;
    world.local.dynamodb().lose_replies_to_writes(1);
    world.pass("PT1M").await;
    assert!(world.nothing_is_due().await);
}

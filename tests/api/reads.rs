//! With no schedule ever run: what callers see at every instant at which time changes something, and a millisecond beside it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::World;

/// How many wallets, with how many recurring payments each.
const WALLETS: u64 = 110;
const PAYMENTS_EACH: u64 = 6;
/// 2026-11-23T10:00:00Z.
const BEGINS: i64 = 1_795_428_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// When one is over by time alone: an ACTIVE one expires, a CREATED one is abandoned.
#[derive(Clone, Copy)]
enum Over {
    Expires(i64),
    Abandoned(i64),
}

impl Over {
    fn at(self) -> i64 {
        match self {
            Self::Expires(at) | Self::Abandoned(at) => at,
        }
    }
}

/// Numbers without a pattern, the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn active(expires_at: i64, activated_at: i64) -> Value {
    json!({ "active": { "M": { "panHash": { "S": "hash" }, "card": { "M": {
        "type": { "S": "VISA" }, "lastFour": { "S": "0004" }, "expiry": { "S": "2039-03" },
        "activatedAt": { "N": activated_at.to_string() }, "expiresAt": { "N": expires_at.to_string() },
    }}}}})
}

fn created(opened_at: Option<i64>) -> Value {
    let terminal = |at: i64| json!({ "M": { "openedAt": { "N": at.to_string() }, "outcome": { "S": "open" } } });
    json!({ "created": { "M": { "terminals": { "L": opened_at.map(terminal).into_iter().collect::<Vec<_>>() } } } })
}

/// A wallet of random recurring payments and choices, and when each of them is over.
fn wallet(slot: u64, dice: &mut Dice) -> (Value, Vec<Over>) {
    let (mut payments, mut overs) = (Vec::new(), Vec::new());
    for sequence in 1..=PAYMENTS_EACH {
        // Some at the same instant, as cards that expire with the same month.
        let at = BEGINS
            + i64::try_from(dice.roll(40)).unwrap() * DAY
            + i64::try_from(dice.roll(3)).unwrap();
        let (state, over) = match dice.roll(4) {
            0 => (created(None), Over::Abandoned(BEGINS + DAY)),
            1 => (created(Some(at)), Over::Abandoned(at + 15 * 60_000 + DAY)),
            _ => {
                let at = at + DAY;
                (active(at, BEGINS + i64::try_from(sequence).unwrap()), Over::Expires(at))
            }
        };
        overs.push(over);
        payments.push(json!({ "M": {
            "sequence": { "N": sequence.to_string() }, "createdAt": { "N": BEGINS.to_string() }, "state": { "M": state },
        }}));
    }
    let choices: Vec<_> = (0..dice.roll(4)).map(|_| dice.roll(PAYMENTS_EACH) + 1).collect();
    let choices =
        choices.iter().enumerate().filter(|(place, choice)| !choices[..*place].contains(choice));
    let choices: Vec<_> = choices.map(|(_, choice)| json!({ "N": choice.to_string() })).collect();
    let item = json!({
        "schema": { "N": "1" }, "slot": { "N": slot.to_string() }, "organisation": { "N": "1" }, "version": { "N": "1" },
        "owner": { "B": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=" }, "writes": { "B": "AAAAAAAAAAE=" },
        "lastSequence": { "N": PAYMENTS_EACH.to_string() }, "choices": { "L": choices }, "payments": { "L": payments },
    });
    (item, overs)
}

/// The event of `GET /v1/recurring-payments/{id}` at an instant, as API Gateway makes it.
pub(crate) fn event(id: u64, at: i64) -> Vec<u8> {
    let path = format!("/v1/recurring-payments/{id}");
    let context = json!({
        "accountId": "0", "apiId": "x", "stage": "$default", "requestId": "x", "domainName": "x", "domainPrefix": "x",
        "routeKey": "GET /v1/recurring-payments/{recurringPaymentId}", "time": "x", "timeEpoch": at,
        "http": { "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "x" },
        "authorizer": { "lambda": {
            "tenant": "partner", "organisation": "1", "client": "x", "permissions": "recurring-payments:les", "expiresAt": "9999999999",
        }},
    });
    let event = json!({
        "version": "2.0", "routeKey": "GET /v1/recurring-payments/{recurringPaymentId}", "rawPath": path, "rawQueryString": "",
        "headers": { "et-client-name": "tests-api" }, "pathParameters": { "recurringPaymentId": id.to_string() }, "isBase64Encoded": false,
        "requestContext": context,
    });
    event.to_string().into_bytes()
}

async fn read(world: &World, id: u64, at: i64) -> Value {
    let answer = world.local.lambda().invoke("get-recurring-payment", event(id, at)).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    match answer["statusCode"].as_u64() {
        Some(200) => body,
        // Ended ones are forgotten after 30 days.
        Some(404) => json!({ "recurringStatus": "FORGOTTEN", "primary": false }),
        _ => panic!("{answer}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_reads_across_every_expiry_show_nothing_stale() {
    let world = World::new().await;
    let (mut dice, mut reads, mut seen) = (Dice(4711), 0_u64, BTreeMap::<String, u32>::new());
    let engine = world.local.dynamodb().engine();
    for slot in 0..engine.many(WALLETS) {
        let (item, overs) = wallet(slot, &mut dice);
        let put = json!({ "TableName": "Wallets", "Item": item });
        world.local.dynamodb().call("PutItem", &put).await.unwrap();
        let mut instants: Vec<_> =
            overs.iter().flat_map(|over| [over.at() - 1, over.at(), over.at() + 1]).collect();
        instants.sort_unstable();
        instants.dedup();
        for at in instants {
            let ids = (1..=PAYMENTS_EACH).map(|sequence| (slot << 10) | sequence);
            let views = futures_util::future::join_all(ids.map(|id| read(&world, id, at))).await;
            let mut primaries = 0;
            for (view, over) in views.iter().zip(&overs) {
                reads += 1;
                let status = view["recurringStatus"].as_str().unwrap();
                if status == "FORGOTTEN" {
                    assert!(matches!(over, Over::Abandoned(over) if over + 30 * DAY <= at));
                    continue;
                }
                let (live, past) = match over {
                    Over::Expires(_) => ("ACTIVE", "EXPIRED"),
                    Over::Abandoned(_) => ("CREATED", "CANCELLED"),
                };
                // More than five CREATED at once: the oldest may be abandoned before their time.
                let early = live == "CREATED" && status == past;
                assert!(
                    early || status == if at < over.at() { live } else { past },
                    "{view} at {at}"
                );
                *seen.entry(status.to_owned()).or_default() += 1;
                if view["primary"] == true {
                    primaries += 1;
                    assert!(status == live, "{view} at {at}");
                }
            }
            let any_live = views.iter().any(|view| {
                ["ACTIVE", "CREATED"].contains(&view["recurringStatus"].as_str().unwrap())
            });
            assert_eq!(primaries, u32::from(any_live), "{views:?} at {at}");
        }
    }
    assert!(reads >= engine.many(10_000) && seen.len() == 4, "{reads} reads: {seen:?}");
    let table = world.local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await;
    let written =
        table.unwrap()["Items"].as_array().unwrap().iter().any(|item| item["version"]["N"] != "1");
    assert!(!written, "nobody wrote");
}

//! Reads at each instant at which time changes a status, and one millisecond before and after it. No schedule runs, so the reads
//! alone must apply the change.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Size, TestApi};

/// Number of wallets, and of recurring payments in each.
const WALLETS: Size = Size { usual: 20, full: 110 };
const PAYMENTS_EACH: u64 = 6;
/// 2026-11-23T10:00:00Z.
const START: i64 = 1_795_428_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// The instant at which time changes the status: an ACTIVE one expires, a CREATED one is abandoned.
#[derive(Clone, Copy)]
enum Change {
    Expires(i64),
    Abandoned(i64),
}

impl Change {
    fn at(self) -> i64 {
        match self {
            Self::Expires(at) | Self::Abandoned(at) => at,
        }
    }
}

/// A pseudo-random generator with a fixed sequence.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
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

/// Returns a wallet of random recurring payments and choices of primary, and the change of each recurring payment.
fn wallet(slot: u64, random: &mut Random) -> (Value, Vec<Change>) {
    let (mut payments, mut changes) = (Vec::new(), Vec::new());
    for sequence in 1..=PAYMENTS_EACH {
        // Some have the same instant, like cards that expire in the same month.
        let at = START
            + i64::try_from(random.below(40)).unwrap() * DAY
            + i64::try_from(random.below(3)).unwrap();
        let (state, change) = match random.below(4) {
            0 => (created(None), Change::Abandoned(START + DAY)),
            1 => (created(Some(at)), Change::Abandoned(at + 15 * 60_000 + DAY)),
            _ => {
                let at = at + DAY;
                (active(at, START + i64::try_from(sequence).unwrap()), Change::Expires(at))
            }
        };
        changes.push(change);
        payments.push(json!({ "M": {
            "sequence": { "N": sequence.to_string() }, "createdAt": { "N": START.to_string() }, "state": { "M": state },
        }}));
    }
    let choices: Vec<_> = (0..random.below(4)).map(|_| random.below(PAYMENTS_EACH) + 1).collect();
    let choices =
        choices.iter().enumerate().filter(|(place, choice)| !choices[..*place].contains(choice));
    let choices: Vec<_> = choices.map(|(_, choice)| json!({ "N": choice.to_string() })).collect();
    let item = json!({
        "schema": { "N": "1" }, "slot": { "N": slot.to_string() }, "organisation": { "N": "1" }, "version": { "N": "1" },
        "owner": { "B": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=" }, "writes": { "B": "AAAAAAAAAAE=" },
        "lastSequence": { "N": PAYMENTS_EACH.to_string() }, "choices": { "L": choices }, "payments": { "L": payments },
    });
    (item, changes)
}

/// An event of `GET /v1/recurring-payments/{id}` at an instant, as API Gateway sends it.
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

async fn read(api: &TestApi, id: u64, at: i64) -> Value {
    let response = api.local.lambda().invoke("get-recurring-payment", event(id, at)).await.unwrap();
    let response: Value = serde_json::from_slice(&response).unwrap();
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    match response["statusCode"].as_u64() {
        Some(200) => body,
        // Ended recurring payments are removed after 30 days.
        Some(404) => json!({ "recurringStatus": "REMOVED", "primary": false }),
        _ => panic!("{response}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_apply_expiry_and_abandonment_at_the_exact_instant() {
    let api = TestApi::new().await;
    let (mut random, mut reads, mut statuses) =
        (Random(4711), 0_u64, BTreeMap::<String, u32>::new());
    let engine = api.local.dynamodb().engine();
    let wallets = engine.scale(WALLETS.get());
    for slot in 0..wallets {
        let (item, changes) = wallet(slot, &mut random);
        let put = json!({ "TableName": "Wallets", "Item": item });
        api.local.dynamodb().call("PutItem", &put).await.unwrap();
        let mut instants: Vec<_> = changes
            .iter()
            .flat_map(|change| [change.at() - 1, change.at(), change.at() + 1])
            .collect();
        instants.sort_unstable();
        instants.dedup();
        for at in instants {
            let ids = (1..=PAYMENTS_EACH).map(|sequence| (slot << 10) | sequence);
            let views = futures_util::future::join_all(ids.map(|id| read(&api, id, at))).await;
            let mut primaries = 0;
            for (view, change) in views.iter().zip(&changes) {
                reads += 1;
                let status = view["recurringStatus"].as_str().unwrap();
                if status == "REMOVED" {
                    assert!(matches!(change, Change::Abandoned(change) if change + 30 * DAY <= at));
                    continue;
                }
                let (before, after) = match change {
                    Change::Expires(_) => ("ACTIVE", "EXPIRED"),
                    Change::Abandoned(_) => ("CREATED", "CANCELLED"),
                };
                // With more than five CREATED at once, the oldest are abandoned earlier.
                let early = before == "CREATED" && status == after;
                assert!(
                    early || status == if at < change.at() { before } else { after },
                    "{view} at {at}"
                );
                *statuses.entry(status.to_owned()).or_default() += 1;
                if view["primary"] == true {
                    primaries += 1;
                    assert!(status == before, "{view} at {at}");
                }
            }
            let any_live = views.iter().any(|view| {
                ["ACTIVE", "CREATED"].contains(&view["recurringStatus"].as_str().unwrap())
            });
            assert_eq!(primaries, u32::from(any_live), "{views:?} at {at}");
        }
    }
    assert!(reads >= 90 * wallets && statuses.len() == 4, "{reads} reads: {statuses:?}");
    let table = api.local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await;
    let written =
        table.unwrap()["Items"].as_array().unwrap().iter().any(|item| item["version"]["N"] != "1");
    assert!(!written, "the reads did not write");
}

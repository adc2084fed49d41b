//! `GET /v1/recurring-payments/{recurringPaymentId}/history`: the reasons and actors of changes, and the limits of what is stored.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, Response, TestApi, VISA};

const CUSTOMER: &str = "customer-4711";
const NICKNAME: &str = "a-nickname";

/// The headers of a client, besides its token.
const SHOP: [(&str, &str); 3] = [
    ("et-client-name", "acme-shop"),
    ("entur-distribution-channel", "app"),
    ("x-correlation-id", "a-request-of-the-shop"),
];

/// A change: actor, status before, status after, reason, primary before, primary after. Ids are the names of `Names`.
type Row = [String; 6];

/// The names of recurring payments in a test, by id.
type Names = BTreeMap<u64, &'static str>;

fn row(change: &Value, names: &Names) -> Row {
    let text = |name: &str| change[name].as_str().unwrap_or("-").to_owned();
    let primary = |name: &str| change[name].as_u64().map_or("-", |id| names[&id]).to_owned();
    let actor = change["actor"]["type"].as_str().unwrap().to_owned();
    let (before, after) = (text("statusBefore"), text("statusAfter"));
    [actor, before, after, text("reason"), primary("primaryBefore"), primary("primaryAfter")]
}

impl TestApi {
    async fn history(&self, id: &Value) -> Vec<Value> {
        let response = self.call("GET", &format!("{PAYMENTS}/{id}/history"), None).await;
        let kind = response.header("content-type");
        assert_eq!((response.status, kind), (StatusCode::OK, "application/hal+json"));
        response.json().as_array().unwrap().clone()
    }

    async fn rows(&self, id: &Value, names: &Names) -> Vec<Row> {
        self.history(id).await.iter().map(|change| row(change, names)).collect()
    }

    async fn call_with(
        &self,
        headers: &[(&str, &str)],
        (method, path): (&str, &str),
        body: Option<&Value>,
    ) -> Response {
        let bearer = format!("Bearer {}", self.partner);
        let own = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let headers: Vec<_> = own.into_iter().chain(headers.iter().copied()).collect();
        self.send(method, path, &headers, body.map(Value::to_string).as_deref()).await
    }

    async fn create_with(&self, headers: &[(&str, &str)], primary: bool) -> Value {
        let body =
            json!({ "customerNumber": CUSTOMER, "nickname": NICKNAME, "isPrimary": primary });
        let created = self.call_with(headers, ("POST", PAYMENTS), Some(&body)).await;
        assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
        created.json()["recurringPaymentId"].clone()
    }

    async fn choose_with(&self, headers: &[(&str, &str)], id: &Value) {
        let (path, body) = (format!("{PAYMENTS}/{id}"), json!({ "isPrimary": true }));
        let chosen = self.call_with(headers, ("PATCH", &path), Some(&body)).await;
        assert_eq!(chosen.status, StatusCode::OK, "{chosen:?}");
    }

    /// The stored history, in bytes.
    async fn stored_history(&self) -> Vec<u8> {
        let item = self.only_item().await;
        STANDARD.decode(item["history"]["B"].as_str().unwrap()).unwrap()
    }
}

fn rows<const N: usize>(rows: [[&str; 6]; N]) -> Vec<Row> {
    rows.map(|row| row.map(str::to_owned)).to_vec()
}

fn number(id: &Value) -> u64 {
    id.as_u64().unwrap()
}

/// Three years with four recurring payments. No schedule stores what time changes after the second one has its card.
#[tokio::test]
async fn the_history_says_who_changed_what_and_why() {
    let mut api = TestApi::new().await;
    let a = api.create_with(&SHOP, false).await;
    api.use_terminal(&a, VISA, "okButton").await;
    assert_eq!(api.authorize(&a).await.status, StatusCode::OK);
    let b = api.create(CUSTOMER, json!({})).await["recurringPaymentId"].clone();
    api.use_terminal(&b, VISA, "okButton").await;
    api.advance_and_run_schedules("PT1M").await;
    api.choose_with(&SHOP, &b).await;
    let c = api.create_with(&SHOP, true).await;
    api.advance_clock("PT25H").await;
    // Not stored yet.
    let handed_back = api.history(&b).await.last().cloned().unwrap();
    let ended = api.call("DELETE", &format!("{PAYMENTS}/{b}"), None).await;
    assert_eq!(ended.status, StatusCode::OK);
    let d = api.create(CUSTOMER, json!({})).await["recurringPaymentId"].clone();
    api.enter_lasting_card(&d).await;
    assert_eq!(api.authorize(&d).await.status, StatusCode::OK);
    let names: Names =
        [(number(&a), "a"), (number(&b), "b"), (number(&c), "c"), (number(&d), "d")].into();
    assert_eq!(row(&handed_back, &names), ["TIME", "ACTIVE", "ACTIVE", "HANDED_BACK", "c", "b"]);
    #[rustfmt::skip]
    let expected_b = rows([
        ["CLIENT", "-",       "CREATED",   "REQUESTED",   "a", "a"],
        ["NETS",   "CREATED", "ACTIVE",    "CARD_STORED", "a", "a"],
        ["CLIENT", "ACTIVE",  "ACTIVE",    "REQUESTED",   "a", "b"],
        ["CLIENT", "ACTIVE",  "ACTIVE",    "REQUESTED",   "b", "c"],
        ["TIME",   "ACTIVE",  "ACTIVE",    "HANDED_BACK", "c", "b"],
        ["CLIENT", "ACTIVE",  "CANCELLED", "ENDED",       "b", "a"],
    ]);
    assert_eq!(api.rows(&b, &names).await, expected_b);
    #[rustfmt::skip]
    let expected_c = rows([
        ["CLIENT", "-",       "CREATED",   "REQUESTED", "b", "c"],
        ["TIME",   "CREATED", "CANCELLED", "ABANDONED", "c", "b"],
    ]);
    assert_eq!(api.rows(&c, &names).await, expected_c);
    let expected_d = rows([
        ["CLIENT", "-", "CREATED", "REQUESTED", "a", "a"],
        ["CLIENT", "CREATED", "ACTIVE", "CARD_STORED", "a", "a"],
    ]);
    assert_eq!(api.rows(&d, &names).await, expected_d);

    // The first card expires in March 2029, and the last registration in November 2029.
    api.advance_clock("P2Y6M").await;
    #[rustfmt::skip]
    let expected_a = rows([
        ["CLIENT", "-",       "CREATED", "FIRST",              "-", "a"],
        ["CLIENT", "CREATED", "ACTIVE",  "CARD_STORED",        "a", "a"],
        ["CLIENT", "ACTIVE",  "ACTIVE",  "REQUESTED",          "a", "b"],
        ["CLIENT", "ACTIVE",  "ACTIVE",  "PROMOTED_AFTER_END", "b", "a"],
        ["TIME",   "ACTIVE",  "EXPIRED", "EXPIRED",            "a", "d"],
    ]);
    assert_eq!(api.rows(&a, &names).await, expected_a);
    let expired = api.history(&a).await.last().cloned().unwrap();
    assert_eq!(expired["changedAt"], "2029-04-01T00:00:00.000Z");
    let promoted = api.history(&d).await.last().cloned().unwrap();
    assert_eq!(
        row(&promoted, &names),
        ["TIME", "ACTIVE", "ACTIVE", "PROMOTED_AFTER_EXPIRY", "a", "d"]
    );
    let before = [api.history(&a).await, api.history(&d).await];
    api.advance_and_run_schedules("PT1M").await;
    let after = [api.history(&a).await, api.history(&d).await];
    assert_eq!(after, before, "the schedule has stored the expiry");
}

/// The whole responses: all members, and those that are absent.
#[tokio::test]
async fn a_change_has_its_actor_and_instant() {
    let mut api = TestApi::new().await;
    let first = api.create_with(&SHOP, false).await;
    let created_at = api.list(CUSTOMER).await[0]["createdAt"].as_str().unwrap().to_owned();
    api.advance_clock("PT1H").await;
    let second = api.create_with(&[("et-client-name", "acme-shop")], false).await;
    let created = json!({
        "changedAt": created_at,
        "actor": { "type": "CLIENT", "client": "acme-shop", "channel": "app" },
        "statusAfter": "CREATED",
        "reason": "FIRST",
        "primaryAfter": first,
        "correlationId": "a-request-of-the-shop",
    });
    assert_eq!(api.history(&first).await, [created]);
    let second_created = api.history(&second).await.remove(0);
    assert_eq!(second_created["actor"], json!({ "type": "CLIENT", "client": "acme-shop" }));
    assert_eq!(second_created["correlationId"].as_str().unwrap().len(), 36, "a new UUID");

    api.advance_clock("PT23H").await;
    let day_after = format!("{}T", &api.local.clock().now().to_string()[..10]);
    let abandoned_at = day_after + created_at.split_once('T').unwrap().1;
    let abandoned = json!({
        "changedAt": abandoned_at,
        "actor": { "type": "TIME" },
        "statusBefore": "CREATED",
        "statusAfter": "CREATED",
        "reason": "PROMOTED_AFTER_ABANDONMENT",
        "primaryBefore": first,
        "primaryAfter": second,
    });
    assert_eq!(api.history(&second).await[1], abandoned);
}

/// The headers of callers are cut, and not stored if they have a card number. Sixteen changes are stored for all recurring payments
/// of a customer together.
#[tokio::test]
async fn a_history_is_bounded_and_has_no_personal_data() {
    let api = TestApi::new().await;
    let (name, channel, id) = ("x-".repeat(200), "y".repeat(400), "Z".repeat(128));
    let long = [
        ("et-client-name", name.as_str()),
        ("entur-distribution-channel", &channel),
        ("x-correlation-id", &id),
    ];
    let both = [api.create_with(&long, false).await, api.create_with(&long, false).await];
    for turn in 1..=20 {
        api.choose_with(&long, &both[turn % 2]).await;
    }
    assert_eq!(api.stored_history().await.len(), 16 * 99);
    for id in &both {
        let history = api.history(id).await;
        assert_eq!(history.len(), 16);
        for change in history {
            assert_eq!(change["reason"], "REQUESTED");
            let (client, channel) = (&change["actor"]["client"], &change["actor"]["channel"]);
            assert_eq!((client, channel), (&json!("x-".repeat(16)), &json!("y".repeat(16))));
            assert_eq!(change["correlationId"], "Z".repeat(36));
        }
    }
    let card = format!("acme-{VISA}");
    let with_card = [("et-client-name", card.as_str()), ("entur-distribution-channel", VISA)];
    api.choose_with(&with_card, &both[1]).await;
    let last = api.history(&both[1]).await.pop().unwrap();
    assert_eq!(last["actor"], json!({ "type": "CLIENT" }));
    let stored = String::from_utf8_lossy(&api.stored_history().await).into_owned();
    for private in [CUSTOMER, NICKNAME, VISA, &api.partner] {
        assert!(!stored.contains(private), "{private}");
    }
    assert!(stored.contains("x-x-"), "{stored}");
}

/// After a write conflict, a change is added to the history of the winner.
#[tokio::test]
async fn concurrent_changes_are_all_in_the_history() {
    let api = TestApi::new().await;
    let create = || api.create_with(&SHOP, false);
    let ids: [Value; 4] = tokio::join!(create(), create(), create(), create()).into();
    let mut reasons = Vec::new();
    for id in &ids {
        let history = api.history(id).await;
        assert_eq!(history.len(), 1, "{history:?}");
        reasons.push(history[0]["reason"].as_str().unwrap().to_owned());
    }
    reasons.sort_unstable();
    assert_eq!(reasons, ["FIRST", "REQUESTED", "REQUESTED", "REQUESTED"]);
}

/// An item from before there was a history, and an erased one.
#[tokio::test]
async fn a_wallet_without_a_history_starts_one() {
    let api = TestApi::new().await;
    let id = api.create_active(CUSTOMER).await;
    let mut item = api.only_item().await;
    assert!(item.as_object_mut().unwrap().remove("history").is_some());
    let put = json!({ "TableName": "Wallets", "Item": item });
    api.local.dynamodb().call("PutItem", &put).await.unwrap();
    assert_eq!(api.history(&id).await, Vec::<Value>::new());
    let renamed = json!({ "nickname": NICKNAME });
    api.call("PATCH", &format!("{PAYMENTS}/{id}"), Some(&renamed)).await;
    assert_eq!(api.history(&id).await, Vec::<Value>::new());
    api.call("DELETE", &format!("{PAYMENTS}/{id}"), None).await;
    let names = [(number(&id), "a")].into();
    let expected = rows([["CLIENT", "ACTIVE", "CANCELLED", "ENDED", "a", "-"]]);
    assert_eq!(api.rows(&id, &names).await, expected);

    assert_eq!(api.erase(CUSTOMER).await.status, StatusCode::NO_CONTENT);
    assert_eq!(api.only_item().await.get("history"), None);
    let erased = api.call("GET", &format!("{PAYMENTS}/{id}/history"), None).await;
    assert_eq!(erased.problem(), (404, "not-found".to_owned()));
    let next = api.create_with(&SHOP, false).await;
    assert_eq!(api.history(&next).await.len(), 1);
}

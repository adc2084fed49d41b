//! What a refusal costs: nothing at the door, and a read where the wallet has to be asked.

use serde_json::{Value, json};

use super::Step;
use super::model::{NOTHING, READ};
use crate::{PAYMENTS, World, with_an_id};

#[tokio::test]
async fn nothing_at_the_door() {
    let world = World::new().await;
    let reader = world.token("partner-readonly", json!({})).await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    world.local.dynamodb().forget_requests();
    let wrong = json!({ "nickname": 1, "redirectUrl": 1 });
    for (method, tail, body) in with_an_id(&wrong) {
        let path = format!("{PAYMENTS}/{id}{tail}");
        let no_id = world.call(method, &format!("{PAYMENTS}/x{tail}"), body).await;
        let nobody = world.call_as("no token", method, &path, body).await;
        let statuses = [no_id.status.as_u16(), nobody.status.as_u16()];
        assert_eq!(statuses, [400, 401], "{method} {tail}");
        world.has_asked(NOTHING, &format!("{method} {tail}"));
        if let Some(body) = body {
            let invalid = world.call(method, &path, Some(body)).await;
            assert_eq!(invalid.status.as_u16(), 400, "{method} {tail}");
            world.has_asked(NOTHING, &format!("{method} {tail}, with a wrong body"));
        }
        if method != "GET" {
            let may_not = world.call_as(&reader, method, &path, body).await;
            assert_eq!(may_not.status.as_u16(), 403, "{method} {tail}");
            world.has_asked(NOTHING, &format!("{method} {tail}, without the permission"));
        }
    }
    for (method, path, body) in [
        ("GET", PAYMENTS.to_owned(), None),
        ("GET", format!("{PAYMENTS}?customerNumber=ne:4711"), None),
        ("POST", PAYMENTS.to_owned(), Some(json!({}))),
    ] {
        assert_eq!(world.call(method, &path, body.as_ref()).await.status.as_u16(), 400);
        world.has_asked(NOTHING, &path);
    }
}

/// An id that points to nothing, and one that is somebody else's.
#[tokio::test]
async fn a_read_for_what_is_not_found() {
    let world = World::new().await;
    let other = world.token("partner-other", json!({})).await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].as_u64().unwrap();
    world.local.dynamodb().forget_requests();
    let body = json!({ "nickname": "Kort", "redirectUrl": "https://shop.example" });
    for (method, tail, body) in with_an_id(&body) {
        for (token, id) in [(&other, id), (&world.partner, id + 1), (&world.partner, id + 1024)] {
            let path = format!("{PAYMENTS}/{id}{tail}");
            let answer = world.call_as(token, method, &path, body).await;
            assert_eq!(answer.status.as_u16(), 404, "{method} {path}");
            world.has_asked(READ, &format!("{method} {path}"));
        }
    }
}

/// What the wallet's rules refuse.
#[tokio::test]
async fn a_read_for_what_the_rules_refuse() {
    let world = World::new().await;
    let mut customer = world.with_cards("4711".to_owned(), 1).await;
    customer.key = Some("a-key-of-this-customer");
    customer.take(Step::Create).await;
    let path = |id: &Value, tail: &str| format!("{PAYMENTS}/{id}{tail}");
    let (created, active) =
        (customer.id.clone(), world.list("4711").await[0]["recurringPaymentId"].clone());
    let terminal = json!({ "redirectUrl": "https://shop.example" });
    for _ in 0..5 {
        world.call("POST", &path(&created, "/terminal"), Some(&terminal)).await;
    }
    let another = json!({ "customerNumber": "4711", "nickname": "Kort" });
    let other_customer = json!({ "customerNumber": "4712" });
    let not_primary = json!({ "isPrimary": false });
    world.local.dynamodb().forget_requests();
    assert_eq!(customer.post(PAYMENTS, &another).await.problem().1, "idempotency-key-reused");
    world.has_asked(READ, "a key that was used");
    for (method, path, body, refused) in [
        ("POST", path(&created, "/terminal"), &terminal, (429, "too-many-terminals")),
        ("POST", path(&active, "/terminal"), &terminal, (409, "not-awaiting-card")),
        ("PATCH", path(&active, ""), &not_primary, (409, "primary-needs-successor")),
        ("PATCH", path(&active, ""), &other_customer, (400, "invalid-request")),
    ] {
        let (status, problem) = world.call(method, &path, Some(body)).await.problem();
        assert_eq!((status, problem.as_str()), refused, "{method} {path}");
        world.has_asked(READ, &format!("{method} {path}"));
    }
    world.call("DELETE", &path(&created, ""), None).await;
    world.local.dynamodb().forget_requests();
    let choose = json!({ "isPrimary": true });
    for (method, tail, body) in [("PATCH", "", Some(&choose)), ("PUT", "/authorize", None)] {
        let answer = world.call(method, &path(&created, tail), body).await;
        assert_eq!(answer.status.as_u16(), 409, "{method} {tail}");
        world.has_asked(READ, &format!("{method} {tail} when it has ended"));
    }
}

//! Who comes in: every operation, every kind of caller, and ids of their own, of somebody else, and of nobody.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{Answer, PAYMENTS, World};

/// Every operation on one recurring payment, with the tail of its path.
const OPERATIONS: [(&str, &str); 5] =
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/terminal"), ("PUT", "/authorize")];

/// A caller: the token, if there is one, and which organisation's and customer's ids are their own.
struct Caller {
    name: &'static str,
    token: Option<String>,
    organisation: u64,
    may: May,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum May {
    Everything,
    Read,
    Nothing,
}

impl World {
    async fn callers(&self, customer: &str) -> Vec<Caller> {
        let elsewhere = World::new().await;
        let head = self.partner.rsplit_once('.').unwrap().0.to_owned();
        let claims = head.split('.').nth(1).unwrap().to_owned();
        let caller = |name, token: String, organisation, may| Caller {
            name,
            token: Some(token),
            organisation,
            may,
        };
        let nobody = |name, token: String| caller(name, token, 1, May::Nothing);
        let traveller = self.token("traveller-demo", json!({ "customer_number": customer }));
        vec![
            Caller { name: "anonymous", token: None, organisation: 1, may: May::Nothing },
            caller("traveller", traveller.await, 1, May::Everything),
            caller("partner", self.partner.clone(), 1, May::Everything),
            caller(
                "another partner",
                self.token("partner-other", json!({})).await,
                2,
                May::Everything,
            ),
            caller(
                "a partner who may read",
                self.token("partner-readonly", json!({})).await,
                1,
                May::Read,
            ),
            caller("internal", self.token("internal-demo", json!({})).await, 1, May::Everything),
            nobody("expired", self.token("partner-demo", json!({ "expires_in": -61 })).await),
            nobody(
                "wrong audience",
                self.token("partner-demo", json!({ "audience": "https://a.example" })).await,
            ),
            nobody("wrong issuer", elsewhere.partner.clone()),
            nobody("unsigned", format!("eyJhbGciOiJub25lIn0.{claims}.")),
            nobody("signed with the public key", self.key_confusion(&claims).await),
            nobody("no signature", format!("{head}.")),
        ]
    }

    /// The partner's claims, signed with HMAC and the issuer's public key as its secret.
    async fn key_confusion(&self, claims: &str) -> String {
        let keys = format!("{}/partner/.well-known/jwks.json", self.local.addresses().issuer);
        let keys: Value = self.http.get(keys).send().await.unwrap().json().await.unwrap();
        let header = Header {
            kid: keys["keys"][0]["kid"].as_str().map(str::to_owned),
            ..Header::new(Algorithm::HS256)
        };
        let secret = EncodingKey::from_base64_secret(
            &keys["keys"][0]["x"]
                .as_str()
                .unwrap()
                .replace('-', "+")
                .replace('_', "/")
                .chars()
                .chain(['='])
                .collect::<String>(),
        );
        let forged = jsonwebtoken::encode(&header, &json!({}), &secret.unwrap()).unwrap();
        let mut parts: Vec<&str> = forged.split('.').collect();
        parts[1] = claims;
        parts.join(".")
    }

    async fn ask(&self, caller: &Caller, method: &str, path: &str) -> Answer {
        let bearer = caller.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = vec![("et-client-name", "tests-api"), ("x-correlation-id", "the-same")];
        if let Some(bearer) = &bearer {
            headers.push(("authorization", bearer));
        }
        let body = if path.ends_with("/terminal") {
            Some(r#"{"redirectUrl":"https://shop.example"}"#)
        } else {
            (method == "PATCH").then_some(r#"{"nickname":"Kort"}"#)
        };
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        self.send(method, path, &headers, body).await
    }

    /// A new recurring payment of a customer of an organisation.
    async fn of(&self, organisation: u64, customer: &str) -> u64 {
        let client = if organisation == 1 { "partner-demo" } else { "partner-other" };
        let token = self.token(client, json!({})).await;
        let body = json!({ "customerNumber": customer });
        let answer = self.call_as(&token, "POST", PAYMENTS, Some(&body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()["recurringPaymentId"].as_u64().unwrap()
    }
}

/// An answer without what the request itself says: its path and its second.
fn without(answer: &Answer, id: u64) -> (u16, Vec<(String, String)>, String) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let mut text = answer.text.replace(&id.to_string(), "ID");
    if let Some(second) = answer.json()["timestamp"].as_str() {
        text = text.replace(second, "TIME");
    }
    (answer.status.as_u16(), headers.collect(), text)
}

fn expected(may: May, method: &str, tail: &str) -> u16 {
    match (may, method, tail) {
        (May::Nothing, _, _) => 401,
        (May::Everything | May::Read, "GET", _) | (May::Everything, "PATCH" | "DELETE", _) => 200,
        (May::Read, _, _) => 403,
        (May::Everything, "POST", _) => 201,
        // There is no terminal yet.
        (May::Everything, _, _) => 409,
    }
}

#[tokio::test]
async fn every_operation_for_every_caller_with_every_kind_of_id() {
    let world = World::new().await;
    let callers = world.callers("own").await;
    for caller in &callers {
        for (method, tail) in OPERATIONS {
            let own = world.of(caller.organisation, "own").await;
            let other_organisation =
                if caller.name == "traveller" { 1 } else { 3 - caller.organisation };
            let foreign = world.of(other_organisation, "other").await;
            let answer = world.ask(caller, method, &format!("{PAYMENTS}/{own}{tail}")).await;
            let status = expected(caller.may, method, tail);
            assert_eq!(
                answer.status.as_u16(),
                status,
                "{}: {method} {tail}: {answer:?}",
                caller.name
            );
            let mut alike = Vec::new();
            for id in [foreign, foreign + 512] {
                world.local.dynamodb().forget_requests();
                let answer = world.ask(caller, method, &format!("{PAYMENTS}/{id}{tail}")).await;
                let status = if status < 300 || status == 409 { 404 } else { status };
                assert_eq!(answer.status.as_u16(), status, "{}: {method} {tail}", caller.name);
                alike.push((without(&answer, id), world.local.dynamodb().requests()));
            }
            assert_eq!(alike[0], alike[1], "{}: {method} {tail}", caller.name);
            for (organisation, id) in [(caller.organisation, own), (other_organisation, foreign)] {
                let client = if organisation == 1 { "partner-demo" } else { "partner-other" };
                let token = world.token(client, json!({})).await;
                world.call_as(&token, "DELETE", &format!("{PAYMENTS}/{id}"), None).await;
            }
        }
    }
}

#[tokio::test]
async fn lists_and_creations_are_of_ones_own_customers() {
    let world = World::new().await;
    world.of(1, "own").await;
    world.of(1, "other").await;
    let callers = world.callers("own").await;
    for caller in &callers {
        for (customer, traveller) in [("own", 200), ("other", 403)] {
            let answer =
                world.ask(caller, "GET", &format!("{PAYMENTS}?customerNumber={customer}")).await;
            let status = match caller.may {
                May::Nothing => 401,
                May::Everything if caller.name == "traveller" => traveller,
                May::Everything | May::Read => 200,
            };
            assert_eq!(answer.status.as_u16(), status, "{}: {customer}", caller.name);
            if status == 200 {
                let count = answer.json().as_array().unwrap().len();
                assert_eq!(count, usize::from(caller.organisation == 1), "{}", caller.name);
            }
        }
    }
}

/// Only our own back ends erase a customer; whoever may not costs nothing.
#[tokio::test]
async fn customers_are_erased_by_internal_callers_only() {
    let world = World::new().await;
    world.of(1, "own").await;
    let mut left = 1;
    for caller in &world.callers("own").await {
        world.local.dynamodb().forget_requests();
        let answer = world.ask(caller, "DELETE", "/v1/customers/own/recurring-payments").await;
        let status = match caller.may {
            May::Nothing => 401,
            May::Everything if caller.name == "internal" => 204,
            May::Everything | May::Read => 403,
        };
        assert_eq!(answer.status.as_u16(), status, "{}: {answer:?}", caller.name);
        let asked = world.local.dynamodb().requests().len();
        assert_eq!(asked, if status == 204 { 2 } else { 0 }, "{}", caller.name);
        left -= usize::from(status == 204);
        assert_eq!(world.list("own").await.len(), left, "{}", caller.name);
    }
    assert_eq!(left, 0);
}

/// Callers who say who they are pay nothing for those who do not; these share sixty requests a minute.
#[tokio::test]
async fn unidentified_callers_share_a_small_allowance() {
    let mut world = World::new().await;
    // At the beginning of a minute, so that it does not end meanwhile.
    let second = world.local.clock().now().as_second().rem_euclid(60);
    world.wait(&format!("PT{}S", 60 - second)).await;
    let bearer = format!("Bearer {}", world.partner);
    let path = format!("{PAYMENTS}?customerNumber=4711");
    let ask = async |name: Option<(&str, &str)>| {
        let headers: Vec<_> =
            [("authorization", bearer.as_str())].into_iter().chain(name).collect();
        world.send("GET", &path, &headers, None).await
    };
    let unnamed = [
        None,
        Some(("et-client-name", "")),
        Some(("et-client-name", "acme")),
        Some(("et-client-name", "-")),
        Some(("entur-client-name", " - ")),
    ];
    for turn in 0..60 {
        assert_eq!(ask(unnamed[turn % unnamed.len()]).await.status, StatusCode::OK, "{turn}");
    }
    let refused = ask(None).await;
    assert_eq!(refused.problem(), (429, "unidentified".to_owned()));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    for name in ["et-client-name", "entur-client-name"] {
        world.local.dynamodb().forget_requests();
        assert_eq!(ask(Some((name, "acme-shop"))).await.status, StatusCode::OK);
        let requests = world.local.dynamodb().requests();
        assert_eq!(
            requests.iter().map(|one| one.operation.as_str()).collect::<Vec<_>>(),
            ["GetItem"]
        );
    }
    world.local.clock().advance("PT1M").unwrap();
    assert_eq!(ask(None).await.status, StatusCode::OK);
}

/// Rule 16 at the terminal: the same key is the same terminal, also when Nets' reply was lost or Nets never heard of it.
#[tokio::test]
async fn the_same_key_opens_one_terminal() {
    use local::netaxept::{Kind, Operation};
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let bearer = format!("Bearer {}", world.partner);
    let open = async |key: &str, redirect: &str| {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("et-client-name", "tests-api"),
            ("idempotency-key", key),
        ];
        let body = json!({ "redirectUrl": redirect }).to_string();
        world.send("POST", &format!("{PAYMENTS}/{id}/terminal"), &headers, Some(&body)).await
    };
    let (here, there) = ("https://shop.example/a", "https://shop.example/b");
    let first = open("one", here).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let again = open("one", here).await;
    assert_eq!((again.status, &again.text), (StatusCode::CREATED, &first.text));
    assert_eq!(open("one", there).await.problem(), (409, "idempotency-key-reused".to_owned()));
    for wrong in ["a\tb", " ", &"k".repeat(256)] {
        assert_eq!(
            open(wrong, here).await.problem(),
            (400, "invalid-request".to_owned()),
            "{wrong}"
        );
    }
    assert_ne!(open("two", here).await.text, first.text);
    assert_eq!(world.local.netaxept().transactions().as_array().unwrap().len(), 2);

    // Nets did it and we did not hear, also when asked: the next try with the key finds it.
    world.local.netaxept().fail(Operation::Register, Kind::DropReply, 1);
    world.local.netaxept().fail(Operation::Query, Kind::DropReply, 1);
    assert_eq!(open("three", here).await.problem(), (503, "unavailable".to_owned()));
    assert_eq!(open("three", here).await.status, StatusCode::CREATED);
    assert_eq!(world.local.netaxept().transactions().as_array().unwrap().len(), 3);
    // Nets did not do it, and could not be asked: the next try has the same visit registered.
    world.local.netaxept().fail(Operation::Register, Kind::Http500, 1);
    world.local.netaxept().fail(Operation::Query, Kind::Http500, 1);
    assert_eq!(open("four", here).await.problem(), (503, "unavailable".to_owned()));
    let opened = open("four", here).await;
    assert_eq!(opened.status, StatusCode::CREATED);
    assert_eq!(world.local.netaxept().transactions().as_array().unwrap().len(), 4);
    assert_eq!(open("four", here).await.text, opened.text);
}

#[tokio::test]
async fn bodies_that_readers_could_read_differently_are_refused() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.partner);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("et-client-name", "tests-api"),
    ];
    let deep = format!(r#"{{"customerNumber":"1","x":{}{}}}"#, "[".repeat(1000), "]".repeat(1000));
    for body in [
        r#"{"customerNumber":"1","customerNumber":"2"}"#,
        r#"{"customerNumber":"1","customerNumber":"1"}"#,
        r#"{"customerNumber":"1","a":1,"a":1}"#,
        &deep,
        "[]",
        "\"x\"",
        "nul",
        "{",
    ] {
        let answer = world.send("POST", PAYMENTS, &headers, Some(body)).await;
        assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{body:.60}");
        assert_eq!(answer.json()["errors"][0]["field"], "body");
    }
    assert!(world.local.dynamodb().requests().is_empty());
}

/// Calls as Entur's own public client makes them.
#[tokio::test]
async fn entur_s_own_client_is_served() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.partner);
    let plain = [
        ("authorization", bearer.as_str()),
        ("accept", "application/hal+json"),
        ("entur-client-name", "entur-shop"),
        ("x-correlation-id", "5f0c1d5e-8d3a-4a53-9d5c-5b8f5f1f2a10"),
    ];
    let with_body: Vec<_> =
        plain.into_iter().chain([("content-type", "application/json")]).collect();
    let created = world
        .send("POST", PAYMENTS, &with_body, Some(r#"{"customerNumber":"4711","isPrimary":true}"#))
        .await;
    assert_eq!(
        (created.status, created.header("content-type")),
        (StatusCode::CREATED, "application/hal+json")
    );
    // An id is a bare number, in the answer and in the address.
    let id = created.json()["recurringPaymentId"].as_u64().unwrap();
    let path = format!("{PAYMENTS}/{id}");
    let body = r#"{"redirectUrl":"https://shop.example/done","autoSale":true,"singlePage":true,"storePayment":true,"unknown":{}}"#;
    let terminal = world.send("POST", &format!("{path}/terminal"), &with_body, Some(body)).await;
    assert_eq!(terminal.status, StatusCode::CREATED);
    let uri = terminal.json()["terminalUri"].as_str().unwrap().to_owned();
    world.press(&uri, crate::VISA, "okButton").await;
    let active = world.send("PUT", &format!("{path}/authorize"), &plain, None).await;
    assert_eq!(
        (active.status, &active.json()["recurringStatus"]),
        (StatusCode::OK, &json!("ACTIVE"))
    );
    for customer in ["4711", "eq:4711", "eq%3A4711"] {
        let listed = world
            .send(
                "GET",
                &format!("{PAYMENTS}?customerNumber={customer}&includeExpired=true"),
                &plain,
                None,
            )
            .await;
        assert_eq!(listed.json().as_array().unwrap().len(), 1, "a bare array");
    }
    let ended = world.send("DELETE", &path, &plain, None).await;
    assert_eq!(
        (ended.status, &ended.json()["recurringStatus"]),
        (StatusCode::OK, &json!("CANCELLED"))
    );
    assert_eq!(
        world.send("GET", &format!("{PAYMENTS}?customerNumber="), &plain, None).await.status,
        StatusCode::BAD_REQUEST
    );
}

//! Access control: every operation for every kind of caller, with own, foreign and unknown ids. Also rate limits of
//! unidentified callers, idempotency keys for terminals, and requests as Entur's client sends them.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{OPERATIONS, PAYMENTS, Response, TestApi};

/// A caller, and the organisation whose recurring payments it can access.
struct Caller {
    name: &'static str,
    token: Option<String>,
    organisation: u64,
    access: Access,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Full,
    ReadOnly,
    None,
}

impl TestApi {
    /// Returns callers of every kind. The traveller is this customer.
    async fn callers(&self, customer: &str) -> Vec<Caller> {
        let other_service = TestApi::new().await;
        let head = self.partner.rsplit_once('.').unwrap().0.to_owned();
        let claims = head.split('.').nth(1).unwrap().to_owned();
        let caller = |name, token: String, organisation, access| Caller {
            name,
            token: Some(token),
            organisation,
            access,
        };
        let unauthenticated = |name, token: String| caller(name, token, 1, Access::None);
        let traveller = self.token("traveller-demo", json!({ "customer_number": customer }));
        vec![
            Caller { name: "anonymous", token: None, organisation: 1, access: Access::None },
            caller("traveller", traveller.await, 1, Access::Full),
            caller("partner", self.partner.clone(), 1, Access::Full),
            caller("other partner", self.token("partner-other", json!({})).await, 2, Access::Full),
            caller(
                "read-only partner",
                self.token("partner-readonly", json!({})).await,
                1,
                Access::ReadOnly,
            ),
            caller("internal", self.token("internal-demo", json!({})).await, 1, Access::Full),
            unauthenticated(
                "expired",
                self.token("partner-demo", json!({ "expires_in": -61 })).await,
            ),
            unauthenticated(
                "wrong audience",
                self.token("partner-demo", json!({ "audience": "https://a.example" })).await,
            ),
            unauthenticated("wrong issuer", other_service.partner.clone()),
            unauthenticated("unsigned", format!("eyJhbGciOiJub25lIn0.{claims}.")),
            unauthenticated(
                "signed with the public key",
                self.hmac_token_with_public_key(&claims).await,
            ),
            unauthenticated("no signature", format!("{head}.")),
        ]
    }

    /// A token with the partner's claims, signed with HMAC and the issuer's public key as the secret.
    async fn hmac_token_with_public_key(&self, claims: &str) -> String {
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

    async fn send_as(&self, caller: &Caller, method: &str, path: &str) -> Response {
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

    /// Creates a recurring payment for a customer of an organisation.
    async fn create_in(&self, organisation: u64, customer: &str) -> u64 {
        let client = if organisation == 1 { "partner-demo" } else { "partner-other" };
        let token = self.token(client, json!({})).await;
        let body = json!({ "customerNumber": customer });
        let response = self.call_as(&token, "POST", PAYMENTS, Some(&body)).await;
        assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
        response.json()["recurringPaymentId"].as_u64().unwrap()
    }
}

/// Returns a response without the values that come from the request: its id and its time.
fn normalised(response: &Response, id: u64) -> (u16, Vec<(String, String)>, String) {
    let headers = response.headers.iter().filter(|(name, _)| *name != "date");
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let mut text = response.text.replace(&id.to_string(), "ID");
    if let Some(second) = response.json()["timestamp"].as_str() {
        text = text.replace(second, "TIME");
    }
    (response.status.as_u16(), headers.collect(), text)
}

fn expected_status(access: Access, method: &str, tail: &str) -> u16 {
    match (access, method, tail) {
        (Access::None, _, _) => 401,
        (Access::Full | Access::ReadOnly, "GET", _) | (Access::Full, "PATCH" | "DELETE", _) => 200,
        (Access::ReadOnly, _, _) => 403,
        (Access::Full, "POST", _) => 201,
        // Authorize without a terminal.
        (Access::Full, _, _) => 409,
    }
}

#[tokio::test]
async fn callers_access_only_their_own_recurring_payments() {
    let api = TestApi::new().await;
    let callers = api.callers("own").await;
    for caller in &callers {
        for (method, tail) in OPERATIONS {
            let own = api.create_in(caller.organisation, "own").await;
            let other_organisation =
                if caller.name == "traveller" { 1 } else { 3 - caller.organisation };
            let foreign = api.create_in(other_organisation, "other").await;
            let response = api.send_as(caller, method, &format!("{PAYMENTS}/{own}{tail}")).await;
            let status = expected_status(caller.access, method, tail);
            assert_eq!(
                response.status.as_u16(),
                status,
                "{}: {method} {tail}: {response:?}",
                caller.name
            );
            let mut responses = Vec::new();
            for id in [foreign, foreign + 512] {
                api.local.dynamodb().clear_requests();
                let response = api.send_as(caller, method, &format!("{PAYMENTS}/{id}{tail}")).await;
                let status = if status < 300 || status == 409 { 404 } else { status };
                assert_eq!(response.status.as_u16(), status, "{}: {method} {tail}", caller.name);
                responses.push((normalised(&response, id), api.local.dynamodb().requests()));
            }
            assert_eq!(responses[0], responses[1], "{}: {method} {tail}", caller.name);
            for (organisation, id) in [(caller.organisation, own), (other_organisation, foreign)] {
                let client = if organisation == 1 { "partner-demo" } else { "partner-other" };
                let token = api.token(client, json!({})).await;
                api.call_as(&token, "DELETE", &format!("{PAYMENTS}/{id}"), None).await;
            }
        }
    }
}

#[tokio::test]
async fn callers_list_only_their_own_customers() {
    let api = TestApi::new().await;
    api.create_in(1, "own").await;
    api.create_in(1, "other").await;
    let callers = api.callers("own").await;
    for caller in &callers {
        for (customer, traveller) in [("own", 200), ("other", 403)] {
            let response =
                api.send_as(caller, "GET", &format!("{PAYMENTS}?customerNumber={customer}")).await;
            let status = match caller.access {
                Access::None => 401,
                Access::Full if caller.name == "traveller" => traveller,
                Access::Full | Access::ReadOnly => 200,
            };
            assert_eq!(response.status.as_u16(), status, "{}: {customer}", caller.name);
            if status == 200 {
                let count = response.json().as_array().unwrap().len();
                assert_eq!(count, usize::from(caller.organisation == 1), "{}", caller.name);
            }
        }
    }
}

/// Only internal callers can erase a customer. A rejected request sends nothing to the database.
#[tokio::test]
async fn only_internal_callers_erase_customers() {
    let api = TestApi::new().await;
    api.create_in(1, "own").await;
    let mut remaining = 1;
    for caller in &api.callers("own").await {
        api.local.dynamodb().clear_requests();
        let response = api.send_as(caller, "DELETE", "/v1/customers/own/recurring-payments").await;
        let status = match caller.access {
            Access::None => 401,
            Access::Full if caller.name == "internal" => 204,
            Access::Full | Access::ReadOnly => 403,
        };
        assert_eq!(response.status.as_u16(), status, "{}: {response:?}", caller.name);
        let requests = api.local.dynamodb().requests().len();
        assert_eq!(requests, if status == 204 { 2 } else { 0 }, "{}", caller.name);
        remaining -= usize::from(status == 204);
        assert_eq!(api.list("own").await.len(), remaining, "{}", caller.name);
    }
    assert_eq!(remaining, 0);
}

/// Callers without a valid `ET-Client-Name` share 60 requests a minute. Identified callers cost no request for that.
#[tokio::test]
async fn unidentified_callers_share_a_rate_limit() {
    let mut api = TestApi::new().await;
    // Start at the beginning of a minute, so that the minute does not end during the test.
    let second = api.local.clock().now().as_second().rem_euclid(60);
    api.advance_clock(&format!("PT{}S", 60 - second)).await;
    let bearer = format!("Bearer {}", api.partner);
    let path = format!("{PAYMENTS}?customerNumber=4711");
    let list = async |name: Option<(&str, &str)>| {
        let headers: Vec<_> =
            [("authorization", bearer.as_str())].into_iter().chain(name).collect();
        api.send("GET", &path, &headers, None).await
    };
    let invalid_names = [
        None,
        Some(("et-client-name", "")),
        Some(("et-client-name", "acme")),
        Some(("et-client-name", "-")),
        Some(("entur-client-name", " - ")),
    ];
    for turn in 0..60 {
        assert_eq!(
            list(invalid_names[turn % invalid_names.len()]).await.status,
            StatusCode::OK,
            "{turn}"
        );
    }
    let rejected = list(None).await;
    assert_eq!(rejected.problem(), (429, "unidentified".to_owned()));
    let wait: u64 = rejected.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    for name in ["et-client-name", "entur-client-name"] {
        api.local.dynamodb().clear_requests();
        assert_eq!(list(Some((name, "acme-shop"))).await.status, StatusCode::OK);
        let requests = api.local.dynamodb().requests();
        assert_eq!(
            requests.iter().map(|one| one.operation.as_str()).collect::<Vec<_>>(),
            ["GetItem"]
        );
    }
    api.local.clock().advance("PT1M").unwrap();
    assert_eq!(list(None).await.status, StatusCode::OK);
}

/// Rule 16 for terminals: the same key returns the same terminal, also after a lost response or a failed registration.
#[tokio::test]
async fn the_same_key_opens_one_terminal() {
    use local::netaxept::{FaultKind, Operation};
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let bearer = format!("Bearer {}", api.partner);
    let open = async |key: &str, redirect: &str| {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("et-client-name", "tests-api"),
            ("idempotency-key", key),
        ];
        let body = json!({ "redirectUrl": redirect }).to_string();
        api.send("POST", &format!("{PAYMENTS}/{id}/terminal"), &headers, Some(&body)).await
    };
    let (url, other_url) = ("https://shop.example/a", "https://shop.example/b");
    let first = open("one", url).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let again = open("one", url).await;
    assert_eq!((again.status, &again.text), (StatusCode::CREATED, &first.text));
    assert_eq!(open("one", other_url).await.problem(), (409, "idempotency-key-reused".to_owned()));
    for invalid in ["a\tb", " ", &"k".repeat(256)] {
        assert_eq!(
            open(invalid, url).await.problem(),
            (400, "invalid-request".to_owned()),
            "{invalid}"
        );
    }
    assert_ne!(open("two", url).await.text, first.text);
    assert_eq!(api.local.netaxept().transactions().as_array().unwrap().len(), 2);

    // Nets registered the session, but the responses were lost. The next request with the key finds the session.
    api.local.netaxept().inject_fault(Operation::Register, FaultKind::DropReply, 1);
    api.local.netaxept().inject_fault(Operation::Query, FaultKind::DropReply, 1);
    assert_eq!(open("three", url).await.problem(), (503, "unavailable".to_owned()));
    assert_eq!(open("three", url).await.status, StatusCode::CREATED);
    assert_eq!(api.local.netaxept().transactions().as_array().unwrap().len(), 3);
    // Nets did not register the session, and the query failed. The next request with the key registers it.
    api.local.netaxept().inject_fault(Operation::Register, FaultKind::Http500, 1);
    api.local.netaxept().inject_fault(Operation::Query, FaultKind::Http500, 1);
    assert_eq!(open("four", url).await.problem(), (503, "unavailable".to_owned()));
    let opened = open("four", url).await;
    assert_eq!(opened.status, StatusCode::CREATED);
    assert_eq!(api.local.netaxept().transactions().as_array().unwrap().len(), 4);
    assert_eq!(open("four", url).await.text, opened.text);
}

#[tokio::test]
async fn ambiguous_json_bodies_are_rejected() {
    let api = TestApi::new().await;
    let bearer = format!("Bearer {}", api.partner);
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
        let response = api.send("POST", PAYMENTS, &headers, Some(body)).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{body:.60}");
        assert_eq!(response.json()["errors"][0]["field"], "body");
    }
    assert!(api.local.dynamodb().requests().is_empty());
}

/// Requests as Entur's public client sends them.
#[tokio::test]
async fn requests_of_enturs_client_are_accepted() {
    let api = TestApi::new().await;
    let bearer = format!("Bearer {}", api.partner);
    let plain = [
        ("authorization", bearer.as_str()),
        ("accept", "application/hal+json"),
        ("entur-client-name", "entur-shop"),
        ("x-correlation-id", "5f0c1d5e-8d3a-4a53-9d5c-5b8f5f1f2a10"),
    ];
    let with_body: Vec<_> =
        plain.into_iter().chain([("content-type", "application/json")]).collect();
    let created = api
        .send("POST", PAYMENTS, &with_body, Some(r#"{"customerNumber":"4711","isPrimary":true}"#))
        .await;
    assert_eq!(
        (created.status, created.header("content-type")),
        (StatusCode::CREATED, "application/hal+json")
    );
    // The id is a JSON number in the response, and the same number in the path.
    let id = created.json()["recurringPaymentId"].as_u64().unwrap();
    let path = format!("{PAYMENTS}/{id}");
    let body = r#"{"redirectUrl":"https://shop.example/done","autoSale":true,"singlePage":true,"storePayment":true,"unknown":{}}"#;
    let terminal = api.send("POST", &format!("{path}/terminal"), &with_body, Some(body)).await;
    assert_eq!(terminal.status, StatusCode::CREATED);
    let uri = terminal.json()["terminalUri"].as_str().unwrap().to_owned();
    api.submit_card(&uri, crate::VISA, "okButton").await;
    let active = api.send("PUT", &format!("{path}/authorize"), &plain, None).await;
    assert_eq!(
        (active.status, &active.json()["recurringStatus"]),
        (StatusCode::OK, &json!("ACTIVE"))
    );
    for customer in ["4711", "eq:4711", "eq%3A4711"] {
        let listed = api
            .send(
                "GET",
                &format!("{PAYMENTS}?customerNumber={customer}&includeExpired=true"),
                &plain,
                None,
            )
            .await;
        assert_eq!(listed.json().as_array().unwrap().len(), 1, "not in a wrapper object");
    }
    let ended = api.send("DELETE", &path, &plain, None).await;
    assert_eq!(
        (ended.status, &ended.json()["recurringStatus"]),
        (StatusCode::OK, &json!("CANCELLED"))
    );
    assert_eq!(
        api.send("GET", &format!("{PAYMENTS}?customerNumber="), &plain, None).await.status,
        StatusCode::BAD_REQUEST
    );
}

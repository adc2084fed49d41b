//! Bodies that are not plain JSON in UTF-8 (rule 19), and what an answer says of a wrong one (rule 20).

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{Answer, PAYMENTS, World};

const BODY: &str = r#"{"customerNumber":"4711","nickname":"Blåkort"}"#;

impl World {
    /// A creation with these bytes as its body.
    async fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let address = format!("{}{PAYMENTS}", self.local.addresses().api);
        let mut request = self.http.post(address).bearer_auth(&self.partner).body(body.to_vec());
        request = request.header("et-client-name", "tests-api");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.unwrap() }
    }
}

#[tokio::test]
async fn an_encoded_body_is_415_and_says_how_it_is_encoded() {
    let world = World::new().await;
    for (encoding, named) in [
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("br", "br"),
        ("identity, deflate", "deflate"),
        ("zstd, gzip", "zstd"),
        ("4925000000000004", "of that name"),
    ] {
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        // What it says counts, whatever it is.
        for body in [BODY.as_bytes(), b"\x1f\x8b\x08\0\0\0\0\0"] {
            let answer = world.post(&headers, body).await;
            assert_eq!(answer.problem(), (415, "body-encoded".to_owned()), "{encoding}");
            assert_eq!(answer.header("accept-encoding"), "identity");
            let detail =
                format!("Send the body without Content-Encoding: {named} is not supported.");
            assert_eq!(answer.json()["detail"], detail);
        }
    }
    for encoding in ["identity", "Identity", ""] {
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        assert_eq!(world.post(&headers, BODY.as_bytes()).await.status, StatusCode::CREATED);
    }
    assert!(!logged(&world).contains("4925000000000004"));
}

#[tokio::test]
async fn a_charset_other_than_utf_8_is_415_and_named() {
    let world = World::new().await;
    for (charset, named) in [
        ("iso-8859-1", "iso-8859-1"),
        ("\"ISO-8859-1\"", "iso-8859-1"),
        ("windows-1252", "windows-1252"),
        ("utf-16", "utf-16"),
        ("4925000000000004", "of that name"),
    ] {
        let kind = format!("application/json; charset={charset}");
        let answer = world.post(&[("content-type", &kind)], BODY.as_bytes()).await;
        assert_eq!(answer.problem(), (415, "charset".to_owned()), "{charset}");
        let detail = format!("Send the body in UTF-8: the charset {named} is not supported.");
        assert_eq!(answer.json()["detail"], detail);
    }
    for charset in ["utf-8", "UTF-8", "\"utf-8\"", "utf8"] {
        let kind = format!("application/json; charset={charset}");
        let answer = world.post(&[("content-type", &kind)], BODY.as_bytes()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{charset}");
    }
    assert!(!logged(&world).contains("4925000000000004"));
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped_and_other_encodings_are_told_to_use_utf_8() {
    let world = World::new().await;
    let json = [("content-type", "application/json")];
    let marked = [b"\xef\xbb\xbf", BODY.as_bytes()].concat();
    let answer = world.post(&json, &marked).await;
    assert_eq!(
        (answer.status, &answer.json()["nickname"]),
        (StatusCode::CREATED, &json!("Blåkort"))
    );
    let units: Vec<u16> = BODY.encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let wide: Vec<u8> = BODY.chars().flat_map(|letter| u32::from(letter).to_be_bytes()).collect();
    // As every letter is one byte in it, all of it can be told from UTF-8 by its bytes only.
    let latin: Vec<u8> = BODY.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
    let ascii = "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (name, body) in [
        ("UTF-16LE", little.clone()),
        ("UTF-16BE", big.clone()),
        ("UTF-16LE with its mark", [b"\xff\xfe", little.as_slice()].concat()),
        ("UTF-16BE with its mark", [b"\xfe\xff", big.as_slice()].concat()),
        ("UTF-32BE", wide),
        ("ISO-8859-1", latin),
        ("UTF-16LE that is UTF-8 with NUL in it", ascii),
    ] {
        let answer = world.post(&json, &body).await;
        assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{name}");
        assert_eq!(answer.json()["detail"], "The body must be in UTF-8.", "{name}");
    }
}

/// `detail` is the first of `errors` as a sentence, and `errors` has all of them.
#[tokio::test]
async fn detail_is_a_sentence_that_names_the_first_problem() {
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let (payment, terminal) = (format!("{PAYMENTS}/{id}"), format!("{PAYMENTS}/{id}/terminal"));
    let list = format!("{PAYMENTS}?customerNumber=4711&includeExpired=yes");
    let bad_id = format!("{PAYMENTS}/abc");
    for (method, path, body, count, detail) in [
        ("POST", PAYMENTS, r#"{"isPrimary":1}"#, 1, "isPrimary must be true or false."),
        ("POST", PAYMENTS, "{}", 1, "customerNumber is required."),
        ("POST", PAYMENTS, r#"{"nickname":2,"isPrimary":1}"#, 2, "nickname must be a string."),
        ("POST", PAYMENTS, "[]", 1, "The body must be a JSON object."),
        (
            "PATCH",
            &payment,
            r#"{"customerNumber":"4712"}"#,
            1,
            "customerNumber can not be updated.",
        ),
        ("POST", &terminal, "{}", 1, "redirectUrl is required."),
        (
            "POST",
            &terminal,
            r#"{"redirectUrl":"ftp://a","countryCode":"no","autoSale":1}"#,
            3,
            "redirectUrl must begin with https:// or http://.",
        ),
        ("GET", &list, "", 1, "includeExpired must be true or false."),
        ("GET", &bad_id, "", 1, "recurringPaymentId must be a whole number between 0 and 2^53."),
    ] {
        let bearer = format!("Bearer {}", world.partner);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = world.send(method, path, &headers, Some(body)).await;
        assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{method} {path} {body}");
        let problem = answer.json();
        assert_eq!((&problem["detail"], &problem["message"]), (&json!(detail), &json!(detail)));
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors.len(), count, "{body}: {errors:?}");
        assert_eq!(sentence(&errors[0]), detail);
    }
}

/// Each message names the rule that was broken, and no other.
#[tokio::test]
async fn a_message_names_the_rule_that_was_broken() {
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let terminal = format!("{PAYMENTS}/{id}/terminal");
    let zeros = format!("{PAYMENTS}/00{id}");
    let list = format!("{PAYMENTS}?customerNumber=4711");
    let twice = format!("{list}&customerNumber=4711");
    let local = r#"{"redirectUrl":"https://a","callbackUrl":"http://localhost/"}"#;
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(127), "]".repeat(127));
    for (method, path, body, detail) in [
        (
            "POST",
            PAYMENTS,
            r#"{"customerNumber":"4711",}"#,
            "The body must be JSON: trailing comma at line 1 column 26.",
        ),
        (
            "POST",
            PAYMENTS,
            "{'customerNumber':'4711'}",
            "The body must be JSON: key must be a string at line 1 column 2.",
        ),
        (
            "POST",
            PAYMENTS,
            "{\n  \"customerNumber\": \"4711\"\n  \"nickname\": \"x\"\n}",
            "The body must be JSON: expected `,` or `}` at line 3 column 3.",
        ),
        ("POST", PAYMENTS, &deep, "The body may be at most 127 levels deep: line 1 column 132."),
        ("POST", PAYMENTS, "", "customerNumber is required."),
        ("POST", PAYMENTS, " \n", "The body must be a JSON object or empty, not blank."),
        ("GET", &zeros, "", "recurringPaymentId must have no leading zeros."),
        (
            "GET",
            "/v1/recurring-payments/00142x",
            "",
            "recurringPaymentId must be a whole number between 0 and 2^53.",
        ),
        ("GET", &twice, "", "customerNumber may be given only once."),
        ("POST", &terminal, local, "callbackUrl must begin with https:// or http://127.0.0.1."),
    ] {
        let bearer = format!("Bearer {}", world.partner);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = world.send(method, path, &headers, Some(body)).await;
        assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{method} {path} {body}");
        assert_eq!(answer.json()["detail"], detail, "{method} {path} {body}");
    }
}

/// A PATCH that names no known member is a mistake; elsewhere, and beside known ones, unknown members are ignored.
#[tokio::test]
async fn a_patch_without_a_known_member_names_the_near_one() {
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let path = format!("{PAYMENTS}/{id}");
    let known = "nickname, isPrimary, customerNumber";
    for (body, said) in [
        (json!({ "primary": true }), "write isPrimary instead of primary".to_owned()),
        (json!({ "nickName": "x" }), "write nickname instead of nickName".to_owned()),
        (
            json!({ "colour": "x", "nickName": "x" }),
            "write nickname instead of nickName".to_owned(),
        ),
        (json!({ "colour": "x" }), format!("colour is none of {known}")),
        (json!({ "4925000000000004": "x" }), format!("there are only {known}")),
    ] {
        let answer = world.call("PATCH", &path, Some(&body)).await;
        assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{body}");
        let problem = answer.json();
        assert_eq!(problem["detail"], format!("The body has no known member: {said}."));
        assert_eq!(problem["errors"][0]["code"], "unknown-member");
    }
    for body in [
        json!({}),
        json!({ "nickname": "y", "colour": "x" }),
        json!({ "isPrimary": true, "primary": false }),
        json!({ "customerNumber": "4711", "nickName": "x" }),
    ] {
        let answer = world.call("PATCH", &path, Some(&body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{body}");
    }
    world.create("4711", json!({ "nickName": "x" })).await;
}

/// A key belongs to the caller and the customer, and quotes are no part of it.
#[tokio::test]
async fn an_idempotency_key_belongs_to_the_caller_and_the_customer() {
    let world = World::new().await;
    let internal = world.token("internal-demo", json!({})).await;
    let create = async |token: &str, key: &str, body: Value| {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        world.send("POST", PAYMENTS, &headers, Some(&body.to_string())).await
    };
    let (one, other) = (json!({ "customerNumber": "1" }), json!({ "customerNumber": "2" }));
    let first = create(&world.partner, "basket-17", one.clone()).await;
    assert_eq!(first.status, StatusCode::CREATED);
    for key in ["basket-17", "\"basket-17\"", " \"basket-17\""] {
        assert_eq!(create(&world.partner, key, one.clone()).await.text, first.text, "{key}");
    }
    let named = json!({ "customerNumber": "1", "nickname": "x" });
    let reused = create(&world.partner, "\"basket-17\"", named.clone()).await;
    assert_eq!(reused.problem(), (409, "idempotency-key-reused".to_owned()));
    // Another customer, and another client of the same organisation.
    let created = create(&world.partner, "basket-17", other).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let created = create(&internal, "basket-17", named).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!((world.list("1").await.len(), world.list("2").await.len()), (2, 1));
    for wrong in ["\"", "\"\"", "\"a\"b", " "] {
        let answer = create(&world.partner, wrong, one.clone()).await;
        assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{wrong}");
    }
}

/// A fault as `detail` says it.
fn sentence(fault: &Value) -> String {
    let field = fault["field"].as_str().unwrap().replace("body", "The body");
    format!("{field} {}.", fault["message"].as_str().unwrap())
}

fn logged(world: &World) -> String {
    world.local.lambda().lines().into_iter().map(|line| line.line).collect()
}

//! Request bodies that are not plain UTF-8 JSON (rule 19), and the error messages for invalid ones (rule 20).

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::payments::{COLLECTION, order};
use crate::{PAYMENTS, Response, TestApi};

const BODY: &str = r#"{"customerNumber":"4711","nickname":"Blåkort"}"#;

impl TestApi {
    /// Sends a create request with these bytes as its body.
    async fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.post_to(PAYMENTS, headers, body).await
    }

    async fn post_to(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let address = format!("{}{path}", self.local.addresses().api);
        let mut request = self.http.post(address).bearer_auth(&self.partner).body(body.to_vec());
        request = request.header("et-client-name", "tests-api");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Response { status, headers, text: response.text().await.unwrap() }
    }
}

#[tokio::test]
async fn an_encoded_body_is_415_and_the_encoding_is_named() {
    let api = TestApi::new().await;
    for (encoding, named) in [
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("br", "br"),
        ("identity, deflate", "deflate"),
        ("zstd, gzip", "zstd"),
        ("4925000000000004", "of that name"),
    ] {
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        // Only the header counts, not the bytes.
        for body in [BODY.as_bytes(), b"\x1f\x8b\x08\0\0\0\0\0"] {
            let response = api.post(&headers, body).await;
            assert_eq!(response.problem(), (415, "body-encoded".to_owned()), "{encoding}");
            assert_eq!(response.header("accept-encoding"), "identity");
            let detail = format!(
                "The Content-Encoding {named} is not supported. Send the body without a Content-Encoding."
            );
            assert_eq!(response.json()["detail"], detail);
        }
    }
    for encoding in ["identity", "Identity", ""] {
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        assert_eq!(api.post(&headers, BODY.as_bytes()).await.status, StatusCode::CREATED);
    }
    assert!(!all_log_lines(&api).contains("4925000000000004"));
}

#[tokio::test]
async fn a_charset_other_than_utf_8_is_415_and_the_charset_is_named() {
    let api = TestApi::new().await;
    for (charset, named) in [
        ("iso-8859-1", "iso-8859-1"),
        ("\"ISO-8859-1\"", "iso-8859-1"),
        ("windows-1252", "windows-1252"),
        ("utf-16", "utf-16"),
        ("4925000000000004", "of that name"),
    ] {
        let kind = format!("application/json; charset={charset}");
        let response = api.post(&[("content-type", &kind)], BODY.as_bytes()).await;
        assert_eq!(response.problem(), (415, "charset".to_owned()), "{charset}");
        let detail = format!("The charset {named} is not supported. Send the body in UTF-8.");
        assert_eq!(response.json()["detail"], detail);
    }
    for charset in ["utf-8", "UTF-8", "\"utf-8\"", "utf8"] {
        let kind = format!("application/json; charset={charset}");
        let response = api.post(&[("content-type", &kind)], BODY.as_bytes()).await;
        assert_eq!(response.status, StatusCode::CREATED, "{charset}");
    }
    assert!(!all_log_lines(&api).contains("4925000000000004"));
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped_and_other_encodings_are_400() {
    let api = TestApi::new().await;
    let json = [("content-type", "application/json")];
    let marked = [b"\xef\xbb\xbf", BODY.as_bytes()].concat();
    let response = api.post(&json, &marked).await;
    assert_eq!(
        (response.status, &response.json()["nickname"]),
        (StatusCode::CREATED, &json!("Blåkort"))
    );
    let units: Vec<u16> = BODY.encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let wide: Vec<u8> = BODY.chars().flat_map(|letter| u32::from(letter).to_be_bytes()).collect();
    // Each character is one byte. Only invalid UTF-8 sequences distinguish it from UTF-8.
    let latin: Vec<u8> = BODY.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
    let ascii = "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (name, body) in [
        ("UTF-16LE", little.clone()),
        ("UTF-16BE", big.clone()),
        ("UTF-16LE with a byte order mark", [b"\xff\xfe", little.as_slice()].concat()),
        ("UTF-16BE with a byte order mark", [b"\xfe\xff", big.as_slice()].concat()),
        ("UTF-32BE", wide),
        ("ISO-8859-1", latin),
        ("UTF-16LE of ASCII, which is valid UTF-8 with NUL characters", ascii),
    ] {
        let response = api.post(&json, &body).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{name}");
        assert_eq!(response.json()["detail"], "The body must be in UTF-8.", "{name}");
    }
}

/// The bodies of payments are read by the same rules.
#[tokio::test]
async fn the_bodies_of_payments_have_the_same_rules() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy("order-1", &card, "100.00").await;
    let order = order("order-2", &card, "100.00");
    let terminal = json!({ "redirectUrl": "https://shop.example" });
    let json = ("content-type", "application/json");
    let latin = ("content-type", "application/json; charset=iso-8859-1");
    for (path, body) in [(COLLECTION.to_owned(), order), (charge.path("/terminal"), terminal)] {
        let text = body.to_string();
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let twice = text.replacen('{', "{\"x\":1,\"x\":1,", 1);
        let gzip = [json, ("content-encoding", "gzip")];
        for (headers, body, expected) in [
            (&gzip[..], text.as_bytes(), (415, "body-encoded")),
            (&[latin], text.as_bytes(), (415, "charset")),
            (&[("content-type", "text/plain")], text.as_bytes(), (415, "not-json")),
            (&[json], &wide, (400, "invalid-request")),
            (&[json], twice.as_bytes(), (400, "invalid-request")),
            (&[json], b"[]", (400, "invalid-request")),
            (&[json], b"{", (400, "invalid-request")),
            (&[json], b"", (400, "invalid-request")),
        ] {
            let response = api.post_to(&path, headers, body).await;
            assert_eq!(response.problem(), (expected.0, expected.1.to_owned()), "{path}");
        }
        let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
        let response = api.post_to(&path, &[json], &marked).await;
        assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    }
}

/// A message of a field in an object names both.
#[tokio::test]
async fn detail_names_the_members_of_a_transaction() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let body = order("order-1", &card, "100.00").to_string();
    for (from, to, detail) in [
        (
            r#""amount":"100.00""#,
            r#""amount":"1e2""#,
            "transaction.amount must be an amount such as 100.00: at most 13 digits, then optionally a dot and at most 5 digits.",
        ),
        (
            r#""amount":"100.00""#,
            r#""amount":"99.00""#,
            "totalAmount must be equal to transaction.amount.",
        ),
        (
            r#""totalAmount":"100.00""#,
            r#""totalAmount":"0.00""#,
            "totalAmount must be more than zero.",
        ),
        (
            r#""currency":"NOK""#,
            r#""currency":"EUR""#,
            "transaction.currency must be the currency of all charges: NOK.",
        ),
    ] {
        let body: Value = serde_json::from_str(&body.replacen(from, to, 1)).unwrap();
        let response = api.post_order(&body).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{body}");
        assert_eq!(response.json()["detail"], detail, "{body}");
    }
}

/// `detail` is the first of `errors` as a sentence. `errors` has all of them.
#[tokio::test]
async fn detail_is_the_first_error_as_a_sentence() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
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
        let bearer = format!("Bearer {}", api.partner);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let response = api.send(method, path, &headers, Some(body)).await;
        assert_eq!(
            response.problem(),
            (400, "invalid-request".to_owned()),
            "{method} {path} {body}"
        );
        let problem = response.json();
        assert_eq!((&problem["detail"], &problem["message"]), (&json!(detail), &json!(detail)));
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors.len(), count, "{body}: {errors:?}");
        assert_eq!(sentence(&errors[0]), detail);
    }
}

/// Each message names exactly the rule that the request violates.
#[tokio::test]
async fn a_message_names_the_violated_rule() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
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
        ("POST", PAYMENTS, &deep, "The body must be at most 127 levels deep: line 1 column 132."),
        ("POST", PAYMENTS, "", "customerNumber is required."),
        ("POST", PAYMENTS, " \n", "The body must be a JSON object or empty, not blank."),
        ("GET", &zeros, "", "recurringPaymentId must have no leading zeros."),
        (
            "GET",
            "/v1/recurring-payments/00142x",
            "",
            "recurringPaymentId must be a whole number between 0 and 2^53.",
        ),
        ("GET", &twice, "", "customerNumber must be given only once."),
        ("POST", &terminal, local, "callbackUrl must begin with https:// or http://127.0.0.1."),
    ] {
        let bearer = format!("Bearer {}", api.partner);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let response = api.send(method, path, &headers, Some(body)).await;
        assert_eq!(
            response.problem(),
            (400, "invalid-request".to_owned()),
            "{method} {path} {body}"
        );
        assert_eq!(response.json()["detail"], detail, "{method} {path} {body}");
    }
}

/// A PATCH without a known member is 400. In other cases unknown members are ignored.
#[tokio::test]
async fn a_patch_without_a_known_member_suggests_a_similar_one() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let path = format!("{PAYMENTS}/{id}");
    let known = "nickname, isPrimary, customerNumber";
    for (body, hint) in [
        (json!({ "primary": true }), "use isPrimary instead of primary".to_owned()),
        (json!({ "nickName": "x" }), "use nickname instead of nickName".to_owned()),
        (json!({ "colour": "x", "nickName": "x" }), "use nickname instead of nickName".to_owned()),
        (json!({ "colour": "x" }), format!("colour is not one of {known}")),
        (json!({ "4925000000000004": "x" }), format!("the known members are {known}")),
    ] {
        let response = api.call("PATCH", &path, Some(&body)).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{body}");
        let problem = response.json();
        assert_eq!(problem["detail"], format!("The body has no known member: {hint}."));
        assert_eq!(problem["errors"][0]["code"], "unknown-member");
    }
    for body in [
        json!({}),
        json!({ "nickname": "y", "colour": "x" }),
        json!({ "isPrimary": true, "primary": false }),
        json!({ "customerNumber": "4711", "nickName": "x" }),
    ] {
        let response = api.call("PATCH", &path, Some(&body)).await;
        assert_eq!(response.status, StatusCode::OK, "{body}");
    }
    api.create("4711", json!({ "nickName": "x" })).await;
}

/// A key belongs to the client and the customer. Quotes are not part of it.
#[tokio::test]
async fn an_idempotency_key_belongs_to_the_client_and_the_customer() {
    let api = TestApi::new().await;
    let internal = api.token("internal-demo", json!({})).await;
    let create = async |token: &str, key: &str, body: Value| {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        api.send("POST", PAYMENTS, &headers, Some(&body.to_string())).await
    };
    let (customer_1, customer_2) =
        (json!({ "customerNumber": "1" }), json!({ "customerNumber": "2" }));
    let first = create(&api.partner, "basket-17", customer_1.clone()).await;
    assert_eq!(first.status, StatusCode::CREATED);
    for key in ["basket-17", "\"basket-17\"", " \"basket-17\""] {
        assert_eq!(create(&api.partner, key, customer_1.clone()).await.text, first.text, "{key}");
    }
    let named = json!({ "customerNumber": "1", "nickname": "x" });
    let reused = create(&api.partner, "\"basket-17\"", named.clone()).await;
    assert_eq!(reused.problem(), (409, "idempotency-key-reused".to_owned()));
    // Another customer, and another client of the same organisation.
    let created = create(&api.partner, "basket-17", customer_2).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let created = create(&internal, "basket-17", named).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!((api.list("1").await.len(), api.list("2").await.len()), (2, 1));
    for invalid in ["\"", "\"\"", "\"a\"b", " "] {
        let response = create(&api.partner, invalid, customer_1.clone()).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{invalid}");
    }
}

/// Formats an error as in `detail`.
fn sentence(fault: &Value) -> String {
    let field = fault["field"].as_str().unwrap().replace("body", "The body");
    format!("{field} {}.", fault["message"].as_str().unwrap())
}

fn all_log_lines(api: &TestApi) -> String {
    api.local.lambda().lines().into_iter().map(|line| line.line).collect()
}

//! Validation of tokens by API Gateway's cache, the authorizer and the functions together.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::observability::metrics;
use crate::{PAYMENTS, TestApi};

/// Maximum time in seconds for which a token is rejected after its key was published.
const MAX_DELAY: i64 = 35;

impl TestApi {
    /// Sends a list request with this token. Returns the status.
    async fn list_status(&self, token: &str) -> StatusCode {
        let path = format!("{PAYMENTS}?customerNumber=4711");
        self.call_as(token, "GET", &path, None).await.status
    }

    /// Moves the clock through the console.
    async fn move_clock(&self, advance: &str) {
        let address = format!("{}/clock", self.local.addresses().console);
        let moved = self.http.post(address).json(&json!({ "advance": advance })).send().await;
        assert_eq!(moved.unwrap().status(), StatusCode::OK);
    }

    /// The time of the local clock, in seconds since 1970.
    fn now_in_seconds(&self) -> i64 {
        self.local.clock().now().as_second()
    }

    /// Sends a token each second until it is accepted. Returns the seconds between `instant` and the acceptance.
    async fn seconds_until_accepted(&self, token: &str, instant: i64) -> i64 {
        while self.list_status(token).await == StatusCode::UNAUTHORIZED {
            self.move_clock("PT1S").await;
            assert!(self.now_in_seconds() < instant + 600, "still rejected");
        }
        assert_eq!(self.list_status(token).await, StatusCode::OK);
        self.now_in_seconds() - instant
    }

    /// Creates a token that is signed with a new key, which is not published yet.
    async fn token_with_new_key(&self) -> String {
        self.local.issuer().rotate().unwrap();
        self.token("partner-demo", json!({})).await
    }
}

#[tokio::test]
async fn the_error_for_a_wrong_audience_names_the_expected_one() {
    let api = TestApi::new().await;
    let token = api.token("partner-demo", json!({ "audience": "https://a.example" })).await;
    let response =
        api.call_as(&token, "GET", &format!("{PAYMENTS}?customerNumber=4711"), None).await;
    assert_eq!(response.problem(), (401, "unauthorized".to_owned()));
    assert_eq!(
        response.json()["detail"],
        r#"Authentication failed: the token must be for the audience "https://api.entur.io"."#
    );
}

/// The issuer publishes a new key, and a token of that key is sent each second from `sent_at` on. Another token of an unknown key
/// can trigger a fetch of the keys shortly before.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "prints the measured seconds with --nocapture")]
async fn a_token_of_a_new_key_is_accepted_within_35_seconds() {
    for (sent_at, published_at, other_at) in [
        // The key is published when the token is sent first.
        (10, 10, None),
        // The key is published right after the token was rejected and the rejection was cached.
        (10, 11, None),
        // The keys were fetched right before they were published.
        (11, 10, Some(10)),
        // Both delays in sequence: the worst case that shared/src/token.rs calculates.
        (10, 31, Some(31)),
        (10, 34, Some(34)),
    ] {
        let api = TestApi::new().await;
        assert_eq!(api.list_status(&api.partner).await, StatusCode::OK);
        let (start, other) = (api.now_in_seconds(), api.token_with_new_key().await);
        let token = api.token_with_new_key().await;
        let mut published = None;
        let delay = loop {
            let elapsed = api.now_in_seconds() - start;
            if other_at.is_some_and(|at| elapsed >= at) && published.is_none() {
                assert_eq!(api.list_status(&other).await, StatusCode::UNAUTHORIZED);
            }
            if elapsed >= published_at && published.is_none() {
                api.local.issuer().publish();
                published = Some(api.now_in_seconds());
            }
            if elapsed >= sent_at && api.list_status(&token).await == StatusCode::OK {
                break api.now_in_seconds() - published.unwrap();
            }
            assert!(elapsed < 600, "still rejected");
            api.move_clock("PT1S").await;
        };
        println!("sent {sent_at}, published {published_at}: accepted {delay} s after publication");
        assert!(delay <= MAX_DELAY, "sent {sent_at}, published {published_at}: {delay} s");
        assert_eq!(api.list_status(&token).await, StatusCode::OK);
        assert_eq!(
            api.list_status(&api.partner).await,
            StatusCode::OK,
            "the old key is still valid"
        );
    }
}

/// The rejection of a token that is not valid yet is not cached. The first request at which it is valid succeeds, with a leeway of
/// 60 seconds.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "prints the measured seconds with --nocapture")]
async fn a_token_that_is_not_valid_yet_is_accepted_on_time() {
    for ahead in [70, 80, 120, 300] {
        let api = TestApi::new().await;
        let valid_from = api.now_in_seconds() + ahead;
        let token = api.token("partner-demo", json!({ "not_before": valid_from })).await;
        let path = format!("{PAYMENTS}?customerNumber=4711");
        let early = api.call_as(&token, "GET", &path, None).await;
        assert_eq!(early.problem(), (401, "unauthorized".to_owned()));
        assert_eq!(early.json()["detail"], "Authentication failed: the token is not valid yet.");
        let delay = api.seconds_until_accepted(&token, valid_from - 60).await;
        println!("nbf {ahead} s ahead: accepted {delay} s after it became valid");
        assert!((0..=2).contains(&delay), "{ahead}: {delay} s");
    }
}

/// Log lines and metrics when an issuer's keys cannot be fetched, or not all of them can be read. They contain nothing of a token
/// or of the issuer's response.
#[tokio::test]
async fn a_failed_refresh_of_the_keys_is_logged_and_counted() {
    const CANARY: &str = "eyJjYW5hcnk";
    let api = TestApi::new().await;
    assert_eq!(api.list_status(&api.partner).await, StatusCode::OK);
    let issuer = api.local.issuer();
    let address = format!("{}/partner/.well-known/jwks.json", api.local.addresses().issuer);
    let not_read = "the reply is not a JWK Set: line 1, column";
    for (status, body, cause) in [
        (StatusCode::INTERNAL_SERVER_ERROR, CANARY.to_owned(), "HTTP status 500"),
        (StatusCode::OK, CANARY.to_owned(), not_read),
        (StatusCode::OK, json!({ "keys": CANARY }).to_string(), not_read),
        (StatusCode::OK, json!({ "keys": [{ "kid": CANARY }] }).to_string(), "none of the 1 keys"),
        (StatusCode::OK, " ".repeat((1 << 20) + 1), "the reply is larger than 1024 KiB"),
    ] {
        issuer.set_keys_response(Some((status, body)));
        api.move_clock("PT6M").await;
        assert_eq!(api.list_status(&api.partner).await, StatusCode::OK, "the cached keys are used");
        let warnings = api.log_lines("authorizer", "a token issuer's keys could not be refreshed");
        let warning = warnings.last().unwrap();
        assert_eq!((&warning["level"], &warning["issuer"]), (&json!("WARN"), &json!(address)));
        let error = warning["error"].as_str().unwrap();
        assert!(error.starts_with(cause), "{error}");
        let checked = api.log_lines("authorizer", "token").pop().unwrap();
        assert_eq!(
            (&checked["level"], &checked["key_refreshes_failed"]),
            (&json!(null), &json!(1))
        );
        assert!(metrics(&checked).contains("KeyRefreshesFailed"), "{checked}");
    }

    let mut keys = issuer.published();
    keys.insert(0, json!({ "kid": 7, "kty": "RSA", "n": CANARY, "e": "AQAB" }));
    issuer.set_keys_response(Some((StatusCode::OK, json!({ "keys": keys }).to_string())));
    api.move_clock("PT6M").await;
    assert_eq!(api.list_status(&api.partner).await, StatusCode::OK);
    let left_out = api.log_lines("authorizer", "a token issuer's key is left out");
    let warning = left_out.last().unwrap();
    assert_eq!((&warning["level"], &warning["position"]), (&json!("WARN"), &json!(0)));
    let checked = api.log_lines("authorizer", "token").pop().unwrap();
    assert_eq!(checked["key_refreshes_failed"], json!(null));
    assert!(!metrics(&checked).contains("KeyRefreshesFailed"), "{checked}");

    let (_, claims) = api.partner.split_once('.').unwrap();
    for line in api.local.lambda().lines() {
        assert!(!line.line.contains(CANARY) && !line.line.contains(claims), "{}", line.line);
    }
}

/// The result for several `Authorization` headers is cached for their combination only. A cached result for a valid token is not
/// used for a request that has another header too.
#[tokio::test]
async fn the_cache_key_contains_all_authorization_headers() {
    let api = TestApi::new().await;
    let path = format!("{PAYMENTS}?customerNumber=4711");
    let other = api.token("partner-other", json!({})).await;
    let (valid, other, invalid) =
        (format!("Bearer {}", api.partner), format!("Bearer {other}"), "Bearer x".to_owned());
    let send = async |values: &[&String]| {
        let mut headers = vec![("et-client-name", "tests-api")];
        headers.extend(values.iter().map(|value| ("authorization", value.as_str())));
        api.send("GET", &path, &headers, None).await.status
    };
    for _ in 0..2 {
        for several in [[&valid, &valid], [&valid, &invalid], [&invalid, &valid], [&valid, &other]]
        {
            assert_eq!(send(&several).await, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(send(&[&valid]).await, StatusCode::OK);
        assert_eq!(send(&[&other]).await, StatusCode::OK);
        assert_eq!(send(&[&invalid]).await, StatusCode::UNAUTHORIZED);
    }
}

/// The authorizer validates the identity source, because API Gateway caches the result for its value. It ignores the headers.
#[tokio::test]
async fn the_authorizer_validates_the_identity_source() {
    let api = TestApi::new().await;
    let valid = format!("Bearer {}", api.partner);
    let text = include_str!("../events/01-authorizer-refused.json");
    for (source, header, accepted) in [
        (json!([valid]), "Bearer x", true),
        (json!(["Bearer x"]), valid.as_str(), false),
        (json!([]), valid.as_str(), false),
        (Value::Null, valid.as_str(), false),
        (json!([valid, valid]), valid.as_str(), false),
    ] {
        let mut event: Value = serde_json::from_str(text).unwrap();
        event["identitySource"] = source;
        event["headers"]["authorization"] = json!(header);
        event["requestContext"]["timeEpoch"] = json!(api.local.clock().now().as_millisecond());
        let response = api.local.lambda().invoke("authorizer", event.to_string().into()).await;
        let response: Value = serde_json::from_slice(&response.unwrap()).unwrap();
        assert_eq!(response["context"]["client"] == "partner-demo", accepted, "{response}");
        assert_eq!(response["context"]["refused"].is_string(), !accepted, "{response}");
    }
}

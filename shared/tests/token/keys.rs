//! The cache of the issuer's keys: fetching, refreshing, and failures.

use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::error::Error;
use shared::invocation;

use super::{Answer, EC, Issuer, RSA, is_accepted, jwk, now, signed, verify};

#[tokio::test]
async fn keys_are_refreshed_after_five_minutes_and_for_unknown_key_ids_every_five_seconds() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let second = |seconds| now() + TimeDelta::seconds(seconds);
    let mut claims = issuer.claims();
    claims["exp"] = json!(second(100_000).timestamp());
    let (good, rotated) = (signed(RSA, "rsa", &claims), signed(EC, "new", &claims));
    for (at, fetches) in [(0, 1), (299, 1), (300, 2), (599, 2), (600, 3)] {
        assert!(verify(&tokens, &good, second(at)).await.is_ok());
        assert_eq!(issuer.fetches(), fetches, "{at}");
    }
    for (at, fetches) in [(601, 3), (604, 3), (605, 4), (606, 4), (609, 4), (610, 5)] {
        assert!(verify(&tokens, &rotated, second(at)).await.is_err());
        assert_eq!(issuer.fetches(), fetches, "an unknown id at {at}");
    }
    issuer.publish(&[jwk(EC, "new")]);
    assert!(verify(&tokens, &rotated, second(614)).await.is_err());
    assert!(verify(&tokens, &rotated, second(615)).await.is_ok());
    assert!(
        verify(&tokens, &good, second(616)).await.is_err(),
        "the issuer no longer publishes the key"
    );
}

#[tokio::test]
async fn cached_keys_are_used_for_ten_hours_while_the_issuer_is_down() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let mut claims = issuer.claims();
    claims["exp"] = json!(now().timestamp() + 100_000);
    let good = signed(RSA, "rsa", &claims);
    let at = |seconds| now() + TimeDelta::seconds(seconds);
    assert!(verify(&tokens, &good, at(0)).await.is_ok());
    issuer.go_down();
    for seconds in [301, 302, 36_000 - 1] {
        assert!(verify(&tokens, &good, at(seconds)).await.is_ok(), "{seconds}");
    }
    for seconds in [36_000, 36_001, 36_029, 40_000] {
        let answer = tokens.caller(&good, at(seconds)).await;
        assert!(
            matches!(answer, Err(Error::Unavailable { what: "the token issuer", .. })),
            "{seconds}"
        );
    }
    issuer.publish(&[jwk(RSA, "rsa")]);
    assert!(verify(&tokens, &good, at(40_031)).await.is_ok());
}

/// An unreadable key does not affect the other keys, whatever its position in the set.
#[tokio::test]
async fn an_unreadable_key_is_ignored() {
    let with = |name: &str, value: Value| {
        let mut key = jwk(RSA, "bad");
        key[name] = value;
        key
    };
    for bad in [
        with("kid", json!(7)),
        with("key_ops", json!("verify")),
        with("kty", json!("AKP")),
        with("kty", Value::Null),
        with("n", json!("no base 64!")),
        with("n", json!(7)),
        with("e", Value::Null),
        with("kid", Value::Null),
        json!({}),
        json!("key"),
        Value::Null,
    ] {
        for position in 0..3 {
            let issuer = Issuer::start().await;
            let mut keys = vec![jwk(RSA, "rsa"), jwk(EC, "ec")];
            keys.insert(position, bad.clone());
            issuer.publish(&keys);
            let tokens = issuer.tokens();
            for (der, kid) in [(RSA, "rsa"), (EC, "ec")] {
                let token = signed(der, kid, &issuer.claims());
                assert!(is_accepted(&tokens, &token).await, "{kid} beside {bad} at {position}");
            }
            let token = signed(RSA, "bad", &issuer.claims());
            assert!(verify(&tokens, &token, now()).await.is_err(), "{bad}");
        }
    }
}

/// Every kind of failed refresh is counted once, and the cached keys remain in use. An empty set replaces them.
#[tokio::test]
async fn a_failed_refresh_is_counted_and_cached_keys_remain_in_use() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let mut claims = issuer.claims();
    claims["exp"] = json!(now().timestamp() + 100_000);
    let good = signed(RSA, "rsa", &claims);
    assert!(verify(&tokens, &good, now()).await.is_ok());
    let (limit, set) = (1024 * 1024, json!({ "keys": [jwk(RSA, "rsa")] }).to_string());
    let bad = json!({ "keys": [{ "kid": 7 }, { "kid": 8 }] }).to_string();
    let body = |text: &str| Answer::Body(text.to_owned());
    let large = |size: usize| format!("{set}{}", " ".repeat(size - set.len()));
    let mut at = now();
    for (answer, failed) in [
        (Answer::Down, 1),
        (Answer::Incomplete, 1),
        (body(""), 1),
        (body("<html>"), 1),
        (body("[]"), 1),
        (body("{}"), 1),
        (body(r#"{"keys":{}}"#), 1),
        (body(&bad), 1),
        (Answer::Body(large(limit + 1)), 1),
        (Answer::Body(large(limit)), 0),
        (body(&set), 0),
    ] {
        issuer.set_answer(answer);
        at += TimeDelta::minutes(6);
        let fetches = issuer.fetches();
        let (caller, seen) = invocation::run("authorizer", tokens.caller(&good, at)).await;
        assert!(caller.unwrap().is_ok(), "{at}");
        assert_eq!((issuer.fetches(), seen.key_refreshes_failed), (fetches + 1, failed), "{at}");
        let (caller, seen) = invocation::run("authorizer", tokens.caller(&good, at)).await;
        assert!(caller.unwrap().is_ok(), "{at}");
        assert_eq!(seen.key_refreshes_failed, 0, "no immediate retry");
    }
    issuer.publish(&[]);
    at += TimeDelta::minutes(6);
    assert!(verify(&tokens, &good, at).await.is_err(), "the issuer no longer publishes any key");
}

/// Without keys the invocation fails. API Gateway would cache a refusal and refuse valid tokens.
#[tokio::test]
async fn the_invocation_fails_when_no_keys_were_ever_fetched() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    issuer.go_down();
    let good = signed(RSA, "rsa", &issuer.claims());
    for failed in [1, 1] {
        let (caller, seen) = invocation::run("authorizer", tokens.caller(&good, now())).await;
        assert!(matches!(caller, Err(Error::Unavailable { what: "the token issuer", .. })));
        assert_eq!(seen.key_refreshes_failed, failed);
    }
}

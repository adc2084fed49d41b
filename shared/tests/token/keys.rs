//! The issuer's keys: fetched, kept, fetched again, and what goes wrong with it.

use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::error::Error;
use shared::invocation;

use super::{Answer, EC, Issuer, RSA, asks, is_good, jwk, now, signed};

#[tokio::test]
async fn keys_are_fetched_again_after_five_minutes_or_for_a_new_id_every_five_seconds() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let second = |seconds| now() + TimeDelta::seconds(seconds);
    let mut claims = issuer.claims();
    claims["exp"] = json!(second(100_000).timestamp());
    let (good, rotated) = (signed(RSA, "rsa", &claims), signed(EC, "new", &claims));
    for (at, asked) in [(0, 1), (299, 1), (300, 2), (599, 2), (600, 3)] {
        assert!(asks(&tokens, &good, second(at)).await.is_ok());
        assert_eq!(issuer.asked(), asked, "{at}");
    }
    for (at, asked) in [(601, 3), (604, 3), (605, 4), (606, 4), (609, 4), (610, 5)] {
        assert!(asks(&tokens, &rotated, second(at)).await.is_err());
        assert_eq!(issuer.asked(), asked, "an unknown id at {at}");
    }
    issuer.has(&[jwk(EC, "new")]);
    assert!(asks(&tokens, &rotated, second(614)).await.is_err());
    assert!(asks(&tokens, &rotated, second(615)).await.is_ok());
    assert!(asks(&tokens, &good, second(616)).await.is_err(), "a key that is gone is no good");
}

#[tokio::test]
async fn an_issuer_that_is_down_is_tolerated_for_ten_hours() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let mut claims = issuer.claims();
    claims["exp"] = json!(now().timestamp() + 100_000);
    let good = signed(RSA, "rsa", &claims);
    let at = |seconds| now() + TimeDelta::seconds(seconds);
    assert!(asks(&tokens, &good, at(0)).await.is_ok());
    issuer.goes_down();
    for seconds in [301, 302, 36_000 - 1] {
        assert!(asks(&tokens, &good, at(seconds)).await.is_ok(), "{seconds}");
    }
    for seconds in [36_000, 36_001, 36_029, 40_000] {
        let answer = tokens.caller(&good, at(seconds)).await;
        assert!(
            matches!(answer, Err(Error::Unavailable { what: "the token issuer", .. })),
            "{seconds}"
        );
    }
    issuer.has(&[jwk(RSA, "rsa")]);
    assert!(asks(&tokens, &good, at(40_031)).await.is_ok());
}

/// Keys that cannot be read are left out one by one, wherever they are in the set.
#[tokio::test]
async fn a_key_that_cannot_be_read_is_left_out_alone() {
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
            issuer.has(&keys);
            let tokens = issuer.tokens();
            for (der, kid) in [(RSA, "rsa"), (EC, "ec")] {
                let token = signed(der, kid, &issuer.claims());
                assert!(is_good(&tokens, &token).await, "{kid} beside {bad} at {position}");
            }
            let token = signed(RSA, "bad", &issuer.claims());
            assert!(asks(&tokens, &token, now()).await.is_err(), "{bad}");
        }
    }
}

/// A refresh that fails, in whatever way, is counted once, and the known keys serve on. An empty set is a set.
#[tokio::test]
async fn a_refresh_that_fails_is_counted_and_the_known_keys_serve() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let mut claims = issuer.claims();
    claims["exp"] = json!(now().timestamp() + 100_000);
    let good = signed(RSA, "rsa", &claims);
    assert!(asks(&tokens, &good, now()).await.is_ok());
    let (limit, set) = (1024 * 1024, json!({ "keys": [jwk(RSA, "rsa")] }).to_string());
    let bad = json!({ "keys": [{ "kid": 7 }, { "kid": 8 }] }).to_string();
    let body = |text: &str| Answer::Body(text.to_owned());
    let large = |size: usize| format!("{set}{}", " ".repeat(size - set.len()));
    let mut at = now();
    for (answer, failed) in [
        (Answer::Down, 1),
        (Answer::Never, 1),
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
        issuer.answers(answer);
        at += TimeDelta::minutes(6);
        let asked = issuer.asked();
        let (caller, seen) = invocation::of("authorizer", tokens.caller(&good, at)).await;
        assert!(caller.unwrap().is_ok(), "{at}");
        assert_eq!((issuer.asked(), seen.key_refreshes_failed), (asked + 1, failed), "{at}");
        let (caller, seen) = invocation::of("authorizer", tokens.caller(&good, at)).await;
        assert!(caller.unwrap().is_ok(), "{at}");
        assert_eq!(seen.key_refreshes_failed, 0, "not tried again at once");
    }
    issuer.has(&[]);
    at += TimeDelta::minutes(6);
    assert!(asks(&tokens, &good, at).await.is_err(), "the issuer took its keys back");
}

/// Without keys there is no answer: one that is cached would refuse good tokens.
#[tokio::test]
async fn keys_that_were_never_had_fail_the_invocation() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    issuer.goes_down();
    let good = signed(RSA, "rsa", &issuer.claims());
    for failed in [1, 1] {
        let (caller, seen) = invocation::of("authorizer", tokens.caller(&good, now())).await;
        assert!(matches!(caller, Err(Error::Unavailable { what: "the token issuer", .. })));
        assert_eq!(seen.key_refreshes_failed, failed);
    }
}

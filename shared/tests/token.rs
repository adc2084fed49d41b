//! Who is calling: tokens of every kind, and an issuer that is there, changes its keys, or is gone.

#![expect(clippy::unwrap_used, reason = "a test that can not go on has failed")]

#[path = "token/keys.rs"]
mod keys;

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use shared::config::TokenConfig;
use shared::domain::caller::{Caller, Permission, Tenant};
use shared::domain::customer::Organisation;
use shared::token::{Nobody, Tokens};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

const AUDIENCE: &str = "https://api.entur.io";
/// Keys of these tests, which guard nothing.
const RSA: &[u8] = include_bytes!("keys/rsa.der");
const EC: &[u8] = include_bytes!("keys/ec.der");

/// What a key address answers.
#[derive(Clone, Default)]
enum Answer {
    #[default]
    Down,
    Body(String),
    /// The head, and then nothing.
    Never,
}

/// An issuer's key set: what it answers, and how often it was asked.
#[derive(Clone, Default)]
struct Issuer {
    address: String,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<usize>>,
}

impl Issuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/tenant", listener.local_addr().unwrap());
        let issuer = Self { address, ..Self::default() };
        issuer.has(&[jwk(RSA, "rsa"), jwk(EC, "ec")]);
        let answering = issuer.clone();
        tokio::spawn(async move {
            let mut unanswered = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut first = String::new();
                stream.read_line(&mut first).await.unwrap();
                assert_eq!(first, "GET /tenant/.well-known/jwks.json HTTP/1.1\r\n");
                let mut line = String::new();
                while stream.read_line(&mut line).await.unwrap() > 2 {
                    line.clear();
                }
                *answering.asked.lock().unwrap() += 1;
                let answer = answering.answer.lock().unwrap().clone();
                let (status, length, body) = match answer {
                    Answer::Down => ("503 Down", 0, String::new()),
                    Answer::Body(body) => ("200 OK", body.len(), body),
                    Answer::Never => ("200 OK", 1, String::new()),
                };
                let head = "connection: close\r\ncontent-length";
                let reply = format!("HTTP/1.1 {status}\r\n{head}: {length}\r\n\r\n{body}");
                // A reader that has seen too much hangs up.
                stream.write_all(reply.as_bytes()).await.unwrap_or_default();
                if length > body.len() {
                    unanswered.push(stream);
                }
            }
        });
        issuer
    }

    fn has(&self, keys: &[Value]) {
        self.answers(Answer::Body(json!({ "keys": keys }).to_string()));
    }

    fn goes_down(&self) {
        self.answers(Answer::Down);
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }

    fn tokens(&self) -> Tokens {
        let config = TokenConfig {
            issuers: vec![(Tenant::Partner, self.address.parse().unwrap())],
            audience: AUDIENCE.to_owned(),
            default_organisation: Organisation::new(7),
        };
        Tokens::new(config).unwrap()
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.address, "aud": AUDIENCE, "azp": "shop", "exp": now().timestamp() + 3600,
            "permissions": ["recurring-payments:les", "other:les"],
        })
    }
}

fn now() -> DateTime<Utc> {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn key(der: &[u8]) -> (EncodingKey, Algorithm) {
    if der == RSA {
        (EncodingKey::from_rsa_der(der), Algorithm::RS256)
    } else {
        (EncodingKey::from_ec_der(der), Algorithm::ES256)
    }
}

fn jwk(der: &[u8], kid: &str) -> Value {
    let (key, algorithm) = key(der);
    let mut jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    serde_json::to_value(jwk).unwrap()
}

fn signed(der: &[u8], kid: &str, claims: &Value) -> String {
    let (key, algorithm) = key(der);
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) };
    format!("Bearer {}", jsonwebtoken::encode(&header, claims, &key).unwrap())
}

async fn asks(tokens: &Tokens, authorization: &str, at: DateTime<Utc>) -> Result<Caller, Nobody> {
    tokens.caller(authorization, at).await.unwrap()
}

/// Whether a function would let this token in now.
async fn is_good(tokens: &Tokens, authorization: &str) -> bool {
    asks(tokens, authorization, now()).await.is_ok_and(|caller| caller.valid_from <= Some(now()))
}

#[tokio::test]
async fn rs256_and_es256_are_good() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    for (der, kid) in [(RSA, "rsa"), (EC, "ec")] {
        let caller = asks(&tokens, &signed(der, kid, &issuer.claims()), now()).await.unwrap();
        assert_eq!((caller.tenant, caller.organisation), (Tenant::Partner, Organisation::new(7)));
        assert_eq!(
            (caller.client.as_str(), &caller.permissions[..]),
            ("shop", &[Permission::Read][..])
        );
    }
    assert_eq!(issuer.asked(), 1, "the keys are remembered");
}

#[tokio::test]
async fn nothing_else_is() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let claims = issuer.claims();
    let public = jwk(RSA, "rsa");
    let confused = |secret: &[u8]| {
        let header = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::HS256) };
        format!(
            "Bearer {}",
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
        )
    };
    let good = signed(RSA, "rsa", &claims);
    let (head, _) = good.rsplit_once('.').unwrap();
    let payload = head.split('.').nth(1).unwrap();
    let swapped = signed(EC, "rsa", &claims);
    let unsigned = format!("Bearer eyJhbGciOiJub25lIiwia2lkIjoicnNhIn0.{payload}.");
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        signed(RSA, "rsa", &claims)
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        signed(RSA, "rsa", &claims)
    };
    for token in [
        confused(public["n"].as_str().unwrap().as_bytes()),
        confused(RSA),
        confused(public.to_string().as_bytes()),
        unsigned,
        swapped,
        signed(EC, "nobody", &claims),
        format!("{head}."),
        format!("{good}x"),
        good.replace("Bearer", "Basic"),
        good.replace("Bearer ", ""),
        "Bearer ".to_owned(),
        String::new(),
        without("exp"),
        without("aud"),
        without("iss"),
        with("aud", json!("https://elsewhere.example")),
        with("iss", json!("https://elsewhere.example")),
        with("iss", json!(format!("{}/../tenant", issuer.address))),
        with("exp", json!(i64::MAX)),
        with("exp", json!("tomorrow")),
        with("permissions", json!("recurring-payments:les")),
    ] {
        assert!(asks(&tokens, &token, now()).await.is_err(), "{token}");
    }
    assert!(asks(&tokens, &good, now()).await.is_ok());
    assert!(
        asks(&tokens, &with("aud", json!(["https://a.example", AUDIENCE])), now()).await.is_ok()
    );
}

/// A caller with a token for another service learns which audience to ask for, whatever form `aud` has.
#[tokio::test]
async fn a_wrong_audience_is_answered_with_the_expected_one() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let other = "https://elsewhere.example";
    for audience in
        [json!(other), json!([other]), json!([]), json!(""), json!(7), json!({}), Value::Null]
    {
        let mut claims = issuer.claims();
        claims["aud"] = audience.clone();
        let refused = asks(&tokens, &signed(RSA, "rsa", &claims), now()).await.unwrap_err();
        let expected = r#"the token must be for the audience "https://api.entur.io""#;
        assert_eq!(refused.to_string(), expected, "{audience}");
    }
}

/// 60 seconds of leeway, to the second.
#[tokio::test]
async fn times_have_a_minute_of_leeway() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let timed = |exp: i64, nbf: i64| {
        let mut claims = issuer.claims();
        claims["exp"] = json!(now().timestamp() + exp);
        claims["nbf"] = json!(now().timestamp() + nbf);
        signed(EC, "ec", &claims)
    };
    for (exp, nbf, good) in
        [(1, 0, true), (-59, 0, true), (-60, 0, false), (3600, 60, true), (3600, 61, false)]
    {
        assert_eq!(is_good(&tokens, &timed(exp, nbf)).await, good, "{exp} {nbf}");
    }
    let early = asks(&tokens, &timed(3600, 65), now()).await.unwrap();
    assert_eq!(early.valid_from, Some(now() + TimeDelta::seconds(5)));
}

/// RFC 7519 §2: a `NumericDate` may have a fraction.
#[tokio::test]
async fn times_may_have_fractions() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let timed = |exp: &str, nbf: &str| {
        let mut claims = issuer.claims();
        claims["exp"] = serde_json::from_str(exp).unwrap();
        claims["nbf"] = serde_json::from_str(nbf).unwrap();
        signed(EC, "ec", &claims)
    };
    // It is 1795428000.
    for (exp, nbf, good) in [
        ("1795431600.5", "1795428000.5", true),
        ("1795431600.0", "1795428000.0", true),
        ("1.7954316e9", "0.5", true),
        ("1795431600", "1795428059.5", true),
        ("1795431600", "1795428060.5", false),
        ("1795427941.5", "1795427000", true),
        ("1795427940.5", "1795427000", false),
        ("1e300", "1795427000", false),
        ("1795431600", "1e300", false),
        ("\"1795431600.5\"", "1795427000", false),
        ("1795431600", "\"1795427000.5\"", false),
    ] {
        assert_eq!(is_good(&tokens, &timed(exp, nbf)).await, good, "{exp} {nbf}");
    }
}

/// RFC 7515 §4.1.11: a critical header parameter that is not understood, and none is.
#[tokio::test]
async fn critical_header_parameters_are_refused() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let with = |crit: Option<&Value>| {
        let mut header = json!({ "alg": "ES256", "kid": "ec", "x": true, "b64": true });
        if let Some(crit) = crit {
            header["crit"] = crit.clone();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&issuer.claims()));
        let (key, algorithm) = key(EC);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
        format!("Bearer {message}.{signature}")
    };
    for crit in [json!(["x"]), json!(["b64"]), json!(["exp", "x"]), json!([]), json!("x")] {
        assert!(asks(&tokens, &with(Some(&crit)), now()).await.is_err(), "{crit}");
    }
    assert!(asks(&tokens, &with(None), now()).await.is_ok());
}

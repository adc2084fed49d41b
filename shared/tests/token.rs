//! The verification of tokens: valid and invalid tokens, and issuers that rotate their keys or are down.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

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
use shared::token::{TokenVerifier, Unauthenticated};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

const AUDIENCE: &str = "https://api.entur.io";
/// Test keys without any other use.
const RSA: &[u8] = include_bytes!("keys/rsa.der");
const EC: &[u8] = include_bytes!("keys/ec.der");

/// The response of the key endpoint.
#[derive(Clone, Default)]
enum Answer {
    #[default]
    Down,
    Body(String),
    /// The head of a response without its body.
    Incomplete,
}

/// A token issuer with a configurable response of its key endpoint, which counts the requests.
#[derive(Clone, Default)]
struct Issuer {
    address: String,
    answer: Arc<Mutex<Answer>>,
    fetches: Arc<Mutex<usize>>,
}

impl Issuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/tenant", listener.local_addr().unwrap());
        let issuer = Self { address, ..Self::default() };
        issuer.publish(&[jwk(RSA, "rsa"), jwk(EC, "ec")]);
        let server = issuer.clone();
        tokio::spawn(async move {
            let mut open_streams = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut first = String::new();
                stream.read_line(&mut first).await.unwrap();
                assert_eq!(first, "GET /tenant/.well-known/jwks.json HTTP/1.1\r\n");
                let mut line = String::new();
                while stream.read_line(&mut line).await.unwrap() > 2 {
                    line.clear();
                }
                *server.fetches.lock().unwrap() += 1;
                let answer = server.answer.lock().unwrap().clone();
                let (status, length, body) = match answer {
                    Answer::Down => ("503 Down", 0, String::new()),
                    Answer::Body(body) => ("200 OK", body.len(), body),
                    Answer::Incomplete => ("200 OK", 1, String::new()),
                };
                let head = "connection: close\r\ncontent-length";
                let reply = format!("HTTP/1.1 {status}\r\n{head}: {length}\r\n\r\n{body}");
                // The client closes the connection when the response is too large.
                stream.write_all(reply.as_bytes()).await.unwrap_or_default();
                if length > body.len() {
                    open_streams.push(stream);
                }
            }
        });
        issuer
    }

    fn publish(&self, keys: &[Value]) {
        self.set_answer(Answer::Body(json!({ "keys": keys }).to_string()));
    }

    fn go_down(&self) {
        self.set_answer(Answer::Down);
    }

    fn set_answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn fetches(&self) -> usize {
        *self.fetches.lock().unwrap()
    }

    fn tokens(&self) -> TokenVerifier {
        let config = TokenConfig {
            issuers: vec![(Tenant::Partner, self.address.parse().unwrap())],
            audience: AUDIENCE.to_owned(),
            default_organisation: Organisation::new(7),
        };
        TokenVerifier::new(config).unwrap()
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

async fn verify(
    tokens: &TokenVerifier,
    authorization: &str,
    at: DateTime<Utc>,
) -> Result<Caller, Unauthenticated> {
    tokens.caller(authorization, at).await.unwrap()
}

/// Whether a function would accept this token now.
async fn is_accepted(tokens: &TokenVerifier, authorization: &str) -> bool {
    verify(tokens, authorization, now()).await.is_ok_and(|caller| caller.valid_from <= Some(now()))
}

#[tokio::test]
async fn tokens_signed_with_rs256_or_es256_are_accepted() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    for (der, kid) in [(RSA, "rsa"), (EC, "ec")] {
        let caller = verify(&tokens, &signed(der, kid, &issuer.claims()), now()).await.unwrap();
        assert_eq!((caller.tenant, caller.organisation), (Tenant::Partner, Organisation::new(7)));
        assert_eq!(
            (caller.client.as_str(), &caller.permissions[..]),
            ("shop", &[Permission::Read][..])
        );
    }
    assert_eq!(issuer.fetches(), 1, "the keys are cached");
}

#[tokio::test]
async fn all_other_tokens_are_refused() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let claims = issuer.claims();
    let public = jwk(RSA, "rsa");
    let signed_with_hs256 = |secret: &[u8]| {
        let header = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::HS256) };
        format!(
            "Bearer {}",
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
        )
    };
    let good = signed(RSA, "rsa", &claims);
    let (head, _) = good.rsplit_once('.').unwrap();
    let payload = head.split('.').nth(1).unwrap();
    let other_algorithm = signed(EC, "rsa", &claims);
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
        signed_with_hs256(public["n"].as_str().unwrap().as_bytes()),
        signed_with_hs256(RSA),
        signed_with_hs256(public.to_string().as_bytes()),
        unsigned,
        other_algorithm,
        signed(EC, "unknown", &claims),
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
        assert!(verify(&tokens, &token, now()).await.is_err(), "{token}");
    }
    assert!(verify(&tokens, &good, now()).await.is_ok());
    assert!(
        verify(&tokens, &with("aud", json!(["https://a.example", AUDIENCE])), now()).await.is_ok()
    );
}

/// The reason names the expected audience, whatever JSON type `aud` has.
#[tokio::test]
async fn the_refusal_of_a_wrong_audience_names_the_expected_audience() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let other = "https://elsewhere.example";
    for audience in
        [json!(other), json!([other]), json!([]), json!(""), json!(7), json!({}), Value::Null]
    {
        let mut claims = issuer.claims();
        claims["aud"] = audience.clone();
        let refused = verify(&tokens, &signed(RSA, "rsa", &claims), now()).await.unwrap_err();
        let expected = r#"the token must be for the audience "https://api.entur.io""#;
        assert_eq!(refused.to_string(), expected, "{audience}");
    }
}

/// The leeway is exactly 60 seconds.
#[tokio::test]
async fn token_times_have_a_leeway_of_one_minute() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let with_times = |exp: i64, nbf: i64| {
        let mut claims = issuer.claims();
        claims["exp"] = json!(now().timestamp() + exp);
        claims["nbf"] = json!(now().timestamp() + nbf);
        signed(EC, "ec", &claims)
    };
    for (exp, nbf, good) in
        [(1, 0, true), (-59, 0, true), (-60, 0, false), (3600, 60, true), (3600, 61, false)]
    {
        assert_eq!(is_accepted(&tokens, &with_times(exp, nbf)).await, good, "{exp} {nbf}");
    }
    let early = verify(&tokens, &with_times(3600, 65), now()).await.unwrap();
    assert_eq!(early.valid_from, Some(now() + TimeDelta::seconds(5)));
}

/// RFC 7519 §2: a `NumericDate` can have a fraction.
#[tokio::test]
async fn token_times_can_have_fractions() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let with_times = |exp: &str, nbf: &str| {
        let mut claims = issuer.claims();
        claims["exp"] = serde_json::from_str(exp).unwrap();
        claims["nbf"] = serde_json::from_str(nbf).unwrap();
        signed(EC, "ec", &claims)
    };
    // `now()` is 1795428000.
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
        assert_eq!(is_accepted(&tokens, &with_times(exp, nbf)).await, good, "{exp} {nbf}");
    }
}

/// RFC 7515 §4.1.11: a token with an unknown critical header parameter is not valid. The service knows none.
#[tokio::test]
async fn tokens_with_critical_header_parameters_are_refused() {
    let issuer = Issuer::start().await;
    let tokens = issuer.tokens();
    let with_crit = |crit: Option<&Value>| {
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
        assert!(verify(&tokens, &with_crit(Some(&crit)), now()).await.is_err(), "{crit}");
    }
    assert!(verify(&tokens, &with_crit(None), now()).await.is_ok());
}

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};

use super::*;
use crate::listeners::Listener;

struct TestIssuer {
    address: String,
    clock: Clock,
    http: reqwest::Client,
}

impl TestIssuer {
    async fn start() -> Self {
        let listener = Listener::open("the issuer", 0).await.unwrap();
        let (address, clock) = (listener.address().unwrap(), Clock::default());
        let router = Issuer::new(address.clone(), clock.clone()).unwrap().router();
        listener.serve(router);
        Self { address, clock, http: crate::http_client().unwrap() }
    }

    async fn request_token(&self, client: &str, more: &[(&str, &str)]) -> (u16, Value) {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", client),
        ];
        form.extend(more);
        let url = format!("{}/oauth/token", self.address);
        let answer = self.http.post(url).form(&form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Verifies the signature with the tenant's published keys, and returns the claims.
    async fn claims(&self, tenant: &str, answer: &Value) -> Value {
        let url = format!("{}/{tenant}/.well-known/jwks.json", self.address);
        let keys: JwkSet = self.http.get(url).send().await.unwrap().json().await.unwrap();
        let token = answer["access_token"].as_str().unwrap();
        let kid = decode_header(token).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        (validation.validate_aud, validation.validate_exp) = (false, false);
        decode::<Value>(token, &key, &validation).unwrap().claims
    }
}

#[tokio::test]
async fn a_token_identifies_the_caller() {
    let issuer = TestIssuer::start().await;
    issuer.clock.advance("P1Y").unwrap();
    let (status, answer) = issuer.request_token("partner-demo", &[]).await;
    assert_eq!(
        (status, &answer["token_type"], &answer["expires_in"]),
        (200, &json!("Bearer"), &json!(3600))
    );
    let claims = issuer.claims("partner", &answer).await;
    let issued_at = claims["iat"].as_i64().unwrap();
    assert!(
        (issuer.clock.now().as_second() - issued_at).abs() < 60,
        "the issuer uses the clock that was moved"
    );
    let expected = json!({
        "iss": format!("{}/partner", issuer.address),
        "sub": "partner-demo",
        "azp": "partner-demo",
        "aud": "https://api.entur.io",
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + 3600,
        "permissions": ALL_PERMISSIONS,
        "https://entur.io/organisationID": 1,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn a_token_from_the_container_host_has_that_host_as_its_issuer() {
    let issuer = TestIssuer::start().await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "partner-demo"),
        ("client_secret", "partner-demo"),
    ];
    for (host, expected) in [
        ("host.docker.internal:3003", "http://host.docker.internal:3003/partner".to_owned()),
        ("localhost:3003", format!("{}/partner", issuer.address)),
        ("host.docker.internal.example", format!("{}/partner", issuer.address)),
    ] {
        let request = issuer.http.post(format!("{}/oauth/token", issuer.address)).form(&form);
        let answer = request.header("host", host).send().await.unwrap().json().await.unwrap();
        assert_eq!(issuer.claims("partner", &answer).await["iss"], expected, "{host}");
    }
}

#[tokio::test]
async fn every_client_has_its_own_permissions() {
    let issuer = TestIssuer::start().await;
    for (client, tenant, organisation, permissions) in [
        ("partner-other", "partner", json!(2), ALL_PERMISSIONS.as_slice()),
        ("partner-readonly", "partner", json!(1), &READ_PERMISSIONS),
        ("internal-demo", "internal", Value::Null, &INTERNAL_PERMISSIONS),
        ("traveller-demo", "traveller", Value::Null, &ALL_PERMISSIONS),
    ] {
        let (_, answer) = issuer.request_token(client, &[("customer_number", "4711")]).await;
        let claims = issuer.claims(tenant, &answer).await;
        assert_eq!(claims["https://entur.io/organisationID"], organisation, "{client}");
        assert_eq!(claims["permissions"], json!(permissions), "{client}");
        let customer = if tenant == "traveller" { json!("4711") } else { Value::Null };
        assert_eq!(claims["https://entur.io/customerNumber"], customer, "{client}");
    }
}

#[tokio::test]
async fn audience_and_validity_can_be_requested() {
    let issuer = TestIssuer::start().await;
    let members =
        [("audience", "https://other.example"), ("expires_in", "-60"), ("not_before", "7")];
    let (_, answer) = issuer.request_token("partner-demo", &members).await;
    let claims = issuer.claims("partner", &answer).await;
    assert_eq!(claims["aud"], "https://other.example");
    assert_eq!(claims["nbf"], 7);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), -60);
    let json = json!({ "grant_type": "client_credentials", "client_id": "partner-demo",
        "client_secret": "partner-demo", "expires_in": 5 });
    let url = format!("{}/oauth/token", issuer.address);
    let answer = issuer.http.post(url).json(&json).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.json::<Value>().await.unwrap()["expires_in"], 5);
}

#[tokio::test]
async fn errors_are_those_of_rfc_6749() {
    let issuer = TestIssuer::start().await;
    for (client, more, status, error) in [
        ("partner-demo", ("client_secret", "wrong"), 401, "invalid_client"),
        ("unknown", ("audience", "x"), 401, "invalid_client"),
        ("partner-demo", ("grant_type", "password"), 400, "unsupported_grant_type"),
        ("partner-demo", ("expires_in", "soon"), 400, "invalid_request"),
        ("traveller-demo", ("audience", "x"), 400, "invalid_request"),
    ] {
        let (actual, body) = issuer.request_token(client, &[more]).await;
        assert_eq!((actual, body["error"].as_str()), (status, Some(error)), "{client}");
        assert!(body["error_description"].is_string());
    }
    let url = format!("{}/unknown/.well-known/jwks.json", issuer.address);
    assert_eq!(issuer.http.get(url).send().await.unwrap().status(), 404);
}

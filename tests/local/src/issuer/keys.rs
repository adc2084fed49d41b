//! The issuer's keys: the signing key, the published keys, and the response of the key addresses.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey};
use p256::SecretKey;
use p256::elliptic_curve::rand_core::OsRng;
use p256::pkcs8::EncodePrivateKey;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Error;

/// A key that signs tokens.
pub(super) struct SigningKey {
    pub(super) kid: String,
    pub(super) key: EncodingKey,
    public: Value,
}

impl SigningKey {
    fn new() -> Result<Self, Error> {
        let key = SecretKey::random(&mut OsRng)
            .to_pkcs8_der()
            .map_err(|error| Error::Cryptography(error.to_string()))?;
        let key = EncodingKey::from_ec_der(key.as_bytes());
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256)
            .map_err(|error| Error::Cryptography(error.to_string()))?;
        let kid = Uuid::new_v4().to_string();
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        jwk.common.key_algorithm = Some(KeyAlgorithm::ES256);
        Ok(Self { kid, key, public: json!(jwk) })
    }
}

/// The keys of an issuer.
pub(super) struct Keys(Mutex<State>);

struct State {
    signing: Arc<SigningKey>,
    published: Vec<Value>,
    /// The response that replaces the published keys, if it is set.
    response_override: Option<(StatusCode, String)>,
}

impl Keys {
    /// One signing key, which is published.
    pub(super) fn new() -> Result<Self, Error> {
        let signing = Arc::new(SigningKey::new()?);
        let published = vec![signing.public.clone()];
        Ok(Self(Mutex::new(State { signing, published, response_override: None })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn signing(&self) -> Arc<SigningKey> {
        self.state().signing.clone()
    }

    /// Replaces the signing key by a new one, which is not published yet.
    pub(super) fn rotate(&self) -> Result<(), Error> {
        self.state().signing = Arc::new(SigningKey::new()?);
        Ok(())
    }

    /// Publishes the signing key.
    pub(super) fn publish(&self) {
        let state = &mut *self.state();
        state.published.push(state.signing.public.clone());
    }

    pub(super) fn published(&self) -> Vec<Value> {
        self.state().published.clone()
    }

    pub(super) fn set_response(&self, response: Option<(StatusCode, String)>) {
        self.state().response_override = response;
    }

    /// The response of the key addresses.
    pub(super) fn response(&self) -> Response {
        let state = self.state();
        match &state.response_override {
            Some((status, body)) => (*status, body.clone()).into_response(),
            None => Json(json!({ "keys": state.published })).into_response(),
        }
    }
}

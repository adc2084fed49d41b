//! Fetches and caches the keys of a token issuer: its JWK Set (RFC 7517).

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use crate::error::{Cause, Error, chain};
use crate::invocation;
use crate::outbound;

/// The age at which cached keys are refreshed.
const REFRESH_AFTER: TimeDelta = TimeDelta::minutes(5);
/// The maximum age of cached keys, while the issuer does not answer.
const MAX_AGE: TimeDelta = TimeDelta::hours(10);
/// The time until a failed refresh is retried.
const RETRY_AFTER: TimeDelta = TimeDelta::seconds(30);
/// The minimum time between two fetches that are caused by an unknown key id. The id can be that of a new key, but anyone can
/// also invent one.
///
/// API Gateway caches the refusal of a token for 25 seconds (`ReauthorizeEvery` in template.yaml). So a token is accepted less than
/// 25 + 5 seconds after its key was published: a token is only refused with keys that are less than 5 seconds old, and keys that
/// are fetched later include the new key.
const UNKNOWN_KEY_INTERVAL: TimeDelta = TimeDelta::seconds(5);
/// The maximum size of a key set, in bytes.
const MAX_SET_BYTES: usize = 1024 * 1024;

/// The keys of one issuer.
pub(super) struct Keys {
    address: Url,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    set: Option<KeySet>,
    fetch_attempted_at: Option<DateTime<Utc>>,
}

/// The readable keys of a fetched set.
struct KeySet {
    keys: Vec<Key>,
    fetched_at: DateTime<Utc>,
}

struct Key {
    id: String,
    /// The only algorithm that the key may be used with, if the issuer names one.
    algorithm: Option<String>,
    decoder: DecodingKey,
}

/// A JWK Set. Its keys are parsed one by one, so that one unreadable key does not affect the others.
#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

impl Keys {
    /// The keys of the issuer at this address.
    pub(super) fn for_issuer(issuer: &Url) -> Self {
        let mut address = issuer.clone();
        let path = format!("{}/.well-known/jwks.json", issuer.path().trim_end_matches('/'));
        address.set_path(&path);
        Self { address, state: Mutex::default() }
    }

    /// The key with this id, if the issuer has one for this algorithm.
    ///
    /// # Errors
    /// Fails with `Unavailable` if the keys cannot be fetched and there are no cached keys that are less than 10 hours old.
    pub(super) async fn find(
        &self,
        http: &Client,
        id: &str,
        algorithm: Algorithm,
        now: DateTime<Utc>,
    ) -> Result<Option<DecodingKey>, Error> {
        let mut state = self.state.lock().await;
        let mut cause = Cause::from("the cached keys are too old");
        if state.is_stale(id, now) {
            state.fetch_attempted_at = Some(now);
            match self.fetch(http).await {
                Ok(keys) => state.set = Some(KeySet { keys, fetched_at: now }),
                Err(error) => {
                    self.report(&error);
                    cause = error;
                }
            }
        }
        let Some(set) = state.set.as_ref().filter(|set| now < set.fetched_at + MAX_AGE) else {
            return Err(Error::Unavailable { what: "the token issuer", cause });
        };
        Ok(set.find(id).filter(|key| key.is_for(algorithm)).map(|key| key.decoder.clone()))
    }

    async fn fetch(&self, http: &Client) -> Result<Vec<Key>, Cause> {
        let request = http.get(self.address.clone());
        let response = request.send().await.map_err(reqwest::Error::without_url)?;
        if !response.status().is_success() {
            return Err(format!("HTTP status {}", response.status()).into());
        }
        self.read(&outbound::body(response, MAX_SET_BYTES).await?)
    }

    /// Parses a JWK Set. Unreadable keys are left out, as RFC 7517 §5 recommends. Errors quote nothing of the reply, because the
    /// issuer controls its content.
    fn read(&self, body: &[u8]) -> Result<Vec<Key>, Cause> {
        let JwkSet { keys: published } = serde_json::from_slice(body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("the reply is not a JWK Set: line {line}, column {column}")
        })?;
        let count = published.len();
        let mut keys = Vec::with_capacity(count);
        for (position, value) in published.into_iter().enumerate() {
            match Key::read(value) {
                Ok(key) => keys.push(key),
                Err(reason) => {
                    let issuer = self.address.as_str();
                    tracing::warn!(issuer, position, reason, "a token issuer's key is left out");
                }
            }
        }
        if keys.is_empty() && count > 0 {
            return Err(format!("none of the {count} keys in the reply can be read").into());
        }
        Ok(keys)
    }

    /// Logs and counts a failed refresh, so that there is an alarm before the cached keys are too old.
    fn report(&self, cause: &Cause) {
        let (issuer, error) = (self.address.as_str(), chain(cause.as_ref()));
        tracing::warn!(issuer, error, "a token issuer's keys could not be refreshed");
        invocation::record(|invocation| invocation.key_refreshes_failed += 1);
    }
}

impl State {
    fn is_stale(&self, id: &str, now: DateTime<Utc>) -> bool {
        let attempted_within = |time| {
            self.fetch_attempted_at
                .is_some_and(|fetch_attempted_at| now < fetch_attempted_at + time)
        };
        match &self.set {
            None => true,
            Some(set) if set.find(id).is_none() => !attempted_within(UNKNOWN_KEY_INTERVAL),
            Some(set) => set.fetched_at + REFRESH_AFTER <= now && !attempted_within(RETRY_AFTER),
        }
    }
}

impl KeySet {
    fn find(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl Key {
    /// Parses a key.
    ///
    /// # Errors
    /// The reason why the key cannot be used. It quotes nothing of the key.
    fn read(value: Value) -> Result<Self, &'static str> {
        let jwk: Jwk = serde_json::from_value(value).map_err(|_| "it is not a JWK")?;
        let decoder =
            DecodingKey::from_jwk(&jwk).map_err(|_| "its kind or its numbers are unknown")?;
        let id = jwk.common.key_id.ok_or("it has no key id")?;
        let algorithm = jwk.common.key_algorithm.map(|algorithm| algorithm.to_string());
        Ok(Self { id, algorithm, decoder })
    }

    fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithm.as_ref().is_none_or(|stated| *stated == format!("{algorithm:?}"))
    }
}

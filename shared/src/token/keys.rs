//! The keys of a token issuer: its JWK Set (RFC 7517), fetched, kept, and fetched again.

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

/// How long fetched keys are used without asking.
const FRESH: TimeDelta = TimeDelta::minutes(5);
/// How long fetched keys are used when the issuer does not answer.
const TOLERATED: TimeDelta = TimeDelta::hours(10);
/// How long until a refresh that failed is tried again.
const RETRY: TimeDelta = TimeDelta::seconds(30);
/// How often an unknown key id makes us ask, at most: an issuer may have a new key, and anyone can make up an id.
///
/// API Gateway caches the refusal of a token for 25 seconds (`ReauthorizeEvery` in template.yaml). So a token is accepted less than
/// 25 + 5 seconds after its key was published: keys that were fetched before it are 5 seconds old at most when the token is
/// refused, and keys that are fetched after it have the key.
const UNKNOWN: TimeDelta = TimeDelta::seconds(5);
/// How large a key set may be, in bytes.
const LARGEST_SET: usize = 1024 * 1024;

/// The keys of one issuer.
pub(super) struct Keys {
    address: Url,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    set: Option<Set>,
    asked_at: Option<DateTime<Utc>>,
}

/// The keys of a set that could be read.
struct Set {
    keys: Vec<Key>,
    fetched_at: DateTime<Utc>,
}

struct Key {
    id: String,
    /// The only algorithm that the key is for, where the issuer says so.
    algorithm: Option<String>,
    decoding: DecodingKey,
}

/// A JWK Set, whose keys are read one by one.
#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

impl Keys {
    /// Those of the issuer at this address.
    pub(super) fn of(issuer: &Url) -> Self {
        let mut address = issuer.clone();
        let path = format!("{}/.well-known/jwks.json", issuer.path().trim_end_matches('/'));
        address.set_path(&path);
        Self { address, state: Mutex::default() }
    }

    /// The key of an id, if the issuer has it for this algorithm.
    ///
    /// # Errors
    /// `Unavailable` when the keys cannot be fetched, and none are known that are less than 10 hours old.
    pub(super) async fn find(
        &self,
        http: &Client,
        id: &str,
        algorithm: Algorithm,
        now: DateTime<Utc>,
    ) -> Result<Option<DecodingKey>, Error> {
        let mut state = self.state.lock().await;
        let mut cause = Cause::from("its keys are too old");
        if state.is_stale(id, now) {
            state.asked_at = Some(now);
            match self.fetch(http).await {
                Ok(keys) => state.set = Some(Set { keys, fetched_at: now }),
                Err(failure) => {
                    self.report(&failure);
                    cause = failure;
                }
            }
        }
        let Some(set) = state.set.as_ref().filter(|set| now < set.fetched_at + TOLERATED) else {
            return Err(Error::Unavailable { what: "the token issuer", cause });
        };
        Ok(set.find(id).filter(|key| key.is_for(algorithm)).map(|key| key.decoding.clone()))
    }

    async fn fetch(&self, http: &Client) -> Result<Vec<Key>, Cause> {
        let request = http.get(self.address.clone());
        let response = request.send().await.map_err(reqwest::Error::without_url)?;
        if !response.status().is_success() {
            return Err(format!("HTTP status {}", response.status()).into());
        }
        self.read(&outbound::body(response, LARGEST_SET).await?)
    }

    /// The keys of a set that can be read. The others are left out, as RFC 7517 §5 wants it of keys that are not understood.
    /// Nothing of the reply is quoted: the issuer decides what is in it.
    fn read(&self, body: &[u8]) -> Result<Vec<Key>, Cause> {
        let Published { keys: published } = serde_json::from_slice(body).map_err(|error| {
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

    /// A refresh that failed: a warning and a metric, long before the known keys are too old.
    fn report(&self, cause: &Cause) {
        let (issuer, error) = (self.address.as_str(), chain(cause.as_ref()));
        tracing::warn!(issuer, error, "a token issuer's keys could not be refreshed");
        invocation::note(|at_hand| at_hand.key_refreshes_failed += 1);
    }
}

impl State {
    fn is_stale(&self, id: &str, now: DateTime<Utc>) -> bool {
        let asked_within = |time| self.asked_at.is_some_and(|asked_at| now < asked_at + time);
        match &self.set {
            None => true,
            Some(set) if set.find(id).is_none() => !asked_within(UNKNOWN),
            Some(set) => set.fetched_at + FRESH <= now && !asked_within(RETRY),
        }
    }
}

impl Set {
    fn find(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl Key {
    /// # Errors
    /// Why it cannot be used, without anything of its text.
    fn read(value: Value) -> Result<Self, &'static str> {
        let jwk: Jwk = serde_json::from_value(value).map_err(|_| "it is not a JWK")?;
        let decoding =
            DecodingKey::from_jwk(&jwk).map_err(|_| "its kind or its numbers are unknown")?;
        let id = jwk.common.key_id.ok_or("it has no key id")?;
        let algorithm = jwk.common.key_algorithm.map(|algorithm| algorithm.to_string());
        Ok(Self { id, algorithm, decoding })
    }

    fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithm.as_ref().is_none_or(|stated| *stated == format!("{algorithm:?}"))
    }
}

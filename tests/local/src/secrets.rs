//! Secrets Manager: `GetSecretValue` of the secrets that the template declares, each named by its logical id.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::dynamodb::caller;
use crate::iam::Policies;

/// What a function may do to read a secret.
const READ: &str = "secretsmanager:GetSecretValue";

/// The secrets. Clones are the same.
#[derive(Clone)]
pub struct Secrets {
    inner: Arc<Inner>,
}

struct Inner {
    policies: Policies,
    values: Mutex<BTreeMap<String, String>>,
    reads: Mutex<Vec<Read>>,
}

/// A secret was asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Read {
    /// Which function did: its access key is its name.
    pub function: String,
    /// The secret's logical id.
    pub secret: String,
}

impl Secrets {
    /// These values, for those whom the template lets read them.
    #[must_use]
    pub fn new(values: BTreeMap<String, String>, policies: Policies) -> Self {
        let (values, reads) = (Mutex::new(values), Mutex::default());
        Self { inner: Arc::new(Inner { policies, values, reads }) }
    }

    /// Another value: whoever reads it from now on gets that.
    pub fn rotate(&self, secret: &str, value: &str) {
        lock(&self.inner.values).insert(secret.to_owned(), value.to_owned());
    }

    /// Who read what, in order.
    #[must_use]
    pub fn reads(&self) -> Vec<Read> {
        lock(&self.inner.reads).clone()
    }

    pub(crate) fn router(self) -> Router {
        Router::new().fallback(answer).with_state(self)
    }

    fn get(&self, function: String, secret: String) -> Result<Value, (&'static str, String)> {
        if !self.inner.policies.allows(&function, READ, &secret) {
            let message = format!("{function} is not authorized to perform {READ} on {secret}");
            return Err(("AccessDeniedException", message));
        }
        let value = lock(&self.inner.values).get(&secret).cloned();
        let missing = "Secrets Manager can't find the specified secret.".to_owned();
        let value = value.ok_or(("ResourceNotFoundException", missing))?;
        let answer = json!({
            "ARN": secret,
            "Name": secret,
            "SecretString": value,
            "VersionStages": ["AWSCURRENT"],
        });
        lock(&self.inner.reads).push(Read { function, secret });
        Ok(answer)
    }
}

async fn answer(
    State(secrets): State<Secrets>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let found = match (target, asked["SecretId"].as_str()) {
        (Some("secretsmanager.GetSecretValue"), Some(secret)) => {
            secrets.get(caller(&uri, &headers), secret.to_owned())
        }
        _ => Err(("InvalidRequestException", "only GetSecretValue is played here".to_owned())),
    };
    let json = [(CONTENT_TYPE, "application/x-amz-json-1.1")];
    match found {
        Ok(answer) => (json, Json(answer)).into_response(),
        Err((kind, message)) => {
            let body = json!({ "__type": kind, "message": message });
            (StatusCode::BAD_REQUEST, json, Json(body)).into_response()
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

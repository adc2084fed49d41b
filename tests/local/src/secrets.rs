//! Secrets Manager: `GetSecretValue` for the secrets that the template declares, by their logical ids.

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

/// The action that reads a secret.
const GET_SECRET_VALUE: &str = "secretsmanager:GetSecretValue";

/// The secrets. Clones share their state.
#[derive(Clone)]
pub struct Secrets {
    inner: Arc<Inner>,
}

struct Inner {
    policies: Policies,
    values: Mutex<BTreeMap<String, String>>,
    reads: Mutex<Vec<Read>>,
}

/// A function read a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Read {
    /// The function. Its access key is its name.
    pub function: String,
    /// The secret's logical id.
    pub secret: String,
}

impl Secrets {
    /// Secrets with these values by logical id. `policies` define which function may read which secret.
    #[must_use]
    pub fn new(values: BTreeMap<String, String>, policies: Policies) -> Self {
        let (values, reads) = (Mutex::new(values), Mutex::default());
        Self { inner: Arc::new(Inner { policies, values, reads }) }
    }

    /// Sets a new value, which all later reads return.
    pub fn rotate(&self, secret: &str, value: &str) {
        lock(&self.inner.values).insert(secret.to_owned(), value.to_owned());
    }

    /// All reads, in order.
    #[must_use]
    pub fn reads(&self) -> Vec<Read> {
        lock(&self.inner.reads).clone()
    }

    pub(crate) fn router(self) -> Router {
        Router::new().fallback(get_secret_value).with_state(self)
    }

    fn get(&self, function: String, secret: String) -> Result<Value, (&'static str, String)> {
        if !self.inner.policies.allows(&function, GET_SECRET_VALUE, &secret) {
            let message =
                format!("{function} is not authorized to perform {GET_SECRET_VALUE} on {secret}");
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

async fn get_secret_value(
    State(secrets): State<Secrets>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let result = match (target, request["SecretId"].as_str()) {
        (Some("secretsmanager.GetSecretValue"), Some(secret)) => {
            secrets.get(caller(&uri, &headers), secret.to_owned())
        }
        _ => Err(("InvalidRequestException", "only GetSecretValue is supported".to_owned())),
    };
    let json = [(CONTENT_TYPE, "application/x-amz-json-1.1")];
    match result {
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

//! The client of the API: tokens, headers, errors. Each call is recorded for the page.

use axum::http::{Method, StatusCode};
use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};
use uuid::Uuid;

use super::calls::{Call, CallLog, curl, indented};
use crate::{Addresses, http_client, issuer};

/// The shop's client at the token issuer. The secret is equal to the id.
const CLIENT: &str = "partner-demo";
/// The shop's `ET-Client-Name`.
const CLIENT_NAME: &str = "demo-shop";
/// The answer's headers that the page shows.
const SHOWN_HEADERS: [&str; 4] = ["content-type", "location", "retry-after", "x-correlation-id"];

/// The API, as the shop's back end uses it.
pub(super) struct Api {
    base: String,
    issuer: String,
    http: OnceCell<reqwest::Client>,
    /// A token is valid for an hour of the local clock. The API answers 401 when it has expired.
    token: Mutex<Option<String>>,
}

/// A request to the API.
pub(super) struct Request {
    method: Method,
    /// Path and query.
    path: String,
    body: Option<Value>,
    idempotency_key: Option<String>,
}

impl Request {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None, idempotency_key: None }
    }

    pub(super) fn with_body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(super) fn with_idempotency_key(self, key: &str) -> Self {
        Self { idempotency_key: Some(key.to_owned()), ..self }
    }

    /// All headers except `Authorization`.
    fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("ET-Client-Name", CLIENT_NAME.to_owned()),
            ("X-Correlation-Id", Uuid::new_v4().to_string()),
        ];
        headers.extend(self.idempotency_key.clone().map(|key| ("Idempotency-Key", key)));
        if self.body.is_some() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        headers
    }
}

/// An answer that is not a success, or no answer at all.
#[derive(Debug, Default)]
pub(super) struct Failure {
    /// The last part of the problem type, such as `declined`. Empty if the answer is not a problem.
    pub(super) slug: String,
    /// The problem's sentence for people.
    pub(super) detail: String,
    /// Whether the same request can be repeated, because the outcome is not known or because the API is busy.
    pub(super) can_retry: bool,
    /// The value of `Retry-After`, in seconds.
    pub(super) retry_after: Option<u64>,
}

impl Failure {
    /// A failure that the shop itself finds. It has no sentence of the API.
    pub(super) fn of_shop(slug: &str) -> Self {
        Self { slug: slug.to_owned(), ..Self::default() }
    }
}

/// The members of a problem that the shop reads. `message` is also in the gateway's own errors.
#[derive(Deserialize, Default)]
struct Problem {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    message: String,
}

struct Answer {
    /// Absent when there was no answer.
    status: Option<StatusCode>,
    headers: HeaderMap,
    text: String,
}

impl Api {
    pub(super) fn new(addresses: &Addresses) -> Self {
        Self {
            base: addresses.api.clone(),
            issuer: addresses.issuer.clone(),
            http: OnceCell::new(),
            token: Mutex::new(None),
        }
    }

    /// Sends a request and reads the answer. If the token has expired, it is sent once more with a new one.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        calls: &CallLog,
        request: Request,
    ) -> Result<T, Failure> {
        let token = self.token(calls).await?;
        let answer = self.send(calls, &request, &token).await?;
        if answer.status != Some(StatusCode::UNAUTHORIZED) {
            return answer.read();
        }
        self.forget(&token).await;
        let token = self.token(calls).await?;
        self.send(calls, &request, &token).await?.read()
    }

    async fn send(
        &self,
        calls: &CallLog,
        request: &Request,
        token: &str,
    ) -> Result<Answer, Failure> {
        let url = format!("{}{}", self.base, request.path);
        let (headers, body) = (request.headers(), request.body.as_ref().map(Value::to_string));
        let http = self.http().await?;
        let mut builder = http.request(request.method.clone(), &url).bearer_auth(token);
        for (name, value) in &headers {
            builder = builder.header(*name, value);
        }
        if let Some(body) = &body {
            builder = builder.body(body.clone());
        }
        let answer = Answer::receive(builder).await;
        calls.add(Call {
            title: format!("{} {}", request.method, request.path),
            status: answer.status.map(|status| status.as_u16()),
            curl: curl(request.method.as_str(), &url, &headers, body.as_deref()),
            answer: answer.show(),
        });
        Ok(answer)
    }

    /// Returns the token. Gets a new one from the issuer if there is none.
    async fn token(&self, calls: &CallLog) -> Result<String, Failure> {
        #[derive(Deserialize)]
        struct TokenAnswer {
            access_token: String,
        }
        let mut token = self.token.lock().await;
        if let Some(token) = &*token {
            return Ok(token.clone());
        }
        let url = format!("{}/oauth/token", self.issuer);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT),
            ("client_secret", CLIENT),
            ("audience", issuer::AUDIENCE),
        ];
        let mut answer = Answer::receive(self.http().await?.post(&url).form(&form)).await;
        let read: Result<TokenAnswer, Failure> = answer.read();
        if let Ok(read) = &read {
            answer.text = answer.text.replace(&read.access_token, "$TOKEN");
        }
        let fields = form.map(|(name, value)| format!(" \\\n  -d {name}={value}")).concat();
        calls.add(Call {
            title: "POST /oauth/token".to_owned(),
            status: answer.status.map(|status| status.as_u16()),
            curl: format!(
                "TOKEN=$(curl -s {url}{fields} \\\n  | sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')"
            ),
            answer: answer.show(),
        });
        Ok(token.insert(read?.access_token).clone())
    }

    async fn forget(&self, expired: &str) {
        self.token.lock().await.take_if(|token| token == expired);
    }

    async fn http(&self) -> Result<&reqwest::Client, Failure> {
        let client = self.http.get_or_try_init(async || http_client()).await;
        client.map_err(|error| Failure { detail: error.to_string(), ..Failure::default() })
    }
}

impl Answer {
    async fn receive(request: RequestBuilder) -> Self {
        let received = async {
            let response = request.send().await?;
            let (status, headers) = (Some(response.status()), response.headers().clone());
            Ok(Self { status, headers, text: response.text().await? })
        };
        received.await.unwrap_or_else(|error: reqwest::Error| Self {
            status: None,
            headers: HeaderMap::new(),
            text: error.without_url().to_string(),
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The answer as a text: status line, headers, body.
    fn show(&self) -> String {
        let Some(status) = self.status else { return self.text.clone() };
        let headers = SHOWN_HEADERS
            .iter()
            .filter_map(|name| Some(format!("{name}: {}\n", self.header(name)?)));
        format!("HTTP/1.1 {status}\n{}\n{}", headers.collect::<String>(), indented(&self.text))
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if self.status.is_some_and(|status| status.is_success())
            && let Ok(read) = serde_json::from_str(&self.text)
        {
            return Ok(read);
        }
        let problem: Problem = serde_json::from_str(&self.text).unwrap_or_default();
        let slug = problem.r#type.rsplit(':').next().unwrap_or_default().to_owned();
        let detail = if problem.detail.is_empty() { problem.message } else { problem.detail };
        let is_unclear = self.status.is_none_or(|status| status.is_server_error());
        Err(Failure {
            can_retry: is_unclear || slug == "busy",
            slug,
            detail,
            retry_after: self.header("retry-after").and_then(|value| value.parse().ok()),
        })
    }
}

//! What really keeps the tables: dynoxide in this process, or whatever [`VARIABLE`] names.

use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use dynoxide::Database;
use dynoxide::server::serve_with_shutdown;
use serde_json::Value;

use super::names::Names;
use super::short;
use super::signature::Signer;
use crate::Error;

/// The variable with the address of another engine. No function reads it: they know the door's address alone.
pub const VARIABLE: &str = "DYNAMODB_ENGINE";

pub(super) const CONTENT_TYPE: &str = "content-type";
pub(super) const JSON: &str = "application/x-amz-json-1.0";
pub(super) const TARGET: &str = "x-amz-target";
const AUTHORIZATION: &str = "authorization";
const VERSION: &str = "DynamoDB_20120810";
/// One caller for all: some engines keep each caller's tables apart.
const NOBODY: &str = "AWS4-HMAC-SHA256 Credential=local/20261123/eu-north-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";

pub(super) type Headers = Vec<(String, String)>;

/// Which engine it is, and so what can be said of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// dynoxide, in this process.
    Dynoxide,
    /// A real account.
    Amazon,
    /// Another one on this machine: dynalite, moto, `DynamoDB` Local.
    Other,
}

impl Engine {
    /// What [`super::Request::capacity`] says of a request that costs so many units. Others than Amazon's and dynoxide count
    /// in ways of their own, which tell nothing of what we pay: dynalite bills no index entry, moto bills every request that
    /// same half a unit or one, whatever is read or written. So there it is nothing.
    #[must_use]
    pub fn units(self, units: f64) -> Option<f64> {
        (self != Self::Other).then_some(units)
    }

    /// How many a test takes that wants so many wallets. dynoxide is in this process; others have a tenth, which shows the
    /// same: a thousand requests at once are more than moto answers in the four seconds that a function waits.
    #[must_use]
    pub fn many(self, count: u64) -> u64 {
        if self == Self::Dynoxide { count } else { count / 10 }
    }
}

/// An engine, and the way to it.
pub(super) struct Reach {
    pub(super) engine: Engine,
    /// dynoxide itself, when it is that.
    pub(super) database: Option<Database>,
    pub(super) address: String,
    pub(super) http: reqwest::Client,
    pub(super) names: Option<Names>,
    pub(super) signer: Option<Signer>,
    /// The tables that have to go again.
    pub(super) created: Mutex<Vec<String>>,
}

/// What an engine answers.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reach {
    /// The engine that the environment names, unless the tables are kept in a folder; otherwise our own.
    pub(super) async fn start(data: Option<&Path>) -> Result<Self, Error> {
        match std::env::var(VARIABLE) {
            Ok(address) if data.is_none() && !address.is_empty() => Self::outside(&address),
            _ => Self::within(data).await,
        }
    }

    pub(super) fn outside(address: &str) -> Result<Self, Error> {
        let secure = address.starts_with("https://");
        let (engine, signer) = if secure {
            (Engine::Amazon, Some(Signer::from_environment()?))
        } else {
            (Engine::Other, None)
        };
        let address = format!("{}/", address.trim_end_matches('/'));
        let (http, names) = (crate::http_client()?, Some(Names::new()));
        let (database, created) = (None, Mutex::default());
        Ok(Self { engine, database, address, http, names, signer, created })
    }

    async fn within(data: Option<&Path>) -> Result<Self, Error> {
        let database = match data {
            None => Database::memory(),
            Some(folder) => {
                std::fs::create_dir_all(folder)
                    .map_err(|error| Error::Data(format!("{}: {error}", folder.display())))?;
                Database::new(&folder.join("dynamodb.sqlite").to_string_lossy())
            }
        };
        let database = database.map_err(|error| Error::Data(error.to_string()))?;
        let listener = crate::listen("DynamoDB's engine", 0).await?;
        let (address, http) = (crate::address(&listener)?, crate::http_client()?);
        tokio::spawn(serve_with_shutdown(listener, database.clone(), std::future::pending()));
        let (engine, database) = (Engine::Dynoxide, Some(database));
        let (names, signer, created) = (None, None, Mutex::default());
        Ok(Self { engine, database, address, http, names, signer, created })
    }

    /// Asks for an operation, as it stands in the header `x-amz-target`.
    pub(super) async fn ask(&self, target: &str, body: Bytes) -> Result<Answer, Error> {
        let short = self.database.as_ref().and_then(|own| short::ask(own, target, &body));
        if let Some(answer) = short {
            return Ok(answer);
        }
        let body = match &self.names {
            Some(names) => names.request(&body),
            None => body,
        };
        let answer = self.send(target, body).await?;
        let Some(names) = &self.names else { return Ok(answer) };
        let Answer { status, mut headers, body } = answer;
        for changed in ["content-length", "x-amz-crc32"] {
            headers.remove(changed);
        }
        Ok(Answer { status, headers, body: names.answer(body) })
    }

    async fn send(&self, target: &str, body: Bytes) -> Result<Answer, Error> {
        let mut request = self.http.post(&self.address);
        if let Some(signer) = &self.signer {
            let signed = signer.sign(&self.address, target, &body, SystemTime::now())?;
            request = signed
                .into_iter()
                .fold(request, |request, (name, value)| request.header(name, value));
        } else {
            let headers = [
                (CONTENT_TYPE, JSON),
                (TARGET, target),
                ("x-amz-date", "20261123T000000Z"),
                (AUTHORIZATION, NOBODY),
            ];
            request = headers
                .into_iter()
                .fold(request, |request, (name, value)| request.header(name, value));
        }
        let failed = |error: reqwest::Error| Error::Data(error.to_string());
        let answer = request.body(body).send().await.map_err(failed)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok(Answer { status, headers, body: answer.bytes().await.map_err(failed)? })
    }

    /// Asks for an operation by its name.
    pub(super) async fn call(&self, operation: &str, body: &Value) -> Result<Value, Error> {
        let answer = self.ask(&format!("{VERSION}.{operation}"), body.to_string().into()).await?;
        if !answer.status.is_success() {
            return Err(Error::Data(String::from_utf8_lossy(&answer.body).into_owned()));
        }
        serde_json::from_slice(&answer.body).map_err(|error| Error::Data(error.to_string()))
    }
}

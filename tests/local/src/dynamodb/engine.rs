//! The engine that stores the tables: dynoxide in this process, or the engine that [`ENGINE_VARIABLE`] names.

use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use dynoxide::Database;
use dynoxide::server::serve_with_shutdown;
use serde_json::Value;

use super::direct;
use super::names::TableNames;
use super::signature::Signer;
use crate::Error;
use crate::listeners::Listener;

/// The environment variable with the address of another engine. Functions do not get it: they call the proxy.
pub const ENGINE_VARIABLE: &str = "DYNAMODB_ENGINE";

pub(super) const CONTENT_TYPE: &str = "content-type";
pub(super) const JSON: &str = "application/x-amz-json-1.0";
pub(super) const TARGET: &str = "x-amz-target";
const AUTHORIZATION: &str = "authorization";
const VERSION: &str = "DynamoDB_20120810";
/// The same credentials for all requests: some engines have separate tables for each access key.
const PLACEHOLDER_AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=local/20261123/eu-north-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";

pub(super) type Headers = Vec<(String, String)>;

/// The engine. Tests check less on some engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// dynoxide in this process.
    Dynoxide,
    /// `DynamoDB` in an AWS account.
    Amazon,
    /// Another engine on this machine: dynalite, moto, `DynamoDB` Local.
    Other,
}

impl Engine {
    /// The value of [`super::Request::capacity`] for a request that consumes `units`. `None` for other engines, which do not
    /// count as AWS bills: dynalite counts no index entries; moto counts half a unit or one for every request, whatever is read
    /// or written.
    #[must_use]
    pub fn units(self, units: f64) -> Option<f64> {
        (self != Self::Other).then_some(units)
    }

    /// The number of wallets in a test that uses `count` of them on dynoxide. Other engines are slower and get a tenth: moto does
    /// not answer a thousand concurrent requests within the four seconds that a function waits.
    #[must_use]
    pub fn scale(self, count: u64) -> u64 {
        if self == Self::Dynoxide { count } else { count / 10 }
    }
}

/// A client of an engine.
pub(super) struct EngineClient {
    pub(super) engine: Engine,
    /// dynoxide, if that is the engine.
    pub(super) database: Option<Database>,
    pub(super) address: String,
    pub(super) http: reqwest::Client,
    pub(super) names: Option<TableNames>,
    pub(super) signer: Option<Signer>,
    /// The tables that are deleted at the end.
    pub(super) created: Mutex<Vec<String>>,
}

/// An engine's response.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl EngineClient {
    /// The engine that the environment names, if the tables are not stored in a folder; otherwise dynoxide.
    pub(super) async fn start(data: Option<&Path>) -> Result<Self, Error> {
        match std::env::var(ENGINE_VARIABLE) {
            Ok(address) if data.is_none() && !address.is_empty() => Self::external(&address),
            _ => Self::embedded(data).await,
        }
    }

    /// A client of the engine at an address. With https, the requests are signed for an AWS account.
    pub(super) fn external(address: &str) -> Result<Self, Error> {
        let is_aws = address.starts_with("https://");
        let (engine, signer) = if is_aws {
            (Engine::Amazon, Some(Signer::from_environment()?))
        } else {
            (Engine::Other, None)
        };
        let address = format!("{}/", address.trim_end_matches('/'));
        let (http, names) = (crate::http_client()?, Some(TableNames::new()));
        let (database, created) = (None, Mutex::default());
        Ok(Self { engine, database, address, http, names, signer, created })
    }

    /// A client of dynoxide in this process.
    async fn embedded(data: Option<&Path>) -> Result<Self, Error> {
        let database = match data {
            None => Database::memory(),
            Some(folder) => {
                std::fs::create_dir_all(folder)
                    .map_err(|error| Error::Data(format!("{}: {error}", folder.display())))?;
                Database::new(&folder.join("dynamodb.sqlite").to_string_lossy())
            }
        };
        let database = database.map_err(|error| Error::Data(error.to_string()))?;
        let listener = Listener::open("DynamoDB's engine", 0).await?;
        let (address, http) = (listener.address()?, crate::http_client()?);
        tokio::spawn(serve_with_shutdown(
            listener.into_socket(),
            database.clone(),
            std::future::pending(),
        ));
        let (engine, database) = (Engine::Dynoxide, Some(database));
        let (names, signer, created) = (None, None, Mutex::default());
        Ok(Self { engine, database, address, http, names, signer, created })
    }

    /// Executes an operation. `target` is the value of the header `x-amz-target`.
    pub(super) async fn execute(&self, target: &str, body: Bytes) -> Result<Answer, Error> {
        let direct =
            self.database.as_ref().and_then(|database| direct::call(database, target, &body));
        if let Some(answer) = direct {
            return Ok(answer);
        }
        let body = match &self.names {
            Some(names) => names.rename_request(&body),
            None => body,
        };
        let answer = self.send(target, body).await?;
        let Some(names) = &self.names else { return Ok(answer) };
        let Answer { status, mut headers, body } = answer;
        for changed in ["content-length", "x-amz-crc32"] {
            headers.remove(changed);
        }
        Ok(Answer { status, headers, body: names.restore_answer(body) })
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
                (AUTHORIZATION, PLACEHOLDER_AUTHORIZATION),
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

    /// Executes an operation, given its name.
    pub(super) async fn call(&self, operation: &str, body: &Value) -> Result<Value, Error> {
        let answer =
            self.execute(&format!("{VERSION}.{operation}"), body.to_string().into()).await?;
        if !answer.status.is_success() {
            return Err(Error::Data(String::from_utf8_lossy(&answer.body).into_owned()));
        }
        serde_json::from_slice(&answer.body).map_err(|error| Error::Data(error.to_string()))
    }
}

//! What really keeps the tables: dynoxide in this process, or whatever [`VARIABLE`] names.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use dynoxide::Database;
use dynoxide::server::serve_with_shutdown;
use serde_json::{Value, json};

use super::names::Names;
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
/// How often a new table is looked at, and how long that takes at most.
const LOOKS: u32 = 600;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

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
    address: String,
    http: reqwest::Client,
    names: Option<Names>,
    signer: Option<Signer>,
    created: Mutex<Vec<String>>,
}

/// What an engine answers.
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
        Ok(Self { engine, address, http, names, signer, created: Mutex::default() })
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
        tokio::spawn(serve_with_shutdown(listener, database, std::future::pending()));
        let engine = Engine::Dynoxide;
        Ok(Self { engine, address, http, names: None, signer: None, created: Mutex::default() })
    }

    /// Asks for an operation, as it stands in the header `x-amz-target`.
    pub(super) async fn ask(&self, target: &str, body: Bytes) -> Result<Answer, Error> {
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

    /// Creates a table, unless it is there already, and waits until it can be used.
    pub(super) async fn create(&self, table: &Value) -> Result<(), Error> {
        let name = table["TableName"].as_str().unwrap_or_default();
        if let Some(names) = &self.names {
            let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
            created.push(names.outside(name));
        }
        match self.call("CreateTable", table).await {
            Err(Error::Data(fault)) if fault.contains("ResourceInUseException") => {}
            other => drop(other?),
        }
        for _ in 0..LOOKS {
            let found = self.call("DescribeTable", &json!({ "TableName": name })).await?;
            if is_active(&found["Table"]) {
                return Ok(());
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Err(Error::Data(format!("the table {name} is not ready")))
    }
}

fn is_active(table: &Value) -> bool {
    let indexes = table["GlobalSecondaryIndexes"].as_array();
    // Some engines do not say how an index is.
    let ready = |index: &Value| index["IndexStatus"].as_str().unwrap_or("ACTIVE") == "ACTIVE";
    table["TableStatus"] == "ACTIVE" && indexes.is_none_or(|indexes| indexes.iter().all(ready))
}

/// Tables on an engine that is not ours are deleted, as far as that is possible: nobody waits for this, and a process that is
/// killed leaves them there.
impl Drop for Reach {
    fn drop(&mut self) {
        let created =
            std::mem::take(&mut *self.created.lock().unwrap_or_else(PoisonError::into_inner));
        if created.is_empty() {
            return;
        }
        let reach = Self {
            engine: self.engine,
            address: self.address.clone(),
            http: self.http.clone(),
            names: None,
            signer: self.signer.take(),
            created: Mutex::default(),
        };
        // The runtime that this happens in may be ending.
        let deletes = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(reach.delete(&created)))
        });
        drop(deletes.join());
    }
}

impl Reach {
    async fn delete(mut self, tables: &[String]) {
        // The client's connections belong to the runtime that is ending.
        if let Ok(http) = crate::http_client() {
            self.http = http;
        }
        for table in tables {
            if let Err(error) = self.call("DeleteTable", &json!({ "TableName": table })).await {
                tracing::warn!(%error, table, "a table stays");
            }
        }
    }
}

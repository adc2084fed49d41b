//! `DynamoDB`: an engine, behind a door that counts what comes through.
//!
//! The engine is dynoxide, unless the variable [`VARIABLE`] names another. The door lets nobody do what it must not
//! ([`Dynamodb::guard`]), and makes trouble on order ([`Dynamodb::disturb`]).

mod door;
mod engine;
mod faults;
mod names;
mod short;
mod signature;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::Router;
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::Error;
use crate::doors::Doors;
use crate::template::Template;
pub use door::Exchange;
pub(crate) use door::caller;
use engine::Reach;
pub use engine::{Engine, VARIABLE};
use faults::Trouble;
pub use faults::{Faults, Kind};

/// How many requests are remembered.
const MOST_REQUESTS: usize = 100_000;

/// One request that somebody made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Request {
    /// `GetItem`, `PutItem`, …
    pub operation: String,
    /// Who made it: each function's access key is its name.
    pub function: String,
    /// The table.
    pub table: String,
    /// The index of the table that is read, if any.
    pub index: Option<String>,
    /// Capacity units, where the request asked for them to be told and the engine counts them right: [`Engine::units`].
    pub capacity: Option<f64>,
    /// Whether it was refused because this function may not do it.
    pub denied: bool,
}

impl Request {
    /// What it does, as policies name it.
    #[must_use]
    pub fn action(&self) -> String {
        format!("dynamodb:{}", self.operation)
    }

    /// Whether it changes anything.
    #[must_use]
    pub fn is_write(&self) -> bool {
        let reads = ["BatchGetItem", "DescribeTable", "GetItem", "ListTables", "Query", "Scan"];
        !reads.contains(&self.operation.as_str())
    }

    /// What it does it to: `Table`, or `Table/index/Index`.
    #[must_use]
    pub fn resource(&self) -> String {
        match &self.index {
            Some(index) => format!("{}/index/{index}", self.table),
            None => self.table.clone(),
        }
    }
}

type Guard = Box<dyn Fn(&Request) -> bool + Send + Sync>;
type Observer = Box<dyn Fn(&Exchange<'_>) + Send + Sync>;

/// The engine. Clones are the same.
#[derive(Clone)]
pub struct Dynamodb {
    inner: Arc<Inner>,
}

struct Inner {
    address: String,
    reach: Arc<Reach>,
    requests: Mutex<VecDeque<Request>>,
    guard: OnceLock<Guard>,
    observer: OnceLock<Observer>,
    trouble: Trouble,
    doors: Doors,
}

impl Dynamodb {
    /// Listens on a port of 127.0.0.1, 0 being any; keeps its tables in a folder, or in memory, or with the engine that the
    /// environment names.
    ///
    /// # Errors
    /// The port is taken, or the folder cannot be used.
    pub async fn start(port: u16, data: Option<&Path>) -> Result<Self, Error> {
        Self::on(crate::listen("DynamoDB", port).await?, data, Doors::default()).await
    }

    pub(crate) async fn on(
        listener: TcpListener,
        data: Option<&Path>,
        doors: Doors,
    ) -> Result<Self, Error> {
        Self::with(listener, Reach::start(data).await?, doors)
    }

    fn with(listener: TcpListener, reach: Reach, doors: Doors) -> Result<Self, Error> {
        let inner = Inner {
            address: crate::address(&listener)?,
            reach: Arc::new(reach),
            requests: Mutex::default(),
            guard: OnceLock::new(),
            observer: OnceLock::new(),
            trouble: Trouble::default(),
            doors,
        };
        let dynamodb = Self { inner: Arc::new(inner) };
        crate::serve(listener, dynamodb.router());
        Ok(dynamodb)
    }

    pub(crate) fn router(&self) -> Router {
        door::router(self.clone())
    }

    /// Where it answers, without a trailing slash.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// Which engine it is. What only some of them do is asserted on those alone.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.inner.reach.engine
    }

    /// The requests since the start, or since the last [`Self::forget_requests`]: the last hundred thousand of them.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.remembered().iter().cloned().collect()
    }

    /// Counts from zero.
    pub fn forget_requests(&self) {
        self.remembered().clear();
    }

    fn remembered(&self) -> MutexGuard<'_, VecDeque<Request>> {
        self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, request: Request) {
        let mut requests = self.remembered();
        if requests.len() == MOST_REQUESTS {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    /// Where its writes pass, to be counted and held.
    #[must_use]
    pub fn doors(&self) -> &Doors {
        &self.inner.doors
    }

    /// From now on, what is not allowed is refused as AWS does, and not done. The first guard stays.
    pub fn guard(&self, allows: impl Fn(&Request) -> bool + Send + Sync + 'static) {
        self.inner.guard.get_or_init(|| Box::new(allows));
    }

    /// From now on tells of everything that the engine does for whoever comes through the door, right when it is done, whatever
    /// becomes of the answer. The first observer stays.
    pub fn observe(&self, observer: impl Fn(&Exchange<'_>) + Send + Sync + 'static) {
        self.inner.observer.get_or_init(|| Box::new(observer));
    }

    /// Creates the template's tables. One that is there already stays as it is.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn create_tables(&self, template: &Template) -> Result<(), Error> {
        for table in template.tables() {
            self.inner.reach.create(&table).await?;
        }
        Ok(())
    }

    /// Calls the engine directly, uncounted, as tests and operators do.
    ///
    /// # Errors
    /// What the engine refuses with.
    pub async fn call(&self, operation: &str, body: &Value) -> Result<Value, Error> {
        self.inner.reach.call(operation, body).await
    }
}

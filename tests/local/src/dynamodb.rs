//! `DynamoDB`: an engine, behind a proxy that records requests.
//!
//! The engine is dynoxide, unless the variable [`ENGINE_VARIABLE`] names another. The proxy refuses requests that are not
//! allowed ([`Dynamodb::guard`]) and injects faults ([`Dynamodb::inject_faults`]).

mod direct;
mod engine;
mod faults;
mod names;
mod proxy;
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

use crate::Error;
use crate::activity::{Activity, Event, TableWrite};
use crate::listeners::Listener;
use crate::side_effects::SideEffects;
use crate::template::Template;
use engine::EngineClient;
pub use engine::{ENGINE_VARIABLE, Engine};
use faults::FaultInjection;
pub use faults::{FaultKind, Faults};
pub use proxy::Exchange;
pub(crate) use proxy::caller;

/// The name of this part in errors.
pub(crate) const PART: &str = "DynamoDB";
/// How many requests are recorded.
const MAX_REQUESTS: usize = 100_000;

/// A request to `DynamoDB`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Request {
    /// `GetItem`, `PutItem`, …
    pub operation: String,
    /// The function that sent it. Each function's access key is its name.
    pub function: String,
    /// The table.
    pub table: String,
    /// The index that is read, if any.
    pub index: Option<String>,
    /// Consumed capacity units, if the request has `ReturnConsumedCapacity` and the engine counts units as AWS does:
    /// [`Engine::units`].
    pub capacity: Option<f64>,
    /// Whether the guard refused it.
    pub denied: bool,
}

impl Request {
    /// The action, as policies name it: `dynamodb:GetItem`.
    #[must_use]
    pub fn action(&self) -> String {
        format!("dynamodb:{}", self.operation)
    }

    /// Whether it can change an item or a table.
    #[must_use]
    pub fn is_write(&self) -> bool {
        let reads = ["BatchGetItem", "DescribeTable", "GetItem", "ListTables", "Query", "Scan"];
        !reads.contains(&self.operation.as_str())
    }

    /// The resource, as policies name it: `Table`, or `Table/index/Index`.
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

/// The engine and its proxy. Clones share their state.
#[derive(Clone)]
pub struct Dynamodb {
    inner: Arc<Inner>,
}

struct Inner {
    address: String,
    client: Arc<EngineClient>,
    requests: Mutex<VecDeque<Request>>,
    guard: OnceLock<Guard>,
    observer: OnceLock<Observer>,
    activity: OnceLock<Activity>,
    faults: FaultInjection,
    side_effects: SideEffects,
}

impl Dynamodb {
    /// Listens on a port of 127.0.0.1; 0 means any free port. The tables are in the folder `data` if there is one, otherwise in
    /// the engine that the environment names, otherwise in memory.
    ///
    /// # Errors
    /// Fails if the port is in use, or if the folder cannot be used.
    pub async fn start(port: u16, data: Option<&Path>) -> Result<Self, Error> {
        Self::start_on(Listener::open(PART, port).await?, data, SideEffects::default()).await
    }

    pub(crate) async fn start_on(
        listener: Listener,
        data: Option<&Path>,
        side_effects: SideEffects,
    ) -> Result<Self, Error> {
        Self::with_engine(listener, EngineClient::start(data).await?, side_effects)
    }

    fn with_engine(
        listener: Listener,
        client: EngineClient,
        side_effects: SideEffects,
    ) -> Result<Self, Error> {
        let inner = Inner {
            address: listener.address()?,
            client: Arc::new(client),
            requests: Mutex::default(),
            guard: OnceLock::new(),
            observer: OnceLock::new(),
            activity: OnceLock::new(),
            faults: FaultInjection::default(),
            side_effects,
        };
        let dynamodb = Self { inner: Arc::new(inner) };
        listener.serve(dynamodb.router());
        Ok(dynamodb)
    }

    pub(crate) fn router(&self) -> Router {
        proxy::router(self.clone())
    }

    /// The base address, without a trailing slash.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// The engine. Tests assert what only some engines do on those engines only.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.inner.client.engine
    }

    /// The requests since the start or since the last [`Self::clear_requests`], oldest first; at most the last 100,000.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.lock_requests().iter().cloned().collect()
    }

    /// Clears the recorded requests.
    pub fn clear_requests(&self) {
        self.lock_requests().clear();
    }

    fn lock_requests(&self) -> MutexGuard<'_, VecDeque<Request>> {
        self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, request: Request) {
        let mut requests = self.lock_requests();
        if requests.len() == MAX_REQUESTS {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    /// The side effects, which include every write.
    #[must_use]
    pub fn side_effects(&self) -> &SideEffects {
        &self.inner.side_effects
    }

    /// From now on refuses requests for which `allows` returns false, with AWS's `AccessDeniedException`. Only the first call has
    /// an effect.
    pub fn guard(&self, allows: impl Fn(&Request) -> bool + Send + Sync + 'static) {
        self.inner.guard.get_or_init(|| Box::new(allows));
    }

    /// From now on calls `observer` for every request that the engine executed for a client of the proxy. The call comes
    /// immediately after the execution, even if the response is then lost. Only the first call of this method has an effect.
    pub fn observe(&self, observer: impl Fn(&Exchange<'_>) + Send + Sync + 'static) {
        self.inner.observer.get_or_init(|| Box::new(observer));
    }

    /// From now on records writes in `activity`. Only the first call has an effect.
    pub(crate) fn record_in(&self, activity: Activity) {
        self.inner.activity.get_or_init(|| activity);
    }

    /// Records a write in the activity.
    fn record_write(&self, request: &Request, body: &[u8], result: &str) {
        let Some(activity) = self.inner.activity.get().filter(|_| request.is_write()) else {
            return;
        };
        let Request { function, operation, table, .. } = request;
        let write = TableWrite { function, operation, table, request: body, result };
        if let Some(event) = Event::write(&write) {
            activity.record(event);
        }
    }

    /// Creates the template's tables. Tables that exist are not changed.
    ///
    /// # Errors
    /// Fails if the engine refuses.
    pub async fn create_tables(&self, template: &Template) -> Result<(), Error> {
        for table in template.tables() {
            self.inner.client.create(&table).await?;
        }
        Ok(())
    }

    /// Calls the engine directly. The proxy does not record the call, and injects no faults into it.
    ///
    /// # Errors
    /// Fails with the engine's error.
    pub async fn call(&self, operation: &str, body: &Value) -> Result<Value, Error> {
        self.inner.client.call(operation, body).await
    }
}

//! Creates the tables, and deletes them at the end if the engine is not dynoxide in this process.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::engine::EngineClient;
use crate::Error;

/// How often the status of a new table is requested: for a minute in all.
const MAX_POLLS: u32 = 600;
const POLL_INTERVAL: Duration = Duration::from_millis(100);

impl EngineClient {
    /// Creates a table if it does not exist, and waits until it is ACTIVE.
    pub(super) async fn create(&self, table: &Value) -> Result<(), Error> {
        let name = table["TableName"].as_str().unwrap_or_default();
        if let Some(names) = &self.names {
            let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
            created.push(names.external(name));
        }
        match self.call("CreateTable", table).await {
            Err(Error::Data(error)) if error.contains("ResourceInUseException") => {}
            result => drop(result?),
        }
        for _ in 0..MAX_POLLS {
            let found = self.call("DescribeTable", &json!({ "TableName": name })).await?;
            if is_active(&found["Table"]) {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Err(Error::Data(format!("the table {name} did not become ACTIVE within a minute")))
    }

    async fn delete(mut self, tables: &[String]) {
        // A new client: the connections of the old one belong to the runtime that is ending.
        if let Ok(http) = crate::http_client() {
            self.http = http;
        }
        for table in tables {
            if let Err(error) = self.call("DeleteTable", &json!({ "TableName": table })).await {
                tracing::warn!(%error, table, "a table could not be deleted");
            }
        }
    }
}

fn is_active(table: &Value) -> bool {
    let indexes = table["GlobalSecondaryIndexes"].as_array();
    // Some engines omit the status of an index.
    let ready = |index: &Value| index["IndexStatus"].as_str().unwrap_or("ACTIVE") == "ACTIVE";
    table["TableStatus"] == "ACTIVE" && indexes.is_none_or(|indexes| indexes.iter().all(ready))
}

/// Deletes the tables when the last clone is dropped, if the engine is not dynoxide in this process. A process that is killed
/// leaves its tables behind.
impl Drop for EngineClient {
    fn drop(&mut self) {
        let created =
            std::mem::take(&mut *self.created.lock().unwrap_or_else(PoisonError::into_inner));
        if created.is_empty() {
            return;
        }
        let client = Self {
            engine: self.engine,
            database: None,
            address: self.address.clone(),
            http: self.http.clone(),
            names: None,
            signer: self.signer.take(),
            created: Mutex::default(),
        };
        // On a thread of its own, because the current runtime may be ending.
        let deletion = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(client.delete(&created)))
        });
        drop(deletion.join());
    }
}

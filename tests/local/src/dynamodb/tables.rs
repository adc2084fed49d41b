//! The tables: created and waited for, and on an engine that is not ours deleted in the end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::engine::Reach;
use crate::Error;

/// How often a new table is looked at, a minute in all.
const LOOKS: u32 = 600;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

impl Reach {
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

fn is_active(table: &Value) -> bool {
    let indexes = table["GlobalSecondaryIndexes"].as_array();
    // Some engines do not say how an index is.
    let ready = |index: &Value| index["IndexStatus"].as_str().unwrap_or("ACTIVE") == "ACTIVE";
    table["TableStatus"] == "ACTIVE" && indexes.is_none_or(|indexes| indexes.iter().all(ready))
}

/// Tables on an engine that is not ours are deleted when the last clone ends, with its runtime. A process that is killed leaves
/// them there.
impl Drop for Reach {
    fn drop(&mut self) {
        let created =
            std::mem::take(&mut *self.created.lock().unwrap_or_else(PoisonError::into_inner));
        if created.is_empty() {
            return;
        }
        let reach = Self {
            engine: self.engine,
            database: None,
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

//! The names of the tables on an engine that several services use at the same time: each service adds a suffix of its own.
//!
//! The proxy translates the names in requests and answers, so functions and tests use the names of the template.

use axum::body::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Table names with a unique suffix.
pub(super) struct TableNames {
    suffix: String,
}

impl TableNames {
    pub(super) fn new() -> Self {
        Self { suffix: format!("-{}", Uuid::new_v4().as_simple()) }
    }

    /// The name of a table on the engine.
    pub(super) fn external(&self, table: &str) -> String {
        format!("{table}{}", self.suffix)
    }

    /// A request with the names on the engine. Tables are named by `TableName`, and in batches by the members of
    /// `RequestItems`. Transactions are not supported.
    pub(super) fn rename_request(&self, body: &Bytes) -> Bytes {
        let Ok(mut request) = serde_json::from_slice::<Value>(body) else { return body.clone() };
        if let Some(Value::String(table)) = request.get_mut("TableName") {
            *table = self.external(table);
        }
        if let Some(Value::Object(items)) = request.get_mut("RequestItems") {
            let renamed = std::mem::take(items).into_iter();
            *items =
                renamed.map(|(table, items)| (self.external(&table), items)).collect::<Map<_, _>>();
        }
        request.to_string().into()
    }

    /// An answer with the names of the template. The suffix is long and random, so it does not occur anywhere else.
    pub(super) fn restore_answer(&self, body: Bytes) -> Bytes {
        match std::str::from_utf8(&body) {
            Ok(text) if text.contains(&self.suffix) => text.replace(&self.suffix, "").into(),
            Ok(_) | Err(_) => body,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_have_a_suffix_on_the_engine_only() {
        let names = TableNames::new();
        let external = names.external("Things");
        assert!(external.starts_with("Things-"), "{external}");
        let renamed = |request: &Value| {
            let bytes = names.rename_request(&request.to_string().into());
            serde_json::from_slice::<Value>(&bytes).unwrap()
        };
        let item = json!({ "TableName": { "S": "Things" } });
        assert_eq!(
            renamed(&json!({ "TableName": "Things", "Item": item })),
            json!({ "TableName": external, "Item": item })
        );
        assert_eq!(
            renamed(&json!({ "RequestItems": { "Things": [{ "PutRequest": { "Item": item } }] } })),
            json!({ "RequestItems": { external.clone(): [{ "PutRequest": { "Item": item } }] } })
        );
        let answer = json!({ "ConsumedCapacity": { "TableName": external, "CapacityUnits": 1.0 } });
        assert_eq!(
            names.restore_answer(answer.to_string().into()),
            json!({ "ConsumedCapacity": { "TableName": "Things", "CapacityUnits": 1.0 } })
                .to_string()
        );
        assert_eq!(names.rename_request(&Bytes::from_static(b"{")), "{");
    }
}

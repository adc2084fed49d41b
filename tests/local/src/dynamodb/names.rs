//! The tables' names on an engine that others use at the same time: each of us has an ending of its own.
//!
//! Requests and answers are turned on their way through the door, so that nobody else knows of it.

use axum::body::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;

/// An ending that nobody else has.
pub(super) struct Names {
    ending: String,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { ending: format!("-{}", Uuid::new_v4().as_simple()) }
    }

    /// What a table is called there.
    pub(super) fn outside(&self, table: &str) -> String {
        format!("{table}{}", self.ending)
    }

    /// A request, as it has to be there. Tables are named by `TableName`, and in batches by the members of `RequestItems`;
    /// transactions are not for us.
    pub(super) fn request(&self, body: &Bytes) -> Bytes {
        let Ok(mut asked) = serde_json::from_slice::<Value>(body) else { return body.clone() };
        if let Some(Value::String(table)) = asked.get_mut("TableName") {
            *table = self.outside(table);
        }
        if let Some(Value::Object(items)) = asked.get_mut("RequestItems") {
            let turned = std::mem::take(items).into_iter();
            *items =
                turned.map(|(table, items)| (self.outside(&table), items)).collect::<Map<_, _>>();
        }
        asked.to_string().into()
    }

    /// An answer, as it has to be here. The ending is long and random: it stands nowhere by chance.
    pub(super) fn answer(&self, body: Bytes) -> Bytes {
        match std::str::from_utf8(&body) {
            Ok(text) if text.contains(&self.ending) => text.replace(&self.ending, "").into(),
            Ok(_) | Err(_) => body,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_have_their_ending_there_and_not_here() {
        let names = Names::new();
        let outside = names.outside("Things");
        assert!(outside.starts_with("Things-"), "{outside}");
        let turned = |asked: &Value| {
            let bytes = names.request(&asked.to_string().into());
            serde_json::from_slice::<Value>(&bytes).unwrap()
        };
        let item = json!({ "TableName": { "S": "Things" } });
        assert_eq!(
            turned(&json!({ "TableName": "Things", "Item": item })),
            json!({ "TableName": outside, "Item": item })
        );
        assert_eq!(
            turned(&json!({ "RequestItems": { "Things": [{ "PutRequest": { "Item": item } }] } })),
            json!({ "RequestItems": { outside.clone(): [{ "PutRequest": { "Item": item } }] } })
        );
        let answer = json!({ "ConsumedCapacity": { "TableName": outside, "CapacityUnits": 1.0 } });
        assert_eq!(
            names.answer(answer.to_string().into()),
            json!({ "ConsumedCapacity": { "TableName": "Things", "CapacityUnits": 1.0 } })
                .to_string()
        );
        assert_eq!(names.request(&Bytes::from_static(b"{")), "{");
    }
}

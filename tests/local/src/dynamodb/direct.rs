//! Direct calls of dynoxide, without HTTP, for the operations that functions use. A direct call takes half the time.
//!
//! It answers successful requests and requests whose condition failed. All other requests changed nothing; they are sent again over
//! HTTP, where dynoxide's server writes `DynamoDB`'s error.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::{Answer, JSON};

/// The answer to a request. `None` if it has to be sent over HTTP.
pub(super) fn call(database: &Database, target: &str, body: &[u8]) -> Option<Answer> {
    match target.split_once('.')?.1 {
        "GetItem" => answer(database.get_item(read(body)?)),
        "PutItem" => answer(database.put_item(read(body)?)),
        "UpdateItem" => answer(database.update_item(read(body)?)),
        "Query" => answer(database.query(read(body)?)),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

fn answer(result: dynoxide::Result<impl Serialize>) -> Option<Answer> {
    let (status, body) = match result {
        Ok(output) => (StatusCode::OK, serde_json::to_vec(&output).ok()?),
        Err(refused @ DynoxideError::ConditionalCheckFailedException(..)) => {
            (StatusCode::BAD_REQUEST, refused.to_json().into_bytes())
        }
        Err(_) => return None,
    };
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(JSON))]);
    Some(Answer { status, headers, body: body.into() })
}

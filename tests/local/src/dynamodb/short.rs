//! The short way to dynoxide, without HTTP, for what functions ask for: it costs half.
//!
//! It answers what was done, and what was refused by its condition. Anything else was not done, and goes the long way, which
//! finds `DynamoDB`'s words for it.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::{Answer, JSON};

/// The answer to a request, if it is one for the short way.
pub(super) fn ask(database: &Database, target: &str, body: &[u8]) -> Option<Answer> {
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

fn answer(answered: dynoxide::Result<impl Serialize>) -> Option<Answer> {
    let (status, body) = match answered {
        Ok(done) => (StatusCode::OK, serde_json::to_vec(&done).ok()?),
        Err(refused @ DynoxideError::ConditionalCheckFailedException(..)) => {
            (StatusCode::BAD_REQUEST, refused.to_json().into_bytes())
        }
        Err(_) => return None,
    };
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(JSON))]);
    Some(Answer { status, headers, body: body.into() })
}

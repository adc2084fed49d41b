//! `DynamoDB`: dynoxide, behind a door that counts what comes through.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use dynoxide::Database;
use dynoxide::server::serve_with_shutdown;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Error;
use crate::template::Template;

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
    /// Capacity units, where the request asked for them to be told.
    pub capacity: Option<f64>,
}

/// The engine. Clones are the same.
#[derive(Clone)]
pub struct Dynamodb {
    inner: Arc<Inner>,
}

struct Inner {
    address: String,
    engine: String,
    http: reqwest::Client,
    requests: Mutex<Vec<Request>>,
    lose: AtomicU32,
}

impl Dynamodb {
    /// Listens on a port of 127.0.0.1, 0 being any; keeps its tables in a folder, or in memory.
    ///
    /// # Errors
    /// The port is taken, or the folder cannot be used.
    pub async fn start(port: u16, data: Option<&Path>) -> Result<Self, Error> {
        Self::on(crate::listen("DynamoDB", port).await?, data).await
    }

    pub(crate) async fn on(listener: TcpListener, data: Option<&Path>) -> Result<Self, Error> {
        let database = match data {
            None => Database::memory(),
            Some(folder) => {
                std::fs::create_dir_all(folder)
                    .map_err(|error| Error::Data(format!("{}: {error}", folder.display())))?;
                Database::new(&folder.join("dynamodb.sqlite").to_string_lossy())
            }
        };
        let database = database.map_err(|error| Error::Data(error.to_string()))?;
        let engine = crate::listen("DynamoDB's engine", 0).await?;
        let inner = Inner {
            address: crate::address(&listener)?,
            engine: crate::address(&engine)?,
            http: crate::http_client()?,
            requests: Mutex::default(),
            lose: AtomicU32::new(0),
        };
        tokio::spawn(serve_with_shutdown(engine, database, std::future::pending()));
        let dynamodb = Self { inner: Arc::new(inner) };
        let door = Router::new()
            .fallback(pass)
            .layer(DefaultBodyLimit::disable())
            .with_state(dynamodb.clone());
        tokio::spawn(async move { axum::serve(listener, door).await });
        Ok(dynamodb)
    }

    /// Where it answers, without a trailing slash.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// The requests since the start, or since the last [`Self::forget_requests`].
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts from zero.
    pub fn forget_requests(&self) {
        self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The next so many writes (`PutItem`, `UpdateItem`) are done, and answered with an internal error all the same.
    pub fn lose_replies_to_writes(&self, count: u32) {
        self.inner.lose.store(count, Ordering::SeqCst);
    }

    /// Creates the template's tables. One that is there already stays as it is.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn create_tables(&self, template: &Template) -> Result<(), Error> {
        for table in template.tables() {
            self.create_table(&table).await?;
        }
        Ok(())
    }

    async fn create_table(&self, table: &Value) -> Result<(), Error> {
        match self.call("CreateTable", table).await {
            Err(Error::Data(fault)) if fault.contains("ResourceInUseException") => Ok(()),
            other => other.map(drop),
        }
    }

    /// Calls the engine directly, uncounted, as tests and operators do.
    ///
    /// # Errors
    /// What the engine refuses with.
    pub async fn call(&self, operation: &str, body: &Value) -> Result<Value, Error> {
        let data = |error: reqwest::Error| Error::Data(error.to_string());
        let request = self.inner.http.post(&self.inner.engine).body(body.to_string());
        let request = request
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("x-amz-date", "20261123T000000Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=local/20261123/eu-north-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
            );
        let response = request.send().await.map_err(data)?;
        let (status, text) = (response.status(), response.text().await.map_err(data)?);
        let answer = serde_json::from_str(&text).map_err(|error| Error::Data(error.to_string()))?;
        if status.is_success() { Ok(answer) } else { Err(Error::Data(text)) }
    }

    fn record(&self, headers: &HeaderMap, asked: &[u8], answered: &[u8]) {
        let header = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        let after = |text: &str, mark: &str| {
            text.split_once(mark).map(|(_, rest)| rest.to_owned()).unwrap_or_default()
        };
        let json = |bytes| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        let caller = after(header("authorization"), "Credential=");
        let asked = json(asked);
        let request = Request {
            operation: after(header("x-amz-target"), "."),
            function: caller.split('/').next().unwrap_or_default().to_owned(),
            table: asked["TableName"].as_str().unwrap_or_default().to_owned(),
            index: asked["IndexName"].as_str().map(str::to_owned),
            capacity: json(answered)["ConsumedCapacity"]["CapacityUnits"].as_f64(),
        };
        self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }

    async fn forward(
        &self,
        method: Method,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response, reqwest::Error> {
        let mut request = self.inner.http.request(method, &self.inner.engine).body(body.clone());
        for (name, value) in
            headers.iter().filter(|(name, _)| *name != "host" && *name != "content-length")
        {
            request = request.header(name, value);
        }
        let answer = request.send().await?;
        let (status, answered) = (answer.status(), answer.headers().clone());
        let bytes = answer.bytes().await?;
        self.record(headers, &body, &bytes);
        let writes = headers.get("x-amz-target").is_some_and(|target| {
            [&b".PutItem"[..], b".UpdateItem"].iter().any(|end| target.as_bytes().ends_with(end))
        });
        let lost = |left: u32| left.checked_sub(1).filter(|_| writes);
        if self.inner.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lost).is_ok() {
            let body = json!({ "__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "lost" });
            return Ok((StatusCode::INTERNAL_SERVER_ERROR, body.to_string()).into_response());
        }
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = status;
        *response.headers_mut() = answered;
        Ok(response)
    }
}

async fn pass(
    State(dynamodb): State<Dynamodb>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match dynamodb.forward(method, &headers, body).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn send(dynamodb: &Dynamodb, operation: &str, body: Value) -> u16 {
        let request = crate::http_client().unwrap().post(dynamodb.address());
        let credential = "Credential=get-thing/20261123/eu-north-1/dynamodb/aws4_request";
        let request = request
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("x-amz-date", "20261123T000000Z")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"),
            );
        request.body(body.to_string()).send().await.unwrap().status().as_u16()
    }

    async fn started() -> Dynamodb {
        let dynamodb = Dynamodb::start(0, None).await.unwrap();
        let table = json!({
            "TableName": "Things",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                { "AttributeName": "id", "AttributeType": "S" },
                { "AttributeName": "kind", "AttributeType": "S" },
            ],
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "GlobalSecondaryIndexes": [{
                "IndexName": "ByKind",
                "KeySchema": [{ "AttributeName": "kind", "KeyType": "HASH" }],
                "Projection": { "ProjectionType": "ALL" },
            }],
        });
        dynamodb.call("CreateTable", &table).await.unwrap();
        dynamodb
    }

    #[tokio::test]
    async fn a_write_whose_reply_is_lost_is_done() {
        let dynamodb = started().await;
        dynamodb.lose_replies_to_writes(2);
        let key = json!({ "id": { "S": "1" } });
        let get = json!({ "TableName": "Things", "Key": key });
        assert_eq!(send(&dynamodb, "GetItem", get.clone()).await, 200);
        let item = json!({ "id": { "S": "1" }, "kind": { "S": "a" } });
        let put = json!({ "TableName": "Things", "Item": item });
        assert_eq!(send(&dynamodb, "PutItem", put).await, 500);
        let update = json!({
            "TableName": "Things",
            "Key": key,
            "UpdateExpression": "SET kind = :kind",
            "ExpressionAttributeValues": { ":kind": { "S": "b" } },
        });
        assert_eq!(send(&dynamodb, "UpdateItem", update.clone()).await, 500);
        let item = dynamodb.call("GetItem", &get).await.unwrap();
        assert_eq!(item["Item"]["kind"]["S"], "b");
        assert_eq!(send(&dynamodb, "UpdateItem", update).await, 200);
    }

    #[tokio::test]
    async fn a_request_tells_of_its_index() {
        let dynamodb = started().await;
        let query = json!({
            "TableName": "Things",
            "IndexName": "ByKind",
            "KeyConditionExpression": "kind = :kind",
            "ExpressionAttributeValues": { ":kind": { "S": "a" } },
            "ReturnConsumedCapacity": "TOTAL",
        });
        assert_eq!(send(&dynamodb, "Query", query).await, 200);
        let expected = Request {
            operation: "Query".to_owned(),
            function: "get-thing".to_owned(),
            table: "Things".to_owned(),
            index: Some("ByKind".to_owned()),
            capacity: Some(0.5),
        };
        assert_eq!(dynamodb.requests(), [expected]);
    }
}

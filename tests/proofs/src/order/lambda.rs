//! Events for the functions, as API Gateway (payload format 2.0) and `EventBridge` Scheduler send them, and the responses.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::operation::{CLIENT_NAME, Call, Change, NewPayment, Operation, correlation_id};
use super::payments;

const PAYMENTS: &str = "/v1/recurring-payments";
const PAYMENT: &str = "/v1/recurring-payments/{recurringPaymentId}";

/// The response of a function to API Gateway or to a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The HTTP status; 200 for a schedule.
    pub status: u16,
    /// The headers.
    pub headers: Value,
    /// The body as JSON; null if there is none.
    pub body: Value,
}

impl Response {
    /// Parses a response.
    ///
    /// # Errors
    /// Fails if the response or its body is not JSON, or the status is invalid.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let failed =
            |error: &dyn std::fmt::Display| format!("{error}: {}", String::from_utf8_lossy(bytes));
        let mut whole: Value = serde_json::from_slice(bytes).map_err(|error| failed(&error))?;
        let Some(status) = whole["statusCode"].as_u64() else {
            return Ok(Self { status: 200, headers: Value::Null, body: whole });
        };
        let text = whole["body"].as_str().unwrap_or_default();
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(text).map_err(|error| failed(&error))?
        };
        let status = u16::try_from(status).map_err(|error| failed(&error))?;
        Ok(Self { status, headers: whole["headers"].take(), body })
    }

    /// The last part of the problem's `type`.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.body["type"].as_str()?.strip_prefix("urn:problem-type:recurring-payments:")
    }
}

/// The parts that differ between requests.
pub(crate) struct Parts {
    pub(crate) route: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) parameters: Vec<(&'static str, String)>,
    pub(crate) key: Option<String>,
    pub(crate) body: Option<Value>,
}

impl Parts {
    /// A request without parameters and body, whose path is that of the route.
    pub(super) fn new(method: &str, path: &str) -> Self {
        Self {
            route: format!("{method} {path}"),
            path: path.to_owned(),
            query: Vec::new(),
            parameters: Vec::new(),
            key: None,
            body: None,
        }
    }

    /// A callback of Nets about a transaction.
    pub(super) fn callback(transaction: &str) -> Self {
        let secret = local::netaxept::CALLBACK_SECRET;
        Self {
            path: format!("/v1/netaxept/callback/{secret}"),
            parameters: vec![("secret", secret.to_owned())],
            body: Some(json!({ "TransactionId": transaction })),
            ..Self::new("POST", "/v1/netaxept/callback/{secret}")
        }
    }
}

/// Encodes the event of a call. A request has the correlation id of this invocation.
#[must_use]
pub(crate) fn lambda_event(call: &Call, invocation: u64) -> Vec<u8> {
    let event = match parts(&call.operation) {
        Some(parts) => request(call, parts, invocation),
        None => scheduled(call),
    };
    event.to_string().into_bytes()
}

/// The request of an operation. `None` for a schedule.
pub(crate) fn parts(operation: &Operation) -> Option<Parts> {
    let for_payment = |method: &str, id: u64, end: &str| Parts {
        path: format!("{PAYMENTS}/{id}{end}"),
        parameters: vec![("recurringPaymentId", id.to_string())],
        ..Parts::new(method, &format!("{PAYMENT}{end}"))
    };
    Some(match operation {
        Operation::List(customer, include_expired) => Parts {
            query: vec![
                ("customerNumber", customer.clone()),
                ("includeExpired", include_expired.to_string()),
            ],
            ..Parts::new("GET", PAYMENTS)
        },
        Operation::Get(id) => for_payment("GET", *id, ""),
        Operation::Wait(id, seconds) => {
            Parts { query: vec![("wait", seconds.to_string())], ..for_payment("GET", *id, "") }
        }
        Operation::Create(new) => Parts {
            key: new.key.clone(),
            body: Some(create_body(new)),
            ..Parts::new("POST", PAYMENTS)
        },
        Operation::Update(id, change) => {
            Parts { body: Some(update_body(change)), ..for_payment("PATCH", *id, "") }
        }
        Operation::End(id) => for_payment("DELETE", *id, ""),
        Operation::DryRun(id, change) => Parts {
            query: vec![("dryRun", "true".to_owned())],
            body: change.as_ref().map(update_body),
            ..for_payment(if change.is_some() { "PATCH" } else { "DELETE" }, *id, "")
        },
        Operation::History(id) => for_payment("GET", *id, "/history"),
        Operation::Terminal(id, key) => Parts {
            key: key.clone(),
            body: Some(json!({ "redirectUrl": "https://shop.example/done" })),
            ..for_payment("POST", *id, "/terminal")
        },
        Operation::Authorize(id) => for_payment("PUT", *id, "/authorize"),
        Operation::Erase(customer) => Parts {
            path: format!("/v1/customers/{customer}/recurring-payments"),
            parameters: vec![("customerNumber", customer.clone())],
            ..Parts::new("DELETE", "/v1/customers/{customerNumber}/recurring-payments")
        },
        Operation::Callback(transaction) => Parts::callback(&transaction.to_string()),
        Operation::Payment(operation) => return payments::parts(operation),
        Operation::Expire | Operation::Finish => return None,
    })
}

fn create_body(new: &NewPayment) -> Value {
    let mut body = json!({ "customerNumber": new.customer });
    if let Some(nickname) = &new.nickname {
        body["nickname"] = nickname.as_str().into();
    }
    if let Some(primary) = new.primary {
        body["isPrimary"] = primary.into();
    }
    body
}

fn update_body(change: &Change) -> Value {
    let mut body = Map::new();
    if let Some(nickname) = &change.nickname {
        body.insert("nickname".to_owned(), json!(nickname));
    }
    if let Some(primary) = change.primary {
        body.insert("isPrimary".to_owned(), primary.into());
    }
    body.into()
}

fn request(call: &Call, parts: Parts, invocation: u64) -> Value {
    let Parts { route, path, query, parameters, key, body } = parts;
    let mut headers = json!({
        "authorization": "Bearer seen-by-the-authorizer-only",
        "et-client-name": CLIENT_NAME,
        "x-correlation-id": correlation_id(invocation),
    });
    if let Some(key) = key {
        headers["idempotency-key"] = key.into();
    }
    if body.is_some() {
        headers["content-type"] = "application/json".into();
    }
    let at = Timestamp::from_millisecond(call.now).unwrap_or_default();
    let method = route.split(' ').next().unwrap_or_default();
    let mut context = json!({
        "accountId": "000000000000",
        "apiId": "local",
        "domainName": "127.0.0.1",
        "domainPrefix": "local",
        "http": {
            "method": method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "proofs",
        },
        "requestId": "proofs",
        "routeKey": route,
        "stage": "$default",
        "time": at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
        "timeEpoch": call.now,
    });
    if let Some(context_values) = call.caller.context() {
        context["authorizer"] = json!({ "lambda": context_values });
    }
    let raw: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": raw.join("&"),
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": false,
    });
    let object = |pairs: Vec<(&'static str, String)>| -> Value {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
    };
    if !query.is_empty() {
        event["queryStringParameters"] = object(query);
    }
    if !parameters.is_empty() {
        event["pathParameters"] = object(parameters);
    }
    if let Some(body) = body {
        event["body"] = body.to_string().into();
    }
    event
}

fn scheduled(call: &Call) -> Value {
    let at = Timestamp::from_millisecond(call.now).unwrap_or_default();
    json!({
        "version": "0",
        "id": "proofs",
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "000000000000",
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": "eu-north-1",
        "resources": [],
        "detail": "{}",
    })
}

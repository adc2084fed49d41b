//! What can happen, and how each part of the local service describes it.

use std::fmt::Write;

use serde_json::{Value, json};

use super::SEQUENCE_BITS;
use super::redaction::{plain_item, redacted, redacted_text};
use crate::inbox::Notification;

/// The members that contain ids, in the API, in logs and in notifications.
const ID_NAMES: [&str; 6] = [
    "recurringPaymentId",
    "paymentId",
    "transactionId",
    "recurring_payment_id",
    "payment_id",
    "transaction_id",
];
/// The number of bits of a transaction's id after the id of its recurring payment or payment.
const ATTEMPT_BITS: u32 = 4;

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request to the API.
    Request,
    /// An audit line of a function's log.
    Audit,
    /// Any other line of a function's log.
    Log,
    /// A call of Nets, or a button on the terminal page.
    Nets,
    /// A write to a table.
    Table,
    /// A notification to the inbox.
    Notification,
    /// Something that was done in the console.
    Console,
}

impl Kind {
    /// All kinds, in the order of the console's filter.
    pub(crate) const ALL: [Self; 7] = [
        Self::Request,
        Self::Audit,
        Self::Log,
        Self::Nets,
        Self::Table,
        Self::Notification,
        Self::Console,
    ];

    /// The name in addresses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Audit => "audit",
            Self::Log => "log",
            Self::Nets => "nets",
            Self::Table => "table",
            Self::Notification => "notification",
            Self::Console => "console",
        }
    }

    /// The name on pages.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Request => "API request",
            Self::Audit => "Audit line",
            Self::Log => "Log line",
            Self::Nets => "Nets",
            Self::Table => "Table write",
            Self::Notification => "Notification",
            Self::Console => "Console",
        }
    }

    /// The kind with a name in addresses.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    /// The function, or the part of the local service.
    pub(crate) source: String,
    /// One line of text.
    pub(crate) summary: String,
    /// Everything else as JSON; null if there is nothing else.
    pub(crate) detail: Value,
    /// The ids of the recurring payments, payments and transactions that it is about.
    ids: Vec<u64>,
}

/// A request to the API and its response.
pub(crate) struct ApiCall<'a> {
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) path: &'a str,
    /// The function of the route; empty if there is none.
    pub(crate) function: &'a str,
    /// The customer number that the authorizer returned.
    pub(crate) authorized_customer: Option<String>,
    pub(crate) correlation_id: &'a str,
    pub(crate) status: u16,
    pub(crate) milliseconds: u128,
    pub(crate) request: Value,
    pub(crate) response: Value,
}

impl ApiCall<'_> {
    /// The customer number of the request, and the slots of the wallets in its response.
    pub(super) fn customer(&self) -> (Option<String>, Vec<u64>) {
        let query = self.path.split_once('?').unwrap_or_default().1;
        let mut query = form_urlencoded::parse(query.as_bytes());
        let in_query =
            query.find(|(name, _)| name == "customerNumber").map(|(_, value)| value.into_owned());
        let in_body = || self.request["customerNumber"].as_str().map(str::to_owned);
        let customer = self.authorized_customer.clone().or(in_query).or_else(in_body);
        let all =
            self.response.as_array().map_or(std::slice::from_ref(&self.response), Vec::as_slice);
        let ids = all.iter().filter(|one| one["recurringStatus"].is_string());
        let ids = ids.filter_map(|one| one["recurringPaymentId"].as_u64());
        (customer, ids.map(|id| id >> SEQUENCE_BITS).collect())
    }
}

/// A write to a table, and its result.
pub(crate) struct TableWrite<'a> {
    pub(crate) function: &'a str,
    /// `PutItem`, …
    pub(crate) operation: &'a str,
    pub(crate) table: &'a str,
    pub(crate) request: &'a [u8],
    /// `written`, or why it was not.
    pub(crate) result: &'a str,
}

impl Event {
    /// An event whose ids are those in `detail`.
    pub(crate) fn new(kind: Kind, source: &str, summary: String, detail: Value) -> Self {
        let mut ids = Vec::new();
        collect_ids(&detail, &mut ids);
        Self { kind, source: source.to_owned(), summary, detail, ids }
    }

    /// Something that was done in the console.
    pub(crate) fn console(summary: String) -> Self {
        Self::new(Kind::Console, "console", summary, Value::Null)
    }

    /// A request to the API. The body of a refused request is not shown: it can contain anything.
    pub(super) fn request(call: &ApiCall<'_>) -> Self {
        let ApiCall { method, path, function, status, milliseconds, response, .. } = call;
        let mut summary = format!("{method} {path} → {status}");
        if let (400.., Some(title)) =
            (*status, response["detail"].as_str().or(response["title"].as_str()))
        {
            // Writing to a string cannot fail.
            write!(summary, ": {title}").unwrap_or_default();
        }
        let mut detail =
            json!({ "status": status, "milliseconds": milliseconds, "response": response });
        if !call.correlation_id.is_empty() {
            detail["correlation_id"] = call.correlation_id.into();
        }
        if *status < 400 && !call.request.is_null() {
            detail["request"] = call.request.clone();
        }
        let source = if function.is_empty() { "gateway" } else { function };
        let mut event = Self::new(Kind::Request, source, summary, detail);
        event.ids.extend(path.split(['/', '?']).filter_map(|part| part.parse::<u64>().ok()));
        event
    }

    /// A line of a function's log: JSON or text.
    pub(crate) fn log(function: &str, line: &str) -> Self {
        let Ok(Value::Object(mut members)) = serde_json::from_str(line) else {
            return Self::new(Kind::Log, function, line.to_owned(), Value::Null);
        };
        // The definition of the metrics. Their values are members of their own.
        members.remove("_aws");
        let detail = Value::Object(members);
        let is_audit = detail["message"] == "audit";
        let (kind, summary) = if is_audit {
            (Kind::Audit, audit_summary(&detail))
        } else {
            (Kind::Log, log_summary(&detail))
        };
        Self::new(kind, function, summary, detail)
    }

    /// A write to a table. Returns `None` for the counters of rate limits: there is one with every request.
    pub(crate) fn write(write: &TableWrite<'_>) -> Option<Self> {
        if write.table == "RateLimits" {
            return None;
        }
        let request: Value = serde_json::from_slice(write.request).unwrap_or_default();
        let item = plain_item(if request["Item"].is_object() {
            &request["Item"]
        } else {
            &request["Key"]
        });
        let key = ["slot", "payment"].iter().find_map(|name| item[*name].as_u64());
        let key = key.map(|key| format!(" {key}")).unwrap_or_default();
        let mut summary = format!("{} {}{key}", write.operation, write.table);
        if let Some(version) = item["version"].as_u64() {
            write!(summary, ", version {version}").unwrap_or_default();
        }
        write!(summary, ": {}", write.result).unwrap_or_default();
        let ids = ids_of_item(&item);
        let event = Self::new(Kind::Table, write.function, summary, item);
        Some(Self { ids, ..event })
    }

    /// A notification that the inbox received.
    pub(crate) fn notification(notification: &Notification) -> Self {
        let kind = notification.body["type"].as_str().unwrap_or("notification");
        let answer = String::from(notification.answered);
        let summary = format!(
            "{kind} to {}, answered {answer}, signature {}",
            notification.path, notification.signature
        );
        let body = notification.body.clone();
        Self::new(Kind::Notification, "inbox", summary, body)
    }

    /// Something at Nets, with the id of its transaction.
    pub(crate) fn nets(source: &str, transaction_id: &str, summary: String, detail: Value) -> Self {
        let mut event = Self::new(Kind::Nets, source, summary, detail);
        event.ids.extend(id_of(transaction_id));
        event
    }

    /// The event without secrets.
    pub(super) fn redacted(self) -> Self {
        Self { summary: redacted_text(&self.summary), detail: redacted(self.detail), ..self }
    }

    /// Whether it is about a recurring payment or a payment, or about a transaction of it.
    pub(crate) fn is_about(&self, item: u64) -> bool {
        self.ids.iter().any(|id| *id == item || id >> ATTEMPT_BITS == item)
    }

    /// The whole text, for searches.
    pub(super) fn text(&self) -> String {
        format!("{} {} {} {}", self.kind.label(), self.source, self.summary, self.detail)
    }

    /// The correlation id of the request that caused it, if it has one.
    pub(crate) fn correlation_id(&self) -> Option<&str> {
        self.detail["correlation_id"].as_str().filter(|id| !id.is_empty())
    }
}

fn collect_ids(value: &Value, ids: &mut Vec<u64>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| collect_ids(one, ids)),
        Value::Object(members) => {
            for (name, value) in members {
                if ID_NAMES.contains(&name.as_str()) {
                    ids.extend(value.as_u64().or_else(|| id_of(value.as_str()?)));
                }
                collect_ids(value, ids);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The number in an id of Nets: `114741` for a card setup, `p114741-0` for a registration of a payment's transaction.
fn id_of(text: &str) -> Option<u64> {
    text.strip_prefix('p').unwrap_or(text).split('-').next()?.parse().ok()
}

/// The ids of an item: that of the payment, or those of the wallet's recurring payments.
fn ids_of_item(item: &Value) -> Vec<u64> {
    let sequences = item["payments"].as_array().into_iter().flatten();
    let sequences = sequences.filter_map(|payment| payment["sequence"].as_u64());
    let slot = item["slot"].as_u64().unwrap_or_default();
    let recurring = sequences.map(|sequence| slot << SEQUENCE_BITS | sequence);
    item["payment"].as_u64().into_iter().chain(recurring).collect()
}

fn audit_summary(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    let subject = ["transaction", "payment", "recurring_payment"].iter().find_map(|name| {
        let id = line[format!("{name}_id")].as_u64()?;
        Some(format!("{} {id}", name.replace('_', " ")))
    });
    let subject = subject.unwrap_or_else(|| "primary".to_owned());
    format!("{subject}: {} → {} ({})", text("before"), text("after"), text("reason"))
}

fn log_summary(line: &Value) -> String {
    let mut summary =
        line["message"].as_str().or(line["type"].as_str()).unwrap_or_default().to_owned();
    for name in ["error", "status", "Duration"] {
        if let Some(value) = line.get(name).filter(|value| !value.is_object()) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            write!(summary, ", {name} {value}").unwrap_or_default();
        }
    }
    summary
}

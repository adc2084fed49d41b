//! A stored payment: the attributes that the rules cover. The names are those of the item.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::order::spec::{HOUR, MINUTE};

/// An item of the table of payments. Instants are milliseconds since 1970, amounts minor units.
#[derive(Debug, Clone, PartialEq)]
pub struct Payment {
    /// The id, which is the key.
    pub id: u64,
    /// The version, which is the number of writes.
    pub version: u64,
    /// The organisation of the order.
    pub organisation: u64,
    /// The keyed hash of the customer, base64-encoded.
    pub owner: String,
    /// The order id.
    pub order: String,
    /// The order version.
    pub order_version: u64,
    /// The transactions, oldest first.
    pub transactions: Vec<Transaction>,
    /// The sort key of the task index.
    pub task_at: Option<i64>,
    /// Number of notifications that are not delivered.
    pub notifications: usize,
}

/// A transaction of a payment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names of the attributes")]
pub struct Transaction {
    pub created_at: i64,
    pub amount: u64,
    pub currency: String,
    pub recurring_payment: u64,
    pub card_type: String,
    pub last_four: String,
    pub initiated_at: Option<i64>,
    pub state: State,
}

/// The state of a transaction.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names of the statuses")]
pub enum State {
    Created,
    Initiated(Initiated),
    Captured(Captured),
    Credited(Captured),
    Rejected(Over),
    Cancelled(Over),
}

/// INITIATED.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "the names of the attributes")]
pub struct Initiated {
    pub registrations: Vec<Registration>,
    pub chosen: Option<Chosen>,
    pub since: i64,
}

/// A registration at Nets.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names of the attributes")]
pub struct Registration {
    pub at: i64,
    pub by: String,
    #[serde(default)]
    pub auth_requested: bool,
    #[serde(default)]
    pub auto_sale: bool,
    pub outcome: String,
}

/// The registration for which AUTH may be requested.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names of the attributes")]
pub struct Chosen {
    pub registration: u64,
    pub at: i64,
    pub decline: Option<String>,
    pub hold_until: Option<i64>,
}

/// CAPTURED and CREDITED.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names of the attributes")]
pub struct Captured {
    pub registration: u64,
    pub at: i64,
    pub captured: u64,
    #[serde(default)]
    pub credited: u64,
    pub credited_at: Option<i64>,
    pub crediting: Option<Crediting>,
    pub annulment: Option<Annulment>,
}

/// A credit that is not confirmed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names of the attributes")]
pub struct Crediting {
    pub target: u64,
    pub sends: u64,
}

/// REJECTED and CANCELLED.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "the names of the attributes")]
pub struct Over {
    pub at: i64,
    /// Of CANCELLED.
    pub reason: Option<String>,
    /// Of REJECTED.
    pub decline: Option<String>,
    pub annulment: Option<Annulment>,
}

/// The obligation to annul authorizations.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "the names of the attributes")]
pub struct Annulment {
    pub registrations: Vec<u64>,
    pub unconfirmed: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    payment: u64,
    version: u64,
    organisation: u64,
    owner: String,
    order_id: String,
    order_version: u64,
    transactions: Vec<Transaction>,
    task_at: Option<i64>,
    #[serde(default)]
    notifications: Vec<Value>,
}

impl<'de> Deserialize<'de> for Payment {
    /// Reads `DynamoDB`'s JSON.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let attributes = Map::<String, Value>::deserialize(from)?;
        let plain = attributes.into_iter().map(|(name, value)| (name, plain(value))).collect();
        let read: Attributes =
            serde_json::from_value(Value::Object(plain)).map_err(serde::de::Error::custom)?;
        Ok(Self {
            id: read.payment,
            version: read.version,
            organisation: read.organisation,
            owner: read.owner,
            order: read.order_id,
            order_version: read.order_version,
            transactions: read.transactions,
            task_at: read.task_at,
            notifications: read.notifications.len(),
        })
    }
}

/// Converts an attribute value to JSON without types: `{"N": "7"}` becomes `7`.
fn plain(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let Some((kind, value)) = members.into_iter().next() else { return Value::Null };
    match (kind.as_str(), value) {
        ("N", Value::String(number)) => {
            serde_json::from_str(&number).unwrap_or(Value::String(number))
        }
        ("L", Value::Array(values)) => values.into_iter().map(plain).collect(),
        ("M", Value::Object(members)) => {
            members.into_iter().map(|(name, value)| (name, plain(value))).collect()
        }
        ("NULL", _) => Value::Null,
        (_, value) => value,
    }
}

impl Payment {
    /// The transactions with their ids, oldest first.
    pub fn transactions(&self) -> impl Iterator<Item = (u64, &Transaction)> {
        (self.id << 4..).zip(&self.transactions)
    }

    /// One transaction.
    #[must_use]
    pub fn transaction(&self, id: u64) -> Option<&Transaction> {
        self.transactions().find(|(number, _)| *number == id).map(|(_, transaction)| transaction)
    }

    /// The payment at an instant: with the changes that depend only on time.
    #[must_use]
    pub fn at(&self, now: i64) -> Self {
        let transactions = self.transactions.iter().map(|transaction| transaction.at(now));
        Self { transactions: transactions.collect(), ..self.clone() }
    }
}

impl Transaction {
    /// Until when it waits for a terminal, and for an authorization.
    const TIMEOUT: i64 = 24 * HOUR;

    fn at(&self, now: i64) -> Self {
        let mut transaction = self.clone();
        if let State::Initiated(initiated) = &self.state {
            transaction.state = initiated.after_decline(now);
        }
        let end = match &transaction.state {
            State::Created => Some((self.created_at + Self::TIMEOUT, "timedOut")),
            State::Initiated(initiated) => Some(initiated.end()),
            State::Captured(_) | State::Credited(_) | State::Rejected(_) | State::Cancelled(_) => {
                None
            }
        };
        if let Some((at, reason)) = end.filter(|(at, _)| *at <= now) {
            let reason = Some(reason.to_owned());
            transaction.state =
                State::Cancelled(Over { at, reason, decline: None, annulment: None });
        }
        transaction
    }

    /// The sums: captured and credited.
    #[must_use]
    pub fn sums(&self) -> (u64, u64) {
        self.captured().map_or((0, 0), |captured| (captured.captured, captured.credited))
    }

    /// The money, if it is captured.
    #[must_use]
    pub fn captured(&self) -> Option<&Captured> {
        match &self.state {
            State::Captured(captured) | State::Credited(captured) => Some(captured),
            State::Created | State::Initiated(_) | State::Rejected(_) | State::Cancelled(_) => None,
        }
    }

    /// Whether money can still be captured.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Created | State::Initiated(_))
    }

    /// Whether no other transaction can pay the order: it is live, or its money is captured.
    #[must_use]
    pub fn blocks_order(&self) -> bool {
        match self.state {
            State::Created | State::Initiated(_) | State::Captured(_) | State::Credited(_) => true,
            State::Rejected(_) | State::Cancelled(_) => false,
        }
    }

    /// Whether AUTH may be requested for a registration, or may have been requested: it is or was the chosen one.
    #[must_use]
    pub fn was_chosen(&self, number: u64) -> bool {
        let is_listed = |annulment: &Option<Annulment>| {
            annulment.as_ref().is_some_and(|one| one.registrations.contains(&number))
        };
        match &self.state {
            State::Created => false,
            State::Initiated(_) => self.registration(number).is_some_and(|one| one.auth_requested),
            State::Captured(captured) | State::Credited(captured) => {
                captured.registration == number || is_listed(&captured.annulment)
            }
            State::Rejected(over) | State::Cancelled(over) => is_listed(&over.annulment),
        }
    }
}

impl Transaction {
    fn registration(&self, number: u64) -> Option<&Registration> {
        let State::Initiated(initiated) = &self.state else { return None };
        initiated.registrations.get(usize::try_from(number).ok()?)
    }

    /// Whether the service captures a registration without a request.
    #[must_use]
    pub fn has_auto_sale(&self, number: u64) -> bool {
        self.registration(number).is_some_and(|one| one.auto_sale)
    }

    /// Whether Nets authorizes a registration when the customer leaves the page.
    #[must_use]
    pub fn is_authorized_by_nets(&self, number: u64) -> bool {
        self.registration(number).is_some_and(|one| one.auto_sale && one.by == "customer")
    }

    /// Whether a credit is stored that is not confirmed.
    #[must_use]
    pub fn has_credit_in_progress(&self) -> bool {
        self.captured().is_some_and(|captured| captured.crediting.is_some())
    }
}

impl Initiated {
    /// When and why time cancels it.
    fn end(&self) -> (i64, &'static str) {
        match self.chosen.as_ref().and_then(|chosen| chosen.hold_until) {
            Some(hold_until) => (hold_until, "holdEnded"),
            None => (self.since + Transaction::TIMEOUT, "timedOut"),
        }
    }

    /// A decline that waited for another request takes effect a minute after the choice.
    fn after_decline(&self, now: i64) -> State {
        let initiated = || State::Initiated(self.clone());
        let Some(chosen) = &self.chosen else { return initiated() };
        let (at, (end, _)) = (chosen.at + MINUTE, self.end());
        let Some(decline) = chosen.decline.clone().filter(|_| at <= now && at < end) else {
            return initiated();
        };
        let index = usize::try_from(chosen.registration).unwrap_or(usize::MAX);
        let by = self.registrations.get(index).map(|one| one.by.as_str()).unwrap_or_default();
        match (decline.as_str(), by) {
            ("soft", _) => State::Initiated(Self { chosen: None, ..self.clone() }),
            ("authenticationRequired", "customer") => {
                let mut after = Self { chosen: None, ..self.clone() };
                after.registrations[index].outcome = decline;
                State::Initiated(after)
            }
            _ => {
                State::Rejected(Over { at, reason: None, decline: Some(decline), annulment: None })
            }
        }
    }
}

//! The operations that clients request, and the callers.

use serde_json::{Value, json};

use super::payments::operation::PaymentOperation;

/// The permissions of every caller.
const PERMISSIONS: &str = "recurring-payments:les recurring-payments:opprett recurring-payments:endre recurring-payments:slett \
                           payments:les payments:opprett payments:endre";

/// The `ET-Client-Name` of every request.
pub const CLIENT_NAME: &str = "tests-proofs";

/// The `X-Correlation-Id` of the request of an invocation.
#[must_use]
pub fn correlation_id(invocation: u64) -> String {
    format!("proofs-{invocation}")
}

/// A caller, as the authorizer identifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The back end of another organisation.
    Partner(u64),
    /// An internal back end, which acts for an organisation.
    Internal(u64),
    /// A logged-in customer of an organisation.
    Traveller(u64, String),
    /// Unauthenticated: Nets, or a schedule.
    Unauthenticated,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `GET /v1/recurring-payments`, with the customer and `includeExpired`.
    List(String, bool),
    /// `GET …/{id}`.
    Get(u64),
    /// `GET …/{id}?wait=`, with the number of seconds.
    Wait(u64, u8),
    /// `POST /v1/recurring-payments`.
    Create(NewPayment),
    /// `PATCH …/{id}`.
    Update(u64, Change),
    /// `DELETE …/{id}`.
    End(u64),
    /// `PATCH …/{id}?dryRun=true`, or `DELETE …/{id}?dryRun=true` without a change.
    DryRun(u64, Option<Change>),
    /// `GET …/{id}/history`.
    History(u64),
    /// `POST …/{id}/terminal`, optionally with an idempotency key.
    Terminal(u64, Option<String>),
    /// `PUT …/{id}/authorize`.
    Authorize(u64),
    /// `DELETE /v1/customers/{customerNumber}/recurring-payments`.
    Erase(String),
    /// `POST /v1/netaxept/callback/{secret}`, with the transaction id.
    Callback(u64),
    /// The schedule `expire-recurring-payments`.
    Expire,
    /// The schedule `finish-terminals`.
    Finish,
    /// An operation on a payment, or the schedule of payments.
    Payment(PaymentOperation),
}

/// The request to create a recurring payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayment {
    /// The customer number. If the caller is a customer, the caller's number is used.
    pub customer: String,
    /// The nickname as sent.
    pub nickname: Option<String>,
    /// `isPrimary`.
    pub primary: Option<bool>,
    /// `Idempotency-Key`.
    pub key: Option<String>,
}

/// The request to change a recurring payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The new nickname; `Some(None)` removes it, `None` leaves it unchanged.
    pub nickname: Option<Option<String>>,
    /// `isPrimary`.
    pub primary: Option<bool>,
}

/// A call of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The caller.
    pub caller: Caller,
    /// The operation.
    pub operation: Operation,
    /// The instant, in milliseconds since 1970.
    pub now: i64,
}

impl Operation {
    /// The binary of the function.
    #[must_use]
    pub fn function(&self) -> &'static str {
        match self {
            Self::List(..) => "list-recurring-payments",
            Self::Get(_) | Self::Wait(..) => "get-recurring-payment",
            Self::Create(_) => "create-recurring-payment",
            Self::Update(..) | Self::DryRun(_, Some(_)) => "update-recurring-payment",
            Self::End(_) | Self::DryRun(_, None) => "end-recurring-payment",
            Self::History(_) => "get-history",
            Self::Terminal(..) => "create-terminal",
            Self::Authorize(_) => "authorize-recurring-payment",
            Self::Erase(_) => "erase-customer",
            Self::Callback(_) => "receive-netaxept-callback",
            Self::Expire => "expire-recurring-payments",
            Self::Finish => "finish-terminals",
            Self::Payment(operation) => operation.function(),
        }
    }

    /// The function, and whether the request is a dry run or waits, for the report.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Wait(..) => "get-recurring-payment?wait",
            Self::DryRun(_, Some(_)) => "update-recurring-payment?dryRun",
            Self::DryRun(_, None) => "end-recurring-payment?dryRun",
            Self::List(..)
            | Self::Get(_)
            | Self::Create(_)
            | Self::Update(..)
            | Self::End(_)
            | Self::History(_)
            | Self::Terminal(..)
            | Self::Authorize(_)
            | Self::Erase(_)
            | Self::Callback(_)
            | Self::Expire
            | Self::Finish
            | Self::Payment(_) => self.function(),
        }
    }

    /// The id of the recurring payment that the operation concerns.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        match self {
            Self::Get(id)
            | Self::Wait(id, _)
            | Self::Update(id, _)
            | Self::End(id)
            | Self::DryRun(id, _)
            | Self::History(id)
            | Self::Terminal(id, _)
            | Self::Authorize(id) => Some(*id),
            Self::Callback(transaction) => Some(transaction >> 4),
            Self::Payment(operation) => operation.card(),
            Self::List(..) | Self::Create(_) | Self::Erase(_) | Self::Expire | Self::Finish => None,
        }
    }

    /// The customer number in the request.
    #[must_use]
    pub fn customer(&self) -> Option<&str> {
        match self {
            Self::List(customer, _) | Self::Erase(customer) => Some(customer),
            Self::Create(new) => Some(&new.customer),
            Self::Get(_)
            | Self::Wait(..)
            | Self::Update(..)
            | Self::End(_)
            | Self::DryRun(..)
            | Self::History(_)
            | Self::Terminal(..)
            | Self::Authorize(_)
            | Self::Callback(_)
            | Self::Expire
            | Self::Finish
            | Self::Payment(_) => None,
        }
    }

    /// Whether it is the operation of a schedule.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        matches!(self, Self::Expire | Self::Finish | Self::Payment(PaymentOperation::Settle))
    }
}

impl Caller {
    /// The organisation that the caller acts for.
    #[must_use]
    pub fn organisation(&self) -> u64 {
        match self {
            Self::Partner(organisation)
            | Self::Internal(organisation)
            | Self::Traveller(organisation, _) => *organisation,
            Self::Unauthenticated => 0,
        }
    }

    /// The customer number, if the caller is a customer.
    #[must_use]
    pub fn customer(&self) -> Option<&str> {
        match self {
            Self::Traveller(_, customer) => Some(customer),
            Self::Partner(_) | Self::Internal(_) | Self::Unauthenticated => None,
        }
    }

    /// The authorizer's context.
    pub(super) fn context(&self) -> Option<Value> {
        let tenant = match self {
            Self::Partner(_) => "partner",
            Self::Internal(_) => "internal",
            Self::Traveller(..) => "traveller",
            Self::Unauthenticated => return None,
        };
        let mut context = json!({
            "tenant": tenant,
            "organisation": self.organisation().to_string(),
            "client": "proofs",
            "permissions": PERMISSIONS,
            "expiresAt": "253402300799",
        });
        if let Some(customer) = self.customer() {
            context["customerNumber"] = customer.into();
        }
        Some(context)
    }
}

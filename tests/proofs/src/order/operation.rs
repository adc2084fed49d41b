//! What clients ask for, and who they are.

use serde_json::{Value, json};

/// Who is calling, as the authorizer says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Another organisation's back end.
    Partner(u64),
    /// Our own back end, of an organisation.
    Internal(u64),
    /// A logged-in customer of an organisation.
    Traveller(u64, String),
    /// Nobody: Nets, or a schedule.
    Nobody,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `GET /v1/recurring-payments`: of whom, and whether with the EXPIRED ones.
    List(String, bool),
    /// `GET …/{id}`.
    Get(u64),
    /// `POST /v1/recurring-payments`.
    Create(NewPayment),
    /// `PATCH …/{id}`.
    Update(u64, Change),
    /// `DELETE …/{id}`.
    End(u64),
    /// `POST …/{id}/terminal`, with an idempotency key or without.
    Terminal(u64, Option<String>),
    /// `PUT …/{id}/authorize`.
    Authorize(u64),
    /// `DELETE /v1/customers/{customerNumber}/recurring-payments`.
    Erase(String),
    /// `POST /v1/netaxept/callback/{secret}`, with a transaction.
    Callback(u64),
    /// The schedule that makes durable what time has made.
    Expire,
    /// The schedule that looks at terminals.
    Finish,
}

/// A recurring payment to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayment {
    /// Whose, where the caller is not the customer.
    pub customer: String,
    /// What the customer calls it, as it is sent.
    pub nickname: Option<String>,
    /// `isPrimary`.
    pub primary: Option<bool>,
    /// `Idempotency-Key`.
    pub key: Option<String>,
}

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Another nickname, or none; absent: as it is.
    pub nickname: Option<Option<String>>,
    /// `isPrimary`.
    pub primary: Option<bool>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// By whom.
    pub caller: Caller,
    /// For what.
    pub operation: Operation,
    /// When, in milliseconds since 1970.
    pub now: i64,
}

impl Operation {
    /// The binary that answers it.
    #[must_use]
    pub fn function(&self) -> &'static str {
        match self {
            Self::List(..) => "list-recurring-payments",
            Self::Get(_) => "get-recurring-payment",
            Self::Create(_) => "create-recurring-payment",
            Self::Update(..) => "update-recurring-payment",
            Self::End(_) => "end-recurring-payment",
            Self::Terminal(..) => "create-terminal",
            Self::Authorize(_) => "authorize-recurring-payment",
            Self::Erase(_) => "erase-customer",
            Self::Callback(_) => "receive-netaxept-callback",
            Self::Expire => "expire-recurring-payments",
            Self::Finish => "finish-terminals",
        }
    }

    /// The recurring payment that it is about.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        match self {
            Self::Get(id)
            | Self::Update(id, _)
            | Self::End(id)
            | Self::Terminal(id, _)
            | Self::Authorize(id) => Some(*id),
            Self::Callback(transaction) => Some(transaction >> 4),
            Self::List(..) | Self::Create(_) | Self::Erase(_) | Self::Expire | Self::Finish => None,
        }
    }

    /// The customer that it names.
    #[must_use]
    pub fn customer(&self) -> Option<&str> {
        match self {
            Self::List(customer, _) | Self::Erase(customer) => Some(customer),
            Self::Create(new) => Some(&new.customer),
            Self::Get(_)
            | Self::Update(..)
            | Self::End(_)
            | Self::Terminal(..)
            | Self::Authorize(_)
            | Self::Callback(_)
            | Self::Expire
            | Self::Finish => None,
        }
    }

    /// Whether a schedule asks for it.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        matches!(self, Self::Expire | Self::Finish)
    }
}

impl Caller {
    /// The organisation whose customers are meant.
    #[must_use]
    pub fn organisation(&self) -> u64 {
        match self {
            Self::Partner(organisation)
            | Self::Internal(organisation)
            | Self::Traveller(organisation, _) => *organisation,
            Self::Nobody => 0,
        }
    }

    /// The customer, when it is one who is calling.
    #[must_use]
    pub fn customer(&self) -> Option<&str> {
        match self {
            Self::Traveller(_, customer) => Some(customer),
            Self::Partner(_) | Self::Internal(_) | Self::Nobody => None,
        }
    }

    /// What the authorizer says.
    pub(super) fn context(&self) -> Option<Value> {
        let tenant = match self {
            Self::Partner(_) => "partner",
            Self::Internal(_) => "internal",
            Self::Traveller(..) => "traveller",
            Self::Nobody => return None,
        };
        let mut context = json!({
            "tenant": tenant,
            "organisation": self.organisation().to_string(),
            "client": "proofs",
            "permissions": "recurring-payments:les recurring-payments:opprett recurring-payments:endre recurring-payments:slett",
            "expiresAt": "253402300799",
        });
        if let Some(customer) = self.customer() {
            context["customerNumber"] = customer.into();
        }
        Some(context)
    }
}

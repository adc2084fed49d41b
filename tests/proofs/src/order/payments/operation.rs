//! The operations on payments.

/// An operation on a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentOperation {
    /// `POST /v1/payments`.
    Create(NewOrder),
    /// `POST …/transactions/{id}/terminal`.
    Terminal(u64, ChargeTerminal),
    /// `PUT …/transactions/{id}/capture`.
    Capture(u64),
    /// `PUT …/transactions/{id}/cancel`.
    Cancel(u64),
    /// `PUT …/transactions/{id}/credit`, with the total in minor units. Without it, everything that is captured.
    Credit(u64, Option<u64>),
    /// `GET /v1/payments/{id}`.
    GetPayment(u64),
    /// `GET …/transactions/{id}`.
    GetTransaction(u64),
    /// `POST /v1/netaxept/callback/{secret}`, with Nets' id of a registration.
    Callback(RegistrationId),
    /// The schedule `settle-payments`.
    Settle,
}

/// The request to create a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// The order id. The order version is always 1.
    pub order: String,
    /// The amount in minor units of NOK.
    pub minor: u64,
    /// The recurring payment whose card is charged.
    pub card: u64,
}

/// The request to create a terminal of a transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChargeTerminal {
    /// Whether the merchant charges the card without the customer (`MIT_UCOF`).
    pub is_merchant: bool,
    /// `autoSale`.
    pub auto_sale: bool,
}

/// The id of a registration at Nets: `p{transactionId}-{number}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegistrationId {
    /// The transaction.
    pub transaction: u64,
    /// The number of the registration within the transaction.
    pub number: u64,
}

impl RegistrationId {
    /// Parses Nets' id. Returns `None` for a terminal session of a card setup.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (transaction, number) = text.strip_prefix('p')?.split_once('-')?;
        Some(Self { transaction: transaction.parse().ok()?, number: number.parse().ok()? })
    }
}

impl std::fmt::Display for RegistrationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p{}-{}", self.transaction, self.number)
    }
}

impl PaymentOperation {
    /// The binary of the function.
    #[must_use]
    pub fn function(&self) -> &'static str {
        match self {
            Self::Create(_) => "create-payment",
            Self::Terminal(..) => "create-payment-terminal",
            Self::Capture(_) => "capture-transaction",
            Self::Cancel(_) => "cancel-transaction",
            Self::Credit(..) => "credit-transaction",
            Self::GetPayment(_) => "get-payment",
            Self::GetTransaction(_) => "get-transaction",
            Self::Callback(_) => "receive-netaxept-callback",
            Self::Settle => "settle-payments",
        }
    }

    /// The transaction that the operation concerns.
    #[must_use]
    pub fn transaction(&self) -> Option<u64> {
        match self {
            Self::Terminal(id, _)
            | Self::Capture(id)
            | Self::Cancel(id)
            | Self::Credit(id, _)
            | Self::GetTransaction(id) => Some(*id),
            Self::Callback(registration) => Some(registration.transaction),
            Self::Create(_) | Self::GetPayment(_) | Self::Settle => None,
        }
    }

    /// The payment that the operation concerns.
    #[must_use]
    pub fn payment(&self) -> Option<u64> {
        match self {
            Self::GetPayment(id) => Some(*id),
            Self::Create(_)
            | Self::Terminal(..)
            | Self::Capture(_)
            | Self::Cancel(_)
            | Self::Credit(..)
            | Self::GetTransaction(_)
            | Self::Callback(_)
            | Self::Settle => self.transaction().map(|transaction| transaction >> 4),
        }
    }

    /// The recurring payment in the request.
    #[must_use]
    pub fn card(&self) -> Option<u64> {
        if let Self::Create(new) = self { Some(new.card) } else { None }
    }

    /// Whether it can request AUTH for a payment.
    #[must_use]
    pub fn can_authorize(&self, payment: u64) -> bool {
        match self {
            Self::Settle => true,
            Self::Capture(_) | Self::Callback(_) => self.payment() == Some(payment),
            Self::Create(_)
            | Self::Terminal(..)
            | Self::Cancel(_)
            | Self::Credit(..)
            | Self::GetPayment(_)
            | Self::GetTransaction(_) => false,
        }
    }
}

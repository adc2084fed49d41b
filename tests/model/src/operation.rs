//! What clients, Nets and the schedules set off.

use std::fmt;

/// A sequence within the one wallet of the model: which recurring payment.
pub type Place = u16;

/// One operation of one party. Parties are small scripts of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `GET`: reads, and writes nothing.
    List,
    /// `POST`: a new one, perhaps chosen as primary, perhaps with an idempotency key.
    Create {
        /// `isPrimary`.
        primary: bool,
        /// `Idempotency-Key`.
        key: Option<u8>,
    },
    /// `PATCH` with `isPrimary: true`.
    Choose(Place),
    /// `PATCH` with `isPrimary: false`.
    Unchoose(Place),
    /// `PATCH` with a nickname.
    Rename(Place, u8),
    /// `DELETE`.
    End(Place),
    /// Destroys what is stored of the customer.
    Erase,
    /// `POST …/terminal`.
    Open {
        /// Of which recurring payment.
        of: Place,
        /// `Idempotency-Key`.
        key: Option<u8>,
        /// With a `callbackUrl`.
        tell: bool,
    },
    /// `PUT …/authorize`.
    Authorize(Place),
    /// Nets calls back about a visit of this one.
    Callback(Place),
    /// A run of `finish-terminals` for the wallet.
    Finish,
    /// A run of `expire-recurring-payments` for the wallet.
    Expire,
}

impl Operation {
    /// Whether it asks Nets what became of visits.
    #[must_use]
    pub fn looks(self) -> bool {
        matches!(self, Self::Authorize(_) | Self::Callback(_) | Self::Finish)
    }

    /// Whether it is a request, which API Gateway gives 29 seconds, and not a run of a schedule.
    #[must_use]
    pub fn is_request(self) -> bool {
        !matches!(self, Self::Finish | Self::Expire)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |key: &Option<u8>| key.map_or(String::new(), |key| format!(" with key {key}"));
        match self {
            Self::List => write!(f, "list"),
            Self::Create { primary: true, key } => write!(f, "create as primary{}", with(key)),
            Self::Create { primary: false, key } => write!(f, "create{}", with(key)),
            Self::Choose(of) => write!(f, "choose {of}"),
            Self::Unchoose(of) => write!(f, "un-choose {of}"),
            Self::Rename(of, name) => write!(f, "call {of} \"{name}\""),
            Self::End(of) => write!(f, "end {of}"),
            Self::Erase => write!(f, "erase"),
            Self::Open { of, key, .. } => write!(f, "open a terminal of {of}{}", with(key)),
            Self::Authorize(of) => write!(f, "authorize {of}"),
            Self::Callback(of) => write!(f, "Nets' callback of {of}"),
            Self::Finish => write!(f, "finish-terminals"),
            Self::Expire => write!(f, "expire-recurring-payments"),
        }
    }
}

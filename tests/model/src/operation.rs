//! The operations of clients, Nets and the schedules.

use std::fmt;

/// The sequence number of a recurring payment in the model's only wallet.
pub type SequenceNumber = u16;

/// One operation of a process. The script of a process is a list of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `GET`: reads the wallet, without a write.
    List,
    /// `POST`: creates a recurring payment.
    Create {
        /// `isPrimary`.
        primary: bool,
        /// `Idempotency-Key`.
        key: Option<u8>,
    },
    /// `PATCH` with `isPrimary: true`.
    SetPrimary(SequenceNumber),
    /// `PATCH` with `isPrimary: false`.
    UnsetPrimary(SequenceNumber),
    /// `PATCH` with the nickname that has this number.
    Rename(SequenceNumber, u8),
    /// `DELETE`.
    End(SequenceNumber),
    /// Erases the customer's data.
    Erase,
    /// `POST …/terminal`.
    Open {
        /// The recurring payment.
        of: SequenceNumber,
        /// `Idempotency-Key`.
        key: Option<u8>,
        /// Whether the request has a `callbackUrl`.
        notify: bool,
    },
    /// `PUT …/authorize`.
    Authorize(SequenceNumber),
    /// Nets' callback about a session of this recurring payment.
    Callback(SequenceNumber),
    /// A run of `finish-terminals` for the wallet.
    Finish,
    /// A run of `expire-recurring-payments` for the wallet.
    Expire,
}

impl Operation {
    /// Whether the operation reconciles sessions with Nets.
    #[must_use]
    pub fn reconciles(self) -> bool {
        matches!(self, Self::Authorize(_) | Self::Callback(_) | Self::Finish)
    }

    /// Whether it is a request, which API Gateway limits to 29 seconds, and not a run of a schedule.
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
            Self::SetPrimary(of) => write!(f, "set {of} as primary"),
            Self::UnsetPrimary(of) => write!(f, "unset {of} as primary"),
            Self::Rename(of, name) => write!(f, "rename {of} to \"{name}\""),
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

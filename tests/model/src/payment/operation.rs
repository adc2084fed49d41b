//! The operations of clients, Nets, the schedule and operators on a payment.

use std::fmt;

use shared::domain::payment::Initiator;

/// One operation of a process. Transactions and registrations have the number of their attempt. Amounts are in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST`: creates the payment with this amount.
    Create(u64),
    /// `POST …/terminal`.
    Terminal {
        /// The transaction.
        of: u8,
        /// Who starts the charge.
        initiator: Initiator,
        /// `autoSale`.
        auto_sale: bool,
    },
    /// `PUT …/capture`.
    Capture(u8),
    /// `PUT …/cancel`.
    Cancel(u8),
    /// `PUT …/credit` with this total. None: everything that was captured.
    Credit(u8, Option<u64>),
    /// Nets' callback about a registration: the transaction and the number of the registration.
    Callback(u8, u8),
    /// A run of `settle-payments` for the payment.
    Settle,
    /// The card ends.
    EndCard,
    /// An operator refunds an amount in Netaxept Admin.
    Refund(u64),
}

impl Operation {
    /// Whether it is a request of a client or Nets' callback, which API Gateway limits to 29 seconds, and not a run of the schedule.
    #[must_use]
    pub fn is_request(self) -> bool {
        !matches!(self, Self::Settle)
    }

    /// Whether it is not a request of a client for this payment.
    #[must_use]
    pub fn is_unattended(self) -> bool {
        matches!(self, Self::Settle | Self::Callback(..))
    }

    /// Whether it may send CREDIT.
    #[must_use]
    pub fn may_credit(self) -> bool {
        matches!(self, Self::Credit(..) | Self::Settle)
    }

    /// Whether its first request is executed when it begins.
    #[must_use]
    pub fn begins_with_first_request(self) -> bool {
        !matches!(self, Self::Create(_))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(minor) => write!(f, "create {minor}"),
            Self::Terminal { of, initiator, auto_sale } => {
                let auto_sale = if *auto_sale { " with autoSale" } else { "" };
                write!(f, "open a terminal of {of} for the {initiator:?}{auto_sale}")
            }
            Self::Capture(of) => write!(f, "capture {of}"),
            Self::Cancel(of) => write!(f, "cancel {of}"),
            Self::Credit(of, Some(total)) => write!(f, "credit {total} of {of}"),
            Self::Credit(of, None) => write!(f, "credit everything of {of}"),
            Self::Callback(of, number) => write!(f, "Nets' callback of {of}-{number}"),
            Self::Settle => write!(f, "settle-payments"),
            Self::EndCard => write!(f, "end the card"),
            Self::Refund(minor) => write!(f, "refund {minor} at Nets"),
        }
    }
}

//! The representation of payments and transactions in responses (payments.md §1.3, §4.2).

use serde_json::{Value, json};

use super::item::{Payment, State, Transaction};
use crate::order::spec::instant;

/// Formats minor units: `10.00`.
pub(crate) fn amount(minor: u64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

impl State {
    /// The status in responses.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Initiated(_) => "INITIATED",
            Self::Captured(_) => "CAPTURED",
            Self::Credited(_) => "CREDITED",
            Self::Rejected(_) => "REJECTED",
            Self::Cancelled(_) => "CANCELLED",
        }
    }

    /// The `statusReason`.
    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Created | Self::Initiated(_) | Self::Captured(_) | Self::Credited(_) => None,
            Self::Rejected(over) => Some(match over.decline.as_deref() {
                Some("authenticationRequired") => "AUTHENTICATION_REQUIRED",
                _ => "DECLINED",
            }),
            Self::Cancelled(over) => Some(match over.reason.as_deref().unwrap_or_default() {
                "requested" => "REQUESTED",
                "atTerminal" => "TERMINAL_CANCELLED",
                "timedOut" => "TIMED_OUT",
                "holdEnded" => "HOLD_ENDED",
                "annulledAtNets" => "ANNULLED_AT_NETS",
                "cardNotActive" => "CARD_NOT_ACTIVE",
                "amountDiffers" => "AMOUNT_DIFFERS",
                _ => "unknown",
            }),
        }
    }
}

impl Payment {
    /// The body of `create-payment` and `get-payment`.
    #[must_use]
    pub(super) fn representation(&self) -> Value {
        let captured = self.transactions.iter().rev().find(|one| one.captured().is_some());
        let Some(decisive) = captured.or(self.transactions.last()) else { return Value::Null };
        let mut history: Vec<Value> = self.transactions().map(past_transaction).collect();
        history.reverse();
        json!({
            "paymentId": self.id,
            "orderId": self.order,
            "orderVersion": self.order_version,
            "organisationId": self.organisation,
            "totalAmount": amount(decisive.amount),
            "currency": decisive.currency,
            "createdAt": instant(self.transactions[0].created_at),
            "status": decisive.state.status(),
            "transactionHistory": history,
        })
    }

    /// The body of the responses about one transaction.
    #[must_use]
    pub(super) fn transaction_representation(&self, id: u64) -> Option<Value> {
        let transaction = self.transaction(id)?;
        let (captured, credited) = transaction.sums();
        let mut body = past_transaction((id, transaction));
        body["paymentId"] = self.id.into();
        body["paymentTypeGroup"] = "PAYMENTCARD".into();
        body["cardNumber"] = transaction.last_four.as_str().into();
        body["summary"] = json!({
            "capturedAmount": amount(captured),
            "creditedAmount": amount(credited),
            "remainingAmountToCapture": amount(transaction.amount.saturating_sub(captured)),
            "remainingAmountToCredit": amount(captured.saturating_sub(credited)),
        });
        body["operationLog"] = transaction.operations();
        if let Some(reason) = transaction.state.reason() {
            body["statusReason"] = reason.into();
        }
        Some(body)
    }
}

fn past_transaction((id, transaction): (u64, &Transaction)) -> Value {
    json!({
        "transactionId": id,
        "amount": amount(transaction.amount),
        "currency": transaction.currency,
        "status": transaction.state.status(),
        "paymentType": transaction.card_type,
        "recurringPaymentId": transaction.recurring_payment,
        "createdAt": instant(transaction.created_at),
    })
}

impl Transaction {
    /// The successful operations, oldest first.
    fn operations(&self) -> Value {
        let operation = |name: &str, minor, at| json!({ "operation": name, "amount": amount(minor), "createdAt": instant(at) });
        let mut operations = vec![operation("CREATE", self.amount, self.created_at)];
        operations.extend(self.initiated_at.map(|at| operation("INITIATE", self.amount, at)));
        match &self.state {
            State::Created | State::Initiated(_) => {}
            State::Captured(captured) | State::Credited(captured) => {
                operations.push(operation("CAPTURE", captured.captured, captured.at));
                let credited = captured.credited_at.filter(|_| captured.credited > 0);
                operations.extend(credited.map(|at| operation("CREDIT", captured.credited, at)));
            }
            State::Rejected(over) => operations.push(operation("REJECT", self.amount, over.at)),
            State::Cancelled(over) => operations.push(operation("CANCEL", self.amount, over.at)),
        }
        operations.into()
    }
}

//! The rules for responses: each shows a version that the invocation read or wrote.

use serde_json::Value;

use super::item::{Payment, State, Transaction};
use super::operation::PaymentOperation;
use crate::order::lambda::Response;
use crate::order::spec::{DAY, HOUR, MINUTE, instant};

/// How long a terminal of the customer can be used.
const LIFETIME: i64 = 15 * MINUTE;
/// How long a terminal of the merchant can be used.
const LIFETIME_OF_MERCHANT: i64 = 24 * HOUR;

/// Whether a response is correct for an invocation that read or wrote this version, as of its instant. `None` means that there is
/// no such payment, or that the caller may not access it.
pub(super) fn matches(
    response: &Response,
    operation: &PaymentOperation,
    version: Option<&Payment>,
    now: i64,
) -> bool {
    let payment = version.map(|version| version.at(now));
    if response.status >= 400 {
        let problem = response.problem().unwrap_or_default();
        return is_problem(response)
            && is_refused(operation, payment.as_ref(), response.status, problem, now);
    }
    let Some(payment) = payment else { return false };
    let is_json = response.headers["content-type"] == "application/hal+json";
    is_json && is_success(response, operation, &payment)
}

fn is_problem(response: &Response) -> bool {
    response.body["status"] == response.status
        && response.headers["content-type"] == "application/problem+json"
}

fn is_success(response: &Response, operation: &PaymentOperation, payment: &Payment) -> bool {
    let shows = |id: u64| payment.transaction_representation(id).as_ref() == Some(&response.body);
    let state = operation.transaction().and_then(|id| payment.transaction(id));
    let state = state.map(|transaction| &transaction.state);
    let (is_ok, is_created) = (response.status == 200, response.status == 201);
    match operation {
        PaymentOperation::Create(_) => {
            // 201 if the request created the newest transaction.
            let location = response.headers["location"].as_str();
            let expected = format!("/v1/payments/{}", payment.id);
            let is_located = location == is_created.then_some(expected.as_str());
            (is_ok || is_created) && is_located && response.body == payment.representation()
        }
        PaymentOperation::GetPayment(_) => is_ok && response.body == payment.representation(),
        PaymentOperation::GetTransaction(id) => is_ok && shows(*id),
        PaymentOperation::Capture(id) => {
            is_ok && shows(*id) && matches!(state, Some(State::Captured(_) | State::Credited(_)))
        }
        PaymentOperation::Cancel(id) => {
            is_ok && shows(*id) && matches!(state, Some(State::Cancelled(_) | State::Rejected(_)))
        }
        PaymentOperation::Credit(id, target) => {
            let (captured, credited) =
                payment.transaction(*id).map(Transaction::sums).unwrap_or_default();
            let is_credited = captured > 0 && credited == target.unwrap_or(captured);
            is_ok && shows(*id) && is_credited
        }
        PaymentOperation::Terminal(id, _) => {
            is_created && is_terminal(&response.body, payment, *id)
        }
        PaymentOperation::Callback(_) | PaymentOperation::Settle => false,
    }
}

/// The terminal is that of a stored registration.
fn is_terminal(body: &Value, payment: &Payment, id: u64) -> bool {
    let Some(transaction) = payment.transaction(id) else { return false };
    let State::Initiated(initiated) = &transaction.state else { return false };
    let is_same = (&body["paymentId"], &body["transactionId"], &body["recurringPaymentId"])
        == (&payment.id.into(), &id.into(), &transaction.recurring_payment.into());
    let uri = body["terminalUri"].as_str().unwrap_or_default();
    let mut registrations = (0_u64..).zip(&initiated.registrations);
    is_same
        && registrations.any(|(number, registration)| {
            let is_customer = registration.by == "customer";
            let expires_at =
                registration.at + if is_customer { LIFETIME } else { LIFETIME_OF_MERCHANT };
            let has_page = uri.ends_with(&format!("transactionId=p{id}-{number}"));
            body["terminalExpiresAt"] == instant(expires_at) && has_page == is_customer
        })
}

/// Whether a refusal is true for this version.
fn is_refused(
    operation: &PaymentOperation,
    payment: Option<&Payment>,
    status: u16,
    problem: &str,
    now: i64,
) -> bool {
    let Some(payment) = payment else {
        // Whether the card of a new payment is ACTIVE is in the wallet.
        let is_new = matches!(operation, PaymentOperation::Create(_));
        return (status, problem) == (404, "not-found") || (is_new && problem == "not-active");
    };
    if let PaymentOperation::Create(new) = operation {
        let blocking = payment.transactions.iter().find(|one| one.blocks_order());
        let has_same_facts =
            |one: &Transaction| (one.amount, one.recurring_payment) == (new.minor, new.card);
        return match (status, problem) {
            (409, "order-has-payment") => blocking.is_some_and(|one| !has_same_facts(one)),
            (409, "annulment-pending" | "declined" | "no-transaction-left") => blocking.is_none(),
            // The order was paid with the card, or is not paid.
            (409, "not-active") => true,
            (404, "not-found") => true,
            _ => false,
        };
    }
    let Some(transaction) = operation.transaction().and_then(|id| payment.transaction(id)) else {
        return (status, problem) == (404, "not-found");
    };
    match operation {
        PaymentOperation::Terminal(..) => is_terminal_refused(transaction, status, problem),
        PaymentOperation::Capture(_) => is_capture_refused(transaction, status, problem),
        PaymentOperation::Cancel(_) => match (status, problem) {
            (409, "already-captured") => transaction.captured().is_some(),
            (409, "annulment-pending") => matches!(transaction.state, State::Cancelled(_)),
            _ => false,
        },
        PaymentOperation::Credit(_, target) => {
            status == 409 && is_credit_refused(transaction, *target, problem, now)
        }
        PaymentOperation::Create(_)
        | PaymentOperation::GetPayment(_)
        | PaymentOperation::GetTransaction(_)
        | PaymentOperation::Callback(_)
        | PaymentOperation::Settle => false,
    }
}

fn is_terminal_refused(transaction: &Transaction, status: u16, problem: &str) -> bool {
    let is_live = matches!(transaction.state, State::Created | State::Initiated(_));
    match (status, problem) {
        (409, "authorization-in-progress" | "no-terminal-left" | "no-agreement")
        | (429, "too-many-declines") => is_live,
        _ => is_over_as(transaction, status, problem),
    }
}

fn is_capture_refused(transaction: &Transaction, status: u16, problem: &str) -> bool {
    let is_initiated = matches!(transaction.state, State::Initiated(_));
    match (status, problem) {
        (409, "no-terminal") => is_initiated || transaction.state == State::Created,
        (409, "declined" | "authentication-required") => {
            is_initiated || matches!(transaction.state, State::Rejected(_))
        }
        (
            409,
            "terminal-open"
            | "terminal-timed-out"
            | "terminal-cancelled"
            | "authorization-in-progress"
            | "declined-for-now"
            | "annulment-pending",
        ) if is_initiated => true,
        (429, "too-many-declines") => is_initiated,
        (409, "annulment-pending") => matches!(transaction.state, State::Cancelled(_)),
        (409, "already-captured") => false,
        _ => is_over_as(transaction, status, problem),
    }
}

/// The refusal of an action on a transaction that is captured or over.
fn is_over_as(transaction: &Transaction, status: u16, problem: &str) -> bool {
    let expected = match &transaction.state {
        State::Created | State::Initiated(_) => return false,
        State::Captured(_) | State::Credited(_) => "already-captured",
        State::Rejected(over) => match over.decline.as_deref() {
            Some("authenticationRequired") => "authentication-required",
            _ => "declined",
        },
        State::Cancelled(over) => match over.reason.as_deref() {
            Some("cardNotActive") => "not-active",
            Some("atTerminal") => "terminal-cancelled",
            _ => "cancelled",
        },
    };
    (status, problem) == (409, expected)
}

fn is_credit_refused(
    transaction: &Transaction,
    target: Option<u64>,
    problem: &str,
    now: i64,
) -> bool {
    let (captured, credited) = transaction.sums();
    let target = target.unwrap_or(captured);
    match problem {
        "not-captured" => captured == 0,
        "credit-above-captured" => 0 < captured && captured < target,
        "credit-below-credited" => target < credited,
        "credit-in-progress" => transaction.captured().is_some_and(|one| one.crediting.is_some()),
        "credit-refused" => 0 < captured,
        "too-many-credits" => 0 < captured && target < captured,
        "credit-too-late" => transaction.captured().is_some_and(|one| one.at + 365 * DAY <= now),
        _ => false,
    }
}

//! Stored items of payments, one or more for every state. Each is what an earlier version wrote, and what this version writes.

use serde_json::{Value, json};

use super::{NOW, at, attempt, contents, number, transaction};
use crate::domain::id::{PaymentId, PaymentTransactionId};
use crate::domain::notification::{DeliveryAttempts, Notification, PaymentEvent, PaymentEventKind};
use crate::domain::payment::{
    Annulment, Captured, Chosen, Contents, Crediting, Initiated, Initiator, Registration,
    RegistrationOutcome, Schedule, State, Transaction,
};
use crate::domain::text::CallbackUrl;
use crate::error::{CancelReason, Decline};

/// The fixture of a stored payment with one transaction. `entry` is `taskAt`.
pub(super) fn fixture(state: &Value, more: &Value, entry: Option<i64>) -> Value {
    let mut transaction = json!({
        "createdAt": number(NOW), "amount": { "N": "10050" }, "currency": { "S": "NOK" },
        "recurringPayment": { "N": "4711" }, "cardType": { "S": "VISA" }, "lastFour": { "S": "0004" },
        "state": state,
    });
    let members = more.as_object().unwrap().clone();
    transaction.as_object_mut().unwrap().extend(members);
    let mut item = json!({
        "schema": { "N": "1" }, "payment": { "N": "7171" }, "version": { "N": "1" }, "writes": { "B": "writing1" },
        "forgottenAt": { "N": "1829988000" }, "organisation": { "N": "1" }, "orderId": { "S": "DW2N19A6" },
        "orderVersion": { "N": "2" }, "orderHash": { "B": "o".repeat(32) }, "owner": { "B": "w".repeat(32) },
        "transactions": { "L": [{ "M": transaction }] },
    });
    if let Some(entry) = entry {
        item["taskShard"] = json!({ "N": "3" });
        item["taskAt"] = number(entry);
    }
    item
}

/// The outcome, its name in an item, and the same for the other enums.
const OUTCOMES: [(RegistrationOutcome, &str); 5] = [
    (RegistrationOutcome::Open, "open"),
    (RegistrationOutcome::NeverRegistered, "neverRegistered"),
    (RegistrationOutcome::Cancelled, "cancelled"),
    (RegistrationOutcome::AuthenticationRequired, "authenticationRequired"),
    (RegistrationOutcome::Annulled, "annulled"),
];
const DECLINES: [(Decline, &str); 3] = [
    (Decline::AuthenticationRequired, "authenticationRequired"),
    (Decline::Soft, "soft"),
    (Decline::Hard, "hard"),
];
const REASONS: [(CancelReason, &str); 7] = [
    (CancelReason::Requested, "requested"),
    (CancelReason::AtTerminal, "atTerminal"),
    (CancelReason::TimedOut, "timedOut"),
    (CancelReason::HoldEnded, "holdEnded"),
    (CancelReason::AnnulledAtNets, "annulledAtNets"),
    (CancelReason::CardNotActive, "cardNotActive"),
    (CancelReason::AmountDiffers, "amountDiffers"),
];

fn annulment(reconcile_at: Option<i64>) -> (Annulment, Value) {
    let annulment = Annulment {
        registrations: vec![attempt(2), attempt(0)],
        unconfirmed: reconcile_at.map(|_| attempt(2)),
        schedule: Schedule { since: at(5), reconcile_at: reconcile_at.map(at) },
    };
    let mut stored =
        json!({ "registrations": { "L": [{ "N": "2" }, { "N": "0" }] }, "since": number(NOW + 5) });
    if let Some(reconcile_at) = reconcile_at {
        stored["unconfirmed"] = json!({ "N": "2" });
        stored["reconcileAt"] = number(NOW + reconcile_at);
    }
    (annulment, json!({ "M": stored }))
}

/// A transaction, and the item of a payment that has only this transaction.
pub(super) type Fixture = (Transaction, Value);

fn initiated_fixtures() -> Vec<Fixture> {
    let registrations = OUTCOMES.iter().enumerate().map(|(index, (outcome, name))| {
        let (initiator, by) = if index == 0 {
            (Initiator::Merchant, "merchant")
        } else {
            (Initiator::Customer, "customer")
        };
        let auth_requested = index == 0;
        let mut stored =
            json!({ "at": number(NOW + 1), "by": { "S": by }, "outcome": { "S": name } });
        if auth_requested {
            stored["authRequested"] = json!({ "BOOL": true });
        }
        let registration = Registration {
            opened_at: at(1),
            initiator,
            auth_requested,
            auto_sale: false,
            outcome: *outcome,
        };
        (registration, json!({ "M": stored }))
    });
    let (registrations, stored): (Vec<_>, Vec<_>) = registrations.unzip();
    let schedule = Schedule { since: at(1), reconcile_at: Some(at(60_001)) };
    let initiated = |chosen, schedule| Transaction {
        initiated_at: Some(at(1)),
        soft_declines: vec![at(2), at(3)],
        ..transaction(State::Initiated(Initiated {
            registrations: registrations.clone(),
            chosen,
            schedule,
        }))
    };
    let more = json!({ "initiatedAt": number(NOW + 1), "softDeclines": { "L": [number(NOW + 2), number(NOW + 3)] } });
    let state = |more: Value| {
        let mut state = json!({ "registrations": { "L": stored }, "since": number(NOW + 1) });
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "M": { "initiated": { "M": state } } })
    };
    let chosen = |is_shared, decline, hold_until| {
        Some(Chosen { registration: attempt(0), at: at(4), is_shared, decline, hold_until })
    };
    let stored_chosen = |more: Value| {
        let mut chosen = json!({ "registration": { "N": "0" }, "at": number(NOW + 4) });
        chosen.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "reconcileAt": number(NOW + 60_001), "chosen": { "M": chosen } })
    };
    let hour = 3_600_000;
    let mut fixtures = vec![
        (
            initiated(None, Schedule { reconcile_at: None, ..schedule }),
            fixture(&state(json!({})), &more, None),
        ),
        (
            initiated(chosen(false, None, None), schedule),
            fixture(&state(stored_chosen(json!({}))), &more, Some(NOW + 60_001)),
        ),
        (
            initiated(chosen(false, None, Some(at(hour))), schedule),
            fixture(
                &state(stored_chosen(json!({ "holdUntil": number(NOW + hour) }))),
                &more,
                Some(NOW + 60_001),
            ),
        ),
    ];
    fixtures.extend(DECLINES.map(|(decline, name)| {
        let stored = json!({ "isShared": { "BOOL": true }, "decline": { "S": name } });
        let fixture = fixture(&state(stored_chosen(stored)), &more, Some(NOW + 60_001));
        (initiated(chosen(true, Some(decline), None), schedule), fixture)
    }));
    fixtures
}

/// The items that the first version wrote: without `autoSale`, credits and notifications.
pub(super) fn fixtures() -> Vec<Fixture> {
    let none = json!({});
    let (annulment, stored_annulment) = annulment(Some(70_000));
    let (done, stored_done) = self::annulment(None);
    let captured = |credited_minor, annulment: Option<&Annulment>| Captured {
        registration: attempt(1),
        at: at(9),
        captured_minor: 10_050,
        credited_minor,
        credited_at: (credited_minor > 0).then(|| at(10)),
        credits: 0,
        crediting: None,
        annulment: annulment.cloned(),
    };
    let stored = |name: &str, more: Value| {
        let mut captured = json!({ "registration": { "N": "1" }, "at": number(NOW + 9), "captured": { "N": "10050" } });
        captured.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "M": { name: { "M": captured } } })
    };
    let mut fixtures = initiated_fixtures();
    fixtures.extend([
        (transaction(State::Created), fixture(&json!({ "S": "created" }), &none, None)),
        (
            transaction(State::Captured(captured(0, None))),
            fixture(&stored("captured", json!({})), &none, None),
        ),
        (
            transaction(State::Captured(captured(50, Some(&annulment)))),
            fixture(
                &stored("captured", json!({ "credited": { "N": "50" }, "creditedAt": number(NOW + 10), "annulment": stored_annulment })),
                &none,
                Some(NOW + 70_000),
            ),
        ),
        (
            transaction(State::Credited(captured(10_050, Some(&done)))),
            fixture(
                &stored("credited", json!({ "credited": { "N": "10050" }, "creditedAt": number(NOW + 10), "annulment": stored_done })),
                &none,
                None,
            ),
        ),
    ]);
    fixtures.extend(DECLINES.map(|(decline, name)| {
        let state = State::Rejected { at: at(5), decline, annulment: Some(annulment.clone()) };
        let stored = json!({ "at": number(NOW + 5), "decline": { "S": name }, "annulment": stored_annulment });
        let stored = json!({ "M": { "rejected": { "M": stored } } });
        (transaction(state), fixture(&stored, &none, Some(NOW + 70_000)))
    }));
    fixtures.extend(REASONS.map(|(reason, name)| {
        let state = State::Cancelled { at: at(5), reason, annulment: None };
        let stored = json!({ "M": { "cancelled": { "M": { "at": number(NOW + 5), "reason": { "S": name } } } } });
        (transaction(state), fixture(&stored, &none, None))
    }));
    fixtures
}

/// A registration with `autoSale` is authorized by Nets, so it is chosen when it is opened.
pub(super) fn auto_sale_fixture() -> Fixture {
    let registration = |initiator, auth_requested| Registration {
        opened_at: at(1),
        initiator,
        auth_requested,
        auto_sale: true,
        outcome: RegistrationOutcome::Open,
    };
    let registrations =
        vec![registration(Initiator::Merchant, false), registration(Initiator::Customer, true)];
    let chosen = Chosen {
        registration: attempt(1),
        at: at(1),
        is_shared: false,
        decline: None,
        hold_until: None,
    };
    let schedule = Schedule { since: at(1), reconcile_at: Some(at(60_001)) };
    let transaction = Transaction {
        initiated_at: Some(at(1)),
        ..transaction(State::Initiated(Initiated { registrations, chosen: Some(chosen), schedule }))
    };
    let (merchant, customer) = (
        json!({ "M": { "at": number(NOW + 1), "by": { "S": "merchant" }, "autoSale": { "BOOL": true }, "outcome": { "S": "open" } } }),
        json!({ "M": { "at": number(NOW + 1), "by": { "S": "customer" }, "authRequested": { "BOOL": true }, "autoSale": { "BOOL": true }, "outcome": { "S": "open" } } }),
    );
    let state = json!({ "M": { "initiated": { "M": {
        "registrations": { "L": [merchant, customer] },
        "chosen": { "M": { "registration": { "N": "1" }, "at": number(NOW + 1) } },
        "since": number(NOW + 1), "reconcileAt": number(NOW + 60_001),
    } } } });
    let more = json!({ "initiatedAt": number(NOW + 1) });
    (transaction, fixture(&state, &more, Some(NOW + 60_001)))
}

/// A credit that was sent once, as a version without the number of credits wrote it, and one that Nets refused after its last send.
pub(super) fn credit_fixtures() -> Vec<Fixture> {
    let captured = |credits, crediting| {
        let (credited_minor, credited_at) = (50, Some(at(10)));
        let registration = attempt(1);
        let (at, captured_minor) = (at(9), 10_050);
        transaction(State::Captured(Captured {
            registration,
            at,
            captured_minor,
            credited_minor,
            credited_at,
            credits,
            crediting: Some(crediting),
            annulment: None,
        }))
    };
    let stored = |crediting: Value| {
        json!({
            "registration": { "N": "1" }, "at": number(NOW + 9), "captured": { "N": "10050" },
            "credited": { "N": "50" }, "creditedAt": number(NOW + 10), "crediting": { "M": crediting },
        })
    };
    let state = |captured: Value| json!({ "M": { "captured": { "M": captured } } });
    let schedule = Schedule { since: at(11), reconcile_at: Some(at(60_011)) };
    let sent =
        Crediting { target_minor: 3_000, sent_at: at(11), sends: 1, is_refused: false, schedule };
    let stored_sent = json!({
        "target": { "N": "3000" }, "sentAt": number(NOW + 11), "sends": { "N": "1" }, "since": number(NOW + 11),
        "reconcileAt": number(NOW + 60_011),
    });
    let schedule = Schedule { reconcile_at: Some(at(3_600_011)), ..schedule };
    let refused = Crediting { sent_at: at(12), sends: 5, is_refused: true, schedule, ..sent };
    let stored_refused = json!({
        "target": { "N": "3000" }, "sentAt": number(NOW + 12), "sends": { "N": "5" }, "isRefused": { "BOOL": true },
        "since": number(NOW + 11), "reconcileAt": number(NOW + 3_600_011),
    });
    let (stored_sent, mut stored_refused) = (stored(stored_sent), stored(stored_refused));
    stored_refused["credits"] = json!({ "N": "100" });
    let none = json!({});
    vec![
        (captured(0, sent), fixture(&state(stored_sent), &none, Some(NOW + 60_011))),
        (captured(100, refused), fixture(&state(stored_refused), &none, Some(NOW + 3_600_011))),
    ]
}

/// A cancelled transaction with undelivered notifications of each kind, in a payment that only this test can have. The address
/// of a notification is stored if it is not that of the transaction.
pub(super) fn notifications_fixture() -> (Contents, Value) {
    let callback = |address: &str| CallbackUrl::from_stored(address).unwrap();
    let (shop, other) = ("https://shop.example/hook", "https://other.example/");
    let notification = |to: &str, kind, milliseconds, attempts| Notification {
        callback_url: callback(to),
        subject: PaymentEvent {
            transaction_id: PaymentTransactionId::new(PaymentId::from_bits(7171), attempt(0)),
            kind,
        },
        occurred_at: at(milliseconds),
        attempts,
    };
    let attempts = DeliveryAttempts { first_at: at(6), count: 2, next_at: at(180_006) };
    let notifications = vec![
        notification(shop, PaymentEventKind::Captured, 5, Some(attempts)),
        notification(shop, PaymentEventKind::Rejected, 6, None),
        notification(other, PaymentEventKind::Cancelled, 7, None),
        notification(shop, PaymentEventKind::Credited { credited_minor: 3_000 }, 8, None),
    ];
    let state = State::Cancelled { at: at(5), reason: CancelReason::Requested, annulment: None };
    let transaction = Transaction { callback_url: Some(callback(shop)), ..transaction(state) };
    let state = json!({ "M": { "cancelled": { "M": { "at": number(NOW + 5), "reason": { "S": "requested" } } } } });
    let mut item = fixture(&state, &json!({ "callback": { "S": shop } }), Some(NOW + 6));
    let stored = |event: Value, milliseconds: i64, more: Value| {
        let mut stored = json!({ "transaction": { "N": "0" }, "event": event, "occurredAt": number(NOW + milliseconds) });
        stored.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "M": stored })
    };
    let attempts = json!({ "M": { "firstAt": number(NOW + 6), "made": { "N": "2" }, "nextAt": number(NOW + 180_006) } });
    item["notifications"] = json!({ "L": [
        stored(json!({ "S": "captured" }), 5, json!({ "attempts": attempts })),
        stored(json!({ "S": "rejected" }), 6, json!({})),
        stored(json!({ "S": "cancelled" }), 7, json!({ "to": { "S": other } })),
        stored(json!({ "M": { "credited": { "N": "3000" } } }), 8, json!({})),
    ] });
    (Contents { notifications, ..contents(transaction) }, item)
}

//! The rules for the delivery of lifecycle events: attempts, removal, and what the inbox receives.

use serde_json::Value;

use super::*;

/// The inbox after deliveries of an event.
fn inbox_after(events: &Events, is_accepted: bool) -> Inbox {
    let mut inbox = Inbox::default();
    inbox.record(events);
    for StoredEvent { event, .. } in &events.stored {
        let (id, body) = (event.id(), event.body());
        inbox.receive(&Delivery { id, body, is_accepted }).unwrap();
    }
    inbox
}

#[test]
fn an_event_is_removed_only_after_its_delivery() {
    let attempts = |count| DeliveryAttempts { first_at: END, count, next_at: END + 72 * HOUR };
    let mut before = stored([event(END, EventKind::Expired(card_event(true)))]);
    before.stored[0].attempts = Some(attempts(21));
    let rename = Operation::Update(id(2), Change { nickname: None, primary: None });
    let (finish, expire, erase) =
        (Operation::Finish, Operation::Expire, Operation::Erase("4711".to_owned()));
    let authorize = Operation::Authorize(id(2));
    let over = 72 * HOUR;
    for (operation, is_accepted, waited, is_correct) in [
        (&finish, true, MINUTE, true),
        (&expire, true, MINUTE, true),
        (&authorize, true, MINUTE, false),
        (&rename, true, MINUTE, false),
        (&finish, false, MINUTE, false),
        (&expire, false, MINUTE, false),
        (&finish, false, over - 1, false),
        (&finish, false, over, true),
        (&expire, false, over, false),
        (&rename, false, over, false),
        (&erase, false, MINUTE, true),
    ] {
        let mut previous = two_cards().at(END);
        previous.payments.remove(0);
        let inbox = inbox_after(&before, is_accepted);
        let events = [&before, &Events::default()];
        let checked = check_after(&previous, events, operation, END + waited, &inbox);
        assert_eq!(checked.is_ok(), is_correct, "{operation:?} {is_accepted} {waited}");
    }
}

#[test]
fn an_attempt_is_begun_when_it_is_due_by_a_schedule_that_delivers() {
    let rename = Operation::Update(id(2), Change { nickname: None, primary: None });
    let (finish, expire) = (Operation::Finish, Operation::Expire);
    let at = |minutes: i64| END + minutes * MINUTE;
    let attempts = |first_at, count, next_at| Some(DeliveryAttempts { first_at, count, next_at });
    let first = attempts(at(0), 1, at(1));
    let ninth = attempts(at(0), 9, at(511));
    let last = attempts(at(0), 20, at(72 * 60 + 1));
    for (before, operation, now, after, is_correct) in [
        (None, &finish, at(0), first, true),
        (None, &expire, at(0), first, true),
        (None, &rename, at(0), first, false),
        (None, &rename, at(0), None, true),
        (None, &finish, at(0), attempts(at(0), 1, at(2)), false),
        (None, &finish, at(0), attempts(at(0), 2, at(1)), false),
        (None, &finish, END - 1, attempts(END - 1, 1, END - 1 + MINUTE), false),
        (first, &finish, at(1), attempts(at(0), 2, at(3)), true),
        (first, &finish, at(1) - 1, attempts(at(0), 2, at(3) - 1), false),
        (first, &finish, at(1), attempts(at(1), 2, at(3)), false),
        (first, &finish, at(1), attempts(at(0), 3, at(3)), false),
        (first, &finish, at(1), None, false),
        (ninth, &finish, at(600), attempts(at(0), 10, at(600 + 360)), true),
        (last, &finish, at(72 * 60 + 1), attempts(at(0), 21, at(78 * 60 + 1)), false),
    ] {
        let mut previous = two_cards().at(END);
        previous.payments.remove(0);
        let [before, after] = [before, after].map(|attempts| {
            let mut events = stored([event(END, EventKind::Expired(card_event(true)))]);
            events.stored[0].attempts = attempts;
            events
        });
        let checked = check_after(&previous, [&before, &after], operation, now, &Inbox::default());
        assert_eq!(checked.is_ok(), is_correct, "{operation:?} {now} {before:?} {after:?}");
    }
}

/// 16 events of a kind are stored, and one more is added: the oldest of the kind is displaced.
#[test]
fn the_limit_displaces_the_oldest_event_of_a_kind() {
    let of = |number: i64| {
        let card = CardEvent { id: id(3), ..card_event(false) };
        event(START + number, EventKind::Expired(card))
    };
    let before = || (0..16).map(of).collect::<Vec<_>>();
    let previous = two_cards();
    let check = |removed: usize| {
        let mut after = before();
        after.remove(removed);
        let [expiring, expired, change] = three_events();
        let after = stored(after.into_iter().chain([expiring, expired, change]));
        let events = [&stored(before()), &after];
        let operation = Operation::Update(id(2), Change { nickname: None, primary: None });
        check_after(&previous, events, &operation, END, &Inbox::default())
    };
    assert_eq!(check(0).unwrap().displaced, 1);
    assert_violation(check(1).map(drop), "removed without delivery");
    let all = stored(before().into_iter().chain(three_events()));
    let all = [&stored(before()), &all];
    let kept = check_after(&previous, all, &Operation::Expire, END, &Inbox::default());
    assert_violation(kept.map(drop), "more than 16");
}

#[test]
fn a_delivery_has_the_body_of_the_stored_event() {
    let mut events = stored(three_events());
    let [expiring, _, change] = three_events();
    let body = json!({
        "id": "7169-expiring-1803945600000",
        "type": "recurring-payment.expiring",
        "recurringPaymentId": 7169,
        "recurringStatus": "ACTIVE",
        "primary": true,
        "expiresAt": "2027-04-01T00:00:00.000Z",
        "cardExpiresAt": "2027-04-01T00:00:00.000Z",
        "cause": "CARD",
        "paymentType": "VISA",
        "maskedPan": "0004",
        "occurredAt": "2027-03-02T00:00:00.000Z",
    });
    assert_eq!(expiring.body(), body);
    let changed = json!({
        "id": "7169-primary-changed-1806537600000",
        "type": "recurring-payment.primary-changed",
        "oldRecurringPaymentId": 7169,
        "newRecurringPaymentId": 7170,
        "reason": "EXPIRED",
        "occurredAt": "2027-04-01T00:00:00.000Z",
    });
    assert_eq!(change.body(), changed);
    let delivery = |id: &str, body: &Value| Delivery {
        id: id.to_owned(),
        body: body.clone(),
        is_accepted: false,
    };
    let mut inbox = Inbox::default();
    let receive = |inbox: &mut Inbox, body: &Value| inbox.receive(&delivery(&expiring.id(), body));
    assert_violation(receive(&mut inbox, &body), "that was not stored");
    inbox.record(&events);
    assert_violation(receive(&mut inbox, &body), "1 times with 0 attempts");
    let mut inbox = Inbox::default();
    events.stored[0].attempts =
        Some(DeliveryAttempts { first_at: END, count: 2, next_at: END + 2 * MINUTE });
    inbox.record(&events);
    receive(&mut inbox, &body).unwrap();
    receive(&mut inbox, &body).unwrap();
    assert!(!inbox.has_accepted(&expiring));
    assert_violation(receive(&mut inbox, &body), "3 times with 2 attempts");
    let mut other = body;
    other["primary"] = false.into();
    assert_violation(receive(&mut inbox, &other), "an event was delivered as");
}

//! Tests of lifecycle events: their instants, their order, and that they do not depend on when the wallet was updated.

use std::mem;
use std::sync::Arc;

use super::*;
use crate::domain::notification::{CardEvent, PrimaryChange, PrimaryChangeReason, queue};

const NOTICE: TimeDelta = TimeDelta::days(30);

pub(super) fn rules() -> Arc<LifecycleRules> {
    let address = CallbackUrl::try_from("https://shop.example/events").unwrap();
    Arc::new(LifecycleRules { notice: NOTICE, address })
}

fn wallet_with_rules() -> Wallet {
    wallet().with_lifecycle_rules(Some(rules()))
}

impl Wallet {
    /// Adds an ACTIVE recurring payment whose card is valid until the end of this month.
    fn add_until(&mut self, year: i32, month: u32) -> RecurringPaymentId {
        let id = self.add();
        self.activate(session_of(id), card_of(year, month), LIFETIME).unwrap();
        id
    }

    /// The lifecycle events as text, in order: the kind with the sequence numbers, and the instant.
    fn events(&self) -> Vec<(String, DateTime<Utc>)> {
        let events = self.contents.notifications.iter().filter_map(|one| {
            let text = match &one.subject {
                WalletEvent::Setup(_) => return None,
                WalletEvent::Expiring(event) => card_text("expiring", event),
                WalletEvent::Expired(event) => card_text("expired", event),
                WalletEvent::PrimaryChanged(change) => {
                    let [old, new] = [change.old, change.new].map(|id| id.sequence().number());
                    format!("{old} to {new} {}", change.reason.name())
                }
            };
            assert_eq!(one.callback_url, None, "the address is not stored");
            Some((text, one.occurred_at))
        });
        events.collect()
    }

    fn event_texts(&self) -> Vec<String> {
        self.events().into_iter().map(|(text, _)| text).collect()
    }
}

fn card_text(kind: &str, event: &CardEvent) -> String {
    let primary = if event.primary { " primary" } else { "" };
    let (number, cause) = (event.recurring_payment_id.sequence().number(), event.cause().name());
    format!("{kind} {number} {cause}{primary}")
}

fn texts(expected: &[(&str, &str)]) -> Vec<(String, DateTime<Utc>)> {
    expected.iter().map(|(text, at)| ((*text).to_owned(), instant(at))).collect()
}

#[test]
fn a_card_is_announced_once_before_its_expiry_and_again_when_it_expires() {
    let mut wallet = wallet_with_rules();
    wallet.add_until(2028, 2);
    let notice_at = instant("2028-01-31T00:00:00Z");
    assert_eq!((wallet.due().expiry, wallet.events()), (Some(notice_at), Vec::new()));
    assert_eq!(wallet.clone().at(notice_at - millisecond()).events(), []);
    wallet = wallet.at(notice_at);
    let expiring = ("expiring 1 CARD primary", "2028-01-31T00:00:00Z");
    assert_eq!(wallet.events(), texts(&[expiring]));
    assert_eq!(wallet.due(), Due { expiry: Some(card_expires_at()), task: Some(notice_at) });
    wallet = wallet.at(card_expires_at() - millisecond());
    assert_eq!(wallet.events(), texts(&[expiring]));
    wallet = wallet.at(card_expires_at());
    let expired = ("expired 1 CARD primary", "2028-03-01T00:00:00Z");
    assert_eq!(wallet.events(), texts(&[expiring, expired]));
    assert_eq!(wallet.due().expiry, None);
    assert_eq!(wallet.at(card_expires_at() + TimeDelta::days(999)).events().len(), 2);
}

/// The lifetime of the registration is over before the card is.
#[test]
fn the_cause_says_what_limits_the_expiry() {
    let mut wallet = wallet_with_rules();
    wallet.add_until(2030, 1);
    wallet = wallet.at(instant("2029-11-23T10:00:00Z"));
    assert_eq!(
        wallet.events(),
        texts(&[
            ("expiring 1 REGISTRATION primary", "2029-10-24T10:00:00Z"),
            ("expired 1 REGISTRATION primary", "2029-11-23T10:00:00Z"),
        ])
    );
}

#[test]
fn a_card_with_less_than_the_notice_left_is_announced_at_its_activation() {
    let mut wallet = wallet_with_rules();
    wallet.add_until(2026, 11);
    assert_eq!(wallet.events(), texts(&[("expiring 1 CARD primary", "2026-11-23T10:00:00Z")]));
    assert_eq!(wallet.due().expiry, Some(instant("2026-12-01T00:00:00Z")));
}

/// Sixteen cards that expire at the same instant. None of them becomes primary by the expiry of another one.
#[test]
fn sixteen_cards_of_one_month_have_sixteen_events_of_each_kind_in_order() {
    for extra in [false, true] {
        let mut wallet = wallet_with_rules();
        for _ in 0..Wallet::MAX_LIVE - 1 {
            wallet.add_until(2028, 2);
        }
        let sixteenth = if extra { wallet.add_lasting() } else { wallet.add_until(2028, 2) };
        wallet = wallet.at(card_expires_at());
        let last = u16::try_from(Wallet::MAX_LIVE).unwrap() - u16::from(extra);
        let primary = |number| if number == 1 { " primary" } else { "" };
        let of = |kind: &str| -> Vec<String> {
            (1..=last).map(|one| format!("{kind} {one} CARD{}", primary(one))).collect()
        };
        let mut expected = [of("expiring"), of("expired")].concat();
        if extra {
            expected.push("1 to 16 EXPIRED".to_owned());
        }
        assert_eq!(wallet.event_texts(), expected);
        assert_eq!(wallet.primary_id(), extra.then_some(sixteenth));
    }
}

/// Four cards expire one after the other, and the wallet is read only afterwards.
#[test]
fn a_wallet_that_was_not_updated_for_years_has_all_events_in_order() {
    let mut wallet = wallet_with_rules();
    for (year, month) in [(2027, 3), (2027, 1), (2027, 2), (2029, 1)] {
        wallet.add_until(year, month);
    }
    wallet = wallet.at(instant("2028-01-01T00:00:00Z"));
    assert_eq!(
        wallet.events(),
        texts(&[
            ("expiring 2 CARD", "2027-01-02T00:00:00Z"),
            ("expiring 3 CARD", "2027-01-30T00:00:00Z"),
            ("expired 2 CARD", "2027-02-01T00:00:00Z"),
            ("expired 3 CARD", "2027-03-01T00:00:00Z"),
            ("expiring 1 CARD primary", "2027-03-02T00:00:00Z"),
            ("expired 1 CARD primary", "2027-04-01T00:00:00Z"),
            ("1 to 4 EXPIRED", "2027-04-01T00:00:00Z"),
        ])
    );
}

/// A wallet with a primary CREATED recurring payment, number 1, and another CREATED one, number 2.
fn two_created() -> (Wallet, [RecurringPaymentId; 2]) {
    let mut wallet = wallet_with_rules();
    let ids = [wallet.add(), wallet.add()];
    (wallet, ids)
}

#[test]
fn another_primary_after_an_end_or_an_abandonment_is_an_event() {
    let (mut ended, ids) = two_created();
    ended.end(ids[0]).unwrap();
    assert_eq!(ended.events(), texts(&[("1 to 2 ENDED", "2026-11-23T10:00:00Z")]));
    ended.end(ids[1]).unwrap();
    assert_eq!(ended.event_texts(), ["1 to 2 ENDED"], "no other one remains");

    let (abandoned, _) = two_created();
    let together = abandoned.after(TimeDelta::days(3));
    assert_eq!(together.events(), [], "both are abandoned at the same instant");

    let (mut displaced, _) = two_created();
    for _ in 0..Wallet::MAX_CREATED - 1 {
        displaced.add();
    }
    assert_eq!(displaced.events(), texts(&[("1 to 2 ABANDONED", "2026-11-23T10:00:00Z")]));
}

/// The other one was created later, so it is still CREATED when the primary one is abandoned.
#[test]
fn an_abandoned_primary_is_replaced_by_one_that_was_created_later() {
    let mut wallet = wallet_with_rules();
    wallet.add();
    wallet = wallet.after(TimeDelta::hours(1));
    wallet.add();
    wallet = wallet.after(TimeDelta::days(3));
    assert_eq!(wallet.events(), texts(&[("1 to 2 ABANDONED", "2026-11-24T10:00:00Z")]));
}

#[test]
fn a_choice_a_first_card_and_an_erasure_are_no_change_of_the_primary() {
    let (mut wallet, ids) = two_created();
    wallet.update(ids[1], set_primary(true)).unwrap();
    wallet.create(new_primary()).unwrap();
    wallet.activate(session_of(ids[0]), card(), LIFETIME).unwrap();
    wallet.end(ids[1]).unwrap();
    assert_eq!(wallet.events(), [], "number 3 is primary by its choice all the time");
    let chosen = wallet.primary_id().unwrap();
    wallet.end(chosen).unwrap();
    assert_eq!(wallet.event_texts(), ["3 to 1 ENDED"]);
    wallet.erase();
    assert_eq!((wallet.events(), wallet.due()), (Vec::new(), Due { expiry: None, task: None }));
    wallet.add_until(2026, 11);
    assert_eq!(wallet.event_texts(), ["expiring 4 CARD primary"], "the rules stay");
}

/// A recurring payment that was ended is neither announced nor expired.
#[test]
fn an_ended_card_has_no_later_events() {
    let mut wallet = wallet_with_rules();
    let id = wallet.add_until(2028, 2);
    wallet.end(id).unwrap();
    assert_eq!(wallet.at(card_expires_at()).events(), []);
}

/// The same steps with and without rules: without them nothing more is stored, and nothing is due earlier.
#[test]
fn a_wallet_without_rules_has_no_events() {
    let mut wallet = wallet();
    let first = wallet.add_until(2028, 2);
    wallet.add_until(2026, 11);
    assert_eq!(wallet.due(), Due { expiry: Some(instant("2026-12-01T00:00:00Z")), task: None });
    wallet.end(first).unwrap();
    wallet = wallet.at(card_expires_at());
    assert_eq!((wallet.contents().notifications.as_slice(), wallet.due().task), (&[][..], None));
}

/// The address is configured later: what is still in the future has its events, and what is past has none.
#[test]
fn rules_that_are_added_later_apply_from_the_next_update() {
    let mut wallet = wallet();
    wallet.add_until(2028, 2);
    wallet.add_until(2027, 2);
    wallet = wallet.at(instant("2028-02-15T00:00:00Z")).with_lifecycle_rules(Some(rules()));
    assert_eq!(wallet.events(), []);
    wallet = wallet.after(TimeDelta::days(1));
    let expiring = ("expiring 1 CARD primary", "2028-01-31T00:00:00Z");
    assert_eq!(wallet.events(), texts(&[expiring]));
}

#[test]
fn a_request_delivers_only_the_end_of_its_setup() {
    let mut wallet = wallet_with_rules();
    let id = wallet.add();
    let session = wallet.open(id, Some(callback())).unwrap();
    let card = Reconciliation::Card(card_of(2026, 11));
    wallet.apply_reconciliation(&session, &card, LIFETIME).unwrap();
    let addresses = |attempts: Vec<Notification<WalletEvent>>| -> Vec<(String, CallbackUrl)> {
        attempts.into_iter().map(|one| (one.id(), one.callback_url)).collect()
    };
    let (activated, expiring) = (
        format!("{}-activated-1795428000000", session.transaction_id),
        format!("{id}-expiring-1795428000000"),
    );
    assert_eq!(addresses(wallet.begin_delivery_attempts(Some(id))), [(activated, callback())]);
    assert_eq!(wallet.due().task, Some(start()), "the schedule delivers the event");
    let events = addresses(wallet.begin_delivery_attempts(None));
    assert_eq!(events, [(expiring, rules().address.clone())]);
}

/// The organisation lost its address: the events are dropped, and the notification about the setup is not.
#[test]
fn events_without_an_address_are_dropped_and_never_attempted() {
    let mut wallet = wallet_with_rules();
    let id = wallet.add();
    let session = wallet.open(id, Some(callback())).unwrap();
    let card = Reconciliation::Card(card_of(2026, 11));
    wallet.apply_reconciliation(&session, &card, LIFETIME).unwrap();
    assert_eq!(wallet.clone().drop_undeliverable_events(), []);
    wallet = wallet.with_lifecycle_rules(None);
    assert_eq!(wallet.clone().begin_delivery_attempts(None).len(), 1);
    let dropped = wallet.drop_undeliverable_events();
    assert_eq!(
        dropped.iter().map(Notification::id).collect::<Vec<_>>(),
        [format!("{id}-expiring-1795428000000")]
    );
    assert_eq!((wallet.contents().notifications.len(), wallet.events()), (1, Vec::new()));
}

/// Each kind has its own maximum.
#[test]
fn many_changes_of_the_primary_do_not_displace_other_events() {
    let mut wallet = wallet_with_rules();
    for _ in 0..Wallet::MAX_LIVE - 2 {
        wallet.add_until(2026, 11);
    }
    for _ in 0..20 {
        let chosen = wallet.create(new_primary()).unwrap().id;
        wallet.end(chosen).unwrap();
    }
    // Activations within a millisecond are stored a millisecond apart.
    let events = wallet.after(TimeDelta::seconds(1)).event_texts();
    let count = |text: &str| events.iter().filter(|event| event.contains(text)).count();
    assert_eq!((count("expiring"), count("ENDED")), (Wallet::MAX_LIVE - 2, queue::MAX));
}

/// Receivers store the ids, so they must not change.
#[test]
fn the_id_of_an_event_names_the_recurring_payment_the_kind_and_the_instant() {
    let mut wallet = wallet_with_rules();
    wallet.add_until(2026, 11);
    wallet.add_until(2028, 2);
    wallet = wallet.at(instant("2026-12-01T00:00:00Z"));
    assert_eq!(
        wallet.contents().notifications.iter().map(Notification::id).collect::<Vec<_>>(),
        [
            "7169-expiring-1795428000000",
            "7169-expired-1796083200000",
            "7169-primary-changed-1796083200000"
        ]
    );
}

/// The events up to an instant, derived independently: from the same wallet without rules, a millisecond before and at each instant.
fn expected_events(wallet: &Wallet, until: DateTime<Utc>) -> Vec<(DateTime<Utc>, WalletEvent)> {
    let plain = wallet.clone().with_lifecycle_rules(None);
    let primary_at = |at: DateTime<Utc>| plain.clone().at(at).primary_id();
    let primary_before = |at: DateTime<Utc>| primary_at(at - millisecond());
    let (mut events, mut instants) = (Vec::new(), Vec::new());
    for payment in &wallet.contents.payments {
        let id = RecurringPaymentId::new(wallet.slot, payment.sequence);
        let State::Active { registration, notice_given, .. } = &payment.state else {
            let ends = payment.due_at(None).filter(|_| payment.is_live());
            instants.extend(ends);
            continue;
        };
        let event = |at: DateTime<Utc>| CardEvent {
            recurring_payment_id: id,
            expires_at: registration.expires_at,
            card: registration.card.clone(),
            primary: primary_before(at) == Some(id),
        };
        let notice_at = (registration.expires_at - NOTICE).max(registration.activated_at);
        if !notice_given {
            events.push((notice_at, WalletEvent::Expiring(event(notice_at))));
        }
        let expired = WalletEvent::Expired(event(registration.expires_at));
        events.push((registration.expires_at, expired));
        instants.push(registration.expires_at);
    }
    instants.sort_unstable();
    instants.dedup();
    for at in instants {
        let (Some(old), Some(new)) = (primary_before(at), primary_at(at)) else { continue };
        let view = plain.clone().at(at).view(old).unwrap();
        let reason = match view.status {
            RecurringStatus::Expired => PrimaryChangeReason::Expired,
            RecurringStatus::Cancelled => PrimaryChangeReason::Abandoned,
            RecurringStatus::Created | RecurringStatus::Active => continue,
        };
        events.push((at, WalletEvent::PrimaryChanged(PrimaryChange { old, new, reason })));
    }
    events.retain(|(at, _)| *at <= until);
    events
}

/// Checks the events of the time between the wallet's instant and a later one, also if it is updated in between.
pub(super) fn check_events(wallet: &Wallet, later: &Wallet) {
    let stored = |wallet: &Wallet| -> Vec<(DateTime<Utc>, WalletEvent)> {
        let notifications = wallet.contents.notifications.iter();
        notifications.map(|one| (one.occurred_at, one.subject.clone())).collect()
    };
    let is_event = |one: &(DateTime<Utc>, WalletEvent)| one.1.setup().is_none();
    let mut expected: Vec<_> = stored(wallet).into_iter().filter(is_event).collect();
    expected.extend(expected_events(wallet, later.now));
    expected.sort();
    for index in (0..expected.len()).rev() {
        let kind = mem::discriminant(&expected[index].1);
        let newer = expected[index + 1..].iter().filter(|one| mem::discriminant(&one.1) == kind);
        if newer.count() >= queue::MAX {
            expected.remove(index);
        }
    }
    let actual: Vec<_> = stored(later).into_iter().filter(is_event).collect();
    assert_eq!(actual, expected);
}

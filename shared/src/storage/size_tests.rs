//! Tests the size of a wallet: after ten thousand recurring payments, and at its maximum.

use chrono::{Months, TimeDelta};

use super::*;
use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use crate::domain::id::{Attempt, RecurringPaymentId, Sequence, Slot, TransactionId};
use crate::domain::notification::{
    CardEvent, Notification, PrimaryChange, PrimaryChangeReason, WalletEvent,
};
use crate::domain::terminal::{IdempotencyRecord, Reconciliation, TerminalSession};
use crate::domain::text::{CallbackUrl, Nickname};
use crate::domain::wallet::NewRecurringPayment;
use crate::secret::Secret;
use crate::storage::size;

/// A callback address of typical length, 60 characters.
const CALLBACK: &str = "https://shop.example/recurring-payments/done/470702716903312";

/// A card that expires after its registration. Its stored instants have the maximum length.
fn card() -> VerifiedCard {
    let card = Card {
        payment_type: PaymentType::Mastercard,
        last_four: LastFour::from_masked("0004").unwrap(),
        expiry: CardExpiry::new(2099, 12).unwrap(),
    };
    VerifiedCard { card, pan_hash: Secret::new("q5c+kh1Nc9Ewd0aBcDeFgHiJkIA=".to_owned()) }
}

/// The origin of a change with the longest texts of a caller.
fn longest_origin() -> Origin {
    let long = "x".repeat(36);
    let actor = Actor::Client { name: Label::cut(&long), channel: Label::cut(&long) };
    Origin { actor, correlation_id: Label::cut(&long) }
}

/// A customer whose wallet is as large as possible: with the longest nickname, and an idempotency key for each request.
struct Customer {
    wallet: Wallet,
    now: DateTime<Utc>,
    nickname: Nickname,
    callback: Option<CallbackUrl>,
    /// The number of requests.
    requests: u64,
    item: Option<Item>,
    /// The contents of the item.
    stored: Contents,
    /// The largest size of the item so far, in bytes.
    max_size: usize,
}

impl Customer {
    /// A customer whose nicknames are 64 times this letter.
    fn new(letter: char, callback: Option<&str>) -> Self {
        let now = "2026-11-23T10:00:00.123Z".parse().unwrap();
        let slot = Slot::new(u64::MAX);
        let wallet = Wallet::empty(slot, Organisation::new(u64::MAX), Owner([7; 32]), now);
        Self {
            stored: wallet.contents().clone(),
            wallet,
            now,
            nickname: Nickname::try_from(letter.to_string().repeat(64).as_str()).unwrap(),
            callback: callback.map(|address| CallbackUrl::try_from(address).unwrap()),
            requests: 0,
            item: None,
            max_size: 0,
        }
    }

    fn wait(&mut self, time: TimeDelta) {
        self.now += time;
        self.wallet = self.wallet.clone().at(self.now);
    }

    /// The hashes of a new idempotency key and of its request.
    fn new_key(&mut self) -> ([u8; 16], [u8; 16]) {
        self.requests += 1;
        let mut key = [0xff; 16];
        key[..8].copy_from_slice(&self.requests.to_be_bytes());
        (key, [0xff; 16])
    }

    fn create(&mut self) -> RecurringPaymentId {
        let new = NewRecurringPayment {
            nickname: Some(self.nickname.clone()),
            primary: true,
            idempotency: Some(self.new_key()),
        };
        self.wallet.create(new).unwrap().id
    }

    /// Opens a terminal, unless the limit of terminals in an hour is reached.
    fn open_terminal(&mut self, id: RecurringPaymentId) -> Option<TerminalSession> {
        let (key, request) = self.new_key();
        let idempotency = Some(IdempotencyRecord { key, request });
        self.wallet
            .open_terminal(id, self.callback.clone(), idempotency, true)
            .ok()
            .map(|opened| opened.session)
    }

    /// Enters a card and begins the delivery of the notification. `delivered` says whether the delivery succeeds.
    fn enter_card(&mut self, session: &TerminalSession, delivered: bool) {
        self.wallet
            .apply_reconciliation(session, &Reconciliation::Card(card()), Months::new(36))
            .unwrap();
        for notification in self.wallet.begin_delivery_attempts(None).iter().filter(|_| delivered) {
            self.wallet.remove_notification(&notification.id());
        }
    }

    fn write(&mut self) {
        self.requests += 1;
        let write_id = u64::MAX - self.requests;
        let item = Item::new(&self.wallet, self.item.as_ref(), write_id);
        let item = item.with_history(&self.stored, &self.wallet, &longest_origin());
        self.stored = self.wallet.contents().clone();
        let attributes = serde_dynamo::to_item(&item).unwrap();
        self.max_size = self.max_size.max(size::item_size(&attributes));
        self.item = Some(item);
    }

    /// The largest size in kilobytes, rounded up: the write units of that item.
    fn kilobytes(&self) -> usize {
        self.max_size.div_ceil(1024)
    }
}

/// The sizes in `docs/OPERATIONS.md`, without and with the history: cards without other data, each with two changes by a client whose
/// name has 11 characters and whose correlation id is a UUID.
#[test]
fn three_cards_and_their_history_cost_one_write_unit() {
    let actor = Actor::Client { name: Label::cut("company-app"), channel: None };
    let correlation_id = Label::cut("0a1b2c3d-4711-4e5f-8a9b-0c1d2e3f4a5b");
    let origin = Origin { actor, correlation_id };
    let now: DateTime<Utc> = "2026-11-23T10:00:00.123Z".parse().unwrap();
    let (mut sizes, mut version) = (Vec::new(), 0);
    for cards in 1..=4 {
        let mut wallet =
            Wallet::empty(Slot::new(u64::MAX), Organisation::new(1), Owner([7; 32]), now);
        let mut item: Option<Item> = None;
        let mut write = |wallet: &Wallet, before: &Contents| {
            version += 1;
            let next = Item::new(wallet, item.as_ref(), u64::MAX - version);
            let next = next.with_history(before, wallet, &origin);
            item = Some(next);
        };
        for _ in 0..cards {
            let before = wallet.contents().clone();
            let new = NewRecurringPayment { nickname: None, primary: false, idempotency: None };
            let id = wallet.create(new).unwrap().id;
            write(&wallet, &before);
            let before = wallet.contents().clone();
            let session = TransactionId::new(id, Attempt::try_from(0).unwrap());
            wallet.activate(session, card(), Months::new(36)).unwrap();
            write(&wallet, &before);
        }
        let item = item.unwrap();
        let whole = size::item_size(&item.write().unwrap());
        let without = Item { history: History::default(), ..item };
        sizes.push((size::item_size(&without.write().unwrap()), whole));
    }
    assert_eq!(sizes, [(341, 432), (533, 708), (725, 984), (917, 1260)]);
}

/// Creates and ends `turns` recurring payments, one after the other: some within seconds, some over days.
fn create_and_end(
    customer: &mut Customer,
    turns: usize,
    with_card: impl Fn(usize) -> bool,
    delivered: bool,
) {
    for turn in 0..turns {
        // Fifty within a minute; fifty that reach the limit of terminals in an hour; fifty over several days.
        customer.wait(match turn % 150 {
            0..50 => TimeDelta::milliseconds(1_001),
            50..100 => TimeDelta::milliseconds(370_003),
            _ => TimeDelta::milliseconds(17_000_007),
        });
        let id = customer.create();
        if let Some(session) = customer.open_terminal(id)
            && with_card(turn)
        {
            customer.wait(TimeDelta::milliseconds(11));
            customer.enter_card(&session, delivered);
        }
        customer.write();
        customer.wallet.end(id).unwrap();
        customer.write();
        let (ended, live) = (Wallet::MAX_ENDED, customer.wallet.list(false).len());
        assert!(customer.wallet.contents().payments.len() <= ended && live == 0);
    }
}

/// The first case has the longest nicknames with letters of two bytes, a card for each recurring payment, and delivered
/// notifications. Each change has the longest texts of a caller. The wallet stays below nine kilobytes. The other cases stop once the
/// wallet no longer grows. They have letters of four bytes, a card for every second one, or undelivered notifications.
#[test]
fn a_wallet_stays_under_nine_kilobytes_after_ten_thousand_recurring_payments() {
    for (letter, turns, each, delivered, kilobytes) in [
        ('ø', 10_000, 1, true, 9),
        ('💳', 500, 2, true, 10),
        ('💳', 500, 1, true, 11),
        ('ø', 500, 1, false, 11),
        ('💳', 500, 1, false, 13),
    ] {
        let mut customer = Customer::new(letter, Some(CALLBACK));
        create_and_end(&mut customer, turns, |turn| turn.is_multiple_of(each), delivered);
        let what = format!("{letter}, a card for each {each}th, delivered: {delivered}");
        assert_eq!(customer.kilobytes(), kilobytes, "{what}: {} bytes", customer.max_size);
    }
}

/// A wallet at all limits, within the lifetime of its idempotency keys: 16 ended recurring payments with a card, 11 with a card,
/// 5 without a card and with 16 terminals each, and 16 undelivered notifications.
fn fullest_customer(letter: char, callback: Option<&str>) -> Customer {
    let mut customer = Customer::new(letter, callback);
    let start = customer.now;
    let live = Wallet::MAX_LIVE - Wallet::MAX_CREATED;
    for turn in 0..Wallet::MAX_ENDED + live {
        customer.wait(TimeDelta::milliseconds(370_003));
        let id = customer.create();
        let session = customer.open_terminal(id).unwrap();
        customer.enter_card(&session, false);
        if turn < Wallet::MAX_ENDED {
            customer.wallet.end(id).unwrap();
        }
    }
    let waiting: Vec<_> = (0..Wallet::MAX_CREATED).map(|_| customer.create()).collect();
    for turn in 0..Wallet::MAX_CREATED * Attempt::COUNT {
        customer.wait(TimeDelta::milliseconds(370_003));
        customer.open_terminal(waiting[turn % Wallet::MAX_CREATED]).unwrap();
        customer.wallet.begin_delivery_attempts(None);
        customer.write();
    }
    let contents = customer.wallet.contents();
    let keyed = contents.payments.iter().filter(|payment| payment.idempotency.is_some());
    let terminals = contents.payments.iter().flat_map(RecurringPayment::terminals);
    assert_eq!((keyed.count(), terminals.count()), (32, 80));
    assert_eq!(contents.choices.len(), Wallet::MAX_LIVE);
    assert_eq!(contents.terminals_opened_at.len(), Wallet::MAX_CUSTOMER_TERMINALS_PER_HOUR);
    let attempted = contents.notifications.iter().filter(|one| one.attempts.is_some()).count();
    assert_eq!(attempted, callback.map_or(0, |_| Wallet::MAX_NOTIFICATIONS));
    assert!(customer.now - start < RecurringPayment::KEY_LIFETIME);
    customer
}

/// The size of a wallet is bounded, and far below the 400 KB that `DynamoDB` accepts. The addresses of notifications are the
/// largest part: each of 1,024 characters can be stored as twelve bytes.
#[test]
fn the_fullest_wallet_can_still_be_written() {
    let longest_ascii = format!("https://a/{}", "a".repeat(1_022));
    let longest = format!("https://a/{}", "💳".repeat(1_022));
    for (letter, callback, kilobytes) in [
        ('o', None, 21),
        ('ø', Some(CALLBACK), 26),
        ('💳', Some(CALLBACK), 30),
        ('💳', Some(&longest_ascii), 50),
        ('💳', Some(&longest), 280),
    ] {
        let customer = fullest_customer(letter, callback);
        assert_eq!(customer.kilobytes(), kilobytes, "{letter}: {} bytes", customer.max_size);
    }
}

/// The events of one kind, as many as a wallet stores, with delivery attempts.
fn events(kind: impl Fn(RecurringPaymentId) -> WalletEvent) -> Vec<WalletNotification> {
    let at = "2026-11-23T10:00:00.123Z".parse().unwrap();
    let id = RecurringPaymentId::new(Slot::new(u64::MAX), Sequence::NONE.next());
    let event = |_| Notification::new(None, kind(id), at).with_attempt_begun(at);
    (0..Wallet::MAX_NOTIFICATIONS).map(event).collect()
}

/// Lifecycle events store no address. All three kinds at their maximum add less than the notifications of setups.
#[test]
fn lifecycle_events_add_at_most_eight_kilobytes() {
    let card_event = |id| CardEvent {
        recurring_payment_id: id,
        expires_at: "2099-12-31T10:00:00.123Z".parse().unwrap(),
        card: card().card,
        primary: true,
    };
    let change = |id| PrimaryChange { old: id, new: id, reason: PrimaryChangeReason::Abandoned };
    let fullest = fullest_customer('💳', Some(CALLBACK));
    let size = |added: Vec<WalletNotification>| {
        let mut contents = fullest.wallet.contents().clone();
        contents.notifications.extend(added);
        let wallet = Wallet::new(fullest.wallet.slot(), contents, fullest.now);
        let item = Item::new(&wallet, fullest.item.as_ref(), u64::MAX);
        size::item_size(&serde_dynamo::to_item(&item).unwrap())
    };
    let (without, max) = (size(Vec::new()), Wallet::MAX_NOTIFICATIONS);
    let kinds = [
        events(|id| WalletEvent::Expiring(card_event(id))),
        events(|id| WalletEvent::Expired(card_event(id))),
        events(|id| WalletEvent::PrimaryChanged(change(id))),
    ];
    let bytes = kinds.clone().map(|kind| (size(kind) - without).div_ceil(max));
    assert_eq!(bytes, [175, 174, 142], "of one event");
    assert_eq!((size(kinds.concat()) - without).div_ceil(1024), 8);
}

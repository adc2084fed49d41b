//! How large a wallet becomes: after ten thousand recurring payments, and at the most.

use chrono::{Months, TimeDelta};

use super::*;
use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use crate::domain::id::{Attempt, RecurringPaymentId, Slot};
use crate::domain::terminal::{Asked, Finding, Visit};
use crate::domain::text::{CallbackUrl, Nickname};
use crate::domain::wallet::NewRecurringPayment;
use crate::secret::Secret;

#[path = "../../tests/storage/size.rs"]
mod size;

/// 60 characters, as such addresses are.
const TOLD: &str = "https://shop.example/recurring-payments/told/470702716903312";

/// A card that outlives its registration: all its instants are as long as can be.
fn card() -> VerifiedCard {
    let card = Card {
        payment_type: PaymentType::Mastercard,
        last_four: LastFour::of_masked("0004").unwrap(),
        expiry: CardExpiry::new(2099, 12).unwrap(),
    };
    VerifiedCard { card, pan_hash: Secret::new("q5c+kh1Nc9Ewd0aBcDeFgHiJkIA=".to_owned()) }
}

/// A customer who does everything that makes a wallet larger: the longest nickname, and a key for each request.
struct Customer {
    wallet: Wallet,
    now: DateTime<Utc>,
    nickname: Nickname,
    tell: Option<CallbackUrl>,
    /// How many requests there were.
    requests: u64,
    item: Option<Item>,
    /// How large it was at most, in bytes.
    most: usize,
}

impl Customer {
    /// One whose nicknames are 64 of these letters.
    fn new(letter: char, tell: Option<&str>) -> Self {
        let now = "2026-11-23T10:00:00.123Z".parse().unwrap();
        let slot = Slot::new(u64::MAX);
        Self {
            wallet: Wallet::empty(slot, Organisation::new(u64::MAX), Owner([7; 32]), now),
            now,
            nickname: Nickname::try_from(letter.to_string().repeat(64).as_str()).unwrap(),
            tell: tell.map(|address| CallbackUrl::try_from(address).unwrap()),
            requests: 0,
            item: None,
            most: 0,
        }
    }

    fn wait(&mut self, time: TimeDelta) {
        self.now += time;
        self.wallet = self.wallet.clone().at(self.now);
    }

    /// The hashes of another key, and of what is asked for.
    fn key(&mut self) -> ([u8; 16], [u8; 16]) {
        self.requests += 1;
        let mut key = [0xff; 16];
        key[..8].copy_from_slice(&self.requests.to_be_bytes());
        (key, [0xff; 16])
    }

    fn create(&mut self) -> RecurringPaymentId {
        let new = NewRecurringPayment {
            nickname: Some(self.nickname.clone()),
            primary: true,
            idempotency: Some(self.key()),
        };
        self.wallet.create(new).unwrap().id
    }

    /// A terminal, unless the customer has had all those of this hour.
    fn open(&mut self, id: RecurringPaymentId) -> Option<Visit> {
        let (key, request) = self.key();
        let asked = Some(Asked { key, request });
        self.wallet.open_terminal(id, self.tell.clone(), asked).ok().map(|opened| opened.visit)
    }

    /// The customer enters a card, and whoever is to be told of it is told; heard or not.
    fn enter(&mut self, visit: &Visit, heard: bool) {
        self.wallet.conclude(visit, &Finding::Card(card()), Months::new(36)).unwrap();
        for told in self.wallet.begin_tries(None).iter().filter(|_| heard) {
            self.wallet.heard(&told.id());
        }
    }

    fn write(&mut self) {
        self.requests += 1;
        let item = Item::new(&self.wallet, self.item.as_ref(), u64::MAX - self.requests);
        let attributes = serde_dynamo::to_item(&item).unwrap();
        self.most = self.most.max(size::of(&attributes));
        self.item = Some(item);
    }

    /// The kilobytes begun of what was largest: the units that writing it costs.
    fn kilobytes(&self) -> usize {
        self.most.div_ceil(1024)
    }
}

/// So many recurring payments, one after the other, each ended: some within seconds, some over days.
fn lives(customer: &mut Customer, turns: usize, with_card: impl Fn(usize) -> bool, heard: bool) {
    for turn in 0..turns {
        // Fifty within a minute; fifty that use up the terminals of their hour; fifty in their days.
        customer.wait(match turn % 150 {
            0..50 => TimeDelta::milliseconds(1_001),
            50..100 => TimeDelta::milliseconds(370_003),
            _ => TimeDelta::milliseconds(17_000_007),
        });
        let id = customer.create();
        if let Some(visit) = customer.open(id)
            && with_card(turn)
        {
            customer.wait(TimeDelta::milliseconds(11));
            customer.enter(&visit, heard);
        }
        customer.write();
        customer.wallet.end(id).unwrap();
        customer.write();
        let (ended, live) = (Wallet::ENDED, customer.wallet.list(false).len());
        assert!(customer.wallet.contents().payments.len() <= ended && live == 0);
    }
}

/// Ten thousand, with the longest nicknames in letters of two bytes, a card at each, and a receiver that hears: less than eight
/// kilobytes after each of them. The same as soon as it is as large as it becomes: with letters of four bytes and a card at every
/// second; at each, which is more; and with a receiver that never hears.
#[test]
fn after_ten_thousand_lives_a_wallet_is_under_eight_kilobytes() {
    for (letter, turns, each, heard, kilobytes) in [
        ('ø', 10_000, 1, true, 7),
        ('💳', 500, 2, true, 8),
        ('💳', 500, 1, true, 9),
        ('ø', 500, 1, false, 10),
        ('💳', 500, 1, false, 12),
    ] {
        let mut customer = Customer::new(letter, Some(TOLD));
        lives(&mut customer, turns, |turn| turn.is_multiple_of(each), heard);
        let what = format!("{letter}, a card at each {each}th, heard: {heard}");
        assert_eq!(customer.kilobytes(), kilobytes, "{what}: {} bytes", customer.most);
    }
}

/// All that rules allow in one wallet, within its keys' day: 16 that have ended with a card, 11 with a card, 5 that wait for
/// one after 16 terminals each, and 16 notifications that nobody hears.
fn fullest(letter: char, tell: Option<&str>) -> Customer {
    let mut customer = Customer::new(letter, tell);
    let begun = customer.now;
    let live = Wallet::LIVE - Wallet::OPEN;
    for turn in 0..Wallet::ENDED + live {
        customer.wait(TimeDelta::milliseconds(370_003));
        let id = customer.create();
        let visit = customer.open(id).unwrap();
        customer.enter(&visit, false);
        if turn < Wallet::ENDED {
            customer.wallet.end(id).unwrap();
        }
    }
    let waiting: Vec<_> = (0..Wallet::OPEN).map(|_| customer.create()).collect();
    for turn in 0..Wallet::OPEN * Attempt::COUNT {
        customer.wait(TimeDelta::milliseconds(370_003));
        customer.open(waiting[turn % Wallet::OPEN]).unwrap();
        customer.wallet.begin_tries(None);
        customer.write();
    }
    let contents = customer.wallet.contents();
    let keyed = contents.payments.iter().filter(|payment| payment.idempotency.is_some());
    let terminals = contents.payments.iter().flat_map(RecurringPayment::terminals);
    assert_eq!((keyed.count(), terminals.count()), (32, 80));
    assert_eq!(contents.choices.len(), Wallet::LIVE);
    assert_eq!(contents.opened.len(), Wallet::CUSTOMERS_TERMINALS_AN_HOUR);
    let told = contents.notifications.iter().filter(|told| told.tries.is_some()).count();
    assert_eq!(told, tell.map_or(0, |_| Wallet::NOTIFICATIONS));
    assert!(customer.now - begun < RecurringPayment::KEY_LIFETIME);
    customer
}

/// What a write costs is bounded, and far from the 400 KB that `DynamoDB` takes: no wallet becomes one that cannot be written.
/// What makes most of it are the addresses of notifications: 1,024 characters can be stored as twelve bytes each.
#[test]
fn the_fullest_wallet_can_still_be_written() {
    let longest_ascii = format!("https://a/{}", "a".repeat(1_022));
    let longest = format!("https://a/{}", "💳".repeat(1_022));
    for (letter, tell, kilobytes) in [
        ('o', None, 18),
        ('ø', Some(TOLD), 23),
        ('💳', Some(TOLD), 27),
        ('💳', Some(&longest_ascii), 47),
        ('💳', Some(&longest), 277),
    ] {
        let customer = fullest(letter, tell);
        assert_eq!(customer.kilobytes(), kilobytes, "{letter}: {} bytes", customer.most);
    }
}

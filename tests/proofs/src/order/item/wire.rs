//! The attributes of an item, in `DynamoDB`'s JSON.

mod events;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::str::FromStr;

use serde::Deserialize;

use crate::order::spec::{Card, Key, Outcome, Payment, Reason, State, TerminalSession, Wallet};
use events::StoredNotification;

#[derive(Deserialize)]
struct Number<'a> {
    #[serde(rename = "N", borrow)]
    n: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(rename = "S", borrow)]
    s: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Bytes<'a> {
    #[serde(rename = "B", borrow)]
    b: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Flag {
    #[serde(rename = "BOOL")]
    flag: bool,
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(rename = "L")]
    l: Vec<T>,
}

#[derive(Deserialize)]
struct Map<T> {
    #[serde(rename = "M")]
    m: T,
}

#[derive(Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow)]
    slot: Number<'a>,
    version: Number<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item<'a> {
    #[serde(borrow)]
    slot: Number<'a>,
    version: Number<'a>,
    organisation: Number<'a>,
    owner: Bytes<'a>,
    last_sequence: Number<'a>,
    choices: List<Number<'a>>,
    payments: List<Map<StoredPayment<'a>>>,
    notifications: Option<List<Map<StoredNotification<'a>>>>,
    opened: Option<List<Number<'a>>>,
    expiry_at: Option<Number<'a>>,
    task_at: Option<Number<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredPayment<'a> {
    #[serde(borrow)]
    sequence: Number<'a>,
    created_at: Number<'a>,
    nickname: Option<Text<'a>>,
    key: Option<Map<StoredKey>>,
    state: Map<StoredState<'a>>,
}

#[derive(Deserialize)]
struct StoredKey {
    primary: Flag,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum StoredState<'a> {
    #[serde(borrow)]
    Created(Map<Created<'a>>),
    Active(Map<Active<'a>>),
    Expired(Map<Expired<'a>>),
    Cancelled(Map<Cancelled<'a>>),
}

#[derive(Deserialize)]
struct Created<'a> {
    #[serde(borrow)]
    terminals: Option<List<Map<StoredTerminalSession<'a>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Active<'a> {
    #[serde(borrow)]
    card: Map<StoredCard<'a>>,
    pan_hash: Option<Text<'a>>,
    /// Whether it was announced as expiring.
    noticed: Option<Flag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expired<'a> {
    #[serde(borrow)]
    card: Map<StoredCard<'a>>,
    pan_hash: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled<'a> {
    #[serde(borrow)]
    reason: Text<'a>,
    at: Number<'a>,
    card: Option<Map<StoredCard<'a>>>,
    pan_hash: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredTerminalSession<'a> {
    #[serde(borrow)]
    opened_at: Number<'a>,
    outcome: Text<'a>,
    reconcile_at: Option<Number<'a>>,
    idempotency: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredCard<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    last_four: Text<'a>,
    expiry: Text<'a>,
    activated_at: Number<'a>,
    expires_at: Number<'a>,
}

impl Text<'_> {
    fn read(&self) -> String {
        self.s.clone().into_owned()
    }
}

impl Number<'_> {
    fn read<T: FromStr>(&self) -> Result<T, String> {
        self.n.parse().map_err(|_| format!("not a valid number: {}", self.n))
    }

    fn optional<T: FromStr>(number: Option<&Self>) -> Result<Option<T>, String> {
        number.map(Self::read).transpose()
    }
}

impl Head<'_> {
    pub(super) fn read(&self) -> Result<super::Head, String> {
        Ok(super::Head { slot: self.slot.read()?, version: self.version.read()? })
    }
}

impl Item<'_> {
    pub(super) fn read(&self) -> Result<super::Item, String> {
        let mut payments = Vec::with_capacity(self.payments.l.len());
        let (mut has_correct_pan_hashes, mut notices_given) = (true, BTreeSet::new());
        for Map { m: stored } in &self.payments.l {
            let (payment, has_hash) = stored.read()?;
            has_correct_pan_hashes &= has_hash == matches!(payment.state, State::Active(_));
            notices_given.extend(stored.state.m.is_notice_given().then_some(payment.sequence));
            payments.push(payment);
        }
        let opened = self.opened.as_ref().map_or(&[][..], |opened| &opened.l);
        let notifications = self.notifications.as_ref().map_or(&[][..], |all| &all.l);
        let stored = notifications.iter().filter_map(|one| one.m.read().transpose());
        let events = super::Events { stored: stored.collect::<Result<_, _>>()?, notices_given };
        Ok(super::Item {
            wallet: Wallet {
                slot: self.slot.read()?,
                organisation: self.organisation.read()?,
                customer: String::new(),
                last_sequence: self.last_sequence.read()?,
                payments,
                choices: self.choices.l.iter().map(Number::read).collect::<Result<_, _>>()?,
                opened: opened.iter().map(Number::read).collect::<Result<_, _>>()?,
                history: Vec::new(),
            },
            version: self.version.read()?,
            owner: self.owner.b.clone().into_owned(),
            events,
            expiry_at: Number::optional(self.expiry_at.as_ref())?,
            task_at: Number::optional(self.task_at.as_ref())?,
            has_correct_pan_hashes,
        })
    }
}

impl StoredPayment<'_> {
    /// Returns the recurring payment, and whether it has a pan hash.
    fn read(&self) -> Result<(Payment, bool), String> {
        let (state, has_hash) = self.state.m.read()?;
        let key = self.key.as_ref().map(|key| Key {
            text: String::new(),
            nickname: None,
            primary_requested: false,
            primary_in_response: key.m.primary.flag,
        });
        let payment = Payment {
            sequence: self.sequence.read()?,
            created_at: self.created_at.read()?,
            nickname: self.nickname.as_ref().map(Text::read),
            key,
            state,
        };
        Ok((payment, has_hash))
    }
}

impl StoredState<'_> {
    fn is_notice_given(&self) -> bool {
        match self {
            Self::Active(Map { m: active }) => active.noticed.as_ref().is_some_and(|one| one.flag),
            Self::Created(_) | Self::Expired(_) | Self::Cancelled(_) => false,
        }
    }

    fn read(&self) -> Result<(State, bool), String> {
        Ok(match self {
            Self::Created(Map { m: created }) => {
                let sessions = created.terminals.as_ref().map_or(&[][..], |sessions| &sessions.l);
                let sessions = sessions.iter().map(|session| session.m.read());
                (State::Created(sessions.collect::<Result<_, _>>()?), false)
            }
            Self::Active(Map { m: active }) => {
                (State::Active(active.card.m.read()?), active.pan_hash.is_some())
            }
            Self::Expired(Map { m: expired }) => {
                (State::Expired(expired.card.m.read()?), expired.pan_hash.is_some())
            }
            Self::Cancelled(Map { m: cancelled }) => {
                let reason = match &*cancelled.reason.s {
                    "ended" => Reason::Ended,
                    "abandoned" => Reason::Abandoned,
                    other => return Err(format!("unknown reason: {other}")),
                };
                let card = cancelled.card.as_ref().map(|card| card.m.read()).transpose()?;
                let state = State::Cancelled(reason, cancelled.at.read()?, card);
                (state, cancelled.pan_hash.is_some())
            }
        })
    }
}

impl StoredTerminalSession<'_> {
    fn read(&self) -> Result<TerminalSession, String> {
        let outcome = match &*self.outcome.s {
            "open" => Outcome::Open,
            "failed" => Outcome::Failed,
            "cancelled" => Outcome::Cancelled,
            "declined" => Outcome::Declined,
            "cardExpired" => Outcome::CardExpired,
            other => return Err(format!("unknown outcome: {other}")),
        };
        Ok(TerminalSession {
            opened_at: self.opened_at.read()?,
            outcome,
            reconcile_at: Number::optional(self.reconcile_at.as_ref())?,
            key: self.idempotency.is_some().then(String::new),
        })
    }
}

impl StoredCard<'_> {
    fn read(&self) -> Result<Card, String> {
        Ok(Card {
            kind: self.kind.read(),
            last_four: self.last_four.read(),
            expiry: self.expiry.read(),
            activated_at: self.activated_at.read()?,
            expires_at: self.expires_at.read()?,
        })
    }
}

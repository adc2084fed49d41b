//! What one operation makes of a wallet, and answers: §5 and §6.

use serde_json::{Value, json};

use super::{
    Expected, HOUR, Key, LAST_PLACE, LIVE, MINUTE, Outcome, Payment, Problem, Reason, State, Visit,
    Wallet,
};
use crate::order::operation::{Call, Caller, Change, NewPayment, Operation};
use crate::order::spec::picture::instant;

const NOT_FOUND: Problem = Problem::new(404, "not-found");
const NOT_AWAITING_CARD: Problem = Problem::new(409, "not-awaiting-card");

/// How many terminals one recurring payment, and one customer, can have within an hour (rule 6, ours).
const TERMINALS_AN_HOUR: (usize, usize) = (5, 10);
/// How many terminals one recurring payment can have.
const TERMINALS: usize = 16;

/// What is refused before any wallet is looked at.
#[must_use]
pub fn refused_at_the_door(call: &Call) -> Option<Problem> {
    let invalid = Problem::new(400, "invalid-request");
    let wrong = |nickname: &Option<String>| {
        nickname.as_deref().is_some_and(|nickname| nickname.trim().is_empty())
    };
    match (&call.operation, call.caller.customer()) {
        (Operation::List(customer, _), Some(own)) if own != customer => {
            Some(Problem::new(403, "forbidden"))
        }
        (Operation::Create(new), _) if wrong(&new.nickname) => Some(invalid),
        (Operation::Update(_, Change { nickname: Some(nickname), .. }), _) if wrong(nickname) => {
            Some(invalid)
        }
        (Operation::Erase(_), _) if !matches!(call.caller, Caller::Internal(_)) => {
            Some(Problem::new(403, "forbidden"))
        }
        _ => None,
    }
}

/// What a call makes of a wallet as of the call's instant, and what it is answered. What brings cards is in
/// [`super::conclude`].
///
/// # Errors
/// It is refused, and changes nothing.
pub fn decide(call: &Call, wallet: &mut Wallet) -> Result<Expected, Problem> {
    if let Some(id) = call.operation.id() {
        let found = wallet.admits(&call.caller) && wallet.find(id).is_some();
        if !found {
            return Err(NOT_FOUND);
        }
    }
    let shown = |wallet: &Wallet, id| {
        let payment = wallet.find(id).ok_or(NOT_FOUND)?;
        Ok(Expected::Done(200, wallet.shown(payment), None))
    };
    match &call.operation {
        Operation::List(_, include_expired) => {
            Ok(Expected::Done(200, wallet.listed(*include_expired), None))
        }
        Operation::Get(id) => shown(wallet, *id),
        Operation::Create(new) => wallet.create(new, call.now),
        Operation::Update(id, change) => {
            wallet.update(*id, change)?;
            shown(wallet, *id)
        }
        Operation::End(id) => {
            wallet.end(*id, call.now);
            shown(wallet, *id)
        }
        Operation::Terminal(id, key) => wallet.open(*id, key.as_deref(), call.now),
        Operation::Erase(_) => {
            *wallet = Wallet { last: wallet.last, ..wallet.emptied() };
            Ok(Expected::Done(204, Value::Null, None))
        }
        Operation::Expire => Ok(Expected::Done(200, Value::Null, None)),
        Operation::Authorize(_) | Operation::Callback(_) | Operation::Finish => {
            Err(Problem::new(500, "decided elsewhere"))
        }
    }
}

impl Wallet {
    /// Whether a caller may see it: a customer their own, others those of their organisation (§5).
    #[must_use]
    pub fn admits(&self, caller: &Caller) -> bool {
        let own = caller.customer().is_none_or(|customer| customer == self.customer);
        *caller == Caller::Nobody || (own && caller.organisation() == self.organisation)
    }

    fn emptied(&self) -> Self {
        Self::empty(self.slot, self.organisation, &self.customer)
    }

    fn create(&mut self, new: &NewPayment, now: i64) -> Result<Expected, Problem> {
        let nickname = new.nickname.as_deref().map(|text| text.trim().to_owned());
        let chosen = new.primary.unwrap_or_default();
        let with = |payment: &&Payment| {
            payment.key.as_ref().is_some_and(|key| Some(&key.text) == new.key.as_ref())
        };
        if let Some(payment) = self.payments.iter().find(with)
            && let Some(key) = &payment.key
        {
            if (&key.nickname, key.chosen) != (&nickname, chosen) {
                return Err(Problem::new(409, "idempotency-key-reused"));
            }
            let as_then = Payment { nickname, ..payment.clone() };
            return Ok(self.created(&as_then, key.primary));
        }
        if self.payments.iter().filter(|payment| payment.is_live()).count() >= LIVE {
            return Err(Problem::new(409, "wallet-full"));
        }
        let taken = |place: u16| self.payments.iter().any(|payment| payment.place == place);
        let after = |place: u16| place % LAST_PLACE + 1;
        let mut place = after(self.last);
        while taken(place) {
            place = after(place);
        }
        self.last = place;
        let state = State::Created(Vec::new());
        let payment =
            Payment { place, created_at: now, nickname: nickname.clone(), key: None, state };
        self.payments.push(payment);
        if chosen {
            self.choices.insert(0, place);
        }
        self.settle(now);
        let primary = self.primary() == Some(place);
        if let Some(payment) = self.payments.last_mut() {
            payment.key = new.key.clone().map(|text| Key {
                text,
                nickname: nickname.clone(),
                chosen,
                primary,
            });
        }
        let payment = self.payments.last().cloned().ok_or(NOT_FOUND)?;
        Ok(self.created(&payment, primary))
    }

    fn created(&self, payment: &Payment, primary: bool) -> Expected {
        let location = format!("/v1/recurring-payments/{}", self.id(payment.place));
        Expected::Done(201, Value::Object(self.as_created(payment, primary)), Some(location))
    }

    fn update(&mut self, id: u64, change: &Change) -> Result<(), Problem> {
        let payment = self.find(id).ok_or(NOT_FOUND)?;
        let is_primary = self.primary() == Some(payment.place);
        match change.primary {
            Some(false) if is_primary => return Err(Problem::new(409, "primary-needs-successor")),
            Some(true) if !payment.is_live() => return Err(Problem::new(409, "never-primary")),
            Some(_) | None => {}
        }
        let nickname = change.nickname.as_ref();
        let nickname = nickname.map(|text| text.as_deref().map(|text| text.trim().to_owned()));
        let renamed = nickname.filter(|nickname| *nickname != payment.nickname);
        if renamed.is_some() && matches!(payment.state, State::Cancelled(..)) {
            return Err(Problem::new(409, "ended"));
        }
        let place = payment.place;
        if change.primary == Some(true) && !is_primary {
            self.choices.retain(|chosen| *chosen != place);
            self.choices.insert(0, place);
        }
        if let (Some(nickname), Some(payment)) = (renamed, self.find_mut(id)) {
            payment.nickname = nickname;
        }
        Ok(())
    }

    /// Rule 4. It is not forgotten at once, however many have ended.
    fn end(&mut self, id: u64, now: i64) {
        let Some(payment) = self.find_mut(id) else { return };
        let place = payment.place;
        let card = payment.card().cloned();
        if !matches!(payment.state, State::Cancelled(..)) {
            payment.state = State::Cancelled(Reason::Ended, now, card);
            self.forget(now, Some(place));
        }
        self.settle(now);
    }

    /// Rule 6.
    fn open(&mut self, id: u64, key: Option<&str>, now: i64) -> Result<Expected, Problem> {
        let payment = self.find(id).ok_or(NOT_FOUND)?;
        let State::Created(visits) = &payment.state else { return Err(NOT_AWAITING_CARD) };
        let again = visits.iter().position(|visit| {
            let remembered = visit.outcome != Outcome::Failed && now < visit.opened_at + 24 * HOUR;
            remembered && key.is_some() && visit.key.as_deref() == key
        });
        if let Some(place) = again {
            return Ok(terminal(id, place, &visits[place]));
        }
        if visits.len() >= TERMINALS {
            return Err(Problem::new(409, "no-terminal-left"));
        }
        let own: Vec<i64> = visits.iter().map(|visit| visit.opened_at).collect();
        let too_many = |opened: &[i64], most: usize| {
            let first = opened.len().checked_sub(most);
            first.is_some_and(|first| now < opened[first] + HOUR)
        };
        let (of_it, of_all) = TERMINALS_AN_HOUR;
        if too_many(&own, of_it) || too_many(&self.opened, of_all) {
            return Err(Problem::new(429, "too-many-terminals"));
        }
        let place = visits.len();
        let visit = Visit {
            opened_at: now,
            outcome: Outcome::Open,
            look_at: Some(now + MINUTE),
            key: key.map(str::to_owned),
        };
        let answer = terminal(id, place, &visit);
        if let Some(Payment { state: State::Created(visits), .. }) = self.find_mut(id) {
            visits.push(visit);
        }
        self.opened.push(now);
        Ok(answer)
    }
}

fn terminal(id: u64, place: usize, visit: &Visit) -> Expected {
    Expected::Terminal(json!({
        "transactionId": id << 4 | place as u64,
        "paymentId": id,
        "recurringPaymentId": id,
        "terminalExpiresAt": instant(visit.ends_at()),
    }))
}

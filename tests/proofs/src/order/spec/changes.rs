//! Changes of a wallet by an operation, and the responses: §5 and §6 of api.md.

use serde_json::{Value, json};

use super::{
    Expected, HOUR, Key, MAX_LIVE, MAX_SEQUENCE, MINUTE, Outcome, Payment, Problem, Reason, State,
    TerminalSession, Wallet,
};
use crate::order::operation::{Call, Caller, Change, NewPayment, Operation};
use crate::order::spec::responses::instant;

const NOT_FOUND: Problem = Problem::new(404, "not-found");
const NOT_AWAITING_CARD: Problem = Problem::new(409, "not-awaiting-card");

/// Maximum number of terminals within an hour, per recurring payment and per customer (rule 6).
const MAX_TERMINALS_PER_HOUR: (usize, usize) = (5, 10);
/// Maximum number of terminals of a recurring payment (rule 6).
const MAX_TERMINALS: usize = 16;

/// The problem of a call that is refused before a wallet is read, if any.
#[must_use]
pub fn refused_by_request_parsing(call: &Call) -> Option<Problem> {
    let invalid = Problem::new(400, "invalid-request");
    let is_blank = |nickname: &Option<String>| {
        nickname.as_deref().is_some_and(|nickname| nickname.trim().is_empty())
    };
    match (&call.operation, call.caller.customer()) {
        (Operation::List(customer, _), Some(own)) if own != customer => {
            Some(Problem::new(403, "forbidden"))
        }
        (Operation::Create(new), _) if is_blank(&new.nickname) => Some(invalid),
        (
            Operation::Update(_, Change { nickname: Some(nickname), .. })
            | Operation::DryRun(_, Some(Change { nickname: Some(nickname), .. })),
            _,
        ) if is_blank(nickname) => Some(invalid),
        (Operation::Erase(_), _) if !matches!(call.caller, Caller::Internal(_)) => {
            Some(Problem::new(403, "forbidden"))
        }
        _ => None,
    }
}

/// Applies a call to a wallet and returns the response. The wallet must be as of the call's instant. Calls that store cards are in
/// [`super::apply_reconciliation`] instead.
///
/// # Errors
/// Fails if the call is refused. The wallet is then unchanged.
pub fn decide(call: &Call, wallet: &mut Wallet) -> Result<Expected, Problem> {
    if let Some(id) = call.operation.id() {
        let is_found = wallet.allows(&call.caller) && wallet.find(id).is_some();
        if !is_found {
            return Err(NOT_FOUND);
        }
    }
    let payment_response = |wallet: &Wallet, id| {
        let payment = wallet.find(id).ok_or(NOT_FOUND)?;
        Ok(Expected::Success(200, wallet.representation(payment), None))
    };
    match &call.operation {
        Operation::List(_, include_expired) => {
            Ok(Expected::Success(200, wallet.list(*include_expired), None))
        }
        Operation::Get(id) | Operation::Wait(id, _) => payment_response(wallet, *id),
        Operation::Create(new) => wallet.create(new, call.now),
        Operation::Update(id, change) => {
            wallet.update(*id, change)?;
            payment_response(wallet, *id)
        }
        Operation::End(id) => {
            wallet.end(*id, call.now);
            payment_response(wallet, *id)
        }
        Operation::DryRun(id, change) => wallet.clone().preview(*id, change.as_ref(), call.now),
        Operation::History(id) => Ok(Expected::Success(200, wallet.history_of(*id), None)),
        Operation::Terminal(id, key) => wallet.open_terminal(*id, key.as_deref(), call.now),
        Operation::Erase(_) => {
            *wallet = Wallet { last_sequence: wallet.last_sequence, ..wallet.emptied() };
            Ok(Expected::Success(204, Value::Null, None))
        }
        Operation::Expire => Ok(Expected::Success(200, Value::Null, None)),
        Operation::Authorize(_)
        | Operation::Callback(_)
        | Operation::Finish
        | Operation::Payment(_) => Err(Problem::new(500, "not decided here")),
    }
}

impl Wallet {
    /// Whether a caller may access the wallet: customers their own, others those of their organisation (§5).
    #[must_use]
    pub fn allows(&self, caller: &Caller) -> bool {
        let own = caller.customer().is_none_or(|customer| customer == self.customer);
        *caller == Caller::Unauthenticated || (own && caller.organisation() == self.organisation)
    }

    fn emptied(&self) -> Self {
        Self::empty(self.slot, self.organisation, &self.customer)
    }

    fn create(&mut self, new: &NewPayment, now: i64) -> Result<Expected, Problem> {
        let nickname = new.nickname.as_deref().map(|text| text.trim().to_owned());
        let primary_requested = new.primary.unwrap_or_default();
        let has_key = |payment: &&Payment| {
            payment.key.as_ref().is_some_and(|key| Some(&key.text) == new.key.as_ref())
        };
        if let Some(payment) = self.payments.iter().find(has_key)
            && let Some(key) = &payment.key
        {
            if (&key.nickname, key.primary_requested) != (&nickname, primary_requested) {
                return Err(Problem::new(409, "idempotency-key-reused"));
            }
            let original = Payment { nickname, ..payment.clone() };
            return Ok(self.created_response(&original, key.primary_in_response));
        }
        if self.payments.iter().filter(|payment| payment.is_live()).count() >= MAX_LIVE {
            return Err(Problem::new(409, "wallet-full"));
        }
        let is_taken =
            |sequence: u16| self.payments.iter().any(|payment| payment.sequence == sequence);
        let after = |sequence: u16| sequence % MAX_SEQUENCE + 1;
        let mut sequence = after(self.last_sequence);
        while is_taken(sequence) {
            sequence = after(sequence);
        }
        self.last_sequence = sequence;
        let state = State::Created(Vec::new());
        let payment =
            Payment { sequence, created_at: now, nickname: nickname.clone(), key: None, state };
        self.payments.push(payment);
        if primary_requested {
            self.choices.insert(0, sequence);
        }
        self.apply_time(now);
        let primary = self.primary() == Some(sequence);
        if let Some(payment) = self.payments.last_mut() {
            payment.key = new.key.clone().map(|text| Key {
                text,
                nickname: nickname.clone(),
                primary_requested,
                primary_in_response: primary,
            });
        }
        let payment = self.payments.last().cloned().ok_or(NOT_FOUND)?;
        Ok(self.created_response(&payment, primary))
    }

    fn created_response(&self, payment: &Payment, primary: bool) -> Expected {
        let location = format!("/v1/recurring-payments/{}", self.id(payment.sequence));
        Expected::Success(
            201,
            Value::Object(self.representation_at_creation(payment, primary)),
            Some(location),
        )
    }

    fn update(&mut self, id: u64, change: &Change) -> Result<(), Problem> {
        let payment = self.find(id).ok_or(NOT_FOUND)?;
        let is_primary = self.primary() == Some(payment.sequence);
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
        let sequence = payment.sequence;
        if change.primary == Some(true) && !is_primary {
            self.choices.retain(|chosen| *chosen != sequence);
            self.choices.insert(0, sequence);
        }
        if let (Some(nickname), Some(payment)) = (renamed, self.find_mut(id)) {
            payment.nickname = nickname;
        }
        Ok(())
    }

    /// Ends a recurring payment (rule 4). It is exempt from removal in this step.
    fn end(&mut self, id: u64, now: i64) {
        let Some(payment) = self.find_mut(id) else { return };
        let sequence = payment.sequence;
        let card = payment.card().cloned();
        if !matches!(payment.state, State::Cancelled(..)) {
            payment.state = State::Cancelled(Reason::Ended, now, card);
            self.apply_retention(now, Some(sequence));
        }
        self.apply_time(now);
    }

    /// The response to a dry run (§7): that of the request, with the primary afterwards.
    fn preview(mut self, id: u64, change: Option<&Change>, now: i64) -> Result<Expected, Problem> {
        match change {
            Some(change) => self.update(id, change)?,
            None => self.end(id, now),
        }
        let payment = self.find(id).ok_or(NOT_FOUND)?;
        let mut body = self.representation(payment);
        if let Some(primary) = self.primary() {
            body["primaryRecurringPaymentId"] = self.id(primary).into();
        }
        Ok(Expected::Success(200, body, None))
    }

    /// Opens a terminal (rule 6).
    fn open_terminal(&mut self, id: u64, key: Option<&str>, now: i64) -> Result<Expected, Problem> {
        let payment = self.find(id).ok_or(NOT_FOUND)?;
        let State::Created(sessions) = &payment.state else { return Err(NOT_AWAITING_CARD) };
        let repeated = sessions.iter().position(|session| {
            let is_retained =
                session.outcome != Outcome::Failed && now < session.opened_at + 24 * HOUR;
            is_retained && key.is_some() && session.key.as_deref() == key
        });
        if let Some(attempt) = repeated {
            return Ok(terminal(id, attempt, &sessions[attempt]));
        }
        if sessions.len() >= MAX_TERMINALS {
            return Err(Problem::new(409, "no-terminal-left"));
        }
        let opened: Vec<i64> = sessions.iter().map(|session| session.opened_at).collect();
        let too_many = |opened: &[i64], limit: usize| {
            let first = opened.len().checked_sub(limit);
            first.is_some_and(|first| now < opened[first] + HOUR)
        };
        let (per_payment, per_customer) = MAX_TERMINALS_PER_HOUR;
        if too_many(&opened, per_payment) || too_many(&self.opened, per_customer) {
            return Err(Problem::new(429, "too-many-terminals"));
        }
        let attempt = sessions.len();
        let session = TerminalSession {
            opened_at: now,
            outcome: Outcome::Open,
            reconcile_at: Some(now + MINUTE),
            key: key.map(str::to_owned),
        };
        let response = terminal(id, attempt, &session);
        if let Some(Payment { state: State::Created(sessions), .. }) = self.find_mut(id) {
            sessions.push(session);
        }
        self.opened.push(now);
        Ok(response)
    }
}

fn terminal(id: u64, attempt: usize, session: &TerminalSession) -> Expected {
    Expected::Terminal(json!({
        "transactionId": id << 4 | attempt as u64,
        "paymentId": id,
        "recurringPaymentId": id,
        "terminalExpiresAt": instant(session.ends_at()),
    }))
}

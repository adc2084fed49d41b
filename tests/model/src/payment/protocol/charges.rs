//! `shared/src/app/charges.rs`: captures transactions. AUTH, then CAPTURE of the whole amount.

use chrono::{DateTime, Utc};
use shared::domain::id::{PaymentTransactionId, RegistrationId};
use shared::domain::money::Money;
use shared::domain::payment::{Capture, NextStep, Payment, Reconciliation, State};
use shared::error::{Decline, PaymentRefusal};
use shared::netaxept::{Authorization, Processed};

use super::super::{Answer, Call, Failure, LoadedPayment, PaymentKey, Stop, Wire};
use super::settlement::{Findings, annul, annul_unconfirmed, query_of, store};
use super::{Success, is_card_active};
use crate::defect::Defect;
use crate::event::Event;
use crate::storage;

const KEY: PaymentKey = PaymentKey::Existing;

/// `CaptureRequest` of `shared/src/app/capture_request.rs`: one capture of a transaction.
#[derive(Debug, Clone, Copy)]
pub struct CaptureRequest {
    /// The transaction.
    pub id: PaymentTransactionId,
    /// The instant of the request.
    pub now: DateTime<Utc>,
    /// Whether the service captures it without a request of the client.
    pub is_auto_sale: bool,
}

/// `AuthRequest`: whether a capture may request AUTH for the chosen registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthRequest {
    /// AUTH was never requested for it.
    First,
    /// AUTH may have been requested before, so it is queried first.
    AfterQuery,
    /// It is only queried.
    No,
}

impl CaptureRequest {
    fn candidates(self, payment: &Payment) -> Result<Vec<RegistrationId>, PaymentRefusal> {
        if self.is_auto_sale {
            Ok(payment.auto_sale(self.id).into_iter().collect())
        } else {
            payment.registrations_to_capture(self.id)
        }
    }

    fn may_request_auth(self, payment: &Payment, id: RegistrationId) -> bool {
        if self.is_auto_sale {
            payment.may_request_auth_for_sale(id)
        } else {
            payment.may_request_auth(id)
        }
    }

    fn choose(
        self,
        payment: &mut Payment,
        candidate: RegistrationId,
    ) -> Result<(Capture, AuthRequest), PaymentRefusal> {
        if self.is_auto_sale && payment.auto_sale(self.id) != Some(candidate) {
            return Err(PaymentRefusal::AuthorizationInProgress);
        }
        let before = payment.clone();
        let capture = payment.choose(candidate)?;
        let Capture::Authorize(id) = capture else { return Ok((capture, AuthRequest::No)) };
        let was_requested = before.registration(id).is_some_and(|one| one.auth_requested);
        let auth = match (self.may_request_auth(&before, id), was_requested) {
            (false, _) => AuthRequest::No,
            (true, true) => AuthRequest::AfterQuery,
            (true, false) => AuthRequest::First,
        };
        if auth == AuthRequest::No {
            *payment = before;
        }
        Ok((capture, auth))
    }
}

/// `Charges::capture`.
///
/// # Errors
/// Fails with a refusal of the payment, with an error of the store, or with `Unavailable` if Nets gives no clear answer.
pub fn capture(
    wire: &mut Wire<'_>,
    id: PaymentTransactionId,
    now: DateTime<Utc>,
) -> Result<Success, Stop> {
    let request = CaptureRequest { id, now, is_auto_sale: false };
    let loaded = storage::load(wire, KEY, now)?;
    let captured = capture_loaded(wire, request, loaded)?;
    Success::transaction(&captured.aggregate, id)
}

/// `Charges::capture_loaded`.
///
/// # Errors
/// Fails as [`capture`].
pub fn capture_loaded(
    wire: &mut Wire<'_>,
    request: CaptureRequest,
    loaded: LoadedPayment,
) -> Result<LoadedPayment, Stop> {
    let is_authorized = match &loaded.aggregate.transaction(request.id)?.state {
        State::Captured(_) | State::Credited(_) => return Ok(loaded),
        State::Created | State::Rejected { .. } | State::Cancelled { .. } => {
            return Err(refusal(&loaded.aggregate, request.id));
        }
        State::Initiated(initiated) => initiated.is_authorized(),
    };
    // Only a new authorization needs the card.
    if is_authorized || wire.has(Defect::CardNotRead) || is_card_active(wire)? {
        capture_initiated(wire, request, loaded)
    } else {
        wire.record(Event::CardEndedBeforeCapture);
        cancel_without_card(wire, request, loaded)
    }
}

fn cancel_without_card(
    wire: &mut Wire<'_>,
    request: CaptureRequest,
    loaded: LoadedPayment,
) -> Result<LoadedPayment, Stop> {
    let CaptureRequest { id, now, .. } = request;
    let cancelled = storage::change_loaded(wire, loaded, KEY, now, |payment| {
        Ok((payment.cancel_without_card(id)?, "cancel without a card"))
    })?;
    let loaded = match annul_unconfirmed(wire, cancelled.loaded, id, now) {
        // Another request captured it before the card ended.
        Err(Stop::Failed(Failure::Refused(PaymentRefusal::AlreadyCaptured))) => {
            storage::load(wire, KEY, now)?
        }
        loaded => loaded?,
    };
    if loaded.aggregate.transaction(id)?.captured().is_some() {
        return Ok(loaded);
    }
    Err(refusal(&loaded.aggregate, id))
}

fn capture_initiated(
    wire: &mut Wire<'_>,
    request: CaptureRequest,
    mut loaded: LoadedPayment,
) -> Result<LoadedPayment, Stop> {
    if wire.has(Defect::AuthorizesBeforeChoice) {
        return capture_before_choice(wire, request, loaded);
    }
    let mut tried = Vec::new();
    for candidate in request.candidates(&loaded.aggregate)? {
        let chosen = storage::change_loaded(wire, loaded, KEY, request.now, |payment| {
            Ok((request.choose(payment, candidate)?, "choose"))
        })?;
        let (Capture::Authorize(registration), auth) = chosen.outcome else {
            return Ok(chosen.loaded);
        };
        if tried.contains(&registration) {
            return Err(PaymentRefusal::AuthorizationInProgress.into());
        }
        tried.push(registration);
        let findings = charge(wire, &chosen.loaded.aggregate, registration, auth)?;
        loaded = store(wire, chosen.loaded, &findings, request.now)?.loaded;
        if loaded.aggregate.transaction(request.id)?.captured().is_some() {
            return Ok(loaded);
        }
        check_other_registrations_left(&findings)?;
    }
    Err(refusal(&loaded.aggregate, request.id))
}

/// The wrong order, as a defect: AUTH and CAPTURE first, then the choice.
fn capture_before_choice(
    wire: &mut Wire<'_>,
    request: CaptureRequest,
    loaded: LoadedPayment,
) -> Result<LoadedPayment, Stop> {
    let candidates = request.candidates(&loaded.aggregate)?;
    let Some(candidate) = candidates.first().copied() else {
        return Err(refusal(&loaded.aggregate, request.id));
    };
    let mut chosen = loaded.aggregate.clone();
    request.choose(&mut chosen, candidate)?;
    let findings = charge(wire, &chosen, candidate, AuthRequest::First)?;
    let loaded = storage::change_loaded(wire, loaded, KEY, request.now, |payment| {
        request.choose(payment, candidate)?;
        Ok(((), "choose"))
    })?
    .loaded;
    Ok(store(wire, loaded, &findings, request.now)?.loaded)
}

fn charge(
    wire: &mut Wire<'_>,
    payment: &Payment,
    id: RegistrationId,
    auth: AuthRequest,
) -> Result<Findings, Stop> {
    let (mut preview, mut findings) = (payment.clone(), Findings::default());
    let Ok(amount) = payment.transaction(id.transaction).map(|one| one.charge.amount) else {
        return Ok(findings);
    };
    let authorized = authorize(wire, payment, id, amount, auth, &mut findings)?;
    match findings.add(&mut preview, id, authorized) {
        NextStep::Capture => {
            let captured = capture_authorized(wire, payment, id, amount, &mut findings)?;
            findings.add(&mut preview, id, captured);
        }
        NextStep::Annul => {
            let annulled = annul(wire, &preview, id, &mut findings)?;
            findings.add(&mut preview, id, annulled);
        }
        NextStep::Nothing | NextStep::Alarm | NextStep::CreditFailed => {}
    }
    Ok(findings)
}

fn authorize(
    wire: &mut Wire<'_>,
    payment: &Payment,
    id: RegistrationId,
    amount: Money,
    auth: AuthRequest,
    findings: &mut Findings,
) -> Result<Reconciliation, Stop> {
    if auth != AuthRequest::First {
        let found = query_of(wire, payment, id)?;
        let found = findings.read(found);
        if auth == AuthRequest::No || found != Reconciliation::Pending {
            return Ok(found);
        }
    }
    for _ in 0..2 {
        match wire.call(Call::Authorize(id))? {
            Some(Answer::Authorization(Authorization::Authorized)) => {
                wire.record(Event::Authorized);
                return Ok(Reconciliation::Authorized(amount));
            }
            Some(Answer::Authorization(Authorization::NoCard)) => {
                return Ok(Reconciliation::NoCard);
            }
            Some(Answer::Authorization(Authorization::Cancelled)) => {
                return Ok(Reconciliation::Cancelled);
            }
            Some(Answer::Authorization(Authorization::Declined(decline))) => {
                wire.record(match decline {
                    Decline::Soft | Decline::AuthenticationRequired => Event::SoftDecline,
                    Decline::Hard => Event::HardDecline,
                });
                return Ok(Reconciliation::Declined(*decline));
            }
            Some(Answer::Authorization(Authorization::AlreadyProcessed)) => {
                wire.record(Event::AlreadyProcessed);
            }
            _ if wire.has(Defect::UnclearAuthorizationCountsAsDecline) => {
                return Ok(Reconciliation::Declined(Decline::Hard));
            }
            _ => wire.record(Event::Unclear),
        }
        let found = query_of(wire, payment, id)?;
        let found = findings.read(found);
        if found != Reconciliation::Pending {
            return Ok(found);
        }
    }
    // AUTH may still be in progress at Nets.
    Ok(findings.read(None))
}

fn capture_authorized(
    wire: &mut Wire<'_>,
    payment: &Payment,
    id: RegistrationId,
    amount: Money,
    findings: &mut Findings,
) -> Result<Reconciliation, Stop> {
    let captured =
        Reconciliation::Captured { captured: amount, credited_minor: 0, credited_target: None };
    let mut found = Reconciliation::Authorized(amount);
    for _ in 0..2 {
        let reply = wire.call(Call::Capture(id, amount.minor()))?;
        if reply == Some(&Answer::Processed(Processed::Done)) {
            return Ok(captured);
        }
        if reply.is_none() && wire.has(Defect::UnclearCaptureCountsAsCaptured) {
            return Ok(captured);
        }
        let queried = query_of(wire, payment, id)?;
        found = findings.read(queried);
        if found != Reconciliation::Authorized(amount) {
            return Ok(found);
        }
    }
    // The authorization is stored, and the next request captures it.
    findings.read(None);
    Ok(found)
}

fn check_other_registrations_left(findings: &Findings) -> Result<(), Stop> {
    if findings.is_unclear {
        return Err(Stop::Failed(Failure::Unavailable));
    }
    match findings.reconciliations.last() {
        Some((_, Reconciliation::Declined(decline))) => {
            Err(PaymentRefusal::Declined(*decline).into())
        }
        Some(_) | None => Ok(()),
    }
}

/// The refusal of a capture without an authorization.
fn refusal(payment: &Payment, id: PaymentTransactionId) -> Stop {
    payment.check_captured(id).err().unwrap_or(PaymentRefusal::AuthorizationInProgress).into()
}

//! The credits of random scenarios.

use chrono::{DateTime, Utc};

use super::{
    Credit, CreditRequest, Delivery, HOLD, Money, NextStep, Operation, PaymentRefusal,
    PaymentTransactionId, Reconciliation, RegistrationId, Reply, World, nok,
};

/// A request for a credit.
#[derive(Debug, Clone)]
pub(super) struct CreditRun {
    pub(super) started_at: DateTime<Utc>,
    pub(super) phase: CreditPhase,
}

#[derive(Debug, Clone)]
pub(super) enum CreditPhase {
    /// The registration was queried.
    Begin { id: PaymentTransactionId, total: Option<Money>, found: Reconciliation },
    /// The intent is stored.
    Send(CreditRequest),
}

impl World {
    pub(super) fn start_credit(&mut self, total: Option<u64>) {
        let (id, total) = (self.newest(), total.map(nok));
        if let Ok(Some(registration)) = self.payment.check_credit(id, total) {
            let phase = CreditPhase::Begin { id, total, found: self.query(registration) };
            self.credits.push(CreditRun { started_at: self.now, phase });
        }
    }

    /// Every instant of a request is that of its start.
    pub(super) fn continue_credit(&mut self, which: usize, is_refused: bool, delivery: Delivery) {
        if self.credits.is_empty() {
            return;
        }
        let CreditRun { started_at, phase } = self.credits.remove(which % self.credits.len());
        match phase {
            CreditPhase::Begin { id, total, found } => {
                let number = self.payment.transaction(id).unwrap().captured().unwrap().registration;
                let registration = RegistrationId { transaction: id, number };
                let mut payment = self.payment.clone().at(started_at);
                let step = payment.apply(registration, found, HOLD).unwrap();
                let begun = payment.begin_credit(id, total);
                if matches!(begun, Err(PaymentRefusal::CreditInProgress { .. })) {
                    return;
                }
                if step == NextStep::CreditFailed {
                    self.note_failed_credit(registration, self.crediting(id));
                }
                self.payment = payment.at(self.now);
                if let Ok(Credit::Send(request)) = begun {
                    self.note_asked_credit(request);
                    self.credits.push(CreditRun { started_at, phase: CreditPhase::Send(request) });
                }
            }
            CreditPhase::Send(request) => {
                self.send_credit(request, is_refused, delivery, started_at);
            }
        }
    }

    pub(super) fn send_credit(
        &mut self,
        request: CreditRequest,
        is_refused: bool,
        delivery: Delivery,
        started_at: DateTime<Utc>,
    ) {
        self.check_credit_is_not_repeated(request, started_at);
        let operation = Operation::Credit { request, is_refused };
        match self.send(request.id, operation, delivery, started_at) {
            Reply::Found(found) => {
                self.apply(request.id, found);
            }
            Reply::Refused => {
                self.payment.credit_refused(request);
                self.note_refused_credit(request, started_at);
            }
        }
    }

    pub(super) fn credits_to_resend(&mut self) -> Vec<CreditRequest> {
        let ids: Vec<_> = self.payment.history().map(|(id, _)| id).collect();
        ids.into_iter().filter_map(|id| self.payment.resend_credit(id)).collect()
    }
}

//! One capture of a transaction: which registrations it may charge, and whether it may request AUTH.

use chrono::{DateTime, Utc};

use super::time_limit::TimeLimit;
use crate::domain::id::{PaymentTransactionId, RegistrationId};
use crate::domain::payment::{Capture, Payment};
use crate::error::PaymentRefusal;
use crate::storage::PaymentKey;

/// One capture of a transaction.
pub(super) struct CaptureRequest<'a> {
    pub(super) key: PaymentKey<'a>,
    pub(super) id: PaymentTransactionId,
    pub(super) now: DateTime<Utc>,
    pub(super) limit: TimeLimit,
    /// Whether the service captures it without a request of the client.
    pub(super) is_auto_sale: bool,
}

/// Whether a capture may request AUTH for the chosen registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthRequest {
    /// AUTH was never requested for it.
    First,
    /// AUTH may have been requested before, so it is queried first.
    AfterQuery,
    /// It is only queried: Nets authorizes it by itself, or the schedule has requested AUTH often enough.
    No,
}

impl CaptureRequest<'_> {
    /// The registrations to try, newest first. Without a request of the client, only one with `autoSale` may be charged.
    pub(super) fn candidates(
        &self,
        payment: &Payment,
    ) -> Result<Vec<RegistrationId>, PaymentRefusal> {
        if self.is_auto_sale {
            Ok(payment.auto_sale(self.id).into_iter().collect())
        } else {
            payment.registrations_to_capture(self.id)
        }
    }

    /// Whether AUTH may be requested for a registration. If not, it is only queried.
    fn may_request_auth(&self, payment: &Payment, id: RegistrationId) -> bool {
        if self.is_auto_sale {
            payment.may_request_auth_for_sale(id)
        } else {
            payment.may_request_auth(id)
        }
    }

    /// Chooses a registration. Also returns what may be requested for it. Without AUTH, there is nothing that other requests would
    /// have to know of: nothing changes.
    pub(super) fn choose(
        &self,
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

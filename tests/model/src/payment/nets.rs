//! Nets, with the behaviour that payments depend on (payments.md §2.2): one authorization for each registration, CAPTURE and CREDIT
//! up to the sums, ANNUL before CAPTURE.

use chrono::{DateTime, TimeDelta, Utc};
use shared::domain::id::RegistrationId;
use shared::domain::payment::{Initiator, Reconciliation};
use shared::error::Decline;
use shared::netaxept::{Authorization, Processed, Registered};

use super::{Answer, Call, money};

/// How long a page is available (Entur's prose).
const PAGE_LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// How long after the opening of a registration an authorization is in time: until the last planned reconciliation before the timeout.
const AUTH_IN_TIME: TimeDelta = TimeDelta::hours(1);
/// The same for an authorization by Nets itself: the lifetime of the page, and a minute.
const AUTO_AUTH_IN_TIME: TimeDelta = TimeDelta::minutes(16);
/// How long after the opening of a registration Nets can still authorize it by itself.
const AUTO_AUTH_PERIOD: TimeDelta = TimeDelta::hours(24);

/// The state of a page, or of a charge without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Page {
    /// The customer has not acted yet.
    Open,
    /// The charge is confirmed. Without a page it is from the beginning.
    Confirmed,
    /// The customer cancelled.
    Cancelled,
    /// The charge is confirmed, and the issuer declines AUTH. After a soft decline, the next AUTH succeeds.
    Declined(Decline),
}

/// Whether and when an amount was authorized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authorized {
    /// Not yet.
    No,
    /// So early that a planned reconciliation finds it before the transaction times out: within an hour after the opening, or by Nets
    /// itself within a minute after the end of the page.
    InTime,
    /// Later than that.
    Late,
}

/// One registration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NetsCharge {
    /// Its id.
    pub id: RegistrationId,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// Whether Nets authorizes it when the customer leaves the page.
    pub auto_auth: bool,
    /// Its page.
    pub page: Page,
    /// The registered amount.
    pub minor: u64,
    /// Whether and when the amount was authorized.
    pub authorized: Authorized,
    /// How AUTH was last declined.
    pub declined: Option<Decline>,
    /// Whether the authorization was annulled.
    pub annulled: bool,
    /// The captured sum.
    pub captured: u64,
    /// The credited sum.
    pub credited: u64,
    /// The largest total in the history of its credits.
    pub credited_target: Option<u64>,
}

impl NetsCharge {
    /// Whether the amount was authorized.
    #[must_use]
    pub fn is_authorized(&self) -> bool {
        self.authorized != Authorized::No
    }

    /// Whether an authorization is neither captured nor annulled.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_authorized() && !self.annulled && self.captured == 0
    }

    /// Whether an authorization can come about, now or after an action of the customer.
    fn can_be_authorized(&self) -> bool {
        !self.is_authorized() && self.page != Page::Cancelled
    }

    fn authorize(&mut self, now: DateTime<Utc>) -> Authorization {
        match self.page {
            _ if self.is_authorized() => Authorization::AlreadyProcessed,
            Page::Open => Authorization::NoCard,
            Page::Cancelled => Authorization::Cancelled,
            Page::Declined(decline) => {
                self.declined = Some(decline);
                if decline == Decline::Soft {
                    self.page = Page::Confirmed;
                }
                Authorization::Declined(decline)
            }
            Page::Confirmed => {
                let period = if self.auto_auth { AUTO_AUTH_IN_TIME } else { AUTH_IN_TIME };
                let is_late = self.opened_at + period <= now;
                self.authorized = if is_late { Authorized::Late } else { Authorized::InTime };
                Authorization::Authorized
            }
        }
    }

    fn found(&self, is_auto_auth: bool) -> Reconciliation {
        match self.page {
            _ if self.captured > 0 => Reconciliation::Captured {
                captured: money(self.captured),
                credited_minor: self.credited,
                credited_target: self.credited_target,
            },
            _ if self.annulled => Reconciliation::Annulled,
            _ if self.is_authorized() => Reconciliation::Authorized(money(self.minor)),
            Page::Cancelled => Reconciliation::Cancelled,
            Page::Open | Page::Confirmed | Page::Declined(_) => self
                .declined
                .filter(|_| is_auto_auth)
                .map_or(Reconciliation::Pending, Reconciliation::Declined),
        }
    }
}

/// All registrations, in the order of their arrival.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Nets {
    registered: Vec<NetsCharge>,
    /// How the issuer answers AUTH of a charge without a page. None: it accepts.
    pub merchant_decline: Option<Decline>,
}

impl Nets {
    /// All registrations.
    pub fn registered(&self) -> impl Iterator<Item = &NetsCharge> {
        self.registered.iter()
    }

    /// The registration with this id.
    #[must_use]
    pub fn get(&self, id: RegistrationId) -> Option<&NetsCharge> {
        self.registered.iter().find(|one| one.id == id)
    }

    fn get_mut(&mut self, id: RegistrationId) -> Option<&mut NetsCharge> {
        self.registered.iter_mut().find(|one| one.id == id)
    }

    /// Executes a request. None: the answer is not clear, and there is no effect.
    pub fn execute(&mut self, call: &Call, now: DateTime<Utc>) -> Option<Answer> {
        match *call {
            Call::ReadCard | Call::EndCard | Call::Refund(_) => None,
            Call::Register { .. } => Some(Answer::Registered(self.register(call))),
            Call::Query { id, is_auto_auth } => Some(Answer::Found(
                self.get(id).map_or(Reconciliation::NeverRegistered, |one| one.found(is_auto_auth)),
            )),
            Call::Authorize(id) => {
                let authorization = self.get_mut(id).map(|one| one.authorize(now));
                // The client treats "unknown transaction" in the same way.
                let authorization = authorization.unwrap_or(Authorization::AlreadyProcessed);
                Some(Answer::Authorization(authorization))
            }
            Call::Capture(id, minor) => {
                let possible = self.get_mut(id).filter(|one| one.is_authorized() && !one.annulled);
                Some(processed(possible.filter(|one| one.captured + minor <= one.minor), |one| {
                    one.captured += minor;
                }))
            }
            Call::Annul(id) => {
                Some(processed(self.get_mut(id).filter(|one| one.is_held()), |one| {
                    one.annulled = true;
                }))
            }
            Call::Credit { id, minor, target_minor, sent_at: _ } => {
                let possible = self.get_mut(id).filter(|one| one.credited + minor <= one.captured);
                Some(processed(possible, |one| {
                    one.credited += minor;
                    one.credited_target = one.credited_target.max(Some(target_minor));
                }))
            }
        }
    }

    fn register(&mut self, call: &Call) -> Registered {
        let Call::Register { id, initiator, auto_auth, minor, opened_at } = *call else {
            return Registered::IdTaken;
        };
        if self.get(id).is_some() {
            return Registered::IdTaken;
        }
        let page = match initiator {
            Initiator::Customer => Page::Open,
            Initiator::Merchant => self.merchant_decline.map_or(Page::Confirmed, Page::Declined),
        };
        self.registered.push(NetsCharge {
            id,
            opened_at,
            auto_auth,
            page,
            minor,
            authorized: Authorized::No,
            declined: None,
            annulled: false,
            captured: 0,
            credited: 0,
            credited_target: None,
        });
        Registered::Yes
    }

    /// Whether a request can have an effect, now or later.
    #[must_use]
    pub fn can_have_effect(&self, call: &Call) -> bool {
        match *call {
            Call::ReadCard | Call::Query { .. } | Call::EndCard | Call::Refund(_) => false,
            Call::Register { id, .. } => self.get(id).is_none(),
            Call::Authorize(id) => self.get(id).is_none_or(NetsCharge::can_be_authorized),
            Call::Capture(id, _) | Call::Annul(id) => {
                self.get(id).is_none_or(|one| one.is_held() || one.can_be_authorized())
            }
            Call::Credit { id, minor, .. } => {
                self.get(id).is_some_and(|one| one.credited + minor <= one.captured)
            }
        }
    }

    /// Makes a refund in Netaxept Admin, of the first captured registration.
    pub fn refund(&mut self, minor: u64) -> bool {
        let possible = self.registered.iter_mut().find(|one| one.credited + minor <= one.captured);
        let Some(one) = possible.filter(|one| one.captured > 0) else { return false };
        one.credited += minor;
        true
    }

    /// Whether the page of a registration is available, and the customer has done nothing on it.
    #[must_use]
    pub fn is_open(&self, id: RegistrationId, now: DateTime<Utc>) -> bool {
        let is_open =
            |one: &NetsCharge| one.page == Page::Open && now < one.opened_at + PAGE_LIFETIME;
        self.get(id).is_some_and(is_open)
    }

    /// Applies an action of the customer to the page.
    pub fn set_page(&mut self, id: RegistrationId, page: Page) {
        if let Some(one) = self.get_mut(id) {
            one.page = page;
        }
    }
}

impl Nets {
    /// The registrations that Nets can now authorize by itself, because the customer has confirmed them.
    pub fn to_authorize(&self, now: DateTime<Utc>) -> impl Iterator<Item = RegistrationId> {
        let can_authorize = move |one: &&NetsCharge| {
            one.auto_auth
                && one.declined.is_none()
                && one.can_be_authorized()
                && one.page != Page::Open
                && now < one.opened_at + AUTO_AUTH_PERIOD
        };
        self.registered.iter().filter(can_authorize).map(|one| one.id)
    }

    /// Nets authorizes a registration by itself, once.
    pub fn authorize_automatically(&mut self, id: RegistrationId, now: DateTime<Utc>) {
        if let Some(one) = self.get_mut(id) {
            one.authorize(now);
        }
    }
}

fn processed(one: Option<&mut NetsCharge>, change: impl FnOnce(&mut NetsCharge)) -> Answer {
    let Some(one) = one else { return Answer::Processed(Processed::Refused) };
    change(one);
    Answer::Processed(Processed::Done)
}

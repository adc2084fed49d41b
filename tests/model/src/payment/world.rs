//! A state of the model of payments: the table, the card, Nets, the processes, and the messages in transit.

mod next_steps;
mod properties;
mod recovery;
pub mod steps;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use shared::domain::id::RegistrationId;
use shared::domain::payment::Payment;

use super::history::History;
use super::nets::Nets;
use super::{Call, Payments, Request};
use crate::system::System;
use crate::table::Table;
use crate::violation::Violations;
use crate::world::{Process, Remaining};

/// How long after it was sent AUTH can be executed, so that the schedule finds the authorization.
const AUTHORIZATION_DELAY: TimeDelta = TimeDelta::hours(24);
/// How long after the instant of its request or run CREDIT can be executed. A run can be 5 minutes late.
const CREDIT_DELAY: TimeDelta = TimeDelta::minutes(16);

/// A request whose sender has stopped waiting, and that may still arrive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LateRequest {
    /// The request.
    pub request: Request,
    /// When its sender stopped waiting.
    pub since: DateTime<Utc>,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The index of the scenario in the configuration.
    pub scenario: u16,
    /// The clock.
    pub now: DateTime<Utc>,
    /// The table.
    pub table: Table<Payments>,
    /// Whether the card has ended.
    pub card_ended: bool,
    /// Nets' registrations.
    pub nets: Nets,
    /// The registrations whose page address was returned to a client.
    pub pages: Vec<RegistrationId>,
    /// The processes.
    pub processes: Vec<Process<Payments>>,
    /// Requests whose senders have stopped waiting.
    pub late: Vec<LateRequest>,
    /// The faults and clock steps that are still possible.
    pub remaining: Remaining,
    /// What was stored and answered so far.
    pub history: Arc<History>,
    /// The violated properties.
    pub violations: Violations,
}

impl World {
    /// The stored payment, as of now.
    #[must_use]
    pub fn payment(&self) -> Option<Payment> {
        let item = self.table.item.as_ref()?;
        Some(Payments::open(item.contents.clone(), self.now))
    }

    /// The request of a process that waits for a reply.
    #[must_use]
    pub fn request(&self, process: usize) -> Request {
        self.processes[process].run.as_ref().map_or(Request::Get, |run| run.request.clone())
    }

    /// Whether a late request can still be executed and have an effect.
    fn can_arrive(&self, late: &LateRequest) -> bool {
        match &late.request {
            Request::Get => false,
            Request::Put(put) => put.replaces.unwrap_or_default() >= self.table.version(),
            Request::Call(call) => {
                let is_in_time = match call {
                    Call::Authorize(_) => self.now < late.since + AUTHORIZATION_DELAY,
                    Call::Credit { sent_at, .. } => self.now < *sent_at + CREDIT_DELAY,
                    Call::ReadCard
                    | Call::Register { .. }
                    | Call::Query { .. }
                    | Call::Capture(..)
                    | Call::Annul(_)
                    | Call::EndCard
                    | Call::Refund(_) => true,
                };
                is_in_time && self.nets.can_have_effect(call)
            }
        }
    }
}

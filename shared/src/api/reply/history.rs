//! The response with the history of a recurring payment.

use http::StatusCode;
use serde::Serialize;

use super::{Reply, reply, rfc3339};
use crate::domain::history::{Actor, HistoryChange, Label};
use crate::domain::id::RecurringPaymentId;
use crate::domain::recurring_payment::RecurringStatus;
use crate::error::Error;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change<'a> {
    changed_at: String,
    actor: ActorOf<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_before: Option<&'static str>,
    status_after: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_before: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ActorOf<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
}

/// 200 with a bare array of changes, oldest first.
///
/// # Errors
/// Fails with `Internal` if serialization fails.
pub fn history(changes: &[HistoryChange]) -> Result<Reply, Error> {
    reply(StatusCode::OK, None, &changes.iter().map(change).collect::<Vec<_>>())
}

fn change(change: &HistoryChange) -> Change<'_> {
    Change {
        changed_at: rfc3339(change.at),
        actor: actor(&change.origin.actor),
        status_before: change.before.map(RecurringStatus::name),
        status_after: change.after.name(),
        reason: change.reason.name(),
        primary_before: change.primary_before.map(RecurringPaymentId::number),
        primary_after: change.primary_after.map(RecurringPaymentId::number),
        correlation_id: change.origin.correlation_id.as_ref().map(Label::as_str),
    }
}

fn actor(actor: &Actor) -> ActorOf<'_> {
    let (client, channel) = match actor {
        Actor::Client { name, channel } => (name.as_ref(), channel.as_ref()),
        Actor::Time | Actor::Nets => (None, None),
    };
    ActorOf {
        r#type: actor.name(),
        client: client.map(Label::as_str),
        channel: channel.map(Label::as_str),
    }
}

//! What has happened to a card, in words.

use axum::http::Method;
use axum::response::Response;
use maud::{Markup, html};

use super::CARDS;
use crate::shop::answers::{Actor, Card, CardStatus, Change, Reason};
use crate::shop::api::{Failure, Request};
use crate::shop::format::time;
use crate::shop::page::Tab;
use crate::shop::texts::{HistoryTexts, Texts};
use crate::shop::visitor::{OwnCard, Visitor};

/// Shows the history of a card, also of a removed one.
pub(super) async fn show(OwnCard { visitor, id }: OwnCard) -> Response {
    match read(&visitor, id).await {
        Ok((card, changes)) => {
            let title = visitor.texts.history_title(&card);
            let content = content(visitor.texts, &title, id, &changes);
            visitor.page(Tab::Cards, &title, &content)
        }
        Err(failure) if failure.slug == "not-found" => {
            visitor.session.customer.forget_removed(id);
            visitor.not_found()
        }
        Err(failure) => visitor.failure_page(Tab::Cards, visitor.texts.order.log, failure),
    }
}

async fn read(visitor: &Visitor, id: u64) -> Result<(Card, Vec<Change>), Failure> {
    let path = format!("/v1/recurring-payments/{id}");
    let card = visitor.call(Request::new(Method::GET, path.clone())).await?;
    Ok((card, visitor.call(Request::new(Method::GET, format!("{path}/history"))).await?))
}

fn content(texts: &Texts, title: &str, id: u64, changes: &[Change]) -> Markup {
    html! {
        h1 { (title) }
        p .note { (texts.history.intro) }
        div .panel {
            @if changes.is_empty() { p { (texts.history.none) } }
            @else {
                ol .log {
                    @for change in changes {
                        li {
                            span .change { (sentences(&texts.history, id, change)) }
                            span .note { (time(texts, &change.changed_at)) }
                            span .note { (actor(&texts.history, &change.actor)) }
                        }
                    }
                }
            }
        }
        p { a href=(CARDS) { (texts.history.back) } }
    }
}

/// What changed, from the view of one card.
fn sentences(texts: &HistoryTexts, id: u64, change: &Change) -> String {
    let sentences = [status_change(texts, change), primary_change(texts, id, change)];
    sentences.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn status_change(texts: &HistoryTexts, change: &Change) -> Option<&'static str> {
    let sentence = match change.status_after {
        CardStatus::Created => texts.added,
        CardStatus::Active => texts.stored,
        CardStatus::Expired => texts.expired,
        CardStatus::Cancelled if change.reason == Reason::Abandoned => texts.abandoned,
        CardStatus::Cancelled => texts.removed,
    };
    (change.status_before != Some(change.status_after)).then_some(sentence)
}

fn primary_change(texts: &HistoryTexts, id: u64, change: &Change) -> Option<&'static str> {
    match (change.primary_before == Some(id), change.primary_after == Some(id)) {
        (false, true) => Some(promotion(texts, change.reason)),
        (true, false) => match change.reason {
            Reason::Requested => Some(texts.other_chosen),
            Reason::CardStored => Some(texts.other_stored),
            // The change of the status says enough, or it is a reason of the card that became primary.
            Reason::Ended
            | Reason::Expired
            | Reason::Abandoned
            | Reason::First
            | Reason::PromotedAfterEnd
            | Reason::PromotedAfterExpiry
            | Reason::PromotedAfterAbandonment
            | Reason::HandedBack => None,
        },
        (true, true) | (false, false) => None,
    }
}

/// Why a card became primary. A card that ends, expires or is abandoned cannot become primary.
fn promotion(texts: &HistoryTexts, reason: Reason) -> &'static str {
    match reason {
        Reason::First => texts.first,
        Reason::Requested => texts.chosen,
        Reason::CardStored => texts.stored_first,
        Reason::Ended | Reason::PromotedAfterEnd => texts.after_end,
        Reason::Expired | Reason::PromotedAfterExpiry => texts.after_expiry,
        Reason::Abandoned | Reason::PromotedAfterAbandonment => texts.after_abandonment,
        Reason::HandedBack => texts.handed_back,
    }
}

fn actor(texts: &HistoryTexts, actor: &Actor) -> String {
    let channel = |channel: &Option<String>| {
        channel.as_ref().map(|channel| format!(" ({channel})")).unwrap_or_default()
    };
    match actor {
        Actor::Client { client: Some(client), channel: of } => {
            texts.by_client.replace("{client}", client) + &channel(of)
        }
        Actor::Client { client: None, channel: of } => {
            texts.by_unnamed_client.to_owned() + &channel(of)
        }
        Actor::Time => texts.by_time.to_owned(),
        Actor::Nets => texts.by_nets.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::shop::texts::LANGUAGES;

    /// A change of card 1 in English. The statuses and the primaries are before and after; 0 stands for none.
    fn words(statuses: [&str; 2], primaries: [u64; 2], reason: &str, actor: &Value) -> String {
        let [before, after] = primaries.map(|id| (id > 0).then_some(id));
        let change: Change = serde_json::from_value(json!({
            "changedAt": "2026-11-27T12:00:00.000Z",
            "actor": actor,
            "statusBefore": (!statuses[0].is_empty()).then_some(statuses[0]),
            "statusAfter": statuses[1],
            "reason": reason,
            "primaryBefore": before,
            "primaryAfter": after,
        }))
        .unwrap();
        let [_, _, en] = LANGUAGES;
        let sentences = sentences(&en.history, 1, &change);
        format!("{sentences} / {}", super::actor(&en.history, &change.actor))
    }

    #[test]
    fn every_change_is_one_or_two_sentences() {
        let (created, active) = (["CREATED"; 2], ["ACTIVE"; 2]);
        let added = "The card was added, but its number was not entered yet.";
        let stored = "Its number was entered at Nets, and the card was stored.";
        for (statuses, primaries, reason, expected) in [
            (
                ["", "CREATED"],
                [0, 1],
                "FIRST",
                &*format!("{added} It became primary because you had no primary card."),
            ),
            (["", "CREATED"], [2, 2], "REQUESTED", added),
            (["CREATED", "ACTIVE"], [1, 1], "CARD_STORED", stored),
            (
                ["CREATED", "ACTIVE"],
                [2, 1],
                "CARD_STORED",
                &format!(
                    "{stored} It became primary because the number of the previous primary card was not entered yet."
                ),
            ),
            (
                created,
                [1, 2],
                "CARD_STORED",
                "It is not primary any more because its number was not entered, and another card was stored.",
            ),
            (active, [2, 1], "REQUESTED", "It became primary because it was chosen."),
            (
                active,
                [1, 2],
                "REQUESTED",
                "It is not primary any more because another card was chosen.",
            ),
            (
                active,
                [2, 1],
                "PROMOTED_AFTER_END",
                "It became primary because the previous primary card was removed.",
            ),
            (
                active,
                [2, 1],
                "PROMOTED_AFTER_EXPIRY",
                "It became primary because the previous primary card expired.",
            ),
            (
                created,
                [2, 1],
                "PROMOTED_AFTER_ABANDONMENT",
                "It became primary because the previous primary card was cancelled: its number was not entered.",
            ),
            (
                active,
                [2, 1],
                "HANDED_BACK",
                "It became primary because the number of the card that had been chosen was not entered.",
            ),
            (["ACTIVE", "CANCELLED"], [1, 2], "ENDED", "The card was removed."),
            (["ACTIVE", "EXPIRED"], [1, 0], "EXPIRED", "The card expired."),
            (
                ["CREATED", "CANCELLED"],
                [1, 0],
                "ABANDONED",
                "The card was cancelled because its number was not entered.",
            ),
        ] {
            let words = words(statuses, primaries, reason, &json!({ "type": "TIME" }));
            assert_eq!(words, format!("{expected} / Because time passed"), "{reason}");
        }
    }

    #[test]
    fn every_actor_has_words() {
        for (actor, expected) in [
            (json!({ "type": "CLIENT", "client": "acme", "channel": "app" }), "By acme (app)"),
            (json!({ "type": "CLIENT", "client": "acme" }), "By acme"),
            (json!({ "type": "CLIENT", "channel": "app" }), "By a client without a name (app)"),
            (json!({ "type": "TIME" }), "Because time passed"),
            (json!({ "type": "NETS" }), "The service found it at Nets"),
        ] {
            let words = words(["ACTIVE"; 2], [2, 1], "REQUESTED", &actor);
            assert_eq!(words, format!("It became primary because it was chosen. / {expected}"));
        }
    }
}

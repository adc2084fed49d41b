//! The page "My cards".

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use uuid::Uuid;

use crate::shop::answers::{Card, CardStatus};
use crate::shop::format::{card_expiry, local_time};
use crate::shop::sessions::Customer;
use crate::shop::texts::Texts;

/// How far a button moves the clock. A stored card is valid for three years at most.
const CLOCK_STEP: &str = "P3Y";
/// How long before the expiry of a card another button stops the clock. The notice comes 30 days before.
const BEFORE_EXPIRY: SignedDuration = SignedDuration::from_hours(29 * 24);

/// The page.
pub(super) struct CardsPage<'a> {
    pub(super) texts: &'static Texts,
    pub(super) customer: &'a Customer,
    pub(super) cards: &'a [Card],
    /// The card that became primary since the last time.
    pub(super) promoted: Option<&'a Card>,
    /// The time on the clock of the local service.
    pub(super) now: Timestamp,
}

impl CardsPage<'_> {
    pub(super) fn content(&self) -> Markup {
        let texts = &self.texts.cards;
        html! {
            h1 { (texts.title) }
            @if let Some(card) = self.promoted {
                p #promoted .notice .done role="status" { (texts.promoted.replace("{card}", &self.texts.card_name(card))) }
            }
            @for card in self.cards { (self.expiry_notice(card)) }
            @if self.cards.is_empty() { p .lead { (texts.none) } }
            @else { ul .cards { @for card in self.cards { li .card { (self.card(card)) } } } }
            (self.add())
            (self.removed())
            section aria-labelledby="clock" {
                h2 #clock { (texts.clock_title) }
                p { (texts.clock_intro) }
                form method="post" action="/shop/clock" {
                    button #move-clock name="advance" value=(CLOCK_STEP) { (texts.clock_button) }
                }
                @if let Some(duration) = self.until_next_notice() {
                    form method="post" action="/shop/clock" {
                        button #move-to-notice name="advance" value=(duration) { (texts.clock_notice_button) }
                    }
                }
            }
        }
    }

    /// Says that a card expires soon, and whether the card itself does or only its registration.
    fn expiry_notice(&self, card: &Card) -> Markup {
        let texts = &self.texts.cards;
        let text = if card.valid_until == card.expires_at {
            texts.expiring_card
        } else {
            texts.expiring_registration
        };
        html! {
            @if let Some(at) = card.expires_soon(self.now) {
                p .notice .waiting .expiring {
                    (text.replace("{card}", &self.texts.card_name(card)).replace("{time}", &local_time(self.texts, at)))
                    " " a href="#add" { (texts.add) }
                }
            }
        }
    }

    /// The duration until [`BEFORE_EXPIRY`] of the first card that has no notice yet, as an ISO 8601 duration.
    fn until_next_notice(&self) -> Option<String> {
        let cards = self.cards.iter().filter(|card| card.expires_soon(self.now).is_none());
        let until = cards.filter_map(Card::active_until).min()?.duration_since(self.now);
        Some(format!("PT{}S", (until - BEFORE_EXPIRY).as_secs()))
    }

    /// The removed cards, which the API does not list any more.
    fn removed(&self) -> Markup {
        let removed = self.customer.removed();
        html! {
            @if !removed.is_empty() {
                section aria-labelledby="removed" {
                    h2 #removed { (self.texts.cards.removed_title) }
                    ul .removed {
                        @for card in &removed {
                            li { a href={ "/shop/cards/" (card.id) "/history" } { (self.texts.history_title(card)) } }
                        }
                    }
                }
            }
        }
    }

    fn card(&self, card: &Card) -> Markup {
        let (texts, heading) = (&self.texts.cards, format!("card-{}", card.id));
        html! {
            (face(self.texts, card))
            div .about {
                h2 id=(heading) { (self.texts.card_name(card)) }
                p .badges {
                    (self.status(card.status))
                    @if card.primary { " " span .badge .primary { (texts.primary) } }
                }
                @if card.status == CardStatus::Created { p { (texts.incomplete) } }
                @if self.customer.is_chargeable(card.id) { p .note { (texts.chargeable) } }
                div .actions { (self.actions(card, &heading)) }
            }
        }
    }

    fn status(&self, status: CardStatus) -> Markup {
        let texts = &self.texts.cards;
        let (name, class, word) = match status {
            CardStatus::Created => (texts.created, "waiting", "CREATED"),
            CardStatus::Active => (texts.active, "good", "ACTIVE"),
            CardStatus::Expired => (texts.expired, "bad", "EXPIRED"),
            CardStatus::Cancelled => (texts.cancelled, "bad", "CANCELLED"),
        };
        html! { span class={ "badge " (class) } data-status=(word) { (name) } }
    }

    fn actions(&self, card: &Card, heading: &str) -> Markup {
        let (texts, address) = (&self.texts.cards, format!("/shop/cards/{}", card.id));
        let nickname = format!("nickname-{}", card.id);
        html! {
            @if card.status == CardStatus::Created {
                form method="post" action={ (address) "/terminal" } { button .main aria-describedby=(heading) { (texts.resume) } }
                form method="post" action={ (address) "/authorize" } { button aria-describedby=(heading) { (texts.check) } }
            }
            @if card.status == CardStatus::Active && !card.primary {
                form method="post" action={ (address) "/primary" } { button .choose aria-describedby=(heading) { (texts.make_primary) } }
            }
            @if card.status == CardStatus::Active {
                details .rename {
                    summary aria-describedby=(heading) { (texts.rename) }
                    form method="post" action={ (address) "/nickname" } {
                        label for=(nickname) { (texts.nickname) }
                        input id=(nickname) name="nickname" maxlength="64" autocomplete="off" value=[&card.nickname];
                        button { (texts.save) }
                    }
                }
            }
            a .history href={ (address) "/history" } aria-describedby=(heading) { (self.texts.order.log) }
            a .remove href={ (address) "/remove" } aria-describedby=(heading) { (texts.remove) }
        }
    }

    fn add(&self) -> Markup {
        let texts = &self.texts.cards;
        html! {
            section aria-labelledby="add" {
                h2 #add tabindex="-1" { (texts.add) }
                p { (texts.add_intro) }
                form method="post" action="/shop/cards" {
                    input type="hidden" name="key" value=(Uuid::new_v4());
                    label for="nickname" { (texts.nickname) }
                    p #nickname-hint .hint { (texts.nickname_hint) }
                    input #nickname name="nickname" maxlength="64" autocomplete="off" aria-describedby="nickname-hint";
                    label .choice {
                        input #consent type="checkbox" name="consent" value="yes";
                        span { (texts.consent) }
                    }
                    button #add-card .main { (texts.add_button) }
                }
            }
        }
    }
}

/// The picture of a card, with its data as text.
pub(super) fn face(texts: &Texts, card: &Card) -> Markup {
    let class = card.payment_type.as_deref().unwrap_or("none").to_ascii_lowercase();
    let scheme =
        card.payment_type.as_deref().map_or(texts.cards.no_card, |scheme| Texts::scheme(scheme));
    html! {
        div class={ "face " (class) } {
            p .scheme { (scheme) }
            p .number {
                @if let Some(digits) = &card.masked_pan {
                    span .unseen { (texts.cards.ending) " " } span aria-hidden="true" { "•••• " } (digits)
                }
            }
            p .expiry {
                @if let Some(month) = &card.expiry { (texts.cards.valid_until) " " (card_expiry(month)) }
            }
        }
    }
}

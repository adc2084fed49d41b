//! The page "My cards".

use maud::{Markup, html};
use uuid::Uuid;

use crate::shop::answers::{Card, CardStatus};
use crate::shop::format::card_expiry;
use crate::shop::sessions::Customer;
use crate::shop::texts::Texts;

/// The page.
pub(super) struct CardsPage<'a> {
    pub(super) texts: &'static Texts,
    pub(super) customer: &'a Customer,
    pub(super) cards: &'a [Card],
    /// The card that became primary since the last time.
    pub(super) promoted: Option<&'a Card>,
}

impl CardsPage<'_> {
    pub(super) fn content(&self) -> Markup {
        let texts = &self.texts.cards;
        html! {
            h1 { (texts.title) }
            @if let Some(card) = self.promoted {
                p #promoted .notice .done role="status" { (texts.promoted.replace("{card}", &self.texts.card_name(card))) }
            }
            @if self.cards.is_empty() { p .lead { (texts.none) } }
            @else { ul .cards { @for card in self.cards { li .card { (self.card(card)) } } } }
            (self.add())
            section aria-labelledby="clock" {
                h2 #clock { (texts.clock_title) }
                p { (texts.clock_intro) }
                form method="post" action="/shop/clock" { button #move-clock { (texts.clock_button) } }
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
            details .remove {
                summary aria-describedby=(heading) { (texts.remove) }
                form method="post" action={ (address) "/remove" } {
                    p { (texts.remove_hint) }
                    button .danger aria-describedby=(heading) { (texts.remove_button) }
                }
            }
        }
    }

    fn add(&self) -> Markup {
        let texts = &self.texts.cards;
        html! {
            section aria-labelledby="add" {
                h2 #add { (texts.add) }
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
fn face(texts: &Texts, card: &Card) -> Markup {
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

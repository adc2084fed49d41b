//! What was stored, requested and answered so far, as far as the properties need it.

use shared::domain::id::{PaymentTransactionId, RegistrationId};
use shared::domain::payment::{Contents, State, TransactionStatus};

use super::protocol::TransactionView;

/// The history of a state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct History {
    /// The registrations that were ever stored as chosen, or, with `auto_sale`, opened.
    chosen: Vec<RegistrationId>,
    /// The registrations that were ever stored with `autoSale`.
    auto_sales: Vec<RegistrationId>,
    /// The largest total that a client asked to credit, with the refunds that the service could not know of, in minor units.
    pub creditable_minor: u64,
    /// The sum of the refunds in Netaxept Admin, in minor units.
    pub refunded_minor: u64,
    /// What was answered about each transaction.
    answers: Vec<(PaymentTransactionId, Answered)>,
}

/// What was answered about a transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Answered {
    /// That it is captured.
    pub captured: bool,
    /// That it is over: a confirmed cancellation, or REJECTED.
    pub over: bool,
    /// The largest credited sum.
    pub credited_minor: u64,
}

impl History {
    /// Adds what a write stored.
    pub fn stored(&mut self, contents: &Contents) {
        for (number, transaction) in (0..).zip(&contents.transactions) {
            let State::Initiated(initiated) = &transaction.state else { continue };
            let id = |index: usize| {
                let index = u8::try_from(index).unwrap_or_default();
                super::registration_id(number, index)
            };
            for (index, registration) in initiated.registrations.iter().enumerate() {
                let is_chosen = initiated
                    .chosen
                    .is_some_and(|chosen| usize::from(chosen.registration.number()) == index);
                if is_chosen {
                    insert(&mut self.chosen, id(index));
                }
                if registration.auto_sale {
                    insert(&mut self.auto_sales, id(index));
                }
            }
        }
    }

    /// Whether a registration was ever stored as chosen.
    #[must_use]
    pub fn was_chosen(&self, id: RegistrationId) -> bool {
        self.chosen.contains(&id)
    }

    /// Whether a registration has `autoSale`.
    #[must_use]
    pub fn is_auto_sale(&self, id: RegistrationId) -> bool {
        self.auto_sales.contains(&id)
    }

    /// Adds the answer that a transaction is in this state.
    pub fn answered(&mut self, view: TransactionView) {
        let answered = self.answered_mut(view.id);
        match view.status {
            TransactionStatus::Created | TransactionStatus::Initiated => {}
            TransactionStatus::Captured | TransactionStatus::Credited => {
                answered.captured = true;
                answered.credited_minor = answered.credited_minor.max(view.credited_minor);
            }
            TransactionStatus::Rejected | TransactionStatus::Cancelled => answered.over = true,
        }
    }

    fn answered_mut(&mut self, id: PaymentTransactionId) -> &mut Answered {
        let index = self.answers.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
            self.answers.push((id, Answered::default()));
            self.answers.len() - 1
        });
        &mut self.answers[index].1
    }

    /// What was answered about a transaction.
    #[must_use]
    pub fn answer(&self, id: PaymentTransactionId) -> Answered {
        let found = self.answers.iter().find(|(known, _)| *known == id);
        found.map(|(_, answered)| *answered).unwrap_or_default()
    }

    /// Everything that was answered.
    pub fn answers(&self) -> impl Iterator<Item = (PaymentTransactionId, Answered)> {
        self.answers.iter().copied()
    }
}

fn insert(ids: &mut Vec<RegistrationId>, id: RegistrationId) {
    if let Err(index) = ids.binary_search(&id) {
        ids.insert(index, id);
    }
}

//! The table of every action in every state of a transaction (payments.md §4.3).

use std::fmt::Write as _;

use super::fixtures::{
    HOLD, OWNER, amount, authorized, auto_sale, auto_sale_at_page, captured, charge, charged_card,
    chosen, minutes, nok, open, other_amount, other_card, paid, payment, registration, terminal,
    transaction_id,
};
use super::*;
use crate::domain::money::Currency;

/// Defines an enum with a list of all its variants, so that the tests cannot miss a variant.
macro_rules! enum_with_all {
    ($name:ident { $($(#[$variant_meta:meta])* $variant:ident),+ $(,)? }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            const ALL: &[Self] = &[$(Self::$variant),+];
        }
    };
}

// Every action in every state.

enum_with_all! {
    InitialState {
        Created,
        /// Stored as CREATED, read 24 hours later.
        CreatedPastTimeout,
        CustomerAtTerminal,
        MerchantRegistered,
        /// Two terminals, of which the customer cancelled the first.
        SecondTerminal,
        /// Stored as INITIATED, read 24 hours after its terminal.
        OpenPastTimeout,
        CancelledAtTerminal,
        AuthenticationRequired,
        DeclinedForNow,
        AuthInProgress,
        OffSessionAuthInProgress,
        /// Two requests are in progress.
        AuthInProgressTwice,
        /// Two requests were in progress, and one of them was declined.
        OneOfTwoDeclined,
        AuthInDoubtPastTimeout,
        Authorized,
        AuthorizedPastHold,
        Captured,
        Credited,
        RejectedHard,
        RejectedOffSession,
        CancelledBeforeAuth,
        CancelledDuringAuth,
        CancelledAndAnnulled,
        AutoSaleAtPage,
        /// The customer did not complete the page in time.
        AutoSaleLapsed,
        AutoSaleDeclinedForNow,
        AutoSaleAuthorized,
        OffSessionAutoSale,
        OffSessionAutoSaleDeclinedForNow,
        PartlyCredited,
        CreditInProgress,
        CreditInDoubt,
        RepeatedCreditRefused,
        /// 29.99 are credited, in as many parts as are possible.
        AllPartsCredited,
        CapturedAYearAgo,
    }
}

enum_with_all! {
    Action {
        CreateSame,
        CreateOtherAmount,
        CreateOtherCard,
        CreateOtherCustomer,
        OpenForCustomer,
        OpenForMerchant,
        OpenAutoSaleForCustomer,
        OpenAutoSaleForMerchant,
        AutoSale,
        Choose,
        Cancel,
        CancelWithoutCard,
        CheckCaptured,
        Wait,
        CreditPart,
        CreditEverything,
        CreditTooMuch,
        ResendCredit,
        RefuseCredit,
        FindAuthorized,
        FindOtherAmount,
        FindCaptured,
        FindCredited,
        FindCreditOfPart,
        FindAnnulled,
        FindHardDecline,
        FindSoftDecline,
        FindAuthenticationRequired,
        FindCancelled,
        FindNoCard,
        FindNeverRegistered,
        FindPending,
        FindUnclear,
    }
}

fn payment_in(state: InitialState) -> Payment {
    use InitialState as S;
    let declined = |decline| Reconciliation::Declined(decline);
    match state {
        S::Created => payment(),
        S::CreatedPastTimeout => payment().after(Transaction::TIMEOUT),
        S::CustomerAtTerminal => open(),
        S::MerchantRegistered => payment().opened(Initiator::Merchant),
        S::SecondTerminal => open().opened(Initiator::Customer).with(0, Reconciliation::Cancelled),
        S::OpenPastTimeout => open().after(Transaction::TIMEOUT),
        S::CancelledAtTerminal => open().with(0, Reconciliation::Cancelled),
        S::AuthenticationRequired => chosen().with(0, declined(Decline::AuthenticationRequired)),
        S::DeclinedForNow => chosen().with(0, declined(Decline::Soft)),
        S::AuthInProgress => chosen(),
        S::OffSessionAuthInProgress => payment().opened(Initiator::Merchant).choosing(0),
        S::AuthInProgressTwice => chosen().choosing(0),
        S::OneOfTwoDeclined => chosen().choosing(0).with(0, declined(Decline::Hard)),
        S::AuthInDoubtPastTimeout => chosen().after(Transaction::TIMEOUT),
        S::Authorized => authorized(),
        S::AuthorizedPastHold => authorized().after(HOLD),
        S::Captured => authorized().with(0, captured(10_000, 0)),
        S::Credited => authorized().with(0, captured(10_000, 10_000)),
        S::RejectedHard => chosen().with(0, declined(Decline::Hard)),
        S::RejectedOffSession => payment()
            .opened(Initiator::Merchant)
            .choosing(0)
            .with(0, declined(Decline::AuthenticationRequired)),
        S::CancelledBeforeAuth => open().cancelled(),
        S::CancelledDuringAuth => chosen().cancelled(),
        S::CancelledAndAnnulled => authorized().cancelled().with(0, Reconciliation::Annulled),
        S::AutoSaleAtPage => auto_sale_at_page(),
        S::AutoSaleLapsed => {
            auto_sale_at_page().after(minutes(16)).with(0, Reconciliation::Pending)
        }
        S::AutoSaleDeclinedForNow => auto_sale_at_page().with(0, declined(Decline::Soft)),
        S::AutoSaleAuthorized => auto_sale_at_page().with(0, Reconciliation::Authorized(amount())),
        S::OffSessionAutoSale => payment().opened_with(auto_sale(Initiator::Merchant)),
        S::OffSessionAutoSaleDeclinedForNow => payment()
            .opened_with(auto_sale(Initiator::Merchant))
            .choosing(0)
            .with(0, declined(Decline::Soft)),
        S::PartlyCredited => paid().with(0, captured(10_000, 3_000)),
        S::CreditInProgress => paid().with_credit(3_000),
        S::CreditInDoubt => paid().with_credit(3_000).after(minutes(16)),
        S::RepeatedCreditRefused => {
            let mut payment = paid().with_credit(3_000).after(minutes(16));
            let request = payment.resend_credit(transaction_id(0)).unwrap();
            payment.credit_refused(request);
            payment.after(minutes(5))
        }
        S::AllPartsCredited => {
            let part = |payment: Payment, credited| {
                payment.with_credit(credited).with(0, captured(10_000, credited))
            };
            (2_900..=2_999).fold(paid(), part)
        }
        S::CapturedAYearAgo => paid().after(Crediting::PERIOD),
    }
}

/// The result of an action, and the status of the first transaction afterwards.
fn perform(payment: &mut Payment, action: Action) -> String {
    use Action as A;
    let (id, first) = (transaction_id(0), registration(0));
    let create = |payment: &mut Payment, owner, charge| {
        payment
            .create_again(owner, charge, charged_card())
            .map(|created| if created == id { "same" } else { "new" })
    };
    let open = |payment: &mut Payment, terminal| {
        let opened = payment.open_terminal(id, terminal);
        opened.map(|opened| if opened.is_new { "new" } else { "same" })
    };
    let decline = |decline| Reconciliation::Declined(decline);
    let result = match action {
        A::CreateSame => text(create(payment, OWNER, charge())),
        A::CreateOtherAmount => text(create(payment, OWNER, other_amount())),
        A::CreateOtherCard => text(create(payment, OWNER, other_card())),
        A::CreateOtherCustomer => text(create(payment, Owner([8; 32]), charge())),
        A::OpenForCustomer => text(open(payment, terminal(Initiator::Customer))),
        A::OpenForMerchant => text(open(payment, terminal(Initiator::Merchant))),
        A::OpenAutoSaleForCustomer => text(open(payment, auto_sale(Initiator::Customer))),
        A::OpenAutoSaleForMerchant => text(open(payment, auto_sale(Initiator::Merchant))),
        A::AutoSale => if payment.is_auto_sale(id) { "yes" } else { "no" }.to_owned(),
        A::Choose => text(payment.choose(first).map(|capture| match capture {
            Capture::Authorize(_) => "authorize",
            Capture::Completed => "completed",
        })),
        A::Cancel => text(payment.cancel(id).map(|()| "ok")),
        A::CancelWithoutCard => text(payment.cancel_without_card(id).map(|()| "ok")),
        A::CheckCaptured => text(payment.check_captured(id).map(|()| "ok")),
        A::Wait => text(
            payment.is_pending(id).map(|pending| if pending { "pending" } else { "not pending" }),
        ),
        A::CreditPart => credit(payment, Some(nok(3_000))),
        A::CreditEverything => credit(payment, None),
        A::CreditTooMuch => credit(payment, Some(nok(10_001))),
        A::ResendCredit => sent(payment.resend_credit(id)),
        A::RefuseCredit => {
            payment.credit_refused(CreditRequest {
                id: first,
                amount: nok(3_000),
                target_minor: 3_000,
            });
            "ok".to_owned()
        }
        A::FindAuthorized => step(payment, Reconciliation::Authorized(amount())),
        A::FindOtherAmount => {
            step(payment, Reconciliation::Authorized(Money::new(10_000, Currency::Sek)))
        }
        A::FindCaptured => step(payment, captured(10_000, 0)),
        A::FindCredited => step(payment, captured(10_000, 10_000)),
        A::FindCreditOfPart => step(payment, captured(10_000, 3_000)),
        A::FindAnnulled => step(payment, Reconciliation::Annulled),
        A::FindHardDecline => step(payment, decline(Decline::Hard)),
        A::FindSoftDecline => step(payment, decline(Decline::Soft)),
        A::FindAuthenticationRequired => step(payment, decline(Decline::AuthenticationRequired)),
        A::FindCancelled => step(payment, Reconciliation::Cancelled),
        A::FindNoCard => step(payment, Reconciliation::NoCard),
        A::FindNeverRegistered => step(payment, Reconciliation::NeverRegistered),
        A::FindPending => step(payment, Reconciliation::Pending),
        A::FindUnclear => step(payment, Reconciliation::Unclear),
    };
    let transaction = payment.transaction(id).unwrap();
    let is_crediting = transaction.captured().is_some_and(|money| money.crediting.is_some());
    let crediting = if is_crediting { " crediting" } else { "" };
    format!("{result} {}{crediting}", payment.first_status())
}

/// The registration that has to be queried, and what has to be sent.
fn credit(payment: &mut Payment, total: Option<Money>) -> String {
    let checked = payment.check_credit(transaction_id(0), total);
    let begun = payment.begin_credit(transaction_id(0), total);
    match (checked, begun) {
        (Ok(None), Ok(Credit::Completed)) => "completed".to_owned(),
        (Ok(Some(_)), Ok(Credit::Completed)) => "query completed".to_owned(),
        (Ok(Some(_)), Ok(Credit::Send(request))) => format!("query {}", sent(Some(request))),
        (Ok(Some(_)), Err(refusal)) => format!("query {refusal:?}"),
        (Err(checked), Err(begun)) if checked == begun => format!("{checked:?}"),
        different => panic!("{different:?}"),
    }
}

fn sent(request: Option<CreditRequest>) -> String {
    request.map_or("nothing".to_owned(), |request| {
        format!("send {} to {}", request.amount.minor(), request.target_minor)
    })
}

fn step(payment: &mut Payment, reconciliation: Reconciliation) -> String {
    match payment.apply(registration(0), reconciliation, HOLD) {
        Ok(step) => format!("{step:?}").to_lowercase(),
        Err(refusal) => format!("{refusal:?}"),
    }
}

fn text(result: Result<&str, PaymentRefusal>) -> String {
    result.map_or_else(|refusal| format!("{refusal:?}"), str::to_owned)
}

#[test]
fn every_action_in_every_state_has_the_expected_result() {
    let mut table = String::from(
        "# action, then the result, the status of the transaction afterwards, and the initial states\n",
    );
    for action in Action::ALL {
        writeln!(table, "{action:?}").unwrap();
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for state in InitialState::ALL {
            let result = perform(&mut payment_in(*state), *action);
            match groups.iter_mut().find(|(known, _)| *known == result) {
                Some((_, states)) => states.push(format!("{state:?}")),
                None => groups.push((result, vec![format!("{state:?}")])),
            }
        }
        for (result, states) in groups {
            writeln!(table, "  {result}: {}", states.join(" ")).unwrap();
        }
    }
    assert_eq!(table, include_str!("actions.txt"));
}

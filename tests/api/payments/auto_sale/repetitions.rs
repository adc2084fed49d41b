//! How often the service repeats what Nets does not confirm, for an auto sale of the merchant: card schemes limit repeated
//! authorizations.

use local::netaxept::{FaultKind, Operation};

use crate::payments::{AMOUNT, Charge, SETTLE};
use crate::{TestApi, VISA};

/// More faults than calls.
const ALWAYS: usize = 10_000;

impl TestApi {
    fn queries(&self) -> usize {
        self.local.netaxept().calls(Operation::Query)
    }

    /// Runs the schedule each minute, and returns in which minutes there were calls of `calls`.
    async fn minutes_with_calls(
        &mut self,
        minutes: usize,
        calls: impl Fn(&Self) -> usize,
    ) -> Vec<usize> {
        // The time of a run has no milliseconds.
        self.local.clock().advance("PT1S").unwrap();
        let mut found = Vec::new();
        for minute in 1..=minutes {
            let before = calls(self);
            self.advance_clock("PT1M").await;
            let summary = self.run_schedule(SETTLE).await;
            assert_eq!(summary["failed"], 0, "{summary}");
            if calls(self) > before {
                found.push(minute);
            }
        }
        found
    }

    /// Asserts that the transaction is CANCELLED after a day, that nothing was ever authorized, and that nothing is left to do.
    async fn assert_ends_without_money(&mut self, charge: Charge) {
        for time in ["PT1H", "PT21H", "PT1H", "PT1M"] {
            self.advance_and_settle(time).await;
        }
        let timed_out = ("CANCELLED".to_owned(), "TIMED_OUT".to_owned());
        assert_eq!(self.status_and_reason(charge).await, timed_out);
        for time in ["PT5M", "PT16M", "PT1H", "PT24H"] {
            self.advance_and_settle(time).await;
        }
        self.assert_nothing_is_planned().await;
        let ledger = self.ledger(charge);
        assert_eq!((ledger.operations, ledger.held_minor), ([].into(), 0));
    }
}

/// AUTH has no clear answer, and Query shows no authorization: an issuer's code that is not known, or no answer at all. AUTH is
/// requested at 1, 5 and 15 minutes, and not later than 16 minutes after the terminal.
#[tokio::test]
async fn an_authorization_in_doubt_is_requested_in_three_runs() {
    for is_declined in [true, false] {
        let mut api = TestApi::new().await;
        let card = api.create_agreed("4711", VISA).await;
        let amount = if is_declined { "1.99" } else { AMOUNT };
        let charge = api.buy_merchant_auto_sale("order-1", &card, amount).await;
        if !is_declined {
            api.local.netaxept().inject_fault(Operation::Auth, FaultKind::Http500, ALWAYS);
        }
        let requested = api.minutes_with_calls(70, |api| api.money_calls()[0]).await;
        assert_eq!(requested, [1, 5, 15], "is declined: {is_declined}");
        assert_eq!(api.money_calls(), [6, 0, 0]);
        // Not even after a callback.
        api.call_back(charge, 0).await;
        api.assert_ends_without_money(charge).await;
        assert_eq!(api.money_calls(), [6, 0, 0]);
    }
}

/// The client can request AUTH at any time in the 24 hours.
#[tokio::test]
async fn the_client_can_capture_after_the_last_run_with_auth() {
    let mut api = TestApi::new().await;
    let card = api.create_agreed("4711", VISA).await;
    let charge = api.buy_merchant_auto_sale("order-1", &card, AMOUNT).await;
    api.local.netaxept().inject_fault(Operation::Auth, FaultKind::Http500, 6);
    for _ in 0..20 {
        api.advance_and_settle("PT1M").await;
    }
    assert_eq!(api.money_calls(), [6, 0, 0]);
    assert_eq!(api.capture(charge).await.status, 200);
    api.assert_paid(charge, AMOUNT, 10_000).await;
    api.advance_and_settle("PT24H").await;
    api.assert_nothing_is_planned().await;
}

/// AUTH arrived, but its reply is lost, and Nets' outage lasts longer than the runs with AUTH: the authorization is captured.
#[tokio::test]
async fn an_authorization_that_is_found_late_is_captured() {
    let mut api = TestApi::new().await;
    let card = api.create_agreed("4711", VISA).await;
    let charge = api.buy_merchant_auto_sale("order-1", &card, AMOUNT).await;
    let nets = api.local.netaxept().clone();
    nets.inject_fault(Operation::Auth, FaultKind::DropReply, 1);
    nets.inject_fault(Operation::Query, FaultKind::Http500, ALWAYS);
    for _ in 0..20 {
        api.advance_and_settle("PT1M").await;
    }
    assert_eq!((api.money_calls(), api.ledger(charge).held_minor), ([1, 0, 0], 10_000));
    api.remove_nets_faults().await;
    api.advance_and_settle("PT1M").await;
    api.assert_paid(charge, AMOUNT, 10_000).await;
    api.assert_nothing_is_planned().await;
}

/// The schedule did not run for an hour: the first AUTH is requested then, and in this run only.
#[tokio::test]
async fn the_first_authorization_can_be_late_but_is_not_repeated() {
    let mut api = TestApi::new().await;
    let card = api.create_agreed("4711", VISA).await;
    let charge = api.buy_merchant_auto_sale("order-1", &card, AMOUNT).await;
    let lost = api.buy_merchant_auto_sale("order-2", &card, "1.99").await;
    api.advance_clock("PT1H").await;
    let requested = api.minutes_with_calls(30, |api| api.money_calls()[0]).await;
    assert_eq!((requested, api.money_calls()), (vec![1], [3, 1, 0]));
    api.assert_paid(charge, AMOUNT, 10_000).await;
    api.assert_ends_without_money(lost).await;
}

/// Register never happened, and the client does not repeat the terminal: the registration is queried at the planned instants.
#[tokio::test]
async fn a_registration_that_never_happened_is_queried_as_planned() {
    let mut api = TestApi::new().await;
    let card = api.create_agreed("4711", VISA).await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    api.local.netaxept().inject_fault(Operation::Register, FaultKind::Http500, 1);
    let opened = api.open_terminal_with(charge, &super::merchant_auto_sale()).await;
    assert_eq!(opened.status, 503, "{opened:?}");
    let queried = api.minutes_with_calls(70, TestApi::queries).await;
    assert_eq!(queried, [1, 2, 5, 6, 16, 60]);
    api.assert_ends_without_money(charge).await;
}

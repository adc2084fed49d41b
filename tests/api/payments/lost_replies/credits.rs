//! A credit of a part, which Nets would repeat: it is made once, or not at all if nothing of the request arrived.

use reqwest::StatusCode;

use super::rows::{CREDITS, Row, Step, selected};
use super::{Charge, World, assert_can_be_repeated, print_table, shown};
use crate::payments::AMOUNT;

/// The credited total, in text and in minor units.
const TOTAL: &str = "30.00";
const TOTAL_MINOR: u64 = 3_000;

/// A credit in which something was lost, and the requests of a client that repeats it.
struct Lost<'a> {
    row: &'a Row,
    charge: Charge,
    answer: Option<StatusCode>,
    requests: usize,
    is_answered: bool,
}

impl World {
    /// Captures a payment, and credits it with the loss of a row.
    async fn lose_credit<'a>(&self, row: &'a Row, order_id: &str) -> Lost<'a> {
        let charge = self.api.buy_captured(order_id, &self.card, AMOUNT).await;
        let body = serde_json::json!({ "creditedAmount": TOTAL });
        let path = charge.path("/credit");
        let response = self.call(row, Step::Credit, "PUT", &path, Some(&body)).await;
        let answer = response.map(|response| response.status);
        let is_answered = answer == Some(StatusCode::OK);
        if is_answered {
            assert_eq!(self.api.ledger(charge).credited_minor, TOTAL_MINOR, "{:?}", row.describe());
        }
        Lost { row, charge, answer, requests: 0, is_answered }
    }

    /// Repeats the credits that were not answered with 200.
    async fn repeat_credits(&self, credits: &mut [Lost<'_>]) {
        for lost in credits.iter_mut().filter(|lost| !lost.is_answered || lost.requests == 0) {
            let response = self.api.credit(lost.charge, Some(TOTAL)).await;
            lost.requests += 1;
            lost.is_answered = response.status == StatusCode::OK;
            if !lost.is_answered {
                assert_can_be_repeated(lost.row, &response);
            }
        }
    }

    /// The end of a credit, for the printed table.
    async fn credited(&self, lost: &Lost<'_>, is_credited: bool) -> String {
        let (ledger, context) = (self.api.ledger(lost.charge), lost.row.describe());
        let (minor, credits) = if is_credited { (TOTAL_MINOR, 1) } else { (0, 0) };
        assert_eq!(
            (ledger.credited_minor, ledger.count("CREDIT")),
            (minor, credits),
            "{context:?}"
        );
        let shown = if is_credited { TOTAL } else { "0.00" };
        self.api.assert_credited(lost.charge, shown, credits).await;
        shown.to_owned()
    }
}

/// Makes every credit twice: the client repeats its request each time that the schedule has run, or only the schedule runs. Returns the
/// rows of the printed table.
async fn run(rows: &[Row]) -> String {
    let mut world = World::new().await;
    let (mut repeated, mut left) = (Vec::new(), Vec::new());
    for (turn, row) in rows.iter().enumerate() {
        repeated.push(world.lose_credit(row, &format!("repeated-{turn}")).await);
        left.push(world.lose_credit(row, &format!("left-{turn}")).await);
    }
    world.repeat_credits(&mut repeated).await;
    // A lost credit is sent again after 16 minutes.
    for time in ["PT1M", "PT4M", "PT11M", "PT1M", "PT43M"] {
        world.api.advance_and_settle(time).await;
        world.repeat_credits(&mut repeated).await;
    }
    assert!(repeated.iter().all(|lost| lost.is_answered));
    let calls = world.api.credit_calls();
    world.api.advance_and_settle("PT48H").await;
    assert_eq!(world.api.credit_calls(), calls);
    let mut table = Vec::new();
    for (repeated, left) in repeated.iter().zip(&left) {
        let (step, loss) = left.row.describe();
        let (answer, requests) = (shown(left.answer), repeated.requests);
        let of_repeated = world.credited(repeated, true).await;
        let of_left = world.credited(left, left.row.is_completed).await;
        table.push(format!(
            "| {step} | {loss} | {answer} | {of_repeated} | {requests} | {of_left} |\n"
        ));
    }
    world.api.assert_nothing_is_planned().await;
    table.concat()
}

/// Several services run at the same time, because the functions wait between their attempts.
#[tokio::test]
async fn a_lost_credit_is_made_once_or_not_at_all() {
    let rows = selected(&CREDITS);
    print_table(&futures_util::future::join_all(rows.chunks(4).map(run)).await);
}

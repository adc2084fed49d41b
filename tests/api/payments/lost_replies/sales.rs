//! Auto sales in which something is lost while the service captures: the order is paid once, with and without a capture of the client.

use super::rows::{Row, SALES, Step, selected};
use super::{Charge, World, outcome, print_table};
use crate::payments::{AMOUNT, SETTLE};

impl World {
    /// Creates the payment of an auto sale that has to be captured, and captures it with the loss of a row.
    async fn lose_sale(&mut self, row: &Row, order_id: &str) -> Charge {
        let charge = if row.step == Step::MerchantSale {
            self.api.buy_merchant_auto_sale(order_id, &self.card, AMOUNT).await
        } else {
            self.api.buy_auto_sale(order_id, &self.card, AMOUNT).await
        };
        self.api.advance_clock("PT1M1S").await;
        if row.step == Step::Callback {
            let callback = self.api.try_call_back(charge, 0);
            self.lose(row, callback).await;
        } else {
            // The run fails if its function is killed, or if the tables fail.
            let run = self.api.local.scheduler().run(SETTLE);
            drop(self.lose(row, run).await);
        }
        charge
    }
}

/// Makes every auto sale twice: the client captures, or only the schedule runs. Returns the rows of the printed table.
async fn run(rows: &[Row]) -> String {
    let mut world = World::new().await;
    let mut table = Vec::new();
    for (turn, row) in rows.iter().enumerate() {
        let (step, loss) = row.describe();
        let captured = world.lose_sale(row, &format!("captured-{turn}")).await;
        let mut requests = 1;
        while !world.is_captured(row, captured).await {
            requests += 1;
            assert!(requests <= 3, "{:?}: not captured by three requests", row.describe());
        }
        let left = world.lose_sale(row, &format!("left-{turn}")).await;
        // A Query can be too late for the first run. An AUTH in doubt is requested again 5 minutes after the terminal.
        for _ in 0..4 {
            world.api.advance_and_settle("PT1M").await;
        }
        let of_captured = outcome(&world.api, row, captured, true).await;
        let of_left = outcome(&world.api, row, left, row.is_completed).await;
        world.api.assert_nothing_is_planned().await;
        table.push(format!("| {step} | {loss} | – | {of_captured} | {requests} | {of_left} |\n"));
    }
    world.api.advance_and_settle("PT48H").await;
    world.api.assert_nothing_is_planned().await;
    table.concat()
}

/// Several services run at the same time, because the functions wait between their attempts.
#[tokio::test]
async fn a_lost_auto_sale_is_captured_once() {
    let rows = selected(&SALES);
    print_table(&futures_util::future::join_all(rows.chunks(4).map(run)).await);
}

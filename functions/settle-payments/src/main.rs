//! Every minute: captures the auto sales that are due, reconciles payments with Nets, releases the reserved amounts that are not
//! needed, continues credits, and delivers notifications. Takes money only for auto sales.

use shared::app::PaymentTasks;
use shared::schedule::{self, Run, RunSummary};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), schedule::StartError> {
    schedule::serve(env!("CARGO_BIN_NAME"), PaymentTasks::start, settle).await
}

async fn settle(tasks: &PaymentTasks, run: Run) -> RunSummary {
    let payments = &tasks.charges.settlement.payments;
    run.for_each_due_payment(payments, |due| tasks.run(due.key, run.now)).await
}

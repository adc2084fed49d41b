//! Every minute: reconciles the payments that are due with Nets, and releases the reserved amounts that are not needed. Takes no
//! money.

use shared::app::Settlement;
use shared::schedule::{self, Run, RunSummary};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), schedule::StartError> {
    schedule::serve(env!("CARGO_BIN_NAME"), Settlement::start, settle).await
}

async fn settle(settlement: &Settlement, run: Run) -> RunSummary {
    run.for_each_due_payment(&settlement.payments, |due| settlement.settle(due.key, run.now)).await
}

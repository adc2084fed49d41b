//! Every minute: reconciles the terminal sessions that are due, completes those with a card, and delivers notifications about the
//! results.

use shared::app::App;
use shared::schedule::{self, Run, RunSummary};
use shared::storage::DueKind;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), schedule::StartError> {
    schedule::serve(env!("CARGO_BIN_NAME"), App::start, finish).await
}

async fn finish(app: &App, run: Run) -> RunSummary {
    run.for_each_due(&app.notification_sender.store, DueKind::Task, |due| {
        app.finish(due.key, run.now)
    })
    .await
}

//! Each minute: looks at the terminals whose time has come, finishes those at which a card was entered, and tells callers how
//! a setup ended.

use shared::app::App;
use shared::schedule::{self, Run, Tally};
use shared::storage::Kind;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), schedule::Fatal> {
    schedule::serve(env!("CARGO_BIN_NAME"), App::start, finish).await
}

async fn finish(app: &App, run: Run) -> Tally {
    run.each(&app.teller.store, Kind::Chore, |due| app.finish(due.slot, run.now)).await
}

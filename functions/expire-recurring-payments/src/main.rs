//! Each minute: makes durable what time has made of recurring payments, EXPIRED, ABANDONED or forgotten, and tells it.
//!
//! What callers see never depends on it.

use shared::app::Teller;
use shared::schedule::{self, Run, Tally};
use shared::storage::Kind;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), schedule::Fatal> {
    schedule::serve(env!("CARGO_BIN_NAME"), Teller::start, expire).await
}

async fn expire(teller: &Teller, run: Run) -> Tally {
    run.each(&teller.store, Kind::Expiry, |due| teller.settle(due.slot, run.now)).await
}

//! Every minute: stores which recurring payments have expired, were abandoned or are past their retention, and delivers the
//! notifications about them.
//!
//! Responses of the API do not depend on this function.

use shared::app::NotificationSender;
use shared::schedule::{self, Run, RunSummary};
use shared::storage::DueKind;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), schedule::StartError> {
    schedule::serve(env!("CARGO_BIN_NAME"), NotificationSender::start, expire).await
}

async fn expire(notification_sender: &NotificationSender, run: Run) -> RunSummary {
    run.for_each_due(&notification_sender.store, DueKind::Expiry, |due| {
        notification_sender.expire(due.key, run.now)
    })
    .await
}

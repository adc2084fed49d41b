//! `PUT /v1/recurring-payments/{recurringPaymentId}/authorize`: verifies the card that the customer entered at Nets, and stores it.

use shared::api::{self, Reply, Request, reply};
use shared::app::App;
use shared::domain::caller::Permission;
use shared::error::Error;
use shared::storage::WalletKey;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), App::start, authorize).await
}

async fn authorize(app: &App, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::Create)?, request.received_at()?);
    app.notification_sender.store.check_rate_limit(request.is_identified(), now).await?;
    let id = request.recurring_payment_id()?;
    let view = app.complete(WalletKey::Payment(&caller, id), id, now).await?;
    reply::ok(&view)
}

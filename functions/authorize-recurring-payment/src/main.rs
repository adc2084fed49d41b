//! `PUT /v1/recurring-payments/{recurringPaymentId}/authorize`: has Nets verify the card that the customer entered, and keeps it.

use shared::api::{self, Reply, Request, reply};
use shared::app::App;
use shared::domain::caller::Permission;
use shared::error::Error;
use shared::storage::Key;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::Fatal> {
    api::serve(env!("CARGO_BIN_NAME"), App::start, authorize).await
}

async fn authorize(app: &App, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::Create)?, request.received_at()?);
    app.teller.store.admit(request.is_identified(), now).await?;
    let id = request.recurring_payment_id()?;
    let view = app.complete(Key::Payment(&caller, id), id, now).await?;
    reply::ok(&view)
}

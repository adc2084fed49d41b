//! `GET /v1/recurring-payments/{recurringPaymentId}/history`: returns the last changes of a recurring payment, newest last.

use shared::api::{self, Reply, Request, reply};
use shared::domain::caller::Permission;
use shared::error::Error;
use shared::storage::{Store, WalletKey};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), Store::start, get).await
}

async fn get(store: &Store, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::Read)?, request.received_at()?);
    store.check_rate_limit(request.is_identified(), now).await?;
    let id = request.recurring_payment_id()?;
    let loaded = store.load(WalletKey::Payment(&caller, id), now).await?;
    reply::history(&loaded.history(id)?)
}

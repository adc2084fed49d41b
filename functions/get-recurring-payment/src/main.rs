//! `GET /v1/recurring-payments/{recurringPaymentId}`: one recurring payment, whatever its status.

use shared::api::{self, Reply, Request, reply};
use shared::domain::caller::Permission;
use shared::error::Error;
use shared::storage::{Key, Store};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::Fatal> {
    api::serve(env!("CARGO_BIN_NAME"), Store::start, get).await
}

async fn get(store: &Store, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::Read)?, request.received_at()?);
    store.admit(request.is_identified(), now).await?;
    let id = request.recurring_payment_id()?;
    let found = store.load(Key::Payment(&caller, id), now).await?;
    reply::ok(&found.wallet.view(id)?)
}

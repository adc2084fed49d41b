//! `DELETE /v1/recurring-payments/{recurringPaymentId}`: ends it for good; the answer is the ended object.

use shared::api::{self, Reply, Request, reply};
use shared::domain::caller::Permission;
use shared::error::Error;
use shared::storage::{Key, Store};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::Fatal> {
    api::serve(env!("CARGO_BIN_NAME"), Store::start, end).await
}

async fn end(store: &Store, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::End)?, request.received_at()?);
    store.admit(request.is_identified(), now).await?;
    let id = request.recurring_payment_id()?;
    let view = store.change(Key::Payment(&caller, id), now, |wallet| wallet.end(id)).await?;
    reply::ok(&view)
}

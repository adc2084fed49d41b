//! `GET /v1/payments/{paymentId}`: returns one payment with its transactions, in any status.

use shared::api::{self, Reply, Request, reply};
use shared::domain::caller::Permission;
use shared::error::Error;
use shared::storage::{PaymentKey, PaymentStore};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), PaymentStore::start, get).await
}

async fn get(store: &PaymentStore, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::PaymentRead)?, request.received_at()?);
    store.check_rate_limit(request.is_identified(), now).await?;
    let id = request.payment_id()?;
    let loaded = store.load(PaymentKey::Caller(&caller, id), now).await?;
    reply::payment(&loaded.payment, false)
}

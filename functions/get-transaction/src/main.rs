//! `GET /v1/payments/{paymentId}/transactions/{transactionId}?wait`: returns one transaction of a payment, in any status. Waits until
//! it is not pending any more, at most `wait` seconds.

use shared::api::{self, Reply, Request, reply};
use shared::app::Waiting;
use shared::domain::caller::Permission;
use shared::error::Error;
use shared::storage::{PaymentKey, PaymentStore};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), Waiting::<PaymentStore>::start, get).await
}

async fn get(waiting: &Waiting<PaymentStore>, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::PaymentRead)?, request.received_at()?);
    waiting.store.check_rate_limit(request.is_identified(), now).await?;
    let (id, wait) = (request.payment_transaction_id()?, request.wait()?);
    let load = |now| waiting.store.load(PaymentKey::Caller(&caller, id.payment_id()), now);
    let loaded = waiting.load_until_news(wait, now, load, |one| one.payment.is_pending(id)).await?;
    reply::transaction(&loaded.payment, id)
}

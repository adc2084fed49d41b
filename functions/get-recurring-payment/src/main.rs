//! `GET /v1/recurring-payments/{recurringPaymentId}?wait`: returns one recurring payment, in any status. Waits until its setup is not
//! pending any more, at most `wait` seconds.

use shared::api::{self, Reply, Request, reply};
use shared::app::Waiting;
use shared::domain::caller::Permission;
use shared::error::Error;
use shared::storage::{Store, WalletKey};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), Waiting::<Store>::start, get).await
}

async fn get(waiting: &Waiting<Store>, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::Read)?, request.received_at()?);
    waiting.store.check_rate_limit(request.is_identified(), now).await?;
    let (id, wait) = (request.recurring_payment_id()?, request.wait()?);
    let load = |now| waiting.store.load(WalletKey::Payment(&caller, id), now);
    let loaded = waiting.load_until_news(wait, now, load, |one| one.wallet.is_pending(id)).await?;
    reply::ok(&loaded.wallet.view(id)?)
}

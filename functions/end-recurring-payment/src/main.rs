//! `DELETE /v1/recurring-payments/{recurringPaymentId}`: ends a recurring payment. Returns the ended object.

use shared::api::{self, Reply, Request, reply};
use shared::domain::caller::Permission;
use shared::domain::wallet::Wallet;
use shared::error::Error;
use shared::storage::{Store, WalletKey};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), Store::start_for_changes, end).await
}

async fn end(store: &Store, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::End)?, request.received_at()?);
    store.check_rate_limit(request.is_identified(), now).await?;
    let id = request.recurring_payment_id()?;
    let key = WalletKey::Payment(&caller, id);
    let decide = |wallet: &mut Wallet| wallet.end(id);
    if request.is_dry_run()? {
        return reply::preview(&store.load(key, now).await?.wallet.preview(decide)?);
    }
    reply::ok(&store.change(key, now, decide).await?)
}

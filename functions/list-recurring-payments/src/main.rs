//! `GET /v1/recurring-payments?customerNumber&includeExpired`: returns a customer's recurring payments, oldest first.

use shared::api::{self, Reply, Request, reply};
use shared::domain::caller::Permission;
use shared::error::Error;
use shared::storage::{Store, WalletKey};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), Store::start, list).await
}

async fn list(store: &Store, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::Read)?, request.received_at()?);
    store.check_rate_limit(request.is_identified(), now).await?;
    let customer = caller.customer_for_list(request.customer_in_query()?)?;
    let include_expired = request.flag_in_query("includeExpired")?;
    let loaded = store.load(WalletKey::Customer(&customer), now).await?;
    reply::list(&loaded.wallet.list(include_expired))
}

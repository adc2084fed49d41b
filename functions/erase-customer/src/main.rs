//! `DELETE /v1/customers/{customerNumber}/recurring-payments`: erases a customer's data. Only for internal callers.

use shared::api::{self, Reply, Request, reply};
use shared::domain::caller::Permission;
use shared::error::Error;
use shared::storage::{Store, WalletKey};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), Store::start_for_changes, erase).await
}

async fn erase(store: &Store, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::End)?, request.received_at()?);
    caller.require_internal()?;
    store.check_rate_limit(request.is_identified(), now).await?;
    let customer = caller.customer_for_write(Some(request.customer_in_path()?))?;
    let erased = store.change(WalletKey::Customer(&customer), now, |wallet| {
        wallet.erase();
        Ok(())
    });
    erased.await?;
    Ok(reply::no_content())
}

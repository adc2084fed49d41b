//! `DELETE /v1/customers/{customerNumber}/recurring-payments`: destroys what is stored of a customer; for our own back ends only.

use shared::api::{self, Reply, Request, reply};
use shared::domain::caller::Permission;
use shared::error::Error;
use shared::storage::{Key, Store};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::Fatal> {
    api::serve(env!("CARGO_BIN_NAME"), Store::start, erase).await
}

async fn erase(store: &Store, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::End)?, request.received_at()?);
    caller.must_be_internal()?;
    store.admit(request.is_identified(), now).await?;
    let customer = caller.customer(Some(request.customer_in_path()?))?;
    let erased = store.change(Key::Customer(&customer), now, |wallet| {
        wallet.erase();
        Ok(())
    });
    erased.await?;
    Ok(reply::nothing())
}

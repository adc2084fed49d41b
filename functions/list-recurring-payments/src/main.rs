//! `GET /v1/recurring-payments?customerNumber&includeExpired`: a customer's recurring payments, oldest first.

use shared::api::{self, Reply, Request, reply};
use shared::domain::caller::Permission;
use shared::error::Error;
use shared::storage::{Key, Store};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::Fatal> {
    api::serve(env!("CARGO_BIN_NAME"), Store::start, list).await
}

async fn list(store: &Store, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::Read)?, request.received_at()?);
    store.admit(request.is_identified(), now).await?;
    let customer = caller.customer_to_list(request.customer_in_query()?)?;
    let include_expired = request.flag_in_query("includeExpired")?;
    let found = store.load(Key::Customer(&customer), now).await?;
    reply::list(&found.wallet.list(include_expired))
}

//! `list-recurring-payments` with the default features of the SDK and aws-config, which is the common setup.

use aws_config::BehaviorVersion;
use shared::api::{self, Reply, Request, reply};
use shared::config::{Environment, StorageConfig};
use shared::domain::caller::Permission;
use shared::error::{Cause, Error};
use shared::storage::{WalletKey, Store};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve("defaults", start, list).await
}

async fn start(environment: &Environment<'_>) -> Result<Store, Cause> {
    let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
    Ok(Store::new(&sdk, StorageConfig::read(environment)?))
}

async fn list(store: &Store, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::Read)?, request.received_at()?);
    store.check_rate_limit(request.is_identified(), now).await?;
    let customer = caller.customer_for_list(request.customer_in_query()?)?;
    let include_expired = request.flag_in_query("includeExpired")?;
    let found = store.load(WalletKey::Customer(&customer), now).await?;
    reply::list(&found.wallet.list(include_expired))
}

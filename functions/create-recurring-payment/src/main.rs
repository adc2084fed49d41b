//! `POST /v1/recurring-payments`: creates a recurring payment. A customer's first one is primary.

use shared::api::{self, Reply, Request, reply};
use shared::domain::caller::{Caller, Permission};
use shared::domain::owner::hash;
use shared::domain::text::Nickname;
use shared::domain::wallet::NewRecurringPayment;
use shared::error::Error;
use shared::storage::{Store, WalletKey};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), Store::start_for_changes, create).await
}

async fn create(store: &Store, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::Create)?, request.received_at()?);
    store.check_rate_limit(request.is_identified(), now).await?;
    let caller = match request.on_behalf_of()? {
        None => caller,
        Some(organisation) => {
            caller.require(Permission::OnBehalfOf)?;
            Caller { organisation, ..caller }
        }
    };
    let mut body = request.body()?;
    let nickname = body.text("nickname", |text| Nickname::try_from(text));
    let primary = body.flag("isPrimary").unwrap_or_default();
    let named = body.customer_number();
    body.finish()?;
    let customer = caller.customer_for_write(named)?;
    let request_hash =
        hash(&[&[u8::from(primary)], nickname.as_ref().map_or("", Nickname::as_str).as_bytes()]);
    let idempotency = request.idempotency_key(&caller)?.map(|key| (key, request_hash));
    let new = NewRecurringPayment { nickname, primary, idempotency };
    let view = store
        .change(WalletKey::Customer(&customer), now, |wallet| wallet.create(new.clone()))
        .await?;
    reply::created(&view)
}

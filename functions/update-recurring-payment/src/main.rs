//! `PATCH /v1/recurring-payments/{recurringPaymentId}`: changes the nickname of a recurring payment, or makes it primary.

use shared::api::{self, Reply, Request, reply};
use shared::domain::caller::Permission;
use shared::domain::text::Nickname;
use shared::domain::wallet::{Change, Wallet};
use shared::error::Error;
use shared::storage::{Store, WalletKey};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), Store::start_for_changes, update).await
}

async fn update(store: &Store, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::Update)?, request.received_at()?);
    store.check_rate_limit(request.is_identified(), now).await?;
    let id = request.recurring_payment_id()?;
    let is_dry_run = request.is_dry_run()?;
    let mut body = request.body()?;
    body.must_have_one_of(&["nickname", "isPrimary", "customerNumber"]);
    let nickname = body.nullable_text("nickname", |text| Nickname::try_from(text));
    let primary = body.flag("isPrimary");
    let owner = store.named_owner(&caller, body.customer_number());
    body.finish()?;
    let (key, change) = (WalletKey::Payment(&caller, id), Change { nickname, primary });
    let decide = |wallet: &mut Wallet| {
        wallet.check_owner(owner)?;
        wallet.update(id, change.clone())
    };
    if is_dry_run {
        return reply::preview(&store.load(key, now).await?.wallet.preview(decide)?);
    }
    reply::ok(&store.change(key, now, decide).await?)
}

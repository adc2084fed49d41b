//! `POST /v1/recurring-payments/{recurringPaymentId}/terminal`: opens a terminal at Nets, where the customer enters a card.

use shared::api::{self, Reply, Request, reply};
use shared::app::{NewTerminal, Terminals};
use shared::domain::caller::Permission;
use shared::domain::terminal::IdempotencyRecord;
use shared::error::Error;
use shared::storage::WalletKey;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), Terminals::start, create_terminal).await
}

async fn create_terminal(terminals: &Terminals, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::Create)?, request.received_at()?);
    terminals.store.check_rate_limit(request.is_identified(), now).await?;
    let id = request.recurring_payment_id()?;
    let mut body = request.body()?;
    let options = body.terminal_options();
    let callback = body.text("callbackUrl", |text| terminals.callback_url(text));
    // These are only validated: a terminal always stores the card and is always completed automatically (rule 13).
    body.flag("autoSale");
    body.flag("storePayment");
    let owner = terminals.store.named_owner(&caller, body.customer_number());
    let options = body.finish_with(options)?;
    let key = request.idempotency_key(&caller)?;
    let callback_url = callback.as_ref().map_or("", |callback| callback.as_url().as_str());
    let request_hash = options.hash(id, callback_url);
    let idempotency = key.map(|key| IdempotencyRecord { key, request: request_hash });
    let new = NewTerminal { owner, options, callback, idempotency };
    let (session, uri) = terminals.open(WalletKey::Payment(&caller, id), id, &new, now).await?;
    reply::terminal(&session, &uri)
}

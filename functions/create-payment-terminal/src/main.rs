//! `POST /v1/payments/{paymentId}/transactions/{transactionId}/terminal`: registers a charge of the stored card at Nets, and opens a
//! terminal where the customer confirms it.

use shared::api::{self, Reply, Request, reply};
use shared::app::PaymentTerminals;
use shared::domain::caller::Permission;
use shared::domain::payment::{Initiator, NewRegistration};
use shared::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), PaymentTerminals::start, create_terminal).await
}

async fn create_terminal(terminals: &PaymentTerminals, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::PaymentCreate)?, request.received_at()?);
    terminals.payments.check_rate_limit(request.is_identified(), now).await?;
    let id = request.payment_transaction_id()?;
    let mut body = request.body()?;
    let options = body.terminal_options();
    let auto_sale = body.flag("autoSale").unwrap_or_default();
    let callback_url = body.text("callbackUrl", |text| terminals.callback_url(text));
    body.flag("storePayment");
    let options = body.finish_with(options)?;
    let initiator = if options.merchant_initiated {
        caller.require_privileged()?;
        Initiator::Merchant
    } else {
        Initiator::Customer
    };
    let terminal = NewRegistration { initiator, auto_sale, callback_url };
    let opened = terminals.open(&caller, id, terminal, &options, now).await?;
    let (card, expires_at) = (opened.recurring_payment_id, opened.expires_at);
    reply::payment_terminal(opened.transaction_id, card, &opened.uri, expires_at)
}

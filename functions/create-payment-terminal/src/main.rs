//! `POST /v1/payments/{paymentId}/transactions/{transactionId}/terminal`: registers a charge of the stored card at Nets, and opens a
//! terminal where the customer confirms it.

use shared::api::{self, Reply, Request, reply};
use shared::app::PaymentTerminals;
use shared::domain::caller::Permission;
use shared::domain::payment::Initiator;
use shared::error::{Error, Violation};

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
    // These are refused, not ignored: the client would wait for a capture or a notification that never happens.
    body.must_not_be_true(
        "autoSale",
        Violation::new("unsupported", "must be false: capture the transaction instead"),
    );
    body.must_be_absent(
        "callbackUrl",
        Violation::new("unsupported", "is not supported: capture the transaction instead"),
    );
    body.flag("storePayment");
    let options = body.finish_with(options)?;
    let initiator = if options.merchant_initiated {
        caller.require_privileged()?;
        Initiator::Merchant
    } else {
        Initiator::Customer
    };
    let opened = terminals.open(&caller, id, initiator, &options, now).await?;
    let (card, expires_at) = (opened.recurring_payment_id, opened.expires_at);
    reply::payment_terminal(opened.transaction_id, card, &opened.uri, expires_at)
}

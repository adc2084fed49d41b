//! `PUT /v1/payments/{paymentId}/transactions/{transactionId}/capture`: charges the card with the whole amount, once.

use shared::api::{self, Reply, Request, reply};
use shared::app::Charges;
use shared::domain::caller::Permission;
use shared::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), Charges::start, capture).await
}

async fn capture(charges: &Charges, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::PaymentCreate)?, request.received_at()?);
    charges.settlement.payments.check_rate_limit(request.is_identified(), now).await?;
    let id = request.payment_transaction_id()?;
    let payment = charges.capture(&caller, id, now).await?;
    reply::transaction(&payment, id)
}

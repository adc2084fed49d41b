//! `PUT /v1/payments/{paymentId}/transactions/{transactionId}/cancel`: cancels a transaction that is not captured, and releases a
//! reserved amount.

use shared::api::{self, Reply, Request, reply};
use shared::app::Settlement;
use shared::domain::caller::Permission;
use shared::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), Settlement::start, cancel).await
}

async fn cancel(settlement: &Settlement, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::PaymentCreate)?, request.received_at()?);
    settlement.payments.check_rate_limit(request.is_identified(), now).await?;
    let id = request.payment_transaction_id()?;
    let payment = settlement.cancel(&caller, id, now).await?;
    reply::transaction(&payment, id)
}

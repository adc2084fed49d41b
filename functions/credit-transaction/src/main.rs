//! `PUT /v1/payments/{paymentId}/transactions/{transactionId}/credit`: credits a captured transaction, until a total is credited.

use shared::api::{self, Reply, Request, reply};
use shared::app::Settlement;
use shared::config::{Environment, charge_currency};
use shared::domain::caller::Permission;
use shared::domain::money::Currency;
use shared::error::{Cause, Error};

struct Credits {
    settlement: Settlement,
    currency: Currency,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), start, credit).await
}

async fn start(environment: &Environment<'_>) -> Result<Credits, Cause> {
    let currency = charge_currency(environment)?;
    Ok(Credits { settlement: Settlement::start(environment).await?, currency })
}

async fn credit(credits: &Credits, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::PaymentChange)?, request.received_at()?);
    let settlement = &credits.settlement;
    settlement.payments.check_rate_limit(request.is_identified(), now).await?;
    let id = request.payment_transaction_id()?;
    let total = request.credited_amount(credits.currency)?;
    let payment = settlement.credit(&caller, id, total, now).await?;
    reply::transaction(&payment, id)
}

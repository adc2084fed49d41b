//! `POST /v1/payments`: creates a payment of an order with a stored card. A repeated request returns the same payment.

use shared::api::{self, Reply, Request, reply};
use shared::app::{NewPayment, Payments};
use shared::domain::caller::Permission;
use shared::domain::order::OrderId;
use shared::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), Payments::start, create_payment).await
}

async fn create_payment(payments: &Payments, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::PaymentCreate)?, request.received_at()?);
    payments.store.check_rate_limit(request.is_identified(), now).await?;
    let mut body = request.body()?;
    let order_id = body.required_text("orderId", |text| OrderId::try_from(text));
    let order_version = body.order_version();
    let charge = body.charge(payments.currency);
    let (order_id, charge) = body.finish_with(order_id.zip(charge))?;
    let new = NewPayment {
        order_id,
        order_version,
        amount: charge.amount,
        recurring_payment_id: charge.recurring_payment_id,
    };
    let created = payments.create(&caller, new, now).await?;
    reply::payment(&created.payment, created.is_new)
}

//! `POST /v1/netaxept/callback/{secret}`: Nets calls this after a change of a transaction.
//!
//! The callback is not trusted: the function queries the transaction at Nets. A failure is answered with 200 too, because the
//! schedules reconcile the transaction later. So Nets need not repeat the callback. Of the payments, only those whose terminal had
//! `autoSale` are completed here.

use shared::api::request::NetsTransaction;
use shared::api::{self, Reply, Request, reply};
use shared::app::{App, PaymentTasks};
use shared::config::{CallbackConfig, Environment};
use shared::error::{Cause, Error};
use shared::secret::Secret;

struct Receiver {
    app: App,
    payments: PaymentTasks,
    secret: Secret,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), start, receive).await
}

async fn start(environment: &Environment<'_>) -> Result<Receiver, Cause> {
    let (app, secret) = App::start_with_secret(environment, CallbackConfig::SECRET).await?;
    let payments = PaymentTasks::start_beside(environment, &app)?;
    Ok(Receiver { app, payments, secret })
}

async fn receive(receiver: &Receiver, request: Request) -> Result<Reply, Error> {
    request.check_path_secret(&receiver.secret)?;
    let now = request.received_at()?;
    let mut body = request.body()?;
    let transaction = body.nets_transaction();
    match body.finish_with(transaction)? {
        NetsTransaction::Setup(session) => receiver.app.receive_callback(session, now).await,
        NetsTransaction::Charge(id) => receiver.payments.receive_callback(id, now).await,
        NetsTransaction::Unknown => {}
    }
    Ok(reply::empty_object())
}

//! `POST /v1/netaxept/callback/{secret}`: Nets calls this after a change of a transaction.
//!
//! The callback is not trusted: the function reconciles the session with Nets. A failure is answered with 200 too, because the
//! schedule reconciles the session later. So Nets need not repeat the callback. A callback about a payment changes nothing: the
//! next capture or the schedule reconciles the payment.

use shared::api::{self, Reply, Request, reply};
use shared::app::App;
use shared::config::{CallbackConfig, Environment};
use shared::error::{Cause, Error};
use shared::secret::Secret;

struct Receiver {
    app: App,
    secret: Secret,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    api::serve(env!("CARGO_BIN_NAME"), start, receive).await
}

async fn start(environment: &Environment<'_>) -> Result<Receiver, Cause> {
    let (app, secret) = App::start_with_secret(environment, CallbackConfig::SECRET).await?;
    Ok(Receiver { app, secret })
}

async fn receive(receiver: &Receiver, request: Request) -> Result<Reply, Error> {
    request.check_path_secret(&receiver.secret)?;
    let now = request.received_at()?;
    let mut body = request.body()?;
    let transaction_id = body.transaction_id().flatten();
    body.finish()?;
    if let Some(session) = transaction_id {
        receiver.app.receive_callback(session, now).await;
    }
    Ok(reply::empty_object())
}

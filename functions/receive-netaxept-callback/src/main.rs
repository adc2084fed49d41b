//! `POST /v1/netaxept/callback/{secret}`: Nets says that something happened to a transaction, and is asked what.
//!
//! Nothing in it is trusted. It is answered 200 whatever comes of it: the schedule looks too, so Nets need not call again.

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
async fn main() -> Result<(), api::Fatal> {
    api::serve(env!("CARGO_BIN_NAME"), start, receive).await
}

async fn start(environment: &Environment<'_>) -> Result<Receiver, Cause> {
    let (app, secret) = App::start_with(environment, CallbackConfig::SECRET).await?;
    Ok(Receiver { app, secret })
}

async fn receive(receiver: &Receiver, request: Request) -> Result<Reply, Error> {
    request.knows(&receiver.secret)?;
    let now = request.received_at()?;
    let mut body = request.body()?;
    let transaction_id = body.transaction_id().flatten();
    body.finish()?;
    if let Some(visit) = transaction_id {
        receiver.app.called_back(visit, now).await;
    }
    Ok(reply::received())
}

//! The Lambda Runtime API (2018-06-01) for one instance.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::Error;

/// An action of the instance.
#[derive(Debug)]
pub(crate) enum Action {
    /// The instance requests the next event. All work for the previous event is done.
    RequestsEvent(Instant),
    /// The instance responds to an event.
    Responds(Instant, Bytes),
    /// The instance reports an error.
    ReportsError(Bytes),
}

/// A running Runtime API.
pub(crate) struct RuntimeApi {
    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) address: String,
    /// The actions of the instance, in order.
    pub(crate) actions: UnboundedReceiver<Action>,
    /// The events for the instance.
    pub(crate) events: UnboundedSender<Vec<u8>>,
}

struct Channels {
    actions: UnboundedSender<Action>,
    events: Mutex<UnboundedReceiver<Vec<u8>>>,
}

/// The deadline of each event, which is long enough for valgrind.
const DEADLINE: Duration = Duration::from_mins(15);

impl RuntimeApi {
    /// Starts it on any free port.
    pub(crate) async fn start() -> Result<Self, Error> {
        let failed = |error| Error::failed("the Runtime API", error);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?.to_string();
        let ((action_sender, actions), (events, event_receiver)) =
            (unbounded_channel(), unbounded_channel());
        let channels =
            Arc::new(Channels { actions: action_sender, events: Mutex::new(event_receiver) });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_event))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(receive_response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(receive_error))
            .route("/2018-06-01/runtime/init/error", post(receive_error))
            .layer(DefaultBodyLimit::disable())
            .with_state(channels);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, actions, events })
    }
}

async fn next_event(State(channels): State<Arc<Channels>>) -> Response {
    channels.actions.send(Action::RequestsEvent(Instant::now())).unwrap_or_default();
    let Some(event) = channels.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = (SystemTime::now() + DEADLINE).duration_since(SystemTime::UNIX_EPOCH);
    let headers = [
        ("lambda-runtime-aws-request-id", "6d75c4a8-6f2e-4d0b-9a55-1c3a6f1b2e30".to_owned()),
        ("lambda-runtime-deadline-ms", deadline.unwrap_or_default().as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-north-1:000000000000:function:measured".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0".to_owned(),
        ),
    ];
    (headers, event).into_response()
}

async fn receive_response(State(channels): State<Arc<Channels>>, body: Bytes) -> StatusCode {
    channels.actions.send(Action::Responds(Instant::now(), body)).unwrap_or_default();
    StatusCode::ACCEPTED
}

async fn receive_error(State(channels): State<Arc<Channels>>, body: Bytes) -> StatusCode {
    channels.actions.send(Action::ReportsError(body)).unwrap_or_default();
    StatusCode::ACCEPTED
}

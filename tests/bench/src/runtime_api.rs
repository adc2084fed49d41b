//! The Runtime API (2018-06-01) for one instance: what it asks for and answers, and when.

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

/// What an instance did.
#[derive(Debug)]
pub(crate) enum Act {
    /// It asked for the next event: all is done that came before.
    Asks(Instant),
    /// It answered.
    Answers(Instant, Bytes),
    /// It says that it failed.
    Fails(Bytes),
}

/// The instance's side of the line.
pub(crate) struct RuntimeApi {
    /// What `AWS_LAMBDA_RUNTIME_API` is to be.
    pub(crate) address: String,
    /// What it did, in order.
    pub(crate) acts: UnboundedReceiver<Act>,
    /// What it is asked.
    pub(crate) events: UnboundedSender<Vec<u8>>,
}

struct Line {
    acts: UnboundedSender<Act>,
    events: Mutex<UnboundedReceiver<Vec<u8>>>,
}

/// Longer than anything takes, also under valgrind.
const DEADLINE: Duration = Duration::from_mins(15);

impl RuntimeApi {
    /// Listens on any port.
    pub(crate) async fn start() -> Result<Self, Error> {
        let failed = |error| Error::failed("the Runtime API", error);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?.to_string();
        let ((acts, done), (events, asked)) = (unbounded_channel(), unbounded_channel());
        let line = Arc::new(Line { acts, events: Mutex::new(asked) });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failure))
            .route("/2018-06-01/runtime/init/error", post(failure))
            .layer(DefaultBodyLimit::disable())
            .with_state(line);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, acts: done, events })
    }
}

async fn next(State(line): State<Arc<Line>>) -> Response {
    line.acts.send(Act::Asks(Instant::now())).unwrap_or_default();
    let Some(event) = line.events.lock().await.recv().await else {
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

async fn answer(State(line): State<Arc<Line>>, body: Bytes) -> StatusCode {
    line.acts.send(Act::Answers(Instant::now(), body)).unwrap_or_default();
    StatusCode::ACCEPTED
}

async fn failure(State(line): State<Arc<Line>>, body: Bytes) -> StatusCode {
    line.acts.send(Act::Fails(body)).unwrap_or_default();
    StatusCode::ACCEPTED
}

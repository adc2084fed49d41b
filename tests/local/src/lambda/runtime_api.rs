//! The Runtime API (2018-06-01), which the function binaries call. The path identifies the instance.

use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use uuid::Uuid;

use super::{Assignment, Invocation, InvocationError, Lambda};

/// The four operations, below `/{function}/{instance}`.
pub(super) fn router(lambda: Lambda) -> Router {
    let operations = Router::new()
        .route("/invocation/next", get(next))
        .route("/invocation/{id}/response", post(response))
        .route("/invocation/{id}/error", post(failure))
        .route("/init/error", post(init_failure));
    Router::new()
        .nest("/{function}/{instance}/2018-06-01/runtime", operations)
        .layer(DefaultBodyLimit::disable())
        .with_state(lambda)
}

async fn next(
    State(lambda): State<Lambda>,
    Path((function, instance)): Path<(String, Uuid)>,
) -> Response {
    let Some(pool) = lambda.inner.pools.get(&function) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    loop {
        let Some(Invocation { id, trace_id, payload }) = pool.receive.lock().await.recv().await
        else {
            return StatusCode::GONE.into_response();
        };
        match lambda.assign(&id, instance) {
            Assignment::Assigned => {}
            Assignment::TimedOut => continue,
            // Back into the queue: the instance exited while it waited, so it has not received the invocation.
            Assignment::InstanceExited => {
                pool.send.send(Invocation { id, trace_id, payload }).unwrap_or_default();
                return StatusCode::GONE.into_response();
            }
        }
        let deadline = SystemTime::now() + pool.function.timeout;
        let deadline = deadline
            .duration_since(SystemTime::UNIX_EPOCH)
            .as_ref()
            .map(Duration::as_millis)
            .unwrap_or_default();
        let headers = [
            ("lambda-runtime-aws-request-id", id),
            ("lambda-runtime-deadline-ms", deadline.to_string()),
            (
                "lambda-runtime-invoked-function-arn",
                format!("arn:aws:lambda:eu-north-1:000000000000:function:{function}"),
            ),
            ("lambda-runtime-trace-id", trace_id),
        ];
        return (headers, payload).into_response();
    }
}

async fn response(
    State(lambda): State<Lambda>,
    Path((_, _, id)): Path<(String, Uuid, String)>,
    body: Bytes,
) -> StatusCode {
    lambda.answer(&id, Ok(body.to_vec()))
}

async fn failure(
    State(lambda): State<Lambda>,
    Path((_, _, id)): Path<(String, Uuid, String)>,
    body: Bytes,
) -> StatusCode {
    lambda.answer(&id, Err(InvocationError::Failed(String::from_utf8_lossy(&body).into_owned())))
}

async fn init_failure(
    State(lambda): State<Lambda>,
    Path((function, _)): Path<(String, Uuid)>,
    body: Bytes,
) -> StatusCode {
    lambda.store_line(&function, String::from_utf8_lossy(&body).into_owned());
    StatusCode::ACCEPTED
}

//! The Lambda authorizer of the HTTP API: verifies the token, and passes the caller or the reason of the refusal to the functions.
//!
//! It allows every request. The functions refuse requests without a caller, because only they can send a problem body (api.md §5).

use shared::api::{self, authorizer};
use shared::token::TokenVerifier;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::StartError> {
    authorizer::serve(env!("CARGO_BIN_NAME"), TokenVerifier::start).await
}

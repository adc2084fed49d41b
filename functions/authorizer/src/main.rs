//! The Lambda authorizer of the HTTP API: checks the token and says who is calling, or why nobody is.
//!
//! It lets every request through; the functions refuse those of nobody, with a body of ours (api.md §5).

use shared::api::{self, authorizer};
use shared::token::Tokens;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::Fatal> {
    authorizer::serve(env!("CARGO_BIN_NAME"), Tokens::start).await
}

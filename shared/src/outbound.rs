//! HTTP clients for other services, with one TLS configuration, time limits, and a size limit for replies. They do not follow
//! redirects, use proxies, or retry.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Cause, Error};

/// The default maximum size of a reply, in bytes.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;

/// Creates a client with a time limit of 2 seconds for connecting and of `limit` for the whole call. `configure` can add more
/// settings.
///
/// # Errors
/// Fails with `Internal` if TLS cannot be set up.
pub fn client(
    limit: Duration,
    configure: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<Client, Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = Client::builder()
        .tls_backend_preconfigured(tls(roots)?)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(Duration::from_secs(2))
        .timeout(limit);
    let what = "the HTTP client cannot be set up";
    configure(builder).build().map_err(|cause| Error::Internal { what, cause: cause.into() })
}

/// The TLS configuration of all clients, with these trusted roots.
///
/// # Errors
/// Fails with `Internal` if TLS cannot be set up.
pub fn tls(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::Internal { what: "TLS cannot be set up", cause: cause.into() })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Reads the body of a reply, at most `max_bytes`.
///
/// # Errors
/// Fails if the connection breaks, the time limit is reached, or the body is too large.
pub async fn body(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, Cause> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(format!("the reply is larger than {} KiB", max_bytes / 1024).into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

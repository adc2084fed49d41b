//! Calls to other services: one TLS stack, no redirects, no proxies, no retries of its own, and a limit on time and size.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Cause, Error};

/// How large a reply may be, where nothing else is said, in bytes.
pub const LARGEST_REPLY: usize = 64 * 1024;

/// A client that gives up connecting after 2 seconds, and on the whole call after `limit`; `more` may ask for more.
///
/// # Errors
/// `Internal` when the TLS stack cannot be set up.
pub fn client(
    limit: Duration,
    more: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<Client, Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = Client::builder()
        .tls_backend_preconfigured(tls(roots)?)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(Duration::from_secs(2))
        .timeout(limit);
    let what = "TLS for calls to others";
    more(builder).build().map_err(|cause| Error::Internal { what, cause: cause.into() })
}

/// The one TLS stack, trusting these roots.
///
/// # Errors
/// `Internal` when it cannot be set up.
pub fn tls(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::Internal { what: "TLS", cause: cause.into() })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The whole body of a reply, if it has no more than so many bytes.
///
/// # Errors
/// A broken connection, a time limit, or a body that is too large.
pub async fn body(mut response: Response, largest: usize) -> Result<Vec<u8>, Cause> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > largest {
            return Err(format!("the reply is larger than {} KiB", largest / 1024).into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

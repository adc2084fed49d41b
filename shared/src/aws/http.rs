//! The HTTP connector of the AWS SDK: HTTP/1.1 on hyper's client, with keep-alive.
//!
//! The SDK's own client (aws-smithy-http-client with ring and the same roots) supports proxies and has more layers, which are not
//! needed here. With it, list-recurring-payments executes 22.8 % more instructions until it is ready, and its zip is 14.9 %
//! larger (`docs/BENCHMARKS.md`).

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{self, CaptureConnection, capture_connection};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;

/// The time limit for opening a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// The client and its connections. Clones share the connections.
#[derive(Clone)]
pub(super) struct Http(Client<HttpsConnector<connect::HttpConnector>, SdkBody>);

impl Http {
    pub(super) fn new(tls: ClientConfig) -> Self {
        let mut tcp = connect::HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Self(Client::builder(TokioExecutor::new()).build(https))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let captured = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || connection(&captured));
        }
        let response = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let response = response.await.map_err(connector_error)?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// The connection of a request. The SDK closes it if the host behaves unexpectedly.
fn connection(captured: &CaptureConnection) -> Option<ConnectionMetadata> {
    let to_close = captured.clone();
    captured.connection_metadata().as_ref()?;
    let close = move || {
        if let Some(connection) = to_close.connection_metadata().as_ref() {
            connection.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(false).poison_fn(close).build())
}

/// Classifies an error for the SDK's retries: a network error can be retried, an invalid request cannot.
fn connector_error(error: legacy::Error) -> ConnectorError {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>());
    if cause.is_some_and(hyper::Error::is_user) {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}

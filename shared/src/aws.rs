//! How AWS is reached: one TLS stack, the function's own credentials, and a limit on everything that is waited for.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_types::SdkConfig;

use crate::config::AwsConfig;
use crate::error::Error;

/// The pinned roots that Amazon's services chain to (Amazon Trust Services' repository): parsing the machine's whole list
/// would be most of a cold start.
const AMAZON_ROOTS: &[u8] = include_bytes!("aws/amazon-roots.pem");

/// What every client of an AWS service begins with.
///
/// # Errors
/// `Internal` when the TLS stack cannot be set up.
pub fn sdk(config: AwsConfig) -> Result<SdkConfig, Error> {
    let roots = if config.system_roots {
        TrustStore::default()
    } else {
        TrustStore::empty().with_pem_certificate(AMAZON_ROOTS)
    };
    let tls = TlsContext::builder().with_trust_store(roots).build();
    let tls = tls.map_err(|cause| Error::Internal { what: "TLS for AWS", cause: cause.into() })?;
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls);
    let keys = config.credentials;
    let credentials = Credentials::new(
        keys.access_key_id,
        keys.secret_access_key.expose(),
        keys.session_token.map(|token| token.expose().to_owned()),
        None,
        "environment",
    );
    Ok(SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http.build_https())
        .region(Region::new(config.region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(1))
                .operation_attempt_timeout(Duration::from_millis(1500))
                .operation_timeout(Duration::from_secs(4))
                .build(),
        )
        .build())
}

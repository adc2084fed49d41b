//! The configuration of AWS clients: TLS, the function's own credentials, and a time limit for every call.

mod http;

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_types::SdkConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::config::AwsConfig;
use crate::error::{Cause, Error};
use crate::outbound;
use http::Http;

/// The root certificates of Amazon's services, from <https://www.amazontrust.com/repository/>. Reading all root certificates of
/// the machine would take most of a cold start.
const AMAZON_ROOTS: [&[u8]; 5] = [
    include_bytes!("aws/amazon-root-ca-1.der"),
    include_bytes!("aws/amazon-root-ca-2.der"),
    include_bytes!("aws/amazon-root-ca-3.der"),
    include_bytes!("aws/amazon-root-ca-4.der"),
    include_bytes!("aws/starfield-services-root-ca-g2.der"),
];

/// The base configuration of every AWS client.
///
/// # Errors
/// Fails with `Internal` if TLS cannot be set up.
pub fn sdk(config: AwsConfig) -> Result<SdkConfig, Error> {
    let roots = if config.system_roots { system_roots() } else { amazon_roots() };
    let roots = roots
        .map_err(|cause| Error::Internal { what: "the root certificates cannot be read", cause })?;
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
        .http_client(Http::new(outbound::tls(roots)?))
        .region(Region::new(config.region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(Duration::from_millis(1500))
                .operation_timeout(Duration::from_secs(4))
                .build(),
        )
        // The time limits above end slow calls.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build())
}

fn amazon_roots() -> Result<RootCertStore, Cause> {
    let mut roots = RootCertStore::empty();
    for root in AMAZON_ROOTS {
        roots.add(CertificateDer::from(root))?;
    }
    Ok(roots)
}

/// The root certificates of the machine that can be read. It is an error if there are none.
fn system_roots() -> Result<RootCertStore, Cause> {
    let mut loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(loaded.certs);
    match loaded.errors.pop() {
        Some(error) if added == 0 => Err(error.into()),
        None if added == 0 => Err("the machine has no root certificates".into()),
        Some(_) | None => Ok(roots),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use sha2::{Digest, Sha256};

    use super::*;

    /// The fingerprints that Amazon publishes. The last one is Starfield's root, which cross-signs Amazon's roots.
    #[test]
    fn the_roots_have_the_published_fingerprints() {
        let fingerprint = |root: &[u8]| {
            Sha256::digest(root).iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").unwrap();
                text
            })
        };
        assert_eq!(
            AMAZON_ROOTS.map(fingerprint),
            [
                "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
                "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
                "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
                "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
                "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
            ]
        );
        assert_eq!(amazon_roots().unwrap().len(), AMAZON_ROOTS.len());
    }
}

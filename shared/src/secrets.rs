//! Secrets Manager: what a function must not find in its environment. Fetched once, at start, by those functions alone that
//! need it: each costs a start a connection.

use aws_sdk_secretsmanager::Client;
use aws_types::SdkConfig;

use crate::config::{Environment, SecretVariable, SecretsConfig};
use crate::error::{Cause, Error};
use crate::secret::Secret;

/// The secrets that this function may read.
pub struct Secrets {
    client: Client,
}

impl Secrets {
    /// A client.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: SecretsConfig) -> Self {
        let sdk = aws_sdk_secretsmanager::config::Builder::from(sdk);
        let sdk = match config.endpoint {
            Some(endpoint) => sdk.endpoint_url(endpoint),
            None => sdk,
        };
        Self { client: Client::from_conf(sdk.build()) }
    }

    /// The current version of a secret.
    ///
    /// # Errors
    /// Names the variable that is missing; `Unavailable`; `Internal` when the secret is no text.
    pub async fn fetch(
        &self,
        environment: &Environment<'_>,
        variable: SecretVariable,
    ) -> Result<Secret, Cause> {
        let arn = variable.arn(environment)?;
        let fetched = self.client.get_secret_value().secret_id(arn).send().await;
        let fetched = fetched
            .map_err(|cause| Error::Unavailable { what: "Secrets Manager", cause: cause.into() })?;
        let text = fetched.secret_string.filter(|text| !text.is_empty());
        let text = text.ok_or(Error::Internal {
            what: "a secret is not a text",
            cause: variable.to_string().into(),
        })?;
        Ok(Secret::new(text))
    }
}

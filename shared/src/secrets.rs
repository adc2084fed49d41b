//! Reads secrets from Secrets Manager, so that they are not in the environment of a function. Only the functions that need a secret
//! fetch it, once at start, because the fetch needs a connection.

use aws_sdk_secretsmanager::Client;
use aws_types::SdkConfig;

use crate::aws;
use crate::config::{AwsConfig, Environment, SecretVariable, SecretsConfig};
use crate::error::{Cause, Error};
use crate::secret::Secret;

/// The client of Secrets Manager.
pub struct Secrets {
    client: Client,
}

impl Secrets {
    /// Creates a client from the environment. Also returns the base configuration for other AWS clients.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, or if TLS cannot be set up.
    pub fn start(environment: &Environment<'_>) -> Result<(SdkConfig, Self), Cause> {
        let sdk = aws::sdk(AwsConfig::read(environment)?)?;
        let config = aws_sdk_secretsmanager::config::Builder::from(&sdk);
        let config = match SecretsConfig::read(environment)?.endpoint {
            Some(endpoint) => config.endpoint_url(endpoint),
            None => config,
        };
        Ok((sdk, Self { client: Client::from_conf(config.build()) }))
    }

    /// Fetches the current version of a secret.
    ///
    /// # Errors
    /// Fails if the variable is missing, with `Unavailable` if Secrets Manager does not answer, or with `Internal` if the secret is
    /// not a text.
    pub async fn fetch(
        &self,
        environment: &Environment<'_>,
        variable: SecretVariable,
    ) -> Result<Secret, Cause> {
        let arn = variable.arn(environment)?;
        let response = Box::pin(self.client.get_secret_value().secret_id(arn).send()).await;
        let response = response
            .map_err(|cause| Error::Unavailable { what: "Secrets Manager", cause: cause.into() })?;
        let text = response.secret_string.filter(|text| !text.is_empty());
        let text = text.ok_or(Error::Internal {
            what: "the secret is not a text",
            cause: variable.to_string().into(),
        })?;
        Ok(Secret::new(text))
    }
}

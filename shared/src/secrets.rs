//! Secrets Manager: what a function must not find in its environment. Fetched once, at start, by those functions alone that
//! need it: each costs a start a connection.

use aws_sdk_secretsmanager::Client;
use aws_types::SdkConfig;

use crate::aws;
use crate::config::{AwsConfig, Environment, SecretVariable, SecretsConfig};
use crate::error::{Cause, Error};
use crate::secret::Secret;

/// The secrets that this function may read.
pub struct Secrets {
    client: Client,
}

impl Secrets {
    /// A client from the environment, and what other clients of AWS begin with.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong; or the TLS stack cannot be set up.
    pub fn start(environment: &Environment<'_>) -> Result<(SdkConfig, Self), Cause> {
        let sdk = aws::sdk(AwsConfig::read(environment)?)?;
        let own = aws_sdk_secretsmanager::config::Builder::from(&sdk);
        let own = match SecretsConfig::read(environment)?.endpoint {
            Some(endpoint) => own.endpoint_url(endpoint),
            None => own,
        };
        Ok((sdk, Self { client: Client::from_conf(own.build()) }))
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
        let fetched = Box::pin(self.client.get_secret_value().secret_id(arn).send()).await;
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

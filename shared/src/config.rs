//! Configuration: the one place that reads the environment. `template.yaml` sets every variable that is read here.

use std::collections::HashMap;
use std::env::VarError;
use std::fmt;
use std::str::FromStr;

use chrono::Months;
use url::Url;

use crate::domain::caller::Tenant;
use crate::domain::customer::Organisation;
use crate::domain::owner::IdKey;
use crate::secret::Secret;

/// A variable that is missing or wrong. Its value is not shown: it may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} {fault}")]
pub struct Misconfigured {
    name: &'static str,
    fault: &'static str,
}

/// The variables of a process, or those that a test made up.
pub struct Environment<'a>(Box<dyn Fn(&'static str) -> Result<String, VarError> + 'a>);

impl<'a> Environment<'a> {
    /// The variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        Self(Box::new(std::env::var))
    }

    /// These variables and no others.
    #[must_use]
    pub fn of(variables: &'a HashMap<&'static str, String>) -> Self {
        Self(Box::new(|name| variables.get(name).cloned().ok_or(VarError::NotPresent)))
    }

    fn optional(&self, name: &'static str) -> Result<Option<String>, Misconfigured> {
        match (self.0)(name) {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => Ok(Some(text)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(Misconfigured { name, fault: "is not text" }),
        }
    }

    fn text(&self, name: &'static str) -> Result<String, Misconfigured> {
        self.optional(name)?.ok_or(Misconfigured { name, fault: "is missing" })
    }

    fn parsed<T: FromStr>(
        &self,
        name: &'static str,
        fault: &'static str,
    ) -> Result<T, Misconfigured> {
        self.text(name)?.parse().map_err(|_| Misconfigured { name, fault })
    }

    /// Whether it is the first of two words.
    fn either(
        &self,
        name: &'static str,
        one: &'static str,
        other: &'static str,
    ) -> Result<bool, Misconfigured> {
        let text = self.text(name)?;
        if text == one || text == other {
            Ok(text == one)
        } else {
            Err(Misconfigured { name, fault: "is none of the words that it can be" })
        }
    }

    fn address(&self, name: &'static str) -> Result<Url, Misconfigured> {
        let url: Url = self.parsed(name, "is not an address")?;
        if is_private_channel(&url) {
            Ok(url)
        } else {
            Err(Misconfigured { name, fault: "must begin with https://" })
        }
    }
}

/// The machine that a container runs on, as Docker names it. No public host can have this name: `.internal` is reserved for
/// private use. So `http://host.docker.internal` is only ever the engineer's own machine, under `sam local`.
const CONTAINER_HOST: &str = "host.docker.internal";

/// Secrets and keys travel over TLS, or within this machine.
fn is_private_channel(url: &Url) -> bool {
    let local = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == CONTAINER_HOST,
        Some(url::Host::Ipv6(_)) | None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && local)
}

/// How AWS is reached.
pub struct AwsConfig {
    /// The AWS region.
    pub region: String,
    /// Whether the machine's own root certificates are trusted, instead of Amazon's alone.
    pub system_roots: bool,
    /// The function's own credentials, which Lambda puts into the environment.
    pub credentials: Credentials,
}

/// The function's own AWS credentials.
pub struct Credentials {
    /// Says whose they are.
    pub access_key_id: String,
    /// Signs.
    pub secret_access_key: Secret,
    /// Present on Lambda.
    pub session_token: Option<Secret>,
}

impl AwsConfig {
    /// Reads it.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        Ok(Self {
            region: environment.text("AWS_REGION")?,
            system_roots: environment.either("TLS_ROOTS", "system", "amazon")?,
            credentials: Credentials {
                access_key_id: environment.text("AWS_ACCESS_KEY_ID")?,
                secret_access_key: Secret::new(environment.text("AWS_SECRET_ACCESS_KEY")?),
                session_token: environment.optional("AWS_SESSION_TOKEN")?.map(Secret::new),
            },
        })
    }
}

/// How metrics are named.
pub struct LogConfig {
    /// The namespace of every metric: the stack's name.
    pub namespace: String,
}

impl LogConfig {
    /// Reads it.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        Ok(Self { namespace: environment.text("METRIC_NAMESPACE")? })
    }
}

/// Where the wallets are.
pub struct StorageConfig {
    /// The table's name.
    pub table: String,
    /// The table of what unidentified callers share.
    pub allowances: String,
    /// The key of the hash that gives a wallet its place.
    pub id_key: IdKey,
    /// Another address than the region's.
    pub endpoint: Option<String>,
    /// Whether the connection is opened at the start, before anybody waits for it.
    pub warm_up: bool,
}

impl StorageConfig {
    /// Reads it.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        let name = "ID_KEY";
        let id_key = environment.text(name)?;
        if id_key.len() < 32 {
            return Err(Misconfigured { name, fault: "must have at least 32 characters" });
        }
        Ok(Self {
            table: environment.text("TABLE_NAME")?,
            allowances: environment.text("ALLOWANCE_TABLE_NAME")?,
            id_key: IdKey::new(&id_key),
            endpoint: environment.optional("AWS_ENDPOINT_URL_DYNAMODB")?,
            warm_up: environment.either("WARM_UP", "connect", "none")?,
        })
    }
}

/// Where secrets are kept: Secrets Manager.
pub struct SecretsConfig {
    /// Another address than the region's.
    pub endpoint: Option<String>,
}

impl SecretsConfig {
    /// Reads it.
    ///
    /// # Errors
    /// Names the variable that is wrong.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        Ok(Self { endpoint: environment.optional("AWS_ENDPOINT_URL_SECRETS_MANAGER")? })
    }
}

/// A variable that says where a secret is kept: its ARN in Secrets Manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretVariable(&'static str);

impl fmt::Display for SecretVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl SecretVariable {
    /// The secret's ARN.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn arn(self, environment: &Environment<'_>) -> Result<String, Misconfigured> {
        environment.text(self.0)
    }
}

/// How Nets is reached.
pub struct NetaxeptConfig {
    /// Scheme and host.
    pub address: Url,
    /// What Nets knows us by: up to 8 digits.
    pub merchant_id: String,
    /// The secret that goes with it.
    pub token: Secret,
    /// ISO 4217; Nets wants one even where there is no amount.
    pub currency: String,
    /// For how long an activated recurring payment is valid (rule 9).
    pub lifetime: Months,
}

impl NetaxeptConfig {
    /// Where the token is kept.
    pub const TOKEN: SecretVariable = SecretVariable("NETAXEPT_TOKEN_SECRET");

    /// Reads what goes with the token.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &Environment<'_>, token: Secret) -> Result<Self, Misconfigured> {
        Ok(Self {
            address: environment.address("NETAXEPT_ADDRESS")?,
            merchant_id: environment.text("NETAXEPT_MERCHANT_ID")?,
            token,
            currency: environment.text("NETAXEPT_CURRENCY")?,
            lifetime: Months::new(
                environment.parsed("REGISTRATION_LIFETIME_MONTHS", "is not a number of months")?,
            ),
        })
    }
}

/// How callers are told how a setup ended.
pub struct NotificationConfig {
    /// What notifications are signed with: `whsec_` and base64 (Standard Webhooks).
    pub secret: Secret,
    /// Which addresses are called.
    pub addresses: CallbackAddresses,
}

/// Which addresses a caller's `callbackUrl` may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackAddresses {
    /// https and public addresses.
    Public,
    /// 127.0.0.1 as well, also without TLS: on an engineer's own machine.
    Local,
}

impl NotificationConfig {
    /// Where the secret is kept.
    pub const SECRET: SecretVariable = SecretVariable("NOTIFICATION_SECRET");
}

impl CallbackAddresses {
    /// Reads it.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        let local = environment.either("CALLBACK_ADDRESSES", "local", "public")?;
        Ok(if local { Self::Local } else { Self::Public })
    }
}

/// Where Nets calls us back.
pub struct CallbackConfig;

impl CallbackConfig {
    /// Where the last segment of the path is kept: who does not know it finds nothing there.
    pub const SECRET: SecretVariable = SecretVariable("NETAXEPT_CALLBACK_SECRET");
}

/// Whose tokens are good.
pub struct TokenConfig {
    /// Who issues tokens, and for which tenant.
    pub issuers: Vec<(Tenant, Url)>,
    /// The audience that a token must have.
    pub audience: String,
    /// The organisation of a token that names none.
    pub default_organisation: Organisation,
}

impl TokenConfig {
    /// Reads it. Issuers are `tenant=address`, separated by blanks.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        let issuers = environment.text("TOKEN_ISSUERS")?;
        let wrong = Misconfigured {
            name: "TOKEN_ISSUERS",
            fault: "is not a list of tenant=https://address",
        };
        let issuers: Option<Vec<_>> = issuers.split_ascii_whitespace().map(issuer).collect();
        Ok(Self {
            issuers: issuers.filter(|issuers| !issuers.is_empty()).ok_or(wrong)?,
            audience: environment.text("TOKEN_AUDIENCE")?,
            default_organisation: Organisation::new(
                environment.parsed("DEFAULT_ORGANISATION", "is not a number")?,
            ),
        })
    }
}

fn issuer(text: &str) -> Option<(Tenant, Url)> {
    let (tenant, address) = text.split_once('=')?;
    let address = Url::parse(address).ok().filter(is_private_channel)?;
    Some((Tenant::named(tenant)?, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn netaxept(address: &str) -> Option<Misconfigured> {
        let variables = [
            ("NETAXEPT_ADDRESS", address),
            ("NETAXEPT_MERCHANT_ID", "12000001"),
            ("NETAXEPT_CURRENCY", "NOK"),
            ("REGISTRATION_LIFETIME_MONTHS", "36"),
        ];
        let variables = variables.map(|(name, text)| (name, text.to_owned())).into();
        NetaxeptConfig::read(&Environment::of(&variables), Secret::new("secret".to_owned())).err()
    }

    #[test]
    fn the_token_never_travels_in_the_open() {
        for good in [
            "https://test.epayment.nets.eu",
            "http://127.0.0.1:3002",
            "http://host.docker.internal:3002",
        ] {
            assert_eq!(netaxept(good), None);
        }
        for bad in [
            "http://test.epayment.nets.eu",
            "http://127.0.0.1.example",
            "http://localhost.example",
            "http://host.docker.internal.example",
            "http://nets.host.docker.internal",
            "http://host.docker.internal@nets.example",
            "ftp://host.docker.internal",
            "ftp://127.0.0.1",
            "http://10.0.0.1",
            "http://172.17.0.1",
        ] {
            assert_eq!(
                netaxept(bad),
                Some(Misconfigured { name: "NETAXEPT_ADDRESS", fault: "must begin with https://" })
            );
        }
        assert_eq!(
            netaxept(""),
            Some(Misconfigured { name: "NETAXEPT_ADDRESS", fault: "is missing" })
        );
        assert_eq!(
            netaxept("nets"),
            Some(Misconfigured { name: "NETAXEPT_ADDRESS", fault: "is not an address" })
        );
    }

    #[test]
    fn issuers_are_named_with_their_tenant() {
        let read = |issuers: &str| {
            let variables = [
                ("TOKEN_ISSUERS", issuers),
                ("TOKEN_AUDIENCE", "https://api.entur.io"),
                ("DEFAULT_ORGANISATION", "1"),
            ];
            let variables = variables.map(|(name, text)| (name, text.to_owned())).into();
            TokenConfig::read(&Environment::of(&variables)).map(|config| config.issuers)
        };
        let issuers =
            read("partner=https://partner.example/ traveller=https://traveller.example").unwrap();
        assert_eq!(
            issuers.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>(),
            [Tenant::Partner, Tenant::Traveller]
        );
        assert!(read("partner=http://host.docker.internal:3003/partner").is_ok());
        for wrong in [
            "",
            "https://partner.example",
            "nobody=https://a.example",
            "partner=http://a.example",
            "partner=",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}

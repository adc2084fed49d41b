//! Configuration. Only this module reads environment variables. `template.yaml` sets all of them.

mod events;

use std::collections::HashMap;
use std::env::VarError;
use std::fmt;
use std::str::FromStr;

use chrono::{Months, TimeDelta};
use url::Url;

use crate::domain::caller::Tenant;
use crate::domain::customer::Organisation;
use crate::domain::money::Currency;
use crate::domain::owner::IdKey;
use crate::secret::Secret;
pub use events::EventConfig;

/// An environment variable that is missing or invalid. The value is not shown, because it can be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} {problem}")]
pub struct Misconfigured {
    name: &'static str,
    problem: &'static str,
}

/// The environment variables of the process, or those of a test.
pub struct Environment<'a>(Box<dyn Fn(&'static str) -> Result<String, VarError> + 'a>);

impl<'a> Environment<'a> {
    /// The environment variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the only place that reads the environment")]
        Self(Box::new(std::env::var))
    }

    /// The given variables only, for tests.
    #[must_use]
    pub fn of(variables: &'a HashMap<&'static str, String>) -> Self {
        Self(Box::new(|name| variables.get(name).cloned().ok_or(VarError::NotPresent)))
    }

    fn optional(&self, name: &'static str) -> Result<Option<String>, Misconfigured> {
        match (self.0)(name) {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => Ok(Some(text)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(Misconfigured { name, problem: "is not text" }),
        }
    }

    fn text(&self, name: &'static str) -> Result<String, Misconfigured> {
        self.optional(name)?.ok_or(Misconfigured { name, problem: "is missing" })
    }

    fn parsed<T: FromStr>(
        &self,
        name: &'static str,
        problem: &'static str,
    ) -> Result<T, Misconfigured> {
        self.text(name)?.parse().map_err(|_| Misconfigured { name, problem })
    }

    /// Reads a variable that has one of two values. Returns true for the first value.
    fn choice(
        &self,
        name: &'static str,
        first: &'static str,
        second: &'static str,
    ) -> Result<bool, Misconfigured> {
        let text = self.text(name)?;
        if text == first || text == second {
            Ok(text == first)
        } else {
            Err(Misconfigured { name, problem: "has an unknown value" })
        }
    }

    fn id_key(&self, name: &'static str) -> Result<IdKey, Misconfigured> {
        let text = self.text(name)?;
        if text.len() < 32 {
            return Err(Misconfigured { name, problem: "must have at least 32 characters" });
        }
        Ok(IdKey::new(&text))
    }

    fn address(&self, name: &'static str) -> Result<Url, Misconfigured> {
        let url: Url = self.parsed(name, "is not an address")?;
        if is_secure_channel(&url) {
            Ok(url)
        } else {
            Err(Misconfigured { name, problem: "must begin with https://" })
        }
    }
}

/// Docker's name for the machine that a container runs on. It is the developer's own machine, with `sam local`. No public host
/// can have this name, because `.internal` is reserved for private use.
const CONTAINER_HOST: &str = "host.docker.internal";

/// Whether secrets and keys may be sent to this address: it uses TLS, or it is on this machine.
fn is_secure_channel(url: &Url) -> bool {
    let is_local = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == CONTAINER_HOST,
        Some(url::Host::Ipv6(_)) | None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_local)
}

/// The configuration of AWS clients.
pub struct AwsConfig {
    /// The AWS region.
    pub region: String,
    /// Whether to trust the root certificates of the machine instead of only Amazon's.
    pub system_roots: bool,
    /// The function's own credentials. Lambda sets them in the environment.
    pub credentials: Credentials,
}

/// The function's own AWS credentials.
pub struct Credentials {
    /// The id of the key.
    pub access_key_id: String,
    /// The key that signs requests.
    pub secret_access_key: Secret,
    /// The session token. Lambda always sets it.
    pub session_token: Option<Secret>,
}

impl AwsConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        Ok(Self {
            region: environment.text("AWS_REGION")?,
            system_roots: environment.choice("TLS_ROOTS", "system", "amazon")?,
            credentials: Credentials {
                access_key_id: environment.text("AWS_ACCESS_KEY_ID")?,
                secret_access_key: Secret::new(environment.text("AWS_SECRET_ACCESS_KEY")?),
                session_token: environment.optional("AWS_SESSION_TOKEN")?.map(Secret::new),
            },
        })
    }
}

/// The configuration of a store.
pub struct StorageConfig {
    /// The name of the table of wallets or of payments.
    pub table: String,
    /// The name of the table of rate limits.
    pub rate_limits: String,
    /// The key of the hash that assigns a wallet its slot, and a payment its id.
    pub id_key: IdKey,
    /// Overrides the endpoint of the region.
    pub endpoint: Option<String>,
    /// Whether to open the connection at start, before the first request.
    pub warm_up: bool,
}

impl StorageConfig {
    /// Reads the configuration of the store of wallets.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        Ok(Self {
            table: environment.text("TABLE_NAME")?,
            rate_limits: environment.text("RATE_LIMIT_TABLE_NAME")?,
            id_key: environment.id_key("ID_KEY")?,
            endpoint: environment.optional("AWS_ENDPOINT_URL_DYNAMODB")?,
            warm_up: environment.choice("WARM_UP", "connect", "none")?,
        })
    }
}

/// The configuration of the store of payments.
pub struct PaymentStorageConfig;

impl PaymentStorageConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
    pub fn read(environment: &Environment<'_>) -> Result<StorageConfig, Misconfigured> {
        Ok(StorageConfig {
            table: environment.text("PAYMENT_TABLE_NAME")?,
            rate_limits: environment.text("RATE_LIMIT_TABLE_NAME")?,
            id_key: environment.id_key("ID_KEY")?,
            endpoint: environment.optional("AWS_ENDPOINT_URL_DYNAMODB")?,
            warm_up: environment.choice("WARM_UP", "connect", "none")?,
        })
    }
}

/// The configuration of Secrets Manager.
pub struct SecretsConfig {
    /// Overrides the endpoint of the region.
    pub endpoint: Option<String>,
}

impl SecretsConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// Fails if a variable is invalid.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        Ok(Self { endpoint: environment.optional("AWS_ENDPOINT_URL_SECRETS_MANAGER")? })
    }
}

/// The name of a variable that contains the ARN of a secret in Secrets Manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretVariable(&'static str);

impl fmt::Display for SecretVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl SecretVariable {
    /// The ARN of the secret.
    ///
    /// # Errors
    /// Fails if the variable is missing.
    pub fn arn(self, environment: &Environment<'_>) -> Result<String, Misconfigured> {
        environment.text(self.0)
    }
}

/// The configuration of the Netaxept client.
pub struct NetaxeptConfig {
    /// The address of Netaxept: scheme and host.
    pub address: Url,
    /// Our merchant id at Nets, up to 8 digits.
    pub merchant_id: String,
    /// The token of the merchant. It is a secret.
    pub token: Secret,
    /// The currency (ISO 4217). Nets requires one even without an amount.
    pub currency: String,
    /// The lifetime of a registration (rule 9).
    pub lifetime: Months,
}

impl NetaxeptConfig {
    /// The variable with the ARN of the token.
    pub const TOKEN: SecretVariable = SecretVariable("NETAXEPT_TOKEN_SECRET");

    /// Reads the configuration, except the token.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
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

/// The currency of all charges. It must be one for which the merchant has an agreement.
///
/// # Errors
/// Fails if the variable is missing, or if the service cannot charge in the currency.
pub fn charge_currency(environment: &Environment<'_>) -> Result<Currency, Misconfigured> {
    let name = "NETAXEPT_CURRENCY";
    let problem = "is not a currency in which the service can charge";
    Currency::from_code(&environment.text(name)?).ok_or(Misconfigured { name, problem })
}

/// How long an authorization is kept without a capture: 1 to 168 hours.
///
/// # Errors
/// Fails if the variable is missing or invalid.
pub fn authorization_hold(environment: &Environment<'_>) -> Result<TimeDelta, Misconfigured> {
    let name = "AUTHORIZATION_HOLD_HOURS";
    let problem = "is not a number of hours between 1 and 168";
    let hours: i64 = environment.parsed(name, problem)?;
    let is_valid = (1..=168).contains(&hours);
    is_valid.then(|| TimeDelta::hours(hours)).ok_or(Misconfigured { name, problem })
}

/// How many requests may begin to wait for news in 20 seconds (`?wait=`). Zero: none.
///
/// # Errors
/// Fails if the variable is missing or invalid.
pub fn max_waiting_requests(environment: &Environment<'_>) -> Result<u32, Misconfigured> {
    environment.parsed("MAX_WAITING_REQUESTS", "is not a number of requests")
}

/// The cards that the merchant may charge without the customer (`MIT_UCOF`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MerchantInitiatedCards {
    /// Only cards that were stored by a terminal with `MIT_UCOF`.
    Agreed,
    /// Every stored card.
    Any,
}

impl MerchantInitiatedCards {
    /// Reads the configuration.
    ///
    /// # Errors
    /// Fails if the variable is missing or invalid.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        let any = environment.choice("MERCHANT_INITIATED_CARDS", "any", "agreed")?;
        Ok(if any { Self::Any } else { Self::Agreed })
    }
}

/// The configuration of notifications.
pub struct NotificationConfig {
    /// The secret that signs notifications: `whsec_` and base64 (Standard Webhooks).
    pub secret: Secret,
    /// The addresses that notifications may be sent to.
    pub addresses: CallbackAddresses,
}

/// The addresses that a caller's `callbackUrl` may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackAddresses {
    /// Only https and public addresses.
    Public,
    /// Also 127.0.0.1, with or without TLS. For a developer's own machine.
    Local,
}

impl NotificationConfig {
    /// The variable with the ARN of the secret.
    pub const SECRET: SecretVariable = SecretVariable("NOTIFICATION_SECRET");
}

impl CallbackAddresses {
    /// Reads the configuration.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        let local = environment.choice("CALLBACK_ADDRESSES", "local", "public")?;
        Ok(if local { Self::Local } else { Self::Public })
    }
}

/// The configuration of the Netaxept callback.
pub struct CallbackConfig;

impl CallbackConfig {
    /// The variable with the ARN of the secret: the last segment of the callback's path.
    pub const SECRET: SecretVariable = SecretVariable("NETAXEPT_CALLBACK_SECRET");
}

/// The configuration of token verification.
pub struct TokenConfig {
    /// The trusted issuers and their tenants.
    pub issuers: Vec<(Tenant, Url)>,
    /// The audience that a token must have.
    pub audience: String,
    /// The organisation of a token without an organisation claim.
    pub default_organisation: Organisation,
}

impl TokenConfig {
    /// Reads the configuration. Issuers have the form `tenant=address` and are separated by spaces.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        let issuers = environment.text("TOKEN_ISSUERS")?;
        let wrong = Misconfigured {
            name: "TOKEN_ISSUERS",
            problem: "is not a list of tenant=https://address",
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
    let address = Url::parse(address).ok().filter(is_secure_channel)?;
    Some((Tenant::from_name(tenant)?, address))
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
    fn the_netaxept_address_needs_tls_unless_it_is_local() {
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
                Some(Misconfigured {
                    name: "NETAXEPT_ADDRESS",
                    problem: "must begin with https://"
                })
            );
        }
        assert_eq!(
            netaxept(""),
            Some(Misconfigured { name: "NETAXEPT_ADDRESS", problem: "is missing" })
        );
        assert_eq!(
            netaxept("nets"),
            Some(Misconfigured { name: "NETAXEPT_ADDRESS", problem: "is not an address" })
        );
    }

    #[test]
    fn the_configuration_of_charges_is_validated() {
        let read = |name: &'static str, text: &str| {
            let variables = [(name, text.to_owned())].into();
            let environment = Environment::of(&variables);
            match name {
                "NETAXEPT_CURRENCY" => charge_currency(&environment).is_ok(),
                "AUTHORIZATION_HOLD_HOURS" => authorization_hold(&environment).is_ok(),
                _ => MerchantInitiatedCards::read(&environment).is_ok(),
            }
        };
        for (name, good, bad) in [
            ("NETAXEPT_CURRENCY", ["NOK", "EUR"], ["JPY", "nok"]),
            ("AUTHORIZATION_HOLD_HOURS", ["1", "168"], ["0", "169"]),
            ("MERCHANT_INITIATED_CARDS", ["agreed", "any"], ["none", ""]),
        ] {
            assert!(good.iter().all(|text| read(name, text)), "{name}");
            assert!(!bad.iter().any(|text| read(name, text)), "{name}");
        }
    }

    #[test]
    fn issuers_are_listed_with_their_tenant() {
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
            "unknown=https://a.example",
            "partner=http://a.example",
            "partner=",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}

//! Verifies `OAuth2` access tokens (JWT) with the keys of their issuers (api.md §5). Only the authorizer uses this module.

mod claims;
mod keys;

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, TokenData, Validation};
use reqwest::Client;
use url::Url;

use crate::config::{Environment, TokenConfig};
use crate::domain::caller::{Caller, Permission, Tenant};
use crate::domain::customer::{CustomerNumber, Organisation};
use crate::error::{Cause, Error};
use crate::outbound;
use claims::{Claims, IssuerClaim};
use keys::Keys;

/// The time limit for fetching the keys of an issuer.
const FETCH_LIMIT: Duration = Duration::from_secs(4);

/// The reason why a token is refused, for the log and the caller. It contains nothing of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unauthenticated(pub Cow<'static, str>);

impl From<&'static str> for Unauthenticated {
    fn from(reason: &'static str) -> Self {
        Self(Cow::Borrowed(reason))
    }
}

/// Verifies access tokens.
pub struct TokenVerifier {
    issuers: Vec<Issuer>,
    audience: String,
    default_organisation: Organisation,
    http: Client,
}

struct Issuer {
    tenant: Tenant,
    address: Url,
    keys: Keys,
}

impl TokenVerifier {
    /// Creates a verifier from the environment.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, or if TLS cannot be set up.
    pub fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        Ok(Self::new(TokenConfig::read(environment)?)?)
    }

    /// Creates a verifier for the configured issuers.
    ///
    /// # Errors
    /// Fails with `Internal` if TLS cannot be set up.
    pub fn new(config: TokenConfig) -> Result<Self, Error> {
        let issuer =
            |(tenant, address)| Issuer { tenant, keys: Keys::for_issuer(&address), address };
        Ok(Self {
            issuers: config.issuers.into_iter().map(issuer).collect(),
            audience: config.audience,
            default_organisation: config.default_organisation,
            http: outbound::client(FETCH_LIMIT, |client| client)?,
        })
    }

    /// Verifies an `Authorization` header. Returns the caller, or the reason why the token is refused. A token that is not valid yet
    /// is accepted; see [`Caller::valid_from`].
    ///
    /// # Errors
    /// Fails with `Unavailable` if the issuer's keys cannot be fetched and there are no cached ones.
    pub async fn caller(
        &self,
        authorization: &str,
        now: DateTime<Utc>,
    ) -> Result<Result<Caller, Unauthenticated>, Error> {
        let Some(token) = bearer(authorization) else {
            return Ok(Err(Unauthenticated::from(
                "the Authorization header is not a bearer token",
            )));
        };
        let (Ok(header), Ok(IssuerClaim { iss })) = (
            jsonwebtoken::decode_header(token),
            jsonwebtoken::dangerous::insecure_decode_claims(token),
        ) else {
            return Ok(Err(Unauthenticated::from("the token is not a JWT with an issuer")));
        };
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
            return Ok(Err(Unauthenticated::from("the token is not signed with RS256 or ES256")));
        }
        // RFC 7515 §4.1.11: a recipient must refuse unknown critical parameters. This service supports none.
        if header.crit.is_some() {
            return Ok(Err(Unauthenticated::from(
                "the token has critical header parameters, which are not supported",
            )));
        }
        // The token selects one of the configured issuers. The signature proves that the issuer is correct.
        let has_address = |issuer: &&Issuer| {
            issuer.address.as_str().trim_end_matches('/') == iss.trim_end_matches('/')
        };
        let (Some(issuer), Some(kid)) = (self.issuers.iter().find(has_address), header.kid) else {
            return Ok(Err(Unauthenticated::from("the token's issuer or key is not known")));
        };
        let Some(key) = issuer.keys.find(&self.http, &kid, header.alg, now).await? else {
            return Ok(Err(Unauthenticated::from("the token's issuer or key is not known")));
        };
        let validation = self.validation(header.alg, &iss);
        match jsonwebtoken::decode::<Claims>(token, &key, &validation) {
            Ok(TokenData { claims, .. }) => Ok(self.accept(issuer.tenant, claims, now)),
            Err(error) => Ok(Err(self.reason(error.kind()))),
        }
    }

    /// The checks of signature, issuer and audience. [`Self::accept`] checks the times, against the time of the event.
    fn validation(&self, algorithm: Algorithm, issuer: &str) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["aud", "exp", "iss"]);
        validation.set_audience(&[&self.audience]);
        validation.set_issuer(&[issuer]);
        validation
    }

    /// The reason why a token does not pass [`Self::validation`].
    fn reason(&self, kind: &ErrorKind) -> Unauthenticated {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the library can add kinds; only three need their own reason"
        )]
        match kind {
            ErrorKind::InvalidAudience => self.other_audience(),
            ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => self.other_audience(),
            ErrorKind::InvalidSignature => Unauthenticated::from("the token's signature is wrong"),
            ErrorKind::MissingRequiredClaim(_) => {
                Unauthenticated::from("the token lacks a required claim")
            }
            _ => Unauthenticated::from("the token is not valid"),
        }
    }

    /// The reason contains the configured audience. It is not a secret, and the caller needs it to request another token.
    fn other_audience(&self) -> Unauthenticated {
        Unauthenticated(Cow::Owned(format!(
            "the token must be for the audience \"{}\"",
            self.audience
        )))
    }

    fn accept(
        &self,
        tenant: Tenant,
        claims: Claims,
        now: DateTime<Utc>,
    ) -> Result<Caller, Unauthenticated> {
        let expires_at = claims.expires_at()?;
        if expires_at <= now {
            return Err(Unauthenticated::from("the token has expired"));
        }
        // API Gateway caches this result. So the functions check whether the token has become valid.
        let valid_from = claims.valid_from()?.filter(|at| *at > now);
        let customer = match (tenant.is_privileged(), claims.customer) {
            (true, _) => None,
            (false, None) => return Err(Unauthenticated::from("the token has no customer number")),
            (false, Some(number)) => {
                Some(CustomerNumber::try_from(number.as_str()).map_err(|_| {
                    Unauthenticated::from("the token's customer number is not valid")
                })?)
            }
        };
        Ok(Caller {
            tenant,
            organisation: claims.organisation.map_or(self.default_organisation, Organisation::new),
            customer,
            client: claims.azp,
            permissions: claims
                .permissions
                .iter()
                .filter_map(|name| Permission::from_name(name))
                .collect(),
            valid_from,
            expires_at,
        })
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

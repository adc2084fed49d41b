//! Who is calling: `OAuth2` access tokens as JWT, and the issuers' keys (api.md §5). Used by the authorizer only.

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
use claims::{Claims, Issued};
use keys::Keys;

/// The limit of one fetch.
const LIMIT: Duration = Duration::from_secs(4);

/// The token is not good: why, for the log and the caller. It repeats nothing of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Nobody(pub Cow<'static, str>);

impl From<&'static str> for Nobody {
    fn from(reason: &'static str) -> Self {
        Self(Cow::Borrowed(reason))
    }
}

/// Tells who is calling.
pub struct Tokens {
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

impl Tokens {
    /// From the environment.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong; or the TLS stack cannot be set up.
    pub fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        Ok(Self::new(TokenConfig::read(environment)?)?)
    }

    /// For the configured issuers.
    ///
    /// # Errors
    /// `Internal` when the TLS stack cannot be set up.
    pub fn new(config: TokenConfig) -> Result<Self, Error> {
        let issuer = |(tenant, address)| Issuer { tenant, keys: Keys::of(&address), address };
        Ok(Self {
            issuers: config.issuers.into_iter().map(issuer).collect(),
            audience: config.audience,
            default_organisation: config.default_organisation,
            http: outbound::client(LIMIT, |client| client)?,
        })
    }

    /// Who is calling with this `Authorization` header, or why nobody is. A token that is not valid yet is accepted: see
    /// [`Caller::valid_from`].
    ///
    /// # Errors
    /// `Unavailable` when the issuer's keys cannot be had and none are remembered.
    pub async fn caller(
        &self,
        authorization: &str,
        now: DateTime<Utc>,
    ) -> Result<Result<Caller, Nobody>, Error> {
        let Some(token) = bearer(authorization) else {
            return Ok(Err(Nobody::from("the Authorization header is not a bearer token")));
        };
        let (Ok(header), Ok(Issued { iss })) = (
            jsonwebtoken::decode_header(token),
            jsonwebtoken::dangerous::insecure_decode_claims(token),
        ) else {
            return Ok(Err(Nobody::from("the token is not a JWT with an issuer")));
        };
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
            return Ok(Err(Nobody::from("the token is not signed with RS256 or ES256")));
        }
        // RFC 7515 §4.1.11: a recipient must refuse a critical parameter that it does not understand. This service understands none.
        if header.crit.is_some() {
            return Ok(Err(Nobody::from("the token has critical header parameters")));
        }
        // Chosen by the token, but only among the configured ones; the signature proves it.
        let same = |issuer: &&Issuer| {
            issuer.address.as_str().trim_end_matches('/') == iss.trim_end_matches('/')
        };
        let (Some(issuer), Some(kid)) = (self.issuers.iter().find(same), header.kid) else {
            return Ok(Err(Nobody::from("the token's issuer or key is not known")));
        };
        let Some(key) = issuer.keys.find(&self.http, &kid, header.alg, now).await? else {
            return Ok(Err(Nobody::from("the token's issuer or key is not known")));
        };
        let validation = self.validation(header.alg, &iss);
        match jsonwebtoken::decode::<Claims>(token, &key, &validation) {
            Ok(TokenData { claims, .. }) => Ok(self.accept(issuer.tenant, claims, now)),
            Err(error) => Ok(Err(self.reason(error.kind()))),
        }
    }

    /// Signature, issuer and audience. The times are checked in [`Self::accept`], against the event's clock.
    fn validation(&self, algorithm: Algorithm, issuer: &str) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["aud", "exp", "iss"]);
        validation.set_audience(&[&self.audience]);
        validation.set_issuer(&[issuer]);
        validation
    }

    /// Why the token does not pass [`Self::validation`].
    fn reason(&self, kind: &ErrorKind) -> Nobody {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the library's list grows; the caller needs three of them"
        )]
        match kind {
            ErrorKind::InvalidAudience => self.other_audience(),
            ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => self.other_audience(),
            ErrorKind::InvalidSignature => Nobody::from("the token's signature is wrong"),
            ErrorKind::MissingRequiredClaim(_) => Nobody::from("the token lacks a claim"),
            _ => Nobody::from("the token is not valid"),
        }
    }

    /// The audience is configured and no secret: the caller needs it to get the right token.
    fn other_audience(&self) -> Nobody {
        Nobody(Cow::Owned(format!("the token must be for the audience \"{}\"", self.audience)))
    }

    fn accept(&self, tenant: Tenant, claims: Claims, now: DateTime<Utc>) -> Result<Caller, Nobody> {
        let expires_at = claims.expires_at()?;
        if expires_at <= now {
            return Err(Nobody::from("the token has expired"));
        }
        // Time alone makes it valid, so that is for the function to decide: this answer is cached.
        let valid_from = claims.valid_from()?.filter(|at| *at > now);
        let customer = match (tenant.is_privileged(), claims.customer) {
            (true, _) => None,
            (false, None) => return Err(Nobody::from("the token names no customer")),
            (false, Some(number)) => Some(
                CustomerNumber::try_from(number.as_str())
                    .map_err(|_| Nobody::from("the token's customer is not valid"))?,
            ),
        };
        Ok(Caller {
            tenant,
            organisation: claims.organisation.map_or(self.default_organisation, Organisation::new),
            customer,
            client: claims.azp,
            permissions: claims
                .permissions
                .iter()
                .filter_map(|name| Permission::named(name))
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

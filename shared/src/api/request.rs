//! Text becomes types: after this file no text of the caller's means anything but words to show.

mod about;
mod body;
mod idempotency_key;
mod likeness;

use aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use chrono::{DateTime, Utc};
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;

use crate::api::context;
use crate::domain::caller::{Caller, Permission};
use crate::domain::customer::{CustomerNumber, Organisation};
use crate::domain::id::RecurringPaymentId;
use crate::domain::owner::hash;
use crate::error::{Cause, Error, Flaw};
use crate::invocation;
use crate::secret::Secret;
pub use about::About;
pub use body::Fields;

/// The parameter of a path that is secret.
const SECRET: &str = "secret";
/// The parameter of query and path that is personal.
const CUSTOMER: &str = "customerNumber";

/// A request of API Gateway's HTTP API, as its payload format 2.0 has it.
pub struct Request {
    http: lambda_http::Request,
    correlation_id: String,
}

impl Request {
    /// Takes a request in; `new_id` makes a correlation id where the caller has none.
    pub(super) fn new(http: lambda_http::Request, new_id: fn() -> String) -> Self {
        let given = http
            .headers()
            .get("x-correlation-id")
            .map(|given| String::from_utf8_lossy(given.as_bytes()));
        let correlation_id = about::correlation_id(given.as_deref()).unwrap_or_else(new_id);
        Self { http, correlation_id }
    }

    /// What API Gateway says of the request.
    fn context(&self) -> Option<&ApiGatewayV2httpRequestContext> {
        let Some(RequestContext::ApiGatewayV2(context)) = self.http.request_context_ref() else {
            return None;
        };
        Some(context)
    }

    /// A parameter of the path, which API Gateway has decoded.
    fn path_parameter(&self, name: &str) -> Option<&str> {
        self.http.path_parameters_ref()?.first(name)
    }

    /// The path has to have this secret in it.
    ///
    /// # Errors
    /// `NoSuchPath`.
    pub fn knows(&self, secret: &Secret) -> Result<(), Error> {
        let known = self.path_parameter(SECRET).is_some_and(|given| secret.is(given));
        if known { Ok(()) } else { Err(Error::NoSuchPath) }
    }

    /// Who is calling, if they may do this.
    ///
    /// # Errors
    /// `Unauthorized` without a caller, or when the token is not valid yet or no longer, which the authorizer's cached answer cannot
    /// tell; `Forbidden` without the permission.
    pub fn caller(&self, needed: Permission) -> Result<Caller, Error> {
        let caller = self.caller_unchecked().map_err(Error::Unauthorized)?;
        invocation::note(|at_hand| at_hand.is_set_off_by(&caller));
        if caller.valid_from > Some(self.received_at()?) {
            return Err(Error::Unauthorized("the token is not valid yet".to_owned()));
        }
        if caller.expires_at <= self.received_at()? {
            return Err(Error::Unauthorized("the token has expired".to_owned()));
        }
        caller.needs(needed)?;
        Ok(caller)
    }

    fn caller_unchecked(&self) -> Result<Caller, String> {
        match self.context().and_then(|context| context.authorizer.as_ref()) {
            Some(authorizer) => context::read(&authorizer.fields),
            None => Err("no authorizer".to_owned()),
        }
    }

    /// When API Gateway received it, to the millisecond. The functions have no other clock.
    ///
    /// # Errors
    /// `Internal` when the event does not say.
    pub fn received_at(&self) -> Result<DateTime<Utc>, Error> {
        let cause =
            || Error::Internal { what: "the event has no time", cause: Cause::from("timeEpoch") };
        let at = self.context().map_or(0, |context| context.time_epoch);
        DateTime::from_timestamp_millis(at).filter(|_| at > 0).ok_or_else(cause)
    }

    /// The id in the path.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn recurring_payment_id(&self) -> Result<RecurringPaymentId, Error> {
        const NAME: &str = "recurringPaymentId";
        let text = self.path_parameter(NAME).unwrap_or_default();
        let id: RecurringPaymentId = text.parse().map_err(|_| {
            let is_number = text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_digit());
            let message = if is_number && text.starts_with('0') {
                "must have no leading zeros"
            } else {
                "must be a whole number between 0 and 2^53"
            };
            Flaw::new("id", message).of(NAME)
        })?;
        invocation::note(|at_hand| at_hand.recurring_payment_id = Some(id.number()));
        Ok(id)
    }

    /// A parameter of the query, decoded.
    fn query(&self, name: &'static str) -> Result<Option<&str>, Error> {
        let query = self.http.query_string_parameters_ref();
        match query.and_then(|query| query.all(name)).as_deref() {
            None | Some([]) => Ok(None),
            Some([text]) => Ok(Some(*text)),
            Some(_) => Err(Flaw::new("repeated", "may be given only once").of(name).into()),
        }
    }

    /// `customerNumber` of the query: plain or `eq:`. Any other operator would list other customers.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn customer_in_query(&self) -> Result<Option<CustomerNumber>, Error> {
        let Some(text) = self.query(CUSTOMER)? else { return Ok(None) };
        Ok(Some(CustomerNumber::from_query(text).map_err(|flaw| flaw.of(CUSTOMER))?))
    }

    /// `customerNumber` of the path, which API Gateway has decoded.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn customer_in_path(&self) -> Result<CustomerNumber, Error> {
        let text = self.path_parameter(CUSTOMER).unwrap_or_default();
        Ok(CustomerNumber::try_from(text).map_err(|flaw| flaw.of(CUSTOMER))?)
    }

    /// `true` or `false` in the query; absent is false.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn flag_in_query(&self, name: &'static str) -> Result<bool, Error> {
        match self.query(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Flaw::new("type", "must be true or false").of(name).into()),
        }
    }

    /// `Entur-On-Behalf-Of`: another organisation's number.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn on_behalf_of(&self) -> Result<Option<Organisation>, Error> {
        let wrong = || {
            Flaw::new("organisation", "must be an organisation's number").of("Entur-On-Behalf-Of")
        };
        let number =
            |text: &str| text.trim().parse().map(Organisation::new).map_err(|_| wrong().into());
        self.http
            .headers()
            .get("entur-on-behalf-of")
            .map(|given| number(given.to_str().unwrap_or_default()))
            .transpose()
    }

    /// The hash of `Idempotency-Key` and of whose it is: the token's client. Quoted, as the IETF draft has it, or bare: it is
    /// the same key, with 1 to 255 visible characters.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn idempotency_key(&self, caller: &Caller) -> Result<Option<[u8; 16]>, Error> {
        let Some(given) = self.http.headers().get("idempotency-key") else { return Ok(None) };
        let flaw = || {
            Flaw::new("key", "must have 1 to 255 visible characters, bare or in double quotes")
                .of("Idempotency-Key")
        };
        let key = idempotency_key::read(given.to_str().unwrap_or_default()).ok_or_else(flaw)?;
        Ok(Some(hash(&[caller.client.as_bytes(), key.as_bytes()])))
    }

    /// Whether the caller says who is calling, as `<company>-<application>`.
    #[must_use]
    pub fn is_identified(&self) -> bool {
        self.client_name().is_some_and(|name| {
            name.split_once('-').is_some_and(|(company, application)| {
                !company.trim().is_empty() && !application.trim().is_empty()
            })
        })
    }

    fn client_name(&self) -> Option<&str> {
        self.header("et-client-name").or(self.header("entur-client-name"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.http.headers().get(name).and_then(|value| value.to_str().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_tells_where_a_part_ends() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }
}

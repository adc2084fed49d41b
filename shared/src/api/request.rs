//! Request parsing: converts the texts of a request to types. Other code never interprets text of the caller.

mod body;
mod context;
mod idempotency_key;
mod payment;
mod suggestion;
mod terminal;

use std::str::FromStr;
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use chrono::{DateTime, Utc};
use lambda_http::request::RequestContext as LambdaRequestContext;
use lambda_http::{Context as LambdaContext, RequestExt};

use crate::api::authorizer_context;
use crate::domain::caller::{Caller, Permission};
use crate::domain::customer::{CustomerNumber, Organisation};
use crate::domain::id::{PaymentId, PaymentTransactionId, RecurringPaymentId};
use crate::domain::owner::hash;
use crate::error::{Cause, Error, FieldError, PaymentRefusal, Violation};
use crate::invocation;
use crate::secret::Secret;
pub use body::{Fields, NetsTransaction};
pub use context::RequestContext;

/// The path parameter that is secret.
const SECRET: &str = "secret";
/// The path and query parameter that is personal data.
const CUSTOMER: &str = "customerNumber";
/// The path parameters with ids.
const RECURRING_PAYMENT: &str = "recurringPaymentId";
const PAYMENT: &str = "paymentId";
const TRANSACTION: &str = "transactionId";

/// The query parameter with the seconds to wait for news.
const WAIT: &str = "wait";
/// Its highest value.
const MAX_WAIT: u64 = 20;
/// The time that is left for the last read and the response after a wait.
const RESPONSE_MARGIN: Duration = Duration::from_secs(6);

const NOT_AN_ID: Violation = Violation::new("id", "must be a whole number between 0 and 2^53");

/// A request of API Gateway's HTTP API, in payload format 2.0.
pub struct Request {
    http: lambda_http::Request,
    correlation_id: String,
}

impl Request {
    /// Reads a request. `new_id` generates a correlation id if the caller sent no usable one.
    pub(super) fn new(http: lambda_http::Request, new_id: fn() -> String) -> Self {
        let given = http
            .headers()
            .get("x-correlation-id")
            .map(|given| String::from_utf8_lossy(given.as_bytes()));
        let correlation_id = context::correlation_id(given.as_deref()).unwrap_or_else(new_id);
        Self { http, correlation_id }
    }

    /// API Gateway's request context.
    fn gateway_context(&self) -> Option<&ApiGatewayV2httpRequestContext> {
        let Some(LambdaRequestContext::ApiGatewayV2(context)) = self.http.request_context_ref()
        else {
            return None;
        };
        Some(context)
    }

    /// A path parameter. API Gateway has decoded it.
    fn path_parameter(&self, name: &str) -> Option<&str> {
        self.http.path_parameters_ref()?.first(name)
    }

    /// Checks that the path contains this secret.
    ///
    /// # Errors
    /// Fails with `NoSuchPath` if it does not.
    pub fn check_path_secret(&self, secret: &Secret) -> Result<(), Error> {
        let is_correct = self.path_parameter(SECRET).is_some_and(|given| secret.equals(given));
        if is_correct { Ok(()) } else { Err(Error::NoSuchPath) }
    }

    /// The caller, after checking the validity of the token and the permission.
    ///
    /// # Errors
    /// Fails with `Unauthorized` if there is no caller, or if the token is not valid yet or has expired. The cached authorizer
    /// context does not show that. Fails with `Forbidden` if the caller lacks the permission.
    pub fn caller(&self, needed: Permission) -> Result<Caller, Error> {
        let caller = self.caller_unchecked().map_err(Error::Unauthorized)?;
        invocation::record(|invocation| invocation.set_caller(&caller));
        if caller.valid_from > Some(self.received_at()?) {
            return Err(Error::Unauthorized("the token is not valid yet".to_owned()));
        }
        if caller.expires_at <= self.received_at()? {
            return Err(Error::Unauthorized("the token has expired".to_owned()));
        }
        caller.require(needed)?;
        Ok(caller)
    }

    fn caller_unchecked(&self) -> Result<Caller, String> {
        match self.gateway_context().and_then(|context| context.authorizer.as_ref()) {
            Some(authorizer) => authorizer_context::read(&authorizer.fields),
            None => Err("the request has no authorizer context".to_owned()),
        }
    }

    /// The instant at which API Gateway received the request, in milliseconds. The functions have no other clock.
    ///
    /// # Errors
    /// Fails with `Internal` if the event has no time.
    pub fn received_at(&self) -> Result<DateTime<Utc>, Error> {
        let cause =
            || Error::Internal { what: "the event has no time", cause: Cause::from("timeEpoch") };
        let at = self.gateway_context().map_or(0, |context| context.time_epoch);
        DateTime::from_timestamp_millis(at).filter(|_| at > 0).ok_or_else(cause)
    }

    /// `recurringPaymentId` of the path.
    ///
    /// # Errors
    /// Fails with `Invalid` if it is not a valid id.
    pub fn recurring_payment_id(&self) -> Result<RecurringPaymentId, Error> {
        let id: RecurringPaymentId = self.id_in_path(RECURRING_PAYMENT)?;
        invocation::record(|invocation| invocation.recurring_payment_id = Some(id.number()));
        Ok(id)
    }

    /// `paymentId` of the path.
    ///
    /// # Errors
    /// Fails with `Invalid` if it is not a valid id.
    pub fn payment_id(&self) -> Result<PaymentId, Error> {
        let id: PaymentId = self.id_in_path(PAYMENT)?;
        invocation::record(|invocation| invocation.payment_id = Some(id.number()));
        Ok(id)
    }

    /// `transactionId` of the path, which contains `paymentId`.
    ///
    /// # Errors
    /// Fails with `Invalid` if one of the two is not a valid id, and with `NotFound` if the transaction belongs to another payment.
    pub fn payment_transaction_id(&self) -> Result<PaymentTransactionId, Error> {
        let (payment, transaction) = (self.id_in_path(PAYMENT), self.id_in_path(TRANSACTION));
        let (payment, transaction): (PaymentId, PaymentTransactionId) = match (payment, transaction)
        {
            (Ok(payment), Ok(transaction)) => (payment, transaction),
            (payment, transaction) => {
                let errors = payment.err().into_iter().chain(transaction.err());
                return Err(Error::Invalid(errors.collect()));
            }
        };
        invocation::record(|invocation| {
            invocation.payment_id = Some(payment.number());
            invocation.transaction_id = Some(transaction.number());
        });
        if transaction.payment_id() == payment {
            Ok(transaction)
        } else {
            Err(PaymentRefusal::NotFound.into())
        }
    }

    fn id_in_path<T: FromStr>(&self, name: &'static str) -> Result<T, FieldError> {
        let text = self.path_parameter(name).unwrap_or_default();
        text.parse().map_err(|_| {
            let is_number = text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_digit());
            let violation = if is_number && text.starts_with('0') {
                Violation::new("id", "must have no leading zeros")
            } else {
                NOT_AN_ID
            };
            violation.in_field(name)
        })
    }

    /// A query parameter, decoded.
    fn query(&self, name: &'static str) -> Result<Option<&str>, Error> {
        let query = self.http.query_string_parameters_ref();
        match query.and_then(|query| query.all(name)).as_deref() {
            None | Some([]) => Ok(None),
            Some([text]) => Ok(Some(*text)),
            Some(_) => {
                Err(Violation::new("repeated", "must be given only once").in_field(name).into())
            }
        }
    }

    /// `customerNumber` of the query, plain or with `eq:`. Other operators are refused, because they would list other customers.
    ///
    /// # Errors
    /// Fails with `Invalid` if the number or the operator is not valid.
    pub fn customer_in_query(&self) -> Result<Option<CustomerNumber>, Error> {
        let Some(text) = self.query(CUSTOMER)? else { return Ok(None) };
        Ok(Some(
            CustomerNumber::from_query(text).map_err(|violation| violation.in_field(CUSTOMER))?,
        ))
    }

    /// `customerNumber` of the path.
    ///
    /// # Errors
    /// Fails with `Invalid` if it is not a valid customer number.
    pub fn customer_in_path(&self) -> Result<CustomerNumber, Error> {
        let text = self.path_parameter(CUSTOMER).unwrap_or_default();
        Ok(CustomerNumber::try_from(text).map_err(|violation| violation.in_field(CUSTOMER))?)
    }

    /// `dryRun` of the query: whether the caller only asks what the request would do.
    ///
    /// # Errors
    /// Fails with `Invalid` if it is neither `true` nor `false`.
    pub fn is_dry_run(&self) -> Result<bool, Error> {
        self.flag_in_query("dryRun")
    }

    /// A query parameter that is `true` or `false`. The default is false.
    ///
    /// # Errors
    /// Fails with `Invalid` if it has another value.
    pub fn flag_in_query(&self, name: &'static str) -> Result<bool, Error> {
        match self.query(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Violation::new("type", "must be true or false").in_field(name).into()),
        }
    }

    /// `wait` of the query: how long the response may wait for news, 0 to 20 whole seconds (api.md §7). Shorter if the invocation
    /// ends earlier. The default is zero.
    ///
    /// # Errors
    /// Fails with `Invalid` if it has another value.
    pub fn wait(&self) -> Result<Duration, Error> {
        let Some(text) = self.query(WAIT)? else { return Ok(Duration::ZERO) };
        let has_digits_only = text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = text.parse().ok().filter(|seconds| has_digits_only && *seconds <= MAX_WAIT);
        let violation = || {
            Violation::new("seconds", "must be a whole number of seconds from 0 to 20")
                .in_field(WAIT)
        };
        let wait = Duration::from_secs(seconds.ok_or_else(violation)?);
        let deadline = self.http.lambda_context_ref().map(LambdaContext::deadline);
        let limit = deadline
            .map(|deadline| invocation::time_left(deadline).saturating_sub(RESPONSE_MARGIN));
        Ok(limit.map_or(wait, |limit| limit.min(wait)))
    }

    /// `Entur-On-Behalf-Of`: the number of another organisation.
    ///
    /// # Errors
    /// Fails with `Invalid` if it is not a number.
    pub fn on_behalf_of(&self) -> Result<Option<Organisation>, Error> {
        let wrong = || {
            Violation::new("organisation", "must be the number of an organisation")
                .in_field("Entur-On-Behalf-Of")
        };
        let number =
            |text: &str| text.trim().parse().map(Organisation::new).map_err(|_| wrong().into());
        self.http
            .headers()
            .get("entur-on-behalf-of")
            .map(|given| number(given.to_str().unwrap_or_default()))
            .transpose()
    }

    /// The hash of `Idempotency-Key` and of the token's client id, 16 bytes. The key has 1 to 255 visible characters. A quoted
    /// key, as in the IETF draft, and a bare key are the same key.
    ///
    /// # Errors
    /// Fails with `Invalid` if the key is empty, too long, or has other characters.
    pub fn idempotency_key(&self, caller: &Caller) -> Result<Option<[u8; 16]>, Error> {
        let Some(given) = self.http.headers().get("idempotency-key") else { return Ok(None) };
        let violation = || {
            Violation::new(
                "key",
                "must have 1 to 255 visible characters, with or without double quotes",
            )
            .in_field("Idempotency-Key")
        };
        let key =
            idempotency_key::read(given.to_str().unwrap_or_default()).ok_or_else(violation)?;
        Ok(Some(hash(&[caller.client.as_bytes(), key.as_bytes()])))
    }

    /// Whether the client name of the caller has the form `<company>-<application>`.
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
    fn a_hash_depends_on_where_each_part_ends() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }
}

#[cfg(test)]
#[path = "request/payment_tests.rs"]
mod payment_tests;

#[cfg(test)]
#[path = "request/wait_tests.rs"]
mod wait_tests;

//! Text becomes types: after this file no text of the caller's means anything but words to show.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use lambda_runtime::LambdaEvent;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::api::context;
use crate::api::event::Event;
use crate::domain::caller::{Caller, Permission};
use crate::domain::customer::{CustomerNumber, Organisation};
use crate::domain::id::{RecurringPaymentId, TransactionId};
use crate::domain::owner::hash;
use crate::error::{Cause, Error, Fault, Flaw};
use crate::invocation::{self, Invocation};
use crate::log::Line;
use crate::secret::Secret;

/// How large a body may be, in bytes.
const LARGEST_BODY: usize = 16 * 1024;

/// How much of a header goes into the log, in characters.
const LONGEST_LOGGED: usize = 128;

const WRONG_TYPE: &str = "type";
/// The parameter of a path that is secret.
const SECRET: &str = "secret";
/// The parameter of query and path that is personal.
const CUSTOMER: &str = "customerNumber";

/// A request of API Gateway's HTTP API, as its payload format 2.0 has it.
pub struct Request {
    event: ApiGatewayV2httpRequest,
    trace_id: Option<String>,
    correlation_id: String,
}

/// What log and answers say about a request, whatever became of it. No personal data.
pub struct About {
    /// `X-Correlation-Id`, ours or the caller's.
    pub correlation_id: String,
    /// When it came in.
    pub received_at: Option<DateTime<Utc>>,
    /// The path that was called, or its template where a part of it is secret or personal.
    pub path: String,
    trace_id: Option<String>,
    route: String,
    client_name: String,
    point_of_sale: String,
    channel: String,
}

impl Request {
    /// Takes an event in; `new_id` makes a correlation id where the caller has none.
    pub(super) fn new(
        event: LambdaEvent<Event<ApiGatewayV2httpRequest>>,
        new_id: fn() -> String,
    ) -> Self {
        let LambdaEvent { payload: Event(event), context, .. } = event;
        let given = event
            .headers
            .get("x-correlation-id")
            .map(|given| String::from_utf8_lossy(given.as_bytes()));
        let correlation_id = correlation_id(given.as_deref()).unwrap_or_else(new_id);
        Self { event, trace_id: context.xray_trace_id, correlation_id }
    }

    /// What log and answers say about it.
    pub(super) fn about(&self) -> About {
        let short = |text: &str| text.chars().take(LONGEST_LOGGED).collect::<String>();
        let header = |name| short(self.header(name).unwrap_or_default());
        About {
            correlation_id: self.correlation_id.clone(),
            received_at: self.received_at().ok(),
            path: self.path(),
            trace_id: self.trace_id.clone(),
            route: self.event.request_context.route_key.clone().unwrap_or_default(),
            client_name: short(self.client_name().unwrap_or_default()),
            point_of_sale: header("entur-pos"),
            channel: header("entur-distribution-channel"),
        }
    }

    /// The path that was called; where a part of it is secret or personal, as the template has it.
    fn path(&self) -> String {
        let hidden = [SECRET, CUSTOMER].into_iter().find_map(|name| self.path_parameter(name));
        match (hidden, self.event.request_context.route_key.as_deref()) {
            (Some(_), Some(route)) => {
                route.split_once(' ').map_or(route, |(_, path)| path).to_owned()
            }
            (Some(_), None) => String::new(),
            (None, _) => self.event.raw_path.clone().unwrap_or_default(),
        }
    }

    /// A parameter of the path, which API Gateway has decoded.
    fn path_parameter(&self, name: &str) -> Option<&str> {
        self.event.path_parameters.get(name).map(String::as_str)
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
    /// `Unauthorized` when nobody is, or their token is not valid yet or no longer, which the authorizer's cached answer cannot
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
        match &self.event.request_context.authorizer {
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
        let at = self.event.request_context.time_epoch;
        DateTime::from_timestamp_millis(at).filter(|_| at > 0).ok_or_else(cause)
    }

    /// The id in the path.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn recurring_payment_id(&self) -> Result<RecurringPaymentId, Error> {
        const NAME: &str = "recurringPaymentId";
        let id: Option<RecurringPaymentId> =
            self.path_parameter(NAME).and_then(|text| text.parse().ok());
        let id = id
            .ok_or_else(|| Flaw::new("id", "must be a whole number between 0 and 2^53").of(NAME))?;
        invocation::note(|at_hand| at_hand.recurring_payment_id = Some(id.number()));
        Ok(id)
    }

    /// A parameter of the query; given twice, it is no single text and fits no rule.
    fn query(&self, name: &'static str) -> Option<String> {
        // Not as the event has it parsed: there, what is given twice has been joined before it was decoded.
        let query = self.event.raw_query_string.as_deref().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        pairs
            .filter(|(given, _)| given == name)
            .map(|(_, text)| text.into_owned())
            .reduce(|before, text| format!("{before},{text}"))
    }

    /// `customerNumber` of the query: plain or `eq:`. Any other operator would list other customers.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn customer_in_query(&self) -> Result<Option<CustomerNumber>, Error> {
        let Some(text) = self.query(CUSTOMER) else { return Ok(None) };
        Ok(Some(CustomerNumber::from_query(&text).map_err(|flaw| flaw.of(CUSTOMER))?))
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
        match self.query(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Flaw::new(WRONG_TYPE, "must be true or false").of(name).into()),
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
        self.event
            .headers
            .get("entur-on-behalf-of")
            .map(|given| number(given.to_str().unwrap_or_default()))
            .transpose()
    }

    /// The hash of `Idempotency-Key`: 1 to 255 visible characters.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn idempotency_key(&self) -> Result<Option<[u8; 16]>, Error> {
        let Some(given) = self.event.headers.get("idempotency-key") else { return Ok(None) };
        let text = given.to_str().unwrap_or_default();
        if text.trim().is_empty() || text.len() > 255 || text.trim().contains('\t') {
            return Err(Flaw::new("key", "must have 1 to 255 visible characters")
                .of("Idempotency-Key")
                .into());
        }
        Ok(Some(hash(&[text.as_bytes()])))
    }

    /// The body as a JSON object; no body is an empty one.
    ///
    /// # Errors
    /// `TooLarge`, `NotJson`, `Invalid`.
    pub fn body(&self) -> Result<Fields, Error> {
        let bytes = self.bytes()?;
        if bytes.len() > LARGEST_BODY {
            return Err(Error::TooLarge);
        }
        if bytes.is_empty() {
            return Ok(Fields::default());
        }
        if !self.header("content-type").is_none_or(is_json) {
            return Err(Error::NotJson);
        }
        let invalid = |message| Flaw::new("json", message).of("body");
        if !bytes.trim_ascii_start().starts_with(b"{") {
            let message = if serde_json::from_slice::<Value>(&bytes).is_ok() {
                "must be a JSON object"
            } else {
                "must be JSON"
            };
            return Err(invalid(message).into());
        }
        match serde_json::from_slice(&bytes) {
            Ok(Members(members)) => Ok(Fields { members, faults: Vec::new() }),
            Err(error) if error.is_data() => Err(invalid("may have each member once").into()),
            Err(_) => Err(invalid("must be JSON, at most 127 levels deep").into()),
        }
    }

    /// The body as it was sent: API Gateway encodes what may be no text.
    fn bytes(&self) -> Result<Cow<'_, [u8]>, Error> {
        let text = self.event.body.as_deref().unwrap_or_default();
        if !self.event.is_base64_encoded {
            return Ok(text.as_bytes().into());
        }
        let internal = |cause: Cause| Error::Internal { what: "the event has no body", cause };
        Ok(STANDARD.decode(text).map_err(|cause| internal(cause.into()))?.into())
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
        self.event.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The members of a JSON object, each there once: of two, different readers would take different ones.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = from.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member twice"));
                    }
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(Each)
    }
}

/// The members of a body. Faults are gathered, so that a caller hears of all of them at once.
#[derive(Default)]
pub struct Fields {
    members: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Fields {
    /// A text, made into a type by its own rule; `null` counts as absent.
    pub fn text<T>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(&str) -> Result<T, Flaw>,
    ) -> Option<T> {
        self.nullable_text(name, rule).flatten()
    }

    /// A text that has to be there.
    pub fn required_text<T>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(&str) -> Result<T, Flaw>,
    ) -> Option<T> {
        match self.members.get(name) {
            None | Some(Value::Null) => self.fault(name, Flaw::new("required", "is required")),
            Some(_) => self.text(name, rule),
        }
    }

    /// A text that `null` clears: absent, cleared, or there.
    pub fn nullable_text<T>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(&str) -> Result<T, Flaw>,
    ) -> Option<Option<T>> {
        match self.members.get(name)? {
            Value::Null => Some(None),
            Value::String(text) => match rule(text) {
                Ok(value) => Some(Some(value)),
                Err(flaw) => self.fault(name, flaw),
            },
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.fault(name, Flaw::new(WRONG_TYPE, "must be a string"))
            }
        }
    }

    /// A boolean; `null` counts as absent.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.members.get(name)? {
            Value::Null => None,
            Value::Bool(flag) => Some(*flag),
            Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.fault(name, Flaw::new(WRONG_TYPE, "must be true or false"))
            }
        }
    }

    /// `TransactionId` as Nets writes it. One that is not ours is a text like any other.
    pub fn transaction_id(&mut self) -> Option<Option<TransactionId>> {
        self.required_text("TransactionId", |text| match text.trim() {
            "" => Err(Flaw::new("empty", "must not be empty")),
            text => Ok(text.parse().ok()),
        })
    }

    /// `customerNumber`.
    pub fn customer_number(&mut self) -> Option<CustomerNumber> {
        self.text(CUSTOMER, |text| CustomerNumber::try_from(text))
    }

    /// # Errors
    /// `Invalid` with every fault that was found.
    pub fn finish(self) -> Result<(), Error> {
        if self.faults.is_empty() { Ok(()) } else { Err(Error::Invalid(self.faults)) }
    }

    /// Notes a fault, and gives back nothing.
    pub fn fault<T>(&mut self, name: &'static str, flaw: Flaw) -> Option<T> {
        self.faults.push(flaw.of(name));
        None
    }
}

impl About {
    /// The one line of a request, which is its metrics, too.
    pub(super) fn line(
        &self,
        known: &Invocation,
        status: i64,
        took: Duration,
        cold: bool,
        error: Option<&str>,
    ) -> Line {
        // Refusals are the caller's affair; whatever is ours to mend stands out.
        let (is_refused, has_failed) = ((400..500).contains(&status), status >= 500);
        let level = if has_failed { "ERROR" } else { "INFO" };
        let at = self.received_at.unwrap_or_default();
        Line::new(at, level, "answered", self.trace_id.as_deref(), known)
            .text("route", &self.route)
            .number("status", status.try_into().ok())
            .text("client_name", &self.client_name)
            .text("point_of_sale", &self.point_of_sale)
            .text("channel", &self.channel)
            .text("error", error.unwrap_or_default())
            .count("Requests", 1)
            .count("ClientErrors", is_refused.into())
            .count("ServerErrors", has_failed.into())
            .some("ColdStarts", cold.into())
            .milliseconds("Latency", took)
    }
}

/// `application/json`, `application/hal+json`, with or without parameters.
fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// api.md §3: `[0-9a-z-]` is kept, anything else encoded; missing, blank or the literal `null` is none.
fn correlation_id(given: Option<&str>) -> Option<String> {
    let given = given.filter(|given| !given.trim().is_empty() && *given != "null")?;
    let plain = given
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase() || byte == b'-');
    Some(if plain {
        given.to_owned()
    } else {
        form_urlencoded::byte_serialize(given.as_bytes()).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_ids() {
        for none in [None, Some(""), Some("  "), Some("null")] {
            assert_eq!(correlation_id(none), None);
        }
        for (given, kept) in [
            ("0-9a-z", "0-9a-z"),
            ("A", "A"),
            ("a b", "a+b"),
            ("a\r\nSet-Cookie: b", "a%0D%0ASet-Cookie%3A+b"),
            ("ø", "%C3%B8"),
        ] {
            assert_eq!(correlation_id(Some(given)).as_deref(), Some(kept));
        }
    }

    #[test]
    fn json_has_many_names() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/hal+json"]
        {
            assert!(is_json(json));
        }
        for other in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "text/json",
            "application/jsonp",
        ] {
            assert!(!is_json(other), "{other}");
        }
    }

    #[test]
    fn every_fault_is_found() {
        let members = serde_json::json!({"isPrimary": "yes", "nickname": 1, "customerNumber": "", "other": []});
        let mut fields =
            Fields { members: members.as_object().unwrap().clone(), faults: Vec::new() };
        assert_eq!(fields.flag("isPrimary"), None);
        assert_eq!(fields.text("nickname", |_| Ok(())), None);
        assert_eq!(fields.customer_number(), None);
        let Err(Error::Invalid(faults)) = fields.finish() else { panic!("valid") };
        let found: Vec<_> = faults.iter().map(|fault| (fault.field, fault.flaw.code)).collect();
        assert_eq!(
            found,
            [("isPrimary", "type"), ("nickname", "type"), ("customerNumber", "empty")]
        );
    }

    #[test]
    fn a_hash_tells_where_a_part_ends() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }
}

//! The body of a request: a JSON object.

mod json;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Map, Value};

use super::{CUSTOMER, Request, suggestion};
use crate::domain::customer::CustomerNumber;
use crate::domain::id::{RegistrationId, TransactionId};
use crate::error::{Error, FieldError, Violation};
use crate::invocation;

/// The maximum size of a body, in bytes.
const MAX_BYTES: usize = 16 * 1024;

const WRONG_TYPE: &str = "type";

/// The byte order mark of UTF-8. It is skipped.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Request {
    /// The members of the body. A request without a body has no members.
    ///
    /// # Errors
    /// Fails with `TooLarge`, `NotJson`, `UnsupportedEncoding`, `UnsupportedCharset`, or with `Invalid` if the body is not a JSON
    /// object in UTF-8.
    pub fn body(&self) -> Result<Fields, Error> {
        let bytes: &[u8] = self.http.body();
        if bytes.len() > MAX_BYTES {
            return Err(Error::TooLarge);
        }
        if bytes.is_empty() {
            return Ok(Fields::default());
        }
        if let Some(encoding) = self.header_values(&CONTENT_ENCODING).find_map(encoding) {
            return Err(Error::UnsupportedEncoding(printable_name(encoding)));
        }
        for content_type in self.header_values(&CONTENT_TYPE) {
            if !is_json(content_type) {
                return Err(Error::NotJson);
            }
            if let Some(charset) = charset(content_type) {
                return Err(Error::UnsupportedCharset(printable_name(charset)));
            }
        }
        let members = json::members(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes))?;
        Ok(Fields { members, errors: Vec::new() })
    }

    /// Whether the request has no body.
    pub(super) fn has_no_body(&self) -> bool {
        self.http.body().is_empty()
    }

    /// The values of a header. A value that is not text is read as the empty text.
    fn header_values(&self, name: &http::HeaderName) -> impl Iterator<Item = &str> {
        let values = self.http.headers().get_all(name).into_iter();
        values.map(|value| value.to_str().unwrap_or_default())
    }
}

/// The members of a body. Errors are collected, so that one response lists all of them. The name `a.b` means the member `b` of the
/// object `a`.
#[derive(Default)]
pub struct Fields {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

/// The transaction at Nets that a callback is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetsTransaction {
    /// A terminal session of a card setup.
    Setup(TransactionId),
    /// A registration of a payment.
    Charge(RegistrationId),
    /// A transaction of another system.
    Unknown,
}

impl NetsTransaction {
    fn parse(text: &str) -> Self {
        if let Ok(id) = text.parse::<RegistrationId>() {
            invocation::record(|invocation| {
                invocation.payment_id = Some(id.transaction.payment_id().number());
                invocation.transaction_id = Some(id.transaction.number());
            });
            return Self::Charge(id);
        }
        text.parse().map_or(Self::Unknown, Self::Setup)
    }
}

impl Fields {
    fn member(&self, name: &str) -> Option<&Value> {
        match name.split_once('.') {
            None => self.members.get(name),
            Some((object, name)) => self.members.get(object)?.get(name),
        }
    }

    /// Returns whether a required member is present. `null` means absent.
    fn require(&mut self, name: &'static str) -> bool {
        let is_present = self.is_present(name);
        if !is_present {
            self.errors.push(Violation::new("required", "is required").in_field(name));
        }
        is_present
    }

    fn is_present(&self, name: &str) -> bool {
        self.member(name).is_some_and(|value| !value.is_null())
    }

    /// A string, converted by `rule`. `null` means absent.
    pub fn text<T>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<T> {
        self.nullable_text(name, rule).flatten()
    }

    /// A required string, converted by `rule`.
    pub fn required_text<T>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<T> {
        if self.require(name) { self.text(name, rule) } else { None }
    }

    /// A string that `null` clears, converted by `rule`: `None` if absent, `Some(None)` if `null`.
    pub fn nullable_text<T>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<Option<T>> {
        match self.member(name)? {
            Value::Null => Some(None),
            Value::String(text) => match rule(text) {
                Ok(value) => Some(Some(value)),
                Err(violation) => self.add_error(name, violation),
            },
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.add_error(name, Violation::new(WRONG_TYPE, "must be a string"))
            }
        }
    }

    /// A boolean. `null` means absent.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.member(name)? {
            Value::Null => None,
            Value::Bool(flag) => Some(*flag),
            Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.add_error(name, Violation::new(WRONG_TYPE, "must be true or false"))
            }
        }
    }

    /// A whole number, converted by `convert`. `null` means absent. Another type, a number with a fraction or an exponent, and a
    /// number that `convert` refuses are errors; the last two with `violation`.
    pub fn whole_number<T>(
        &mut self,
        name: &'static str,
        convert: impl FnOnce(u64) -> Option<T>,
        violation: Violation,
    ) -> Option<T> {
        match self.member(name)? {
            Value::Null => None,
            Value::Number(number) => match number.as_u64().and_then(convert) {
                Some(value) => Some(value),
                None => self.add_error(name, violation),
            },
            Value::String(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                self.add_error(name, Violation::new(WRONG_TYPE, "must be a number"))
            }
        }
    }

    /// A required whole number, as in [`Self::whole_number`].
    pub fn required_whole_number<T>(
        &mut self,
        name: &'static str,
        convert: impl FnOnce(u64) -> Option<T>,
        violation: Violation,
    ) -> Option<T> {
        if self.require(name) { self.whole_number(name, convert, violation) } else { None }
    }

    /// Returns whether a required member is an object. Otherwise the error is recorded, and its members need no errors.
    pub fn has_object(&mut self, name: &'static str) -> bool {
        let is_object = self.member(name).is_some_and(Value::is_object);
        if !is_object && self.require(name) {
            self.errors.push(Violation::new(WRONG_TYPE, "must be an object").in_field(name));
        }
        is_object
    }

    /// Refuses a member that the operation does not support. `null` means absent.
    pub fn must_be_absent(&mut self, name: &'static str, violation: Violation) {
        if self.is_present(name) {
            self.errors.push(violation.in_field(name));
        }
    }

    /// A boolean that must not be true. `null` means absent.
    pub fn must_not_be_true(&mut self, name: &'static str, violation: Violation) {
        if self.flag(name) == Some(true) {
            self.errors.push(violation.in_field(name));
        }
    }

    /// `TransactionId` of Nets' callback. The ids of a payment are recorded for the log.
    pub fn nets_transaction(&mut self) -> Option<NetsTransaction> {
        self.required_text("TransactionId", |text| match text.trim() {
            "" => Err(Violation::new("empty", "must not be empty")),
            text => Ok(NetsTransaction::parse(text)),
        })
    }

    /// `customerNumber`.
    pub fn customer_number(&mut self) -> Option<CustomerNumber> {
        self.text(CUSTOMER, |text| CustomerNumber::try_from(text))
    }

    /// Requires at least one of the known members, unless the body has no members. A body with only unknown members is probably a
    /// spelling mistake.
    pub fn must_have_one_of(&mut self, known: &'static [&'static str]) {
        let has_one = known.iter().any(|name| self.members.contains_key(*name));
        if !has_one && !self.members.is_empty() {
            let given = self.members.keys().map(String::as_str);
            self.errors.push(suggestion::no_known_member(given, known).in_field("body"));
        }
    }

    /// Ends the parsing of the body.
    ///
    /// # Errors
    /// Fails with `Invalid`, with every error that was found.
    pub fn finish(self) -> Result<(), Error> {
        if self.errors.is_empty() { Ok(()) } else { Err(Error::Invalid(self.errors)) }
    }

    /// Ends the parsing of the body, and returns its value. `None` means that an error of a required member was recorded.
    ///
    /// # Errors
    /// Fails with `Invalid`, with every error that was found.
    pub fn finish_with<T>(self, value: Option<T>) -> Result<T, Error> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            Some(_) | None => Err(Error::Invalid(self.errors)),
        }
    }

    /// Records an error of a member. Returns `None`.
    pub fn add_error<T>(&mut self, name: &'static str, violation: Violation) -> Option<T> {
        self.errors.push(violation.in_field(name));
        None
    }
}

/// Whether this is `application/json` or `application/*+json`, with or without parameters.
fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// The first coding of a `Content-Encoding` other than `identity`.
fn encoding(header: &str) -> Option<&str> {
    let mut codings = header.split(',').map(str::trim);
    codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
}

/// The charset of a `Content-Type`, if it is not UTF-8.
fn charset(content_type: &str) -> Option<&str> {
    let parameters =
        content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let charsets = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let mut charsets = charsets.map(|(_, value)| value.trim().trim_matches('"'));
    charsets
        .find(|charset| !["utf-8", "utf8"].iter().any(|utf8| charset.eq_ignore_ascii_case(utf8)))
}

/// The name of a coding or charset, for the response and the log. A text that cannot be such a name is not repeated, because it
/// could be personal or secret.
fn printable_name(given: &str) -> String {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let digits = given.bytes().filter(u8::is_ascii_digit).count();
    let fits = (1..=20).contains(&given.len()) && digits < 8 && given.bytes().all(is_name);
    if fits { given.to_ascii_lowercase() } else { "of that name".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_media_types_are_recognised() {
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
    fn every_error_is_reported() {
        let members = serde_json::json!({"isPrimary": "yes", "nickname": 1, "customerNumber": "", "other": []});
        let mut fields =
            Fields { members: members.as_object().unwrap().clone(), errors: Vec::new() };
        assert_eq!(fields.flag("isPrimary"), None);
        assert_eq!(fields.text("nickname", |_| Ok(())), None);
        assert_eq!(fields.customer_number(), None);
        let Err(Error::Invalid(errors)) = fields.finish() else { panic!("valid") };
        let found: Vec<_> =
            errors.iter().map(|error| (error.field, error.violation.code)).collect();
        assert_eq!(
            found,
            [("isPrimary", "type"), ("nickname", "type"), ("customerNumber", "empty")]
        );
    }

    #[test]
    fn unsupported_encodings_and_charsets_are_found() {
        for (header, found) in [
            ("", None),
            ("identity", None),
            ("Identity, ", None),
            ("gzip", Some("gzip")),
            ("identity, br", Some("br")),
            ("\u{7f}", Some("\u{7f}")),
        ] {
            assert_eq!(encoding(header), found, "{header}");
        }
        for (content_type, found) in [
            ("application/json", None),
            ("application/json; charset=utf-8", None),
            ("application/json;Charset=\"UTF-8\"; x=y", None),
            ("application/json; charset=utf8", None),
            ("application/json; x=y; charset=iso-8859-1", Some("iso-8859-1")),
            ("application/json; charset=\"UTF-16\"", Some("UTF-16")),
            ("application/json; charset=", Some("")),
        ] {
            assert_eq!(charset(content_type), found, "{content_type}");
        }
    }

    #[test]
    fn only_plausible_names_are_repeated() {
        for (given, shown) in [
            ("gzip", "gzip"),
            ("ISO-8859-1", "iso-8859-1"),
            ("", "of that name"),
            ("4925000000000004", "of that name"),
            ("a b", "of that name"),
            ("<script>", "of that name"),
            ("abcdefghijklmnopqrstu", "of that name"),
        ] {
            assert_eq!(printable_name(given), shown);
        }
    }
}

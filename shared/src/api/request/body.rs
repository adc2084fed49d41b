//! The body of a request: a JSON object.

use std::fmt;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{CUSTOMER, Request, suggestion};
use crate::domain::customer::CustomerNumber;
use crate::domain::id::TransactionId;
use crate::error::{Error, FieldError, Violation};

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
        members(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes))
    }

    /// The values of a header. A value that is not text is read as the empty text.
    fn header_values(&self, name: &http::HeaderName) -> impl Iterator<Item = &str> {
        let values = self.http.headers().get_all(name).into_iter();
        values.map(|value| value.to_str().unwrap_or_default())
    }
}

fn members(bytes: &[u8]) -> Result<Fields, Error> {
    // The first character of JSON is ASCII (RFC 4627, section 3). So JSON in UTF-16 always contains a NUL byte.
    if std::str::from_utf8(bytes).is_err() || bytes.contains(&0) {
        return Err(Violation::new("encoding", "must be in UTF-8").in_field("body").into());
    }
    let read = match bytes.trim_ascii_start() {
        [] => return Err(json_error("must be a JSON object or empty, not blank").into()),
        [b'{', ..] => serde_json::from_slice(bytes),
        _ => match serde_json::from_slice::<Value>(bytes) {
            Ok(_) => return Err(json_error("must be a JSON object").into()),
            Err(error) => Err(error),
        },
    };
    match read {
        Ok(Members(members)) => Ok(Fields { members, errors: Vec::new() }),
        Err(error) => Err(syntax_violation(&error).in_field("body").into()),
    }
}

fn json_error(message: &'static str) -> FieldError {
    Violation::new("json", message).in_field("body")
}

/// The reason why the JSON is not valid, with line and column. The library's message about the syntax quotes nothing of the body.
fn syntax_violation(error: &serde_json::Error) -> Violation {
    let position = format!("line {} column {}", error.line(), error.column());
    if error.is_data() {
        return Violation::new("json", "must have each member only once")
            .with_reason(format!("the second is at {position}"));
    }
    let message = error.to_string();
    if message.starts_with("recursion limit") {
        return Violation::new("json", "must be at most 127 levels deep").with_reason(position);
    }
    Violation::new("json", "must be JSON").with_reason(message)
}

/// The members of a JSON object. A duplicate member is an error, because parsers differ in which one they use.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("duplicate member"));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

/// The members of a body. Errors are collected, so that one response lists all of them.
#[derive(Default)]
pub struct Fields {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
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
        match self.members.get(name) {
            None | Some(Value::Null) => {
                self.add_error(name, Violation::new("required", "is required"))
            }
            Some(_) => self.text(name, rule),
        }
    }

    /// A string that `null` clears, converted by `rule`: `None` if absent, `Some(None)` if `null`.
    pub fn nullable_text<T>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<Option<T>> {
        match self.members.get(name)? {
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
        match self.members.get(name)? {
            Value::Null => None,
            Value::Bool(flag) => Some(*flag),
            Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.add_error(name, Violation::new(WRONG_TYPE, "must be true or false"))
            }
        }
    }

    /// `TransactionId` of Nets' callback: `Some(None)` if the text is not an id of this service.
    pub fn transaction_id(&mut self) -> Option<Option<TransactionId>> {
        self.required_text("TransactionId", |text| match text.trim() {
            "" => Err(Violation::new("empty", "must not be empty")),
            text => Ok(text.parse().ok()),
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

    fn error_message(bytes: &[u8]) -> Option<String> {
        match members(bytes) {
            Ok(_) => None,
            Err(Error::Invalid(errors)) => Some(errors[0].violation.message.to_string()),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_syntax_error_has_its_line_and_column() {
        for (body, message) in [
            ("{\"a\":1,}", "must be JSON: trailing comma at line 1 column 8"),
            ("{'a':1}", "must be JSON: key must be a string at line 1 column 2"),
            ("{\n  \"a\": 'b'\n}", "must be JSON: expected value at line 2 column 8"),
            ("{\"a\":1", "must be JSON: EOF while parsing an object at line 1 column 6"),
            ("{} {}", "must be JSON: trailing characters at line 1 column 4"),
            (
                "{\"a\":1,\"a\":2}",
                "must have each member only once: the second is at line 1 column 13",
            ),
            ("'a'", "must be JSON: expected value at line 1 column 1"),
            ("[1,]", "must be JSON: trailing comma at line 1 column 4"),
            ("[1]", "must be a JSON object"),
            (" \n", "must be a JSON object or empty, not blank"),
        ] {
            assert_eq!(error_message(body.as_bytes()).as_deref(), Some(message), "{body}");
        }
        for deep in ["[".repeat(200), format!("{{\"a\":{}", "[".repeat(200))] {
            let message = error_message(deep.as_bytes()).unwrap();
            assert!(message.starts_with("must be at most 127 levels deep: line 1"), "{message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn an_error_message_never_quotes_the_body(before in "[-\\[\\]{}\",:.0-9etfn '\\\\u]{0,20}", after in "[\\[\\]{}\",: ]{0,20}") {
            for body in [format!("{before}canary{after}"), format!("{{\"canary{before}\":{after}")] {
                let message = error_message(body.as_bytes()).unwrap_or_default();
                proptest::prop_assert!(!message.contains("canary"), "{} {}", body, message);
            }
        }
    }

    #[test]
    fn a_body_must_be_utf_8() {
        assert_eq!(error_message("{\"a\":\"ø\"}".as_bytes()), None);
        let text: Vec<u16> = "{\"a\":1}".encode_utf16().collect();
        let little: Vec<u8> = text.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = text.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for wrong in
            [&little, &big, &[b"\xff\xfe", &*little].concat(), &b"{\"a\":\"\xf8\"}".to_vec()]
        {
            assert_eq!(error_message(wrong).as_deref(), Some("must be in UTF-8"), "{wrong:?}");
        }
    }
}

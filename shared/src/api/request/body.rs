//! The JSON object in a request's body.

use std::fmt;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{CUSTOMER, Request, likeness};
use crate::domain::customer::CustomerNumber;
use crate::domain::id::TransactionId;
use crate::error::{Error, Fault, Flaw};

/// How large a body may be, in bytes.
const LARGEST: usize = 16 * 1024;

const WRONG_TYPE: &str = "type";

/// The byte order mark of UTF-8, which says nothing and is skipped.
const MARK: &[u8] = b"\xef\xbb\xbf";

impl Request {
    /// The body as a JSON object; no body is an empty one.
    ///
    /// # Errors
    /// `TooLarge`, `NotJson`, `Encoded`, `Charset`, `Invalid`.
    pub fn body(&self) -> Result<Fields, Error> {
        let bytes: &[u8] = self.http.body();
        if bytes.len() > LARGEST {
            return Err(Error::TooLarge);
        }
        if bytes.is_empty() {
            return Ok(Fields::default());
        }
        if let Some(encoding) = self.text_of(&CONTENT_ENCODING).find_map(encoding) {
            return Err(Error::Encoded(name(encoding)));
        }
        for content_type in self.text_of(&CONTENT_TYPE) {
            if !is_json(content_type) {
                return Err(Error::NotJson);
            }
            if let Some(charset) = charset(content_type) {
                return Err(Error::Charset(name(charset)));
            }
        }
        members(bytes.strip_prefix(MARK).unwrap_or(bytes))
    }

    /// The values of a header; one that is no text is an empty one.
    fn text_of(&self, name: &http::HeaderName) -> impl Iterator<Item = &str> {
        let values = self.http.headers().get_all(name).into_iter();
        values.map(|value| value.to_str().unwrap_or_default())
    }
}

fn members(bytes: &[u8]) -> Result<Fields, Error> {
    // JSON without a NUL can be UTF-16 only when it is empty: its first character is ASCII (RFC 4627, section 3).
    if std::str::from_utf8(bytes).is_err() || bytes.contains(&0) {
        return Err(Flaw::new("encoding", "must be in UTF-8").of("body").into());
    }
    let read = match bytes.trim_ascii_start() {
        [] => return Err(invalid("must be a JSON object or empty, not blank").into()),
        [b'{', ..] => serde_json::from_slice(bytes),
        _ => match serde_json::from_slice::<Value>(bytes) {
            Ok(_) => return Err(invalid("must be a JSON object").into()),
            Err(error) => Err(error),
        },
    };
    match read {
        Ok(Members(members)) => Ok(Fields { members, faults: Vec::new() }),
        Err(error) => Err(not_json(&error).of("body").into()),
    }
}

fn invalid(message: &'static str) -> Fault {
    Flaw::new("json", message).of("body")
}

/// What is wrong with the JSON, and where. What the library says of the syntax repeats nothing of the text.
fn not_json(error: &serde_json::Error) -> Flaw {
    let place = format!("line {} column {}", error.line(), error.column());
    if error.is_data() {
        return Flaw::new("json", "may have each member once")
            .because(format!("the second is at {place}"));
    }
    let said = error.to_string();
    if said.starts_with("recursion limit") {
        return Flaw::new("json", "may be at most 127 levels deep").because(place);
    }
    Flaw::new("json", "must be JSON").because(said)
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

    /// One of these has to be there, unless the body has no member: other members alone are a mistake in a name.
    pub fn must_have_one_of(&mut self, known: &'static [&'static str]) {
        let has_one = known.iter().any(|name| self.members.contains_key(*name));
        if !has_one && !self.members.is_empty() {
            let given = self.members.keys().map(String::as_str);
            self.faults.push(likeness::none_is_known(given, known).of("body"));
        }
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

/// `application/json`, `application/hal+json`, with or without parameters.
fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// A coding of `Content-Encoding` that changes the body, if there is one.
fn encoding(header: &str) -> Option<&str> {
    let mut codings = header.split(',').map(str::trim);
    codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
}

/// The charset of a `Content-Type`, if it is not UTF-8.
fn charset(content_type: &str) -> Option<&str> {
    let parameters = content_type.split(';').skip(1).filter_map(|one| one.split_once('='));
    let charsets = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let mut charsets = charsets.map(|(_, value)| value.trim().trim_matches('"'));
    charsets
        .find(|charset| !["utf-8", "utf8"].iter().any(|utf8| charset.eq_ignore_ascii_case(utf8)))
}

/// What a header names, to be repeated to the caller and in the log. It is cut to what such a name can be, so that nothing
/// else of the caller's is repeated.
fn name(given: &str) -> String {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let digits = given.bytes().filter(u8::is_ascii_digit).count();
    let fits = (1..=20).contains(&given.len()) && digits < 8 && given.bytes().all(is_name);
    if fits { given.to_ascii_lowercase() } else { "of that name".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_changes_a_body_is_found() {
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
    fn only_names_are_repeated() {
        for (given, shown) in [
            ("gzip", "gzip"),
            ("ISO-8859-1", "iso-8859-1"),
            ("", "of that name"),
            ("4925000000000004", "of that name"),
            ("a b", "of that name"),
            ("<script>", "of that name"),
            ("abcdefghijklmnopqrstu", "of that name"),
        ] {
            assert_eq!(name(given), shown);
        }
    }

    fn fault(bytes: &[u8]) -> Option<String> {
        match members(bytes) {
            Ok(_) => None,
            Err(Error::Invalid(faults)) => Some(faults[0].flaw.message.to_string()),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_no_json_is_said_with_its_place() {
        for (body, message) in [
            ("{\"a\":1,}", "must be JSON: trailing comma at line 1 column 8"),
            ("{'a':1}", "must be JSON: key must be a string at line 1 column 2"),
            ("{\n  \"a\": 'b'\n}", "must be JSON: expected value at line 2 column 8"),
            ("{\"a\":1", "must be JSON: EOF while parsing an object at line 1 column 6"),
            ("{} {}", "must be JSON: trailing characters at line 1 column 4"),
            ("{\"a\":1,\"a\":2}", "may have each member once: the second is at line 1 column 13"),
            ("'a'", "must be JSON: expected value at line 1 column 1"),
            ("[1,]", "must be JSON: trailing comma at line 1 column 4"),
            ("[1]", "must be a JSON object"),
            (" \n", "must be a JSON object or empty, not blank"),
        ] {
            assert_eq!(fault(body.as_bytes()).as_deref(), Some(message), "{body}");
        }
        for deep in ["[".repeat(200), format!("{{\"a\":{}", "[".repeat(200))] {
            let message = fault(deep.as_bytes()).unwrap();
            assert!(message.starts_with("may be at most 127 levels deep: line 1"), "{message}");
        }
    }

    proptest::proptest! {
        /// Whatever is wrong, and wherever.
        #[test]
        fn nothing_of_a_body_is_repeated(before in "[-\\[\\]{}\",:.0-9etfn '\\\\u]{0,20}", after in "[\\[\\]{}\",: ]{0,20}") {
            for body in [format!("{before}canary{after}"), format!("{{\"canary{before}\":{after}")] {
                let message = fault(body.as_bytes()).unwrap_or_default();
                proptest::prop_assert!(!message.contains("canary"), "{} {}", body, message);
            }
        }
    }

    #[test]
    fn a_body_is_utf_8() {
        assert_eq!(fault("{\"a\":\"ø\"}".as_bytes()), None);
        let text: Vec<u16> = "{\"a\":1}".encode_utf16().collect();
        let little: Vec<u8> = text.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = text.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for wrong in
            [&little, &big, &[b"\xff\xfe", &*little].concat(), &b"{\"a\":\"\xf8\"}".to_vec()]
        {
            assert_eq!(fault(wrong).as_deref(), Some("must be in UTF-8"), "{wrong:?}");
        }
    }
}

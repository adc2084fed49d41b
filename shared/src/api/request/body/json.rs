//! Parses a JSON object in which each object has each member only once.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::{Error, FieldError, Violation};

/// The members of the JSON object in `bytes`.
///
/// # Errors
/// Fails with `Invalid` if the bytes are not a JSON object in UTF-8, or if an object has a member twice.
pub(super) fn members(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    // The first character of JSON is ASCII (RFC 4627, section 3). So JSON in UTF-16 always contains a NUL byte.
    if std::str::from_utf8(bytes).is_err() || bytes.contains(&0) {
        return Err(Violation::new("encoding", "must be in UTF-8").in_field("body").into());
    }
    if bytes.trim_ascii_start().is_empty() {
        return Err(json_error("must be a JSON object or empty, not blank").into());
    }
    match serde_json::from_slice(bytes) {
        Ok(Json(Value::Object(members))) => Ok(members),
        Ok(Json(_)) => Err(json_error("must be a JSON object").into()),
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

/// A JSON value. A duplicate member of an object is an error, because parsers differ in which one they use.
struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(Json(value)) = elements.next_element()? {
            array.push(value);
        }
        Ok(Json(array.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Map::new();
        while let Some((name, Json(value))) = members.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(Json(object.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_json_value_is_read() {
        let text = r#"{"a":[null,true,-1,18446744073709551615,1.5,"æ\n",{"b":{}}],"c":1e2}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(members(text.as_bytes()).unwrap()), expected);
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
            (
                "{\"a\":{\"b\":1,\"b\":1}}",
                "must have each member only once: the second is at line 1 column 18",
            ),
            (
                "[{\"a\":1,\n\"a\":1}]",
                "must have each member only once: the second is at line 2 column 6",
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

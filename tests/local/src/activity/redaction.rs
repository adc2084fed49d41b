//! Removes secrets from what the console shows: by the name of a member, by value, and by form.

use serde_json::{Map, Number, Value};

use crate::{ID_KEY, inbox, netaxept};

/// What is shown in place of a secret.
pub(crate) const REMOVED: &str = "[removed]";

/// The names of members whose value is a secret, in lower case without separators.
const SECRET_NAMES: [&str; 14] = [
    "panhash",
    "token",
    "accesstoken",
    "authorization",
    "clientsecret",
    "secret",
    "password",
    "pan",
    "cardno",
    "cardnumber",
    "securitycode",
    "cvc",
    "expirydate",
    "idempotencykey",
];

/// The values of the local service's own secrets.
const SECRET_VALUES: [&str; 4] =
    [netaxept::TOKEN, netaxept::CALLBACK_SECRET, inbox::NOTIFICATION_SECRET, ID_KEY];

/// The start of every JWT: the characters `{"` in base 64.
const JWT_START: &str = "eyJ";

/// A value without secrets.
pub(crate) fn redacted(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(redacted_text(&text)),
        Value::Array(all) => all.into_iter().map(redacted).collect(),
        Value::Object(members) => {
            let member = |(name, value): (String, Value)| {
                let value = if is_secret(&name) { REMOVED.into() } else { redacted(value) };
                (redacted_text(&name), value)
            };
            Value::Object(members.into_iter().map(member).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn is_secret(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    SECRET_NAMES.contains(&name.to_ascii_lowercase().as_str())
}

/// A text without the local service's secrets and without JWTs. `name=value` is redacted by its name too.
pub(crate) fn redacted_text(text: &str) -> String {
    let mut text = text.to_owned();
    for secret in SECRET_VALUES {
        text = text.replace(secret, REMOVED);
    }
    let is_separator = |c: char| c.is_whitespace() || "\"'&?;,<>()".contains(c);
    text.split_inclusive(is_separator).map(redacted_word).collect()
}

/// A word, with the separator that may follow it.
fn redacted_word(word: &str) -> String {
    let is_token_character = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if let Some(start) = word.find(JWT_START) {
        let token = &word[start..];
        let length = token.find(|c| !is_token_character(c)).unwrap_or(token.len());
        if token[..length].contains('.') {
            return format!("{}{REMOVED}{}", &word[..start], redacted_word(&token[length..]));
        }
    }
    match word.split_once('=') {
        Some((name, value)) if is_secret(name) && !value.is_empty() => {
            let separator =
                value.trim_start_matches(|c: char| is_token_character(c) || "+/=".contains(c));
            format!("{name}={REMOVED}{separator}")
        }
        _ => word.to_owned(),
    }
}

/// An item of `DynamoDB` as plain JSON. Binary values, such as keyed hashes, are not shown.
pub(crate) fn plain_item(item: &Value) -> Value {
    let members = item.as_object().into_iter().flatten();
    Value::Object(members.map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>())
}

/// An attribute value, such as `{"N": "1"}`, as plain JSON.
fn plain(value: &Value) -> Value {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else {
        return Value::Null;
    };
    let number = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        text.parse::<Number>().map_or_else(|_| text.into(), Value::Number)
    };
    let all = |one: fn(&Value) -> Value| value.as_array().into_iter().flatten().map(one).collect();
    match kind.as_str() {
        "N" => number(value),
        "M" => plain_item(value),
        "L" => all(plain),
        "B" | "BS" => "[binary]".into(),
        "NULL" => Value::Null,
        // S, BOOL, SS and NS.
        _ => value.clone(),
    }
}

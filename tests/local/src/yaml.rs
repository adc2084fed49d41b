//! YAML as JSON.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// What is wrong with a text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fault(String);

/// The first document of a text. `tagged` says what a value with a tag such as `!Ref` becomes, if anything.
///
/// # Errors
/// It is not YAML, or something in it has no counterpart in JSON.
pub fn document(text: &str, tagged: fn(&str, &Value) -> Option<Value>) -> Result<Value, Fault> {
    json_of(&first(text)?, tagged)
}

/// The first document of a text.
fn first(text: &str) -> Result<Yaml<'_>, Fault> {
    let documents = Yaml::load_from_str(text).map_err(|error| Fault(error.to_string()))?;
    documents.into_iter().next().ok_or_else(|| Fault("it is empty".to_owned()))
}

fn json_of(node: &Yaml<'_>, tagged: fn(&str, &Value) -> Option<Value>) -> Result<Value, Fault> {
    match node {
        Yaml::Value(Scalar::String(text)) => Ok(json!(text)),
        Yaml::Value(Scalar::Integer(number)) => Ok(json!(number)),
        Yaml::Value(Scalar::FloatingPoint(number)) => Ok(json!(number.into_inner())),
        Yaml::Value(Scalar::Boolean(flag)) => Ok(json!(flag)),
        Yaml::Value(Scalar::Null) => Ok(Value::Null),
        Yaml::Sequence(items) => items.iter().map(|item| json_of(item, tagged)).collect(),
        Yaml::Mapping(members) => {
            let member = |(name, value): (&Yaml<'_>, &Yaml<'_>)| {
                let name =
                    name.as_str().ok_or_else(|| Fault("a name that is no text".to_owned()))?;
                Ok((name.to_owned(), json_of(value, tagged)?))
            };
            members.iter().map(member).collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
        Yaml::Tagged(tag, value) => {
            let fault = || Fault(format!("the tag !{} is not known here", tag.suffix));
            tagged(&tag.suffix, &json_of(value, tagged)?).ok_or_else(fault)
        }
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => {
            Err(Fault("an alias or a value that is not understood".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_has_becomes_json() {
        let text = "a: [1, 1.5, true, null, 'x', !T y]\n'b': { c: 2026-11-23, d: NO }";
        let tagged = |tag: &str, value: &Value| Some(json!({ tag: value }));
        let expected = json!({
            "a": [1, 1.5, true, null, "x", { "T": "y" }],
            "b": { "c": "2026-11-23", "d": "NO" },
        });
        assert_eq!(document(text, tagged).unwrap(), expected);
    }

    #[test]
    fn what_json_does_not_have_is_refused() {
        for wrong in ["", "a: [", "1: a", "a: &b 1\nc: *b\n? [d]\n: 2", "!T a"] {
            assert!(document(wrong, |_, _| None).is_err(), "{wrong:?}");
        }
    }
}

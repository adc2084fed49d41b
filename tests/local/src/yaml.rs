//! Converts YAML to JSON.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// A text is not YAML, or cannot be converted to JSON.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct YamlError(String);

/// The first document of a text, as JSON. `tagged` converts a value with a tag such as `!Ref`; `None` means that the tag is unknown.
///
/// # Errors
/// Fails if the text is not YAML, or if a part of it has no equivalent in JSON.
pub fn document(text: &str, tagged: fn(&str, &Value) -> Option<Value>) -> Result<Value, YamlError> {
    json_of(&first(text)?, tagged)
}

/// The first document of a text.
fn first(text: &str) -> Result<Yaml<'_>, YamlError> {
    let documents = Yaml::load_from_str(text).map_err(|error| YamlError(error.to_string()))?;
    documents
        .into_iter()
        .next()
        .ok_or_else(|| YamlError("the text has no YAML document".to_owned()))
}

fn json_of(node: &Yaml<'_>, tagged: fn(&str, &Value) -> Option<Value>) -> Result<Value, YamlError> {
    match node {
        Yaml::Value(Scalar::String(text)) => Ok(json!(text)),
        Yaml::Value(Scalar::Integer(number)) => Ok(json!(number)),
        Yaml::Value(Scalar::FloatingPoint(number)) => Ok(json!(number.into_inner())),
        Yaml::Value(Scalar::Boolean(flag)) => Ok(json!(flag)),
        Yaml::Value(Scalar::Null) => Ok(Value::Null),
        Yaml::Sequence(items) => items.iter().map(|item| json_of(item, tagged)).collect(),
        Yaml::Mapping(members) => {
            let member = |(name, value): (&Yaml<'_>, &Yaml<'_>)| {
                let name = name
                    .as_str()
                    .ok_or_else(|| YamlError("the name of a member is not a string".to_owned()))?;
                Ok((name.to_owned(), json_of(value, tagged)?))
            };
            members.iter().map(member).collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
        Yaml::Tagged(tag, value) => {
            let unknown = || YamlError(format!("the tag !{} is unknown", tag.suffix));
            tagged(&tag.suffix, &json_of(value, tagged)?).ok_or_else(unknown)
        }
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => {
            Err(YamlError("aliases and invalid values are not supported".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_converted_to_json() {
        let text = "a: [1, 1.5, true, null, 'x', !T y]\n'b': { c: 2026-11-23, d: NO }";
        let tagged = |tag: &str, value: &Value| Some(json!({ tag: value }));
        let expected = json!({
            "a": [1, 1.5, true, null, "x", { "T": "y" }],
            "b": { "c": "2026-11-23", "d": "NO" },
        });
        assert_eq!(document(text, tagged).unwrap(), expected);
    }

    #[test]
    fn values_without_an_equivalent_in_json_are_refused() {
        for invalid in ["", "a: [", "1: a", "a: &b 1\nc: *b\n? [d]\n: 2", "!T a"] {
            assert!(document(invalid, |_, _| None).is_err(), "{invalid:?}");
        }
    }
}

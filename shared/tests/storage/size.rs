//! How large an item is, as `DynamoDB` counts it: "`DynamoDB` item sizes and formats" in its developer guide.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// The names and values of all attributes, in bytes.
pub(crate) fn of(item: &HashMap<String, AttributeValue>) -> usize {
    item.iter().map(|(name, value)| name.len() + of_value(value)).sum()
}

/// A list or map costs three bytes, and each element of it one, beside what is in it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enum has no end")]
fn of_value(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => of_number(number),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + of_value(value)).sum::<usize>(),
        AttributeValue::M(map) => 3 + map.len() + of(map),
        other => panic!("no wallet has this in it: {other:?}"),
    }
}

/// A byte for two significant digits, and one more; leading and trailing zeros are not significant.
fn of_number(number: &str) -> usize {
    assert!(number.bytes().all(|byte| byte.is_ascii_digit()), "not a whole number: {number}");
    number.trim_matches('0').len().div_ceil(2) + 1
}

//! The size of an item, as specified in "`DynamoDB` item sizes and formats" in the developer guide.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// The size of all attribute names and values, in bytes.
pub(crate) fn item_size(item: &HashMap<String, AttributeValue>) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

/// A list or map has 3 bytes, and 1 byte for each element in addition to the element.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum of the SDK is non-exhaustive")]
fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_size(number),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::L(list) => {
            3 + list.iter().map(|value| 1 + value_size(value)).sum::<usize>()
        }
        AttributeValue::M(map) => 3 + map.len() + item_size(map),
        other => panic!("unexpected attribute type: {other:?}"),
    }
}

/// One byte for every two significant digits, plus one byte. Leading and trailing zeros are not significant.
fn number_size(number: &str) -> usize {
    assert!(number.bytes().all(|byte| byte.is_ascii_digit()), "not a whole number: {number}");
    number.trim_matches('0').len().div_ceil(2) + 1
}

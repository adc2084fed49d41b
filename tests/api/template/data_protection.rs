//! Retention, backup and encryption of the data, and values that must not appear in the template or in logs.

use std::collections::BTreeMap;

use local::template::Template;
use serde_json::{Value, json};

/// Resources that are retained when the stack is deleted.
const RETAINED: [&str; 4] = ["Wallets", "Payments", "IdKey", "Key"];

/// Tables whose items have a time to live.
const FORGOTTEN: [&str; 2] = ["Payments", "RateLimits"];

/// Resource type, the property that names its KMS key, and the attribute of the key (empty: `Ref`).
const KEY_PROPERTIES: [(&str, &str, &str); 5] = [
    ("AWS::DynamoDB::Table", "/SSESpecification/KMSMasterKeyId", "Arn"),
    ("AWS::Logs::LogGroup", "/KmsKeyId", "Arn"),
    ("AWS::SNS::Topic", "/KmsMasterKeyId", ""),
    ("AWS::SQS::Queue", "/KmsMasterKeyId", ""),
    ("AWS::SecretsManager::Secret", "/KmsKeyId", ""),
];

/// Data is protected against accidental deletion, encrypted with the key, and logs have a retention.
pub(super) fn storage(template: &Template) -> Vec<String> {
    let resources = &template.document()["Resources"];
    let mut violations = Vec::new();
    for name in RETAINED {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            if resources[name][policy] != "Retain" {
                violations.push(format!("{name}: {policy} is {}", resources[name][policy]));
            }
        }
    }
    for (name, property) in [
        ("Wallets", "/DeletionProtectionEnabled"),
        ("Wallets", "/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled"),
        ("Payments", "/DeletionProtectionEnabled"),
        ("Payments", "/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled"),
        ("Key", "/EnableKeyRotation"),
    ] {
        if resources[name]["Properties"].pointer(property) != Some(&Value::Bool(true)) {
            violations.push(format!("{name}: {property} is not true"));
        }
    }
    for name in FORGOTTEN {
        let expected = json!({ "AttributeName": "forgottenAt", "Enabled": true });
        if resources[name]["Properties"]["TimeToLiveSpecification"] != expected {
            violations.push(format!("{name}: items are not forgotten"));
        }
    }
    for (kind, property, attribute) in KEY_PROPERTIES {
        let key = match attribute {
            "" => json!({ "Ref": "Key" }),
            attribute => json!({ "Fn::GetAtt": ["Key", attribute] }),
        };
        let stores = template.resources(kind);
        let unencrypted =
            stores.filter(|(_, store)| store["Properties"].pointer(property) != Some(&key));
        violations
            .extend(unencrypted.map(|(name, _)| format!("{name}: not encrypted with the key")));
    }
    let logs = template.resources("AWS::Logs::LogGroup");
    let unlimited = logs.filter(|(_, group)| group["Properties"].get("RetentionInDays").is_none());
    violations.extend(unlimited.map(|(name, _)| format!("{name}: no retention")));
    violations
}

/// The template has no account id, region or secret value, and the access log has no secret or personal data.
pub(super) fn leaks(template: &Template) -> Vec<String> {
    let document = template.document();
    let mut violations = Vec::new();
    let mut strings = Vec::new();
    collect_strings("", document, &mut strings);
    for (path, text) in strings {
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        let mut words = text.split(|letter| !is_word(letter));
        if words.any(|word| is_account(word) || is_region(word)) {
            violations.push(format!("{path}: account id or region in {text}"));
        }
        if text.contains("{{resolve:") && !path.ends_with("/Environment/Variables/ID_KEY/Fn::Sub") {
            violations.push(format!("{path}: resolves a secret"));
        }
        let parameter = path.strip_suffix("/Ref").map(|at| (at, &document["Parameters"][text]));
        if let Some((at, parameter)) = parameter
            && at.ends_with("/SecretString") != (parameter["NoEcho"] == true)
        {
            violations.push(format!("{path}: {text}, NoEcho {}", parameter["NoEcho"]));
        }
    }
    let format = &document["Resources"]["Api"]["Properties"]["AccessLogSettings"]["Format"];
    let log: Result<BTreeMap<String, String>, _> =
        serde_json::from_str(format.as_str().unwrap_or_default());
    let fields = log.unwrap_or_default();
    if fields.is_empty() || !fields.values().all(|field| is_loggable(field)) {
        violations.push(format!("the access log contains {fields:?}"));
    }
    violations
}

/// A path can contain the callback secret or a customer number. An IP address can be personal data.
fn is_loggable(field: &str) -> bool {
    let sensitive = ["path", "domain", "identity", "customerNumber", "context.error.message"];
    field.starts_with("$context.") && !sensitive.iter().any(|word| field.contains(word))
}

fn is_account(word: &str) -> bool {
    word.len() == 12 && word.chars().all(|letter| letter.is_ascii_digit())
}

/// `eu-north-1`
fn is_region(word: &str) -> bool {
    let parts: Vec<_> = word.split('-').collect();
    let is_two_letters =
        |part: &&str| part.len() == 2 && part.chars().all(|letter| letter.is_ascii_lowercase());
    let directions = ["north", "south", "east", "west", "central"];
    parts.len() >= 3
        && parts.first().is_some_and(is_two_letters)
        && directions.iter().any(|direction| parts[parts.len() - 2].contains(direction))
        && parts.last().is_some_and(|part| part.parse::<u8>().is_ok())
}

/// Collects all strings of a document with their JSON pointers.
fn collect_strings<'a>(path: &str, value: &'a Value, strings: &mut Vec<(String, &'a str)>) {
    match value {
        Value::String(text) => strings.push((path.to_owned(), text)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_strings(&format!("{path}/{index}"), item, strings);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                collect_strings(&format!("{path}/{name}"), member, strings);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn regions_and_account_ids_are_recognised() {
    for word in ["eu-north-1", "us-gov-west-1", "ap-southeast-2", "cn-northwest-1"] {
        assert!(is_region(word), "{word}");
    }
    for word in ["us-gov", "aws-us-gov", "recurring-payments-1", "2012-10-17", "eu-north", "-"] {
        assert!(!is_region(word), "{word}");
    }
    assert!(is_account("123456789012") && !is_account("1209600") && !is_account("recurringPay"));
}

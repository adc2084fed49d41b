//! What is kept, for how long, and under which key; and what is never said.

use std::collections::BTreeMap;

use local::template::Template;
use serde_json::{Value, json};

/// What must outlive a stack.
const FOR_GOOD: [&str; 3] = ["Wallets", "IdKey", "Key"];

/// What each kind of store calls its key.
const KEYS: [(&str, &str, &str); 5] = [
    ("AWS::DynamoDB::Table", "/SSESpecification/KMSMasterKeyId", "Arn"),
    ("AWS::Logs::LogGroup", "/KmsKeyId", "Arn"),
    ("AWS::SNS::Topic", "/KmsMasterKeyId", ""),
    ("AWS::SQS::Queue", "/KmsMasterKeyId", ""),
    ("AWS::SecretsManager::Secret", "/KmsKeyId", ""),
];

/// Nothing is lost by mistake, and everything lies under the key.
pub(super) fn kept(template: &Template) -> Vec<String> {
    let resources = &template.document()["Resources"];
    let mut faults = Vec::new();
    for name in FOR_GOOD {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            if resources[name][policy] != "Retain" {
                faults.push(format!("{name}: {policy} is {}", resources[name][policy]));
            }
        }
    }
    for (name, property) in [
        ("Wallets", "/DeletionProtectionEnabled"),
        ("Wallets", "/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled"),
        ("Key", "/EnableKeyRotation"),
    ] {
        if resources[name]["Properties"].pointer(property) != Some(&Value::Bool(true)) {
            faults.push(format!("{name}: without {property}"));
        }
    }
    for (kind, property, attribute) in KEYS {
        let key = match attribute {
            "" => json!({ "Ref": "Key" }),
            attribute => json!({ "Fn::GetAtt": ["Key", attribute] }),
        };
        let stores = template.resources(kind);
        let open = stores.filter(|(_, store)| store["Properties"].pointer(property) != Some(&key));
        faults.extend(open.map(|(name, _)| format!("{name}: not under the key")));
    }
    let logs = template.resources("AWS::Logs::LogGroup");
    let forever = logs.filter(|(_, group)| group["Properties"].get("RetentionInDays").is_none());
    faults.extend(forever.map(|(name, _)| format!("{name}: kept for ever")));
    faults
}

/// No account, no region, no secret and no customer is named where it must not be.
pub(super) fn said(template: &Template) -> Vec<String> {
    let document = template.document();
    let mut faults = Vec::new();
    let mut found = Vec::new();
    texts("", document, &mut found);
    for (path, text) in found {
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        let mut words = text.split(|letter| !is_word(letter));
        if words.any(|word| is_account(word) || is_region(word)) {
            faults.push(format!("{path}: an account or a region in {text}"));
        }
        if text.contains("{{resolve:") && !path.ends_with("/Environment/Variables/ID_KEY/Fn::Sub") {
            faults.push(format!("{path}: a secret is put in here"));
        }
        let parameter = path.strip_suffix("/Ref").map(|at| (at, &document["Parameters"][text]));
        if let Some((at, parameter)) = parameter
            && at.ends_with("/SecretString") != (parameter["NoEcho"] == true)
        {
            faults.push(format!("{path}: {text}, NoEcho {}", parameter["NoEcho"]));
        }
    }
    let format = &document["Resources"]["Api"]["Properties"]["AccessLogSettings"]["Format"];
    let log: Result<BTreeMap<String, String>, _> =
        serde_json::from_str(format.as_str().unwrap_or_default());
    let fields = log.unwrap_or_default();
    if fields.is_empty() || !fields.values().all(|field| is_harmless(field)) {
        faults.push(format!("the access log has {fields:?}"));
    }
    faults
}

/// In a path are the secret of Nets' callback and customer numbers; an address may be a customer's own.
fn is_harmless(field: &str) -> bool {
    let telling = ["path", "domain", "identity", "customerNumber", "context.error.message"];
    field.starts_with("$context.") && !telling.iter().any(|word| field.contains(word))
}

fn is_account(word: &str) -> bool {
    word.len() == 12 && word.chars().all(|letter| letter.is_ascii_digit())
}

/// `eu-north-1`
fn is_region(word: &str) -> bool {
    let parts: Vec<_> = word.split('-').collect();
    let of_two =
        |part: &&str| part.len() == 2 && part.chars().all(|letter| letter.is_ascii_lowercase());
    let points = ["north", "south", "east", "west", "central"];
    parts.len() >= 3
        && parts.first().is_some_and(of_two)
        && points.iter().any(|point| parts[parts.len() - 2].contains(point))
        && parts.last().is_some_and(|part| part.parse::<u8>().is_ok())
}

/// Every text, with where it is.
fn texts<'a>(path: &str, value: &'a Value, found: &mut Vec<(String, &'a str)>) {
    match value {
        Value::String(text) => found.push((path.to_owned(), text)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                texts(&format!("{path}/{index}"), item, found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                texts(&format!("{path}/{name}"), member, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn a_region_and_an_account_are_seen() {
    for word in ["eu-north-1", "us-gov-west-1", "ap-southeast-2", "cn-northwest-1"] {
        assert!(is_region(word), "{word}");
    }
    for word in ["us-gov", "aws-us-gov", "recurring-payments-1", "2012-10-17", "eu-north", "-"] {
        assert!(!is_region(word), "{word}");
    }
    assert!(is_account("123456789012") && !is_account("1209600") && !is_account("recurringPay"));
}

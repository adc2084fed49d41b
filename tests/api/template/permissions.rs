//! The permissions of the functions. `privileges.rs` compares them with what the functions do.

use std::collections::BTreeSet;

use local::iam::{Permission, Policies};
use local::template::{Function, Template};
use serde_json::{Value, json};

use super::{WALLET_CHANGES, source, starts};

/// Each function has its own role, which only Lambda can assume.
pub(super) fn role(template: &Template, function: &Function) -> Vec<String> {
    let resources = &template.document()["Resources"];
    let name = format!("{}Role", function.logical_id);
    let mut violations = Vec::new();
    if resources[&function.logical_id]["Properties"]["Role"]
        != json!({ "Fn::GetAtt": [name, "Arn"] })
    {
        violations.push(format!("{}: does not use its own role", function.binary));
    }
    let trust = &resources[&name]["Properties"]["AssumeRolePolicyDocument"]["Statement"];
    let lambda = json!([{
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": { "Service": "lambda.amazonaws.com" },
    }]);
    if *trust != lambda {
        violations.push(format!(
            "{}: a principal other than Lambda can assume its role",
            function.binary
        ));
    }
    violations
}

/// Each function has exactly the permissions that its source requires, without wildcards.
pub(super) fn granted(template: &Template, functions: &[Function]) -> Vec<String> {
    let policies = match Policies::read(template) {
        Ok(policies) => policies,
        Err(error) => return vec![error.to_string()],
    };
    let mut violations = Vec::new();
    for function in functions {
        let (granted, expected) = (policies.granted(&function.binary), expected(source(function)));
        for (action, resource) in granted.symmetric_difference(&expected) {
            violations.push(format!("{}: {action} on {resource}", function.binary));
        }
    }
    for (name, role) in template.resources("AWS::IAM::Role") {
        if has_wildcard(&role["Properties"]) {
            violations.push(format!("{name}: has a wildcard"));
        }
    }
    violations
}

fn has_wildcard(value: &Value) -> bool {
    value.to_string().contains('*')
}

/// The states that use wallets. All except the last can change them, `Store` only if it is started for changes.
const WALLET_STATES: [&str; 5] =
    ["App", "Terminals", "NotificationSender", "Store", "Waiting::<Store>"];
/// The states that use payments. All except the first two can change them.
const PAYMENT_STATES: [&str; 7] = [
    "PaymentStore",
    "Waiting::<PaymentStore>",
    "Payments",
    "PaymentTerminals",
    "Charges",
    "Settlement",
    "PaymentTasks",
];
/// Those of them that read the wallet of the card too.
const CARD_STATES: [&str; 4] = ["Payments", "PaymentTerminals", "Charges", "PaymentTasks"];

/// The secrets, and the states or types that read them.
const SECRETS: [(&str, &[&str]); 3] = [
    (
        "NetaxeptTokenSecret",
        &["App", "Terminals", "PaymentTerminals", "Charges", "Settlement", "PaymentTasks"],
    ),
    ("NotificationSecret", &["App", "NotificationSender", "PaymentTasks"]),
    ("CallbackSecret", &["CallbackConfig"]),
];

/// Returns the permissions that a function's source requires.
fn expected(source: &str) -> BTreeSet<Permission> {
    let has = |text| source.contains(text);
    let uses = |states: &[&str]| states.iter().any(|state| starts(source, state));
    let mut expected = BTreeSet::new();
    let mut allow = |resource: &str, actions: &[&str]| {
        expected.extend(actions.iter().map(|action| ((*action).to_owned(), resource.to_owned())));
    };
    allow("Logs", &["logs:CreateLogStream", "logs:PutLogEvents"]);
    if uses(&WALLET_STATES) || uses(&CARD_STATES) {
        allow("Wallets", &["dynamodb:GetItem"]);
    }
    if uses(&WALLET_STATES[..3]) || uses(&[WALLET_CHANGES]) {
        allow("Wallets", &["dynamodb:PutItem"]);
    }
    if uses(&PAYMENT_STATES) {
        allow("Payments", &["dynamodb:GetItem"]);
    }
    if uses(&PAYMENT_STATES[2..]) {
        allow("Payments", &["dynamodb:PutItem"]);
    }
    for (text, resource, action) in [
        ("is_identified()", "RateLimits", "dynamodb:UpdateItem"),
        ("DueKind::Expiry", "Wallets/index/ByExpiry", "dynamodb:Query"),
        ("DueKind::Task", "Wallets/index/ByTask", "dynamodb:Query"),
        ("for_each_due_payment(", "Payments/index/ByTask", "dynamodb:Query"),
        ("schedule::serve(", "DeadLetters", "sqs:SendMessage"),
    ] {
        if has(text) {
            allow(resource, &[action]);
        }
    }
    for (secret, readers) in SECRETS {
        if uses(readers) || readers == ["CallbackConfig"] && has("CallbackConfig") {
            allow(secret, &["secretsmanager:GetSecretValue"]);
        }
    }
    expected
}

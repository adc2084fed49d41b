//! The permissions of the functions. `privileges.rs` compares them with what the functions do.

use std::collections::BTreeSet;

use local::iam::{Permission, Policies};
use local::template::{Function, Template};
use serde_json::{Value, json};

use super::source;

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

/// Returns the permissions that a function's source requires.
fn expected(source: &str) -> BTreeSet<Permission> {
    let has = |text| source.contains(text);
    let mut expected = BTreeSet::new();
    let mut allow = |resource: &str, actions: &[&str]| {
        expected.extend(actions.iter().map(|action| ((*action).to_owned(), resource.to_owned())));
    };
    allow("Logs", &["logs:CreateLogStream", "logs:PutLogEvents"]);
    if !has("TokenVerifier::start") {
        allow("Wallets", &["dynamodb:GetItem"]);
    }
    if [".change(", "App::start", "Terminals::start", "NotificationSender::start"]
        .into_iter()
        .any(has)
    {
        allow("Wallets", &["dynamodb:PutItem"]);
    }
    if has("is_identified()") {
        allow("RateLimits", &["dynamodb:UpdateItem"]);
    }
    if has("DueKind::Expiry") {
        allow("Wallets/index/ByExpiry", &["dynamodb:Query"]);
    }
    if has("DueKind::Task") {
        allow("Wallets/index/ByTask", &["dynamodb:Query"]);
    }
    if has("schedule::serve(") {
        allow("DeadLetters", &["sqs:SendMessage"]);
    }
    for (secret, readers) in [
        ("NetaxeptTokenSecret", ["App::start", "Terminals::start"]),
        ("NotificationSecret", ["App::start", "NotificationSender::start"]),
        ("CallbackSecret", ["CallbackConfig", "CallbackConfig"]),
    ] {
        if readers.into_iter().any(has) {
            allow(secret, &["secretsmanager:GetSecretValue"]);
        }
    }
    expected
}

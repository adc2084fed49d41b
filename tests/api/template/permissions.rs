//! What functions may do. What they really do in all tests is compared with it in `privileges.rs`.

use std::collections::BTreeSet;

use local::iam::{Permission, Policies};
use local::template::{Function, Template};
use serde_json::{Value, json};

use super::source;

/// Each function has a role of its own, which nobody but Lambda takes on.
pub(super) fn role(template: &Template, function: &Function) -> Vec<String> {
    let resources = &template.document()["Resources"];
    let name = format!("{}Role", function.logical_id);
    let mut faults = Vec::new();
    if resources[&function.logical_id]["Properties"]["Role"]
        != json!({ "Fn::GetAtt": [name, "Arn"] })
    {
        faults.push(format!("{}: not its own role", function.binary));
    }
    let trust = &resources[&name]["Properties"]["AssumeRolePolicyDocument"]["Statement"];
    let lambda = json!([{
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": { "Service": "lambda.amazonaws.com" },
    }]);
    if *trust != lambda {
        faults.push(format!("{}: somebody else may take on its role", function.binary));
    }
    faults
}

/// Who only reads may only read; who changes may put; a schedule may read its own index; nothing else is ever granted, and
/// nothing to anything but one exact resource.
pub(super) fn granted(template: &Template, functions: &[Function]) -> Vec<String> {
    let policies = match Policies::read(template) {
        Ok(policies) => policies,
        Err(fault) => return vec![fault.to_string()],
    };
    let mut faults = Vec::new();
    for function in functions {
        let (granted, expected) = (policies.granted(&function.binary), expected(source(function)));
        for (action, resource) in granted.symmetric_difference(&expected) {
            faults.push(format!("{}: {action} on {resource}", function.binary));
        }
    }
    for (name, role) in template.resources("AWS::IAM::Role") {
        if has_wildcard(&role["Properties"]) {
            faults.push(format!("{name}: a wildcard"));
        }
    }
    faults
}

fn has_wildcard(value: &Value) -> bool {
    value.to_string().contains('*')
}

/// What a function's one file says that it does.
fn expected(source: &str) -> BTreeSet<Permission> {
    let has = |text| source.contains(text);
    let mut expected = BTreeSet::new();
    let mut allow = |resource: &str, actions: &[&str]| {
        expected.extend(actions.iter().map(|action| ((*action).to_owned(), resource.to_owned())));
    };
    allow("Logs", &["logs:CreateLogStream", "logs:PutLogEvents"]);
    if !has("Tokens::start") {
        allow("Wallets", &["dynamodb:GetItem"]);
    }
    if ["store.change", "App::start", "Terminals::start", "Teller::start"].into_iter().any(has) {
        allow("Wallets", &["dynamodb:PutItem"]);
    }
    if has("is_identified()") {
        allow("Allowances", &["dynamodb:UpdateItem"]);
    }
    if has("Kind::Expiry") {
        allow("Wallets/index/ByExpiry", &["dynamodb:Query"]);
    }
    if has("Kind::Chore") {
        allow("Wallets/index/ByChore", &["dynamodb:Query"]);
    }
    if has("schedule::serve(") {
        allow("DeadLetters", &["sqs:SendMessage"]);
    }
    for (secret, readers) in [
        ("NetaxeptTokenSecret", ["App::start", "Terminals::start"]),
        ("NotificationSecret", ["App::start", "Teller::start"]),
        ("CallbackSecret", ["CallbackConfig", "CallbackConfig"]),
    ] {
        if readers.into_iter().any(has) {
            allow(secret, &["secretsmanager:GetSecretValue"]);
        }
    }
    expected
}

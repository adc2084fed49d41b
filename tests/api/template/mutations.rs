//! Tests of the checks: each mutation makes the template invalid in one way, and a check must report it. A plain `cargo test` tries
//! one mutation in five.

use std::collections::BTreeSet;

use local::template::Template;
use serde_json::{Value, json};

use super::{template, violations};
use crate::Size;

/// Removes the value at a JSON pointer, or replaces it.
struct Mutation {
    pointer: String,
    replacement: Option<Value>,
}

impl Mutation {
    fn remove(pointer: String) -> Self {
        Self { pointer, replacement: None }
    }

    fn replace(pointer: String, value: Value) -> Self {
        Self { pointer, replacement: Some(value) }
    }

    fn apply(&self, document: &Value) -> Template {
        let mut document = document.clone();
        let (parent, name) = self.pointer.rsplit_once('/').unwrap();
        let parent = document.pointer_mut(parent).unwrap();
        match (parent, &self.replacement) {
            (Value::Array(items), None) => drop(items.remove(name.parse().unwrap())),
            (Value::Object(members), None) => drop(members.remove(name).unwrap()),
            (parent, Some(value)) => {
                *parent.pointer_mut(&format!("/{name}")).unwrap() = value.clone();
            }
            (parent, None) => panic!("{parent} has no {name}"),
        }
        Template::from_document(document)
    }
}

/// Returns the pointers of the members of an object, or of the items of an array.
fn children(document: &Value, pointer: &str) -> Vec<String> {
    let names: Vec<_> = match document.pointer(pointer) {
        Some(Value::Object(members)) => members.keys().cloned().collect(),
        Some(Value::Array(items)) => (0..items.len()).map(|index| index.to_string()).collect(),
        _ => Vec::new(),
    };
    names.into_iter().map(|name| format!("{pointer}/{name}")).collect()
}

/// Returns the pointers of all resources of a type.
fn resources(template: &Template, kind: &str) -> Vec<String> {
    template.resources(kind).map(|(name, _)| format!("/Resources/{name}")).collect()
}

/// One mutation in this many is tried.
const ONE_IN: Size = Size { usual: 5, full: 1 };

/// Asserts that every mutation causes a violation that the template itself does not have.
fn assert_all_detected(mutations: &[Mutation], at_least: usize) {
    assert!(mutations.len() >= at_least, "only {} mutations", mutations.len());
    let template = template();
    let before: BTreeSet<_> = violations(&template).into_iter().collect();
    for mutation in mutations.iter().step_by(usize::try_from(ONE_IN.get()).unwrap()) {
        let after: BTreeSet<_> =
            violations(&mutation.apply(template.document())).into_iter().collect();
        let Mutation { pointer, replacement } = mutation;
        assert!(!after.is_subset(&before), "not detected: {replacement:?} at {pointer}");
    }
}

#[test]
fn removed_and_widened_permissions_are_detected() {
    let template = template();
    let document = template.document();
    let mut mutations = Vec::new();
    for function in resources(&template, "AWS::Serverless::Function") {
        let policies = format!("{function}Role/Properties/Policies/0/PolicyDocument/Statement");
        for statement in children(document, &policies) {
            mutations.push(Mutation::remove(statement.clone()));
            mutations.push(Mutation::replace(format!("{statement}/Resource"), json!("*")));
            mutations.push(Mutation::replace(format!("{statement}/Effect"), json!("Deny")));
            for action in children(document, &format!("{statement}/Action")) {
                mutations.push(Mutation::replace(action.clone(), json!("dynamodb:*")));
                mutations.push(Mutation::replace(action.clone(), json!("dynamodb:DeleteItem")));
                mutations.push(Mutation::remove(action));
            }
            let resources = document.pointer(&format!("{statement}/Resource")).unwrap();
            if resources.is_array() {
                let resources = children(document, &format!("{statement}/Resource"));
                mutations.extend(resources.into_iter().map(Mutation::remove));
            }
        }
        let other = json!({ "Fn::GetAtt": ["FinishTerminalsRole", "Arn"] });
        if !function.ends_with("FinishTerminals") {
            mutations.push(Mutation::replace(format!("{function}/Properties/Role"), other));
        }
    }
    assert_all_detected(&mutations, 500);
}

#[test]
fn changed_routes_and_schedules_are_detected() {
    let template = template();
    let document = template.document();
    let mut mutations = Vec::new();
    for function in resources(&template, "AWS::Serverless::Function") {
        for event in children(document, &format!("{function}/Properties/Events")) {
            let properties = format!("{event}/Properties");
            if let Some(path) = document.pointer(&format!("{properties}/Path")) {
                let longer = format!("{}s", path.as_str().unwrap());
                let shorter = &longer[..longer.len() - 2];
                mutations.push(Mutation::replace(format!("{properties}/Path"), json!(longer)));
                mutations.push(Mutation::replace(format!("{properties}/Path"), json!(shorter)));
                mutations.push(Mutation::replace(format!("{properties}/Method"), json!("HEAD")));
            }
            let age = "RetryPolicy/MaximumEventAgeInSeconds";
            for part in ["Auth", "DeadLetterConfig", "RetryPolicy", age, "ScheduleExpression"] {
                if document.pointer(&format!("{properties}/{part}")).is_some() {
                    mutations.push(Mutation::remove(format!("{properties}/{part}")));
                }
            }
            mutations.push(Mutation::remove(event));
        }
        if document.pointer(&format!("{function}/Properties/EventInvokeConfig")).is_some() {
            mutations.push(Mutation::remove(format!("{function}/Properties/EventInvokeConfig")));
            let age = format!("{function}/Properties/EventInvokeConfig/MaximumEventAgeInSeconds");
            mutations.push(Mutation::replace(age, json!(91)));
        }
        mutations.push(Mutation::remove(function));
    }
    assert_all_detected(&mutations, 91);
}

#[test]
fn removed_variables_are_detected() {
    let template = template();
    let functions = resources(&template, "AWS::Serverless::Function");
    let functions = functions.iter().map(|function| format!("{function}/Properties"));
    let levels = functions.chain(["/Globals/Function".to_owned()]);
    let variables = levels.map(|level| format!("{level}/Environment/Variables"));
    let variables = variables.flat_map(|variables| children(template.document(), &variables));
    let mutations: Vec<_> = variables.map(Mutation::remove).collect();
    assert_all_detected(&mutations, 140);
}

#[test]
fn removed_data_protection_is_detected() {
    let mut mutations = Vec::new();
    for name in ["Wallets", "Payments", "IdKey", "Key"] {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            mutations.push(Mutation::remove(format!("/Resources/{name}/{policy}")));
        }
    }
    for (name, property) in [
        ("Wallets", "DeletionProtectionEnabled"),
        ("Wallets", "PointInTimeRecoverySpecification"),
        ("Wallets", "SSESpecification"),
        ("Payments", "DeletionProtectionEnabled"),
        ("Payments", "PointInTimeRecoverySpecification"),
        ("Payments", "SSESpecification"),
        ("Payments", "TimeToLiveSpecification"),
        ("RateLimits", "SSESpecification"),
        ("RateLimits", "TimeToLiveSpecification"),
        ("Key", "EnableKeyRotation"),
        ("NetaxeptTokenSecret", "KmsKeyId"),
        ("DeadLetters", "KmsMasterKeyId"),
        ("Alarms", "KmsMasterKeyId"),
        ("Logs", "RetentionInDays"),
        ("Logs", "KmsKeyId"),
        ("AccessLogs", "RetentionInDays"),
        ("Api", "AccessLogSettings"),
    ] {
        mutations.push(Mutation::remove(format!("/Resources/{name}/Properties/{property}")));
    }
    mutations.push(Mutation::remove("/Parameters/NetaxeptToken/NoEcho".to_owned()));
    let topic_key = "/Resources/Alarms/Properties/KmsMasterKeyId".to_owned();
    mutations
        .push(Mutation::replace(topic_key, json!("arn:aws:kms:eu-north-1:123456789012:key/x")));
    let format = "/Resources/Api/Properties/AccessLogSettings/Format".to_owned();
    mutations.push(Mutation::replace(format, json!("{\"path\":\"$context.path\"}")));
    assert_all_detected(&mutations, 27);
}

#[test]
fn unpublished_alarms_and_missing_metrics_are_detected() {
    let template = template();
    let document = template.document();
    let mut mutations = Vec::new();
    for alarm in resources(&template, "AWS::CloudWatch::Alarm") {
        mutations.push(Mutation::remove(format!("{alarm}/Properties/AlarmActions")));
        if document.pointer(&format!("{alarm}/Properties/MetricName")).is_some() {
            mutations.push(Mutation::replace(
                format!("{alarm}/Properties/MetricName"),
                json!("Nothing"),
            ));
        }
        for metric in children(document, &format!("{alarm}/Properties/Metrics")) {
            let name = format!("{metric}/MetricStat/Metric/MetricName");
            if document.pointer(&name).is_some() {
                mutations.push(Mutation::replace(name, json!("Nothing")));
                mutations.push(Mutation::remove(metric));
            }
        }
        mutations.push(Mutation::remove(alarm));
    }
    assert_all_detected(&mutations, 180);
}

#[test]
fn changed_logs_and_metric_filters_are_detected() {
    let template = template();
    let document = template.document();
    let log = "/Globals/Function/LoggingConfig".to_owned();
    let mut mutations: Vec<_> =
        children(document, &log).into_iter().map(Mutation::remove).collect();
    mutations.push(Mutation::replace(format!("{log}/SystemLogLevel"), json!("INFO")));
    for filter in resources(&template, "AWS::Logs::MetricFilter") {
        let properties = format!("{filter}/Properties");
        let pattern = format!("{properties}/FilterPattern");
        for other in ["{ $.no_such_field = * }", "{ $.operation = * }", "latency"] {
            // The value of a metric that counts lines is in no field.
            let counts =
                document.pointer(&format!("{properties}/MetricTransformations/0/MetricValue"));
            if other != "{ $.operation = * }" || counts != Some(&json!("1")) {
                mutations.push(Mutation::replace(pattern.clone(), json!(other)));
            }
        }
        let transformation = format!("{properties}/MetricTransformations/0");
        mutations.extend(children(document, &transformation).into_iter().map(Mutation::remove));
        mutations.extend(children(document, &properties).into_iter().map(Mutation::remove));
        mutations.push(Mutation::remove(filter));
    }
    assert_all_detected(&mutations, 350);
}

#[test]
fn changes_of_the_custom_domain_are_detected() {
    let template = template();
    let document = template.document();
    let mut mutations = vec![Mutation::remove("/Conditions/HasDomainName".to_owned())];
    for kind in ["AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::ApiMapping"] {
        for resource in resources(&template, kind) {
            mutations.push(Mutation::remove(format!("{resource}/Condition")));
            let properties = children(document, &format!("{resource}/Properties"));
            mutations.extend(properties.into_iter().map(Mutation::remove));
        }
    }
    let parameters = ["BasePath", "CertificateArn", "DomainName"];
    let defaults = parameters.map(|name| format!("/Parameters/{name}/Default"));
    mutations.extend(defaults.map(Mutation::remove));
    assert_all_detected(&mutations, 11);
}

#[test]
fn changed_cors_headers_and_methods_are_detected() {
    let template = template();
    let document = template.document();
    let configuration = "/Resources/Api/Properties/CorsConfiguration".to_owned();
    let enabled = format!("{configuration}/Fn::If/1");
    let mut mutations = vec![
        Mutation::replace(configuration.clone(), document.pointer(&enabled).unwrap().clone()),
        Mutation::remove(configuration),
        Mutation::replace(format!("{enabled}/AllowOrigins"), json!(["*"])),
    ];
    for list in ["AllowHeaders", "AllowMethods", "ExposeHeaders"] {
        let list = format!("{enabled}/{list}");
        mutations.extend(children(document, &list).into_iter().map(Mutation::remove));
        mutations.push(Mutation::replace(format!("{list}/0"), json!("X-Other")));
        mutations.push(Mutation::remove(list));
    }
    assert_all_detected(&mutations, 25);
}

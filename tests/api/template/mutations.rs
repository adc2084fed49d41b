//! The checks are checked: the template is spoilt in every way that we can think of, one at a time, and each is seen.

use std::collections::BTreeSet;

use local::template::Template;
use serde_json::{Value, json};

use super::{faults, template};

/// Where something is taken away, or what is put there instead.
struct Mutation {
    at: String,
    instead: Option<Value>,
}

impl Mutation {
    fn without(at: String) -> Self {
        Self { at, instead: None }
    }

    fn with(at: String, instead: Value) -> Self {
        Self { at, instead: Some(instead) }
    }

    fn of(&self, document: &Value) -> Template {
        let mut document = document.clone();
        let (parent, name) = self.at.rsplit_once('/').unwrap();
        let parent = document.pointer_mut(parent).unwrap();
        match (parent, &self.instead) {
            (Value::Array(items), None) => drop(items.remove(name.parse().unwrap())),
            (Value::Object(members), None) => drop(members.remove(name).unwrap()),
            (parent, Some(value)) => {
                *parent.pointer_mut(&format!("/{name}")).unwrap() = value.clone();
            }
            (parent, None) => panic!("{parent} has no {name}"),
        }
        Template::of(document)
    }
}

/// The members of an object or of an array, by their pointers.
fn inside(document: &Value, at: &str) -> Vec<String> {
    let names: Vec<_> = match document.pointer(at) {
        Some(Value::Object(members)) => members.keys().cloned().collect(),
        Some(Value::Array(items)) => (0..items.len()).map(|index| index.to_string()).collect(),
        _ => Vec::new(),
    };
    names.into_iter().map(|name| format!("{at}/{name}")).collect()
}

/// The pointers of all resources of a kind.
fn resources(template: &Template, kind: &str) -> Vec<String> {
    template.resources(kind).map(|(name, _)| format!("/Resources/{name}")).collect()
}

/// Every mutation is seen: there is a fault that the template itself does not have.
fn all_are_seen(mutations: &[Mutation], at_least: usize) {
    assert!(mutations.len() >= at_least, "only {} were tried", mutations.len());
    let template = template();
    let before: BTreeSet<_> = faults(&template).into_iter().collect();
    for mutation in mutations {
        let after: BTreeSet<_> = faults(&mutation.of(template.document())).into_iter().collect();
        let Mutation { at, instead } = mutation;
        assert!(!after.is_subset(&before), "nobody sees {instead:?} at {at}");
    }
}

#[test]
fn every_permission_that_is_taken_away_or_widened_is_seen() {
    let template = template();
    let document = template.document();
    let mut mutations = Vec::new();
    for function in resources(&template, "AWS::Serverless::Function") {
        let policies = format!("{function}Role/Properties/Policies/0/PolicyDocument/Statement");
        for statement in inside(document, &policies) {
            mutations.push(Mutation::without(statement.clone()));
            mutations.push(Mutation::with(format!("{statement}/Resource"), json!("*")));
            mutations.push(Mutation::with(format!("{statement}/Effect"), json!("Deny")));
            for action in inside(document, &format!("{statement}/Action")) {
                mutations.push(Mutation::with(action.clone(), json!("dynamodb:*")));
                mutations.push(Mutation::with(action.clone(), json!("dynamodb:DeleteItem")));
                mutations.push(Mutation::without(action));
            }
            let resources = document.pointer(&format!("{statement}/Resource")).unwrap();
            if resources.is_array() {
                let resources = inside(document, &format!("{statement}/Resource"));
                mutations.extend(resources.into_iter().map(Mutation::without));
            }
        }
        let other = json!({ "Fn::GetAtt": ["FinishTerminalsRole", "Arn"] });
        if !function.ends_with("FinishTerminals") {
            mutations.push(Mutation::with(format!("{function}/Properties/Role"), other));
        }
    }
    all_are_seen(&mutations, 320);
}

#[test]
fn every_route_and_schedule_that_is_changed_is_seen() {
    let template = template();
    let document = template.document();
    let mut mutations = Vec::new();
    for function in resources(&template, "AWS::Serverless::Function") {
        for event in inside(document, &format!("{function}/Properties/Events")) {
            let properties = format!("{event}/Properties");
            if let Some(path) = document.pointer(&format!("{properties}/Path")) {
                let longer = format!("{}s", path.as_str().unwrap());
                let shorter = &longer[..longer.len() - 2];
                mutations.push(Mutation::with(format!("{properties}/Path"), json!(longer)));
                mutations.push(Mutation::with(format!("{properties}/Path"), json!(shorter)));
                mutations.push(Mutation::with(format!("{properties}/Method"), json!("HEAD")));
            }
            for part in ["Auth", "DeadLetterConfig", "RetryPolicy", "ScheduleExpression"] {
                if document.pointer(&format!("{properties}/{part}")).is_some() {
                    mutations.push(Mutation::without(format!("{properties}/{part}")));
                }
            }
            mutations.push(Mutation::without(event));
        }
        if document.pointer(&format!("{function}/Properties/EventInvokeConfig")).is_some() {
            mutations.push(Mutation::without(format!("{function}/Properties/EventInvokeConfig")));
        }
        mutations.push(Mutation::without(function));
    }
    all_are_seen(&mutations, 55);
}

#[test]
fn every_variable_that_is_dropped_is_seen() {
    let template = template();
    let functions = resources(&template, "AWS::Serverless::Function");
    let functions = functions.iter().map(|function| format!("{function}/Properties"));
    let levels = functions.chain(["/Globals/Function".to_owned()]);
    let variables = levels.map(|level| format!("{level}/Environment/Variables"));
    let variables = variables.flat_map(|variables| inside(template.document(), &variables));
    let mutations: Vec<_> = variables.map(Mutation::without).collect();
    all_are_seen(&mutations, 75);
}

#[test]
fn everything_that_is_kept_no_longer_is_seen() {
    let mut mutations = Vec::new();
    for name in ["Wallets", "IdKey", "Key"] {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            mutations.push(Mutation::without(format!("/Resources/{name}/{policy}")));
        }
    }
    for (name, property) in [
        ("Wallets", "DeletionProtectionEnabled"),
        ("Wallets", "PointInTimeRecoverySpecification"),
        ("Wallets", "SSESpecification"),
        ("Allowances", "SSESpecification"),
        ("Key", "EnableKeyRotation"),
        ("NetaxeptTokenSecret", "KmsKeyId"),
        ("DeadLetters", "KmsMasterKeyId"),
        ("Alarms", "KmsMasterKeyId"),
        ("Logs", "RetentionInDays"),
        ("Logs", "KmsKeyId"),
        ("AccessLogs", "RetentionInDays"),
        ("Api", "AccessLogSettings"),
    ] {
        mutations.push(Mutation::without(format!("/Resources/{name}/Properties/{property}")));
    }
    mutations.push(Mutation::without("/Parameters/NetaxeptToken/NoEcho".to_owned()));
    let description = "/Resources/Alarms/Properties/KmsMasterKeyId".to_owned();
    mutations.push(Mutation::with(description, json!("arn:aws:kms:eu-north-1:123456789012:key/x")));
    let format = "/Resources/Api/Properties/AccessLogSettings/Format".to_owned();
    mutations.push(Mutation::with(format, json!("{\"path\":\"$context.path\"}")));
    all_are_seen(&mutations, 20);
}

#[test]
fn every_alarm_that_is_deaf_or_mute_is_seen() {
    let template = template();
    let document = template.document();
    let mut mutations = Vec::new();
    for alarm in resources(&template, "AWS::CloudWatch::Alarm") {
        mutations.push(Mutation::without(format!("{alarm}/Properties/AlarmActions")));
        if document.pointer(&format!("{alarm}/Properties/MetricName")).is_some() {
            mutations
                .push(Mutation::with(format!("{alarm}/Properties/MetricName"), json!("Nothing")));
        }
        for metric in inside(document, &format!("{alarm}/Properties/Metrics")) {
            let name = format!("{metric}/MetricStat/Metric/MetricName");
            if document.pointer(&name).is_some() {
                mutations.push(Mutation::with(name, json!("Nothing")));
            }
        }
    }
    all_are_seen(&mutations, 50);
}

#[test]
fn a_custom_domain_that_is_not_optional_or_leads_elsewhere() {
    let template = template();
    let document = template.document();
    let mut mutations = vec![Mutation::without("/Conditions/HasDomainName".to_owned())];
    for kind in ["AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::ApiMapping"] {
        for resource in resources(&template, kind) {
            mutations.push(Mutation::without(format!("{resource}/Condition")));
            let properties = inside(document, &format!("{resource}/Properties"));
            mutations.extend(properties.into_iter().map(Mutation::without));
        }
    }
    let parameters = ["BasePath", "CertificateArn", "DomainName"];
    let defaults = parameters.map(|name| format!("/Parameters/{name}/Default"));
    mutations.extend(defaults.map(Mutation::without));
    all_are_seen(&mutations, 11);
}

#[test]
fn every_cors_header_and_method_that_is_dropped_or_added_is_seen() {
    let template = template();
    let document = template.document();
    let configuration = "/Resources/Api/Properties/CorsConfiguration".to_owned();
    let given = format!("{configuration}/Fn::If/1");
    let mut mutations = vec![
        Mutation::with(configuration.clone(), document.pointer(&given).unwrap().clone()),
        Mutation::without(configuration),
        Mutation::with(format!("{given}/AllowOrigins"), json!(["*"])),
    ];
    for list in ["AllowHeaders", "AllowMethods", "ExposeHeaders"] {
        let list = format!("{given}/{list}");
        mutations.extend(inside(document, &list).into_iter().map(Mutation::without));
        mutations.push(Mutation::with(format!("{list}/0"), json!("X-Other")));
        mutations.push(Mutation::without(list));
    }
    all_are_seen(&mutations, 25);
}

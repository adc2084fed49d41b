//! Folders, routes, environment variables and schedules of the functions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use local::template::{Function, Template};
use serde_json::{Value, json};

use super::{SOURCES, WALLET_CHANGES, file, source, starts};

/// Variables of every function: custom AWS endpoints, and the one whose change restarts the functions.
const GLOBAL: [&str; 3] =
    ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "SECRETS_REVISION"];

/// The types of the functions' states, and the types and functions in `config.rs` that read their variables.
const STATES: [(&str, &[&str]); 14] = [
    (
        "App",
        &[
            "AwsConfig",
            "CallbackAddresses",
            "EventConfig",
            "NetaxeptConfig",
            "NotificationConfig",
            "StorageConfig",
        ],
    ),
    (
        "Terminals",
        &["AwsConfig", "CallbackAddresses", "EventConfig", "NetaxeptConfig", "StorageConfig"],
    ),
    (
        "NotificationSender",
        &["AwsConfig", "CallbackAddresses", "EventConfig", "NotificationConfig", "StorageConfig"],
    ),
    ("Store", &["AwsConfig", "StorageConfig"]),
    ("Waiting::<Store>", &["AwsConfig", "StorageConfig", "max_waiting_requests"]),
    (WALLET_CHANGES, &["EventConfig"]),
    ("PaymentStore", &["AwsConfig", "PaymentStorageConfig"]),
    ("Waiting::<PaymentStore>", &["AwsConfig", "PaymentStorageConfig", "max_waiting_requests"]),
    ("Payments", &["AwsConfig", "PaymentStorageConfig", "StorageConfig", "charge_currency"]),
    (
        "PaymentTerminals",
        &[
            "AwsConfig",
            "CallbackAddresses",
            "MerchantInitiatedCards",
            "NetaxeptConfig",
            "PaymentStorageConfig",
            "StorageConfig",
        ],
    ),
    (
        "Charges",
        &[
            "AwsConfig",
            "NetaxeptConfig",
            "PaymentStorageConfig",
            "StorageConfig",
            "authorization_hold",
        ],
    ),
    ("Settlement", &["AwsConfig", "NetaxeptConfig", "PaymentStorageConfig", "authorization_hold"]),
    (
        "PaymentTasks",
        &[
            "AwsConfig",
            "CallbackAddresses",
            "NetaxeptConfig",
            "NotificationConfig",
            "PaymentStorageConfig",
            "StorageConfig",
            "authorization_hold",
        ],
    ),
    ("TokenVerifier", &["TokenConfig"]),
];

/// Every function has a folder, every folder has a function, and their names match.
pub(super) fn folders(functions: &[Function]) -> Vec<String> {
    let folders: BTreeSet<_> = SOURCES.keys().collect();
    let binaries: BTreeSet<_> = functions.iter().map(|function| &function.binary).collect();
    let unmatched = folders.symmetric_difference(&binaries);
    let unmatched = unmatched
        .map(|name| format!("{name}: folder without function, or function without folder"));
    let misnamed = functions.iter().filter(|function| {
        let words = function.binary.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
        function.logical_id != words.collect::<String>()
    });
    unmatched
        .chain(misnamed.map(|function| {
            format!("{}: logical id does not match the binary", function.logical_id)
        }))
        .collect()
}

/// A function's source begins with its route. Only the callback of Nets needs no token.
pub(super) fn routes(function: &Function) -> Vec<String> {
    let source = source(function);
    let is_for_nets = source.contains("CallbackConfig");
    let (is_endpoint, has_route) = (source.contains("api::serve("), function.routes.len() == 1);
    let mut violations = Vec::new();
    if is_endpoint != has_route {
        violations.push(format!("{}: {} routes", function.binary, function.routes.len()));
    }
    for route in &function.routes {
        let first_line = format!("//! `{} {}", route.method, route.path);
        let matches =
            source.strip_prefix(&first_line).is_some_and(|rest| rest.starts_with(['`', '?']));
        if !matches {
            violations
                .push(format!("{}: its source does not begin with {first_line}", function.binary));
        }
        if route.authorized == is_for_nets {
            violations.push(format!("{}: authorized is {}", function.binary, route.authorized));
        }
    }
    violations
}

/// Each function has exactly the environment variables that its configuration reads.
pub(super) fn variables(function: &Function) -> Vec<String> {
    let set: BTreeSet<_> = function.environment.keys().cloned().collect();
    let read = read_by(source(function));
    let wrong = set.symmetric_difference(&read);
    wrong
        .map(|name| format!("{}: {name} is set but not read, or read but not set", function.binary))
        .collect()
}

/// The variables that a function reads, according to the states that it starts.
fn read_by(source: &str) -> BTreeSet<String> {
    let states = STATES.iter().filter(|(state, _)| starts(source, state));
    let groups = states.flat_map(|(_, groups)| *groups).copied();
    let callback = source.contains("CallbackConfig").then_some("CallbackConfig");
    let groups = groups.chain(callback);
    let names = groups.flat_map(|group| VARIABLES[group].iter().cloned());
    names.chain(GLOBAL.map(str::to_owned)).collect()
}

/// The variables in `config.rs` and its submodule, by the type or the function that reads them.
static VARIABLES: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let files = ["shared/src/config.rs", "shared/src/config/events.rs"].map(file);
    let code = files.iter().filter_map(|file| file.split("#[cfg(test)]").next());
    let config = code.collect::<String>().replace("\npub fn ", "\nimpl ");
    let mut read = BTreeMap::<_, BTreeSet<_>>::new();
    for part in config.split("\nimpl ").skip(1) {
        let names = part.split('"').filter(|text| {
            text.contains('_')
                && text.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
        });
        let own = names.filter(|name| !name.starts_with("AWS_")).map(str::to_owned);
        read.entry(part.split([' ', '(']).next().unwrap().to_owned()).or_default().extend(own);
    }
    read
});

/// Each scheduled function runs every minute and is never more than 5 minutes late, and failed runs go to the dead-letter queue.
pub(super) fn schedule(template: &Template, function: &Function) -> Vec<String> {
    let expected = source(function).contains("schedule::serve(").then(|| Duration::from_mins(1));
    let mut violations = Vec::new();
    if function.schedule != expected {
        violations.push(format!("{}: runs every {:?}", function.binary, function.schedule));
    }
    if expected.is_none() {
        return violations;
    }
    let properties = &template.document()["Resources"][&function.logical_id]["Properties"];
    let queue = json!({ "Fn::GetAtt": ["DeadLetters", "Arn"] });
    let event = &properties["Events"]["EachMinute"]["Properties"];
    if event["DeadLetterConfig"]["Arn"] != queue || !event["RetryPolicy"].is_object() {
        violations.push(format!("{}: a run that cannot start is lost", function.binary));
    }
    let invoke_config = &properties["EventInvokeConfig"];
    if invoke_config["DestinationConfig"]["OnFailure"]["Destination"] != queue {
        violations.push(format!("{}: a failed run is lost", function.binary));
    }
    // The run of the next minute does the same work.
    if invoke_config["MaximumRetryAttempts"] != 0 {
        violations.push(format!("{}: a failed run is retried", function.binary));
    }
    // A CREDIT is sent again 16 minutes after the instant of a run (`Crediting::RESEND_AFTER`), however late the run was.
    let age = |policy: &Value| policy["MaximumEventAgeInSeconds"].as_u64();
    let delays = [age(&event["RetryPolicy"]), age(invoke_config), properties["Timeout"].as_u64()];
    if delays.into_iter().sum::<Option<u64>>().is_none_or(|seconds| 300 < seconds) {
        violations.push(format!("{}: a run can end more than 5 minutes late", function.binary));
    }
    violations
}

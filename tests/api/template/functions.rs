//! Folders, routes, variables and schedules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use local::template::{Function, Template};
use serde_json::json;

use super::{SOURCES, file, source};

/// Of every function, read or not: what makes functions start anew, and where AWS is when it is somewhere else.
const GLOBAL: [&str; 3] =
    ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "SECRETS_REVISION"];

/// Every function has its folder, every folder its function, and the names fit.
pub(super) fn folders(functions: &[Function]) -> Vec<String> {
    let folders: BTreeSet<_> = SOURCES.keys().collect();
    let binaries: BTreeSet<_> = functions.iter().map(|function| &function.binary).collect();
    let alone = folders.symmetric_difference(&binaries);
    let alone = alone.map(|name| format!("{name}: a folder or a function, but not both"));
    let misnamed = functions.iter().filter(|function| {
        let words = function.binary.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
        function.logical_id != words.collect::<String>()
    });
    alone.chain(misnamed.map(|function| format!("{}: misnamed", function.logical_id))).collect()
}

/// A function's file begins with its route. Only Nets needs no token.
pub(super) fn routes(function: &Function) -> Vec<String> {
    let source = source(function);
    let is_for_nets = source.contains("CallbackConfig");
    let (answers, has_route) = (source.contains("api::serve("), function.routes.len() == 1);
    let mut faults = Vec::new();
    if answers != has_route {
        faults.push(format!("{}: {} routes", function.binary, function.routes.len()));
    }
    for route in &function.routes {
        let said = format!("//! `{} {}", route.method, route.path);
        let whole = source.strip_prefix(&said).is_some_and(|rest| rest.starts_with(['`', '?']));
        if !whole {
            faults.push(format!("{}: its file does not begin with {said}", function.binary));
        }
        if route.authorized == is_for_nets {
            faults.push(format!("{}: authorized is {}", function.binary, route.authorized));
        }
    }
    faults
}

/// Each function has exactly the variables that its configuration reads.
pub(super) fn variables(function: &Function) -> Vec<String> {
    let set: BTreeSet<_> = function.environment.keys().cloned().collect();
    let read = read_by(source(function));
    let wrong = set.symmetric_difference(&read);
    wrong.map(|name| format!("{}: {name} is not both set and read", function.binary)).collect()
}

/// The variables that are read by what a function starts.
fn read_by(source: &str) -> BTreeSet<String> {
    let start: &[&str] = match () {
        () if source.contains("App::start") => &[
            "AwsConfig",
            "CallbackAddresses",
            "NetaxeptConfig",
            "NotificationConfig",
            "StorageConfig",
        ],
        () if source.contains("Terminals::start") => {
            &["AwsConfig", "CallbackAddresses", "NetaxeptConfig", "StorageConfig"]
        }
        () if source.contains("Teller::start") => {
            &["AwsConfig", "CallbackAddresses", "NotificationConfig", "StorageConfig"]
        }
        () if source.contains("Store::start") => &["AwsConfig", "StorageConfig"],
        () => &["TokenConfig"],
    };
    let callback = source.contains("CallbackConfig").then_some("CallbackConfig");
    let groups = start.iter().copied().chain(callback).chain(["LogConfig"]);
    let names = groups.flat_map(|group| VARIABLES[group].iter().cloned());
    names.chain(GLOBAL.map(str::to_owned)).collect()
}

/// The variables that `config.rs` names, by the type that reads them.
static VARIABLES: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let config = file("shared/src/config.rs");
    let mut read = BTreeMap::<_, BTreeSet<_>>::new();
    for part in config.split("#[cfg(test)]").next().unwrap().split("\nimpl ").skip(1) {
        let names = part.split('"').filter(|text| {
            text.contains('_')
                && text.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
        });
        let own = names.filter(|name| !name.starts_with("AWS_")).map(str::to_owned);
        read.entry(part.split(' ').next().unwrap().to_owned()).or_default().extend(own);
    }
    read
});

/// The scheduled functions are those that answer nobody. Each runs every minute, and what fails is not lost silently.
pub(super) fn schedule(template: &Template, function: &Function) -> Vec<String> {
    let expected = source(function).contains("schedule::serve(").then(|| Duration::from_mins(1));
    let mut faults = Vec::new();
    if function.schedule != expected {
        faults.push(format!("{}: runs every {:?}", function.binary, function.schedule));
    }
    if expected.is_none() {
        return faults;
    }
    let properties = &template.document()["Resources"][&function.logical_id]["Properties"];
    let letters = json!({ "Fn::GetAtt": ["DeadLetters", "Arn"] });
    let event = &properties["Events"]["EachMinute"]["Properties"];
    if event["DeadLetterConfig"]["Arn"] != letters || !event["RetryPolicy"].is_object() {
        faults.push(format!("{}: a run that can not begin is lost", function.binary));
    }
    let after = &properties["EventInvokeConfig"];
    if after["DestinationConfig"]["OnFailure"]["Destination"] != letters {
        faults.push(format!("{}: a run that fails is lost", function.binary));
    }
    // The next minute's run does the same and more.
    if after["MaximumRetryAttempts"] != 0 {
        faults.push(format!("{}: a run that fails is repeated", function.binary));
    }
    faults
}

//! Sends the events of `tests/events/` to the real binaries in order, and compares the responses with `answers.json`. `.ci/invoke`
//! and `.ci/sam` do the same with cargo-lambda and SAM.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use local::template::Template;
use serde_json::{Value, json};

use crate::TestApi;

/// In an expected response: any string that is not empty.
const ANY: &str = "*";

fn folder() -> PathBuf {
    local::binaries::root().join("tests/events")
}

fn read(name: &str) -> Value {
    let text = fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The steps in order: an event and its response, or a card that the customer `enters` at the last terminal.
fn steps() -> Vec<Value> {
    read("answers.json").as_array().unwrap().clone()
}

fn text<'a>(step: &'a Value, member: &str) -> &'a str {
    step[member].as_str().unwrap_or_else(|| panic!("{member} of {step}"))
}

/// Returns status and body of a response for API Gateway, and the whole response of other functions.
fn relevant_part(response: &Value) -> Value {
    match response.get("statusCode") {
        Some(status) => {
            let body = response["body"].as_str().unwrap_or_default();
            json!({ "status": status, "body": serde_json::from_str::<Value>(body).unwrap_or_default() })
        }
        None => json!({ "answer": response }),
    }
}

/// Replaces `ANY` in an expected response with the actual string.
fn with_actual_strings(expected: &Value, response: &Value) -> Value {
    match (expected, response) {
        (Value::Object(members), Value::Object(_)) => {
            let member = |(name, value): (&String, &Value)| {
                (
                    name.clone(),
                    with_actual_strings(value, response.get(name).unwrap_or(&Value::Null)),
                )
            };
            members.iter().map(member).collect()
        }
        (Value::String(any), Value::String(text)) if any == ANY && !text.is_empty() => {
            response.clone()
        }
        (expected, _) => expected.clone(),
    }
}

#[tokio::test]
async fn every_event_has_the_expected_response() {
    let api = TestApi::new().await;
    let mut terminal = String::new();
    for mut step in steps() {
        if let Some(form) = step.get("enters") {
            let response = api.http.post(&terminal).form(form).send().await.unwrap();
            assert_eq!(response.status(), 302, "{step}");
            continue;
        }
        let (event, function) =
            (text(&step, "event").to_owned(), text(&step, "function").to_owned());
        let response = api.local.lambda().invoke(&function, read(&event).to_string().into_bytes());
        let response = relevant_part(&serde_json::from_slice(&response.await.unwrap()).unwrap());
        if let Some(uri) = response["body"]["terminalUri"].as_str() {
            terminal = uri.to_owned();
        }
        step.as_object_mut().unwrap().retain(|name, _| name != "event" && name != "function");
        assert_eq!(response, with_actual_strings(&step, &response), "{event}");
    }
}

#[test]
fn every_function_has_an_event_and_every_event_a_response() {
    let steps = steps();
    let named = |member: &str| -> BTreeSet<String> {
        steps.iter().filter_map(|step| step[member].as_str()).map(str::to_owned).collect()
    };
    let files = fs::read_dir(folder()).unwrap();
    let mut files: BTreeSet<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(files.remove("answers.json") && files.remove("env.json"));
    assert_eq!(named("event"), files);
    assert_eq!(named("function"), local::binaries::function_names().unwrap());
}

/// Including the AWS endpoints, which need no value on Lambda.
#[test]
fn env_json_has_every_variable_of_the_template() {
    let template = Template::read(&local::binaries::root().join("template.yaml")).unwrap();
    let functions = crate::template::deployed(&template).unwrap();
    let variables = functions.iter().flat_map(|function| function.environment.keys().cloned());
    let expected: BTreeSet<String> = variables.collect();
    let env = read("env.json");
    let env: BTreeSet<String> = env["Parameters"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(env, expected);
}

/// `sam local` passes on only the variables of the template, so functions have no access key of their own. The endpoints name the
/// function instead.
#[test]
fn env_json_has_endpoints_that_name_the_function() {
    let template = Template::read(&local::binaries::root().join("template.yaml")).unwrap();
    let mut env = read("env.json");
    let shared = env.as_object_mut().unwrap().remove("Parameters").unwrap();
    let own = |name: &str, binary: &str| format!("{}/{binary}", text(&shared, name));
    let sections = crate::template::deployed(&template).unwrap().into_iter().map(|function| {
        let names = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SECRETS_MANAGER"];
        let section = names.map(|name| (name.to_owned(), own(name, &function.binary).into()));
        (function.logical_id, Value::Object(section.into_iter().collect()))
    });
    assert_eq!(env, Value::Object(sections.collect()));
}

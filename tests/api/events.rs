//! `tests/events/`: what `sam local invoke` and `cargo lambda invoke` send, sent to the real binaries in order, and what they
//! answer. `.ci/invoke` and `.ci/sam` do the same through cargo-lambda and through SAM.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use local::template::Template;
use serde_json::{Value, json};

use crate::World;

/// In an expected answer: any text, but not an empty one.
const ANY: &str = "*";

fn folder() -> PathBuf {
    local::binaries::root().join("tests/events")
}

fn read(name: &str) -> Value {
    let text = fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What is done one after the other: an event and its answer, or a customer who `enters` a card at the last terminal.
fn steps() -> Vec<Value> {
    read("answers.json").as_array().unwrap().clone()
}

fn text<'a>(step: &'a Value, member: &str) -> &'a str {
    step[member].as_str().unwrap_or_else(|| panic!("{member} of {step}"))
}

/// Of API Gateway's answers status and body count, of others everything.
fn answered(answer: &Value) -> Value {
    match answer.get("statusCode") {
        Some(status) => {
            let body = answer["body"].as_str().unwrap_or_default();
            json!({ "status": status, "body": serde_json::from_str::<Value>(body).unwrap_or_default() })
        }
        None => json!({ "answer": answer }),
    }
}

/// What is expected, with the texts filled in that may be any.
fn filled(expected: &Value, answer: &Value) -> Value {
    match (expected, answer) {
        (Value::Object(members), Value::Object(_)) => {
            let member = |(name, value): (&String, &Value)| {
                (name.clone(), filled(value, answer.get(name).unwrap_or(&Value::Null)))
            };
            members.iter().map(member).collect()
        }
        (Value::String(any), Value::String(text)) if any == ANY && !text.is_empty() => {
            answer.clone()
        }
        (expected, _) => expected.clone(),
    }
}

#[tokio::test]
async fn every_event_has_the_answer_that_is_written_beside_it() {
    let world = World::new().await;
    let mut terminal = String::new();
    for mut step in steps() {
        if let Some(form) = step.get("enters") {
            let answer = world.http.post(&terminal).form(form).send().await.unwrap();
            assert_eq!(answer.status(), 302, "{step}");
            continue;
        }
        let (event, function) =
            (text(&step, "event").to_owned(), text(&step, "function").to_owned());
        let answer = world.local.lambda().invoke(&function, read(&event).to_string().into_bytes());
        let answer = answered(&serde_json::from_slice(&answer.await.unwrap()).unwrap());
        if let Some(uri) = answer["body"]["terminalUri"].as_str() {
            terminal = uri.to_owned();
        }
        step.as_object_mut().unwrap().retain(|name, _| name != "event" && name != "function");
        assert_eq!(answer, filled(&step, &answer), "{event}");
    }
}

#[test]
fn every_function_has_an_event_and_every_event_an_answer() {
    let steps = steps();
    let named = |member: &str| -> BTreeSet<String> {
        steps.iter().filter_map(|step| step[member].as_str()).map(str::to_owned).collect()
    };
    let files = fs::read_dir(folder()).unwrap();
    let mut files: BTreeSet<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(files.remove("answers.json") && files.remove("env.json"));
    assert_eq!(named("event"), files);
    let functions = fs::read_dir(local::binaries::root().join("functions")).unwrap();
    let functions: BTreeSet<_> =
        functions.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(named("function"), functions);
}

/// Also where AWS is, which on Lambda nobody has to say.
#[test]
fn env_json_has_every_variable_of_the_template() {
    let template = Template::read(&local::binaries::root().join("template.yaml")).unwrap();
    let functions = crate::template::deployed(&template).unwrap();
    let variables = functions.iter().flat_map(|function| function.environment.keys().cloned());
    let expected: BTreeSet<String> = variables.collect();
    let given = read("env.json");
    let given: BTreeSet<String> =
        given["Parameters"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(given, expected);
}

/// `sam local` passes on what the template has, so that no access key can be given to a function: its endpoints name it.
#[test]
fn env_json_tells_the_local_service_which_function_is_calling() {
    let template = Template::read(&local::binaries::root().join("template.yaml")).unwrap();
    let mut given = read("env.json");
    let shared = given.as_object_mut().unwrap().remove("Parameters").unwrap();
    let own = |name: &str, binary: &str| format!("{}/{binary}", text(&shared, name));
    let sections = crate::template::deployed(&template).unwrap().into_iter().map(|function| {
        let names = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SECRETS_MANAGER"];
        let section = names.map(|name| (name.to_owned(), own(name, &function.binary).into()));
        (function.logical_id, Value::Object(section.into_iter().collect()))
    });
    assert_eq!(given, Value::Object(sections.collect()));
}

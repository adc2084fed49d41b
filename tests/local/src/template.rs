//! Reads `template.yaml` as AWS would: functions, routes, the authorizer and the tables, with every reference resolved.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::yaml;

/// Parameters by name.
pub type Parameters = BTreeMap<String, String>;

/// What is wrong with the template.
#[derive(Debug, thiserror::Error)]
#[error("template.yaml: {0}")]
pub struct Fault(String);

/// The template, in AWS's long form: `!Ref X` is `{"Ref": "X"}`.
#[derive(Debug, Clone)]
pub struct Template {
    document: Value,
}

/// A function as it is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name in the template.
    pub logical_id: String,
    /// The binary that it runs.
    pub binary: String,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// In MB.
    pub memory: u64,
    /// Its own variables.
    pub environment: BTreeMap<String, String>,
    /// Where the HTTP API reaches it.
    pub routes: Vec<Route>,
    /// How often `EventBridge` Scheduler runs it.
    pub schedule: Option<Duration>,
}

/// A route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET`, …
    pub method: String,
    /// `/v1/things/{id}`
    pub path: String,
    /// Whether the authorizer is asked.
    pub authorized: bool,
}

/// The authorizer of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorizer {
    /// The logical id of its function.
    pub function: String,
    /// The header without which nobody is asked.
    pub header: String,
    /// For how long its answer is remembered.
    pub remembered: Duration,
}

impl Template {
    /// Reads a file.
    ///
    /// # Errors
    /// It is not there, or not YAML.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Fault(format!("{}: {error}", path.display())))?;
        Self::parse(&text)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// It is not YAML.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let document = yaml::document(text, |tag, value| Some(long_form(tag, value)));
        Ok(Self { document: document.map_err(|fault| Fault(fault.to_string()))? })
    }

    /// The whole of it.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Every function.
    ///
    /// # Errors
    /// A parameter without value, or something that we cannot play.
    pub fn functions(&self, parameters: &Parameters) -> Result<Vec<Function>, Fault> {
        let functions = self.resources("AWS::Serverless::Function");
        functions
            .map(|(logical_id, resource)| self.function(logical_id, resource, parameters))
            .collect()
    }

    fn function(
        &self,
        logical_id: &str,
        resource: &Value,
        parameters: &Parameters,
    ) -> Result<Function, Fault> {
        let fault = |what: &str| Fault(format!("{logical_id}: {what}"));
        let globals = &self.document["Globals"]["Function"];
        let properties = &resource["Properties"];
        let number = |name: &str| {
            properties[name].as_u64().or(globals[name].as_u64()).ok_or_else(|| fault(name))
        };
        let binary = resource["Metadata"]["BuildProperties"]["Binary"]
            .as_str()
            .ok_or_else(|| fault("no binary"))?;
        let mut environment = BTreeMap::new();
        for variables in
            [globals, properties].map(|level| level["Environment"]["Variables"].as_object())
        {
            for (name, value) in variables.into_iter().flatten() {
                environment.insert(name.clone(), self.resolve(value, parameters)?);
            }
        }
        Ok(Function {
            logical_id: logical_id.to_owned(),
            binary: binary.to_owned(),
            timeout: Duration::from_secs(number("Timeout")?),
            memory: number("MemorySize")?,
            environment,
            routes: routes(properties)
                .ok_or_else(|| fault("an HttpApi event without method or path"))?,
            schedule: schedule(properties).map_err(|what| fault(&what))?,
        })
    }

    /// The authorizer that the HTTP API asks by default.
    #[must_use]
    pub fn authorizer(&self) -> Option<Authorizer> {
        let (_, api) = self.resources("AWS::Serverless::HttpApi").next()?;
        let auth = &api["Properties"]["Auth"];
        let authorizer = &auth["Authorizers"][auth["DefaultAuthorizer"].as_str()?];
        Some(Authorizer {
            function: authorizer["FunctionArn"]["Fn::GetAtt"][0].as_str()?.to_owned(),
            header: authorizer["Identity"]["Headers"][0].as_str()?.to_ascii_lowercase(),
            remembered: Duration::from_secs(
                authorizer["Identity"]["ReauthorizeEvery"].as_u64().unwrap_or_default(),
            ),
        })
    }

    /// `CreateTable` of every table, each named by its logical id.
    #[must_use]
    pub fn tables(&self) -> Vec<Value> {
        let wanted = ["AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes"];
        let table = |(logical_id, resource): (&str, &Value)| {
            let properties = wanted.iter().filter_map(|name| {
                Some(((*name).to_owned(), resource["Properties"].get(*name)?.clone()))
            });
            let name = ("TableName".to_owned(), json!(logical_id));
            Value::Object(properties.chain([name]).collect())
        };
        self.resources("AWS::DynamoDB::Table").map(table).collect()
    }

    fn resources(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let resources = self.document["Resources"].as_object().into_iter().flatten();
        resources
            .filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id.as_str(), resource))
    }

    fn resolve(&self, value: &Value, parameters: &Parameters) -> Result<String, Fault> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
            Value::Object(intrinsic) => {
                match intrinsic.iter().next().map(|(name, of)| (name.as_str(), of)) {
                    Some(("Ref", Value::String(name))) => self.reference(name, parameters),
                    Some(("Fn::GetAtt", of)) => Ok(format!(
                        "{}.{}",
                        of[0].as_str().unwrap_or("?"),
                        of[1].as_str().unwrap_or("?")
                    )),
                    _ => Err(Fault(format!("{value} is not played here"))),
                }
            }
            Value::Null | Value::Array(_) => {
                Err(Fault(format!("{value} is no value of a variable")))
            }
        }
    }

    fn reference(&self, name: &str, parameters: &Parameters) -> Result<String, Fault> {
        if self.document["Resources"].get(name).is_some() {
            return Ok(name.to_owned());
        }
        let parameter = self.document["Parameters"]
            .get(name)
            .ok_or_else(|| Fault(format!("nothing is called {name}")))?;
        match (parameters.get(name), &parameter["Default"]) {
            (Some(value), _) => Ok(value.clone()),
            (None, Value::String(value)) => Ok(value.clone()),
            (None, Value::Number(value)) => Ok(value.to_string()),
            (None, _) => Err(Fault(format!("the parameter {name} has no value"))),
        }
    }
}

/// The properties of a function's events of one kind.
fn events<'a>(properties: &'a Value, kind: &'static str) -> impl Iterator<Item = &'a Value> {
    let events = properties["Events"].as_object().into_iter().flat_map(Map::values);
    events.filter(move |event| event["Type"] == kind).map(|event| &event["Properties"])
}

fn routes(properties: &Value) -> Option<Vec<Route>> {
    events(properties, "HttpApi")
        .map(|event| {
            Some(Route {
                method: event["Method"].as_str()?.to_ascii_uppercase(),
                path: event["Path"].as_str()?.to_owned(),
                authorized: event["Auth"]["Authorizer"] != "NONE",
            })
        })
        .collect()
}

fn schedule(properties: &Value) -> Result<Option<Duration>, String> {
    let mut schedules = events(properties, "ScheduleV2");
    let Some(event) = schedules.next() else { return Ok(None) };
    if schedules.next().is_some() {
        return Err("more than one schedule is not played here".to_owned());
    }
    let expression = &event["ScheduleExpression"];
    let every = expression.as_str().and_then(rate);
    every.map(Some).ok_or_else(|| format!("the schedule {expression} is not played here"))
}

/// `rate(5 minutes)`
fn rate(expression: &str) -> Option<Duration> {
    let inner = expression.strip_prefix("rate(")?.strip_suffix(')')?;
    let (count, unit) = inner.split_once(' ')?;
    let seconds = match unit {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 60 * 60,
        "day" | "days" => 24 * 60 * 60,
        _ => return None,
    };
    Some(Duration::from_secs(u64::from(count.parse::<NonZeroU32>().ok()?.get()) * seconds))
}

/// AWS's short tags in their long form.
fn long_form(tag: &str, value: &Value) -> Value {
    match (tag, value) {
        ("Ref", _) => json!({ "Ref": value }),
        ("GetAtt", Value::String(dotted)) => {
            json!({ "Fn::GetAtt": dotted.split('.').collect::<Vec<_>>() })
        }
        (name, _) => json!({ format!("Fn::{name}"): value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
Parameters:
  Address: { Type: String }
  Months: { Type: Number, Default: 36 }
Globals:
  Function: { Timeout: 29, MemorySize: 256, Environment: { Variables: { LEVEL: info } } }
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Caller
        Authorizers:
          Caller: { FunctionArn: !GetAtt Door.Arn, Identity: { Headers: [Authorization], ReauthorizeEvery: 300 } }
  Things:
    Type: AWS::DynamoDB::Table
    Properties: { BillingMode: PAY_PER_REQUEST, KeySchema: [{ AttributeName: slot, KeyType: HASH }] }
  Get:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: get-thing } }
    Properties:
      Timeout: 5
      Environment: { Variables: { TABLE: !Ref Things, ADDRESS: !Ref Address, MONTHS: !Ref Months } }
      Events:
        Http: { Type: HttpApi, Properties: { Method: get, Path: "/things/{id}" } }
        Open: { Type: HttpApi, Properties: { Method: POST, Path: "/open/{secret}", Auth: { Authorizer: NONE } } }
        Often: { Type: ScheduleV2, Properties: { ScheduleExpression: rate(1 minute) } }
"#;

    #[test]
    fn a_function_has_its_resolved_environment_and_routes() {
        let template = Template::parse(TEXT).unwrap();
        let parameters =
            Parameters::from([("Address".to_owned(), "http://127.0.0.1:1".to_owned())]);
        let [function] = &template.functions(&parameters).unwrap()[..] else {
            panic!("one function")
        };
        let environment: Vec<_> = function
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            environment,
            [
                ("ADDRESS", "http://127.0.0.1:1"),
                ("LEVEL", "info"),
                ("MONTHS", "36"),
                ("TABLE", "Things")
            ]
        );
        assert_eq!(
            (function.binary.as_str(), function.timeout, function.memory),
            ("get-thing", Duration::from_secs(5), 256)
        );
        let route = |method: &str, path: &str, authorized| Route {
            method: method.to_owned(),
            path: path.to_owned(),
            authorized,
        };
        assert_eq!(
            function.routes,
            [route("GET", "/things/{id}", true), route("POST", "/open/{secret}", false)]
        );
        assert_eq!(function.schedule, Some(Duration::from_mins(1)));
    }

    #[test]
    fn the_authorizer_and_the_tables() {
        let template = Template::parse(TEXT).unwrap();
        let authorizer = template.authorizer().unwrap();
        assert_eq!(
            (authorizer.function.as_str(), authorizer.header.as_str()),
            ("Door", "authorization")
        );
        assert_eq!(authorizer.remembered, Duration::from_mins(5));
        assert_eq!(template.tables()[0]["TableName"], "Things");
    }

    #[test]
    fn a_schedule_is_a_rate() {
        let hour = Duration::from_hours(1);
        for (expression, every) in [
            ("rate(5 minutes)", Some(Duration::from_mins(5))),
            ("rate(1 hour)", Some(hour)),
            ("rate(2 hours)", Some(2 * hour)),
            ("rate(1 day)", Some(24 * hour)),
            ("rate(30 days)", Some(30 * 24 * hour)),
            ("rate(0 minutes)", None),
            ("rate(-1 minutes)", None),
            ("rate(1.5 hours)", None),
            ("rate(1 week)", None),
            ("rate(minute)", None),
            ("rate(1 minute", None),
            ("cron(0 10 * * ? *)", None),
            ("at(2026-11-23T06:20:00)", None),
            ("", None),
        ] {
            assert_eq!(rate(expression), every, "{expression}");
        }
    }

    #[test]
    fn a_schedule_that_is_not_played_is_named() {
        let fault = |event: &str| {
            let text = TEXT.replace("rate(1 minute) } }", event).replace("!Ref Address", "none");
            let error = Template::parse(&text).unwrap().functions(&Parameters::new()).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            fault("cron(0 1 * * ? *) } }"),
            "template.yaml: Get: the schedule \"cron(0 1 * * ? *)\" is not played here"
        );
        assert_eq!(
            fault("rate(1 day) } }\n        Too: { Type: ScheduleV2 }").replace(" }", ""),
            "template.yaml: Get: more than one schedule is not played here"
        );
    }

    #[test]
    fn a_parameter_without_value_is_named() {
        let error = Template::parse(TEXT).unwrap().functions(&Parameters::new()).unwrap_err();
        assert_eq!(error.to_string(), "template.yaml: the parameter Address has no value");
    }
}

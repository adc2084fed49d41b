//! Reads `template.yaml` as AWS would: functions, routes, the authorizer, the tables and the secrets, with every reference
//! resolved.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::yaml;

mod door;
mod events;
mod resolve;
#[cfg(test)]
mod tests;

pub use door::{Authorizer, Cors, Throttling};
pub use events::Route;
use resolve::Resolver;

/// Parameters by name.
pub type Parameters = BTreeMap<String, String>;

/// The values of secrets, by their logical ids.
pub type Secrets = BTreeMap<String, String>;

/// What is wrong with the template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template.yaml: {0}")]
pub struct Fault(pub(crate) String);

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

    /// One that was read before, and perhaps changed since.
    #[must_use]
    pub fn of(document: Value) -> Self {
        Self { document }
    }

    /// The whole of it.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Every function. The secrets are those of [`Self::secrets`]: what is resolved when the stack is deployed has their values.
    ///
    /// # Errors
    /// A parameter or a secret without value, or something that we cannot play.
    pub fn functions(
        &self,
        parameters: &Parameters,
        secrets: &Secrets,
    ) -> Result<Vec<Function>, Fault> {
        let resolver = Resolver::new(&self.document, parameters, secrets);
        let functions = self.resources("AWS::Serverless::Function");
        functions
            .map(|(logical_id, resource)| self.function(logical_id, resource, &resolver))
            .collect()
    }

    fn function(
        &self,
        logical_id: &str,
        resource: &Value,
        resolver: &Resolver<'_>,
    ) -> Result<Function, Fault> {
        let fault = |what: &str| Fault(format!("{logical_id}: {what}"));
        let globals = &self.document["Globals"]["Function"];
        let properties = &resource["Properties"];
        let number = |name: &str| {
            properties[name].as_u64().or(globals[name].as_u64()).ok_or_else(|| fault(name))
        };
        let mut environment = BTreeMap::new();
        for variables in
            [globals, properties].map(|level| level["Environment"]["Variables"].as_object())
        {
            for (name, value) in variables.into_iter().flatten() {
                if let Some(text) = resolver.text(value)? {
                    environment.insert(name.clone(), text);
                }
            }
        }
        Ok(Function {
            logical_id: logical_id.to_owned(),
            binary: binary(resource).ok_or_else(|| fault("no binary"))?.to_owned(),
            timeout: Duration::from_secs(number("Timeout")?),
            memory: number("MemorySize")?,
            environment,
            routes: events::routes(properties)
                .ok_or_else(|| fault("an HttpApi event without method or path"))?,
            schedule: events::schedule(properties).map_err(|what| fault(&what))?,
        })
    }

    /// From which level on functions log: `INFO`.
    #[must_use]
    pub fn log_level(&self) -> Option<&str> {
        self.document["Globals"]["Function"]["LoggingConfig"]["ApplicationLogLevel"].as_str()
    }

    /// The value of every secret. `generated` has those that AWS would make up.
    ///
    /// # Errors
    /// A value that is not there, or something that we cannot play.
    pub fn secrets(&self, parameters: &Parameters, generated: &Secrets) -> Result<Secrets, Fault> {
        let resolver = Resolver::new(&self.document, parameters, generated);
        let value = |(logical_id, resource): (&str, &Value)| {
            let fault = || Fault(format!("the secret {logical_id} has no value"));
            let value = match resource["Properties"].get("SecretString") {
                Some(text) => resolver.text(text)?,
                None => generated.get(logical_id).cloned(),
            };
            Ok((logical_id.to_owned(), value.ok_or_else(fault)?))
        };
        self.resources("AWS::SecretsManager::Secret").map(value).collect()
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

    /// The resources of one kind, with their logical ids.
    pub fn resources(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let resources = self.document["Resources"].as_object().into_iter().flatten();
        resources
            .filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id.as_str(), resource))
    }
}

/// What `sam build` makes a function of.
pub(crate) fn binary(function: &Value) -> Option<&str> {
    function["Metadata"]["BuildProperties"]["Binary"].as_str()
}

/// AWS's short tags in their long form.
fn long_form(tag: &str, value: &Value) -> Value {
    match (tag, value) {
        ("Ref" | "Condition", _) => json!({ tag: value }),
        ("GetAtt", Value::String(dotted)) => {
            json!({ "Fn::GetAtt": dotted.split('.').collect::<Vec<_>>() })
        }
        (name, _) => json!({ format!("Fn::{name}"): value }),
    }
}

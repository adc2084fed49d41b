//! Reads `template.yaml`: functions, routes, the authorizer, tables and secrets, with all references resolved.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::yaml;

mod events;
mod http_api;
mod resolve;
#[cfg(test)]
mod tests;

pub use events::Route;
pub use http_api::{Authorizer, Cors, Throttling};
use resolve::Resolver;

/// The values of parameters, by name.
pub type Parameters = BTreeMap<String, String>;

/// The values of secrets, by logical id.
pub type Secrets = BTreeMap<String, String>;

/// The template is invalid, or uses something that the local service does not support.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template.yaml: {0}")]
pub struct TemplateError(pub(crate) String);

/// The template. Short tags are in their long form: `!Ref X` is `{"Ref": "X"}`.
#[derive(Debug, Clone)]
pub struct Template {
    document: Value,
}

/// A function of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The logical id.
    pub logical_id: String,
    /// The name of the binary.
    pub binary: String,
    /// The maximum duration of an invocation.
    pub timeout: Duration,
    /// The memory in MB.
    pub memory: u64,
    /// The environment variables.
    pub environment: BTreeMap<String, String>,
    /// The routes of the HTTP API.
    pub routes: Vec<Route>,
    /// The period of its schedule, if it has one.
    pub schedule: Option<Duration>,
}

impl Template {
    /// Reads a template file.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or is not YAML.
    pub fn read(path: &Path) -> Result<Self, TemplateError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| TemplateError(format!("{}: {error}", path.display())))?;
        Self::parse(&text)
    }

    /// Parses the text of a template.
    ///
    /// # Errors
    /// Fails if the text is not YAML.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let document = yaml::document(text, |tag, value| Some(long_form(tag, value)));
        Ok(Self { document: document.map_err(|error| TemplateError(error.to_string()))? })
    }

    /// A template from a document of [`Self::document`], which can be modified.
    #[must_use]
    pub fn from_document(document: Value) -> Self {
        Self { document }
    }

    /// The whole document.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// All functions. `secrets` are those of [`Self::secrets`]; references to them are resolved as at deployment.
    ///
    /// # Errors
    /// Fails if a parameter or a secret has no value, or if a property is not supported.
    pub fn functions(
        &self,
        parameters: &Parameters,
        secrets: &Secrets,
    ) -> Result<Vec<Function>, TemplateError> {
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
    ) -> Result<Function, TemplateError> {
        let error = |reason: &str| TemplateError(format!("{logical_id}: {reason}"));
        let globals = &self.document["Globals"]["Function"];
        let properties = &resource["Properties"];
        let number = |name: &str| {
            properties[name].as_u64().or(globals[name].as_u64()).ok_or_else(|| error(name))
        };
        let mut environment = BTreeMap::new();
        for variables in
            [globals, properties].map(|level| level["Environment"]["Variables"].as_object())
        {
            for (name, value) in variables.into_iter().flatten() {
                if let Some(text) = resolver.string(value)? {
                    environment.insert(name.clone(), text);
                }
            }
        }
        Ok(Function {
            logical_id: logical_id.to_owned(),
            binary: binary(resource).ok_or_else(|| error("the binary is missing"))?.to_owned(),
            timeout: Duration::from_secs(number("Timeout")?),
            memory: number("MemorySize")?,
            environment,
            routes: events::routes(properties)
                .ok_or_else(|| error("an HttpApi event has no method or no path"))?,
            schedule: events::schedule(properties).map_err(|reason| error(&reason))?,
        })
    }

    /// The log level of the functions, such as `INFO`.
    #[must_use]
    pub fn log_level(&self) -> Option<&str> {
        self.document["Globals"]["Function"]["LoggingConfig"]["ApplicationLogLevel"].as_str()
    }

    /// The values of all secrets. `generated` has the values that AWS would generate.
    ///
    /// # Errors
    /// Fails if a secret has no value, or if a property is not supported.
    pub fn secrets(
        &self,
        parameters: &Parameters,
        generated: &Secrets,
    ) -> Result<Secrets, TemplateError> {
        let resolver = Resolver::new(&self.document, parameters, generated);
        let value = |(logical_id, resource): (&str, &Value)| {
            let missing = || TemplateError(format!("the secret {logical_id} has no value"));
            let value = match resource["Properties"].get("SecretString") {
                Some(text) => resolver.string(text)?,
                None => generated.get(logical_id).cloned(),
            };
            Ok((logical_id.to_owned(), value.ok_or_else(missing)?))
        };
        self.resources("AWS::SecretsManager::Secret").map(value).collect()
    }

    /// The requests of `CreateTable` for all tables, named by their logical ids.
    #[must_use]
    pub fn tables(&self) -> Vec<Value> {
        let names = ["AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes"];
        let table = |(logical_id, resource): (&str, &Value)| {
            let properties = names.iter().filter_map(|name| {
                Some(((*name).to_owned(), resource["Properties"].get(*name)?.clone()))
            });
            let name = ("TableName".to_owned(), json!(logical_id));
            Value::Object(properties.chain([name]).collect())
        };
        self.resources("AWS::DynamoDB::Table").map(table).collect()
    }

    /// The resources of a type, with their logical ids.
    pub fn resources(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let resources = self.document["Resources"].as_object().into_iter().flatten();
        resources
            .filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id.as_str(), resource))
    }
}

/// The binary that `sam build` builds for a function.
pub(crate) fn binary(function: &Value) -> Option<&str> {
    function["Metadata"]["BuildProperties"]["Binary"].as_str()
}

/// The long form of a short tag.
fn long_form(tag: &str, value: &Value) -> Value {
    match (tag, value) {
        ("Ref" | "Condition", _) => json!({ tag: value }),
        ("GetAtt", Value::String(dotted)) => {
            json!({ "Fn::GetAtt": dotted.split('.').collect::<Vec<_>>() })
        }
        (name, _) => json!({ format!("Fn::{name}"): value }),
    }
}

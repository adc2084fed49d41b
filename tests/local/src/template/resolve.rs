//! Resolves references to values, as at deployment. The name and the attributes of a resource are its logical id here.

use serde_json::{Map, Value, json};

use super::{Parameters, Secrets, TemplateError};

/// The pseudo parameters, for a stack named `local`.
const PSEUDO_PARAMETERS: [(&str, &str); 5] = [
    ("AWS::AccountId", "000000000000"),
    ("AWS::Partition", "aws"),
    ("AWS::Region", "eu-north-1"),
    ("AWS::StackName", "local"),
    ("AWS::URLSuffix", "amazonaws.com"),
];

/// The start of a dynamic reference to a secret.
const DYNAMIC_REFERENCE: &str = "{{resolve:secretsmanager:";

/// The template, and the values of its parameters and secrets.
pub(super) struct Resolver<'a> {
    document: &'a Value,
    parameters: &'a Parameters,
    secrets: &'a Secrets,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(
        document: &'a Value,
        parameters: &'a Parameters,
        secrets: &'a Secrets,
    ) -> Self {
        Self { document, parameters, secrets }
    }

    /// A string. `None` if the property is removed (`AWS::NoValue`).
    pub(super) fn string(&self, value: &Value) -> Result<Option<String>, TemplateError> {
        match self.resolve(value)? {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            number @ (Value::Bool(_) | Value::Number(_)) => Ok(Some(number.to_string())),
            other @ (Value::Array(_) | Value::Object(_)) => {
                Err(TemplateError(format!("{other} is not a string")))
            }
        }
    }

    /// A non-negative integer. `None` if the property is removed.
    pub(super) fn number(&self, value: &Value) -> Result<Option<u64>, TemplateError> {
        let Some(text) = self.string(value)? else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| TemplateError(format!("{text} is not a non-negative integer")))
    }

    /// A list of strings.
    pub(super) fn list(&self, value: &Value) -> Result<Vec<String>, TemplateError> {
        match self.resolve(value)? {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => {
                let strings = items.iter().map(|item| item.as_str().map(str::to_owned));
                let strings: Option<_> = strings.collect();
                strings
                    .ok_or_else(|| TemplateError(format!("{value} has items that are not strings")))
            }
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                Err(TemplateError(format!("{other} is not a list")))
            }
        }
    }

    /// A value with all references resolved. `Null` if the property is removed.
    pub(super) fn resolve(&self, value: &Value) -> Result<Value, TemplateError> {
        match value {
            Value::String(text) => self.resolve_dynamic(text).map(Value::String),
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Object(members) => match members.iter().next() {
                Some((name, argument)) if name == "Ref" || name.starts_with("Fn::") => {
                    self.intrinsic(name, argument)
                }
                _ => self.members(members),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
        }
    }

    fn members(&self, members: &Map<String, Value>) -> Result<Value, TemplateError> {
        let members = members.iter().map(|(name, value)| Ok((name.clone(), self.resolve(value)?)));
        let members = members.collect::<Result<Map<_, _>, _>>()?;
        Ok(members.into_iter().filter(|(_, value)| !value.is_null()).collect())
    }

    fn intrinsic(&self, name: &str, argument: &Value) -> Result<Value, TemplateError> {
        match (name, argument) {
            ("Ref", Value::String(name)) => self.reference(name),
            ("Fn::GetAtt", Value::Array(path)) => {
                let path: Option<Vec<_>> = path.iter().map(Value::as_str).collect();
                let path =
                    path.ok_or_else(|| TemplateError(format!("{argument} is not supported")))?;
                self.attribute(&path.join(".")).map(Value::String)
            }
            ("Fn::Sub", Value::String(text)) => {
                self.resolve_dynamic(&self.substitute(text)?).map(Value::String)
            }
            ("Fn::If", Value::Array(choice)) if choice.len() == 3 => {
                let is_true = self.condition(&json!({ "Condition": choice[0] }))?;
                self.resolve(&choice[if is_true { 1 } else { 2 }])
            }
            ("Fn::Split", Value::Array(parts)) if parts.len() == 2 => {
                let delimiter = parts[0].as_str().unwrap_or(",");
                Ok(self.string(&parts[1])?.unwrap_or_default().split(delimiter).collect())
            }
            _ => Err(TemplateError(format!("{name} of {argument} is not supported"))),
        }
    }

    fn reference(&self, name: &str) -> Result<Value, TemplateError> {
        if name == "AWS::NoValue" {
            return Ok(Value::Null);
        }
        if let Some((_, value)) = PSEUDO_PARAMETERS.iter().find(|(pseudo, _)| *pseudo == name) {
            return Ok(json!(value));
        }
        if self.document["Resources"].get(name).is_some() {
            return Ok(json!(name));
        }
        self.parameter(name)
    }

    fn parameter(&self, name: &str) -> Result<Value, TemplateError> {
        let parameter = self.document["Parameters"].get(name);
        let parameter = parameter.ok_or_else(|| TemplateError(format!("{name} does not exist")))?;
        let value = match (self.parameters.get(name), &parameter["Default"]) {
            (Some(value), _) => value.clone(),
            (None, Value::String(value)) => value.clone(),
            (None, Value::Number(value)) => value.to_string(),
            (None, _) => return Err(TemplateError(format!("the parameter {name} has no value"))),
        };
        Ok(json!(value))
    }

    /// An attribute of a resource, such as `Wallets.Arn`. Its value here is the same text.
    fn attribute(&self, path: &str) -> Result<String, TemplateError> {
        let logical_id = path.split('.').next().unwrap_or_default();
        let exists = self.document["Resources"].get(logical_id).is_some();
        exists
            .then(|| path.to_owned())
            .ok_or_else(|| TemplateError(format!("{path} does not exist")))
    }

    /// Replaces `${X}` and `${X.Arn}`.
    fn substitute(&self, text: &str) -> Result<String, TemplateError> {
        let mut parts = text.split("${");
        let mut substituted = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let unclosed = || TemplateError(format!("{text} has a ${{ without }}"));
            let (name, rest) = part.split_once('}').ok_or_else(unclosed)?;
            match name.strip_prefix('!') {
                Some(literal) => substituted.extend(["${", literal, "}"]),
                None if name.contains('.') => substituted.push_str(&self.attribute(name)?),
                None => {
                    let value = self.string(&json!({ "Ref": name }))?;
                    substituted.push_str(&value.unwrap_or_default());
                }
            }
            substituted.push_str(rest);
        }
        Ok(substituted)
    }

    /// Replaces `{{resolve:secretsmanager:X}}` by the value of the secret.
    fn resolve_dynamic(&self, text: &str) -> Result<String, TemplateError> {
        let Some((before, rest)) = text.split_once(DYNAMIC_REFERENCE) else {
            return Ok(text.to_owned());
        };
        let unclosed = || TemplateError(format!("{text} has {{{{ without }}}}"));
        let (name, after) = rest.split_once("}}").ok_or_else(unclosed)?;
        let missing = || TemplateError(format!("the secret {name} has no value"));
        let secret = self.secrets.get(name).ok_or_else(missing)?;
        Ok(format!("{before}{secret}{}", self.resolve_dynamic(after)?))
    }

    fn condition(&self, condition: &Value) -> Result<bool, TemplateError> {
        let unsupported = || TemplateError(format!("the condition {condition} is not supported"));
        let (name, argument) = condition
            .as_object()
            .and_then(|members| members.iter().next())
            .ok_or_else(unsupported)?;
        match name.as_str() {
            "Condition" => {
                let named =
                    argument.as_str().and_then(|name| self.document["Conditions"].get(name));
                self.condition(named.ok_or_else(unsupported)?)
            }
            "Fn::Equals" => Ok(self.string(&argument[0])? == self.string(&argument[1])?),
            "Fn::Not" => Ok(!self.condition(&argument[0])?),
            _ => Err(unsupported()),
        }
    }
}

//! References of all kinds become values, as when a stack is deployed. What a resource is called here is its logical id.

use serde_json::{Map, Value, json};

use super::{Fault, Parameters, Secrets};

/// What AWS itself knows, for a stack called `local`.
const PSEUDO_PARAMETERS: [(&str, &str); 5] = [
    ("AWS::AccountId", "000000000000"),
    ("AWS::Partition", "aws"),
    ("AWS::Region", "eu-north-1"),
    ("AWS::StackName", "local"),
    ("AWS::URLSuffix", "amazonaws.com"),
];

/// Where a value is taken from that only Secrets Manager has.
const DYNAMIC: &str = "{{resolve:secretsmanager:";

/// The template, and the values that it does not have.
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

    /// A text. `None`: the property is not there (`AWS::NoValue`).
    pub(super) fn text(&self, value: &Value) -> Result<Option<String>, Fault> {
        match self.value(value)? {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            number @ (Value::Bool(_) | Value::Number(_)) => Ok(Some(number.to_string())),
            other @ (Value::Array(_) | Value::Object(_)) => {
                Err(Fault(format!("{other} is not a text")))
            }
        }
    }

    /// A number that is not negative.
    pub(super) fn number(&self, value: &Value) -> Result<Option<u64>, Fault> {
        let Some(text) = self.text(value)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Fault(format!("{text} is not a number")))
    }

    /// Texts.
    pub(super) fn list(&self, value: &Value) -> Result<Vec<String>, Fault> {
        match self.value(value)? {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => {
                let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
                let texts: Option<_> = texts.collect();
                texts.ok_or_else(|| Fault(format!("{value} has more than texts")))
            }
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                Err(Fault(format!("{other} is not a list")))
            }
        }
    }

    /// Without references. `Null` stands for nothing.
    pub(super) fn value(&self, value: &Value) -> Result<Value, Fault> {
        match value {
            Value::String(text) => self.dynamic(text).map(Value::String),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => match members.iter().next() {
                Some((name, of)) if name == "Ref" || name.starts_with("Fn::") => {
                    self.intrinsic(name, of)
                }
                _ => self.members(members),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
        }
    }

    fn members(&self, members: &Map<String, Value>) -> Result<Value, Fault> {
        let members = members.iter().map(|(name, of)| Ok((name.clone(), self.value(of)?)));
        let members = members.collect::<Result<Map<_, _>, _>>()?;
        Ok(members.into_iter().filter(|(_, value)| !value.is_null()).collect())
    }

    fn intrinsic(&self, name: &str, of: &Value) -> Result<Value, Fault> {
        match (name, of) {
            ("Ref", Value::String(name)) => self.reference(name),
            ("Fn::GetAtt", Value::Array(path)) => {
                let path: Option<Vec<_>> = path.iter().map(Value::as_str).collect();
                let path = path.ok_or_else(|| Fault(format!("{of} is not played here")))?;
                self.resource(&path.join(".")).map(Value::String)
            }
            ("Fn::Sub", Value::String(text)) => {
                self.dynamic(&self.filled(text)?).map(Value::String)
            }
            ("Fn::If", Value::Array(choice)) if choice.len() == 3 => {
                let holds = self.condition(&json!({ "Condition": choice[0] }))?;
                self.value(&choice[if holds { 1 } else { 2 }])
            }
            ("Fn::Split", Value::Array(parts)) if parts.len() == 2 => {
                let between = parts[0].as_str().unwrap_or(",");
                Ok(self.text(&parts[1])?.unwrap_or_default().split(between).collect())
            }
            _ => Err(Fault(format!("{name} of {of} is not played here"))),
        }
    }

    fn reference(&self, name: &str) -> Result<Value, Fault> {
        if name == "AWS::NoValue" {
            return Ok(Value::Null);
        }
        if let Some((_, value)) = PSEUDO_PARAMETERS.iter().find(|(known, _)| *known == name) {
            return Ok(json!(value));
        }
        if self.document["Resources"].get(name).is_some() {
            return Ok(json!(name));
        }
        self.parameter(name)
    }

    fn parameter(&self, name: &str) -> Result<Value, Fault> {
        let parameter = self.document["Parameters"].get(name);
        let parameter = parameter.ok_or_else(|| Fault(format!("nothing is called {name}")))?;
        let value = match (self.parameters.get(name), &parameter["Default"]) {
            (Some(value), _) => value.clone(),
            (None, Value::String(value)) => value.clone(),
            (None, Value::Number(value)) => value.to_string(),
            (None, _) => return Err(Fault(format!("the parameter {name} has no value"))),
        };
        Ok(json!(value))
    }

    /// An attribute of a resource, such as `Wallets.Arn`: this is also what we call it.
    fn resource(&self, path: &str) -> Result<String, Fault> {
        let logical_id = path.split('.').next().unwrap_or_default();
        let known = self.document["Resources"].get(logical_id).is_some();
        known.then(|| path.to_owned()).ok_or_else(|| Fault(format!("nothing is called {path}")))
    }

    /// `${X}`, and `${X.Arn}`.
    fn filled(&self, text: &str) -> Result<String, Fault> {
        let mut parts = text.split("${");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let open = || Fault(format!("{text} has a ${{ without its end"));
            let (name, rest) = part.split_once('}').ok_or_else(open)?;
            match name.strip_prefix('!') {
                Some(literal) => filled.extend(["${", literal, "}"]),
                None if name.contains('.') => filled.push_str(&self.resource(name)?),
                None => {
                    let value = self.text(&json!({ "Ref": name }))?;
                    filled.push_str(&value.unwrap_or_default());
                }
            }
            filled.push_str(rest);
        }
        Ok(filled)
    }

    /// `{{resolve:secretsmanager:X}}`
    fn dynamic(&self, text: &str) -> Result<String, Fault> {
        let Some((before, rest)) = text.split_once(DYNAMIC) else { return Ok(text.to_owned()) };
        let open = || Fault(format!("{text} has a {{{{ without its end"));
        let (name, after) = rest.split_once("}}").ok_or_else(open)?;
        let unknown = || Fault(format!("the secret {name} has no value"));
        let secret = self.secrets.get(name).ok_or_else(unknown)?;
        Ok(format!("{before}{secret}{}", self.dynamic(after)?))
    }

    fn condition(&self, condition: &Value) -> Result<bool, Fault> {
        let fault = || Fault(format!("the condition {condition} is not played here"));
        let (name, of) =
            condition.as_object().and_then(|members| members.iter().next()).ok_or_else(fault)?;
        match name.as_str() {
            "Condition" => {
                let named = of.as_str().and_then(|name| self.document["Conditions"].get(name));
                self.condition(named.ok_or_else(fault)?)
            }
            "Fn::Equals" => Ok(self.text(&of[0])? == self.text(&of[1])?),
            "Fn::Not" => Ok(!self.condition(&of[0])?),
            _ => Err(fault()),
        }
    }
}

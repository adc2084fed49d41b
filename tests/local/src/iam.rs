//! The permissions of each function, from its role in `template.yaml`.
//!
//! Resources are named by their logical ids: `Wallets`, `Wallets/index/ByTask`, `NetaxeptTokenSecret`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::template::{self, Template, TemplateError};

/// An action, such as `dynamodb:GetItem`, and its resource.
pub type Permission = (String, String);

/// The actions that Lambda itself uses with a function's role: it writes the log, and sends failed events to the dead-letter queue.
pub const LAMBDA_ACTIONS: [&str; 3] =
    ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"];

/// The permissions of each function. All other actions are denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies(BTreeMap<String, BTreeSet<Permission>>);

impl Policies {
    /// Reads every function's role.
    ///
    /// # Errors
    /// Fails if a function has no role of its own, or if a statement is not `Effect: Allow` with exact actions and
    /// resources.
    pub fn read(template: &Template) -> Result<Self, TemplateError> {
        let functions = template.resources("AWS::Serverless::Function");
        let role = |(logical_id, function): (&str, &Value)| {
            let granted = permissions(template, function)
                .map_err(|reason| TemplateError(format!("{logical_id}: {reason}")))?;
            let binary = template::binary(function).unwrap_or(logical_id);
            Ok((binary.to_owned(), granted))
        };
        functions.map(role).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a function, named by its binary, has a permission.
    #[must_use]
    pub fn allows(&self, binary: &str, action: &str, resource: &str) -> bool {
        let granted = self.0.get(binary).into_iter().flatten();
        let mut permissions =
            granted.map(|(action, resource)| (action.as_str(), resource.as_str()));
        permissions.any(|permission| permission == (action, resource))
    }

    /// All permissions of a function, named by its binary.
    #[must_use]
    pub fn granted(&self, binary: &str) -> BTreeSet<Permission> {
        self.0.get(binary).cloned().unwrap_or_default()
    }

    /// The binaries of all functions.
    pub fn binaries(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn permissions(template: &Template, function: &Value) -> Result<BTreeSet<Permission>, String> {
    let properties = &function["Properties"];
    if properties.get("Policies").is_some() {
        return Err(
            "it has a Role and also Policies; with Policies, SAM creates another role".to_owned()
        );
    }
    let role = properties["Role"]["Fn::GetAtt"].as_array();
    let role = role.filter(|path| path.len() == 2 && path[1] == "Arn");
    let role = role.and_then(|path| path[0].as_str());
    let role = role.and_then(|role| template.document()["Resources"].get(role));
    let role =
        role.filter(|role| role["Type"] == "AWS::IAM::Role").ok_or("it has no role of its own")?;
    check_members(role["Properties"].as_object(), &["AssumeRolePolicyDocument", "Policies"])?;
    let mut granted = BTreeSet::new();
    for policy in items(&role["Properties"]["Policies"]) {
        check_members(policy.as_object(), &["PolicyDocument", "PolicyName"])?;
        let document = &policy["PolicyDocument"];
        check_members(document.as_object(), &["Statement", "Version"])?;
        for statement in items(&document["Statement"]) {
            granted.extend(statement_permissions(statement)?);
        }
    }
    Ok(granted)
}

/// The permissions of one statement: each of its actions on each of its resources.
fn statement_permissions(statement: &Value) -> Result<Vec<Permission>, String> {
    check_members(statement.as_object(), &["Action", "Effect", "Resource", "Sid"])?;
    if statement["Effect"] != "Allow" {
        return Err(format!("the effect of {statement} is not Allow"));
    }
    let (actions, resources) = (items(&statement["Action"]), items(&statement["Resource"]));
    if actions.is_empty() || resources.is_empty() {
        return Err(format!("{statement} has no action or no resource"));
    }
    let mut granted = Vec::new();
    for resource in resources {
        let resource = resource_name(resource)?;
        for action in actions {
            granted.push((without_wildcards(action)?.to_owned(), resource.clone()));
        }
    }
    Ok(granted)
}

/// The logical id of a resource, and the path after its ARN: `Wallets/index/ByTask`.
fn resource_name(resource: &Value) -> Result<String, String> {
    let unsupported = || format!("the resource {resource} is not supported");
    let (kind, argument) =
        resource.as_object().and_then(|members| members.iter().next()).ok_or_else(unsupported)?;
    match kind.as_str() {
        "Ref" => Ok(without_wildcards(argument)?.to_owned()),
        "Fn::GetAtt" if argument[1] == "Arn" => Ok(without_wildcards(&argument[0])?.to_owned()),
        "Fn::Sub" => {
            let inner = without_wildcards(argument)?.strip_prefix("${").ok_or_else(unsupported)?;
            let (logical_id, path) = inner.split_once(".Arn}").ok_or_else(unsupported)?;
            Ok(format!("{logical_id}{path}"))
        }
        _ => Err(unsupported()),
    }
}

/// A string without wildcards.
fn without_wildcards(value: &Value) -> Result<&str, String> {
    let text = value.as_str().filter(|text| !text.contains(['*', '?']));
    text.ok_or_else(|| format!("{value} is not a string without wildcards"))
}

/// The items of a list. A single value is a list of one item.
fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            std::slice::from_ref(value)
        }
    }
}

/// Checks that all members are supported.
fn check_members(members: Option<&Map<String, Value>>, supported: &[&str]) -> Result<(), String> {
    let members = members.ok_or("a value is not a mapping")?;
    match members.keys().find(|name| !supported.contains(&name.as_str())) {
        Some(unsupported) => Err(format!("{unsupported} is not supported")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEMENT: &str =
        "{ Effect: Allow, Action: [d:Get, d:Put], Resource: !GetAtt Things.Arn }";

    fn policies(statement: &str, other_properties: &str) -> Result<Policies, String> {
        let text = format!(
            "Resources:
  Things: {{ Type: 'AWS::DynamoDB::Table' }}
  Get:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildProperties: {{ Binary: get-thing }} }}
    Properties: {{ Role: !GetAtt GetRole.Arn{other_properties} }}
  GetRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {{}}
      Policies: [{{ PolicyName: Exact, PolicyDocument: {{ Version: x, Statement: [{statement}] }} }}]"
        );
        Policies::read(&Template::parse(&text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn only_granted_permissions_are_allowed() {
        let policies = policies(STATEMENT, "").unwrap();
        for action in ["d:Get", "d:Put"] {
            assert!(policies.allows("get-thing", action, "Things"));
            assert!(!policies.allows("get-thing", action, "Things/index/ByName"));
            assert!(!policies.allows("get-other", action, "Things"));
        }
        assert!(!policies.allows("get-thing", "d:Delete", "Things"));
        assert_eq!(policies.binaries().collect::<Vec<_>>(), ["get-thing"]);
        assert_eq!(policies.granted("get-thing").len(), 2);
        assert!(policies.granted("get-other").is_empty());
    }

    #[test]
    fn all_forms_of_a_resource_are_read() {
        for (yaml, name) in [
            ("!GetAtt Things.Arn", "Things"),
            ("!Ref Things", "Things"),
            ("[!Ref Others, !Ref Things]", "Things"),
            ("!Sub '${Things.Arn}/index/ByName'", "Things/index/ByName"),
        ] {
            let statement = format!("{{ Effect: Allow, Action: d:Get, Resource: {yaml} }}");
            let policies = policies(&statement, "").unwrap();
            assert!(policies.allows("get-thing", "d:Get", name), "{yaml}");
        }
    }

    #[test]
    fn an_unsupported_statement_is_an_error() {
        let things = "Resource: !GetAtt Things.Arn";
        for (statement, expected) in [
            (format!("{{ Effect: Deny, Action: d:Get, {things} }}"), "is not Allow"),
            (
                format!("{{ Effect: Allow, NotAction: d:Get, {things} }}"),
                "NotAction is not supported",
            ),
            (
                format!("{{ Effect: Allow, Action: 'd:*', {things} }}"),
                "\"d:*\" is not a string without wildcards",
            ),
            (format!("{{ Effect: Allow, Action: [], {things} }}"), "has no action or no resource"),
            (
                format!("{{ Effect: Allow, Action: d:Get, {things}, Condition: {{}} }}"),
                "Condition is not supported",
            ),
            ("{ Effect: Allow, Action: d:Get }".to_owned(), "has no action or no resource"),
            ("{ Effect: Allow, Action: d:Get, Resource: '*' }".to_owned(), "is not supported"),
            (
                "{ Effect: Allow, Action: d:Get, Resource: !Sub '${Things.Arn}/*' }".to_owned(),
                "is not a string without wildcards",
            ),
            (
                "{ Effect: Allow, Action: d:Get, Resource: !Sub 'arn:aws:x' }".to_owned(),
                "is not supported",
            ),
        ] {
            let error = policies(&statement, "").unwrap_err();
            assert!(error.contains("Get: ") && error.contains(expected), "{statement}: {error}");
        }
        let error = policies(STATEMENT, ", Policies: []").unwrap_err();
        assert!(error.contains("also Policies"), "{error}");
    }

    #[test]
    fn a_function_needs_a_role() {
        let text = "Resources: { Get: { Type: AWS::Serverless::Function, Properties: {} } }";
        let error = Policies::read(&Template::parse(text).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "template.yaml: Get: it has no role of its own");
    }
}

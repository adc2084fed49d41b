//! What each function may do: its role, as `template.yaml` has it.
//!
//! Resources are called by their logical ids: `Wallets`, `Wallets/index/ByChore`, `NetaxeptTokenSecret`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::template::{self, Fault, Template};

/// An action, such as `dynamodb:GetItem`, and the resource that it is done to.
pub type Permission = (String, String);

/// What Lambda does by itself with a function's role: it keeps the log, and puts runs that failed on the queue of dead letters.
pub const BY_LAMBDA: [&str; 3] = ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"];

/// What each function's role allows. Whatever is not here is denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies(BTreeMap<String, BTreeSet<Permission>>);

impl Policies {
    /// Reads every function's role.
    ///
    /// # Errors
    /// A function without a role of its own; a statement that is anything else than `Effect: Allow` with exact actions and
    /// resources.
    pub fn read(template: &Template) -> Result<Self, Fault> {
        let functions = template.resources("AWS::Serverless::Function");
        let role = |(logical_id, function): (&str, &Value)| {
            let granted = permissions(template, function)
                .map_err(|what| Fault(format!("{logical_id}: {what}")))?;
            let binary = template::binary(function).unwrap_or(logical_id);
            Ok((binary.to_owned(), granted))
        };
        functions.map(role).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a function, called by its binary, may do that.
    #[must_use]
    pub fn allows(&self, binary: &str, action: &str, resource: &str) -> bool {
        let granted = self.0.get(binary).into_iter().flatten();
        let mut permissions =
            granted.map(|(action, resource)| (action.as_str(), resource.as_str()));
        permissions.any(|permission| permission == (action, resource))
    }

    /// Everything that a function may do.
    #[must_use]
    pub fn granted(&self, binary: &str) -> BTreeSet<Permission> {
        self.0.get(binary).cloned().unwrap_or_default()
    }

    /// Every function, by its binary.
    pub fn binaries(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn permissions(template: &Template, function: &Value) -> Result<BTreeSet<Permission>, String> {
    let properties = &function["Properties"];
    if properties.get("Policies").is_some() {
        return Err("beside its role it has Policies, for which SAM makes another".to_owned());
    }
    let role = properties["Role"]["Fn::GetAtt"].as_array();
    let role = role.filter(|path| path.len() == 2 && path[1] == "Arn");
    let role = role.and_then(|path| path[0].as_str());
    let role = role.and_then(|role| template.document()["Resources"].get(role));
    let role = role.filter(|role| role["Type"] == "AWS::IAM::Role").ok_or("no role of its own")?;
    only(role["Properties"].as_object(), &["AssumeRolePolicyDocument", "Policies"])?;
    let mut granted = BTreeSet::new();
    for policy in list(&role["Properties"]["Policies"]) {
        only(policy.as_object(), &["PolicyDocument", "PolicyName"])?;
        let document = &policy["PolicyDocument"];
        only(document.as_object(), &["Statement", "Version"])?;
        for statement in list(&document["Statement"]) {
            granted.extend(allowed(statement)?);
        }
    }
    Ok(granted)
}

/// What one statement allows: each of its actions on each of its resources.
fn allowed(statement: &Value) -> Result<Vec<Permission>, String> {
    only(statement.as_object(), &["Action", "Effect", "Resource", "Sid"])?;
    if statement["Effect"] != "Allow" {
        return Err(format!("{statement} does not allow"));
    }
    let (actions, resources) = (list(&statement["Action"]), list(&statement["Resource"]));
    if actions.is_empty() || resources.is_empty() {
        return Err(format!("{statement} allows nothing"));
    }
    let mut granted = Vec::new();
    for resource in resources {
        let resource = resource_name(resource)?;
        for action in actions {
            granted.push((exact(action)?.to_owned(), resource.clone()));
        }
    }
    Ok(granted)
}

/// The logical id, and what follows the ARN.
fn resource_name(resource: &Value) -> Result<String, String> {
    let whole = || format!("the resource {resource} is not played here");
    let (kind, of) =
        resource.as_object().and_then(|members| members.iter().next()).ok_or_else(whole)?;
    match kind.as_str() {
        "Ref" => Ok(exact(of)?.to_owned()),
        "Fn::GetAtt" if of[1] == "Arn" => Ok(exact(&of[0])?.to_owned()),
        "Fn::Sub" => {
            let inner = exact(of)?.strip_prefix("${").ok_or_else(whole)?;
            let (logical_id, path) = inner.split_once(".Arn}").ok_or_else(whole)?;
            Ok(format!("{logical_id}{path}"))
        }
        _ => Err(whole()),
    }
}

/// A text without wildcards.
fn exact(value: &Value) -> Result<&str, String> {
    let text = value.as_str().filter(|text| !text.contains(['*', '?']));
    text.ok_or_else(|| format!("{value} is not exact"))
}

/// One, or a list of them.
fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            std::slice::from_ref(value)
        }
    }
}

/// That nothing is said that we do not understand.
fn only(members: Option<&Map<String, Value>>, known: &[&str]) -> Result<(), String> {
    let members = members.ok_or("not a mapping")?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(format!("{unknown} is not played here")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEMENT: &str =
        "{ Effect: Allow, Action: [d:Get, d:Put], Resource: !GetAtt Things.Arn }";

    fn policies(statement: &str, beside: &str) -> Result<Policies, String> {
        let text = format!(
            "Resources:
  Things: {{ Type: 'AWS::DynamoDB::Table' }}
  Get:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildProperties: {{ Binary: get-thing }} }}
    Properties: {{ Role: !GetAtt GetRole.Arn{beside} }}
  GetRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {{}}
      Policies: [{{ PolicyName: Exact, PolicyDocument: {{ Version: x, Statement: [{statement}] }} }}]"
        );
        Policies::read(&Template::parse(&text).unwrap()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn what_is_granted_is_allowed_and_nothing_else() {
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
    fn every_way_to_name_a_resource() {
        for (written, name) in [
            ("!GetAtt Things.Arn", "Things"),
            ("!Ref Things", "Things"),
            ("[!Ref Others, !Ref Things]", "Things"),
            ("!Sub '${Things.Arn}/index/ByName'", "Things/index/ByName"),
        ] {
            let statement = format!("{{ Effect: Allow, Action: d:Get, Resource: {written} }}");
            let policies = policies(&statement, "").unwrap();
            assert!(policies.allows("get-thing", "d:Get", name), "{written}");
        }
    }

    #[test]
    fn what_is_not_understood_is_a_fault() {
        let things = "Resource: !GetAtt Things.Arn";
        for (statement, fault) in [
            (format!("{{ Effect: Deny, Action: d:Get, {things} }}"), "does not allow"),
            (format!("{{ Effect: Allow, NotAction: d:Get, {things} }}"), "NotAction is not"),
            (format!("{{ Effect: Allow, Action: 'd:*', {things} }}"), "\"d:*\" is not exact"),
            (format!("{{ Effect: Allow, Action: [], {things} }}"), "allows nothing"),
            (
                format!("{{ Effect: Allow, Action: d:Get, {things}, Condition: {{}} }}"),
                "Condition is",
            ),
            ("{ Effect: Allow, Action: d:Get }".to_owned(), "allows nothing"),
            ("{ Effect: Allow, Action: d:Get, Resource: '*' }".to_owned(), "is not played here"),
            (
                "{ Effect: Allow, Action: d:Get, Resource: !Sub '${Things.Arn}/*' }".to_owned(),
                "is not exact",
            ),
            (
                "{ Effect: Allow, Action: d:Get, Resource: !Sub 'arn:aws:x' }".to_owned(),
                "is not played here",
            ),
        ] {
            let error = policies(&statement, "").unwrap_err();
            assert!(error.contains("Get: ") && error.contains(fault), "{statement}: {error}");
        }
        let error = policies(STATEMENT, ", Policies: []").unwrap_err();
        assert!(error.contains("Policies, for which SAM"), "{error}");
    }

    #[test]
    fn a_role_is_needed() {
        let text = "Resources: { Get: { Type: AWS::Serverless::Function, Properties: {} } }";
        let error = Policies::read(&Template::parse(text).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "template.yaml: Get: no role of its own");
    }
}

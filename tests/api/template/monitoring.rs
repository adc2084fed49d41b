//! Alarms and the dashboard.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use local::binaries::root;
use local::template::{Function, Template};
use serde_json::{Value, json};

use super::{metric_filters, source, starts};

/// The AWS metrics that alarms and the dashboard use.
const AWS_METRICS: [(&str, &[&str]); 4] = [
    ("AWS/ApiGateway", &["4xx", "5xx", "Latency"]),
    ("AWS/DynamoDB", &["ReadThrottleEvents", "WriteThrottleEvents"]),
    ("AWS/Lambda", &["Errors", "Invocations", "Throttles"]),
    ("AWS/SQS", &["ApproximateNumberOfMessagesVisible"]),
];

/// The namespace of the service's own metrics.
const OWN_NAMESPACE: &str = "${AWS::StackName}";

/// The string literals of the code. They include the names of the fields of log lines.
static LITERALS: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| string_literals(&root().join("shared/src")));

/// A metric that an alarm or the dashboard uses.
struct Metric {
    namespace: String,
    name: String,
    /// The function: its logical id in the dimension `FunctionName`, or its binary in the dimension `Operation`.
    function: Option<String>,
    /// The values of all dimensions: a function, `Api`, `Wallets` or `Wallets/ByTask`.
    subject: String,
}

/// Every metric of an alarm or of the dashboard exists: AWS emits it, or a metric filter makes it of log lines.
pub(super) fn metrics(template: &Template, functions: &[Function]) -> Vec<String> {
    let mut violations = Vec::new();
    let alarms = template.resources("AWS::CloudWatch::Alarm");
    let mut used: Vec<_> = alarms.flat_map(|(_, alarm)| alarm_metrics(alarm)).collect();
    match dashboard_metrics(template) {
        Ok(metrics) => used.extend(metrics),
        Err(error) => violations.push(format!("Dashboard: {error}")),
    }
    let own = used.iter().filter(|metric| metric.namespace == OWN_NAMESPACE);
    let own = own.map(|metric| metric.name.clone()).collect();
    violations.extend(metric_filters::filters(template, &LITERALS, &own));
    let filtered = metric_filters::names(template);
    for Metric { namespace, name, function, .. } in used {
        let aws_metrics = AWS_METRICS.iter().find(|(known, _)| *known == namespace);
        let exists = match aws_metrics {
            Some((_, names)) => names.contains(&name.as_str()),
            None => namespace == OWN_NAMESPACE && filtered.contains(&name),
        };
        if !exists {
            violations.push(format!("metric {name} of {namespace} does not exist"));
        }
        let is_known = function.is_none_or(|id| {
            functions.iter().any(|function| id == function.binary || id == function.logical_id)
        });
        if !is_known {
            violations.push(format!("metric {name} of {namespace}: unknown function"));
        }
    }
    violations
}

/// Alarms cover [`required`]. All alarms are published.
pub(super) fn coverage(template: &Template, functions: &[Function]) -> Vec<String> {
    let mut violations = Vec::new();
    let mut covered = BTreeSet::new();
    for (name, alarm) in template.resources("AWS::CloudWatch::Alarm") {
        if alarm["Properties"]["AlarmActions"] != json!([{ "Ref": "Alarms" }]) {
            violations.push(format!("{name}: not published to the topic"));
        }
        // The limit of CloudWatch.
        if alarm_metrics(alarm).len() > 10 {
            violations.push(format!("{name}: more than ten metrics"));
        }
        covered
            .extend(alarm_metrics(alarm).into_iter().map(|metric| (metric.name, metric.subject)));
    }
    let missing = required(template, functions).into_iter().filter(|one| !covered.contains(one));
    violations.extend(missing.map(|(name, subject)| format!("{subject}: no alarm for {name}")));
    violations
}

/// The metrics for which there is an alarm, with their subjects.
fn required(template: &Template, functions: &[Function]) -> Vec<(String, String)> {
    let mut required = vec![
        ("5xx", "Api".to_owned()),
        ("RequestLatency", String::new()),
        ("ApproximateNumberOfMessagesVisible", "DeadLetters".to_owned()),
    ];
    for function in functions {
        let runs = if function.schedule.is_some() { "Invocations" } else { "Throttles" };
        required.extend(["Errors", runs].map(|name| (name, function.logical_id.clone())));
        let own = own_metrics(function).into_iter();
        required.extend(own.map(|name| (name, function.binary.clone())));
    }
    for (name, table) in template.resources("AWS::DynamoDB::Table") {
        required.push(("WriteThrottleEvents", name.to_owned()));
        // The table without an index is only written to.
        let indexes = table["Properties"]["GlobalSecondaryIndexes"].as_array();
        for index in indexes.into_iter().flatten() {
            let index = format!("{name}/{}", index["IndexName"].as_str().unwrap_or_default());
            required.push(("ReadThrottleEvents", name.to_owned()));
            required.push(("ReadThrottleEvents", index.clone()));
            required.push(("WriteThrottleEvents", index));
        }
    }
    required.into_iter().map(|(name, subject)| (name.to_owned(), subject)).collect()
}

/// The names of the service's own metrics that the alarms use.
pub(crate) fn own_metrics_of_alarms(template: &Template) -> BTreeSet<String> {
    let alarms = template.resources("AWS::CloudWatch::Alarm");
    let metrics = alarms.flat_map(|(_, alarm)| alarm_metrics(alarm));
    metrics.filter(|metric| metric.namespace == OWN_NAMESPACE).map(|metric| metric.name).collect()
}

/// The service's own metrics of a function for which there is an alarm.
fn own_metrics(function: &Function) -> Vec<&'static str> {
    let reads = |variable: &str| function.environment.contains_key(variable);
    let is_scheduled = function.schedule.is_some();
    let groups: [(bool, &[&str]); 6] = [
        (reads("TOKEN_ISSUERS"), &["KeyRefreshesFailed"]),
        (reads("NETAXEPT_ADDRESS"), &["PspUnclear"]),
        (is_scheduled, &["OldestDueAge"]),
        (is_scheduled && reads("NOTIFICATION_SECRET"), &["NotificationsExpired"]),
        (
            reads("AUTHORIZATION_HOLD_HOURS"),
            &["CapturedMinorUnits", "CreditsFailed", "HoldsEnded", "UnexpectedCaptures"],
        ),
        (
            ["Charges", "PaymentTasks"].iter().any(|state| starts(source(function), state)),
            &["Authorizations", "AuthorizationsDeclined"],
        ),
    ];
    let required = groups.into_iter().filter(|(is_required, _)| *is_required);
    required.flat_map(|(_, names)| names).copied().collect()
}

/// Returns the alarms whose description does not name a heading of OPERATIONS.md.
pub(super) fn undocumented_alarms(template: &Template, page: &str) -> Vec<String> {
    let headings: BTreeSet<_> = page
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim())
        .collect();
    let alarms = template.resources("AWS::CloudWatch::Alarm");
    let undocumented = alarms.filter(|(_, alarm)| {
        let description = alarm["Properties"]["AlarmDescription"].as_str().unwrap_or_default();
        let heading = description.strip_prefix("OPERATIONS.md: ");
        !heading.is_some_and(|heading| headings.contains(heading))
    });
    undocumented
        .map(|(name, alarm)| format!("{name}: {}", alarm["Properties"]["AlarmDescription"]))
        .collect()
}

fn alarm_metrics(alarm: &Value) -> Vec<Metric> {
    let properties = &alarm["Properties"];
    let several = properties["Metrics"].as_array().into_iter().flatten();
    let several = several.filter_map(|one| one.get("MetricStat")?.get("Metric"));
    let single = properties.get("MetricName").map(|_| properties);
    several.chain(single).map(parse_metric).collect()
}

fn parse_metric(metric: &Value) -> Metric {
    let text = |value: &Value| {
        let reference = value["Ref"].as_str().or(value["Fn::GetAtt"][0].as_str());
        let reference = reference.map(|name| name.replace("AWS::StackName", OWN_NAMESPACE));
        reference.or_else(|| value.as_str().map(str::to_owned))
    };
    let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
    let subject: Vec<_> = dimensions.filter_map(|dimension| text(&dimension["Value"])).collect();
    let dimension = &metric["Dimensions"][0];
    let is_function = dimension["Name"] == "FunctionName" || dimension["Name"] == "Operation";
    Metric {
        namespace: text(&metric["Namespace"]).unwrap_or_default(),
        name: text(&metric["MetricName"]).unwrap_or_default(),
        function: is_function.then(|| text(&dimension["Value"]).unwrap_or_default()),
        subject: subject.join("/"),
    }
}

/// The metrics of the dashboard: `["namespace", "name", …]`, or a search in the service's own namespace.
fn dashboard_metrics(template: &Template) -> Result<Vec<Metric>, String> {
    let body = &template.document()["Resources"]["Dashboard"]["Properties"]["DashboardBody"];
    let body = body["Fn::Sub"].as_str().ok_or("no body")?;
    let body: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let widgets = body["widgets"].as_array().ok_or("no widgets")?.iter();
    let lines = widgets.filter_map(|widget| widget["properties"]["metrics"].as_array()).flatten();
    lines
        .map(|line| parse_dashboard_line(line).ok_or_else(|| format!("{line} cannot be parsed")))
        .collect()
}

fn parse_dashboard_line(line: &Value) -> Option<Metric> {
    if let Some(expression) = line[0]["expression"].as_str() {
        let search = "SEARCH('{\"${AWS::StackName}\",Operation} MetricName=\"";
        let (name, _) = expression.strip_prefix(search)?.split_once('"')?;
        return Some(Metric {
            namespace: OWN_NAMESPACE.to_owned(),
            name: name.to_owned(),
            function: None,
            subject: String::new(),
        });
    }
    let (namespace, name) = (line[0].as_str()?.to_owned(), line[1].as_str()?.to_owned());
    Some(Metric { namespace, name, function: None, subject: String::new() })
}

/// Collects the string literals of all Rust files in a folder.
fn string_literals(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(string_literals(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.extend(
                text.lines().flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned),
            );
        }
    }
    found
}

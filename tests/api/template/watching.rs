//! Alarms and the dashboard.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use local::binaries::root;
use local::template::{Function, Template};
use serde_json::{Value, json};

/// What Amazon measures by itself, as far as we look at it.
const OF_AMAZON: [(&str, &[&str]); 4] = [
    ("AWS/ApiGateway", &["4xx", "5xx", "Latency"]),
    ("AWS/DynamoDB", &["ReadThrottleEvents", "WriteThrottleEvents"]),
    ("AWS/Lambda", &["Errors", "Invocations", "Throttles"]),
    ("AWS/SQS", &["ApproximateNumberOfMessagesVisible"]),
];

/// Our own namespace.
const OURS: &str = "${AWS::StackName}";

/// The texts of the code: the names of our own metrics are among them.
static WRITTEN: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| string_literals(&root().join("shared/src")));

/// A metric that somebody looks at.
struct Metric {
    namespace: String,
    name: String,
    /// `FunctionName` and the function's logical id; `Operation` and its binary.
    of: Option<String>,
}

/// Every metric that an alarm or the dashboard looks at is there: Amazon's, or one that the code writes.
pub(super) fn metrics(template: &Template, functions: &[Function]) -> Vec<String> {
    let mut faults = Vec::new();
    let alarms = template.resources("AWS::CloudWatch::Alarm");
    let mut looked_at: Vec<_> = alarms.flat_map(|(_, alarm)| of_alarm(alarm)).collect();
    match of_dashboard(template) {
        Ok(metrics) => looked_at.extend(metrics),
        Err(fault) => faults.push(format!("Dashboard: {fault}")),
    }
    for Metric { namespace, name, of } in looked_at {
        let of_amazon = OF_AMAZON.iter().find(|(known, _)| *known == namespace);
        let is_there = match of_amazon {
            Some((_, names)) => names.contains(&name.as_str()),
            None => namespace == OURS && WRITTEN.contains(&name),
        };
        if !is_there {
            faults.push(format!("nobody measures {name} of {namespace}"));
        }
        let known = of.is_none_or(|of| {
            functions.iter().any(|function| of == function.binary || of == function.logical_id)
        });
        if !known {
            faults.push(format!("{name} of {namespace} of an unknown function"));
        }
    }
    faults
}

/// No function fails, is throttled or does not run without somebody being told.
pub(super) fn all_are_watched(template: &Template, functions: &[Function]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut watched = BTreeSet::new();
    for (name, alarm) in template.resources("AWS::CloudWatch::Alarm") {
        if alarm["Properties"]["AlarmActions"] != json!([{ "Ref": "Alarms" }]) {
            faults.push(format!("{name}: nobody is told"));
        }
        // CloudWatch takes no more.
        if of_alarm(alarm).len() > 10 {
            faults.push(format!("{name}: more than ten metrics"));
        }
        watched.extend(
            of_alarm(alarm).into_iter().filter_map(|metric| Some((metric.name, metric.of?))),
        );
    }
    for function in functions {
        let wanted: &[&str] = match function.schedule {
            Some(_) => &["Errors", "Invocations"],
            None => &["Errors", "Throttles"],
        };
        for name in wanted {
            if !watched.contains(&((*name).to_owned(), function.logical_id.clone())) {
                faults.push(format!("{}: nobody looks at its {name}", function.binary));
            }
        }
    }
    faults
}

/// The alarms whose description does not name a heading of the operators' page.
pub(super) fn unexplained(template: &Template, page: &str) -> Vec<String> {
    let headings: BTreeSet<_> = page
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim())
        .collect();
    let alarms = template.resources("AWS::CloudWatch::Alarm");
    let unexplained = alarms.filter(|(_, alarm)| {
        let description = alarm["Properties"]["AlarmDescription"].as_str().unwrap_or_default();
        let heading = description.strip_prefix("OPERATIONS.md: ");
        !heading.is_some_and(|heading| headings.contains(heading))
    });
    unexplained
        .map(|(name, alarm)| format!("{name}: {}", alarm["Properties"]["AlarmDescription"]))
        .collect()
}

fn of_alarm(alarm: &Value) -> Vec<Metric> {
    let properties = &alarm["Properties"];
    let several = properties["Metrics"].as_array().into_iter().flatten();
    let several = several.filter_map(|one| one.get("MetricStat")?.get("Metric"));
    let single = properties.get("MetricName").map(|_| properties);
    several.chain(single).map(of_metric).collect()
}

fn of_metric(metric: &Value) -> Metric {
    let text = |value: &Value| {
        let reference = value["Ref"].as_str().map(|name| name.replace("AWS::StackName", OURS));
        reference.or_else(|| value.as_str().map(str::to_owned))
    };
    let dimension = &metric["Dimensions"][0];
    let is_function = dimension["Name"] == "FunctionName" || dimension["Name"] == "Operation";
    Metric {
        namespace: text(&metric["Namespace"]).unwrap_or_default(),
        name: text(&metric["MetricName"]).unwrap_or_default(),
        of: is_function.then(|| text(&dimension["Value"]).unwrap_or_default()),
    }
}

/// What the dashboard shows: `["namespace", "name", …]`, or a search in our own namespace.
fn of_dashboard(template: &Template) -> Result<Vec<Metric>, String> {
    let body = &template.document()["Resources"]["Dashboard"]["Properties"]["DashboardBody"];
    let body = body["Fn::Sub"].as_str().ok_or("no body")?;
    let body: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let widgets = body["widgets"].as_array().ok_or("no widgets")?.iter();
    let lines = widgets.filter_map(|widget| widget["properties"]["metrics"].as_array()).flatten();
    lines.map(|line| of_line(line).ok_or_else(|| format!("{line} is not understood"))).collect()
}

fn of_line(line: &Value) -> Option<Metric> {
    if let Some(expression) = line[0]["expression"].as_str() {
        let search = "SEARCH('{\"${AWS::StackName}\",Operation} MetricName=\"";
        let (name, _) = expression.strip_prefix(search)?.split_once('"')?;
        return Some(Metric { namespace: OURS.to_owned(), name: name.to_owned(), of: None });
    }
    let (namespace, name) = (line[0].as_str()?.to_owned(), line[1].as_str()?.to_owned());
    Some(Metric { namespace, name, of: None })
}

/// Every text between quotes in a folder's Rust.
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

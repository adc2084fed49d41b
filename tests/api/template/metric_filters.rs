//! The metric filters: which metrics `CloudWatch` makes of a log line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use local::template::Template;
use serde_json::{Value, json};

use super::template;

/// The limit of `CloudWatch` for a log group.
const MAX_FILTERS: usize = 100;

/// The only metric of all functions together. The others are by function.
const OF_ALL_FUNCTIONS: &str = "RequestLatency";

/// A condition on a field of a log line.
enum Term {
    /// `$.field = *`: the line has the field.
    Exists,
    /// `$.field = "text"`
    Equals(String),
}

/// A metric filter.
struct MetricFilter {
    metric: String,
    /// All of them apply.
    terms: Vec<(String, Term)>,
    /// A number, or `$.field`.
    value: String,
}

/// The filters of `template.yaml`.
static FILTERS: LazyLock<Vec<MetricFilter>> = LazyLock::new(|| {
    let template = template();
    template.resources(KIND).map(|(_, filter)| MetricFilter::parse(filter).unwrap()).collect()
});

const KIND: &str = "AWS::Logs::MetricFilter";

/// The metrics that `CloudWatch` makes of a log line, with their values.
pub(crate) fn metrics_of(line: &Value) -> BTreeMap<String, f64> {
    let value = |filter: &MetricFilter| Some((filter.metric.clone(), filter.value_in(line)?));
    FILTERS.iter().filter_map(value).collect()
}

/// The names of all metrics that the filters make.
pub(super) fn names(template: &Template) -> BTreeSet<String> {
    let filters = template.resources(KIND);
    filters.filter_map(|(_, filter)| Some(MetricFilter::parse(filter)?.metric)).collect()
}

impl MetricFilter {
    /// A filter of the template. `None` if it uses syntax that [`Self::value_in`] does not know, or has another structure.
    fn parse(resource: &Value) -> Option<Self> {
        let properties = &resource["Properties"];
        let pattern = properties["FilterPattern"].as_str()?;
        let terms = pattern.strip_prefix("{ ")?.strip_suffix(" }")?.split(" && ");
        let [transformation] = &properties["MetricTransformations"].as_array()?[..] else {
            return None;
        };
        Some(Self {
            metric: transformation["MetricName"].as_str()?.to_owned(),
            terms: terms.map(Term::parse).collect::<Option<_>>()?,
            value: transformation["MetricValue"].as_str()?.to_owned(),
        })
    }

    /// The value of the metric, if the filter matches and the line has the field of the dimension.
    fn value_in(&self, line: &Value) -> Option<f64> {
        let matches = self.terms.iter().all(|(field, term)| match term {
            Term::Exists => line.get(field).is_some(),
            Term::Equals(text) => line[field] == text.as_str(),
        });
        if !matches || !line["operation"].is_string() {
            return None;
        }
        match self.value.strip_prefix("$.") {
            Some(field) => line[field].as_f64(),
            None => self.value.parse().ok(),
        }
    }

    /// What `CloudWatch` would refuse or ignore.
    fn violations(&self, name: &str, resource: &Value, fields: &BTreeSet<String>) -> Vec<String> {
        let mut violations = Vec::new();
        if resource["Properties"]["LogGroupName"] != json!({ "Ref": "Logs" }) {
            violations.push(format!("{name}: not a filter of the functions' log"));
        }
        let field = self.value.strip_prefix("$.");
        let mut transformation = json!([{
            "MetricNamespace": { "Ref": "AWS::StackName" },
            "MetricName": self.metric,
            "MetricValue": self.value,
            "Unit": field.map_or("Count", unit),
        }]);
        if self.metric != OF_ALL_FUNCTIONS {
            let operation = json!([{ "Key": "Operation", "Value": "$.operation" }]);
            transformation[0]["Dimensions"] = operation;
        }
        if resource["Properties"]["MetricTransformations"] != transformation {
            violations.push(format!("{name}: it does not make a metric of a function"));
        }
        // CloudWatch takes a value only from a field of the pattern.
        let is_in_pattern = |field: &str| {
            self.terms.iter().any(|(name, term)| name == field && matches!(term, Term::Exists))
        };
        if !field.map_or(self.value == "1", is_in_pattern) {
            violations.push(format!("{name}: the value {} is not in the pattern", self.value));
        }
        let unknown = self.terms.iter().filter(|(field, _)| !fields.contains(field));
        violations
            .extend(unknown.map(|(field, _)| format!("{name}: no line has the field {field}")));
        violations
    }
}

impl Term {
    /// `$.field = *` or `$.field = "text"`
    fn parse(text: &str) -> Option<(String, Self)> {
        let (field, value) = text.strip_prefix("$.")?.split_once(" = ")?;
        let term = match value.strip_prefix('"') {
            None if value == "*" => Self::Exists,
            None => return None,
            Some(text) => Self::Equals(text.strip_suffix('"')?.to_owned()),
        };
        Some((field.to_owned(), term))
    }
}

/// The unit of the metric of a field, which is the end of the field's name.
fn unit(field: &str) -> &'static str {
    match field.rsplit('_').next() {
        Some("ms") => "Milliseconds",
        Some("seconds") => "Seconds",
        Some(_) | None => "Count",
    }
}

/// Every filter makes one metric of a number of the log lines, and an alarm or the dashboard uses it: each metric of each function
/// costs as much as an alarm. `fields` contains all names of fields.
pub(super) fn filters(
    template: &Template,
    fields: &BTreeSet<String>,
    used: &BTreeSet<String>,
) -> Vec<String> {
    let mut violations = Vec::new();
    let mut metrics = BTreeSet::new();
    for (name, resource) in template.resources(KIND) {
        let Some(filter) = MetricFilter::parse(resource) else {
            violations.push(format!("{name}: it cannot be parsed"));
            continue;
        };
        violations.extend(filter.violations(name, resource, fields));
        if !used.contains(&filter.metric) {
            violations.push(format!("{name}: nothing uses the metric"));
        }
        if !metrics.insert(filter.metric) {
            violations.push(format!("{name}: a second filter of the metric"));
        }
    }
    if metrics.len() > MAX_FILTERS {
        violations.push(format!("{} metric filters", metrics.len()));
    }
    violations
}

/// The log that the metric filters need, and no lines of Lambda about successful invocations, which cost more than they say.
pub(super) fn log_levels(template: &Template) -> Vec<String> {
    let document = template.document();
    let expected = json!({
        "LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN", "LogGroup": { "Ref": "Logs" },
    });
    let mut violations = Vec::new();
    if document["Globals"]["Function"]["LoggingConfig"] != expected {
        violations.push("the functions have another log".to_owned());
    }
    let own = template.resources("AWS::Serverless::Function");
    let own = own.filter(|(_, function)| function["Properties"].get("LoggingConfig").is_some());
    violations.extend(own.map(|(name, _)| format!("{name}: it has a log of its own")));
    violations
}

#[test]
fn a_filter_matches_as_cloudwatch_does() {
    let filter = |pattern: &str, value: &str| {
        let transformations = json!([{ "MetricName": "X", "MetricValue": value }]);
        let properties =
            json!({ "FilterPattern": pattern, "MetricTransformations": transformations });
        MetricFilter::parse(&json!({ "Properties": properties }))
    };
    let line = json!({ "operation": "o", "level": "ERROR", "ms": 7, "text": "7" });
    for (pattern, value, expected) in [
        ("{ $.ms = * }", "$.ms", Some(7.0)),
        ("{ $.ms = * }", "1", Some(1.0)),
        ("{ $.level = \"ERROR\" && $.ms = * }", "1", Some(1.0)),
        ("{ $.level = \"WARN\" && $.ms = * }", "1", None),
        ("{ $.missing = * }", "1", None),
        ("{ $.text = * }", "$.text", None),
    ] {
        assert_eq!(filter(pattern, value).unwrap().value_in(&line), expected, "{pattern}");
    }
    assert_eq!(filter("{ $.ms = * }", "1").unwrap().value_in(&json!({ "ms": 7 })), None);
    for unknown in ["$.ms = *", "{ $.ms > 1 }", "{ $.ms = * || $.x = * }", "{ ms = * }", "ERROR"] {
        assert!(filter(unknown, "1").is_none(), "{unknown}");
    }
}

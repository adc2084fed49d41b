//! The events that invoke a function: routes and schedules.

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::{Map, Value};

/// A route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET`, …
    pub method: String,
    /// `/v1/things/{id}`
    pub path: String,
    /// Whether the authorizer is invoked.
    pub authorized: bool,
}

/// The properties of a function's events of one type.
fn events<'a>(properties: &'a Value, kind: &'static str) -> impl Iterator<Item = &'a Value> {
    let events = properties["Events"].as_object().into_iter().flat_map(Map::values);
    events.filter(move |event| event["Type"] == kind).map(|event| &event["Properties"])
}

pub(super) fn routes(properties: &Value) -> Option<Vec<Route>> {
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

pub(super) fn schedule(properties: &Value) -> Result<Option<Duration>, String> {
    let mut schedules = events(properties, "ScheduleV2");
    let Some(event) = schedules.next() else { return Ok(None) };
    if schedules.next().is_some() {
        return Err("more than one schedule is not supported".to_owned());
    }
    let expression = &event["ScheduleExpression"];
    let every = expression.as_str().and_then(rate);
    every.map(Some).ok_or_else(|| format!("the schedule {expression} is not supported"))
}

/// The period of a rate expression, such as `rate(5 minutes)`.
pub(super) fn rate(expression: &str) -> Option<Duration> {
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

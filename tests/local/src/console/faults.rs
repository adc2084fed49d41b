//! The page of faults: a button for each common case, the faults that are active, and the form for all others.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::overview::scrolling;
use super::{error_response, layout};
use crate::Local;
use crate::dynamodb::Faults;
use crate::netaxept::{FaultKind, Operation, fault_form};

/// The largest number of calls of a fault.
const MANY: usize = 1000;
/// How late `DynamoDB` answers, in milliseconds.
const SLOW_MILLISECONDS: u64 = 1000;

/// A common case.
struct Preset {
    /// The last part of its address.
    name: &'static str,
    label: &'static str,
    explanation: &'static str,
    inject: fn(&Local),
}

const PRESETS: [Preset; 12] = [
    Preset {
        name: "capture-reply-lost",
        label: "Next capture: the reply is lost",
        explanation: "Nets takes the money, and the service does not get the answer.",
        inject: |local| nets(local, &[Operation::Capture], FaultKind::DropReply, 1),
    },
    Preset {
        name: "capture-request-lost",
        label: "Next capture: the request is lost",
        explanation: "Nets takes nothing, and the service does not get an answer.",
        inject: |local| nets(local, &[Operation::Capture], FaultKind::DropRequest, 1),
    },
    Preset {
        name: "authorization-reply-lost",
        label: "Next authorization: the reply is lost",
        explanation: "Nets holds the amount, and the service does not get the answer.",
        inject: |local| nets(local, &[Operation::Auth], FaultKind::DropReply, 1),
    },
    Preset {
        name: "authorization-late",
        label: "Next authorization arrives late",
        explanation: "The connection breaks, and Nets executes the call 30 seconds later.",
        inject: |local| nets(local, &[Operation::Auth], FaultKind::ArriveLate, 1),
    },
    Preset {
        name: "credit-reply-lost",
        label: "Next credit: the reply is lost",
        explanation: "Nets gives the money back, and the service does not get the answer.",
        inject: |local| nets(local, &[Operation::Credit], FaultKind::DropReply, 1),
    },
    Preset {
        name: "verification-reply-lost",
        label: "Next card verification: the reply is lost",
        explanation: "Nets verifies the card, and the service does not get the answer.",
        inject: |local| nets(local, &[Operation::Verify], FaultKind::DropReply, 1),
    },
    Preset {
        name: "terminal-refused",
        label: "Next terminal: Nets answers 500",
        explanation: "Register is not executed, so the terminal is not opened.",
        inject: |local| nets(local, &[Operation::Register], FaultKind::Http500, 1),
    },
    Preset {
        name: "nets-slow",
        label: "Nets is slow",
        explanation: "The next 1000 calls of each operation are executed and answered 10 seconds late.",
        inject: |local| nets(local, &CALLS, FaultKind::Delay, MANY),
    },
    Preset {
        name: "nets-down",
        label: "Nets is down",
        explanation: "The next 1000 calls of each operation are not executed, and the connection breaks.",
        inject: |local| nets(local, &CALLS, FaultKind::DropRequest, MANY),
    },
    Preset {
        name: "write-reply-lost",
        label: "Next write to a table: the reply is lost",
        explanation: "DynamoDB writes the item and answers 500.",
        inject: |local| local.dynamodb().lose_replies_to_writes(1),
    },
    Preset {
        name: "dynamodb-throttled",
        label: "DynamoDB refuses requests",
        explanation: "Every second request is answered with a ThrottlingException and not executed.",
        inject: |local| dynamodb(local, Faults { throttled: 2, ..Faults::default() }),
    },
    Preset {
        name: "dynamodb-slow",
        label: "DynamoDB is slow",
        explanation: "Every request is answered one second late.",
        inject: |local| {
            dynamodb(local, Faults { slow: 1, delay_ms: SLOW_MILLISECONDS, ..Faults::default() });
        },
    },
];

/// The three calls of Nets' API.
const CALLS: [Operation; 3] = [Operation::Register, Operation::Process, Operation::Query];

fn nets(local: &Local, operations: &[Operation], kind: FaultKind, count: usize) {
    for operation in operations {
        local.netaxept().inject_fault(*operation, kind, count);
    }
}

/// Adds faults at `DynamoDB` to those that are active.
fn dynamodb(local: &Local, more: Faults) {
    let (active, _) = local.dynamodb().active_faults();
    let faults = Faults {
        throttled: active.throttled.max(more.throttled),
        slow: active.slow.max(more.slow),
        delay_ms: active.delay_ms.max(more.delay_ms),
        ..active
    };
    local.dynamodb().inject_faults(faults);
}

pub(super) async fn page(State(local): State<Local>) -> Html<String> {
    let content = html! {
        h1 { "Faults" }
        p { "A fault makes a call fail as the network, Nets or DynamoDB could. The service must then find out what happened: see " a href="/activity" { "Activity" } "." }
        (layout::live("active", "/faults", local.activity(), &active(&local)))
        section aria-labelledby="presets" {
            h2 #presets { "Common cases" }
            ul .presets {
                @for preset in &PRESETS {
                    li { form method="post" action=(format!("/faults/{}", preset.name)) { button { (preset.label) span { (preset.explanation) } } } }
                }
            }
        }
        section aria-labelledby="others" { h2 #others { "Another fault at Nets" } (fault_form()) }
    };
    layout::page("/faults", "Faults", &content)
}

/// The faults that are active, and the calls that are executed later.
fn active(local: &Local) -> Markup {
    let (faults, lost_writes) = local.dynamodb().active_faults();
    let at_dynamodb = [
        (
            lost_writes > 0,
            format!("DynamoDB: the reply to the next write is lost ({lost_writes} left)"),
        ),
        (
            faults.throttled > 0,
            format!(
                "DynamoDB: one in {} requests is refused with a ThrottlingException",
                faults.throttled
            ),
        ),
        (
            faults.slow > 0,
            format!(
                "DynamoDB: one in {} requests is answered {} ms late",
                faults.slow, faults.delay_ms
            ),
        ),
    ];
    let at_dynamodb: Vec<_> = at_dynamodb.into_iter().filter(|(is_active, _)| *is_active).collect();
    let at_nets = local.netaxept().fault_list();
    html! {
        section aria-labelledby="active-title" {
            h2 #active-title { "Active faults" }
            @if at_nets.is_none() && at_dynamodb.is_empty() { p { "No fault is active." } } @else {
                ul { @for (_, text) in &at_dynamodb { li { (text) } } }
                @if let Some(list) = at_nets { (scrolling("Faults at Nets", &list)) }
                form method="post" action="/faults/clear" { button { "Remove all faults" } }
            }
            (local.netaxept().late_call_list())
        }
    }
}

/// Injects the faults of a button.
pub(super) async fn inject(State(local): State<Local>, Path(name): Path<String>) -> Response {
    let Some(preset) = PRESETS.iter().find(|preset| preset.name == name) else {
        return error_response(StatusCode::NOT_FOUND, &format!("there is no fault {name}"));
    };
    (preset.inject)(&local);
    local.activity().record_console(format!("Fault added: {}", preset.label));
    Redirect::to("/faults").into_response()
}

/// Removes all faults, at Nets and at `DynamoDB`.
pub(super) async fn clear(State(local): State<Local>) -> Redirect {
    local.netaxept().clear_faults();
    local.dynamodb().inject_faults(Faults::default());
    local.dynamodb().lose_replies_to_writes(0);
    local.activity().record_console("All faults removed".to_owned());
    Redirect::to("/faults")
}

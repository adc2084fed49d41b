//! The figures of each program, and their limits.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::binaries::Size;
use crate::callgrind::InstructionCounts;
use crate::cases::{Case, Kind};
use crate::native::{Durations, Memory};

/// The figures of all programs.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    /// The link-time optimisation of the functions: `off`, or the value of `CARGO_PROFILE_RELEASE_LTO`.
    pub(crate) lto: String,
    /// By name: functions, `bare` and the other peers.
    pub(crate) programs: BTreeMap<String, Program>,
}

/// The figures of one program.
#[derive(Debug, Default, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Program {
    /// The size.
    pub(crate) size: Option<Size>,
    /// Instructions if the first event opens the connection.
    pub(crate) cold: Option<InstructionCounts>,
    /// Instructions if the start opens the connection.
    pub(crate) warmed: Option<InstructionCounts>,
    /// Wall times by start mode.
    pub(crate) timed: BTreeMap<String, Durations>,
    /// Memory.
    pub(crate) memory: Option<Memory>,
}

/// A figure and its limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measurement {
    /// The measured value.
    pub(crate) value: f64,
    /// The maximum value; `None` if there is no limit.
    pub(crate) limit: Option<f64>,
}

impl Measurement {
    /// Whether the value does not exceed the limit.
    pub(crate) fn is_within_limit(self) -> bool {
        self.limit.is_none_or(|limit| self.value <= limit)
    }
}

/// Allowance for `lambda_http` and tracing-subscriber, which were added after the limits were set: 5 % of the instructions.
const LAMBDA_HTTP_ALLOWANCE: f64 = 1.05;
/// Maximum of a function's instructions to ready, relative to `bare`.
const MAX_READY: f64 = 2.5 * LAMBDA_HTTP_ALLOWANCE;
/// Maximum instructions from exec to the first response, over TLS.
const MAX_COLD: f64 = 4.5e6 * LAMBDA_HTTP_ALLOWANCE;
/// Maximum of a cold start, relative to the peer with default features.
const MAX_OF_DEFAULTS: f64 = 1.0 / 90.0;
/// Maximum of the first request, relative to a warm one.
const MAX_FIRST: f64 = 1.10;
/// Limit of a warm request: instructions without requests to `DynamoDB`, instructions per request, and a factor.
const WARM_MODEL: [f64; 3] = [0.11e6, 0.40e6, 1.25];
/// Maximum bytes of a zip, with an allowance of 10 % for `lambda_http`.
const MAX_ZIP: f64 = 2.75e6;
/// Maximum resident memory in kB.
const MAX_RESIDENT: f64 = 8.0 * 1024.0;

/// The figures of a function and their limits, by name. Only functions of the kind [`Kind::Table`] have limits.
pub(crate) fn measurements(figures: &Figures, case: Case) -> Vec<(&'static str, Measurement)> {
    let Some(program) = figures.programs.get(case.function) else { return Vec::new() };
    let cold_of = |name: &str| figures.programs.get(name).and_then(|program| program.cold);
    let applicable = |limit: f64| (case.kind == Kind::Table).then_some(limit);
    let mut measurements = Vec::new();
    let mut add = |name, value: Option<f64>, limit: f64| {
        if let Some(value) = value {
            measurements.push((name, Measurement { value, limit: applicable(limit) }));
        }
    };
    let ratio = |one: u64, other: u64| float(one) / float(other.max(1));
    if let Some(cold) = program.cold {
        let bare = cold_of("bare").map(|bare| ratio(cold.ready, bare.ready));
        add("ready / bare", bare, MAX_READY);
        add("exec to first response", Some(float(cold.cold)), MAX_COLD);
        let defaults = cold_of("defaults").map(|peer| ratio(cold.cold, peer.cold));
        add("of the default-feature peer", defaults, MAX_OF_DEFAULTS);
        let [fixed, per_request, tolerance] = WARM_MODEL;
        let limit = tolerance * (fixed + per_request * f64::from(case.requests));
        add("warm", Some(float(cold.warm)), limit);
    }
    if let Some(warmed) = program.warmed {
        add("first / warm, warmed up", Some(ratio(warmed.first, warmed.warm)), MAX_FIRST);
        let opened = u32::try_from(warmed.opened_for_first).unwrap_or(u32::MAX);
        add("connections opened for the first event", Some(opened.into()), 0.0);
    }
    add("zip", program.size.map(|size| float(size.zip)), MAX_ZIP);
    if let Some(memory) = program.memory {
        add("resident kB at the end", Some(float(memory.last)), MAX_RESIDENT);
    }
    measurements
}

/// Converts without loss: the numbers are below 2^52.
#[expect(clippy::cast_precision_loss, reason = "instructions and bytes of one process")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

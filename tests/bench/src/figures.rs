//! What is measured of each program.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::binaries::Size;
use crate::callgrind::Counted;
use crate::cases::{Case, Kind};
use crate::natively::{Memory, Timed};

/// The functions' figures, and those that they are held against.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    /// How the functions were built: `fat`, or what `CARGO_PROFILE_RELEASE_LTO` said instead.
    pub(crate) lto: String,
    /// By name: functions, `bare`, and peers.
    pub(crate) programs: BTreeMap<String, Program>,
}

/// One program's figures.
#[derive(Debug, Default, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Program {
    /// Bytes.
    pub(crate) size: Option<Size>,
    /// Instructions, when the first event opens the connection.
    pub(crate) cold: Option<Counted>,
    /// Instructions, when the start opened it.
    pub(crate) warmed: Option<Counted>,
    /// What has been waited for, by how it was started.
    pub(crate) timed: BTreeMap<String, Timed>,
    /// What it held.
    pub(crate) memory: Option<Memory>,
}

/// A figure, and what it should be at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// What was measured.
    pub(crate) figure: f64,
    /// What it is held to; nothing where a figure is only stated.
    pub(crate) most: Option<f64>,
}

impl Held {
    /// Whether it is what it should be.
    pub(crate) fn holds(self) -> bool {
        self.most.is_none_or(|most| self.figure <= most)
    }
}

/// What `lambda_http` and tracing-subscriber may add to the figures from before they were used: 5 % of the instructions.
const ROOM_FOR_LAMBDA_HTTP: f64 = 1.05;
/// How much more than the bare function may be executed until a function is ready.
const READY: f64 = 2.5 * ROOM_FOR_LAMBDA_HTTP;
/// From exec to the first answer, over TLS.
const COLD: f64 = 4.5e6 * ROOM_FOR_LAMBDA_HTTP;
/// The part of the peer with default features that a cold start may be.
const OF_DEFAULTS: f64 = 1.0 / 90.0;
/// How much more the first request may cost than those after it.
const FIRST: f64 = 1.10;
/// What a request costs without, and with each request to `DynamoDB`; and how much more it may be.
const WARM: [f64; 3] = [0.11e6, 0.40e6, 1.2];
/// Bytes of a zip; of that, a tenth is for `lambda_http`, too.
const ZIP: f64 = 2.75e6;
/// Kilobytes that are held.
const RESIDENT: f64 = 8.0 * 1024.0;

/// The figures that a function is held to (issue "6 of 6", point 2), by name. Those that call others, run by schedule or
/// check tokens have the same rows, and are held to nothing.
pub(crate) fn held(figures: &Figures, case: Case) -> Vec<(&'static str, Held)> {
    let Some(program) = figures.programs.get(case.function) else { return Vec::new() };
    let cold_of = |name: &str| figures.programs.get(name).and_then(|program| program.cold);
    let strict = |most: f64| (case.kind == Kind::Wallet).then_some(most);
    let mut held = Vec::new();
    let mut add = |name, figure: Option<f64>, most: f64| {
        if let Some(figure) = figure {
            held.push((name, Held { figure, most: strict(most) }));
        }
    };
    let ratio = |one: u64, other: u64| float(one) / float(other.max(1));
    if let Some(cold) = program.cold {
        let bare = cold_of("bare").map(|bare| ratio(cold.ready, bare.ready));
        add("ready / bare", bare, READY);
        add("exec to first answer", Some(float(cold.cold)), COLD);
        let defaults = cold_of("defaults").map(|peer| ratio(cold.cold, peer.cold));
        add("of the default-feature peer", defaults, OF_DEFAULTS);
        let [without, with_each, room] = WARM;
        let most = room * (without + with_each * f64::from(case.requests));
        add("warm", Some(float(cold.warm)), most);
    }
    if let Some(warmed) = program.warmed {
        add("first / warm, warmed up", Some(ratio(warmed.first, warmed.warm)), FIRST);
        let opened = u32::try_from(warmed.opened_for_first).unwrap_or(u32::MAX);
        add("connections opened for the first event", Some(opened.into()), 0.0);
    }
    add("zip", program.size.map(|size| float(size.zip)), ZIP);
    if let Some(memory) = program.memory {
        add("resident kB at the end", Some(float(memory.last)), RESIDENT);
    }
    held
}

/// None of them is so large that anything is lost.
#[expect(clippy::cast_precision_loss, reason = "instructions and bytes of one process")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

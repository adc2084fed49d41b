//! Counts instructions with `valgrind --tool=callgrind`: those of the process itself, without the kernel.
//!
//! Each figure is the difference between two processes that differ in one event. The figures do not depend on the machine's speed:
//! the clock of the process is slowed down (`slow_clock.c`), so timeouts do not end it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Command;

use crate::Error;
use crate::cases::{Case, Kind};
use crate::instance::Instance;
use crate::world::{AwsProxies, Start, World, success_body};

/// Number of warm requests in the mean.
const WARM: usize = 10;

/// The instructions and connections of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InstructionCounts {
    /// From exec to the first request for an event.
    pub(crate) ready: u64,
    /// From exec to the request for the second event.
    pub(crate) cold: u64,
    /// For the first event, until the request for the second one.
    pub(crate) first: u64,
    /// The mean for each event after the first.
    pub(crate) warm: u64,
    /// Connections to `DynamoDB` opened before the first event.
    pub(crate) opened_before: usize,
    /// Connections to `DynamoDB` opened for the first event.
    pub(crate) opened_for_first: usize,
}

/// The source of the slowed-down clock.
const SLOW_CLOCK: &str = include_str!("slow_clock.c");

/// Compiles the slowed-down clock to a library, which the counted processes preload.
pub(crate) async fn slow_clock(folder: &Path) -> Result<PathBuf, Error> {
    let failed = |why: &dyn std::fmt::Display| Error::failed("slow_clock.c", why);
    let (source, library) = (folder.join("slow_clock.c"), folder.join("slow_clock.so"));
    std::fs::write(&source, SLOW_CLOCK).map_err(|error| failed(&error))?;
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-O2", "-Wall", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    let status = compiler.stdin(Stdio::null()).status().await.map_err(|error| failed(&error))?;
    if status.success() { Ok(library) } else { Err(failed(&status)) }
}

/// The program to count, with its events.
pub(crate) struct Run<'a> {
    /// The environment.
    pub(crate) world: &'a World,
    /// The function and its events.
    pub(crate) case: Case,
    /// The binary.
    pub(crate) program: &'a Path,
    /// The start mode.
    pub(crate) start: Start,
    /// Folder for the profiles, for `callgrind_annotate`.
    pub(crate) folder: &'a Path,
    /// The library from [`slow_clock`].
    pub(crate) clock: &'a Path,
}

impl Run<'_> {
    /// Counts the program. The requests to `DynamoDB` are checked only if `is_function` is true: peers are not checked.
    pub(crate) async fn count(&self, is_function: bool) -> Result<InstructionCounts, Error> {
        let (until_ready, opened_before) = self.count_process(self.start, 0, is_function).await?;
        let (cold, opened) = self.count_process(self.start, 1, is_function).await?;
        let (all, _) = self.count_process(self.start, 1 + WARM, is_function).await?;
        let ready = match (self.start, self.case.kind) {
            // Reading the local root certificate is not part of the deployed function.
            (Start::Cold, Kind::Table | Kind::Authorizer) => {
                self.count_process(Start::AmazonRoots, 0, is_function).await?.0
            }
            // Fetching secrets requires the local root certificate.
            (Start::Cold, Kind::Psp | Kind::Schedule) | (Start::AmazonRoots | Start::Warmed, _) => {
                until_ready
            }
        };
        Ok(InstructionCounts {
            ready,
            cold,
            first: cold - until_ready,
            warm: (all - cold) / WARM as u64,
            opened_before,
            opened_for_first: opened - opened_before,
        })
    }

    /// Counts a process with this number of events. Checks its number of requests and connections to `DynamoDB`.
    async fn count_process(
        &self,
        start: Start,
        count: usize,
        is_function: bool,
    ) -> Result<(u64, usize), Error> {
        let case = self.case;
        let events = case.events(self.world, count).await?;
        self.world.local.dynamodb().clear_requests();
        let (total, opened) = self.run_process(start, &events).await?;
        let requests = self.world.local.dynamodb().requests();
        let made = requests.iter().filter(|one| one.function == case.function).count();
        let warm_up = usize::from(start == Start::Warmed && case.kind != Kind::Authorizer);
        let expected = warm_up + count * case.requests as usize;
        let connections = usize::from(expected > 0);
        if !is_function || (made, opened) == (expected, connections) {
            return Ok((total, opened));
        }
        Err(Error::failed(
            case.function,
            format!(
                "{start:?}, {count} events: {made} requests over {opened} connections, expected {expected} over {connections}"
            ),
        ))
    }

    /// Runs a process. Returns its instructions and its connections to `DynamoDB`.
    async fn run_process(&self, start: Start, events: &[Value]) -> Result<(u64, usize), Error> {
        let (world, function) = (self.world, self.case.function);
        let name = format!("{function}-{start:?}-{}.callgrind", events.len()).to_lowercase();
        let out = self.folder.join(name);
        let proxies = AwsProxies::start(world).await?;
        let file = format!("--callgrind-out-file={}", out.display());
        let wrapper = ["valgrind", "--quiet", "--tool=callgrind", &file].map(str::to_owned);
        let mut environment = world.environment(&proxies, function, start);
        // With these roots it makes no call, so no timeout applies and the slowed-down clock is not needed.
        if start != Start::AmazonRoots {
            environment.insert("LD_PRELOAD".to_owned(), self.clock.to_string_lossy().into_owned());
        }
        let mut instance = Instance::start(function, self.program, &wrapper, &environment).await?;
        instance.ready().await?;
        for event in events {
            success_body(function, &instance.send(event).await?.body)?;
        }
        instance.end().await?;
        let failed = |why: &dyn std::fmt::Display| Error::failed("callgrind", why);
        let text = std::fs::read_to_string(&out).map_err(|error| failed(&error))?;
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        let total = total.and_then(|total| total.trim().parse().ok());
        Ok((total.ok_or_else(|| failed(&out.display()))?, proxies.dynamodb.connections()))
    }
}

//! Instructions, by `valgrind --tool=callgrind`: all that a process executes itself, not what the kernel does for it.
//!
//! Each figure is the difference between two processes that differ in one event. How slow the machine is changes nothing: the
//! process's clock is slowed down (`slow_clock.c`), so no limit of its own ends what is only slow.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Command;

use crate::Error;
use crate::cases::{Case, Kind};
use crate::instance::Instance;
use crate::world::{Doors, Start, World, succeeded};

/// How many warm requests are averaged.
const WARM: usize = 10;

/// What a program executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// From exec until it asks for its first event.
    pub(crate) ready: u64,
    /// From exec until its first event is answered, and it asks for another one.
    pub(crate) cold: u64,
    /// For its first event, until it asks for another one.
    pub(crate) first: u64,
    /// For each event after that.
    pub(crate) warm: u64,
    /// Connections to `DynamoDB` that were opened before the first event.
    pub(crate) opened_before: usize,
    /// Those that were opened for it.
    pub(crate) opened_for_first: usize,
}

/// The clock of the processes that are counted.
const SLOW_CLOCK: &str = include_str!("slow_clock.c");

/// Compiles the clock: the library that those processes load first.
pub(crate) async fn slow_clock(folder: &Path) -> Result<PathBuf, Error> {
    let failed = |why: &dyn std::fmt::Display| Error::failed("slow_clock.c", why);
    let (source, library) = (folder.join("slow_clock.c"), folder.join("slow_clock.so"));
    std::fs::write(&source, SLOW_CLOCK).map_err(|error| failed(&error))?;
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-O2", "-Wall", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    let status = compiler.stdin(Stdio::null()).status().await.map_err(|error| failed(&error))?;
    if status.success() { Ok(library) } else { Err(failed(&status)) }
}

/// Who is counted, and how.
pub(crate) struct Run<'a> {
    /// The service.
    pub(crate) world: &'a World,
    /// What is asked.
    pub(crate) case: Case,
    /// Whose binary.
    pub(crate) program: &'a Path,
    /// How it is started.
    pub(crate) start: Start,
    /// Where profiles go, for `callgrind_annotate`.
    pub(crate) folder: &'a Path,
    /// What [`slow_clock`] made.
    pub(crate) clock: &'a Path,
}

impl Run<'_> {
    /// Counts what the program executes. A program that is not ours need not ask `DynamoDB` as ours do.
    pub(crate) async fn count(&self, ours: bool) -> Result<Counted, Error> {
        let (begun, before) = self.counted(self.start, 0, ours).await?;
        let (cold, opened) = self.counted(self.start, 1, ours).await?;
        let (all, _) = self.counted(self.start, 1 + WARM, ours).await?;
        let ready = match (self.start, self.case.kind) {
            // Our root takes some reading, which is nothing that ships.
            (Start::Cold, Kind::Wallet | Kind::Authorizer) => {
                self.counted(Start::Alone, 0, ours).await?.0
            }
            // Who fetches a secret has to trust somebody.
            (Start::Cold, Kind::Psp | Kind::Schedule) | (Start::Alone | Start::Warmed, _) => begun,
        };
        Ok(Counted {
            ready,
            cold,
            first: cold - begun,
            warm: (all - cold) / WARM as u64,
            opened_before: before,
            opened_for_first: opened - before,
        })
    }

    /// A process that is asked so many events, and has to ask `DynamoDB` as often as it should, over one connection.
    async fn counted(&self, start: Start, count: usize, ours: bool) -> Result<(u64, usize), Error> {
        let case = self.case;
        let events = case.events(self.world, count).await?;
        self.world.local.dynamodb().forget_requests();
        let (total, opened) = self.process(start, &events).await?;
        let requests = self.world.local.dynamodb().requests();
        let own = requests.iter().filter(|one| one.function == case.function).count();
        let warm_up = usize::from(start == Start::Warmed && case.kind != Kind::Authorizer);
        let expected = warm_up + count * case.requests as usize;
        let connections = usize::from(expected > 0);
        if !ours || (own, opened) == (expected, connections) {
            return Ok((total, opened));
        }
        Err(Error::failed(
            case.function,
            format!(
                "{start:?}, {count} events: {own} requests over {opened} connections, expected {expected} over {connections}"
            ),
        ))
    }

    /// One process: the instructions, and the connections to `DynamoDB` that it opened.
    async fn process(&self, start: Start, events: &[Value]) -> Result<(u64, usize), Error> {
        let (world, function) = (self.world, self.case.function);
        let name = format!("{function}-{start:?}-{}.callgrind", events.len()).to_lowercase();
        let out = self.folder.join(name);
        let doors = Doors::open(world).await?;
        let file = format!("--callgrind-out-file={}", out.display());
        let under = ["valgrind", "--quiet", "--tool=callgrind", &file].map(str::to_owned);
        let mut environment = world.environment(&doors, function, start);
        // Alone it makes no call, so no time limit applies: the clock's own instructions are not counted.
        if start != Start::Alone {
            environment.insert("LD_PRELOAD".to_owned(), self.clock.to_string_lossy().into_owned());
        }
        let mut instance = Instance::start(function, self.program, &under, &environment).await?;
        instance.ready().await?;
        for event in events {
            succeeded(function, &instance.ask(event).await?.body)?;
        }
        instance.end().await?;
        let failed = |why: &dyn std::fmt::Display| Error::failed("callgrind", why);
        let text = std::fs::read_to_string(&out).map_err(|error| failed(&error))?;
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        let total = total.and_then(|total| total.trim().parse().ok());
        Ok((total.ok_or_else(|| failed(&out.display()))?, doors.dynamodb.opened()))
    }
}

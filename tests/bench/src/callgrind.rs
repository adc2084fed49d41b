//! Instructions, by `valgrind --tool=callgrind`: all that a process executes itself, not what the kernel does for it.
//!
//! Each figure is the difference between two processes that differ in one event.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// How often a run is repeated in which something was late: under valgrind all is slow, and limits on time are those that ship.
const TRIES: usize = 9;

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
}

impl Run<'_> {
    /// Counts what the program executes. A program that is not ours need not ask `DynamoDB` as ours do.
    pub(crate) async fn count(&self, ours: bool) -> Result<Counted, Error> {
        let (begun, before) = self.undisturbed(self.start, 0, ours).await?;
        let (cold, opened) = self.undisturbed(self.start, 1, ours).await?;
        let (all, _) = self.undisturbed(self.start, 1 + WARM, ours).await?;
        let ready = match (self.start, self.case.kind) {
            // Our root takes some reading, which is nothing that ships.
            (Start::Cold, Kind::Wallet | Kind::Authorizer) => {
                self.undisturbed(Start::Alone, 0, ours).await?.0
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

    /// A process in which nothing was late: it asked `DynamoDB` as often as it had to, over one connection.
    async fn undisturbed(
        &self,
        start: Start,
        count: usize,
        ours: bool,
    ) -> Result<(u64, usize), Error> {
        let case = self.case;
        let warm_up = usize::from(start == Start::Warmed && case.kind != Kind::Authorizer);
        let expected = warm_up + count * case.requests as usize;
        let mut last = Error::failed(case.function, "not tried");
        for _ in 0..TRIES {
            let events = case.events(self.world, count).await?;
            self.world.local.dynamodb().forget_requests();
            last = match self.process(start, &events).await {
                Ok((total, opened)) => {
                    let requests = self.world.local.dynamodb().requests();
                    let own = requests.iter().filter(|one| one.function == case.function).count();
                    if !ours || (own == expected && opened == usize::from(expected > 0)) {
                        return Ok((total, opened));
                    }
                    let met = format!("{own} requests over {opened} connections, not {expected}");
                    Error::failed(case.function, met)
                }
                Err(error) => error,
            };
        }
        Err(last)
    }

    /// One process: the instructions, and the connections to `DynamoDB` that it opened.
    async fn process(&self, start: Start, events: &[Value]) -> Result<(u64, usize), Error> {
        let (world, function) = (self.world, self.case.function);
        let name = format!("{function}-{start:?}-{}.callgrind", events.len()).to_lowercase();
        let out = self.folder.join(name);
        let doors = Doors::open(world).await?;
        let file = format!("--callgrind-out-file={}", out.display());
        let under = ["valgrind", "--quiet", "--tool=callgrind", &file].map(str::to_owned);
        let environment = world.environment(&doors, function, start);
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

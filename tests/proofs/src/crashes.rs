//! Crash points: every change that an operation makes outside of itself, with the function killed (SIGKILL) before and after it,
//! and with a client who asks again and one who does not. All end as if the operation had been done once, or never been asked for.

mod outcome;
mod point;
mod scene;
mod stage;
mod world;

use std::fmt;

use local::doors::Moment;

use crate::{Failure, Functions};
use outcome::Outcome;
use point::{Client, Crash};
pub use scene::{SCENES, Scene};
use world::World;

/// One crash and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The operation.
    pub scene: &'static str,
    /// The change at which its function was killed, and which of the operation's it is.
    pub change: String,
    /// `before` or `after`.
    pub moment: &'static str,
    /// Whether the client asked again.
    pub again: bool,
    /// How it ended.
    pub end: &'static str,
}

/// Every crash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// One for each.
    pub rows: Vec<Row>,
}

/// Runs one operation's crashes, or all.
///
/// # Errors
/// One of them does not end as it has to; or it could not be tried.
pub fn run(functions: &Functions, only: Option<&str>) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::cannot_run(&error))?;
    let chosen = SCENES.iter().filter(|scene| only.is_none_or(|only| scene.name == only));
    let scenes: Vec<&Scene> = chosen.collect();
    if scenes.is_empty() {
        return Err(Failure::CannotRun(format!("no operation is called {only:?}")));
    }
    let done = runtime.block_on(async {
        let mut world = World::start(functions).await?;
        let mut report = Report::default();
        for scene in scenes {
            report.rows.extend(crashes(&mut world, scene).await?);
        }
        Ok(report)
    });
    runtime.shutdown_background();
    done
}

/// How an operation may end.
struct Ends {
    never_asked: Outcome,
    done: Outcome,
    unheard: Outcome,
    twice: Outcome,
}

/// All crashes of one operation. Its changes are those that it was seen to make, and they have to be those that the scene names:
/// so that a new one is not forgotten.
async fn crashes(world: &mut World, scene: &'static Scene) -> Result<Vec<Row>, Failure> {
    let (never_asked, _) = point::play(world, scene, None, Client::NEVER_ASKS).await?;
    let (done, changes) = point::play(world, scene, None, Client::WAITS).await?;
    let (unheard, _) = point::play(world, scene, None, Client::VANISHES).await?;
    let (twice, _) = point::play(world, scene, None, Client::ASKS_TWICE).await?;
    let ends = Ends { never_asked, done, unheard, twice };
    let seen: Vec<String> = changes.iter().map(ToString::to_string).collect();
    if seen != scene.changes {
        let what = format!("{} changed {seen:?}, and not {:?}", scene.name, scene.changes);
        return Err(Failure::Violation(what, Vec::new()));
    }
    let mut rows = Vec::new();
    for (place, change) in seen.iter().enumerate() {
        for (moment, word) in [(Moment::Before, "before"), (Moment::After, "after")] {
            for again in [false, true] {
                let crash = Crash { place, moment, change: change.clone() };
                let client = if again { Client::ASKS_AGAIN } else { Client::VANISHES };
                let (outcome, _) = point::play(world, scene, Some(&crash), client).await?;
                let row = |end| Row {
                    scene: scene.name,
                    change: format!("{} {change}", place + 1),
                    moment: word,
                    again,
                    end,
                };
                match ends.of(scene, &outcome, again) {
                    Some(end) => rows.push(row(end)),
                    None => return Err(ends.violation(&row("otherwise"), &outcome)),
                }
            }
        }
    }
    Ok(rows)
}

impl Ends {
    /// How it ended, if that is one of the ways in which it may.
    fn of(&self, scene: &Scene, outcome: &Outcome, again: bool) -> Option<&'static str> {
        if *outcome == self.done {
            return Some("done once");
        }
        if again {
            return (scene.may_repeat && *outcome == self.twice).then_some("done twice, as asked");
        }
        if *outcome == self.never_asked {
            return Some("never asked");
        }
        (*outcome == self.unheard).then_some("done, and nobody came")
    }

    fn violation(&self, row: &Row, outcome: &Outcome) -> Failure {
        let Row { scene, change, moment, again, .. } = row;
        let again = if *again { "asked again" } else { "nobody asked again" };
        let what = format!("{scene}: killed {moment} {change}, {again}: ended as {outcome:?}");
        let history = vec![
            format!("never asked: {:?}", self.never_asked),
            format!("done: {:?}", self.done),
            format!("done, and nobody came: {:?}", self.unheard),
            format!("done twice: {:?}", self.twice),
        ];
        Failure::Violation(what, history)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| operation | change | killed | asked again | ended |\n|---|---|---|---|---|"
        )?;
        for Row { scene, change, moment, again, end } in &self.rows {
            let again = if *again { "yes" } else { "no" };
            writeln!(f, "| {scene} | {change} | {moment} | {again} | {end} |")?;
        }
        write!(f, "{} crashes: all converge", self.rows.len())
    }
}

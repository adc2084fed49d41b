//! One play: what is there, the operation, perhaps a crash, perhaps a second time, and then time passes.

use local::doors::{Change, Moment};

use super::outcome::{Outcome, shown};
use super::scene::Scene;
use super::stage::{GOOD, Stage};
use super::world::{Lost, Request, World, violation};
use crate::Failure;
use crate::order::Answer;
use crate::order::operation::Operation;

/// Where a function is killed.
#[derive(Debug, Clone)]
pub(super) struct Crash {
    /// How many changes it makes before.
    pub(super) place: usize,
    pub(super) moment: Moment,
    /// Which change it is.
    pub(super) change: String,
}

/// What the client does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    asks: bool,
    asks_again: bool,
    hears: bool,
}

impl Client {
    pub(super) const NEVER_ASKS: Self = Self { asks: false, asks_again: false, hears: false };
    /// Asks, and goes on with the answer, if there is one.
    pub(super) const WAITS: Self = Self { asks: true, asks_again: false, hears: true };
    /// Asks, and is gone.
    pub(super) const VANISHES: Self = Self { asks: true, asks_again: false, hears: false };
    /// Asks, and once more when there is no answer.
    pub(super) const ASKS_AGAIN: Self = Self { asks: true, asks_again: true, hears: true };
    /// Asks twice, whatever the answer.
    pub(super) const ASKS_TWICE: Self = Self::ASKS_AGAIN;
}

/// Plays a scene: how it ended, and what the operation changed.
pub(super) async fn play(
    world: &mut World,
    scene: &Scene,
    crash: Option<&Crash>,
    client: Client,
) -> Result<(Outcome, Vec<Change>), Failure> {
    let mut stage = Stage::new(world.customer());
    scene.setting.prepare(world, &mut stage).await?;
    let request = scene.setting.request(world, &stage);
    let doors = world.local.doors();
    doors.forget();
    let mut heard = None;
    if client.asks {
        heard = match crash {
            None => Some(answered(world, &request).await?),
            Some(crash) => {
                killed(world, &request, crash).await?;
                None
            }
        };
    }
    let changes = doors.passed();
    if client.asks_again {
        world.pass("PT1S")?;
        heard = Some(answered(world, &request).await?);
    }
    // Whoever hears of a page sends the customer there.
    let uri = heard.as_ref().and_then(|answer| answer.body["terminalUri"].as_str());
    if let Some(uri) = uri.filter(|_| client.hears) {
        world.enter(uri, GOOD).await?;
    }
    let outcome = end(world, &stage).await?;
    world.forget(&stage.customer).await?;
    Ok((outcome, changes))
}

async fn answered(world: &World, request: &Request) -> Result<Answer, Failure> {
    let answer = world.send(request).await;
    let answer = answer.map_err(|lost| lost.failure(request.operation.function()))?;
    if answer.status >= 500 && answer.status != 503 {
        return Err(violation(format!("{request:?} was answered {answer:?}")));
    }
    Ok(answer)
}

/// Has the function killed at its change.
async fn killed(world: &World, request: &Request, crash: &Crash) -> Result<(), Failure> {
    let mut held = world.local.doors().hold(crash.place, crash.moment);
    let function = request.operation.function();
    let killing = async {
        let met = held.met().await;
        world.kill(function);
        met.map(|change| change.to_string())
    };
    let met = tokio::select! {
        (met, lost) = async { tokio::join!(killing, world.send(request)) } => match lost {
            Err(Lost::Killed) => met,
            other => return Err(violation(format!("{function} was not killed: {other:?}"))),
        },
        // A change that never comes would be waited for without an end.
        () = tokio::time::sleep(std::time::Duration::from_mins(1)) => None,
    };
    if met.as_deref() == Some(crash.change.as_str()) {
        Ok(())
    } else {
        Err(violation(format!("{function}: expected {crash:?}, met {met:?}")))
    }
}

/// Time passes, and the schedules do what is due: how everything ended.
async fn end(world: &World, stage: &Stage) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    for time in ["PT2S", "PT61S", "PT4M", "PT12M"] {
        world.pass(time)?;
        world.do_what_is_due(&stage.customer).await?;
    }
    outcome.soon = seen(world, stage).await?;
    for time in ["PT1H", "PT24H"] {
        world.pass(time)?;
        world.do_what_is_due(&stage.customer).await?;
    }
    outcome.late = seen(world, stage).await?;
    outcome.verified = world.verified(&stage.customer)?;
    for (_, kind) in world.told()? {
        *outcome.told.entry(kind).or_default() += 1;
    }
    Ok(outcome)
}

/// What is stored, and what a list shows: exactly one primary, when any is live.
async fn seen(world: &World, stage: &Stage) -> Result<Vec<super::outcome::Shown>, Failure> {
    let stored = world.stored(&stage.customer).await?;
    if stored.as_ref().is_some_and(|item| !item.right_pan_hashes) {
        return Err(violation(format!("a pan hash is where it must not be: {stored:?}")));
    }
    let wallet = stored.map(|item| item.wallet.at(world.now()));
    let list = Operation::List(stage.customer.clone(), true);
    let list = answered(world, &Request::partner(list)).await?.body;
    let list = list.as_array().cloned().unwrap_or_default();
    let live = wallet.as_ref().is_some_and(|wallet| wallet.primary().is_some());
    let primary: Vec<_> = list.iter().filter(|one| one["primary"] == true).collect();
    if primary.len() != usize::from(live) {
        return Err(violation(format!("not exactly one is primary: {list:?}")));
    }
    Ok(shown(wallet.as_ref()))
}

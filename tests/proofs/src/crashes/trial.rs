//! One run of a scenario: preparation, operation, optional crash, optional retry, and then the schedules.

use local::side_effects::{HoldPoint, SideEffect};

use super::fixture::{Fixture, VALID_CARD};
use super::outcome::{Outcome, charge_views, history_view, payment_views};
use super::scenario::{Case, Scenario};
use super::world::{NoResponse, Request, World, violation};
use crate::Failure;
use crate::order::Response;
use crate::order::operation::Operation;
use crate::order::payments::check_payment;

/// How often a client sends a request about a payment again.
const MAX_RETRIES: usize = 8;

/// The point at which a function is killed.
#[derive(Debug, Clone)]
pub(super) struct Crash {
    /// The number of side effects before it.
    pub(super) index: usize,
    pub(super) moment: HoldPoint,
    /// The expected side effect.
    pub(super) side_effect: String,
}

/// The behaviour of the client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    sends: bool,
    retries: bool,
    follows_response: bool,
}

impl Client {
    pub(super) const SENDS_NOTHING: Self =
        Self { sends: false, retries: false, follows_response: false };
    /// Sends the request once and uses the response.
    pub(super) const WAITS_FOR_RESPONSE: Self =
        Self { sends: true, retries: false, follows_response: true };
    /// Sends the request and does not receive the response.
    pub(super) const DISCONNECTS: Self =
        Self { sends: true, retries: false, follows_response: false };
    /// Sends the request, and sends it again when there is no response.
    pub(super) const RETRIES: Self = Self { sends: true, retries: true, follows_response: true };
    /// Sends the request twice. Without a crash this is the same as [`Self::RETRIES`].
    pub(super) const SENDS_TWICE: Self = Self::RETRIES;
}

/// Runs a scenario. Returns the outcome and the side effects of the operation.
pub(super) async fn run(
    world: &mut World,
    scenario: &Scenario,
    crash: Option<&Crash>,
    client: Client,
) -> Result<(Outcome, Vec<SideEffect>), Failure> {
    let mut fixture = Fixture::new(world.customer());
    scenario.case.prepare(world, &mut fixture).await?;
    let request = scenario.case.request(world, &fixture);
    let side_effects = world.local.side_effects();
    side_effects.clear();
    let mut response = None;
    if client.sends {
        response = match crash {
            None => Some(send(world, &request).await?),
            Some(crash) => {
                send_and_kill(world, &request, crash).await?;
                None
            }
        };
    }
    let recorded = side_effects.recorded();
    if client.retries {
        response = Some(retry(world, scenario, &fixture, &request).await?);
    }
    if let (Case::Payment(case), Some(response), true) =
        (scenario.case, &response, client.follows_response)
    {
        case.follow(world, &mut fixture, response).await?;
        return finish(world, &fixture, recorded).await;
    }
    // A client that receives the address of a terminal redirects the customer to it.
    let uri = response.as_ref().and_then(|response| response.body["terminalUri"].as_str());
    if let Some(uri) = uri.filter(|_| client.follows_response) {
        world.enter_card(uri, VALID_CARD).await?;
    }
    finish(world, &fixture, recorded).await
}

/// Lets the schedules do their work, and removes what the run stored. Returns the outcome and the side effects.
async fn finish(
    world: &World,
    fixture: &Fixture,
    side_effects: Vec<SideEffect>,
) -> Result<(Outcome, Vec<SideEffect>), Failure> {
    let outcome = final_outcome(world, fixture).await?;
    world.delete(&fixture.customer).await?;
    Ok((outcome, side_effects))
}

/// Sends the request again. For a payment, until the response is neither 503 nor busy, at the time that the response names.
async fn retry(
    world: &World,
    scenario: &Scenario,
    fixture: &Fixture,
    request: &Request,
) -> Result<Response, Failure> {
    for _ in 0..MAX_RETRIES {
        world.advance_clock("PT1S")?;
        let response = send(world, request).await?;
        let is_unclear = response.status == 503 || response.body["errorReason"] == "RESOURCE_BUSY";
        if !(is_unclear && matches!(scenario.case, Case::Payment(_))) {
            return Ok(response);
        }
        let seconds = response.headers["retry-after"].as_str().unwrap_or("1");
        world.advance_clock(&format!("PT{seconds}S"))?;
        fixture.run_schedules(world).await?;
    }
    Err(violation(format!("{request:?} has no clear response after {MAX_RETRIES} retries")))
}

async fn send(world: &World, request: &Request) -> Result<Response, Failure> {
    let response = world.send(request).await;
    let response = response.map_err(|error| error.failure(request.operation.function()))?;
    if response.status >= 500 && response.status != 503 {
        return Err(violation(format!("the response to {request:?} is {response:?}")));
    }
    Ok(response)
}

/// Sends a request and kills the function at the side effect of `crash`.
async fn send_and_kill(world: &World, request: &Request, crash: &Crash) -> Result<(), Failure> {
    let mut held = world.local.side_effects().hold(crash.index, crash.moment);
    let function = request.operation.function();
    let kill = async {
        let reached = held.reached().await;
        world.kill(function);
        reached.map(|side_effect| side_effect.to_string())
    };
    let reached = tokio::select! {
        (reached, result) = async { tokio::join!(kill, world.send(request)) } => match result {
            Err(NoResponse::Killed) => reached,
            other => return Err(violation(format!("{function} was not killed: {other:?}"))),
        },
        // If the side effect does not happen, the hold would wait forever.
        () = tokio::time::sleep(std::time::Duration::from_mins(1)) => None,
    };
    if reached.as_deref() == Some(crash.side_effect.as_str()) {
        Ok(())
    } else {
        Err(violation(format!("{function}: expected {crash:?}, reached {reached:?}")))
    }
}

/// Advances the clock by a day in steps and runs the schedules. Returns the outcome.
async fn final_outcome(world: &World, fixture: &Fixture) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    for time in ["PT2S", "PT61S", "PT4M", "PT12M"] {
        world.advance_clock(time)?;
        world.run_due_schedules(&fixture.customer).await?;
    }
    outcome.after_minutes = check_payments(world, fixture).await?;
    for time in ["PT1H", "PT24H"] {
        world.advance_clock(time)?;
        world.run_due_schedules(&fixture.customer).await?;
    }
    outcome.after_a_day = check_payments(world, fixture).await?;
    outcome.histories = histories(world, fixture).await?;
    if let Some(payment) = world.settle_payment(&fixture.customer).await? {
        let ledger = world.registrations(payment.id);
        check_payment(&payment, &ledger.iter().collect::<Vec<_>>()).map_err(violation)?;
        outcome.charges = charge_views(&payment);
    }
    outcome.verified = world.verified(&fixture.customer)?;
    for (_, kind) in world.notifications()? {
        *outcome.notifications.entry(kind).or_default() += 1;
    }
    Ok(outcome)
}

/// Returns the history of each stored recurring payment. An operation that is done once is in it once.
async fn histories(world: &World, fixture: &Fixture) -> Result<Vec<Vec<String>>, Failure> {
    let mut histories = Vec::new();
    let Some(item) = world.stored(&fixture.customer).await? else { return Ok(histories) };
    for payment in &item.wallet.at(world.now()).payments {
        let history = Operation::History(item.wallet.id(payment.sequence));
        let changes = send(world, &Request::partner(history)).await?.body;
        let Some(changes) = changes.as_array().filter(|changes| !changes.is_empty()) else {
            return Err(violation(format!("the history is {changes}")));
        };
        histories.push(changes.iter().map(history_view).collect());
    }
    Ok(histories)
}

/// Returns the stored recurring payments. Checks pan hashes, and that a list has exactly one primary if any payment is live.
async fn check_payments(
    world: &World,
    fixture: &Fixture,
) -> Result<Vec<super::outcome::PaymentView>, Failure> {
    let stored = world.stored(&fixture.customer).await?;
    if stored.as_ref().is_some_and(|item| !item.has_correct_pan_hashes) {
        return Err(violation(format!("a pan hash is missing or not deleted: {stored:?}")));
    }
    let wallet = stored.map(|item| item.wallet.at(world.now()));
    let list = Operation::List(fixture.customer.clone(), true);
    let list = send(world, &Request::partner(list)).await?.body;
    let list = list.as_array().cloned().unwrap_or_default();
    let has_live = wallet.as_ref().is_some_and(|wallet| wallet.primary().is_some());
    let primary: Vec<_> = list.iter().filter(|payment| payment["primary"] == true).collect();
    if primary.len() != usize::from(has_live) {
        return Err(violation(format!("the number of primaries is wrong: {list:?}")));
    }
    Ok(payment_views(wallet.as_ref()))
}

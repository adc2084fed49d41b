//! A purchase, a credit and an auto sale in which something is lost at each step: the client, the function, Nets' reply, or the
//! table's reply. Afterwards the client repeats its requests, or only the schedule runs. At the sandbox the order's amount is captured
//! once or not at all, a credit is made once or not at all, nothing is held for ever, and the status tells the truth.
//!
//! A plain `cargo test` runs a sample of the rows ([`rows::selected`]), and all of them with `TEST_SIZE=full`. The tables are printed
//! with `--nocapture`.

mod credits;
mod rows;
mod sales;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use local::dynamodb::Faults;
use local::netaxept::Operation;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{AMOUNT, AMOUNT_MINOR, COLLECTION, Charge, DONE, order};
use crate::{Response, TestApi, VISA};
use rows::Step::{Capture, Create, Page, Terminal};
use rows::{CLIENTS_AND_FUNCTIONS, Loss, NETS, Row, Step, TABLES, selected};

/// A fault of the tables that begins after a write of a function.
type PendingFault = Arc<Mutex<Option<(&'static str, Loss)>>>;

/// A service, and the faults that begin later.
struct World {
    api: TestApi,
    card: Value,
    pending: PendingFault,
}

/// A purchase in which something was lost: its transaction, if there is one, and the status of the step's answer.
struct Interrupted {
    charge: Option<Charge>,
    answer: Option<StatusCode>,
    uri: Option<String>,
}

impl World {
    async fn new() -> Self {
        let api = TestApi::new().await;
        let card = api.create_agreed("4711", VISA).await;
        let pending = PendingFault::default();
        let (dynamodb, fault) = (api.local.dynamodb().clone(), pending.clone());
        api.local.dynamodb().observe(move |exchange| {
            let is_write = exchange.request.operation == "PutItem";
            let mut fault = fault.lock().unwrap();
            let is_next = fault
                .is_some_and(|(function, _)| is_write && exchange.request.function == function);
            match fault.take_if(|_| is_next) {
                Some((_, Loss::Writes { lost, .. })) => dynamodb.lose_replies_to_writes(lost),
                Some((_, Loss::Tables { .. })) => {
                    dynamodb.inject_faults(Faults { failed: 1, ..Faults::default() });
                }
                Some((_, Loss::Client | Loss::Function(..) | Loss::Nets(_))) | None => {}
            }
        });
        Self { api, card, pending }
    }

    /// Does a purchase until the step of the row, with the loss. Returns what is left of it.
    async fn interrupt(&self, row: &Row, order_id: &str) -> Interrupted {
        let before = self.payment_ids().await;
        let body = order(order_id, &self.card, AMOUNT);
        let created = self.call(row, Create, "POST", COLLECTION, Some(&body)).await;
        let payments = self.payment_ids().await;
        let new = payments.into_iter().find(|id| !before.contains(id));
        let charge = new.map(|payment| Charge { payment, transaction: payment << 4 });
        let stopped = |answer: Option<StatusCode>| Interrupted { charge, answer, uri: None };
        if row.step == Create {
            return stopped(created.map(|response| response.status));
        }
        let charge = charge.unwrap();
        let body = json!({ "redirectUrl": DONE });
        let opened = self.call(row, Terminal, "POST", &charge.path("/terminal"), Some(&body)).await;
        if row.step == Terminal {
            return stopped(opened.map(|response| response.status));
        }
        let uri = opened.unwrap().json()["terminalUri"].as_str().unwrap().to_owned();
        if row.step == Page {
            self.begin(row);
        }
        let code = [("securityCode", "123"), ("okButton", "x")];
        let page = self.api.http.post(&uri).form(&code).send().await.ok();
        if row.step == Page {
            let answer = page.map(|page| page.status());
            return Interrupted { charge: Some(charge), answer, uri: Some(uri) };
        }
        let captured = self.call(row, Capture, "PUT", &charge.path("/capture"), None).await;
        let answer = captured.map(|response| response.status);
        if answer == Some(StatusCode::OK) {
            let captured_minor = self.api.ledger(charge).captured_minor;
            assert_eq!(captured_minor, AMOUNT_MINOR, "{:?}", row.describe());
        }
        Interrupted { charge: Some(charge), answer, uri: Some(uri) }
    }

    async fn payment_ids(&self) -> Vec<u64> {
        let items = self.api.payment_items().await;
        items.iter().map(|item| item["payment"]["N"].as_str().unwrap().parse().unwrap()).collect()
    }

    /// Sends the request of a step, with the loss if it is the step of the row. Returns no response if the function was killed.
    async fn call(
        &self,
        row: &Row,
        step: Step,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<Response> {
        let request = self.api.call(method, path, body);
        if row.step != step {
            return Some(request.await);
        }
        let response = self.lose(row, request).await;
        if matches!(row.loss, Loss::Function(..)) {
            assert_eq!(response.status, StatusCode::INTERNAL_SERVER_ERROR);
            return None;
        }
        // A loss is never answered with a refusal that would make the client give up.
        let is_busy = || response.json()["errorReason"] == "RESOURCE_BUSY";
        let is_safe = response.status.is_success()
            || response.status == StatusCode::SERVICE_UNAVAILABLE
            || is_busy();
        assert!(is_safe, "{:?}: {response:?}", row.describe());
        Some(response)
    }

    /// Runs the function of the row's step, with the loss.
    async fn lose<T>(&self, row: &Row, run: impl Future<Output = T>) -> T {
        self.begin(row);
        let Loss::Function(before, effect, point) = row.loss else {
            let result = run.await;
            self.end();
            let left = self.api.remove_nets_faults().await;
            assert_eq!(left, 0, "each fault has happened: {:?}", row.describe());
            return result;
        };
        let mut held = self.api.local.side_effects().hold(before, point);
        let kill = async {
            let reached = held.reached().await;
            for instance in self.api.local.lambda().instances(row.step.function()) {
                self.api.local.lambda().kill(instance);
            }
            reached.map(|side_effect| side_effect.to_string())
        };
        let both = async { tokio::join!(run, kill) };
        let both = tokio::time::timeout(Duration::from_secs(20), both).await;
        let (result, reached) = both.unwrap_or_else(|_| panic!("{:?}", row.describe()));
        assert_eq!(reached.as_deref(), Some(effect), "{:?}", row.describe());
        result
    }

    /// Begins the loss of a row.
    fn begin(&self, row: &Row) {
        let dynamodb = self.api.local.dynamodb();
        match row.loss {
            Loss::Client | Loss::Function(..) => {}
            Loss::Nets(faults) => {
                let nets = self.api.local.netaxept();
                for (operation, kind, delay) in faults {
                    match delay {
                        None => nets.inject_fault(*operation, *kind, 1),
                        Some(seconds) => nets.inject_delayed_fault(*operation, *kind, *seconds),
                    }
                }
            }
            Loss::Writes { before: 0, lost } => dynamodb.lose_replies_to_writes(lost),
            Loss::Tables { before: 0 } => {
                dynamodb.inject_faults(Faults { failed: 1, ..Faults::default() });
            }
            Loss::Writes { .. } | Loss::Tables { .. } => {
                *self.pending.lock().unwrap() = Some((row.step.function(), row.loss));
            }
        }
    }

    /// Ends the faults of the tables.
    fn end(&self) {
        let pending = self.pending.lock().unwrap().take();
        assert!(pending.is_none(), "the fault began");
        self.api.local.dynamodb().inject_faults(Faults::default());
        self.api.local.dynamodb().lose_replies_to_writes(0);
    }

    /// Repeats the requests of a purchase, as a client does that has lost an answer. Returns the number of captures.
    async fn repeat(&self, row: &Row, order_id: &str, uri: Option<String>) -> (Charge, usize) {
        let created = self.api.post_order(&order(order_id, &self.card, AMOUNT)).await;
        assert!(created.status.is_success(), "{:?}: {created:?}", row.describe());
        let charge = Charge::newest(&created.json());
        if uri.is_none() {
            let uri = self.api.open_page(charge).await;
            self.api.enter_code(&uri).await;
        }
        for captures in 1..=3 {
            if self.is_captured(row, charge).await {
                return (charge, captures);
            }
        }
        panic!("{:?}: not captured by three requests", row.describe());
    }

    /// Captures a transaction. Returns whether the answer is 200. Every other answer asks the client to repeat the request.
    async fn is_captured(&self, row: &Row, charge: Charge) -> bool {
        let captured = self.api.capture(charge).await;
        let is_captured = captured.status == StatusCode::OK;
        if is_captured {
            assert_eq!(captured.json()["status"], "CAPTURED");
        } else {
            assert_can_be_repeated(row, &captured);
        }
        is_captured
    }
}

/// Asserts that an answer asks the client to repeat the request.
fn assert_can_be_repeated(row: &Row, response: &Response) {
    let is_unavailable = response.status == StatusCode::SERVICE_UNAVAILABLE;
    let is_busy = || response.json()["errorReason"] == "RESOURCE_BUSY";
    assert!(is_unavailable || is_busy(), "{:?}: {response:?}", row.describe());
}

/// The end of a purchase, for the printed table.
async fn outcome(api: &TestApi, row: &Row, charge: Charge, is_paid: bool) -> String {
    let (ledger, status) = (api.ledger(charge), api.status(charge).await);
    let (captured, context) = (if is_paid { AMOUNT_MINOR } else { 0 }, row.describe());
    assert_eq!((ledger.captured_minor, ledger.held_minor), (captured, 0), "{context:?}");
    assert_eq!(status, if is_paid { "CAPTURED" } else { "CANCELLED" }, "{context:?}");
    let is_at_most_once = ledger.count("AUTH") <= 1 && ledger.count("CAPTURE") <= 1;
    assert!(is_at_most_once, "{context:?}: {ledger:?}");
    format!("{}.{:02} {status}", ledger.captured_minor / 100, ledger.captured_minor % 100)
}

/// The status of an answer, for the printed table.
fn shown(answer: Option<StatusCode>) -> String {
    answer.map_or("none".to_owned(), |status| status.as_u16().to_string())
}

/// Does every purchase twice: the client repeats its requests, or only the schedule runs. Then two days pass. Returns the rows of the
/// printed table.
async fn run(rows: &[Row]) -> String {
    let mut world = World::new().await;
    let (mut repeated, mut left) = (Vec::new(), Vec::new());
    for (turn, row) in rows.iter().enumerate() {
        let order_id = format!("repeated-{turn}");
        let interrupted = world.interrupt(row, &order_id).await;
        repeated.push(world.repeat(row, &order_id, interrupted.uri).await);
        left.push(world.interrupt(row, &format!("left-{turn}")).await);
    }
    let calls = |api: &TestApi| {
        [Operation::Auth, Operation::Capture].map(|call| api.local.netaxept().calls(call))
    };
    let before = calls(&world.api);
    for time in ["PT1M", "PT4M", "PT11M", "PT44M", "PT10H", "PT14H", "PT24H"] {
        world.api.advance_and_settle(time).await;
    }
    let api = &world.api;
    assert_eq!(calls(api), before, "the schedule takes no money");
    let mut table = Vec::new();
    for ((row, (charge, captures)), left) in rows.iter().zip(repeated).zip(left) {
        let (step, loss) = row.describe();
        let answer = shown(left.answer);
        let of_repeated = outcome(api, row, charge, true).await;
        let of_left = match left.charge {
            Some(charge) => outcome(api, row, charge, row.is_completed).await,
            None => "nothing stored".to_owned(),
        };
        table.push(format!(
            "| {step} | {loss} | {answer} | {of_repeated} | {captures} | {of_left} |\n"
        ));
    }
    api.assert_nothing_is_planned().await;
    table.concat()
}

#[expect(clippy::print_stdout, reason = "prints the table with --nocapture")]
fn print_table(rows: &[String]) {
    let columns = "| step | lost | answer | the client repeats | requests | only the schedule |";
    println!("{columns}\n|---|---|---|---|---|---|\n{}", rows.concat());
}

#[tokio::test]
async fn a_lost_client_or_function_never_takes_the_money_twice() {
    print_table(&[run(&selected(&CLIENTS_AND_FUNCTIONS)).await]);
}

#[tokio::test]
async fn a_lost_reply_of_nets_never_takes_the_money_twice() {
    print_table(&[run(&selected(&NETS)).await]);
}

/// The functions wait between their attempts, so several services run at the same time.
#[tokio::test]
async fn a_lost_reply_of_the_table_never_takes_the_money_twice() {
    let rows = selected(&TABLES);
    print_table(&futures_util::future::join_all(rows.chunks(2).map(run)).await);
}

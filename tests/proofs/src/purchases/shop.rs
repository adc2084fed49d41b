//! The clients' side of the local service: a token, HTTP requests, and the faults that are injected into their calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use local::Local;
use local::dynamodb::Faults;
use local::netaxept::{FaultKind, Operation as AtNets};
use serde_json::{Value, json};

use super::Options;
use super::report::{Figures, Report};
use crate::Failure;
use crate::local_access::{enter_card, nets_faults};
use crate::order::operation::{NewPayment, Operation};
use crate::order::payments::operation::PaymentOperation;
use crate::order::{Parts, Response, UNTIL_SETTLED, parts};

/// One request in this many gets a fault at Nets.
const NETS_FAULT_INTERVAL: u32 = 8;
/// The card of every customer.
const CARD: &str = "4925000000000004";
/// Lifetime of the token, in seconds: the clock advances by a few days.
const TOKEN_LIFETIME: &str = "2592000";
/// Clock jumps before the long ones: an auto sale that is not captured in time ends after a day.
const MINUTES: [&str; 3] = ["PT1M2S", "PT5M", "PT17M"];
/// Number of runs after which a schedule has nothing due.
const MAX_SCHEDULE_RUNS: usize = 10;

/// A running local service and its clients.
pub(super) struct Shop {
    pub(super) local: Local,
    pub(super) http: reqwest::Client,
    token: String,
    rng: Mutex<Rng>,
    inject_faults: bool,
    figures: Arc<Mutex<Figures>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shop {
    /// Starts the local service, and gets a token.
    pub(super) async fn open(options: &Options) -> Result<Self, Failure> {
        let local_options = local::Options { callbacks: true, ..options.functions.options() };
        let cannot_run = |error: local::Error| Failure::cannot_run(&error);
        let local = Local::start(local_options).await.map_err(cannot_run)?;
        let http = local::http_client().map_err(cannot_run)?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "partner-demo"),
            ("client_secret", "partner-demo"),
            ("expires_in", TOKEN_LIFETIME),
        ];
        let address = format!("{}/oauth/token", local.addresses().issuer);
        let response = http.post(address).form(&form).send().await;
        let response: Value = response
            .map_err(|error| Failure::cannot_run(&error))?
            .json()
            .await
            .map_err(|error| Failure::cannot_run(&error))?;
        let token = response["access_token"].as_str().unwrap_or_default().to_owned();
        let rng = Mutex::new(Rng::with_seed(options.seed));
        let figures = Arc::new(Mutex::new(Figures::default()));
        let observed = figures.clone();
        local.dynamodb().observe(move |exchange| {
            lock(&observed).count_table_request(&exchange.request.function);
        });
        Ok(Self { local, http, token, rng, inject_faults: false, figures })
    }

    /// Creates customers, each with one card. Returns the ids of the recurring payments.
    pub(super) async fn store_cards(&self, customers: u64) -> Result<Vec<u64>, Failure> {
        let mut cards = Vec::new();
        for number in 0..customers {
            let customer = format!("customer-{number}");
            let new = NewPayment { customer, nickname: None, primary: None, key: None };
            let created = self.send(&Operation::Create(new)).await;
            let id = created.body["recurringPaymentId"].as_u64().unwrap_or_default();
            let opened = self.send(&Operation::Terminal(id, None)).await;
            let Some(uri) = opened.body["terminalUri"].as_str() else {
                return Err(Failure::CannotRun(format!("no terminal: {created:?}, {opened:?}")));
            };
            enter_card(&self.local, &self.http, uri, CARD).await?;
            let authorized = self.send(&Operation::Authorize(id)).await;
            if authorized.status != 200 {
                return Err(Failure::CannotRun(format!("a card is not stored: {authorized:?}")));
            }
            cards.push(id);
        }
        Ok(cards)
    }
}

/// Requests.
impl Shop {
    /// The instant of the local clock, in milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.local.clock().now().as_millisecond()
    }

    /// Sends a request about a payment. With faults, a call of Nets that the request needs may fail.
    pub(super) async fn pay(&self, operation: PaymentOperation) -> Response {
        self.inject_nets_fault(&operation);
        self.send(&Operation::Payment(operation)).await
    }

    async fn send(&self, operation: &Operation) -> Response {
        let function = operation.function();
        let started = Instant::now();
        let response = match parts(operation) {
            Some(parts) => self.send_parts(parts).await.ok(),
            None => None,
        };
        // Status 0 means that there is no response.
        let response =
            response.unwrap_or(Response { status: 0, headers: Value::Null, body: Value::Null });
        lock(&self.figures).count_response(function, &response, started.elapsed());
        response
    }

    async fn send_parts(&self, parts: Parts) -> reqwest::Result<Response> {
        let address = format!("{}{}", self.local.addresses().api, parts.path);
        let method = parts.route.split(' ').next().unwrap_or_default();
        let method = method.parse().unwrap_or(reqwest::Method::GET);
        let request = self.http.request(method, address).bearer_auth(&self.token);
        let request = request.header("et-client-name", "tests-proofs");
        let request = match &parts.body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await?;
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.and_then(|seconds| seconds.to_str().ok());
        let headers = json!({ "retry-after": retry_after });
        let status = response.status().as_u16();
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        Ok(Response { status, headers, body })
    }

    pub(super) fn count_repetition(&self) {
        lock(&self.figures).repetitions += 1;
    }
}

/// Faults.
impl Shop {
    /// From now on counts, and injects faults if the options say so.
    pub(super) fn begin(&mut self, options: &Options) {
        *lock(&self.figures) = Figures::default();
        lock(&self.figures).nets_calls_before = self.nets_calls();
        self.inject_faults = options.inject_faults;
        if options.inject_faults {
            self.local.dynamodb().inject_faults(Faults {
                seed: options.seed,
                lost: 100,
                broken: 200,
                failed: 100,
                throttled: 100,
                exceeded: 200,
                late: 400,
                slow: 300,
                stale: 2,
                delay_ms: 25,
            });
        }
    }

    fn inject_nets_fault(&self, operation: &PaymentOperation) {
        let mut rng = lock(&self.rng);
        if !self.inject_faults || rng.u32(..NETS_FAULT_INTERVAL) > 0 {
            return;
        }
        let calls: &[AtNets] = match operation {
            PaymentOperation::Terminal(..) => &[AtNets::Register],
            PaymentOperation::Capture(_) => &[AtNets::Auth, AtNets::Capture, AtNets::Query],
            PaymentOperation::Cancel(_) => &[AtNets::Query, AtNets::Annul],
            PaymentOperation::Credit(..) => &[AtNets::Query, AtNets::Credit],
            PaymentOperation::Create(_)
            | PaymentOperation::GetPayment(_)
            | PaymentOperation::GetTransaction(_)
            | PaymentOperation::Callback(_)
            | PaymentOperation::Settle => return,
        };
        let call = calls[rng.usize(..calls.len())];
        let late = if call == AtNets::Query { FaultKind::Stale } else { FaultKind::ArriveLate };
        let fault = match rng.u32(..10) {
            0..3 => FaultKind::DropReply,
            3..5 => FaultKind::DropRequest,
            5..7 => FaultKind::Http500,
            7..9 => late,
            _ => FaultKind::Delay,
        };
        self.local.netaxept().inject_fault(call, fault, 1);
        lock(&self.figures).count_nets_fault(&json!(call), &json!(fault), 1);
    }

    /// Ends the faults. Those of Nets that no call has used do not count.
    async fn end_faults(&self) -> Result<(), Failure> {
        self.local.dynamodb().inject_faults(Faults::default());
        let faults = nets_faults(&self.local);
        let unused = self.http.get(&faults).send().await;
        let unused = unused.map_err(|error| Failure::cannot_run(&error))?.json().await;
        let unused: Value = unused.map_err(|error| Failure::cannot_run(&error))?;
        for fault in unused.as_array().into_iter().flatten() {
            let count = fault["count"].as_i64().unwrap_or_default();
            lock(&self.figures).count_nets_fault(&fault["operation"], &fault["kind"], -count);
        }
        let removed = self.http.delete(faults).send().await;
        removed.map(drop).map_err(|error| Failure::cannot_run(&error))
    }

    /// The number of calls of each operation of Nets so far.
    fn nets_calls(&self) -> BTreeMap<&'static str, usize> {
        let calls = [
            ("Register", AtNets::Register),
            ("AUTH", AtNets::Auth),
            ("CAPTURE", AtNets::Capture),
            ("ANNUL", AtNets::Annul),
            ("CREDIT", AtNets::Credit),
            ("Query", AtNets::Query),
        ];
        calls.map(|(name, call)| (name, self.local.netaxept().calls(call))).into()
    }
}

/// The schedules, and the end of the run.
impl Shop {
    /// Moves the local clock.
    pub(super) fn advance(&self, by: &str) -> Result<(), Failure> {
        self.local.clock().advance(by).map(drop).map_err(|error| Failure::cannot_run(&error))
    }

    /// Runs each schedule once. Returns the number of wallets and payments that were due. With faults, a run can fail.
    pub(super) async fn run_schedules(&self) -> u64 {
        let mut due = 0;
        for function in self.local.scheduler().functions() {
            let run = self.local.scheduler().run(function).await;
            let summary = run.unwrap_or_default();
            lock(&self.figures).schedule_runs += 1;
            due += summary["due"].as_u64().unwrap_or(1);
        }
        due
    }

    /// Ends the faults, and lets time pass until the schedules have nothing to do for any payment.
    pub(super) async fn settle(&self) -> Result<(), Failure> {
        for by in MINUTES.into_iter().chain(UNTIL_SETTLED) {
            self.advance(by)?;
            let mut runs = 0;
            while self.run_schedules().await > 0 {
                runs += 1;
                if runs == MAX_SCHEDULE_RUNS {
                    let what = format!("work is still due after {runs} schedule runs");
                    return Err(Failure::Violation(what, Vec::new()));
                }
                self.advance("PT2S")?;
            }
        }
        Ok(())
    }

    /// Ends the faults, and returns the figures of the load, which took this long.
    pub(super) async fn report(&self, duration: Duration) -> Result<Report, Failure> {
        self.end_faults().await?;
        let table_faults = self.local.dynamodb().injected_faults();
        let (schedules, calls) = (self.local.scheduler(), self.nets_calls());
        let schedules = schedules.functions().map(str::to_owned).collect();
        let figures = std::mem::take(&mut *lock(&self.figures));
        Ok(Report::new(figures, duration, &calls, &schedules, table_faults))
    }
}

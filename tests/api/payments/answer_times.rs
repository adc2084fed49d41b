//! Every answer comes before 28 s, with each call to Nets close to its limit of 6 s.
//!
//! A plain `cargo test` only delays each reply by a second, and skips the requests whose time runs out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use super::{AMOUNT, AMOUNT_MINOR, Charge, DONE};
use crate::{Response, Size, TestApi, is_full_size};

/// The time after which a reply comes, in milliseconds. In the full size, the client of Nets still accepts it.
const LATENCY: Size = Size { usual: 1_000, full: 5_500 };
/// The limit of an answer.
const LIMIT: Duration = Duration::from_secs(28);

/// A service whose functions reach Nets through a proxy that delays each reply, once [`SlowNets::slow_down`] is called.
struct SlowNets {
    api: TestApi,
    proxy: String,
    latency_milliseconds: Arc<AtomicU64>,
}

impl SlowNets {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let api = TestApi::with_environment(&[("NETAXEPT_ADDRESS", &proxy)]).await;
        let sandbox = api.local.addresses().netaxept.strip_prefix("http://").unwrap().to_owned();
        let latency_milliseconds = Arc::new(AtomicU64::new(0));
        let latency = latency_milliseconds.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, sandbox.clone(), latency.clone()));
            }
        });
        Self { api, proxy, latency_milliseconds }
    }

    fn slow_down(&self) {
        self.latency_milliseconds.store(LATENCY.get(), Ordering::Relaxed);
    }

    fn speed_up(&self) {
        self.latency_milliseconds.store(0, Ordering::Relaxed);
    }

    /// Stores a card. Returns the id of the recurring payment.
    async fn card(&self) -> serde_json::Value {
        self.api.create_active("4711").await
    }

    /// Creates a payment whose customer has entered the security code. The page is not slow.
    async fn buy_with_code(&self, order_id: &str, card: &serde_json::Value) -> Charge {
        let charge = self.api.buy(order_id, card, AMOUNT).await;
        let uri = self.api.open_page(charge).await;
        let uri = uri.replace(&self.proxy, &self.api.local.addresses().netaxept);
        self.api.enter_code(&uri).await;
        charge
    }
}

/// Forwards a connection. The first part of each reply, or the end of the connection without a reply, comes later by the latency.
async fn forward(mut client: TcpStream, sandbox: String, latency: Arc<AtomicU64>) {
    let Ok(mut server) = TcpStream::connect(sandbox).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let is_awaited = AtomicBool::new(false);
    let requests = async {
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            is_awaited.store(true, Ordering::Relaxed);
            if to_server.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
        // The end of the connection comes from the sandbox, or with this client.
        if is_awaited.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let replies = async {
        let mut buffer = vec![0; 65_536];
        loop {
            let length = from_server.read(&mut buffer).await.unwrap_or_default();
            if is_awaited.swap(false, Ordering::Relaxed) {
                sleep(Duration::from_millis(latency.load(Ordering::Relaxed))).await;
            }
            if length == 0 || to_client.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = requests => {}
        () = replies => {}
    }
}

/// Returns the response, and asserts that it came in time.
async fn timed(call: impl Future<Output = Response>, calls_to_nets: u32) -> Response {
    let started = Instant::now();
    let response = call.await;
    let elapsed = started.elapsed();
    assert!(elapsed < LIMIT, "{elapsed:?}: {response:?}");
    let latency = Duration::from_millis(LATENCY.get());
    assert!(elapsed > latency * calls_to_nets, "{elapsed:?}: {response:?}");
    response
}

/// One test, so that the waiting times are at the same time.
#[tokio::test]
async fn every_answer_comes_in_time() {
    let without_time = async {
        if is_full_size() {
            tokio::join!(
                a_capture_without_time_left_is_503_and_can_be_repeated(),
                a_capture_whose_calls_time_out_is_503_in_time(),
            );
        }
    };
    tokio::join!(every_answer_comes_in_time_when_replies_are_lost(), without_time);
}

/// Four calls in a capture, two in a terminal, three in a cancellation and in a credit: each operation's reply is lost, and the Query
/// after it shows what happened.
async fn every_answer_comes_in_time_when_replies_are_lost() {
    let slow = SlowNets::start().await;
    let (api, nets) = (&slow.api, slow.api.local.netaxept());
    let card = slow.card().await;
    let captured = slow.buy_with_code("captured", &card).await;
    let opened = api.buy("opened", &card, AMOUNT).await;
    let cancelled = slow.buy_with_code("cancelled", &card).await;
    let credited = slow.buy_with_code("credited", &card).await;
    assert_eq!(api.capture(credited).await.status, StatusCode::OK);
    nets.inject_fault(Operation::Capture, FaultKind::Http500, 2);
    assert_eq!(api.capture(cancelled).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(api.ledger(cancelled).held_minor, AMOUNT_MINOR);
    for operation in [
        Operation::Auth,
        Operation::Capture,
        Operation::Register,
        Operation::Annul,
        Operation::Credit,
    ] {
        nets.inject_fault(operation, FaultKind::DropReply, 1);
    }
    slow.slow_down();
    let body = json!({ "redirectUrl": DONE });
    let path = opened.path("/terminal");
    let (capture, terminal, cancel, credit) = tokio::join!(
        timed(api.capture(captured), 4),
        timed(api.call("POST", &path, Some(&body)), 2),
        timed(api.cancel(cancelled), 3),
        timed(api.credit(credited, Some("30.00")), 3),
    );
    assert_eq!(capture.status, StatusCode::OK, "{capture:?}");
    assert_eq!(terminal.status, StatusCode::CREATED, "{terminal:?}");
    assert_eq!(cancel.status, StatusCode::OK, "{cancel:?}");
    assert_eq!(credit.status, StatusCode::OK, "{credit:?}");
    api.assert_credited(credited, "30.00", 1).await;
    api.assert_paid(captured, AMOUNT, AMOUNT_MINOR).await;
    let ledger = api.ledger(cancelled);
    assert_eq!((ledger.captured_minor, ledger.held_minor), (0, 0));
}

/// The second AUTH of a capture succeeds when no time is left for CAPTURE: 503, and the next capture takes the money.
async fn a_capture_without_time_left_is_503_and_can_be_repeated() {
    let slow = SlowNets::start().await;
    let (api, nets) = (&slow.api, slow.api.local.netaxept());
    let card = slow.card().await;
    let charge = slow.buy_with_code("order-1", &card).await;
    nets.inject_fault(Operation::Auth, FaultKind::Http500, 1);
    nets.inject_fault(Operation::Auth, FaultKind::DropReply, 1);
    slow.slow_down();
    let response = timed(api.capture(charge), 4).await;
    assert_eq!(response.problem(), (503, "unavailable".to_owned()), "{response:?}");
    assert_eq!(api.ledger(charge).captured_minor, 0);
    slow.speed_up();
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    api.assert_paid(charge, AMOUNT, AMOUNT_MINOR).await;
}

/// Replies that come after the limit of a call: the request ends after AUTH and its Query.
async fn a_capture_whose_calls_time_out_is_503_in_time() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, AMOUNT).await;
    let nets = api.local.netaxept();
    nets.inject_fault(Operation::Auth, FaultKind::Delay, 1);
    nets.inject_fault(Operation::Query, FaultKind::Delay, 1);
    let response = timed(api.capture(charge), 2).await;
    assert_eq!(response.problem(), (503, "unavailable".to_owned()), "{response:?}");
    api.advance_and_settle("PT1M").await;
    assert_eq!(api.ledger(charge).held_minor, AMOUNT_MINOR, "kept for a repeated capture");
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    api.assert_paid(charge, AMOUNT, AMOUNT_MINOR).await;
}

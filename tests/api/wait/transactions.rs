//! News of transactions.

use futures_util::future::join_all;
use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::json;

use super::Reads;
use crate::TestApi;
use crate::payments::Charge;

/// What ends a wait for a transaction.
#[derive(Debug, Clone, Copy)]
enum News {
    Captured,
    /// Nets authorized the amount and could not capture it.
    Authorized,
    Rejected,
    Cancelled,
    CancelledAtTerminal,
    /// The bank requires authentication: the customer needs another terminal.
    AuthenticationRequired,
    SoldByCallback,
}

impl News {
    const ALL: [Self; 7] = [
        Self::Captured,
        Self::Authorized,
        Self::Rejected,
        Self::Cancelled,
        Self::CancelledAtTerminal,
        Self::AuthenticationRequired,
        Self::SoldByCallback,
    ];

    /// The sandbox declines some amounts.
    fn amount(self) -> &'static str {
        match self {
            Self::Rejected => "1.14",
            Self::AuthenticationRequired => "1.65",
            Self::Captured
            | Self::Authorized
            | Self::Cancelled
            | Self::CancelledAtTerminal
            | Self::SoldByCallback => "100.00",
        }
    }

    async fn open(self, api: &TestApi, charge: Charge) -> String {
        match self {
            Self::SoldByCallback => api.open_auto_sale(charge).await,
            Self::Captured
            | Self::Authorized
            | Self::Rejected
            | Self::Cancelled
            | Self::CancelledAtTerminal
            | Self::AuthenticationRequired => api.open_page(charge).await,
        }
    }

    /// What the customer, the client or Nets does, and the status afterwards.
    async fn happen(self, api: &TestApi, charge: Charge, uri: &str) -> &'static str {
        match self {
            Self::CancelledAtTerminal => {
                let form = [("cancelButton", "x")];
                assert!(
                    api.http.post(uri).form(&form).send().await.unwrap().status().is_redirection()
                );
            }
            Self::Cancelled => {}
            Self::Captured
            | Self::Authorized
            | Self::Rejected
            | Self::AuthenticationRequired
            | Self::SoldByCallback => drop(api.enter_code(uri).await),
        }
        let (answered, status) = match self {
            Self::Captured => (api.capture(charge).await.status, "CAPTURED"),
            Self::Authorized => {
                api.local.netaxept().inject_fault(Operation::Capture, FaultKind::Http500, 2);
                let status = api.capture(charge).await.status;
                api.remove_nets_faults().await;
                assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
                return "INITIATED";
            }
            Self::Rejected => (api.capture(charge).await.status, "REJECTED"),
            Self::CancelledAtTerminal => (api.capture(charge).await.status, "CANCELLED"),
            Self::AuthenticationRequired => (api.capture(charge).await.status, "INITIATED"),
            Self::Cancelled => (api.cancel(charge).await.status, "CANCELLED"),
            Self::SoldByCallback => {
                api.call_back(charge, 0).await;
                return "CAPTURED";
            }
        };
        let is_success = matches!(self, Self::Captured | Self::Cancelled);
        let expected = if is_success { StatusCode::OK } else { StatusCode::CONFLICT };
        assert_eq!(answered, expected, "{self:?}");
        status
    }
}

#[tokio::test]
async fn a_wait_for_a_transaction_ends_with_its_news() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let mut charges = Vec::new();
    for news in News::ALL {
        let charge = api.buy(&format!("{news:?}"), &card, news.amount()).await;
        let uri = news.open(&api, charge).await;
        charges.push((news, charge, uri));
    }
    let mut reads = Reads::of(&api);
    let paths: Vec<_> = charges.iter().map(|(_, charge, _)| charge.path("")).collect();
    let waits = join_all(paths.iter().map(|path| api.wait(path, 20)));
    let happening = async {
        reads.begun(charges.len()).await;
        let mut statuses = Vec::new();
        for (news, charge, uri) in &charges {
            statuses.push(news.happen(&api, *charge, uri).await);
        }
        statuses
    };
    let (responses, statuses) = tokio::join!(waits, happening);
    reads.assert_early(charges.len());
    for (((news, charge, _), response), status) in charges.iter().zip(&responses).zip(statuses) {
        assert_eq!(response.status, StatusCode::OK, "{news:?}: {response:?}");
        assert_eq!(response.json()["status"], status, "{news:?}");
        assert_eq!(api.wait(&charge.path(""), 20).await.text, response.text, "{news:?}");
    }
    assert_eq!(reads.take(), vec![1; charges.len()]);
}

/// The news is that of the last terminal: another terminal begins another wait.
#[tokio::test]
async fn another_terminal_is_waited_for_again() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, "1.65").await;
    assert_eq!(api.capture(charge).await.status, StatusCode::CONFLICT);
    let mut reads = Reads::of(&api);
    let path = charge.path("");
    assert_eq!(api.wait(&path, 20).await.json()["status"], "INITIATED");
    assert_eq!(reads.take(), [1]);
    api.open_page(charge).await;
    let cancelled = async {
        reads.begun(1).await;
        api.cancel(charge).await
    };
    let (waited, cancelled) = tokio::join!(api.wait(&path, 20), cancelled);
    assert_eq!(cancelled.status, StatusCode::OK);
    assert_eq!(waited.json()["statusReason"], json!("REQUESTED"));
    reads.assert_early(1);
}

use std::sync::{Arc, Mutex};

use super::*;

/// Whether the connection broke before an answer was received.
fn is_broken(answer: &reqwest::Result<reqwest::Response>) -> bool {
    answer.as_ref().is_err_and(|error| error.is_request() && !error.is_timeout())
}

impl Nets {
    fn has_transaction(&self, id: &str) -> bool {
        self.sandbox.lock_transactions().contains_key(id)
    }

    /// Whether the answer to an operation of Process is the one of [`FaultKind::Garbage`].
    async fn is_garbage(&self, id: &str, operation: &str) -> bool {
        !self.process(id, operation).await.contains("<?xml")
    }

    /// Calls an operation for which there is no fault.
    async fn assert_no_fault(&self, id: &str, operation: &str) {
        assert!(!self.is_garbage(id, operation).await, "{operation}");
    }

    /// Calls Register and returns the response or the error.
    async fn try_register(&self, id: &str) -> reqwest::Result<reqwest::Response> {
        let query = format!("merchantId={MERCHANT_ID}&token={TOKEN}&transactionId={id}");
        let more = "orderNumber=1&updateStoredPaymentInfo=true&redirectUrl=https%3A%2F%2Fa";
        let url = format!("{}/NETAXEPT/register.aspx?{query}&{more}", self.address);
        self.http.get(url).send().await
    }
}

#[tokio::test]
async fn drop_reply_executes_the_operation() {
    let nets = Nets::new().await;
    nets.sandbox.inject_fault(Operation::Register, FaultKind::DropReply, 1);
    assert!(is_broken(&nets.try_register("1").await), "there is no answer");
    nets.sandbox.wait_for_fault().await;
    assert!(nets.has_transaction("1"));
    assert_eq!(nets.try_register("2").await.unwrap().status(), 200);
    assert_eq!(nets.sandbox.calls(Operation::Register), 2);
}

#[tokio::test]
async fn delay_executes_the_operation() {
    let nets = Nets::new().await;
    nets.sandbox.inject_fault(Operation::Register, FaultKind::Delay, 1);
    tokio::select! {
        biased;
        reply = nets.try_register("1") => panic!("the reply was not delayed: {reply:?}"),
        () = nets.sandbox.wait_for_fault() => {}
    }
    assert!(nets.has_transaction("1"));
}

#[tokio::test]
async fn error_faults_do_not_execute_the_operation() {
    for (kind, status, content_type, is_page) in [
        (FaultKind::Http500, 500, "text/html; charset=utf-8", true),
        (FaultKind::Html, 200, "text/html; charset=utf-8", true),
        (FaultKind::Garbage, 200, "text/xml", false),
    ] {
        let nets = Nets::new().await;
        nets.sandbox.inject_fault(Operation::Register, kind, 1);
        let reply = nets.try_register("1").await.unwrap();
        let found = reply.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!((reply.status().as_u16(), found.as_str()), (status, content_type), "{kind:?}");
        let body = reply.bytes().await.unwrap();
        let is_text = std::str::from_utf8(&body).is_ok_and(|body| body.contains("<html"));
        assert_eq!(is_text, is_page, "{kind:?}");
        nets.sandbox.wait_for_fault().await;
        assert!(!nets.has_transaction("1"), "{kind:?}");
        assert_eq!(nets.sandbox.calls(Operation::Register), 1);
    }
}

#[tokio::test]
async fn each_operation_has_its_own_fault_queue() {
    let nets = Nets::new().await;
    nets.sandbox.inject_fault(Operation::Query, FaultKind::Html, 1);
    nets.sandbox.inject_fault(Operation::Process, FaultKind::Garbage, 1);
    nets.sandbox.inject_fault(Operation::Query, FaultKind::Http500, 2);
    nets.register("1", "").await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let url = format!(
            "{}/Netaxept/Query.aspx?merchantId={MERCHANT_ID}&token={TOKEN}&transactionId=1",
            nets.address
        );
        let reply = nets.http.get(url).send().await.unwrap();
        let is_page = reply.headers()["content-type"] != "text/xml";
        statuses.push((reply.status().as_u16(), is_page));
    }
    assert_eq!(statuses, [(200, true), (500, true), (500, true), (200, false)]);
    let calls = [Operation::Register, Operation::Process, Operation::Query, Operation::Terminal]
        .map(|operation| nets.sandbox.calls(operation));
    assert_eq!(calls, [1, 0, 4, 0]);
}

#[tokio::test]
async fn a_fault_at_the_terminal_affects_only_buttons() {
    let nets = Nets::new().await;
    nets.sandbox.inject_fault(Operation::Terminal, FaultKind::DropReply, 1);
    nets.register("1", "").await;
    assert!(
        nets.post_page("1", &[]).await.2.contains("id=\"cardNo\""),
        "a request without a button has no fault"
    );
    let url =
        format!("{}/terminal/default.aspx?merchantId={MERCHANT_ID}&transactionId=1", nets.address);
    let form = [
        ("cardNo", "4925000000000004"),
        ("month", "12"),
        ("year", "30"),
        ("securityCode", "123"),
        ("okButton", "Pay"),
    ];
    assert!(is_broken(&nets.http.post(url).form(&form).send().await));
    assert_eq!(nets.sandbox.transactions()[0]["transaction"]["cardEntered"], true);
    nets.register("2", "").await;
    nets.sandbox.inject_fault(Operation::Terminal, FaultKind::Http500, 1);
    assert_eq!(nets.post_page("2", &[("cancelButton", "x")]).await.0, 500);
    assert_eq!(nets.sandbox.transactions()[1]["transaction"]["cancelled"], false);
    assert_eq!(nets.sandbox.calls(Operation::Terminal), 2);
}

#[tokio::test]
async fn a_fault_can_name_an_operation_of_process() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    for (operation, target) in [
        ("auth", Operation::Auth),
        ("CAPTURE&transactionAmount=100", Operation::Capture),
        ("CREDIT", Operation::Credit),
    ] {
        nets.sandbox.inject_fault(target, FaultKind::Garbage, 1);
        nets.assert_no_fault("1", "ADJUST").await;
        assert!(nets.is_garbage("1", operation).await, "{operation}");
        nets.assert_steps("1", &[(operation, "OK")]).await;
    }
    for (id, operation, target) in [
        ("2", "ANNUL", Operation::Annul),
        ("3", "SALE", Operation::Sale),
        ("4", "VERIFY", Operation::Verify),
    ] {
        nets.buy_with_card(id).await;
        nets.sandbox.inject_fault(target, FaultKind::Garbage, 1);
        nets.assert_no_fault(id, "ADJUST").await;
        assert!(nets.is_garbage(id, operation).await, "{operation}");
    }
    // Of a fault for Process and a fault for AUTH, the one that was added first is used first.
    nets.sandbox.inject_fault(Operation::Process, FaultKind::Garbage, 1);
    nets.sandbox.inject_fault(Operation::Auth, FaultKind::Pass, 1);
    assert!(nets.is_garbage("5", "AUTH").await);
    assert!(!nets.is_garbage("5", "AUTH").await);
    let count = |operation| nets.sandbox.calls(operation);
    let calls = [Operation::Process, Operation::Auth, Operation::Capture, Operation::Annul];
    assert_eq!(calls.map(count), [17, 4, 2, 1]);
}

#[tokio::test]
async fn every_call_is_observed_before_it_is_executed() {
    let nets = Nets::new().await;
    let observed = Arc::new(Mutex::new(Vec::new()));
    let (calls, sandbox) = (observed.clone(), nets.sandbox.clone());
    nets.sandbox.observe(move |operation, id| {
        let is_executed = sandbox.lock_transactions().contains_key(id);
        calls.lock().unwrap().push((operation, id.to_owned(), is_executed));
    });
    nets.sandbox.inject_fault(Operation::Register, FaultKind::Http500, 1);
    for _ in 0..2 {
        assert!(nets.try_register("1").await.is_ok());
    }
    nets.process("1", "VERIFY").await;
    let observed = observed.lock().unwrap().clone();
    let expected = [
        (Operation::Register, "1".to_owned(), false),
        (Operation::Register, "1".to_owned(), false),
        (Operation::Verify, "1".to_owned(), true),
    ];
    assert_eq!(observed, expected);
}

use super::*;

/// Whether the connection broke before an answer was received.
fn is_broken(answer: &reqwest::Result<reqwest::Response>) -> bool {
    answer.as_ref().is_err_and(|error| error.is_request() && !error.is_timeout())
}

impl Nets {
    fn has_transaction(&self, id: &str) -> bool {
        self.sandbox.lock_transactions().contains_key(id)
    }

    /// Calls Register and returns the response or the error.
    async fn try_register(&self, id: &str) -> reqwest::Result<reqwest::Response> {
        let query = format!("merchantId={MERCHANT_ID}&token={TOKEN}&transactionId={id}");
        let more = "orderNumber=1&updateStoredPaymentInfo=true&redirectUrl=https%3A%2F%2Fa";
        let url = format!("{}/NETAXEPT/register.aspx?{query}&{more}", self.address);
        self.http.get(url).send().await
    }

    /// Starts the console's routes of this sandbox. Returns the address of the faults.
    async fn start_console(&self) -> String {
        let listener = crate::listen("the console", 0).await.unwrap();
        let address = crate::address(&listener).unwrap();
        let router = self.sandbox.console_router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("{address}/netaxept/faults")
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
async fn the_console_adds_lists_and_removes_faults() {
    let nets = Nets::new().await;
    let url = nets.start_console().await;
    let add = async |body: Value| {
        nets.http.post(&url).json(&body).send().await.unwrap().status().as_u16()
    };
    let list = async || nets.http.get(&url).send().await.unwrap().json::<Value>().await.unwrap();
    for body in [
        json!({ "operation": "Query", "kind": "http-500", "count": 1000 }),
        json!({ "operation": "Register", "kind": "drop-reply", "count": 1 }),
        json!({ "operation": "Query", "kind": "delay", "count": 1 }),
    ] {
        assert_eq!(add(body).await, 204);
    }
    let url_of = |id: &str| format!("{}/netaxept/query.aspx?transactionId={id}", nets.address);
    assert_eq!(nets.http.get(url_of("1")).send().await.unwrap().status(), 500);
    let expected = json!([
        { "operation": "Query", "kind": "http-500", "count": 999 },
        { "operation": "Register", "kind": "drop-reply", "count": 1 },
        { "operation": "Query", "kind": "delay", "count": 1 },
    ]);
    assert_eq!(list().await, expected);
    for body in [
        json!({}),
        json!([]),
        json!({ "operation": "Query", "kind": "html" }),
        json!({ "operation": "query", "kind": "html", "count": 1 }),
        json!({ "operation": "Query", "kind": "http500", "count": 1 }),
        json!({ "operation": "Query", "kind": "html", "count": 0 }),
        json!({ "operation": "Query", "kind": "html", "count": 1001 }),
        json!({ "operation": "Query", "kind": "html", "count": -1 }),
        json!({ "operation": "Query", "kind": "html", "count": "1" }),
        json!({ "operation": "Query", "kind": "html", "count": 1, "more": true }),
    ] {
        assert_eq!(add(body.clone()).await, 400, "{body}");
    }
    let refused = nets.http.post(&url).body("nothing").send().await.unwrap();
    let message = refused.json::<Value>().await.unwrap()["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "expected ident at line 1 column 2");
    assert_eq!(list().await, expected, "the faults have not changed");
    assert_eq!(nets.http.delete(&url).send().await.unwrap().status(), 204);
    assert_eq!(list().await, json!([]));
}

use super::*;

/// Whether the connection broke before an answer came.
fn broke(answer: &reqwest::Result<reqwest::Response>) -> bool {
    answer.as_ref().is_err_and(|error| error.is_request() && !error.is_timeout())
}

impl Nets {
    fn has(&self, id: &str) -> bool {
        self.sandbox.all().contains_key(id)
    }

    /// Registers, whatever comes back.
    async fn try_register(&self, id: &str) -> reqwest::Result<reqwest::Response> {
        let query = format!("merchantId={MERCHANT_ID}&token={TOKEN}&transactionId={id}");
        let more = "orderNumber=1&updateStoredPaymentInfo=true&redirectUrl=https%3A%2F%2Fa";
        let url = format!("{}/NETAXEPT/register.aspx?{query}&{more}", self.address);
        self.http.get(url).send().await
    }

    /// What the console has of this sandbox.
    async fn console(&self) -> String {
        let listener = crate::listen("the console", 0).await.unwrap();
        let address = crate::address(&listener).unwrap();
        let router = self.sandbox.console_router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("{address}/netaxept/faults")
    }
}

#[tokio::test]
async fn a_dropped_reply_belongs_to_something_done() {
    let nets = Nets::new().await;
    nets.sandbox.fail(Operation::Register, Kind::DropReply, 1);
    assert!(broke(&nets.try_register("1").await), "there is no answer");
    nets.sandbox.met().await;
    assert!(nets.has("1"));
    assert_eq!(nets.try_register("2").await.unwrap().status(), 200);
    assert_eq!(nets.sandbox.calls(Operation::Register), 2);
}

#[tokio::test]
async fn a_delayed_reply_belongs_to_something_done() {
    let nets = Nets::new().await;
    nets.sandbox.fail(Operation::Register, Kind::Delay, 1);
    tokio::select! {
        biased;
        reply = nets.try_register("1") => panic!("it is too early: {reply:?}"),
        () = nets.sandbox.met() => {}
    }
    assert!(nets.has("1"));
}

#[tokio::test]
async fn an_error_instead_of_an_answer_means_that_nothing_was_done() {
    for (kind, status, content_type, is_page) in [
        (Kind::Http500, 500, "text/html; charset=utf-8", true),
        (Kind::Html, 200, "text/html; charset=utf-8", true),
        (Kind::Garbage, 200, "text/xml", false),
    ] {
        let nets = Nets::new().await;
        nets.sandbox.fail(Operation::Register, kind, 1);
        let reply = nets.try_register("1").await.unwrap();
        let found = reply.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!((reply.status().as_u16(), found.as_str()), (status, content_type), "{kind:?}");
        let body = reply.bytes().await.unwrap();
        let is_text = std::str::from_utf8(&body).is_ok_and(|body| body.contains("<html"));
        assert_eq!(is_text, is_page, "{kind:?}");
        nets.sandbox.met().await;
        assert!(!nets.has("1"), "{kind:?}");
        assert_eq!(nets.sandbox.calls(Operation::Register), 1);
    }
}

#[tokio::test]
async fn each_operation_has_its_own_faults_in_their_order() {
    let nets = Nets::new().await;
    nets.sandbox.fail(Operation::Query, Kind::Html, 1);
    nets.sandbox.fail(Operation::Process, Kind::Garbage, 1);
    nets.sandbox.fail(Operation::Query, Kind::Http500, 2);
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
async fn a_button_of_the_terminal_counts_even_if_the_browser_hears_nothing() {
    let nets = Nets::new().await;
    nets.sandbox.fail(Operation::Terminal, Kind::DropReply, 1);
    nets.register("1", "").await;
    assert!(nets.page("1", &[]).await.2.contains("id=\"cardNo\""), "looking presses no button");
    let url =
        format!("{}/terminal/default.aspx?merchantId={MERCHANT_ID}&transactionId=1", nets.address);
    let form = [
        ("cardNo", "4925000000000004"),
        ("month", "12"),
        ("year", "30"),
        ("securityCode", "123"),
        ("okButton", "Pay"),
    ];
    assert!(broke(&nets.http.post(url).form(&form).send().await));
    assert_eq!(nets.sandbox.transactions()[0]["transaction"]["cardEntered"], true);
    nets.register("2", "").await;
    nets.sandbox.fail(Operation::Terminal, Kind::Http500, 1);
    assert_eq!(nets.page("2", &[("cancelButton", "x")]).await.0, 500);
    assert_eq!(nets.sandbox.transactions()[1]["transaction"]["cancelled"], false);
    assert_eq!(nets.sandbox.calls(Operation::Terminal), 2);
}

#[tokio::test]
async fn the_console_orders_lists_and_forgets_faults() {
    let nets = Nets::new().await;
    let url = nets.console().await;
    let order = async |body: Value| {
        nets.http.post(&url).json(&body).send().await.unwrap().status().as_u16()
    };
    let left = async || nets.http.get(&url).send().await.unwrap().json::<Value>().await.unwrap();
    for body in [
        json!({ "operation": "Query", "kind": "http-500", "count": 1000 }),
        json!({ "operation": "Register", "kind": "drop-reply", "count": 1 }),
        json!({ "operation": "Query", "kind": "delay", "count": 1 }),
    ] {
        assert_eq!(order(body).await, 204);
    }
    let url_of = |id: &str| format!("{}/netaxept/query.aspx?transactionId={id}", nets.address);
    assert_eq!(nets.http.get(url_of("1")).send().await.unwrap().status(), 500);
    let expected = json!([
        { "operation": "Query", "kind": "http-500", "count": 999 },
        { "operation": "Register", "kind": "drop-reply", "count": 1 },
        { "operation": "Query", "kind": "delay", "count": 1 },
    ]);
    assert_eq!(left().await, expected);
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
        assert_eq!(order(body.clone()).await, 400, "{body}");
    }
    let refused = nets.http.post(&url).body("nothing").send().await.unwrap();
    let message = refused.json::<Value>().await.unwrap()["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "expected ident at line 1 column 2");
    assert_eq!(left().await, expected, "nothing has changed");
    assert_eq!(nets.http.delete(&url).send().await.unwrap().status(), 204);
    assert_eq!(left().await, json!([]));
}

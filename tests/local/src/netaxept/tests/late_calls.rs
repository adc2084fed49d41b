use super::*;

impl Nets {
    /// Calls an operation of Process that gets no answer.
    async fn process_without_answer(&self, id: &str, operation: &str) {
        let query = format!("merchantId={MERCHANT_ID}&token={TOKEN}");
        let more = format!("transactionId={id}&operation={operation}");
        let url = format!("{}/Netaxept/Process.aspx?{query}&{more}", self.address);
        assert!(self.http.get(url).send().await.is_err(), "{operation} has an answer");
        self.sandbox.wait_for_fault().await;
    }

    /// Returns `Authorized`, `AmountCaptured`, `AmountCredited` and `Annulled` of Query.
    async fn summary(&self, id: &str) -> [String; 4] {
        let query = self.query(id).await;
        ["Authorized", "AmountCaptured", "AmountCredited", "Annulled"]
            .map(|name| text(&query, name).unwrap().to_owned())
    }
}

#[tokio::test]
async fn a_late_call_is_executed_after_the_query_of_its_caller() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    for (operation, target, before, after) in [
        ("AUTH", Operation::Auth, ["false", "0", "0", "false"], ["true", "0", "0", "false"]),
        (
            "CAPTURE&transactionAmount=400",
            Operation::Capture,
            ["true", "0", "0", "false"],
            ["true", "400", "0", "false"],
        ),
        (
            "CREDIT&transactionAmount=100",
            Operation::Credit,
            ["true", "400", "0", "false"],
            ["true", "400", "100", "false"],
        ),
    ] {
        nets.sandbox.inject_fault(target, FaultKind::ArriveLate, 1);
        nets.process_without_answer("1", operation).await;
        assert_eq!(nets.summary("1").await, before, "{operation} is not executed yet");
        assert_eq!(nets.sandbox.execute_late_calls(), 1);
        assert_eq!(nets.summary("1").await, after, "{operation} is executed");
        assert_eq!(nets.sandbox.execute_late_calls(), 0, "{operation} is executed once");
    }
}

#[tokio::test]
async fn a_late_call_is_executed_when_the_clock_reaches_its_time() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    let started = nets.clock.now();
    nets.sandbox.inject_delayed_fault(Operation::Auth, FaultKind::ArriveLate, 3600);
    nets.process_without_answer("1", "AUTH").await;
    nets.clock.advance("PT59M").unwrap();
    assert_eq!(nets.summary("1").await[0], "false");
    nets.clock.advance("PT2M").unwrap();
    let query = nets.query("1").await;
    assert_eq!(text(&query, "Authorized"), Some("true"));
    let line = query.split_once("<Operation>Auth</Operation>").unwrap().0;
    let at = line.rsplit_once("<DateTime>").unwrap().1.split_once('<').unwrap().0;
    let at: jiff::civil::DateTime = at.parse().unwrap();
    let at = at.in_tz("Europe/Oslo").unwrap().timestamp();
    let seconds = at.duration_since(started).as_secs();
    assert!((3600..3660).contains(&seconds), "executed after {seconds} s");
}

/// Without another call, the callback shows that the late call is executed.
#[tokio::test]
async fn a_late_call_needs_no_other_call_to_be_executed() {
    let nets = Nets::new().await;
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let listener = Listener::open("callbacks", 0).await.unwrap();
    let address = listener.address().unwrap();
    let router = Router::new().fallback(async move || sender.send(()).unwrap());
    listener.serve(router);
    nets.sandbox.set_callback_address(Some(address));
    nets.buy_with_card("1").await;
    nets.sandbox.inject_fault(Operation::Auth, FaultKind::ArriveLate, 1);
    nets.process_without_answer("1", "AUTH").await;
    nets.clock.advance("PT31S").unwrap();
    let limit = std::time::Duration::from_secs(20);
    assert_eq!(tokio::time::timeout(limit, received.recv()).await, Ok(Some(())), "no callback");
}

#[tokio::test]
async fn a_late_authorization_is_annulled_only_after_it_has_arrived() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    nets.sandbox.inject_fault(Operation::Auth, FaultKind::ArriveLate, 1);
    nets.process_without_answer("1", "AUTH").await;
    nets.assert_steps("1", &[("ANNUL", "GenericError: Unable to annul, wrong state")]).await;
    assert_eq!(nets.sandbox.execute_late_calls(), 1);
    nets.assert_steps("1", &[("ANNUL", "OK")]).await;
    assert_eq!(nets.summary("1").await, ["true", "0", "0", "true"]);
}

#[tokio::test]
async fn a_repeated_authorization_and_a_late_one_authorize_once() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    nets.sandbox.inject_fault(Operation::Auth, FaultKind::ArriveLate, 1);
    nets.process_without_answer("1", "AUTH").await;
    nets.assert_steps("1", &[("AUTH", "OK")]).await;
    assert_eq!(nets.sandbox.execute_late_calls(), 1);
    assert_eq!(nets.sandbox.transactions()[0]["transaction"]["done"], json!({ "AUTH": 1 }));
    let query = nets.query("1").await;
    assert_eq!(text(&query, "ResponseCode"), Some("98"), "the late call was refused");
}

#[tokio::test]
async fn late_calls_are_executed_in_the_order_in_which_they_are_due() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    nets.assert_steps("1", &[("AUTH", "OK")]).await;
    nets.sandbox.inject_delayed_fault(Operation::Capture, FaultKind::ArriveLate, 120);
    nets.sandbox.inject_delayed_fault(Operation::Annul, FaultKind::ArriveLate, 60);
    nets.process_without_answer("1", "CAPTURE").await;
    nets.process_without_answer("1", "ANNUL").await;
    nets.clock.advance("PT3M").unwrap();
    assert_eq!(nets.summary("1").await, ["true", "0", "0", "true"], "ANNUL was first");
}

#[tokio::test]
async fn a_register_that_arrives_late_takes_its_id_only_then() {
    let nets = Nets::new().await;
    nets.sandbox.inject_fault(Operation::Register, FaultKind::ArriveLate, 1);
    let order = "orderNumber=1&amount=1000&currencyCode=NOK&redirectUrl=https%3A%2F%2Fa";
    let query = format!("merchantId={MERCHANT_ID}&token={TOKEN}&transactionId=1&{order}");
    let url = format!("{}/Netaxept/Register.aspx?{query}", nets.address);
    assert!(nets.http.get(url).send().await.is_err());
    assert_eq!(exception(&nets.query("1").await).0, "QueryException");
    assert_eq!(nets.sandbox.execute_late_calls(), 1);
    assert_eq!(nets.summary("1").await, ["false", "0", "0", "false"]);
    let reply = nets.call("Register", &format!("transactionId=1&{order}")).await;
    assert_eq!(exception(&reply).0, "UniqueTransactionIdException");
}

#[tokio::test]
async fn a_stale_query_does_not_show_recent_operations() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "&recurringType=S").await;
    nets.pay("1", "4925000000000004").await;
    let stale = FaultKind::Stale;
    nets.sandbox.inject_fault(Operation::Query, stale, 1);
    let registered = nets.query("1").await;
    assert!(registered.contains("<Operation>Register</Operation>"), "{registered}");
    nets.assert_steps("1", &[("AUTH", "OK"), ("AUTH", "Unable to auth 98")]).await;
    nets.sandbox.inject_fault(Operation::Query, stale, 1);
    let query = nets.query("1").await;
    assert_eq!(text(&query, "Authorized"), Some("false"));
    assert!(query.contains("<PanHash />") && query.contains("<ErrorLog />"), "{query}");
    assert!(!query.contains("<Operation>Auth</Operation>"), "{query}");
    assert_eq!(nets.summary("1").await[0], "true", "the next Query has no fault");
    nets.clock.advance("PT31S").unwrap();
    nets.assert_steps("1", &[("CAPTURE&transactionAmount=400", "OK")]).await;
    nets.sandbox.inject_fault(Operation::Query, stale, 1);
    assert_eq!(nets.summary("1").await, ["true", "0", "0", "false"], "AUTH is old enough");
    nets.clock.advance("PT31S").unwrap();
    nets.assert_steps("1", &[("CREDIT&transactionAmount=100", "OK")]).await;
    nets.sandbox.inject_fault(Operation::Query, stale, 1);
    assert_eq!(nets.summary("1").await, ["true", "400", "0", "false"]);
    nets.sandbox.inject_delayed_fault(Operation::Query, stale, 3600);
    assert_eq!(nets.summary("1").await, ["false", "0", "0", "false"], "an hour ago");
    assert_eq!(nets.summary("1").await, ["true", "400", "100", "false"]);
}

#[tokio::test]
async fn a_stale_query_shows_the_terminal_session() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "").await;
    nets.post_page("1", &[("cancelButton", "x")]).await;
    nets.sandbox.inject_fault(Operation::Query, FaultKind::Stale, 1);
    assert_eq!(text(&nets.query("1").await, "ResponseCode"), Some("17"));
    nets.buy_with_card("2").await;
    nets.sandbox.inject_fault(Operation::Query, FaultKind::Stale, 1);
    assert_eq!(text(&nets.query("2").await, "MaskedPAN"), Some("492500******0004"));
}

#[tokio::test]
async fn a_stale_query_does_not_show_a_recent_sale_or_annul() {
    let nets = Nets::new().await;
    for (id, operations) in [("1", ["SALE"].as_slice()), ("2", &["AUTH", "ANNUL"])] {
        nets.buy_with_card(id).await;
        for operation in operations {
            nets.assert_steps(id, &[(operation, "OK")]).await;
        }
        nets.sandbox.inject_fault(Operation::Query, FaultKind::Stale, 1);
        assert_eq!(nets.summary(id).await, ["false", "0", "0", "false"]);
    }
    assert_eq!(nets.summary("1").await, ["true", "1000", "0", "false"]);
    assert_eq!(nets.summary("2").await, ["true", "0", "0", "true"]);
}

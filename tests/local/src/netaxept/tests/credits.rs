use super::*;

impl Nets {
    /// Registers a purchase of 10.00 and captures it.
    async fn buy_and_capture(&self, id: &str) {
        self.buy_with_card(id).await;
        self.assert_steps(id, &[("AUTH", "OK"), ("CAPTURE", "OK")]).await;
    }

    /// Calls CREDIT. Returns no reply if the connection breaks.
    async fn try_credit(&self, id: &str, minor: u64, target: u64) -> Option<String> {
        let credentials = format!("merchantId={MERCHANT_ID}&token={TOKEN}");
        let credit = credit(minor, target);
        let url = format!(
            "{}/Netaxept/Process.aspx?{credentials}&transactionId={id}&operation={credit}",
            self.address
        );
        self.http.get(url).send().await.ok()?.text().await.ok()
    }

    async fn credited(&self, id: &str) -> u64 {
        text(&self.query(id).await, "AmountCredited").unwrap().parse().unwrap()
    }
}

/// CREDIT with its parameters.
fn credit(minor: u64, target: u64) -> String {
    format!("CREDIT&transactionAmount={minor}&transactionReconRef=CREDIT-{target}")
}

/// Returns the amounts and the references of the credits in the history.
fn history(query: &str) -> Vec<(String, String)> {
    let lines = query.split("<TransactionLogLine>").skip(1);
    let credits = lines.filter(|line| text(line, "Operation") == Some("Credit"));
    let value = |line: &str, name| text(line, name).unwrap_or_default().to_owned();
    credits.map(|line| (value(line, "Amount"), value(line, "TransactionReconRef"))).collect()
}

#[tokio::test]
async fn credits_in_parts_are_in_the_history_with_their_references() {
    let nets = Nets::new().await;
    nets.buy_and_capture("1").await;
    let too_much = "GenericError: Unable to credit more than captured amount";
    nets.assert_steps(
        "1",
        &[
            (&credit(300, 300), "OK"),
            (&credit(701, 1001), too_much),
            (&credit(0, 300), too_much),
            (&credit(200, 500), "OK"),
            ("CREDIT&transactionAmount=100", "OK"),
        ],
    )
    .await;
    let expected = [("300", "CREDIT-300"), ("200", "CREDIT-500"), ("100", "")];
    let expected = expected.map(|(amount, text)| (amount.to_owned(), text.to_owned()));
    let query = nets.query("1").await;
    assert_eq!(history(&query), expected, "a refused credit is not in the history");
    assert_eq!(
        (text(&query, "AmountCaptured"), text(&query, "AmountCredited")),
        (Some("1000"), Some("600"))
    );
    assert!(query.contains("<ErrorLog />"), "it is not in the error log either: {query}");
    nets.assert_steps("1", &[(&credit(401, 1001), too_much), (&credit(400, 1000), "OK")]).await;
    nets.assert_steps("1", &[(&credit(1, 1001), too_much)]).await;
    assert_eq!(nets.credited("1").await, 1000);
}

/// Only what was captured can be credited.
#[tokio::test]
async fn a_credit_is_limited_by_the_captured_sum() {
    let nets = Nets::new().await;
    let not_captured =
        "GenericError: You cannot run credit on a transaction that has not been captured.";
    let too_much = "GenericError: Unable to credit more than captured amount";
    nets.buy_with_card("1").await;
    nets.assert_steps("1", &[(&credit(1, 1), not_captured), ("AUTH", "OK")]).await;
    nets.assert_steps("1", &[(&credit(1, 1), not_captured)]).await;
    nets.assert_steps("1", &[("CAPTURE&transactionAmount=400", "OK")]).await;
    nets.assert_steps("1", &[(&credit(401, 401), too_much), (&credit(400, 400), "OK")]).await;
    nets.assert_steps("1", &[("CAPTURE&transactionAmount=600", "OK")]).await;
    nets.assert_steps("1", &[(&credit(601, 1001), too_much), (&credit(600, 1000), "OK")]).await;
    nets.buy_with_card("2").await;
    nets.assert_steps("2", &[("AUTH", "OK"), ("ANNUL", "OK"), (&credit(1, 1), not_captured)]).await;
    assert_eq!(nets.sandbox.transactions()[1]["transaction"]["calls"]["CREDIT"], 1);
}

#[tokio::test]
async fn each_fault_executes_a_credit_or_not() {
    let nets = Nets::new().await;
    for (id, kind, executed) in [
        ("1", FaultKind::DropReply, true),
        ("2", FaultKind::DropRequest, false),
        ("3", FaultKind::Http500, false),
        ("4", FaultKind::Html, false),
        ("5", FaultKind::Garbage, false),
        ("6", FaultKind::Repeat, false),
    ] {
        nets.buy_and_capture(id).await;
        nets.sandbox.inject_fault(Operation::Credit, kind, 1);
        let reply = nets.try_credit(id, 300, 300).await;
        let is_broken = matches!(kind, FaultKind::DropReply | FaultKind::DropRequest);
        assert_eq!(reply.is_none(), is_broken, "{kind:?}");
        assert!(!reply.unwrap_or_default().contains("<ResponseCode>OK"), "{kind:?}");
        assert_eq!(nets.credited(id).await, if executed { 300 } else { 0 }, "{kind:?}");
        nets.assert_steps(id, &[(&credit(100, 400), "OK")]).await;
        assert_eq!(nets.credited(id).await, if executed { 400 } else { 100 }, "{kind:?}");
    }
    assert_eq!(nets.sandbox.calls(Operation::Credit), 12);
}

/// A delayed credit is executed before its caller gives up.
#[tokio::test]
async fn a_delayed_credit_is_executed_at_once() {
    let nets = Nets::new().await;
    nets.buy_and_capture("1").await;
    nets.sandbox.inject_fault(Operation::Credit, FaultKind::Delay, 1);
    tokio::select! {
        biased;
        reply = nets.try_credit("1", 300, 300) => panic!("the reply was not delayed: {reply:?}"),
        () = nets.sandbox.wait_for_fault() => {}
    }
    assert_eq!(nets.credited("1").await, 300);
}

/// The reason why a service must not repeat a credit without a Query and a delay.
#[tokio::test]
async fn a_repeated_credit_and_a_late_one_credit_twice() {
    let nets = Nets::new().await;
    nets.buy_and_capture("1").await;
    nets.sandbox.inject_delayed_fault(Operation::Credit, FaultKind::ArriveLate, 240);
    assert_eq!(nets.try_credit("1", 300, 300).await, None);
    assert_eq!(nets.credited("1").await, 0);
    nets.assert_steps("1", &[(&credit(300, 300), "OK")]).await;
    nets.clock.advance("PT4M").unwrap();
    let query = nets.query("1").await;
    assert_eq!(text(&query, "AmountCredited"), Some("600"));
    let line = ("300".to_owned(), "CREDIT-300".to_owned());
    assert_eq!(history(&query), [line.clone(), line]);
}

#[tokio::test]
async fn a_stale_query_shows_neither_the_credited_sum_nor_the_reference() {
    let nets = Nets::new().await;
    nets.buy_and_capture("1").await;
    nets.assert_steps("1", &[(&credit(300, 300), "OK")]).await;
    nets.clock.advance("PT61S").unwrap();
    nets.assert_steps("1", &[(&credit(200, 500), "OK")]).await;
    let line = |amount: &str, target: &str| (amount.to_owned(), target.to_owned());
    nets.sandbox.inject_delayed_fault(Operation::Query, FaultKind::Stale, 60);
    let query = nets.query("1").await;
    assert_eq!(text(&query, "AmountCredited"), Some("300"));
    assert_eq!(history(&query), [line("300", "CREDIT-300")]);
    nets.sandbox.inject_delayed_fault(Operation::Query, FaultKind::Stale, 3600);
    let query = nets.query("1").await;
    assert_eq!(
        (text(&query, "AmountCaptured"), text(&query, "AmountCredited")),
        (Some("0"), Some("0"))
    );
    let query = nets.query("1").await;
    assert_eq!(history(&query), [line("300", "CREDIT-300"), line("200", "CREDIT-500")]);
}

/// A lost request is different from a lost reply for each operation of Process.
#[tokio::test]
async fn a_lost_request_is_not_executed() {
    let nets = Nets::new().await;
    let calls = |place: usize| nets.sandbox.transactions()[place]["transaction"]["calls"].clone();
    for (place, (id, before, operation, target)) in [
        ("1", &[][..], "AUTH", Operation::Auth),
        ("2", &["AUTH"], "CAPTURE", Operation::Capture),
        ("3", &["AUTH", "CAPTURE"], "CREDIT", Operation::Credit),
        ("4", &["AUTH"], "ANNUL", Operation::Annul),
    ]
    .into_iter()
    .enumerate()
    {
        nets.buy_with_card(id).await;
        for operation in before {
            nets.assert_steps(id, &[(operation, "OK")]).await;
        }
        nets.sandbox.inject_fault(target, FaultKind::DropRequest, 1);
        let query = format!("merchantId={MERCHANT_ID}&token={TOKEN}&transactionId={id}");
        let url = format!("{}/Netaxept/Process.aspx?{query}&operation={operation}", nets.address);
        assert!(nets.http.get(url).send().await.is_err(), "{operation} has an answer");
        assert_eq!(calls(place).get(operation), None, "{operation}");
        nets.assert_steps(id, &[(operation, "OK")]).await;
        assert_eq!(calls(place)[operation], 1);
    }
}

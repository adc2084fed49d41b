use super::*;

impl Nets {
    /// Registers a purchase of an order.
    async fn order(&self, id: &str, order: &str, amount: &str) {
        let parameters = format!(
            "transactionId={id}&orderNumber={order}&amount={amount}&currencyCode=NOK&redirectUrl=https%3A%2F%2Fshop.example%2F"
        );
        assert_eq!(text(&self.call("Register", &parameters).await, "TransactionId"), Some(id));
        self.pay(id, "4925000000000004").await;
    }
}

/// Returns the successful operations without their times.
fn operations(ledger: &Ledger) -> Vec<(&str, &str, u64, &str, bool)> {
    let operations = ledger.operations.iter().map(|one| {
        assert!(one.at.parse::<Timestamp>().is_ok(), "{}", one.at);
        let (id, reference) = (one.transaction_id.as_str(), one.reference.as_str());
        (id, one.operation, one.amount_minor, reference, one.automatic)
    });
    operations.collect()
}

#[tokio::test]
async fn a_ledger_has_everything_that_was_done_for_an_order() {
    let nets = Nets::new().await;
    nets.order("p1-0", "A", "1000").await;
    nets.assert_steps(
        "p1-0",
        &[("AUTH&transactionReconRef=AUTH", "OK"), ("AUTH", "Unable to auth 98"), ("ANNUL", "OK")],
    )
    .await;
    nets.order("p1-1", "A", "1000").await;
    nets.assert_steps(
        "p1-1",
        &[
            ("auth", "OK"),
            ("CAPTURE&transactionReconRef=CAPTURE", "OK"),
            ("CREDIT&transactionAmount=300&transactionReconRef=CREDIT-300", "OK"),
            (
                "CREDIT&transactionAmount=701&transactionReconRef=CREDIT-1001",
                "GenericError: Unable to credit more than captured amount",
            ),
            ("CREDIT&transactionAmount=200&transactionReconRef=CREDIT-500", "OK"),
            ("FRED", "ValidationException: Unknown operation: FRED"),
        ],
    )
    .await;
    nets.order("p1-2", "A", "700").await;
    nets.assert_steps("p1-2", &[("AUTH", "OK"), ("CAPTURE&transactionAmount=100", "OK")]).await;
    nets.order("p2-0", "B", "500").await;
    let ledger = nets.sandbox.ledger("A");
    let calls = [("ANNUL", 1), ("AUTH", 4), ("CAPTURE", 2), ("CREDIT", 3)];
    let expected = Ledger {
        order_number: "A".to_owned(),
        currency: "NOK".to_owned(),
        registrations: ["p1-0", "p1-1", "p1-2"].map(str::to_owned).to_vec(),
        authorized_minor: 2_700,
        held_minor: 600,
        captured_minor: 1_100,
        credited_minor: 500,
        annulled_minor: 1_000,
        calls: calls.into(),
        operations: ledger.operations.clone(),
    };
    assert_eq!(ledger, expected);
    let expected = [
        ("p1-0", "AUTH", 1_000, "AUTH", false),
        ("p1-0", "ANNUL", 1_000, "", false),
        ("p1-1", "AUTH", 1_000, "", false),
        ("p1-1", "CAPTURE", 1_000, "CAPTURE", false),
        ("p1-1", "CREDIT", 300, "CREDIT-300", false),
        ("p1-1", "CREDIT", 200, "CREDIT-500", false),
        ("p1-2", "AUTH", 700, "", false),
        ("p1-2", "CAPTURE", 100, "", false),
    ];
    assert_eq!(operations(&ledger), expected);
    assert_eq!(ledger.operations_of("CREDIT"), [(300, "CREDIT-300"), (200, "CREDIT-500")]);
    assert_eq!(["CREDIT", "SALE"].map(|name| ledger.calls_of(name)), [3, 0]);
    assert_eq!(nets.sandbox.ledgers().len(), 2);
}

/// An automatic operation is not a call.
#[tokio::test]
async fn a_ledger_names_automatic_operations() {
    let nets = Nets::new().await;
    for (id, automatic, operation) in [("1", "autoAuth", "AUTH"), ("2", "autoSale", "SALE")] {
        nets.buy(id, "1000", &format!("&{automatic}=true")).await;
        assert_eq!(operations(&nets.sandbox.ledger("1")).len(), usize::from(id == "2"));
        nets.pay(id, "4925000000000004").await;
        let ledger = nets.sandbox.ledger("1");
        let last = operations(&ledger).last().copied();
        assert_eq!(last, Some((id, operation, 1_000, "", true)));
        assert_eq!(ledger.calls_of(operation), 0);
    }
    let ledger = nets.sandbox.ledger("1");
    let sums = [ledger.authorized_minor, ledger.held_minor, ledger.captured_minor];
    assert_eq!(sums, [2_000, 1_000, 1_000]);
}

#[tokio::test]
async fn only_purchases_have_a_ledger() {
    let nets = Nets::new().await;
    nets.store_card("1", "4925000000000004").await;
    assert_eq!(nets.sandbox.ledgers(), []);
    let empty = Ledger { order_number: "1".to_owned(), ..Ledger::default() };
    assert_eq!(nets.sandbox.ledger("1"), empty);
    nets.buy_with_card("2").await;
    nets.assert_steps("2", &[("VERIFY", "OK")]).await;
    let ledger = nets.sandbox.ledger("1");
    assert_eq!(operations(&ledger), [("2", "VERIFY", 0, "", false)]);
    assert_eq!((ledger.authorized_minor, ledger.held_minor), (0, 0));
}

/// A late call is in the ledger as soon as it is executed.
#[tokio::test]
async fn a_ledger_includes_late_calls_that_are_due() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    nets.sandbox.inject_fault(Operation::Auth, FaultKind::ArriveLate, 1);
    let query = format!("merchantId={MERCHANT_ID}&token={TOKEN}&transactionId=1&operation=AUTH");
    let url = format!("{}/Netaxept/Process.aspx?{query}", nets.address);
    assert!(nets.http.get(url).send().await.is_err());
    assert_eq!(nets.sandbox.ledger("1").calls_of("AUTH"), 0);
    nets.clock.advance("PT31S").unwrap();
    assert_eq!(nets.sandbox.ledger("1").calls_of("AUTH"), 1);
    assert_eq!(nets.sandbox.ledger("1").held_minor, 1_000);
}

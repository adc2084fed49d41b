use super::*;

#[tokio::test]
async fn a_cancelled_transaction_says_so() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "").await;
    let (_, location, _) = nets.page("1", &[("cancelButton", "x")]).await;
    assert_eq!(location, "https://shop.example/?transactionId=1&responseCode=Cancel");
    let query = nets.query("1").await;
    let expected = ["Terminal", "17", "Terminal", "Cancelled by customer."];
    let error = query.split_once("<Error>").unwrap().1;
    assert_eq!(
        ["Operation", "ResponseCode", "ResponseSource", "ResponseText"]
            .map(|name| text(error, name).unwrap()),
        expected
    );
    for (operation, message) in [("AUTH", "Unable to auth"), ("VERIFY", "Unable to verify")] {
        assert_eq!(
            result(&nets.process("1", operation).await),
            [message, "17", "Terminal", "Cancelled by customer."]
        );
    }
}

#[tokio::test]
async fn a_card_is_authorized_within_a_day_of_the_customers_return() {
    let nets = Nets::new().await;
    nets.bought("1").await;
    nets.clock.advance("PT23H59M").unwrap();
    nets.bought("2").await;
    nets.clock.advance("PT2M").unwrap();
    for operation in ["AUTH", "SALE", "VERIFY"] {
        nets.steps("1", &[(operation, "GenericError: Too late to authorize the transaction")])
            .await;
    }
    nets.steps("2", &[("AUTH", "OK")]).await;
    nets.clock.advance("P8D").unwrap();
    nets.steps("2", &[("CAPTURE", "OK")]).await;
}

#[tokio::test]
async fn nothing_is_processed_after_a_year() {
    let nets = Nets::new().await;
    nets.bought("1").await;
    nets.steps("1", &[("SALE", "OK")]).await;
    nets.clock.advance("P364D").unwrap();
    nets.steps("1", &[("CREDIT&transactionAmount=1", "OK")]).await;
    nets.clock.advance("P1DT1M").unwrap();
    let old = "GenericError: Transaction is too old to be processed";
    nets.steps("1", &[("CREDIT", old), ("AUTH", old)]).await;
}

/// Nets' own card numbers for this are not public; the page's button for it is our own.
#[tokio::test]
async fn a_card_that_the_bank_denies_is_declined() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "").await;
    assert_eq!(nets.pay("1", "4925000000000103").await, "", "the bank asks first");
    assert_eq!(refusal(&nets.process("1", "AUTH").await).1, "Issuer is undetermined");
    let (_, location, _) = nets.page("1", &[("failButton", "x")]).await;
    assert_eq!(location, "https://shop.example/?transactionId=1&responseCode=MZ");
    let reply = nets.process("1", "AUTH").await;
    assert_eq!(result(&reply), ["Unable to auth", "MZ", "Netaxept", "Denied by 3D Secure"]);
    assert_eq!(text(&nets.query("1").await, "Authorized"), Some("false"));
}

use super::*;

#[tokio::test]
async fn a_cancelled_transaction_has_error_17() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "").await;
    let (_, location, _) = nets.post_page("1", &[("cancelButton", "x")]).await;
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
async fn a_card_must_be_authorized_within_24_hours_of_the_return() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    nets.clock.advance("PT23H59M").unwrap();
    nets.buy_with_card("2").await;
    nets.clock.advance("PT2M").unwrap();
    for operation in ["AUTH", "SALE", "VERIFY"] {
        nets.assert_steps(
            "1",
            &[(operation, "GenericError: Too late to authorize the transaction")],
        )
        .await;
    }
    nets.assert_steps("2", &[("AUTH", "OK")]).await;
    nets.clock.advance("P6D").unwrap();
    nets.assert_steps("2", &[("CAPTURE", "OK")]).await;
}

#[tokio::test]
async fn an_authorization_can_be_captured_or_annulled_for_seven_days() {
    let nets = Nets::new().await;
    for id in ["1", "2", "3", "4"] {
        nets.buy_with_card(id).await;
        nets.assert_steps(id, &[("AUTH", "OK")]).await;
    }
    nets.clock.advance("P6DT23H59M").unwrap();
    nets.assert_steps("1", &[("CAPTURE&transactionAmount=400", "OK")]).await;
    nets.assert_steps("2", &[("ANNUL", "OK")]).await;
    nets.clock.advance("PT2M").unwrap();
    let expired = "GenericError: The authorization has expired";
    nets.assert_steps("1", &[("CAPTURE", expired), ("CREDIT", "OK")]).await;
    nets.assert_steps("3", &[("CAPTURE", expired), ("ANNUL", expired)]).await;
    // Query does not say that an authorization has expired.
    let query = nets.query("4").await;
    assert_eq!(
        (text(&query, "Authorized"), text(&query, "Annulled")),
        (Some("true"), Some("false"))
    );
}

#[tokio::test]
async fn operations_are_refused_after_365_days() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    nets.assert_steps("1", &[("SALE", "OK")]).await;
    nets.clock.advance("P364D").unwrap();
    nets.assert_steps("1", &[("CREDIT&transactionAmount=1", "OK")]).await;
    nets.clock.advance("P1DT1M").unwrap();
    let old = "GenericError: Transaction is too old to be processed";
    nets.assert_steps("1", &[("CREDIT", old), ("AUTH", old)]).await;
}

/// Nets' card numbers for this are not public. The card and the button are the sandbox's own.
#[tokio::test]
async fn a_card_denied_by_3d_secure_is_declined() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "").await;
    assert_eq!(nets.pay("1", "4925000000000103").await, "", "the page of the bank is shown");
    assert_eq!(exception(&nets.process("1", "AUTH").await).1, "Issuer is undetermined");
    let (_, location, _) = nets.post_page("1", &[("failButton", "x")]).await;
    assert_eq!(location, "https://shop.example/?transactionId=1&responseCode=MZ");
    let reply = nets.process("1", "AUTH").await;
    assert_eq!(result(&reply), ["Unable to auth", "MZ", "Netaxept", "Denied by 3D Secure"]);
    assert_eq!(text(&nets.query("1").await, "Authorized"), Some("false"));
}

use super::*;

#[tokio::test]
async fn the_decimals_of_an_amount_below_two_are_the_response_code() {
    let nets = Nets::new().await;
    for (amount, code) in [
        ("1", "01"),
        ("5", "05"),
        ("51", "51"),
        ("99", "99"),
        ("101", "01"),
        ("152", "52"),
        ("199", "99"),
    ] {
        nets.buy(amount, amount, "").await;
        nets.pay(amount, "4925000000000004").await;
        for (operation, message) in [("AUTH", "Unable to auth"), ("SALE", "Unable to sale")] {
            let reply = nets.process(amount, operation).await;
            assert_eq!(exception(&reply), ("BBSException", message));
            assert_eq!(result(&reply), [message, code, "Issuer", "Refused by issuer"]);
        }
        assert_eq!(text(&nets.query(amount).await, "Authorized"), Some("false"));
    }
    for amount in ["100", "200", "251", "10099"] {
        nets.buy(amount, amount, "").await;
        nets.pay(amount, "4925000000000004").await;
        assert_eq!(text(&nets.process(amount, "AUTH").await, "ResponseCode"), Some("OK"));
    }
}

#[tokio::test]
async fn verify_ignores_test_amounts() {
    let nets = Nets::new().await;
    nets.buy("1", "152", "").await;
    nets.pay("1", "4925000000000004").await;
    assert_eq!(text(&nets.process("1", "VERIFY").await, "ResponseCode"), Some("OK"));
}

#[tokio::test]
async fn four_test_cards_are_accepted() {
    let nets = Nets::new().await;
    for (number, masked, method) in [
        ("4925000000000004", "492500******0004", "Visa"),
        ("4925000000000061", "492500******0061", "Visa"),
        ("5413000000000000", "541300******0000", "MasterCard"),
        ("378282246310005", "378282*****0005", "AmericanExpress"),
    ] {
        nets.buy(number, "1000", "").await;
        let code = if number.starts_with('3') { "1234" } else { "123" };
        let form = [
            ("cardNo", number),
            ("month", "12"),
            ("year", "30"),
            ("securityCode", code),
            ("okButton", "x"),
        ];
        nets.post_page(number, &form).await;
        assert_eq!(text(&nets.process(number, "SALE").await, "ResponseCode"), Some("OK"));
        let query = nets.query(number).await;
        let found =
            ["MaskedPAN", "PaymentMethod", "ExpiryDate"].map(|name| text(&query, name).unwrap());
        assert_eq!(found, [masked, method, "3012"]);
    }
}

#[tokio::test]
async fn a_declined_card_returns_from_the_terminal_with_ok() {
    let nets = Nets::new().await;
    for (operation, message) in
        [("VERIFY", "Unable to verify"), ("AUTH", "Unable to auth"), ("SALE", "Unable to sale")]
    {
        nets.buy(operation, "1000", "").await;
        let location = nets.pay(operation, "4925000000000087").await;
        assert!(location.ends_with("&responseCode=OK"));
        let reply = nets.process(operation, operation).await;
        assert_eq!(result(&reply), [message, "99", "Netaxept", "Auth Reg Comp Failure)"]);
        assert_eq!(text(&reply, "IssuerId"), Some("3"));
    }
}

#[tokio::test]
async fn capture_fails_for_one_test_card() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "").await;
    nets.pay("1", "4925000000000079").await;
    assert_eq!(result(&nets.process("1", "SALE").await)[..2], ["Unable to sale", "99"]);
    assert_eq!(text(&nets.process("1", "AUTH").await, "ResponseCode"), Some("OK"));
    let reply = nets.process("1", "CAPTURE").await;
    assert_eq!(exception(&reply).0, "BBSException");
    assert_eq!(result(&reply), ["Unable to capture", "99", "Netaxept", "Capture failed"]);
}

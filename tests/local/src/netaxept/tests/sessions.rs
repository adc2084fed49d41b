use super::*;

const VALID_CARD: [(&str, &str); 3] =
    [("pan", "4925000000000004"), ("expiryDate", "1230"), ("securityCode", "123")];

/// Returns the `responseCode` in a redirect address.
fn code(location: &str) -> String {
    let query = location.split_once('?').unwrap().1;
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "responseCode")
        .unwrap()
        .1
        .into_owned()
}

#[tokio::test]
async fn the_redirect_appends_the_transaction_id_and_then_the_code() {
    let nets = Nets::new().await;
    for (id, to, expected) in [
        ("1", "https%3A%2F%2Fa%2Freturn", "https://a/return?transactionId=1&responseCode=OK"),
        (
            "2",
            "https%3A%2F%2Fa%2F%3Fb%3Dc%23top",
            "https://a/?b=c&transactionId=2&responseCode=OK#top",
        ),
    ] {
        let order = format!(
            "transactionId={id}&orderNumber=1&amount=500&currencyCode=NOK&redirectUrl={to}"
        );
        nets.call("Register", &order).await;
        assert_eq!(nets.pay(id, "4925000000000004").await, expected);
    }
}

#[tokio::test]
async fn a_failed_session_redirects_to_redirect_on_error() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "&redirectOnError=https%3A%2F%2Fshop.example%2Fsorry").await;
    let (_, location, _) = nets.post_page("1", &[("cancelButton", "x")]).await;
    assert_eq!(location, "https://shop.example/sorry?transactionId=1&responseCode=Cancel");
    nets.buy("2", "1000", "&redirectOnError=https%3A%2F%2Fshop.example%2Fsorry").await;
    assert_eq!(
        nets.pay("2", "4925000000000004").await,
        "https://shop.example/?transactionId=2&responseCode=OK"
    );
}

#[tokio::test]
async fn the_merchants_page_posts_the_card() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "&serviceType=M").await;
    let (status, location, _) = nets.post_page("1", &VALID_CARD).await;
    assert_eq!(
        (status, location.as_str()),
        (302, "https://shop.example/?transactionId=1&responseCode=OK")
    );
    assert_eq!(text(&nets.process("1", "SALE").await, "ResponseCode"), Some("OK"));
    let query = nets.query("1").await;
    assert_eq!(
        (text(&query, "MaskedPAN"), text(&query, "ExpiryDate")),
        (Some("492500******0004"), Some("3012"))
    );
}

#[tokio::test]
async fn errors_in_a_posted_card_are_reported_by_field() {
    let nets = Nets::new().await;
    for (place, (pan, expiry, security, expected)) in [
        ("", "1230", "123", "Cardnumber:Required"),
        ("49250000000x", "1230", "123", "Cardnumber:ContainsIllegalCharacters"),
        ("4925", "1230", "123", "Cardnumber:TooFewDigits"),
        (
            "49250000000000000004",
            "1230",
            "12",
            "Cardnumber:TooManyDigits,SecurityCode:TooFewDigits",
        ),
        ("4925000000000005", "1230", "123", "Cardnumber:HasWrongCheckDigit"),
        ("4925000000000004", "", "123", "ExpiryMonth:Required,ExpiryYear:Required"),
        ("4925000000000004", "1330", "123", "ExpiryMonth:IllegalValue"),
        ("4925000000000004", "1x30", "123", "ExpiryMonth:ContainsIllegalCharacters"),
        ("4925000000000004", "12", "123", "ExpiryYear:Required"),
        ("4925000000000004", "122030", "123", "ExpiryYear:IllegalLength"),
        ("4925000000000004", "0120", "1234", "ExpiryYear:ExpiredCard,SecurityCode:TooManyDigits"),
        ("378282246310005", "1230", "123", "SecurityCode:TooFewDigits"),
        ("4925000000000004", "1230", "", "SecurityCode:Required"),
        ("4925000000000004", "1230", "12x", "SecurityCode:ContainsIllegalCharacters"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = place.to_string();
        nets.buy(&id, "1000", "&serviceType=M").await;
        let form = [("pan", pan), ("expiryDate", expiry), ("securityCode", security)];
        let (status, location, _) = nets.post_page(&id, &form).await;
        assert_eq!((status, code(&location).as_str()), (302, expected));
        let query = nets.query(&id).await;
        let error = text(&query, "Error").unwrap();
        assert_eq!(
            (text(error, "Operation"), text(error, "ResponseText")),
            (Some("Terminal"), Some(expected))
        );
    }
    let (_, location, _) = nets.post_page("0", &VALID_CARD).await;
    assert_eq!(location, "", "the session cannot be opened again");
}

#[tokio::test]
async fn a_call_centre_transaction_has_no_terminal() {
    let nets = Nets::new().await;
    let order = "orderNumber=1&amount=1000&currencyCode=NOK&serviceType=C";
    let card = "pan=4925000000000004&expiryDate=1230";
    let parameters = format!("transactionId=1&{order}&{card}");
    assert_eq!(text(&nets.call("Register", &parameters).await, "TransactionId"), Some("1"));
    assert!(nets.post_page("1", &[]).await.2.contains("Internal error"));
    assert_eq!(text(&nets.process("1", "AUTH").await, "ResponseCode"), Some("OK"));
    assert_eq!(text(&nets.query("1").await, "ExpiryDate"), Some("3012"));
    nets.call("Register", &format!("transactionId=2&{order}")).await;
    assert_eq!(exception(&nets.process("2", "AUTH").await).1, "Issuer is undetermined");
    let reply =
        nets.call("Register", &format!("transactionId=3&{order}&pan=4925&expiryDate=1230")).await;
    assert_eq!(exception(&reply), ("ValidationException", "Cardnumber:TooFewDigits"));
    let reply =
        nets.call("Register", &format!("transactionId=4&{order}&{card}&autoSale=true")).await;
    assert_eq!(text(&reply, "TransactionId"), Some("4"));
    assert_eq!(text(&nets.query("4").await, "AmountCaptured"), Some("1000"));
}

/// The tests of a public client pass at Nets with the American Express test card and the code 123.
#[tokio::test]
async fn a_call_centre_can_send_a_security_code_of_three_or_four_digits() {
    let nets = Nets::new().await;
    let order = "orderNumber=1&amount=1000&currencyCode=NOK&serviceType";
    let mut id = 0;
    for service_type in ["C", "A"] {
        for pan in ["378282246310005", "4925000000000004", "5413000000000000"] {
            for (code, expected) in [
                ("", None),
                ("12", Some("SecurityCode:TooFewDigits")),
                ("123", None),
                ("1234", None),
                ("12345", Some("SecurityCode:TooManyDigits")),
                ("12x", Some("SecurityCode:ContainsIllegalCharacters")),
            ] {
                id += 1;
                let card = format!("pan={pan}&expiryDate=1230&securityCode={code}");
                let parameters = format!("transactionId={id}&{order}={service_type}&{card}");
                let reply = nets.call("Register", &parameters).await;
                let Some(expected) = expected else {
                    assert_eq!(
                        text(&reply, "TransactionId"),
                        Some(&*id.to_string()),
                        "{parameters}"
                    );
                    let reply = nets.process(&id.to_string(), "SALE").await;
                    assert_eq!(text(&reply, "ResponseCode"), Some("OK"), "{parameters}");
                    continue;
                };
                assert_eq!(exception(&reply), ("ValidationException", expected), "{parameters}");
            }
        }
    }
}

#[tokio::test]
async fn auto_auth_and_auto_sale_run_at_the_end_of_the_session() {
    let nets = Nets::new().await;
    for (id, automatic, line) in [("1", "autoAuth", "Auth"), ("2", "autoSale", "Sale")] {
        nets.buy(id, "1000", &format!("&{automatic}=true")).await;
        assert_eq!(text(&nets.query(id).await, "Authorized"), Some("false"));
        assert!(nets.pay(id, "4925000000000004").await.ends_with("responseCode=OK"));
        let query = nets.query(id).await;
        assert_eq!(text(&query, "Authorized"), Some("true"));
        let description = format!("127.0.0.1: Auto {}", line.to_uppercase());
        assert!(query.contains(&format!(
            "<Description>{description}</Description>\r\n      <Operation>{line}</Operation>"
        )));
        assert_eq!(result(&nets.process(id, "AUTH").await)[1], "98");
    }
}

#[tokio::test]
async fn a_declined_auto_sale_redirects_with_its_code() {
    let nets = Nets::new().await;
    for (id, amount, number, expected) in
        [("1", "152", "4925000000000004", "52"), ("2", "1000", "4925000000000087", "99")]
    {
        nets.buy(id, amount, "&autoSale=true").await;
        assert_eq!(code(&nets.pay(id, number).await), expected);
        let query = nets.query(id).await;
        assert_eq!(
            (text(&query, "Authorized"), text(&query, "ResponseCode")),
            (Some("false"), Some(expected))
        );
    }
}

#[tokio::test]
async fn without_a_redirect_address_a_completion_page_is_shown() {
    let nets = Nets::new().await;
    for (id, amount, found) in
        [("1", "1000", "id=\"status_okPanel\""), ("2", "152", "class=\"errorPanel\"")]
    {
        let order = "orderNumber=1&currencyCode=NOK&autoAuth=true";
        nets.call("Register", &format!("transactionId={id}&amount={amount}&{order}")).await;
        let form = [
            ("cardNo", "4925000000000004"),
            ("month", "12"),
            ("year", "30"),
            ("securityCode", "123"),
            ("okButton", "x"),
        ];
        let (status, _, page) = nets.post_page(id, &form).await;
        assert!(status == 200 && page.contains(found), "{page}");
        assert_eq!(page.contains("Transaksjonen er gjennomført."), id == "1");
    }
}

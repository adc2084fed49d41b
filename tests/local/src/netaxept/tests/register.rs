use super::*;

#[tokio::test]
async fn credentials_are_checked_first() {
    let nets = Nets::new().await;
    let absent = "Test: Unable to authenticate merchant (credentials not passed)";
    for (form, message) in [
        (vec![], absent),
        (vec![("merchantId", MERCHANT_ID)], absent),
        (vec![("merchantId", MERCHANT_ID), ("token", "")], absent),
        (vec![("token", TOKEN)], absent),
        (
            vec![("merchantId", "1337"), ("token", TOKEN)],
            "Authentication failed (Test) MerchantId: 1337",
        ),
        (
            vec![("merchantId", MERCHANT_ID), ("token", "x")],
            "Authentication failed (Test) MerchantId: 12000001",
        ),
    ] {
        for operation in ["Register", "Process", "Query"] {
            let reply = nets.post(&format!("/Netaxept/{operation}.aspx"), &form).await;
            assert_eq!(
                exception(&reply),
                ("AuthenticationException", message),
                "{operation} {form:?}"
            );
        }
    }
}

#[tokio::test]
async fn validation_errors_have_the_recorded_text_and_order() {
    let nets = Nets::new().await;
    let unable = "Unable to translate supermerchant to submerchant, please check currency code and merchant ID";
    for (more, kind, message) in [
        ("", "ValidationException", "Missing parameter: 'Order Number'"),
        ("orderNumber=1", "ValidationException", "Missing parameter: 'Amount'"),
        ("orderNumber=1&AMOUNT=100", "ValidationException", "Missing parameter: 'Currency Code'"),
        (
            "orderNumber=1&amount=0&currencyCode=NOK",
            "ValidationException",
            "Transaction amount must be greater than zero.",
        ),
        ("orderNumber=1&amount=1&currencyCode=NOK", "ValidationException", "Missing redirect URL"),
        (
            "orderNumber=1&amount=1&currencyCode=NOK&serviceType=m",
            "ValidationException",
            "Missing redirect URL",
        ),
        ("orderNumber=1&amount=1&currencyCode=XXX", "GenericError", unable),
    ] {
        assert_eq!(exception(&nets.call("Register", more).await), (kind, message), "{more}");
    }
}

#[tokio::test]
async fn a_transaction_id_must_be_unique() {
    let nets = Nets::new().await;
    nets.buy("1", "500", "").await;
    let again = nets.call("Register", "transactionId=1&orderNumber=2&updateStoredPaymentInfo=true&redirectUrl=https%3A%2F%2Fa").await;
    assert_eq!(exception(&again), ("UniqueTransactionIdException", "Transaction ID not unique"));
    nets.buy("2", "500", "").await;
}

/// Nets' messages for these errors are not known.
#[tokio::test]
async fn invalid_values_are_refused_with_messages_of_the_sandbox() {
    let nets = Nets::new().await;
    let long = "1".repeat(33);
    for (more, message) in [
        ("orderNumber=a%20b", "Invalid parameter: 'Order Number'"),
        ("orderNumber=%C3%A6", "Invalid parameter: 'Order Number'"),
        (&format!("orderNumber={long}"), "Invalid parameter: 'Order Number'"),
        (&format!("orderNumber=1&transactionId={long}"), "Invalid parameter: 'Transaction ID'"),
        ("orderNumber=1&serviceType=X", "Invalid parameter: 'Service Type'"),
        ("orderNumber=1&recurringType=X", "Invalid parameter: 'Recurring Type'"),
        ("orderNumber=1&autoAuth=true&autoSale=true", "autoAuth and autoSale exclude each other"),
    ] {
        let reply = nets.call("Register", &format!("amount=500&currencyCode=NOK&{more}")).await;
        assert_eq!(exception(&reply), ("ValidationException", message));
    }
    let reply = nets.call("Register", "orderNumber=1&amount=1x&currencyCode=NOK").await;
    assert_eq!(exception(&reply).1, "Transaction amount must be greater than zero.");
}

#[tokio::test]
async fn four_currencies_are_supported() {
    let nets = Nets::new().await;
    for currency in ["NOK", "SEK", "DKK", "EUR"] {
        let more = format!("orderNumber=1&amount=1&redirectUrl=x&currencyCode={currency}");
        assert_eq!(exception(&nets.call("Register", &more).await).0, "none");
    }
}

#[tokio::test]
async fn an_initial_recurring_payment_needs_a_frequency_and_an_expiry_date() {
    let nets = Nets::new().await;
    let order = "orderNumber=1&updateStoredPaymentInfo=true&redirectUrl=x&recurringType=R";
    for (more, message) in [
        ("", "Missing parameter: 'Recurring Frequency'"),
        ("&recurringFrequency=28", "Missing parameter: 'Recurring Expiry Date'"),
        (
            "&recurringFrequency=x&recurringExpiryDate=20301231",
            "Invalid parameter: 'Recurring Frequency'",
        ),
        (
            "&recurringFrequency=28&recurringExpiryDate=2030123",
            "Invalid parameter: 'Recurring Expiry Date'",
        ),
        (
            "&recurringFrequency=28&recurringExpiryDate=20301331",
            "Invalid parameter: 'Recurring Expiry Date'",
        ),
    ] {
        let reply = nets.call("Register", &format!("{order}{more}")).await;
        assert_eq!(exception(&reply), ("ValidationException", message), "{more}");
    }
    let more = "&recurringFrequency=0&recurringExpiryDate=20301231";
    let reply = nets.call("Register", &format!("{order}{more}&transactionId=1")).await;
    assert_eq!(text(&reply, "TransactionId"), Some("1"));
}

#[tokio::test]
async fn storing_a_card_needs_no_amount_and_no_currency() {
    let nets = Nets::new().await;
    nets.register("1", "").await;
    let query = nets.query("1").await;
    assert_eq!((text(&query, "Amount"), text(&query, "Total")), (Some("0"), Some("0")));
}

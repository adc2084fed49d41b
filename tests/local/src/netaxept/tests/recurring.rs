use super::*;

const CARD: &str = "4925000000000004";

#[tokio::test]
async fn the_first_successful_operation_sets_the_pan_hash() {
    let nets = Nets::new().await;
    for operation in ["VERIFY", "AUTH"] {
        nets.register(operation, "").await;
        let fresh = nets.query(operation).await;
        assert!(
            fresh.contains("<MaskedPAN />\r\n    <PanHash />\r\n  </CardInformation>"),
            "{fresh}"
        );
        assert!(fresh.contains("<Recurring>\r\n    <PanHash />\r\n    <ExpiryDate />\r\n    <Frequency />\r\n    <Type>Store (Init)</Type>"));
        nets.pay(operation, CARD).await;
        assert!(nets.query(operation).await.contains("<PanHash />"));
        nets.process(operation, operation).await;
    }
    nets.buy("SALE", "1000", "&recurringType=S").await;
    nets.pay("SALE", CARD).await;
    nets.process("SALE", "SALE").await;
    let mut hashes = Vec::new();
    for id in ["VERIFY", "AUTH", "SALE"] {
        let query = nets.query(id).await;
        let hash = text(&query, "PanHash").unwrap().to_owned();
        assert_eq!(query.matches(&hash).count(), 2, "in CardInformation and in Recurring");
        assert_eq!(hash.len(), 28);
        hashes.push(hash);
    }
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 3, "each stored card has its own pan hash");
}

#[tokio::test]
async fn there_is_no_pan_hash_without_a_recurring_type_or_for_a_declined_card() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "").await;
    nets.pay("1", CARD).await;
    nets.process("1", "AUTH").await;
    assert!(!nets.query("1").await.contains("PanHash"));
    nets.register("2", "").await;
    nets.pay("2", "4925000000000087").await;
    nets.process("2", "VERIFY").await;
    let declined = nets.query("2").await;
    assert!(declined.contains("<PanHash />") && text(&declined, "Authorized") == Some("false"));
}

#[tokio::test]
async fn merchant_initiated_charges_skip_the_terminal() {
    let nets = Nets::new().await;
    let hash = nets.store_card("0", CARD).await;
    for (id, more, operation) in [
        ("1", "recurringType=R&serviceType=M", "AUTH"),
        ("2", "recurringType=R&serviceType=C", "SALE"),
        ("3", "recurringType=R&serviceType=A", "SALE"),
        ("4", "recurringType=M&recurringTransactionType=1&serviceType=C", "SALE"),
        ("5", "recurringType=R", "AUTH"),
        ("6", "recurringType=S&serviceType=M&recurringUse3DS=true", "AUTH"),
    ] {
        let reply = nets.register_charge(id, "1000", &hash, more).await;
        assert_eq!(text(&reply, "TransactionId"), Some(id), "{more}: {reply}");
        assert_eq!(text(&nets.process(id, operation).await, "ResponseCode"), Some("OK"), "{more}");
        let query = nets.query(id).await;
        assert_eq!(text(&query, "MaskedPAN"), Some("492500******0004"));
        assert_eq!(text(&query, "PanHash"), Some(hash.as_str()));
        assert!(!query.contains("<CustomerRedirected>"));
    }
    // The 24 hours after the return apply only to a charge with a terminal session.
    nets.register_charge("7", "1000", &hash, "recurringType=M&serviceType=C").await;
    nets.clock.advance("P100D").unwrap();
    nets.assert_steps("7", &[("AUTH", "OK"), ("CAPTURE", "OK")]).await;
}

#[tokio::test]
async fn a_stored_card_is_declined_after_its_expiry_month() {
    let nets = Nets::new().await;
    let hash = nets.store_card("0", CARD).await;
    // The card expires at the end of December 2030.
    let last: Timestamp = "2030-12-31T23:50:00Z".parse().unwrap();
    let seconds = last.duration_since(nets.clock.now()).as_secs();
    nets.clock.advance(&format!("PT{seconds}S")).unwrap();
    let mode = "recurringType=M&serviceType=C";
    for id in ["1", "2"] {
        nets.register_charge(id, "1000", &hash, mode).await;
    }
    nets.assert_steps("1", &[("AUTH", "OK")]).await;
    nets.clock.advance("PT11M").unwrap();
    nets.assert_steps("1", &[("CAPTURE", "OK")]).await;
    for operation in ["AUTH", "SALE"] {
        let reply = nets.process("2", operation).await;
        assert_eq!(result(&reply)[1..], ["54", "Issuer", "Refused by issuer"], "{operation}");
    }
    nets.assert_steps("2", &[("VERIFY", "OK")]).await;
    let reply = nets.register_charge("3", "1000", &hash, &format!("{mode}&autoSale=true")).await;
    assert_eq!(result(&reply)[..3], ["Unable to sale", "54", "Issuer"]);
}

/// The cards are the sandbox's own. Netaxept blocks payments with them, but the cards can be stored.
#[tokio::test]
async fn blocked_cards_are_declined_by_netaxept() {
    let nets = Nets::new().await;
    for (number, code, text) in [
        ("4925000000000129", "PB", "Permanent block"),
        ("4925000000000137", "TB", "Temporary block"),
    ] {
        let hash = nets.store_card(code, number).await;
        let id = format!("{code}1");
        nets.register_charge(&id, "1000", &hash, "recurringType=M&serviceType=C").await;
        for (operation, message) in [("AUTH", "Unable to auth"), ("SALE", "Unable to sale")] {
            let reply = nets.process(&id, operation).await;
            assert_eq!(result(&reply), [message, code, "Netaxept", text]);
        }
    }
}

/// Only `Store (Init)` was recorded from Nets.
#[tokio::test]
async fn the_recurring_element_contains_its_type() {
    let nets = Nets::new().await;
    let hash = nets.store_card("0", CARD).await;
    nets.buy("1", "1000", "&recurringType=R&recurringFrequency=28&recurringExpiryDate=20301231")
        .await;
    for (id, more) in [("2", "recurringType=S"), ("3", "recurringType=R"), ("4", "recurringType=M")]
    {
        nets.register_charge(id, "1000", &hash, more).await;
    }
    let types = ["Store (Init)", "Recurring (Init)", "Store", "Recurring", "Merchant initiated"];
    for (id, expected) in types.into_iter().enumerate() {
        assert_eq!(text(&nets.query(&id.to_string()).await, "Type"), Some(expected));
    }
    let query = nets.query("1").await;
    let recurring = text(&query, "Recurring").unwrap();
    assert_eq!(
        (text(recurring, "ExpiryDate"), text(recurring, "Frequency")),
        (Some("20301231"), Some("28"))
    );
}

#[tokio::test]
async fn a_customer_initiated_charge_asks_only_for_the_security_code() {
    let nets = Nets::new().await;
    let hash = nets.store_card("0", CARD).await;
    nets.register_charge("1", "1000", &hash, "recurringType=S&recurringUse3DS=true&serviceType=B")
        .await;
    assert_eq!(exception(&nets.process("1", "AUTH").await).1, "Issuer is undetermined");
    let (_, _, page) = nets.post_page("1", &[]).await;
    assert!(page.contains("id=\"securityCode\"") && !page.contains("id=\"cardNo\""), "{page}");
    assert_eq!(nets.post_page("1", &[("securityCode", "12"), ("okButton", "x")]).await.0, 200);
    let (_, location, _) = nets.post_page("1", &[("securityCode", "123"), ("okButton", "x")]).await;
    assert_eq!(location, "https://shop.example/?transactionId=1&responseCode=OK");
    assert_eq!(text(&nets.process("1", "SALE").await, "ResponseCode"), Some("OK"));
    nets.register_charge("2", "1000", &hash, "recurringType=S").await;
    assert_eq!(text(&nets.process("2", "SALE").await, "ResponseCode"), Some("OK"));
}

#[tokio::test]
async fn an_unknown_pan_hash_is_refused() {
    let nets = Nets::new().await;
    let hash = nets.store_card("0", CARD).await;
    let reply = nets.register_charge("1", "1000", "unknown", "recurringType=R").await;
    assert_eq!(exception(&reply), ("ValidationException", "Unknown pan hash"));
    assert_eq!(
        exception(&nets.register_charge("1", "1000", &hash, "").await).1,
        "Missing parameter: 'Recurring Type'"
    );
    let more = "orderNumber=1&amount=1000&currencyCode=NOK&recurringType=M&serviceType=C";
    assert_eq!(exception(&nets.call("Register", more).await).1, "Missing parameter: 'Pan Hash'");
}

#[tokio::test]
async fn auto_sale_and_auto_auth_run_at_register() {
    let nets = Nets::new().await;
    let hash = nets.store_card("0", CARD).await;
    let mode = "recurringType=M&recurringTransactionType=1&serviceType=C";
    for (id, automatic, captured) in [("1", "autoSale=true", "1000"), ("2", "autoAuth=True", "0")] {
        let reply = nets.register_charge(id, "1000", &hash, &format!("{mode}&{automatic}")).await;
        assert_eq!(text(&reply, "TransactionId"), Some(id), "{reply}");
        let query = nets.query(id).await;
        assert_eq!(
            (text(&query, "Authorized"), text(&query, "AmountCaptured")),
            (Some("true"), Some(captured))
        );
    }
    assert!(nets.query("2").await.contains("<Description>127.0.0.1: Auto AUTH</Description>"));
    assert_eq!(text(&nets.process("2", "CAPTURE").await, "ResponseCode"), Some("OK"));
}

#[tokio::test]
async fn a_decline_at_register_is_returned_by_register() {
    let nets = Nets::new().await;
    let hash = nets.store_card("0", CARD).await;
    let mode = "recurringType=R&serviceType=C&autoSale=true";
    let reply = nets.register_charge("1", "151", &hash, mode).await;
    assert_eq!(exception(&reply).0, "BBSException");
    assert_eq!(result(&reply), ["Unable to sale", "51", "Issuer", "Refused by issuer"]);
    let query = nets.query("1").await;
    assert_eq!(
        (text(&query, "Authorized"), text(&query, "ResponseCode")),
        (Some("false"), Some("51"))
    );
    assert_eq!(
        exception(&nets.register_charge("1", "151", &hash, mode).await).0,
        "UniqueTransactionIdException"
    );
}

#[tokio::test]
async fn transactions_contain_no_secrets() {
    let nets = Nets::new().await;
    let hash = nets.store_card("0", CARD).await;
    nets.register_charge("1", "1000", &hash, "recurringType=R").await;
    let card = "pan=4925000000000004&expiryDate=1230&securityCode=987";
    nets.call(
        "Register",
        // With an id of its own: a random one can contain the security code.
        &format!("transactionId=2&orderNumber=1&amount=1000&currencyCode=NOK&serviceType=C&{card}"),
    )
    .await;
    let json = nets.sandbox.transactions().to_string();
    for secret in [hash.as_str(), CARD, "987", TOKEN] {
        assert!(!json.contains(secret), "{json}");
    }
}

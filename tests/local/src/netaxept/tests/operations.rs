use super::*;

#[tokio::test]
async fn a_successful_operation_has_the_recorded_elements() {
    let nets = Nets::new().await;
    let all = [
        "ProcessResponse",
        "AuthorizationId",
        "BatchNumber",
        "ExecutionTime",
        "MerchantId",
        "Operation",
        "ResponseCode",
        "TransactionId",
    ];
    for operation in ["AUTH", "SALE", "VERIFY"] {
        nets.buy_with_card(operation).await;
        let reply = nets.process(operation, &operation.to_lowercase()).await;
        let expected: Vec<&str> = all
            .into_iter()
            .filter(|name| operation != "VERIFY" || *name != "BatchNumber")
            .collect();
        assert_eq!(element_names(&reply), expected);
        assert_eq!(text(&reply, "AuthorizationId").unwrap().len(), 6);
        let found = ["MerchantId", "Operation", "ResponseCode", "TransactionId"]
            .map(|name| text(&reply, name).unwrap());
        assert_eq!(found, [MERCHANT_ID, operation, "OK", operation]);
    }
    for operation in ["Capture", "credit"] {
        let reply = nets.process("AUTH", operation).await;
        assert_eq!(
            element_names(&reply),
            all.into_iter().filter(|name| *name != "AuthorizationId").collect::<Vec<_>>()
        );
        assert_eq!(text(&reply, "Operation"), Some(operation.to_uppercase().as_str()));
    }
}

#[tokio::test]
async fn a_refused_payment_has_the_recorded_elements() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    nets.process("1", "AUTH").await;
    let reply = nets.process("1", "AUTH").await;
    let expected = [
        "Exception",
        "Error",
        "Message",
        "Result",
        "IssuerId",
        "ResponseCode",
        "ResponseText",
        "ResponseSource",
        "TransactionId",
        "ExecutionTime",
        "MerchantId",
        "ExtraInfoOut",
        "MaskedPan",
        "MessageId",
    ];
    assert_eq!(element_names(&reply), expected);
    assert_eq!(
        result(&reply),
        ["Unable to auth", "98", "Netaxept", "Transaction already processed"]
    );
    assert_eq!(
        (text(&reply, "IssuerId"), text(&reply, "MerchantId")),
        (Some("50"), Some("200970"))
    );
    assert!(reply.contains("<MaskedPan />") && text(&reply, "MessageId").unwrap().len() == 32);
    let time = text(&reply, "ExecutionTime").unwrap();
    assert!(time.len() == 33 && [".", "+"].iter().all(|sign| time.contains(sign)), "{time}");
}

#[tokio::test]
async fn operations_in_the_wrong_state_are_refused() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "").await;
    let undetermined = "ValidationException: Issuer is undetermined";
    nets.assert_steps(
        "1",
        &[
            ("VERIFY", undetermined),
            ("AUTH", undetermined),
            ("SALE", undetermined),
            (
                "CAPTURE",
                "GenericError: You cannot run capture on a transaction that never is authorized",
            ),
            (
                "CREDIT",
                "GenericError: You cannot run credit on a transaction that has not been captured.",
            ),
            ("ANNUL", "GenericError: Unable to annul, wrong state"),
            ("FRED", "ValidationException: Unknown operation: FRED"),
            ("", "ValidationException: Unknown operation: "),
            ("ADJUST", "NotSupportedException: Operation not supported for this transaction"),
        ],
    )
    .await;
    for id in ["2", ""] {
        assert_eq!(
            exception(&nets.process(id, "AUTH").await),
            ("GenericError", "Unable to find transaction")
        );
    }
}

#[tokio::test]
async fn capture_and_credit_take_a_partial_or_the_remaining_amount() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    nets.assert_steps(
        "1",
        &[
            ("AUTH", "OK"),
            (
                "CREDIT",
                "GenericError: You cannot run credit on a transaction that has not been captured.",
            ),
            ("CAPTURE&transactionAmount=400&amount=1", "OK"),
            (
                "CAPTURE&transactionAmount=601",
                "GenericError: Unable to capture more than authorized amount",
            ),
            ("CAPTURE&amount=1", "OK"),
            ("CAPTURE", "GenericError: Unable to capture more than authorized amount"),
            ("ANNUL", "GenericError: Unable to annul, wrong state"),
            (
                "CREDIT&transactionAmount=1001",
                "GenericError: Unable to credit more than captured amount",
            ),
            ("CREDIT&transactionAmount=1", "OK"),
        ],
    )
    .await;
    let query = nets.query("1").await;
    assert_eq!(
        (text(&query, "AmountCaptured"), text(&query, "AmountCredited")),
        (Some("1000"), Some("1"))
    );
    nets.assert_steps(
        "1",
        &[("CREDIT", "OK"), ("CREDIT", "GenericError: Unable to credit more than captured amount")],
    )
    .await;
    assert_eq!(text(&nets.query("1").await, "AmountCredited"), Some("1000"));
}

#[tokio::test]
async fn a_sale_authorizes_and_captures() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    nets.assert_steps(
        "1",
        &[
            ("SALE", "OK"),
            ("SALE", "Unable to sale 98"),
            ("AUTH", "Unable to auth 98"),
            ("CAPTURE", "GenericError: Unable to capture more than authorized amount"),
            ("CREDIT", "OK"),
        ],
    )
    .await;
    assert_eq!(text(&nets.query("1").await, "AmountCaptured"), Some("1000"));
}

#[tokio::test]
async fn an_authorization_is_annulled_once_and_in_full() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    nets.assert_steps(
        "1",
        &[
            ("AUTH", "OK"),
            ("ANNUL&transactionAmount=1", "OK"),
            ("ANNUL", "GenericError: Unable to annul, wrong state"),
            ("CAPTURE", "GenericError: Unable to capture more than authorized amount"),
            ("AUTH", "Unable to auth 98"),
        ],
    )
    .await;
    let query = nets.query("1").await;
    assert!(query.contains("<Annuled>true</Annuled>\r\n    <Annulled>true</Annulled>"));
}

#[tokio::test]
async fn after_verify_all_other_operations_are_refused() {
    let nets = Nets::new().await;
    nets.buy_with_card("1").await;
    nets.assert_steps(
        "1",
        &[
            ("VERIFY", "OK"),
            ("VERIFY", "Unable to verify 98"),
            ("AUTH", "Unable to auth 98"),
            ("SALE", "Unable to sale 98"),
            (
                "CAPTURE",
                "GenericError: You cannot run capture on a transaction that never is authorized",
            ),
            ("ANNUL", "GenericError: Unable to annul, wrong state"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_transaction_that_only_stores_a_card_cannot_be_charged() {
    let nets = Nets::new().await;
    let unsupported = "NotSupportedException: Operation not supported for this transaction";
    for id in ["1", "2"] {
        nets.register(id, "").await;
    }
    let money = [
        ("CAPTURE", unsupported),
        ("CREDIT", unsupported),
        ("SALE", unsupported),
        ("ANNUL", unsupported),
    ];
    nets.assert_steps("1", &money).await;
    nets.pay("1", "4925000000000004").await;
    nets.assert_steps("1", &money).await;
    nets.assert_steps("1", &[("VERIFY", "OK"), ("CAPTURE", unsupported)]).await;
    nets.pay("2", "4925000000000004").await;
    nets.assert_steps("2", &[("AUTH", "OK"), ("AUTH", "Unable to auth 98")]).await;
    let query = nets.query("2").await;
    assert_eq!(
        (text(&query, "Authorized"), text(&query, "Annulled")),
        (Some("true"), Some("true"))
    );
}

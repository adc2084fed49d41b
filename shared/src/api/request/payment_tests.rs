use http::header::CONTENT_TYPE;
use lambda_http::request::LambdaRequest;
use serde_json::{Value, json};

use super::*;
use crate::domain::money::{Currency, Money};
use crate::domain::order::{OrderId, OrderVersion};
use crate::domain::payment::Charge;
use crate::domain::text::TerminalLanguage;

/// A request with these path parameters and this body.
fn request(path: &Value, body: &Value) -> Request {
    let event = json!({
        "rawPath": "/v1/payments",
        "rawQueryString": "",
        "headers": { CONTENT_TYPE.as_str(): "application/json" },
        "pathParameters": path,
        "body": body.to_string(),
        "requestContext": { "http": { "method": "POST" }, "timeEpoch": 1 },
    });
    let event: LambdaRequest = serde_json::from_value(event).unwrap();
    Request::new(event.into(), || "1".to_owned())
}

/// The body that Entur's web client sends (payments.md §1.2).
fn body() -> Value {
    json!({
        "orderId": "DW2N19A6",
        "orderVersion": 1,
        "totalAmount": "100.00",
        "transaction": { "amount": "100.00", "currency": "NOK", "recurringPaymentId": 4711 },
    })
}

/// The same body with another value of a member. The member is added if the body does not have it.
fn body_with(pointer: &str, value: Value) -> Value {
    let mut body = body();
    let (object, member) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(object).unwrap()[member] = value;
    body
}

/// Parses a body in the order of `create-payment`.
fn parse(body: &Value) -> Result<(OrderId, OrderVersion, Charge), Error> {
    let mut body = request(&json!({}), body).body()?;
    let order_id = body.required_text("orderId", |text| OrderId::try_from(text));
    let order_version = body.order_version();
    let charge = body.charge(Currency::Nok);
    let (order_id, charge) = body.finish_with(order_id.zip(charge))?;
    Ok((order_id, order_version, charge))
}

/// The fields and codes of an error.
fn violations<T>(result: Result<T, Error>) -> Vec<(&'static str, &'static str)> {
    match result {
        Ok(_) => Vec::new(),
        Err(Error::Invalid(errors)) => {
            errors.iter().map(|error| (error.field, error.violation.code)).collect()
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_body_of_enturs_client_is_accepted() {
    let (order_id, version, charge) = parse(&body()).unwrap();
    assert_eq!((order_id.as_str(), version.number()), ("DW2N19A6", 1));
    let id = RecurringPaymentId::try_from(4711).unwrap();
    let amount = Money::new(10_000, Currency::Nok);
    assert_eq!(charge, Charge { amount, recurring_payment_id: id });
}

#[test]
fn optional_members_and_other_forms_of_the_amount_are_accepted() {
    for (pointer, value) in [
        ("/totalAmount", json!("100")),
        ("/totalAmount", json!("100.0")),
        ("/transaction/amount", json!("100.00000")),
        ("/transaction/currency", Value::Null),
        ("/currency", json!("NOK")),
        ("/orderVersion", Value::Null),
        ("/transaction/isImport", json!(false)),
        ("/transaction/paymentAgreementId", Value::Null),
        ("/transaction/paymentType", json!("VISA")),
        ("/transaction/paymentTypeGroup", json!("PAYMENTCARD")),
        ("/customerNumber", json!(1)),
    ] {
        let (_, version, charge) = parse(&body_with(pointer, value.clone())).unwrap();
        assert_eq!((version.number(), charge.amount.minor()), (1, 10_000), "{pointer} {value}");
    }
    let (_, version, _) = parse(&body_with("/orderVersion", json!(2_147_483_648_u32))).unwrap();
    assert_eq!(version.number(), 2_147_483_648);
}

#[test]
fn invalid_amounts_are_refused() {
    for (value, code) in [
        (json!(100), "type"),
        (json!(100.5), "type"),
        (json!(true), "type"),
        (json!(["100.00"]), "type"),
        (json!({ "amount": "100.00" }), "type"),
        (Value::Null, "required"),
        (json!(""), "syntax"),
        (json!("0"), "zero"),
        (json!("0.00"), "zero"),
        (json!("-1.00"), "syntax"),
        (json!("1.001"), "decimals"),
        (json!("100000000000000"), "syntax"),
        (json!("10000000000000"), "syntax"),
        (json!("1e2"), "syntax"),
        (json!("+1"), "syntax"),
        (json!(" 1"), "syntax"),
        (json!("1 "), "syntax"),
        (json!("1,00"), "syntax"),
        (json!("１００"), "syntax"),
        (json!("NaN"), "syntax"),
    ] {
        for (pointer, field) in
            [("/totalAmount", "totalAmount"), ("/transaction/amount", "transaction.amount")]
        {
            let found = violations(parse(&body_with(pointer, value.clone())));
            assert_eq!(found, [(field, code)], "{value}");
        }
    }
}

#[test]
fn every_other_violation_is_refused() {
    const ID: &str = "transaction.recurringPaymentId";
    for (pointer, value, field, code) in [
        ("/totalAmount", json!("100.01"), "totalAmount", "differs"),
        ("/transaction/amount", json!("99.99"), "totalAmount", "differs"),
        ("/transaction/currency", json!("SEK"), "transaction.currency", "currency"),
        ("/transaction/currency", json!("USD"), "transaction.currency", "currency"),
        ("/transaction/currency", json!("nok"), "transaction.currency", "currency"),
        ("/transaction/currency", json!(""), "transaction.currency", "currency"),
        ("/transaction/currency", json!(578), "transaction.currency", "type"),
        ("/currency", json!("EUR"), "currency", "currency"),
        ("/orderId", Value::Null, "orderId", "required"),
        ("/orderId", json!(1), "orderId", "type"),
        ("/orderId", json!(""), "orderId", "syntax"),
        ("/orderId", json!("a b"), "orderId", "syntax"),
        ("/orderVersion", json!("1"), "orderVersion", "type"),
        ("/orderVersion", json!(0), "orderVersion", "range"),
        ("/orderVersion", json!(-1), "orderVersion", "range"),
        ("/orderVersion", json!(1.0), "orderVersion", "range"),
        ("/orderVersion", json!(2_147_483_649_u32), "orderVersion", "range"),
        ("/transaction", Value::Null, "transaction", "required"),
        ("/transaction", json!("100.00"), "transaction", "type"),
        ("/transaction", json!([]), "transaction", "type"),
        ("/transaction/recurringPaymentId", Value::Null, ID, "required"),
        ("/transaction/recurringPaymentId", json!("4711"), ID, "type"),
        ("/transaction/recurringPaymentId", json!(true), ID, "type"),
        ("/transaction/recurringPaymentId", json!(0), ID, "id"),
        ("/transaction/recurringPaymentId", json!(-4711), ID, "id"),
        ("/transaction/recurringPaymentId", json!(4711.0), ID, "id"),
        ("/transaction/recurringPaymentId", json!(4.711e3), ID, "id"),
        ("/transaction/recurringPaymentId", json!(1_u64 << 53), ID, "id"),
        ("/transaction/recurringPaymentId", json!(u64::MAX), ID, "id"),
        (
            "/transaction/paymentAgreementId",
            json!(1),
            "transaction.paymentAgreementId",
            "unsupported",
        ),
        ("/transaction/isImport", json!(true), "transaction.isImport", "unsupported"),
        ("/transaction/isImport", json!("false"), "transaction.isImport", "type"),
    ] {
        let found = violations(parse(&body_with(pointer, value.clone())));
        assert_eq!(found, [(field, code)], "{pointer} {value}");
    }
}

#[test]
fn a_body_for_another_means_of_payment_has_no_recurring_payment() {
    for (payment_type, group) in [("VISA", "PAYMENTCARD"), ("VIPPS", "MOBILE")] {
        let transaction = json!({
            "amount": "100.00",
            "currency": "NOK",
            "paymentType": payment_type,
            "paymentTypeGroup": group,
            "isImport": false,
        });
        let found = violations(parse(&body_with("/transaction", transaction)));
        assert_eq!(found, [("transaction.recurringPaymentId", "required")]);
    }
}

#[test]
fn all_violations_of_a_body_are_reported() {
    assert_eq!(
        violations(parse(&json!({}))),
        [("orderId", "required"), ("totalAmount", "required"), ("transaction", "required")]
    );
    let body = json!({
        "orderId": "",
        "orderVersion": 0,
        "currency": "USD",
        "totalAmount": 100,
        "transaction": {
            "amount": "1e2",
            "currency": "SEK",
            "recurringPaymentId": "4711",
            "paymentAgreementId": 1,
            "isImport": true,
        },
    });
    assert_eq!(
        violations(parse(&body)),
        [
            ("orderId", "syntax"),
            ("orderVersion", "range"),
            ("currency", "currency"),
            ("totalAmount", "type"),
            ("transaction.currency", "currency"),
            ("transaction.amount", "syntax"),
            ("transaction.recurringPaymentId", "type"),
            ("transaction.paymentAgreementId", "unsupported"),
            ("transaction.isImport", "unsupported"),
        ]
    );
}

#[test]
fn the_currency_of_all_charges_is_named() {
    let result = parse(&body_with("/transaction/currency", json!("SEK")));
    let Err(Error::Invalid(errors)) = result else { panic!("valid") };
    assert_eq!(errors[0].violation.message, "must be the currency of all charges: NOK");
}

#[test]
fn the_ids_of_a_path_belong_together() {
    let ids = |payment: &str, transaction: &str| {
        let path = json!({ "paymentId": payment, "transactionId": transaction });
        request(&path, &json!({})).payment_transaction_id()
    };
    assert_eq!(ids("7171", "114741").unwrap().number(), 114_741);
    let path = json!({ "paymentId": "7171" });
    assert_eq!(request(&path, &json!({})).payment_id().unwrap().number(), 7171);
    for other in ["7170", "7172", "114741"] {
        let error = ids(other, "114741").unwrap_err();
        assert!(matches!(error, Error::PaymentRefused(PaymentRefusal::NotFound)), "{error}");
    }
    for wrong in ["", "0", "07171", "7171.0", "-1", "+1", "p7171", "9007199254740992"] {
        assert_eq!(violations(ids(wrong, "114741")), [("paymentId", "id")], "{wrong}");
        assert_eq!(violations(ids("7171", wrong)), [("transactionId", "id")], "{wrong}");
        assert_eq!(
            violations(ids(wrong, wrong)),
            [("paymentId", "id"), ("transactionId", "id")],
            "{wrong}"
        );
    }
}

#[test]
fn the_options_of_a_terminal_have_defaults() {
    let options = |body: &Value| {
        let mut body = request(&json!({}), body).body().unwrap();
        let options = body.terminal_options();
        body.finish_with(options)
    };
    let redirect = "https://shop.example/done";
    let given = options(&json!({ "redirectUrl": redirect })).unwrap();
    assert_eq!(given.redirect_url.as_url().as_str(), redirect);
    assert_eq!(given.language, TerminalLanguage::DEFAULT);
    assert!(!given.merchant_initiated && !given.single_page);
    let given = options(&json!({ "redirectUrl": redirect, "transactionType": "MIT_UCOF" }));
    assert!(given.unwrap().merchant_initiated);
    let wrong = json!({ "countryCode": 1, "singlePage": "yes", "transactionType": "CIT" });
    assert_eq!(
        violations(options(&wrong)),
        [
            ("redirectUrl", "required"),
            ("countryCode", "type"),
            ("singlePage", "type"),
            ("transactionType", "transaction-type"),
        ]
    );
}

/// A callback about a payment is not a callback about a card setup. Its ids are in the log.
#[tokio::test]
async fn a_callback_is_about_a_card_setup_or_a_payment() {
    let setup = NetsTransaction::Setup("114741".parse().unwrap());
    let charge = |id: &str| NetsTransaction::Charge(id.parse().unwrap());
    let of_payment = (Some(7171), Some(114_741));
    for (text, expected, recorded) in [
        ("114741", setup, (None, None)),
        ("p114741-12", charge("p114741-12"), of_payment),
        (" p114741-0 ", charge("p114741-0"), of_payment),
        ("p114741-16", NetsTransaction::Unknown, (None, None)),
        ("p114741", NetsTransaction::Unknown, (None, None)),
        ("another", NetsTransaction::Unknown, (None, None)),
    ] {
        let body = json!({ "TransactionId": text });
        let work = async {
            let mut body = request(&json!({}), &body).body().unwrap();
            let transaction = body.nets_transaction();
            body.finish().unwrap();
            transaction.unwrap()
        };
        let (found, invocation) = invocation::run("receive-netaxept-callback", work).await;
        assert_eq!(found, expected, "{text}");
        assert_eq!((invocation.payment_id, invocation.transaction_id), recorded, "{text}");
    }
}

/// Only a request without a body credits everything.
#[test]
fn a_credit_names_its_amount_unless_it_has_no_body() {
    let of_text = |text: Option<&str>| {
        let event = json!({
            "rawPath": "/v1/payments",
            "rawQueryString": "",
            "headers": { "content-type": "application/json" },
            "body": text,
            "requestContext": { "http": { "method": "PUT" }, "timeEpoch": 1 },
        });
        let event: LambdaRequest = serde_json::from_value(event).unwrap();
        Request::new(event.into(), || "1".to_owned()).credited_amount(Currency::Sek)
    };
    assert_eq!(of_text(None).unwrap(), None);
    assert_eq!(of_text(Some("")).unwrap(), None);
    for (amount, minor) in [("30.00", 3_000), ("30", 3_000), ("0.01", 1), ("7.50000", 750)] {
        let body = json!({ "creditedAmount": amount, "unknown": 1 }).to_string();
        let expected = Some(Money::new(minor, Currency::Sek));
        assert_eq!(of_text(Some(&body)).unwrap(), expected, "{amount}");
    }
    for (body, field, code) in [
        ("{}", "creditedAmount", "required"),
        (r#"{"creditedAmount":null}"#, "creditedAmount", "required"),
        (r#"{"creditAmount":"30.00"}"#, "creditedAmount", "required"),
        (r#"{"creditedAmount":30}"#, "creditedAmount", "type"),
        (r#"{"creditedAmount":"0.00"}"#, "creditedAmount", "zero"),
        (r#"{"creditedAmount":"-1"}"#, "creditedAmount", "syntax"),
        (r#"{"creditedAmount":"0.001"}"#, "creditedAmount", "decimals"),
        (" ", "body", "json"),
        ("null", "body", "json"),
    ] {
        assert_eq!(violations(of_text(Some(body))), [(field, code)], "{body}");
    }
}

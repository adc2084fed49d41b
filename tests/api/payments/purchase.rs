//! A purchase with a stored card, as Entur's public clients do it (payments.md §1.2 to §1.4).

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{AMOUNT, AMOUNT_MINOR, COLLECTION, Charge, Ledger, SHOP, order};
use crate::{Response, TestApi};

/// The headers of Entur's web client (wayfare, `omsa-client.ts`).
fn web_headers(bearer: &str) -> Vec<(&str, &str)> {
    vec![
        ("authorization", bearer),
        ("accept", "application/hal+json"),
        ("accept-language", "en-GB"),
        ("entur-distribution-channel", "web"),
        ("entur-pos", "wayfare"),
        ("entur-client-name", "entur-wayfare"),
    ]
}

impl TestApi {
    /// Sends a request as Entur's web client does: without a body there is no `Content-Type`.
    async fn send_as_web(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Response {
        let bearer = format!("Bearer {token}");
        let mut headers = web_headers(&bearer);
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        self.send(method, path, &headers, body.map(Value::to_string).as_deref()).await
    }
}

/// Returns the names of the members of an object, in the order of the response.
fn member_names(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn assert_time(value: &Value) {
    let text = value.as_str().unwrap();
    assert!(text.len() == 24 && text.ends_with('Z') && text.contains('T'), "{text}");
}

/// Checks every member of a new payment.
fn assert_created(response: &Response, card: &Value) -> Charge {
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(response.header("content-type"), "application/hal+json");
    let mut payment = response.json();
    let charge = Charge::newest(&payment);
    assert!(0 < charge.payment && charge.payment < 1 << 49, "{charge:?}");
    assert!(0 < charge.transaction && charge.transaction < 1 << 53, "{charge:?}");
    assert_eq!(response.header("location"), format!("{COLLECTION}/{}", charge.payment));
    assert_time(&payment["createdAt"]);
    assert_time(&payment["transactionHistory"][0]["createdAt"]);
    for object in ["", "/transactionHistory/0"] {
        let object = payment.pointer_mut(object).and_then(Value::as_object_mut);
        object.unwrap().remove("createdAt");
    }
    let expected = json!({
        "paymentId": charge.payment, "orderId": "NSR:Package:1", "orderVersion": 1, "organisationId": 1,
        "totalAmount": "100.00", "currency": "NOK", "status": "CREATED",
        "transactionHistory": [{
            "transactionId": charge.transaction, "amount": "100.00", "currency": "NOK", "status": "CREATED",
            "paymentType": "VISA", "recurringPaymentId": card,
        }],
    });
    assert_eq!(payment, expected);
    charge
}

/// Create, terminal, the customer at the page, capture on return, capture on reload, get until CAPTURED. For a partner and for the
/// customer with a token of their own.
#[tokio::test]
async fn enturs_web_client_buys_with_a_stored_card() {
    for client in ["partner-demo", "traveller-demo"] {
        let api = TestApi::new().await;
        let card = api.create_active("4711").await;
        let token = api.token(client, json!({ "customer_number": "4711" })).await;
        let body = order("NSR:Package:1", &card, AMOUNT);
        let created = api.send_as_web(&token, "POST", COLLECTION, Some(&body)).await;
        let charge = assert_created(&created, &card);

        let redirect_url = SHOP.replace("=1", &format!("={}", charge.payment));
        let redirect_url = redirect_url.replace("=2", &format!("={}", charge.transaction));
        let body = json!({ "redirectUrl": redirect_url, "terminalLanguage": "en_GB" });
        let path = charge.path("/terminal");
        let opened = api.send_as_web(&token, "POST", &path, Some(&body)).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
        let opened = opened.json();
        assert_eq!(
            member_names(&opened),
            [
                "paymentId",
                "recurringPaymentId",
                "terminalExpiresAt",
                "terminalUri",
                "transactionId"
            ]
        );
        assert_eq!(opened["paymentId"], charge.payment);
        assert_eq!(opened["transactionId"], charge.transaction);
        assert_eq!(opened["recurringPaymentId"], card);
        assert_time(&opened["terminalExpiresAt"]);

        let uri = opened["terminalUri"].as_str().unwrap();
        assert!(uri.starts_with(&api.local.addresses().netaxept), "{uri}");
        let page = api.http.get(uri).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("<html lang=\"en\""), "{page}");
        assert!(page.contains("id=\"securityCode\"") && !page.contains("id=\"cardNo\""), "{page}");
        let early = api.send_as_web(&token, "PUT", &charge.path("/capture"), None).await;
        assert_eq!(early.problem(), (409, "terminal-open".to_owned()));
        assert_eq!(api.ledger(charge).operations, [].into());
        let location = api.enter_code(uri).await;
        // Nothing of this service is appended: the client's query has its own names.
        let id = format!("p{}-0", charge.transaction);
        assert_eq!(location, format!("{redirect_url}&transactionId={id}&responseCode=OK"));

        let captured = api.send_as_web(&token, "PUT", &charge.path("/capture"), None).await;
        assert_eq!(captured.status, StatusCode::OK, "{captured:?}");
        assert_eq!(captured.header("content-type"), "application/hal+json");
        let reloaded = api.send_as_web(&token, "PUT", &charge.path("/capture"), None).await;
        assert_eq!((reloaded.status, &reloaded.text), (StatusCode::OK, &captured.text));
        let polled = api.send_as_web(&token, "GET", &charge.path(""), None).await;
        assert_eq!((polled.status, &polled.text), (StatusCode::OK, &captured.text));
        let payment = api.send_as_web(&token, "GET", &charge.payment_path(), None).await.json();
        assert_eq!(
            (&payment["status"], &payment["transactionHistory"][0]["status"]),
            (&json!("CAPTURED"), &json!("CAPTURED"))
        );
        assert_eq!(api.ledger(charge), Ledger::paid(AMOUNT_MINOR), "{client}");
    }
}

/// Every member of a captured transaction.
#[tokio::test]
async fn a_captured_transaction_has_its_sums_and_operations() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, "149.5").await;
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    let mut transaction = api.transaction(charge).await;
    assert_time(&transaction["createdAt"]);
    let log = transaction["operationLog"].as_array_mut().unwrap();
    for operation in log {
        assert_time(&operation["createdAt"]);
        operation.as_object_mut().unwrap().remove("createdAt");
    }
    transaction.as_object_mut().unwrap().remove("createdAt");
    let operation = |name: &str| json!({ "operation": name, "amount": "149.50" });
    let expected = json!({
        "transactionId": charge.transaction, "paymentId": charge.payment, "amount": "149.50", "currency": "NOK",
        "status": "CAPTURED", "paymentType": "VISA", "paymentTypeGroup": "PAYMENTCARD", "cardNumber": "0004",
        "recurringPaymentId": card,
        "summary": {
            "capturedAmount": "149.50", "creditedAmount": "0.00", "remainingAmountToCapture": "0.00",
            "remainingAmountToCredit": "149.50",
        },
        "operationLog": [operation("CREATE"), operation("INITIATE"), operation("CAPTURE")],
    });
    assert_eq!(transaction, expected);
}

/// Flutter's condition for a paid order (`purchase_flow_service.dart`): `summary.remainingAmountToCapture` is at most 0.0001, or a
/// CAPTURE of the whole amount is in the log. The status alone is not enough.
fn is_paid_for_flutter(transaction: &Value, amount: f64) -> bool {
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
    let remaining = number(&transaction["summary"]["remainingAmountToCapture"]);
    let is_capture = |entry: &Value| {
        entry["operation"] == "CAPTURE"
            && number(&entry["amount"]).is_some_and(|captured| (captured - amount).abs() < 0.0001)
    };
    let log = transaction["operationLog"].as_array().unwrap();
    remaining.unwrap() <= 0.0001 || log.iter().any(is_capture)
}

#[tokio::test]
async fn enturs_app_sees_a_paid_order_only_after_the_capture() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let created = api.post_order(&order("order-1", &card, AMOUNT)).await.json();
    let body = json!({ "redirectUrl": SHOP, "terminalLanguage": "no_NO" });
    // The app uses the ids of the terminal from here on.
    let path = Charge::newest(&created).path("/terminal");
    let opened = api.call("POST", &path, Some(&body)).await.json();
    let charge = Charge {
        payment: opened["paymentId"].as_u64().unwrap(),
        transaction: opened["transactionId"].as_u64().unwrap(),
    };
    assert!(!is_paid_for_flutter(&api.transaction(charge).await, 100.0));
    api.enter_code(opened["terminalUri"].as_str().unwrap()).await;
    assert!(!is_paid_for_flutter(&api.transaction(charge).await, 100.0));
    let captured = api.capture(charge).await.json();
    // The app takes the status of `transactionHistory[0]`, or else of the object.
    assert_eq!(
        (captured.get("transactionHistory"), &captured["status"]),
        (None, &json!("CAPTURED"))
    );
    assert!(is_paid_for_flutter(&api.transaction(charge).await, 100.0));

    // An order that is never paid.
    for (order_id, amount) in [("cancelled", "100.00"), ("rejected", "1.54")] {
        let charge = api.buy_with_code(order_id, &card, amount).await;
        let ended = match order_id {
            "cancelled" => api.cancel(charge).await.status.as_u16(),
            _ => api.capture(charge).await.status.as_u16(),
        };
        assert_eq!(ended, if order_id == "cancelled" { 200 } else { 409 });
        let transaction = api.transaction(charge).await;
        assert_eq!(transaction["status"], order_id.to_uppercase());
        assert!(!is_paid_for_flutter(&transaction, amount.parse().unwrap()), "{transaction}");
    }
}

/// A repeated create returns the same payment with 200, in each state of its transaction.
#[tokio::test]
async fn a_repeated_create_returns_the_same_payment() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let body = order("order-1", &card, AMOUNT);
    let created = api.post_order(&body).await;
    let charge = Charge::newest(&created.json());
    // Another text for the same amount.
    let same = json!({
        "orderId": "order-1", "orderVersion": 1, "totalAmount": "100",
        "transaction": { "amount": "100.000", "recurringPaymentId": card },
    });
    let assert_same = async |status: &str| {
        for body in [&body, &same] {
            let again = api.post_order(body).await;
            assert_eq!(again.status, StatusCode::OK, "{status}: {again:?}");
            assert_eq!(again.header("location"), "");
            assert_eq!(Charge::newest(&again.json()), charge);
            assert_eq!(again.json()["status"], status);
            assert_eq!(again.json()["transactionHistory"].as_array().unwrap().len(), 1);
        }
    };
    assert_same("CREATED").await;
    let uri = api.open_page(charge).await;
    assert_same("INITIATED").await;
    api.enter_code(&uri).await;
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    assert_same("CAPTURED").await;
    assert_eq!(api.payment_items().await.len(), 1);
    assert_eq!(api.ledger(charge), Ledger::paid(AMOUNT_MINOR));
}

/// The version is part of the order, so is the organisation.
#[tokio::test]
async fn each_version_of_an_order_is_paid_by_itself() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let mut body = order("order-1", &card, AMOUNT);
    let first = Charge::newest(&api.post_order(&body).await.json());
    body["orderVersion"] = json!(2);
    let second = api.post_order(&body).await;
    assert_eq!(second.status, StatusCode::CREATED);
    let second = Charge::newest(&second.json());
    assert_ne!(first.payment, second.payment);

    let other = api.token("partner-other", json!({})).await;
    let partner = api.partner.clone();
    let api = TestApi { partner: other, ..api };
    let card = api.create_active("4711").await;
    let third = api.buy("order-1", &card, AMOUNT).await;
    assert!(![first.payment, second.payment].contains(&third.payment));
    let api = TestApi { partner, ..api };
    assert_eq!(api.payment_items().await.len(), 3);
}

/// The order id is on the customer's statement, if it fits Nets' 32 characters.
#[tokio::test]
async fn nets_gets_the_order_id_if_it_fits() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let (fits, too_long) =
        ("a".repeat(32), "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`");
    for order_id in [fits.as_str(), "x", too_long] {
        let charge = api.buy_with_code(order_id, &card, AMOUNT).await;
        assert_eq!(api.capture(charge).await.status, StatusCode::OK, "{order_id}");
        let id = format!("p{}-0", charge.transaction);
        let transactions = api.local.netaxept().transactions();
        let mut transactions = transactions.as_array().unwrap().iter();
        let found = transactions.find(|one| one["transactionId"] == id).unwrap();
        let payment_id = charge.payment.to_string();
        let expected = if order_id.len() > 32 { payment_id.as_str() } else { order_id };
        assert_eq!(found["transaction"]["orderNumber"], expected);
        assert_eq!(found["transaction"]["currency"], "NOK");
    }
}

/// The smallest and the largest amount, and amounts that binary fractions do not have.
#[tokio::test]
async fn the_sandbox_gets_the_exact_amount() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    for (turn, (text, shown, minor)) in [
        ("2", "2.00", 200),
        ("19.99", "19.99", 1_999),
        ("1.1", "1.10", 110),
        ("4.35000", "4.35", 435),
        ("1001.15", "1001.15", 100_115),
        ("9999999999999.99", "9999999999999.99", 999_999_999_999_999),
    ]
    .into_iter()
    .enumerate()
    {
        // The sandbox declines 1.01 to 1.99 except 1.00, so 1.10 is not captured.
        let charge = api.buy_with_code(&format!("order-{turn}"), &card, text).await;
        assert_eq!(api.transaction(charge).await["amount"], shown);
        if minor != 110 {
            assert_eq!(api.capture(charge).await.status, StatusCode::OK, "{text}");
            assert_eq!(api.ledger(charge), Ledger::paid(minor), "{text}");
        }
    }
}

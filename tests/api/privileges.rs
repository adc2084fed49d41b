//! Least privilege: the template grants each function exactly the permissions that it uses.
//!
//! All tests of this crate check that no other permission is needed, because the local service rejects calls that a function's
//! role does not allow, as AWS does. This file checks that every granted permission is used.

use std::collections::BTreeSet;

use local::iam::LAMBDA_ACTIONS;
use local::netaxept::CALLBACK_SECRET;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::payments::{COLLECTION, SETTLE};
use crate::{PAYMENTS, TestApi, VISA};

/// Like `TestApi::call`, for an unidentified caller, whose requests count towards the shared rate limit.
async fn call_unidentified(api: &TestApi, method: &str, path: &str, body: Option<Value>) -> Value {
    let bearer = format!("Bearer {}", api.partner);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = body.map(|body| body.to_string());
    let response = api.send(method, path, &headers, body.as_deref()).await;
    assert!(response.status.is_success(), "{method} {path}: {response:?}");
    response.json()
}

/// Creates a recurring payment and enters a card, which can be charged without the customer. Returns its path and the transaction
/// id.
async fn create_with_entered_card(api: &TestApi) -> (String, Value) {
    let customer = json!({ "customerNumber": "4711" });
    let created = call_unidentified(api, "POST", PAYMENTS, Some(customer)).await;
    let path = format!("{PAYMENTS}/{}", created["recurringPaymentId"]);
    let callback_url = format!("{}/inbox", api.local.addresses().console);
    let body = json!({
        "redirectUrl": "https://shop.example/done",
        "callbackUrl": callback_url,
        "transactionType": "MIT_UCOF",
    });
    let terminal = call_unidentified(api, "POST", &format!("{path}/terminal"), Some(body)).await;
    api.submit_card(terminal["terminalUri"].as_str().unwrap(), VISA, "okButton").await;
    (path, terminal["transactionId"].clone())
}

/// The body that creates a payment of an order with the card of a recurring payment.
fn payment_of(order: &str, card: &Value) -> Value {
    json!({
        "orderId": order,
        "totalAmount": "100.00",
        "transaction": { "amount": "100.00", "recurringPaymentId": card },
    })
}

/// The paths of a payment and of its transaction.
fn paths(payment: &Value) -> (String, String) {
    let path = format!("{COLLECTION}/{}", payment["paymentId"]);
    let id = &payment["transactionHistory"][0]["transactionId"];
    let transaction = format!("{path}/transactions/{id}");
    (path, transaction)
}

async fn create_payment(api: &TestApi, order: &str, card: &Value) -> (String, String) {
    let body = payment_of(order, card);
    paths(&call_unidentified(api, "POST", COLLECTION, Some(body)).await)
}

/// Charges a card with and without the customer, credits and cancels payments, and leaves one at the terminal and one to the schedule.
async fn use_payment_permissions(api: &TestApi, card: &Value) {
    let redirect = json!({ "redirectUrl": "https://shop.example/done" });
    let (payment, transaction) = create_payment(api, "with-the-customer", card).await;
    let path = format!("{transaction}/terminal");
    let terminal = call_unidentified(api, "POST", &path, Some(redirect.clone())).await;
    api.enter_code(terminal["terminalUri"].as_str().unwrap()).await;
    call_unidentified(api, "PUT", &format!("{transaction}/capture"), None).await;
    call_unidentified(api, "PUT", &format!("{transaction}/credit"), None).await;
    call_unidentified(api, "GET", &payment, None).await;
    call_unidentified(api, "GET", &transaction, None).await;

    let (_, transaction) = create_payment(api, "without-the-customer", card).await;
    let mut body = redirect.clone();
    body["transactionType"] = json!("MIT_UCOF");
    call_unidentified(api, "POST", &format!("{transaction}/terminal"), Some(body)).await;
    call_unidentified(api, "PUT", &format!("{transaction}/capture"), None).await;

    // The function reads the payment if no reply to its write arrives, as many times as the SDK sends it.
    api.local.dynamodb().lose_replies_to_writes(3);
    let created = api.call("POST", COLLECTION, Some(&payment_of("cancelled", card))).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    let (_, transaction) = paths(&created.json());
    call_unidentified(api, "PUT", &format!("{transaction}/cancel"), None).await;

    let (_, transaction) = create_payment(api, "at-the-terminal", card).await;
    call_unidentified(api, "POST", &format!("{transaction}/terminal"), Some(redirect.clone()))
        .await;

    // Nets' callback captures one auto sale, and the schedule reads the card of another.
    for order in ["sold-by-the-callback", "sold-by-the-schedule"] {
        let (_, transaction) = create_payment(api, order, card).await;
        let mut body = redirect.clone();
        body["autoSale"] = json!(true);
        body["callbackUrl"] = json!(format!("{}/inbox", api.local.addresses().console));
        let path = format!("{transaction}/terminal");
        let terminal = call_unidentified(api, "POST", &path, Some(body)).await;
        api.enter_code(terminal["terminalUri"].as_str().unwrap()).await;
        if order == "sold-by-the-callback" {
            let id = format!("p{}-0", transaction.rsplit_once('/').unwrap().1);
            call_back(api, &id).await;
        }
    }
}

/// Sends Nets' callback about one of its transactions.
async fn call_back(api: &TestApi, id: &str) {
    let body = json!({ "TransactionId": id }).to_string();
    let path = format!("/v1/netaxept/callback/{CALLBACK_SECRET}");
    let json = [("content-type", "application/json")];
    assert_eq!(api.send("POST", &path, &json, Some(&body)).await.status, StatusCode::OK);
}

/// Makes every function use all of its permissions.
async fn use_all_permissions(api: &mut TestApi) {
    let (path, _) = create_with_entered_card(api).await;
    let active = call_unidentified(api, "PUT", &format!("{path}/authorize"), None).await;
    use_payment_permissions(api, &active["recurringPaymentId"]).await;
    call_unidentified(api, "GET", &path, None).await;
    call_unidentified(api, "GET", &format!("{path}/history"), None).await;
    call_unidentified(api, "GET", &format!("{PAYMENTS}?customerNumber=4711"), None).await;
    call_unidentified(api, "PATCH", &path, Some(json!({ "nickname": "Kort" }))).await;
    call_unidentified(api, "DELETE", &path, None).await;

    let (_, session) = create_with_entered_card(api).await;
    call_back(api, &session.to_string()).await;

    // The schedule completes one recurring payment, and abandons another.
    create_with_entered_card(api).await;
    let abandoned = api.create("4712", json!({})).await["recurringPaymentId"].clone();
    api.open_terminal(&abandoned).await;
    api.advance_and_run_schedules("PT1M").await;
    let settled = api.run_schedule(SETTLE).await;
    assert_eq!((&settled["due"], &settled["failed"]), (&json!(2), &json!(0)), "{settled}");
    assert_eq!(settled["delivered"], 1, "{settled}");
    api.advance_and_run_schedules("PT24H15M").await;

    let internal = api.token("internal-demo", json!({})).await;
    let partner = std::mem::replace(&mut api.partner, internal);
    let bearer = format!("Bearer {}", api.partner);
    let customer = "/v1/customers/4711/recurring-payments";
    let erased = api.send("DELETE", customer, &[("authorization", &bearer)], None).await;
    assert_eq!(erased.status, StatusCode::NO_CONTENT, "{erased:?}");
    api.partner = partner;
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "prints the permissions with --nocapture")]
async fn every_granted_permission_is_used() {
    let mut api = TestApi::new().await;
    use_all_permissions(&mut api).await;
    let (requests, reads) = (api.local.dynamodb().requests(), api.local.secrets().reads());
    assert_eq!(requests.iter().find(|request| request.denied), None);
    for function in api.local.policies().binaries() {
        let of_table = requests.iter().filter(|request| request.function == function);
        let of_table = of_table.map(|request| (request.action(), request.resource()));
        let of_secrets = reads.iter().filter(|read| read.function == function);
        let of_secrets = of_secrets
            .map(|read| ("secretsmanager:GetSecretValue".to_owned(), read.secret.clone()));
        let used: BTreeSet<_> = of_table.chain(of_secrets).collect();
        let mut granted = api.local.policies().granted(function);
        granted.retain(|(action, _)| !LAMBDA_ACTIONS.contains(&action.as_str()));
        println!("{function}: granted {} = used {}", granted.len(), used.len());
        for (action, resource) in &used {
            println!("    {action} on {resource}");
        }
        assert_eq!(granted, used, "{function}");
    }
}

/// The local service enforces the permissions. The test above depends on it.
#[tokio::test]
async fn calls_without_permission_are_rejected() {
    let api = TestApi::new().await;
    let policies = api.local.policies();
    for (function, action, resource) in [
        ("get-recurring-payment", "dynamodb:PutItem", "Wallets"),
        ("get-history", "dynamodb:PutItem", "Wallets"),
        ("expire-recurring-payments", "dynamodb:Query", "Wallets/index/ByTask"),
        ("create-terminal", "secretsmanager:GetSecretValue", "NotificationSecret"),
        ("authorizer", "dynamodb:GetItem", "Wallets"),
        ("create-payment", "dynamodb:PutItem", "Wallets"),
        ("get-payment", "dynamodb:PutItem", "Payments"),
        ("cancel-transaction", "dynamodb:GetItem", "Wallets"),
        ("credit-transaction", "dynamodb:GetItem", "Wallets"),
        ("credit-transaction", "secretsmanager:GetSecretValue", "NotificationSecret"),
        ("settle-payments", "dynamodb:PutItem", "Wallets"),
        ("settle-payments", "dynamodb:Query", "Wallets/index/ByTask"),
        ("create-payment", "secretsmanager:GetSecretValue", "NetaxeptTokenSecret"),
        ("unknown", "dynamodb:GetItem", "Wallets"),
    ] {
        assert!(!policies.allows(function, action, resource), "{function} {action} {resource}");
    }
    let scan = |function: &str| {
        let credential = format!("Credential={function}/20261123/eu-north-1/dynamodb/aws4_request");
        let request = api.http.post(api.local.addresses().dynamodb.as_str());
        request
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "DynamoDB_20120810.Scan")
            .header("x-amz-date", "20261123T000000Z")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"),
            )
            .body(json!({ "TableName": "Wallets" }).to_string())
            .send()
    };
    let rejected = scan("get-recurring-payment").await.unwrap();
    assert_eq!(rejected.status(), StatusCode::BAD_REQUEST);
    let rejected: Value = rejected.json().await.unwrap();
    assert!(rejected["__type"].as_str().unwrap().ends_with("AccessDeniedException"), "{rejected}");
    assert_eq!(scan("a-test").await.unwrap().status(), StatusCode::OK);
}

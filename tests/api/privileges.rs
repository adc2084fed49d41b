//! Least privilege, as an equation: what the template grants a function is what the function does.
//!
//! That nothing more than the granted is ever done, every test of this crate holds: the local service refuses as AWS does
//! what a function's role does not allow. That nothing more is granted than is done is held here, by doing everything.

use std::collections::BTreeSet;

use local::iam::BY_LAMBDA;
use local::netaxept::CALLBACK_SECRET;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, SCHEDULED, VISA, World};

/// As `World::call`, of a caller who does not say who they are: that counts against what such callers share.
async fn unidentified(world: &World, method: &str, path: &str, body: Option<Value>) -> Value {
    let bearer = format!("Bearer {}", world.partner);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = body.map(|body| body.to_string());
    let answer = world.send(method, path, &headers, body.as_deref()).await;
    assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
    answer.json()
}

/// A recurring payment with a card at its terminal, and the address of its terminal.
async fn with_a_card(world: &World) -> (String, Value) {
    let customer = json!({ "customerNumber": "4711" });
    let created = unidentified(world, "POST", PAYMENTS, Some(customer)).await;
    let path = format!("{PAYMENTS}/{}", created["recurringPaymentId"]);
    let tell = format!("{}/inbox", world.local.addresses().console);
    let body = json!({ "redirectUrl": "https://shop.example/done", "callbackUrl": tell });
    let terminal = unidentified(world, "POST", &format!("{path}/terminal"), Some(body)).await;
    world.press(terminal["terminalUri"].as_str().unwrap(), VISA, "okButton").await;
    (path, terminal["transactionId"].clone())
}

/// Every function does everything that it can do.
async fn everything(world: &mut World) {
    let (path, _) = with_a_card(world).await;
    unidentified(world, "PUT", &format!("{path}/authorize"), None).await;
    unidentified(world, "GET", &path, None).await;
    unidentified(world, "GET", &format!("{PAYMENTS}?customerNumber=4711"), None).await;
    unidentified(world, "PATCH", &path, Some(json!({ "nickname": "Kort" }))).await;
    unidentified(world, "DELETE", &path, None).await;

    let (_, visit) = with_a_card(world).await;
    let body = json!({ "TransactionId": visit.to_string() }).to_string();
    let back = format!("/v1/netaxept/callback/{CALLBACK_SECRET}");
    let json = [("content-type", "application/json")];
    assert_eq!(world.send("POST", &back, &json, Some(&body)).await.status, StatusCode::OK);

    // One that the schedule finishes, and one that nobody does.
    with_a_card(world).await;
    let forgotten = world.create("4712", json!({})).await["recurringPaymentId"].clone();
    world.terminal(&forgotten).await;
    world.pass("PT1M").await;
    world.pass("PT24H15M").await;

    let internal = world.token("internal-demo", json!({})).await;
    let partner = std::mem::replace(&mut world.partner, internal);
    let bearer = format!("Bearer {}", world.partner);
    let customer = "/v1/customers/4711/recurring-payments";
    let erased = world.send("DELETE", customer, &[("authorization", &bearer)], None).await;
    assert_eq!(erased.status, StatusCode::NO_CONTENT, "{erased:?}");
    world.partner = partner;
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the equation, for whoever wants to see it: --nocapture")]
async fn granted_is_used() {
    let mut world = World::new().await;
    everything(&mut world).await;
    let (requests, reads) = (world.local.dynamodb().requests(), world.local.secrets().reads());
    assert_eq!(requests.iter().find(|request| request.denied), None);
    for function in world.local.policies().binaries() {
        let of_table = requests.iter().filter(|request| request.function == function);
        let of_table = of_table.map(|request| (request.action(), request.resource()));
        let of_secrets = reads.iter().filter(|read| read.function == function);
        let of_secrets = of_secrets
            .map(|read| ("secretsmanager:GetSecretValue".to_owned(), read.secret.clone()));
        let used: BTreeSet<_> = of_table.chain(of_secrets).collect();
        let mut granted = world.local.policies().granted(function);
        granted.retain(|(action, _)| !BY_LAMBDA.contains(&action.as_str()));
        println!("{function}: granted {} = used {}", granted.len(), used.len());
        for (action, resource) in &used {
            println!("    {action} on {resource}");
        }
        assert_eq!(granted, used, "{function}");
    }
    assert_eq!(SCHEDULED.len(), 2);
}

/// The guard is there: without it the test above would hold nothing.
#[tokio::test]
async fn what_is_not_granted_is_refused() {
    let world = World::new().await;
    let policies = world.local.policies();
    for (function, action, resource) in [
        ("get-recurring-payment", "dynamodb:PutItem", "Wallets"),
        ("expire-recurring-payments", "dynamodb:Query", "Wallets/index/ByChore"),
        ("create-terminal", "secretsmanager:GetSecretValue", "NotificationSecret"),
        ("authorizer", "dynamodb:GetItem", "Wallets"),
        ("unknown", "dynamodb:GetItem", "Wallets"),
    ] {
        assert!(!policies.allows(function, action, resource), "{function} {action} {resource}");
    }
    let scan = |function: &str| {
        let credential = format!("Credential={function}/20261123/eu-north-1/dynamodb/aws4_request");
        let request = world.http.post(world.local.addresses().dynamodb.as_str());
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
    let refused = scan("get-recurring-payment").await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let refused: Value = refused.json().await.unwrap();
    assert!(refused["__type"].as_str().unwrap().ends_with("AccessDeniedException"), "{refused}");
    assert_eq!(scan("a-test").await.unwrap().status(), StatusCode::OK);
}

//! `dryRun=true`: the response is that of the real request, and nothing is written.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, Response, TestApi};

const CUSTOMER: &str = "4711";

/// How one recurring payment of a customer comes into its status. Those before `Expired` expire too, if they are ACTIVE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setup {
    /// Has no card.
    Created,
    /// Has no card, and is explicitly chosen as primary.
    Chosen,
    Active,
    Expired,
    Ended,
}
use Setup::{Active, Chosen, Created, Ended, Expired};

/// The body of a PATCH. `None` is a DELETE.
type Body = Option<Value>;

impl TestApi {
    async fn set_up(&mut self, setup: Setup) -> Value {
        match setup {
            Created | Chosen => {
                let body = json!({ "isPrimary": setup == Chosen, "nickname": "Kort" });
                self.create(CUSTOMER, body).await["recurringPaymentId"].clone()
            }
            Active => {
                let id = self.create(CUSTOMER, json!({})).await["recurringPaymentId"].clone();
                self.enter_lasting_card(&id).await;
                assert_eq!(self.authorize(&id).await.status, StatusCode::OK);
                id
            }
            Expired => {
                let id = Box::pin(self.set_up(Active)).await;
                self.advance_clock("P3Y").await;
                id
            }
            Ended => {
                let id = Box::pin(self.set_up(Active)).await;
                self.call("DELETE", &format!("{PAYMENTS}/{id}"), None).await;
                id
            }
        }
    }

    async fn change(&self, id: &Value, query: &str, body: &Body) -> Response {
        let method = if body.is_some() { "PATCH" } else { "DELETE" };
        self.call(method, &format!("{PAYMENTS}/{id}{query}"), body.as_ref()).await
    }

    /// Everything that a change could leave: the table with its index attributes, the audit log, and the received notifications.
    async fn traces(&self) -> (Value, usize, usize) {
        let table = self.local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await;
        let lines = self.local.lambda().lines();
        let audited = lines.iter().filter(|line| line.line.contains(r#""message":"audit""#));
        (table.unwrap(), audited.count(), self.local.inbox().received().len())
    }

    async fn primary(&self) -> Option<Value> {
        let list = self.list(CUSTOMER).await;
        let primary = list.iter().find(|payment| payment["primary"] == true);
        primary.map(|payment| payment["recurringPaymentId"].clone())
    }
}

/// The response without what differs between any two requests.
fn comparable(response: &Response) -> (StatusCode, Value) {
    let mut body = response.json();
    for name in ["timestamp", "correlationId", "primaryRecurringPaymentId"] {
        body.as_object_mut().unwrap().remove(name);
    }
    (response.status, body)
}

/// The customer's recurring payments, the index of the one that is changed, the change, the status of the response, and the index
/// of the primary afterwards.
type Situation = (&'static [Setup], usize, Body, u16, Option<usize>);

fn situations() -> Vec<Situation> {
    let change = |body| Some(body);
    let primary = |primary| Some(json!({ "isPrimary": primary }));
    vec![
        // The end of the primary promotes the next one, or hands primary back.
        (&[Active, Active], 0, None, 200, Some(1)),
        (&[Active, Created], 0, None, 200, Some(1)),
        (&[Active, Chosen], 1, None, 200, Some(0)),
        (&[Created, Chosen, Active], 1, None, 200, Some(2)),
        (&[Active], 0, None, 200, None),
        (&[Created], 0, None, 200, None),
        (&[Expired, Active], 0, None, 200, Some(1)),
        (&[Expired], 0, None, 200, None),
        (&[Active, Created], 1, None, 200, Some(0)),
        (&[Ended, Active], 0, None, 200, Some(1)),
        (&[Active, Active], 1, primary(true), 200, Some(1)),
        (&[Active, Created], 1, primary(true), 200, Some(1)),
        (&[Active, Active], 0, primary(true), 200, Some(0)),
        (&[Active, Active], 1, primary(false), 200, Some(0)),
        (&[Active, Active], 0, primary(false), 409, Some(0)),
        (&[Expired, Active], 0, primary(true), 409, Some(1)),
        (&[Ended], 0, primary(true), 409, None),
        (&[Active], 0, change(json!({ "nickname": " Reisekort " })), 200, Some(0)),
        (&[Created], 0, change(json!({ "nickname": null })), 200, Some(0)),
        (&[Expired], 0, change(json!({ "nickname": "Gammelt" })), 200, None),
        (&[Ended, Active], 0, change(json!({ "nickname": "Gammelt" })), 409, Some(1)),
        (&[Active, Active], 1, change(json!({ "nickname": "x", "isPrimary": true })), 200, Some(1)),
        (&[Active], 0, change(json!({ "customerNumber": "4712" })), 400, Some(0)),
        (&[Active], 0, change(json!({ "customerNumber": CUSTOMER })), 200, Some(0)),
        (&[Active], 0, change(json!({})), 200, Some(0)),
    ]
}

/// For each situation: the dry run costs one read and leaves no trace, and its response is that of the real request that follows.
#[tokio::test]
async fn a_dry_run_answers_what_the_request_then_does() {
    for (setups, index, body, status, primary_after) in situations() {
        let mut api = TestApi::new().await;
        let mut ids = Vec::new();
        for setup in setups {
            ids.push(api.set_up(*setup).await);
        }
        let (context, id) = (format!("{setups:?} {index} {body:?}"), &ids[index]);
        let before = api.traces().await;
        assert!(before.1 > 0, "the audit log has lines");
        api.local.dynamodb().clear_requests();
        let dry = api.change(id, "?dryRun=true", &body).await;
        let requests: Vec<_> = api.local.dynamodb().requests();
        let requests: Vec<_> =
            requests.iter().map(|one| (one.operation.as_str(), one.capacity)).collect();
        let one_read = ("GetItem", api.local.dynamodb().engine().units(1.0));
        assert_eq!(requests, [one_read], "{context}");
        assert_eq!(dry.status, status, "{context}: {dry:?}");
        assert_eq!(api.traces().await, before, "{context}");

        let real = api.change(id, "?dryRun=false", &body).await;
        assert_eq!(comparable(&dry), comparable(&real), "{context}");
        assert_eq!(real.json().get("primaryRecurringPaymentId"), None, "{context}");
        let primary_after = primary_after.map(|index| ids[index].clone());
        assert_eq!(api.primary().await, primary_after, "{context}");
        if dry.status.is_success() {
            let previewed = dry.json().get("primaryRecurringPaymentId").cloned();
            assert_eq!(previewed, primary_after, "{context}");
        }
    }
}

#[tokio::test]
async fn a_dry_run_has_the_checks_of_the_request() {
    let api = TestApi::new().await;
    let id = api.create_active(CUSTOMER).await;
    let before = api.traces().await;
    let reader = api.token("partner-readonly", json!({})).await;
    let other = api.token("partner-other", json!({})).await;
    for (method, body) in [("DELETE", None), ("PATCH", Some(json!({ "nickname": "x" })))] {
        let call = async |token: &str, id: &str, query: &str| {
            let path = format!("{PAYMENTS}/{id}{query}");
            api.call_as(token, method, &path, body.as_ref()).await
        };
        let own = id.to_string();
        for query in ["?dryRun=yes", "?dryRun=", "?dryRun=TRUE", "?dryRun=1"] {
            let wrong = call(&api.partner, &own, query).await;
            assert_eq!(wrong.problem(), (400, "invalid-request".to_owned()), "{query}");
            let fault = &wrong.json()["errors"][0];
            assert_eq!((&fault["field"], &fault["code"]), (&json!("dryRun"), &json!("type")));
        }
        let twice = call(&api.partner, &own, "?dryRun=true&dryRun=true").await;
        assert_eq!(twice.json()["errors"][0]["code"], "repeated");
        let dry = "?dryRun=true";
        assert_eq!(call(&reader, &own, dry).await.problem(), (403, "forbidden".to_owned()));
        assert_eq!(call("invalid", &own, dry).await.problem(), (401, "unauthorized".to_owned()));
        assert_eq!(
            call(&api.partner, "x", dry).await.problem(),
            (400, "invalid-request".to_owned())
        );
        let foreign = call(&other, &own, dry).await;
        assert_eq!(foreign.problem(), (404, "not-found".to_owned()));
        let mut unknown = comparable(&call(&other, "5", dry).await).1;
        for name in ["instance", "path"] {
            unknown[name] = json!(format!("{PAYMENTS}/{id}"));
        }
        assert_eq!(comparable(&foreign).1, unknown);
    }
    let invalid = api.change(&id, "?dryRun=true", &Some(json!({ "isPrimary": 1 }))).await;
    assert_eq!(invalid.json()["errors"][0]["field"], "isPrimary");
    assert_eq!(api.traces().await, before);
}

/// A recurring payment that time has changed, but whose change is not stored yet: the dry run does not store it either.
#[tokio::test]
async fn a_dry_run_does_not_store_what_time_has_changed() {
    let mut api = TestApi::new().await;
    let pending = api.create(CUSTOMER, json!({})).await["recurringPaymentId"].clone();
    api.open_terminal(&pending).await;
    let active = api.create_active(CUSTOMER).await;
    api.advance_clock("P2D").await;
    let before = api.traces().await;
    let dry = api.change(&pending, "?dryRun=true", &None).await;
    assert_eq!((dry.status, &dry.json()["statusReason"]), (StatusCode::OK, &json!("ABANDONED")));
    assert_eq!(dry.json()["primaryRecurringPaymentId"], active);
    assert_eq!(api.traces().await, before);
}

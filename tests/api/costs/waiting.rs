//! The requests of a get that waits for news (`?wait=`), of a recurring payment and of a transaction.

use serde_json::json;

use super::model::{self, READ, Request};
use crate::{PAYMENTS, TestApi};

/// The sum of the units of requests, in hundredths.
fn hundredths(requests: &[Request], units: fn(Request) -> f64) -> String {
    format!("{:.2}", requests.iter().map(|request| units(*request)).sum::<f64>())
}

#[tokio::test]
async fn a_get_that_waits_costs_its_reads_and_a_count() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let card = api.create_active("4712").await;
    let charge = api.buy("order-1", &card, "100.00").await;
    api.local.dynamodb().clear_requests();
    for path in [format!("{PAYMENTS}/{id}"), charge.path("")] {
        for (query, expected) in [
            ("", READ),
            ("?wait=0", READ),
            // The time is over at the second read, which costs the same as news.
            ("?wait=1", model::WAITED),
            ("?wait=7", model::WAITED_LONG),
        ] {
            let response = api.call("GET", &format!("{path}{query}"), None).await;
            assert_eq!(response.status, 200, "{path}{query}: {response:?}");
            api.assert_requests(expected, &format!("{path}{query}"));
        }
    }
    // What is known already is answered without a wait.
    let response = api.call("GET", &format!("{PAYMENTS}/{card}?wait=20"), None).await;
    assert_eq!(response.json()["recurringStatus"], "ACTIVE");
    api.assert_requests(READ, "a wait for an ACTIVE one");
    api.reach_waiting_limit().await;
    for path in [format!("{PAYMENTS}/{id}"), charge.path("")] {
        let response = api.call("GET", &format!("{path}?wait=20"), None).await;
        assert_eq!(response.status, 429, "{response:?}");
        api.assert_requests(model::WAIT_REJECTED, &path);
    }
}

/// The log line has the units of all reads and of the count.
#[tokio::test]
async fn the_units_of_a_wait_are_logged() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    api.call("GET", &format!("{PAYMENTS}/{id}?wait=1"), None).await;
    let [line] = &api.log_lines("get-recurring-payment", "request")[..] else { panic!("one line") };
    if api.local.dynamodb().engine().units(1.0).is_none() {
        return;
    }
    let logged = |name: &str| format!("{:.2}", line[name].as_f64().unwrap());
    assert_eq!(logged("read_units"), hundredths(model::WAITED, Request::read));
    assert_eq!(logged("write_units"), hundredths(model::WAITED, Request::written));
}

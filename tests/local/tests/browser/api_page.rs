//! Tests of the API page at the console: Swagger UI with the whole local service.

use std::path::Path;

use fantoccini::elements::Element;
use fantoccini::{Client, Locator};
use local::binaries::root;
use local::{Local, Options};
use serde_json::Value;

use crate::chromium::{Chromium, Scripts, wait_for};

/// The operation that the test executes.
const LIST: &str = "[id$='-queryRecurringPayments']";

/// Requests a token from the local issuer.
async fn token(local: &Local, http: &reqwest::Client) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "partner-demo"),
        ("client_secret", "partner-demo"),
        ("audience", "https://api.entur.io"),
    ];
    let address = format!("{}/oauth/token", local.addresses().issuer);
    let answer: Value = http.post(address).form(&form).send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// Waits until an element is displayed.
async fn find(browser: &Client, css: &str) -> Element {
    let displayed = wait_for(async || {
        let element = browser.find(Locator::Css(css)).await.ok()?;
        element.is_displayed().await.ok()?.then_some(element)
    });
    displayed.await.unwrap_or_else(|| panic!("{css} is not displayed"))
}

async fn click(browser: &Client, css: &str) {
    let element = find(browser, css).await;
    element.click().await.unwrap();
}

async fn write(browser: &Client, css: &str, text: &str) {
    find(browser, css).await.send_keys(text).await.unwrap();
}

async fn screenshot(browser: &Client, name: &str) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let image = browser.screenshot().await.unwrap();
    std::fs::write(target.join(format!("api-{name}.png")), image).unwrap();
}

/// Returns the ids of the operations in openapi.yaml.
fn operations() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("openapi.yaml")).unwrap();
    let document = local::yaml::document(&text, |_, _| None).unwrap();
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let ids = operations.filter_map(|operation| operation["operationId"].as_str());
    ids.map(str::to_owned).collect()
}

#[tokio::test]
async fn an_operation_can_be_executed_with_a_token() {
    let http = local::http_client().unwrap();
    let local = Local::start(Options::default()).await.unwrap();
    let token = token(&local, &http).await;
    let chromium = Chromium::start(Scripts::Allowed).await;
    let browser = chromium.browser();
    chromium.end_after(execute_operation(&browser, &local, &token)).await;
}

async fn execute_operation(browser: &Client, local: &Local, token: &str) {
    browser.set_window_rect(0, 0, 1280, 1600).await.unwrap();
    browser.goto(&format!("{}/api", local.addresses().console)).await.unwrap();
    let operations = operations();
    assert!(operations.len() > 8, "{operations:?}");
    for id in operations {
        find(browser, &format!("[id$='-{id}']")).await;
    }
    screenshot(browser, "operations").await;

    click(browser, ".auth-wrapper .authorize").await;
    write(browser, ".modal-ux input", token).await;
    click(browser, ".modal-ux .auth-btn-wrapper .authorize").await;
    click(browser, ".modal-ux .btn-done").await;

    click(browser, &format!("{LIST} .opblock-summary-control")).await;
    click(browser, &format!("{LIST} .try-out__btn")).await;
    // The parameters are filled in with the examples of openapi.yaml.
    click(browser, &format!("{LIST} .execute")).await;
    let status =
        find(browser, &format!("{LIST} .live-responses-table .response .response-col_status"))
            .await;
    screenshot(browser, "executed").await;
    assert_eq!(status.text().await.unwrap().lines().next(), Some("200"));
    let url = find(browser, &format!("{LIST} .request-url pre")).await.text().await.unwrap();
    let expected = format!("{}/v1/recurring-payments?customerNumber=4711", local.addresses().api);
    assert!(url.starts_with(&expected), "{url}");
    let live = find(browser, &format!("{LIST} .live-responses-table")).await.text().await.unwrap();
    assert!(live.contains("x-correlation-id: "), "CORS does not expose the header: {live}");

    let loaded = "return performance.getEntriesByType('resource').map(entry => entry.name)";
    let loaded = browser.execute(loaded, Vec::new()).await.unwrap();
    let loaded: Vec<String> = serde_json::from_value(loaded).unwrap();
    assert!(loaded.len() > 3, "{loaded:?}");
    assert!(loaded.iter().all(|address| address.starts_with("http://127.0.0.1:")), "{loaded:?}");
}

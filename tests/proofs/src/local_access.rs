//! What the proofs and the load do at the local service beside calling functions: they act on Nets' pages, read stored items, and
//! remove faults.

use local::Local;
use reqwest::{Client, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::Failure;

/// Enters a card that expires in a year on a terminal page.
///
/// # Errors
/// Fails if the page does not redirect the browser.
pub(crate) async fn enter_card(
    local: &Local,
    http: &Client,
    uri: &str,
    number: &str,
) -> Result<(), Failure> {
    let now = local.clock().now().to_zoned(jiff::tz::TimeZone::UTC);
    let (month, year) = (format!("{:02}", now.month()), format!("{:02}", (now.year() + 1) % 100));
    let form = [
        ("cardNo", number),
        ("month", &month),
        ("year", &year),
        ("securityCode", "123"),
        ("okButton", "x"),
    ];
    press(http, uri, &form).await
}

/// Enters the security code of the stored card on the page of a charge.
///
/// # Errors
/// Fails if the page does not redirect the browser.
pub(crate) async fn enter_code(http: &Client, uri: &str) -> Result<(), Failure> {
    press(http, uri, &[("securityCode", "123"), ("okButton", "x")]).await
}

async fn press(http: &Client, uri: &str, form: &[(&str, &str)]) -> Result<(), Failure> {
    let page = http.post(uri).form(form).send().await;
    match page.map(|page| page.status()) {
        Ok(StatusCode::FOUND) => Ok(()),
        other => Err(Failure::CannotRun(format!("the terminal page responded with {other:?}"))),
    }
}

/// Reads an item by its key, which is a number.
///
/// # Errors
/// Fails if the item cannot be read.
pub(crate) async fn stored_item<T: DeserializeOwned>(
    local: &Local,
    table: &str,
    name: &str,
    key: u64,
) -> Result<Option<T>, Failure> {
    let key = json!({ name: { "N": key.to_string() } });
    let get = json!({ "TableName": table, "Key": key, "ConsistentRead": true });
    let response = local.dynamodb().call("GetItem", &get).await;
    let response = response.map_err(|error| Failure::cannot_run(&error))?;
    if response["Item"].is_null() {
        return Ok(None);
    }
    let item = serde_json::from_str(&response["Item"].to_string());
    item.map(Some).map_err(|error| Failure::cannot_run(&error))
}

/// The address of the faults of Nets that no call has used yet.
pub(crate) fn nets_faults(local: &Local) -> String {
    format!("{}/netaxept/faults", local.addresses().console)
}

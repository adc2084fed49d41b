//! Customer numbers (api.md rule 17) in create, list and erase.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, Response, TestApi};

/// Percent-encodes every byte.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"))
}

impl TestApi {
    async fn list_response(&self, query: &str) -> Response {
        self.call("GET", &format!("{PAYMENTS}?customerNumber={query}"), None).await
    }

    /// Asserts that the number is accepted by create, list (plain and with `eq:`) and erase. `plain` is its form in a query.
    async fn assert_accepted(&self, number: &str, plain: &str) {
        let id = self.create(number, json!({})).await["recurringPaymentId"].clone();
        for query in
            [plain.to_owned(), format!("eq:{plain}"), format!("eq%3A{}", percent_encoded(number))]
        {
            let list = self.list_response(&query).await;
            assert_eq!(list.status, StatusCode::OK, "{query}: {list:?}");
            assert_eq!(list.json()[0]["recurringPaymentId"], id, "{query}");
        }
        assert_eq!(
            self.erase(&percent_encoded(number)).await.status,
            StatusCode::NO_CONTENT,
            "{number:?}"
        );
        assert_eq!(self.list_response(plain).await.json(), json!([]), "{number:?}");
    }

    /// Asserts that create, list and erase reject the number with this code.
    async fn assert_rejected(&self, number: &str, code: &str) {
        let body = json!({ "customerNumber": number });
        let mut responses = vec![
            self.call("POST", PAYMENTS, Some(&body)).await,
            self.list_response(&percent_encoded(number)).await,
            self.list_response(&format!("eq:{}", percent_encoded(number))).await,
        ];
        // A client cannot send a path with a segment that is empty or only dots.
        if !number.bytes().all(|byte| byte == b'.') {
            responses.push(self.erase(&percent_encoded(number)).await);
        }
        for response in responses {
            assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{number:?}");
            let error = &response.json()["errors"][0];
            assert_eq!(
                (&error["field"], &error["code"]),
                (&json!("customerNumber"), &json!(code)),
                "{number:?}"
            );
        }
    }
}

#[tokio::test]
async fn each_ascii_character_is_accepted_or_rejected_by_all_operations() {
    let api = TestApi::new().await;
    for letter in (0..128).map(char::from) {
        let number = format!("4{letter}1");
        if letter.is_ascii_alphanumeric() || "._-:@+".contains(letter) {
            api.assert_accepted(&number, &percent_encoded(&number)).await;
        } else {
            api.assert_rejected(&number, "characters").await;
        }
    }
}

#[tokio::test]
async fn the_length_and_character_limits_of_a_customer_number() {
    let api = TestApi::new().await;
    for number in ["x", &"x".repeat(64)] {
        api.assert_accepted(number, number).await;
    }
    for (number, code) in [
        ("", "empty"),
        (&*"x".repeat(65), "too-long"),
        ("ø", "characters"),
        ("４７１１", "characters"),
        ("47\u{200b}11", "characters"),
        (".", "characters"),
        ("..", "characters"),
    ] {
        api.assert_rejected(number, code).await;
    }
}

/// Numbers with colons, at signs and pluses. In a query, a colon and an at sign need no encoding.
#[tokio::test]
async fn ids_and_email_addresses_are_accepted() {
    let api = TestApi::new().await;
    for (number, plain) in [
        ("ENT:Customer:42", "ENT:Customer:42"),
        ("kari+kort@example.no", "kari%2Bkort@example.no"),
        ("kari@example.no", "kari%40example.no"),
        ("EQ:4711", "EQ:4711"),
        (":", ":"),
        ("...", "..."),
    ] {
        api.assert_accepted(number, plain).await;
    }
}

/// Text before the first colon can be an operator. With `eq:`, a query can contain a number that begins like an operator.
#[tokio::test]
async fn only_the_operator_eq_is_accepted() {
    let api = TestApi::new().await;
    for operator in ["ne", "gt", "gte", "lt", "lte"] {
        for colon in [":", "%3A"] {
            let response = api.list_response(&format!("{operator}{colon}4711")).await;
            assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{operator}");
            assert_eq!(response.json()["errors"][0]["code"], "operator", "{operator}");
        }
        let number = format!("{operator}:4711");
        let id = api.create(&number, json!({})).await["recurringPaymentId"].clone();
        let list = api.list_response(&format!("eq:{number}")).await.json();
        assert_eq!(list[0]["recurringPaymentId"], id, "{operator}");
    }
    let id = api.create("eq:4711", json!({})).await["recurringPaymentId"].clone();
    assert_eq!(api.list_response("eq:eq:4711").await.json()[0]["recurringPaymentId"], id);
    assert_eq!(
        api.list_response("eq:4711").await.json(),
        json!([]),
        "no customer has the number 4711"
    );
    let list: Vec<Value> = api.list("4711").await;
    assert_eq!(list, Vec::<Value>::new());
}

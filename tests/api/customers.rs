//! Customer numbers (api.md rule 17): each through create, list and erase.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{Answer, PAYMENTS, World};

/// Every byte percent-encoded, so that it arrives whatever it is.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"))
}

impl World {
    async fn listed(&self, query: &str) -> Answer {
        self.call("GET", &format!("{PAYMENTS}?customerNumber={query}"), None).await
    }

    /// The number is good: it is created with, listed plain and with `eq:`, and erased.
    async fn is_served(&self, number: &str, plain: &str) {
        let id = self.create(number, json!({})).await["recurringPaymentId"].clone();
        for query in [plain.to_owned(), format!("eq:{plain}"), format!("eq%3A{}", encoded(number))]
        {
            let list = self.listed(&query).await;
            assert_eq!(list.status, StatusCode::OK, "{query}: {list:?}");
            assert_eq!(list.json()[0]["recurringPaymentId"], id, "{query}");
        }
        assert_eq!(self.erase(&encoded(number)).await.status, StatusCode::NO_CONTENT, "{number:?}");
        assert_eq!(self.listed(plain).await.json(), json!([]), "{number:?}");
    }

    /// The number is refused with this code wherever it can stand.
    async fn is_refused(&self, number: &str, code: &str) {
        let body = json!({ "customerNumber": number });
        let mut answers = vec![
            self.call("POST", PAYMENTS, Some(&body)).await,
            self.listed(&encoded(number)).await,
            self.listed(&format!("eq:{}", encoded(number))).await,
        ];
        // A client cannot send a path with a segment that is empty or only dots.
        if !number.bytes().all(|byte| byte == b'.') {
            answers.push(self.erase(&encoded(number)).await);
        }
        for answer in answers {
            assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{number:?}");
            let error = &answer.json()["errors"][0];
            assert_eq!(
                (&error["field"], &error["code"]),
                (&json!("customerNumber"), &json!(code)),
                "{number:?}"
            );
        }
    }
}

#[tokio::test]
async fn every_ascii_character_is_served_or_refused_everywhere() {
    let world = World::new().await;
    for letter in (0..128).map(char::from) {
        let number = format!("4{letter}1");
        if letter.is_ascii_alphanumeric() || "._-:@+".contains(letter) {
            world.is_served(&number, &encoded(&number)).await;
        } else {
            world.is_refused(&number, "characters").await;
        }
    }
}

#[tokio::test]
async fn the_edges_of_a_customer_number() {
    let world = World::new().await;
    for number in ["x", &"x".repeat(64)] {
        world.is_served(number, number).await;
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
        world.is_refused(number, code).await;
    }
}

/// What callers have: numbers with colons, at signs and pluses; a colon and an at sign may stand in a query as they are.
#[tokio::test]
async fn what_callers_have_is_served() {
    let world = World::new().await;
    for (number, plain) in [
        ("ENT:Customer:42", "ENT:Customer:42"),
        ("kari+kort@example.no", "kari%2Bkort@example.no"),
        ("kari@example.no", "kari%40example.no"),
        ("EQ:4711", "EQ:4711"),
        (":", ":"),
        ("...", "..."),
    ] {
        world.is_served(number, plain).await;
    }
}

/// An operator before the first colon is one; `eq:` makes a number that begins like one possible.
#[tokio::test]
async fn only_eq_is_served() {
    let world = World::new().await;
    for operator in ["ne", "gt", "gte", "lt", "lte"] {
        for colon in [":", "%3A"] {
            let answer = world.listed(&format!("{operator}{colon}4711")).await;
            assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{operator}");
            assert_eq!(answer.json()["errors"][0]["code"], "operator", "{operator}");
        }
        let number = format!("{operator}:4711");
        let id = world.create(&number, json!({})).await["recurringPaymentId"].clone();
        let list = world.listed(&format!("eq:{number}")).await.json();
        assert_eq!(list[0]["recurringPaymentId"], id, "{operator}");
    }
    let id = world.create("eq:4711", json!({})).await["recurringPaymentId"].clone();
    assert_eq!(world.listed("eq:eq:4711").await.json()[0]["recurringPaymentId"], id);
    assert_eq!(world.listed("eq:4711").await.json(), json!([]), "the number 4711");
    let none: Vec<Value> = world.list("4711").await;
    assert_eq!(none, Vec::<Value>::new());
}

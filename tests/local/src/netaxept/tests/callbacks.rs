use axum::extract::State;
use axum::routing::post;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;

/// Somebody who is called, answers with statuses in their order, and 200 after them.
struct Called {
    address: String,
    heard: UnboundedReceiver<(String, Value)>,
}

struct Answers {
    statuses: Mutex<Vec<u16>>,
    heard: UnboundedSender<(String, Value)>,
}

impl Called {
    async fn new(statuses: &[u16]) -> Self {
        let (sender, heard) = unbounded_channel();
        let answers = Answers { statuses: Mutex::new(statuses.to_vec()), heard: sender };
        let router = Router::new().route("/called", post(answer)).with_state(Arc::new(answers));
        let listener = crate::listen("whoever is called", 0).await.unwrap();
        let address = format!("{}/called", crate::address(&listener).unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, heard }
    }

    /// The id of the next message.
    async fn next(&mut self) -> String {
        let (content_type, message) = self.heard.recv().await.unwrap();
        assert_eq!(content_type, "application/json");
        let id = message["TransactionId"].as_str().unwrap().to_owned();
        assert_eq!(message, json!({ "TransactionId": id }));
        id
    }
}

async fn answer(
    State(answers): State<Arc<Answers>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let content_type = headers["content-type"].to_str().unwrap().to_owned();
    answers.heard.send((content_type, serde_json::from_slice(&body).unwrap())).unwrap();
    let mut statuses = answers.statuses.lock().unwrap();
    if statuses.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::from_u16(statuses.remove(0)).unwrap()
    }
}

#[tokio::test]
async fn every_change_is_told_by_its_id() {
    let (nets, mut called) = (Nets::new().await, Called::new(&[]).await);
    nets.sandbox.call_back(Some(called.address.clone()));
    for (id, operations) in [
        ("1", vec!["AUTH", "CAPTURE", "CREDIT"]),
        ("2", vec!["VERIFY"]),
        ("3", vec!["AUTH", "ANNUL"]),
        ("4", vec!["SALE"]),
    ] {
        nets.buy(id, "1000", "").await;
        nets.pay(id, "4925000000000004").await;
        for operation in operations {
            nets.process(id, operation).await;
            assert_eq!(called.next().await, id, "{operation}");
        }
    }
    nets.buy("5", "1000", "&autoSale=true").await;
    nets.pay("5", "4925000000000004").await;
    assert_eq!(called.next().await, "5");
}

#[tokio::test]
async fn nothing_is_told_of_what_failed_or_only_began() {
    let (nets, mut called) = (Nets::new().await, Called::new(&[]).await);
    nets.sandbox.call_back(Some(called.address.clone()));
    nets.buy("1", "152", "").await;
    nets.pay("1", "4925000000000004").await;
    nets.process("1", "AUTH").await;
    nets.buy("2", "1000", "").await;
    nets.page("2", &[("cancelButton", "x")]).await;
    nets.buy("3", "1000", "").await;
    nets.pay("3", "4925000000000004").await;
    nets.process("3", "AUTH").await;
    assert_eq!(called.next().await, "3", "the first that was worth telling");
}

#[tokio::test]
async fn a_message_is_sent_again_until_it_is_answered_200() {
    let (nets, mut called) = (Nets::new().await, Called::new(&[500, 204, 301]).await);
    nets.sandbox.call_back(Some(called.address.clone()));
    nets.buy("1", "1000", "").await;
    nets.pay("1", "4925000000000004").await;
    nets.process("1", "AUTH").await;
    for _ in 0..3 {
        assert_eq!(called.next().await, "1");
        nets.clock.advance("PT1M").unwrap();
    }
    assert_eq!(called.next().await, "1");
    nets.clock.advance("PT1H").unwrap();
    nets.buy("2", "1000", "").await;
    nets.pay("2", "4925000000000004").await;
    nets.process("2", "AUTH").await;
    assert_eq!(called.next().await, "2", "what was acknowledged is not told again");
}

#[tokio::test]
async fn nobody_is_called_unless_it_was_said_whom() {
    let (nets, mut called) = (Nets::new().await, Called::new(&[]).await);
    nets.buy("1", "1000", "").await;
    nets.pay("1", "4925000000000004").await;
    nets.process("1", "AUTH").await;
    nets.sandbox.call_back(Some(called.address.clone()));
    nets.buy("2", "1000", "").await;
    nets.pay("2", "4925000000000004").await;
    nets.process("2", "AUTH").await;
    assert_eq!(called.next().await, "2");
    nets.sandbox.call_back(None);
    nets.process("2", "CAPTURE").await;
    nets.buy("3", "1000", "").await;
    nets.pay("3", "4925000000000004").await;
    nets.sandbox.call_back(Some(called.address.clone()));
    nets.process("3", "AUTH").await;
    assert_eq!(called.next().await, "3");
}

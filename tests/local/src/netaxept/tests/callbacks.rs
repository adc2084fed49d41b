use axum::extract::State;
use axum::routing::post;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;

/// A server that receives callbacks. It answers with the given statuses in their order, and then with 200.
struct Receiver {
    address: String,
    callbacks: UnboundedReceiver<(String, Value)>,
}

struct Answers {
    statuses: Mutex<Vec<u16>>,
    callbacks: UnboundedSender<(String, Value)>,
}

impl Receiver {
    async fn new(statuses: &[u16]) -> Self {
        let (sender, callbacks) = unbounded_channel();
        let answers = Answers { statuses: Mutex::new(statuses.to_vec()), callbacks: sender };
        let router = Router::new().route("/callback", post(answer)).with_state(Arc::new(answers));
        let listener = crate::listen("the callback receiver", 0).await.unwrap();
        let address = format!("{}/callback", crate::address(&listener).unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, callbacks }
    }

    /// Waits for the next callback and returns its transaction id.
    async fn next(&mut self) -> String {
        let (content_type, message) = self.callbacks.recv().await.unwrap();
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
    answers.callbacks.send((content_type, serde_json::from_slice(&body).unwrap())).unwrap();
    let mut statuses = answers.statuses.lock().unwrap();
    if statuses.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::from_u16(statuses.remove(0)).unwrap()
    }
}

#[tokio::test]
async fn every_successful_operation_sends_a_callback_with_the_transaction_id() {
    let (nets, mut receiver) = (Nets::new().await, Receiver::new(&[]).await);
    nets.sandbox.set_callback_address(Some(receiver.address.clone()));
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
            assert_eq!(receiver.next().await, id, "{operation}");
        }
    }
    nets.buy("5", "1000", "&autoSale=true").await;
    nets.pay("5", "4925000000000004").await;
    assert_eq!(receiver.next().await, "5");
}

#[tokio::test]
async fn failed_operations_and_registrations_send_no_callback() {
    let (nets, mut receiver) = (Nets::new().await, Receiver::new(&[]).await);
    nets.sandbox.set_callback_address(Some(receiver.address.clone()));
    nets.buy("1", "152", "").await;
    nets.pay("1", "4925000000000004").await;
    nets.process("1", "AUTH").await;
    nets.buy("2", "1000", "").await;
    nets.post_page("2", &[("cancelButton", "x")]).await;
    nets.buy("3", "1000", "").await;
    nets.pay("3", "4925000000000004").await;
    nets.process("3", "AUTH").await;
    assert_eq!(receiver.next().await, "3", "the first callback");
}

#[tokio::test]
async fn a_callback_is_retried_until_the_answer_is_200() {
    let (nets, mut receiver) = (Nets::new().await, Receiver::new(&[500, 204, 301]).await);
    nets.sandbox.set_callback_address(Some(receiver.address.clone()));
    nets.buy("1", "1000", "").await;
    nets.pay("1", "4925000000000004").await;
    nets.process("1", "AUTH").await;
    for _ in 0..3 {
        assert_eq!(receiver.next().await, "1");
        nets.clock.advance("PT1M").unwrap();
    }
    assert_eq!(receiver.next().await, "1");
    nets.clock.advance("PT1H").unwrap();
    nets.buy("2", "1000", "").await;
    nets.pay("2", "4925000000000004").await;
    nets.process("2", "AUTH").await;
    assert_eq!(receiver.next().await, "2", "an acknowledged callback is not sent again");
}

#[tokio::test]
async fn without_an_address_no_callback_is_sent() {
    let (nets, mut receiver) = (Nets::new().await, Receiver::new(&[]).await);
    nets.buy("1", "1000", "").await;
    nets.pay("1", "4925000000000004").await;
    nets.process("1", "AUTH").await;
    nets.sandbox.set_callback_address(Some(receiver.address.clone()));
    nets.buy("2", "1000", "").await;
    nets.pay("2", "4925000000000004").await;
    nets.process("2", "AUTH").await;
    assert_eq!(receiver.next().await, "2");
    nets.sandbox.set_callback_address(None);
    nets.process("2", "CAPTURE").await;
    nets.buy("3", "1000", "").await;
    nets.pay("3", "4925000000000004").await;
    nets.sandbox.set_callback_address(Some(receiver.address.clone()));
    nets.process("3", "AUTH").await;
    assert_eq!(receiver.next().await, "3");
}

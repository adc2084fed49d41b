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
        let listener = Listener::open("the callback receiver", 0).await.unwrap();
        let address = format!("{}/callback", listener.address().unwrap());
        listener.serve(router);
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

/// The id is the one of the registration, whatever its form. The customer does not have to return.
#[tokio::test]
async fn each_operation_of_a_charge_sends_a_callback() {
    let (nets, mut receiver) = (Nets::new().await, Receiver::new(&[]).await);
    let hash = nets.store_card("0", "4925000000000004").await;
    nets.sandbox.set_callback_address(Some(receiver.address.clone()));
    let confirmed = "recurringType=S&recurringUse3DS=true&serviceType=B&autoAuth=true";
    nets.register_charge("p114736-0", "1000", &hash, confirmed).await;
    nets.sandbox.inject_fault(Operation::Terminal, FaultKind::DropReply, 1);
    let page = format!(
        "{}/Terminal/default.aspx?merchantId={MERCHANT_ID}&transactionId=p114736-0",
        nets.address
    );
    let form = [("securityCode", "123"), ("okButton", "x")];
    assert!(nets.http.post(page).form(&form).send().await.is_err());
    assert_eq!(receiver.next().await, "p114736-0", "authorized");
    for operation in
        ["CAPTURE", "CREDIT&transactionAmount=300", "CREDIT&transactionAmount=1", "CREDIT"]
    {
        nets.assert_steps("p114736-0", &[(operation, "OK")]).await;
        assert_eq!(receiver.next().await, "p114736-0", "{operation}");
    }
    nets.register_charge("p114736-1", "1000", &hash, "recurringType=R&serviceType=M").await;
    for operation in ["AUTH", "ANNUL"] {
        nets.assert_steps("p114736-1", &[(operation, "OK")]).await;
        assert_eq!(receiver.next().await, "p114736-1", "{operation}");
    }
    // A decline and a refused credit send none.
    nets.register_charge("p114736-2", "151", &hash, confirmed).await;
    nets.post_page("p114736-2", &form).await;
    nets.process("p114736-0", "CREDIT").await;
    nets.register_charge("p114736-3", "1000", &hash, confirmed).await;
    nets.post_page("p114736-3", &form).await;
    assert_eq!(receiver.next().await, "p114736-3");
}

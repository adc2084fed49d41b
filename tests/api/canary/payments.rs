//! The secrets canary for payments: the same secrets, in requests to the functions that charge a card, and in every failure of Nets.

use local::netaxept::{FaultKind, Operation};
use serde_json::{Value, json};

use super::{CALLBACK, CUSTOMER, Canary, JSON, KEY, NICKNAME, PAYMENT_CALLBACK, REDIRECT};
use crate::VISA;
use crate::payments::{COLLECTION, Charge, SETTLE, order};

/// Every operation on a payment or a transaction.
const OPERATIONS: [(&str, Option<&str>); 6] = [
    ("GET", None),
    ("GET", Some("")),
    ("POST", Some("/terminal")),
    ("PUT", Some("/capture")),
    ("PUT", Some("/cancel")),
    ("PUT", Some("/credit")),
];

/// Whether an operation has a body.
fn has_body(method: &str, tail: Option<&str>) -> bool {
    method == "POST" || tail == Some("/credit")
}

/// All statuses that each function can return.
pub(super) const STATUSES: [(&str, &[u64]); 7] = [
    ("cancel-transaction", &[200, 400, 401, 403, 404, 409, 429, 500, 503]),
    ("capture-transaction", &[200, 400, 401, 403, 404, 409, 429, 500, 503]),
    ("create-payment", &[200, 201, 400, 401, 403, 404, 409, 413, 415, 429, 500]),
    ("credit-transaction", &[200, 400, 401, 403, 404, 409, 413, 415, 429, 500, 503]),
    ("create-payment-terminal", &[201, 400, 401, 403, 404, 409, 413, 415, 429, 500, 503]),
    ("get-payment", &[200, 400, 401, 404, 429, 500]),
    ("get-transaction", &[200, 400, 401, 404, 429, 500]),
];

/// The amount of an order.
const AMOUNT: &str = "100.00";

impl Canary {
    /// The recurring payment at a path.
    fn card(path: &str) -> Value {
        json!(path.rsplit_once('/').unwrap().1.parse::<u64>().unwrap())
    }

    /// The body of a terminal request for a charge. Its notifications go to the inbox.
    fn charge_terminal(&self) -> Value {
        let callback_url =
            format!("{}/inbox?token={PAYMENT_CALLBACK}", self.api.local.addresses().console);
        json!({
            "redirectUrl": format!("https://shop.example/done?session={REDIRECT}"), "callbackUrl": callback_url,
        })
    }

    /// Creates a payment with the card of a recurring payment.
    pub(super) async fn buy(&self, order_id: &str, path: &str, amount: &str) -> Charge {
        let body = order(order_id, &Self::card(path), amount);
        assert_eq!(self.call("POST", COLLECTION, Some(&body)).await, 201, "{order_id}");
        Charge::newest(&self.last_body.borrow())
    }

    async fn open_page(&self, charge: Charge) -> u16 {
        self.call("POST", &charge.path("/terminal"), Some(&self.charge_terminal())).await
    }

    /// Enters the security code on the page that the last response opened.
    async fn enter_code(&self) {
        let uri = self.last_body.borrow()["terminalUri"].as_str().unwrap().to_owned();
        self.add_output("redirect", self.api.enter_code(&uri).await);
    }

    async fn buy_with_code(&self, order_id: &str, path: &str, amount: &str) -> Charge {
        let charge = self.buy(order_id, path, amount).await;
        assert_eq!(self.open_page(charge).await, 201);
        self.enter_code().await;
        charge
    }

    async fn capture(&self, charge: Charge) -> u16 {
        self.call("PUT", &charge.path("/capture"), None).await
    }

    /// Credits up to a total, or everything. Sends secrets in unknown members too.
    async fn credit(&self, charge: Charge, total: Option<&str>) -> u16 {
        let body = total
            .map(|total| json!({ "creditedAmount": total, "x": VISA, "y": [NICKNAME, REDIRECT] }));
        self.call("PUT", &charge.path("/credit"), body.as_ref()).await
    }

    /// Sends all secrets to every operation. Returns the statuses: create, get, get, terminal, capture, cancel, credit.
    pub(super) async fn call_payment_operations(
        &self,
        token: &str,
        charge: Charge,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Vec<u16> {
        let mut body = order("order-1", &Self::card(path), AMOUNT);
        for (name, value) in self.charge_terminal().as_object().unwrap() {
            body[name] = value.clone();
        }
        for (name, secret) in [("nickname", NICKNAME), ("customerNumber", CUSTOMER), ("x", VISA)] {
            body[name] = secret.into();
        }
        body["creditedAmount"] = AMOUNT.into();
        let body = body.to_string();
        let mut statuses = vec![self.send(token, ("POST", COLLECTION), headers, Some(&body)).await];
        for (method, tail) in OPERATIONS {
            let path = tail.map_or_else(|| charge.payment_path(), |tail| charge.path(tail));
            let body = Some(body.as_str()).filter(|_| has_body(method, tail));
            statuses.push(self.send(token, (method, &path), headers, body).await);
        }
        statuses
    }

    /// 400, 413 and 415: the response does not repeat the invalid value.
    pub(super) async fn test_invalid_payments(&self, charge: Charge, path: &str) {
        let valid = order("order-1", &Self::card(path), AMOUNT);
        let terminal = charge.path("/terminal");
        let with = |name: &str, value: Value| {
            let mut body = valid.clone();
            *body.pointer_mut(name).unwrap() = value;
            body
        };
        for body in [
            with("/orderId", json!(format!("{CUSTOMER} {NICKNAME}"))),
            with("/orderVersion", json!(NICKNAME)),
            with("/totalAmount", json!(VISA)),
            with("/transaction/amount", json!(format!("{VISA}.0.0"))),
            with("/transaction/currency", json!(NICKNAME)),
            with("/transaction/recurringPaymentId", json!(VISA)),
            with("/transaction", json!(KEY)),
        ] {
            assert_eq!(self.call("POST", COLLECTION, Some(&body)).await, 400, "{body}");
        }
        for body in [
            json!({ "redirectUrl": format!("ftp://a.example/{REDIRECT}") }),
            json!({ "redirectUrl": "https://a.example", "callbackUrl": format!("http://a.example/{CALLBACK}") }),
            json!({ "redirectUrl": "https://a.example", "callbackUrl": format!("https://10.0.0.1/{CALLBACK}") }),
            json!({ "redirectUrl": "https://a.example", "autoSale": VISA }),
            json!({ "redirectUrl": "https://a.example", "transactionType": NICKNAME }),
        ] {
            assert_eq!(self.call("POST", &terminal, Some(&body)).await, 400, "{body}");
        }
        let credit = charge.path("/credit");
        for amount in [json!(VISA), json!({ NICKNAME: CUSTOMER }), json!(format!("{VISA}.0.0"))] {
            let body = json!({ "creditedAmount": amount, NICKNAME: VISA });
            assert_eq!(self.call("PUT", &credit, Some(&body)).await, 400, "{body}");
        }
        let large = json!({ "orderId": CUSTOMER, "x": VISA.repeat(1024) }).to_string();
        let plain = [JSON[0], ("content-type", "text/plain")];
        let token = &self.api.partner;
        for target in [("POST", COLLECTION), ("POST", &terminal), ("PUT", &credit)] {
            let cut = format!("{{\"orderId\":\"{CUSTOMER}");
            assert_eq!(self.send(token, target, &JSON, Some(&cut)).await, 400);
            assert_eq!(self.send(token, target, &JSON, Some(&large)).await, 413);
            assert_eq!(self.send(token, target, &plain, Some(CUSTOMER)).await, 415);
        }
        for (method, tail) in OPERATIONS {
            let invalid = format!("{COLLECTION}/{VISA}{VISA}");
            let path = tail
                .map_or(invalid.clone(), |tail| format!("{invalid}/transactions/{NICKNAME}{tail}"));
            let body = (method == "POST").then(|| self.charge_terminal());
            // The path is repeated in the response, as for every other resource.
            let status = self.api.call(method, &path, body.as_ref()).await.status.as_u16();
            assert_eq!(status, 400, "{method} {path}");
        }
    }

    /// 500: items that cannot be read, with the pan hash in unexpected attributes.
    pub(super) async fn test_unreadable_payments(
        &self,
        charge: Charge,
        path: &str,
        pan_hash: &str,
    ) {
        let items = self.api.payment_items().await;
        let is_charged =
            |item: &&Value| charge.payment_path().ends_with(item["payment"]["N"].as_str().unwrap());
        let valid = items.iter().find(is_charged).unwrap();
        let names = valid
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, value)| ["L", "M", "B"].iter().any(|kind| value.get(kind).is_some()));
        let names: Vec<&String> = names.map(|(name, _)| name).collect();
        assert!(names.len() >= 3, "{names:?}");
        for name in names {
            let mut item = valid.clone();
            item[name] = json!({ "S": format!("{pan_hash} {NICKNAME}") });
            item["taskShard"] = json!({ "N": "0" });
            item["taskAt"] = json!({ "N": "1" });
            self.put_payment(&item).await;
            let token = &self.api.partner;
            let statuses = self.call_payment_operations(token, charge, path, &JSON).await;
            assert_eq!(statuses, [500; 7], "{name}");
            assert_eq!(self.api.run_schedule(SETTLE).await["failed"], 1, "{name}");
        }
        self.put_payment(valid).await;
    }

    async fn put_payment(&self, item: &Value) {
        let put = json!({ "TableName": "Payments", "Item": item });
        self.api.local.dynamodb().call("PutItem", &put).await.unwrap();
    }

    /// A purchase, refusals and declines.
    pub(super) async fn test_purchases(&self, path: &str) {
        let charge = self.buy_with_code("paid", path, AMOUNT).await;
        for _ in 0..2 {
            assert_eq!(self.capture(charge).await, 200);
        }
        let body = order("paid", &Self::card(path), AMOUNT);
        assert_eq!(self.call("POST", COLLECTION, Some(&body)).await, 200);
        let body = order("paid", &Self::card(path), "1.00");
        assert_eq!(self.call("POST", COLLECTION, Some(&body)).await, 409);
        assert_eq!(self.open_page(charge).await, 409);
        assert_eq!(self.call("PUT", &charge.path("/cancel"), None).await, 409);
        for (method, path) in [("GET", charge.payment_path()), ("GET", charge.path(""))] {
            assert_eq!(self.call(method, &path, None).await, 200);
        }
        for amount in ["1.51", "1.54", "1.65"] {
            let charge = self.buy_with_code(amount, path, amount).await;
            assert_eq!(self.capture(charge).await, 409, "{amount}");
            assert_eq!(self.call("PUT", &charge.path("/cancel"), None).await, 200);
        }
        assert_eq!(self.credit(charge, Some("100.01")).await, 409);
        for total in [Some("30.00"), Some("30.00"), None] {
            assert_eq!(self.credit(charge, total).await, 200);
        }
        assert_eq!(self.credit(charge, Some("30.00")).await, 409);
        let unclear = self.buy_with_code("1.99", path, "1.99").await;
        assert_eq!(self.capture(unclear).await, 503);
    }

    /// 503: all kinds of faults at Nets, for each call of the functions and of the schedule. `Repeat` answers with the whole request,
    /// which contains the token, and at Register the pan hash.
    pub(super) async fn test_failed_charges(&mut self, path: &str) {
        let nets = self.api.local.netaxept().clone();
        for kind in super::fault_kinds() {
            // A Query cannot arrive late.
            let of_query = if kind == FaultKind::ArriveLate { FaultKind::Repeat } else { kind };
            let fail = |operation, query_before: usize| {
                nets.inject_fault(operation, kind, 1);
                nets.inject_fault(Operation::Query, FaultKind::Pass, query_before);
                nets.inject_fault(Operation::Query, of_query, 1);
            };
            let order_id = format!("failed-{kind:?}");
            let charge = self.buy(&order_id, path, AMOUNT).await;
            fail(Operation::Register, 0);
            assert_eq!(self.open_page(charge).await, 503, "{kind:?}");
            assert_eq!(self.open_page(charge).await, 201, "{kind:?}");
            self.enter_code().await;
            fail(Operation::Auth, 0);
            assert_eq!(self.capture(charge).await, 503, "{kind:?}");
            let cancelled = self.buy_with_code(&format!("annul-{kind:?}"), path, AMOUNT).await;
            nets.inject_fault(Operation::Capture, FaultKind::Http500, 2);
            assert_eq!(self.capture(cancelled).await, 503, "{kind:?}");
            fail(Operation::Annul, 1);
            assert_eq!(self.call("PUT", &cancelled.path("/cancel"), None).await, 503, "{kind:?}");
            nets.inject_fault(Operation::Query, of_query, 2);
            self.api.advance_clock("PT1M1S").await;
            self.api.run_schedule(SETTLE).await;
            self.record_tables().await;
            assert_eq!(self.capture(charge).await, 200, "{kind:?}");
            fail(Operation::Credit, 1);
            assert_eq!(self.credit(charge, Some("30.00")).await, 503, "{kind:?}");
            self.test_failed_sale(path, kind).await;
        }
        // A Query that does not show AUTH and CAPTURE yet.
        let charge = self.buy_with_code("stale", path, AMOUNT).await;
        nets.inject_fault(Operation::Capture, FaultKind::DropReply, 1);
        nets.inject_fault(Operation::Query, FaultKind::Stale, 3);
        assert!([409, 503].contains(&self.capture(charge).await));
        self.api.advance_clock("PT24H").await;
        self.api.run_schedule(SETTLE).await;
        self.record_tables().await;
    }

    /// A fault at Nets while the service captures an auto sale by itself: after Nets' callback, and by the schedule, which also sends
    /// the credit again that failed before.
    async fn test_failed_sale(&mut self, path: &str, kind: FaultKind) {
        let charge = self.buy(&format!("sale-{kind:?}"), path, AMOUNT).await;
        let mut body = self.charge_terminal();
        body["autoSale"] = json!(true);
        assert_eq!(self.call("POST", &charge.path("/terminal"), Some(&body)).await, 201);
        self.enter_code().await;
        let id = charge.path("").rsplit_once('/').unwrap().1.to_owned();
        let body = json!({ "TransactionId": format!("p{id}-0") }).to_string();
        self.api.local.netaxept().inject_fault(Operation::Capture, kind, 1);
        self.api.local.netaxept().inject_fault(Operation::Query, FaultKind::Pass, 1);
        self.api.local.netaxept().inject_fault(Operation::Query, FaultKind::Html, 1);
        assert_eq!(self.call_back("", &JSON, &body).await, 200);
        self.api.local.netaxept().inject_fault(Operation::Credit, kind, 1);
        for time in ["PT1M1S", "PT5M1S", "PT11M"] {
            self.api.advance_clock(time).await;
            self.api.run_schedule(SETTLE).await;
            self.record_tables().await;
        }
        self.api.remove_nets_faults().await;
        assert_eq!(self.capture(charge).await, 200, "{kind:?}");
    }

    /// A function that is killed during its call to Nets.
    pub(super) async fn test_killed_charge(&self, path: &str) {
        let charge = self.buy_with_code("killed", path, AMOUNT).await;
        let nets = self.api.local.netaxept();
        nets.inject_fault(Operation::Auth, FaultKind::Delay, 1);
        let kill = async {
            nets.wait_for_fault().await;
            for instance in self.api.local.lambda().instances("capture-transaction") {
                self.api.local.lambda().kill(instance);
            }
        };
        assert_eq!(tokio::join!(self.capture(charge), kill).0, 500);
        assert_eq!(self.capture(charge).await, 200);
    }

    /// The table of payments never contains card data: only Register gets the pan hash.
    pub(super) async fn assert_payments_have_no_pan_hash(&self) {
        let items = json!(self.api.payment_items().await).to_string();
        let secrets = self.secrets.borrow();
        for (_, hash) in secrets.iter().filter(|(name, _)| *name == "pan hash") {
            for encoded in super::encodings(hash) {
                assert!(!items.contains(&encoded), "{items}");
            }
        }
    }
}

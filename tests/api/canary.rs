//! The secrets canary: recognisable values are sent to every function in valid and invalid requests. The test then searches all
//! output for them.

mod payments;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use local::inbox::Answer;
use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::payments::{Charge, SETTLE};
use crate::{OPERATIONS, PAYMENTS, SCHEDULED, TestApi, VISA, is_full_size};

/// The start of every customer number.
const CUSTOMER: &str = "canary-customer";
const NICKNAME: &str = "canary-nickname";
const KEY: &str = "canary-idempotency-key";
/// Secrets of the caller, in the queries of `redirectUrl` and `callbackUrl`.
const REDIRECT: &str = "canary-redirect-secret";
const CALLBACK: &str = "canary-callback-secret";
/// The same for the terminals of payments.
const PAYMENT_CALLBACK: &str = "canary-payment-callback";
/// Number of a card that the issuer declines.
const DECLINED: &str = "4925000000000087";

/// Whether a secret can be in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Never,
    /// The place must contain the secret. This also shows that the search works.
    Always,
    /// The place must contain the secret at some time, and must not contain it at the end.
    Temporarily,
}
use Rule::{Always, Never, Temporarily};

const PLACES: [&str; 5] = ["log", "response", "redirect", "notification", "table"];

/// The rule for each secret and place. Response and notification mean headers and body. Redirect is the address to which the
/// terminal sends the customer.
#[rustfmt::skip]
const RULES: [(&str, [Rule; 5]); 13] = [
    //                        log    resp.   redirect notification table
    ("customer number",     [Never, Never, Never,   Never,       Never]),
    ("card number",         [Never, Never, Never,   Never,       Never]),
    // While ACTIVE.
    ("pan hash",            [Never, Never, Never,   Never,       Temporarily]),
    ("PSP token",           [Never, Never, Never,   Never,       Never]),
    ("caller's token",      [Never, Never, Never,   Never,       Never]),
    ("callback secret",     [Never, Never, Never,   Never,       Never]),
    ("notification secret", [Never, Never, Never,   Never,       Never]),
    ("id key",              [Never, Never, Never,   Never,       Never]),
    ("idempotency key",     [Never, Never, Never,   Never,       Never]),
    ("nickname",            [Never, Always, Never,  Never,       Always]),
    ("redirectUrl",         [Never, Never, Always,  Never,       Never]),
    // Until the notification is delivered or has expired.
    ("callbackUrl",         [Never, Never, Never,   Never,       Temporarily]),
    // A captured transaction can be credited later, so its payment keeps the address.
    ("payment callbackUrl", [Never, Never, Never,   Never,       Always]),
];

/// All statuses that each function can return. The log must have each of them.
const STATUSES: [(&str, &[u64]); 10] = [
    ("authorize-recurring-payment", &[200, 401, 403, 404, 409, 429, 500, 503]),
    ("create-recurring-payment", &[201, 400, 401, 403, 409, 413, 415, 429, 500]),
    ("create-terminal", &[201, 400, 401, 403, 404, 409, 413, 415, 429, 500, 503]),
    ("end-recurring-payment", &[200, 401, 403, 404, 429, 500]),
    ("erase-customer", &[204, 400, 401, 403, 429, 500]),
    ("get-history", &[200, 401, 404, 429, 500]),
    ("get-recurring-payment", &[200, 401, 404, 429, 500]),
    ("list-recurring-payments", &[200, 400, 401, 403, 429, 500]),
    ("receive-netaxept-callback", &[200, 400, 404, 413, 415]),
    ("update-recurring-payment", &[200, 400, 401, 403, 404, 409, 413, 415, 429, 500]),
];

/// A service, the secrets that were sent to it, and its output.
struct Canary {
    api: TestApi,
    secrets: RefCell<BTreeSet<(&'static str, String)>>,
    /// The output, with the index of its place.
    output: RefCell<Vec<(usize, String)>>,
    /// Body of the last response.
    last_body: RefCell<Value>,
}

impl Canary {
    async fn new() -> Self {
        let canary = Self {
            api: TestApi::new().await,
            secrets: RefCell::default(),
            output: RefCell::default(),
            last_body: RefCell::default(),
        };
        let (_, key) = local::inbox::NOTIFICATION_SECRET.split_once('_').unwrap();
        let key = String::from_utf8(STANDARD.decode(key).unwrap()).unwrap();
        for (name, text) in [
            ("customer number", CUSTOMER),
            ("card number", VISA),
            ("card number", DECLINED),
            ("PSP token", local::netaxept::TOKEN),
            ("callback secret", local::netaxept::CALLBACK_SECRET),
            ("notification secret", local::inbox::NOTIFICATION_SECRET),
            ("notification secret", &key),
            ("id key", local::ID_KEY),
            ("idempotency key", KEY),
            ("nickname", NICKNAME),
            ("redirectUrl", REDIRECT),
            ("callbackUrl", CALLBACK),
            ("payment callbackUrl", PAYMENT_CALLBACK),
        ] {
            canary.add_secret(name, text);
        }
        canary
    }

    fn add_secret(&self, name: &'static str, text: &str) {
        self.secrets.borrow_mut().insert((name, text.to_owned()));
    }

    fn add_output(&self, place: &str, text: String) {
        let place = PLACES.iter().position(|name| *name == place).unwrap();
        self.output.borrow_mut().push((place, text));
    }

    /// Sends a request with a token and `extra` headers. Returns the status. Each request has its own idempotency key.
    async fn send(
        &self,
        token: &str,
        (method, path): (&str, &str),
        extra: &[(&str, &str)],
        body: Option<&str>,
    ) -> u16 {
        // The token's header is the same for all tokens, and not secret.
        for part in
            [token].into_iter().chain(token.split('.').skip(1)).filter(|part| part.len() > 9)
        {
            self.add_secret("caller's token", part);
        }
        let (bearer, calls) = (format!("Bearer {token}"), self.output.borrow().len());
        let key = format!("{KEY}-{calls}");
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(extra);
        if !extra.iter().any(|(name, _)| *name == "idempotency-key") {
            headers.push(("idempotency-key", &key));
        }
        let response = self.api.send(method, path, &headers, body).await;
        let status = response.status.as_u16();
        self.last_body.replace(serde_json::from_str(&response.text).unwrap_or_default());
        self.add_output("response", format!("{:?} {}", response.headers, response.text));
        status
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> u16 {
        self.call_as(&self.api.partner, method, path, body).await
    }

    async fn call_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> u16 {
        let body = body.map(Value::to_string);
        self.send(token, (method, path), &JSON, body.as_deref()).await
    }

    /// Creates a recurring payment. Returns its path.
    async fn create(&self, name: &str) -> String {
        let customer = format!("{CUSTOMER}-{name}");
        let body = json!({ "customerNumber": customer, "nickname": NICKNAME, "isPrimary": true });
        assert_eq!(self.call("POST", PAYMENTS, Some(&body)).await, 201);
        format!("{PAYMENTS}/{}", self.last_body.borrow()["recurringPaymentId"])
    }

    /// The body of a terminal request.
    fn terminal_request(&self) -> Value {
        let callback_url = format!("{}/inbox?token={CALLBACK}", self.api.local.addresses().console);
        let redirect_url = format!("https://shop.example/done?session={REDIRECT}");
        json!({ "redirectUrl": redirect_url, "callbackUrl": callback_url })
    }

    async fn open_terminal(&self, payment: &str) -> u16 {
        self.call("POST", &format!("{payment}/terminal"), Some(&self.terminal_request())).await
    }

    async fn authorize(&self, payment: &str) -> u16 {
        self.call("PUT", &format!("{payment}/authorize"), None).await
    }

    /// Opens a terminal, enters the card there and presses a button. Returns the transaction id.
    async fn use_terminal(&self, payment: &str, card: &str, button: &str) -> String {
        assert_eq!(self.open_terminal(payment).await, 201);
        let uri = self.last_body.borrow()["terminalUri"].as_str().unwrap().to_owned();
        let location = self.api.submit_card(&uri, card, button).await;
        self.add_output("redirect", location);
        uri.split_once("transactionId=").unwrap().1.to_owned()
    }

    /// Sends a callback as Nets does. `tail` is appended to the secret.
    async fn call_back(&self, tail: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        let path = format!("/v1/netaxept/callback/{}{tail}", local::netaxept::CALLBACK_SECRET);
        self.send(&self.api.partner, ("POST", &path), headers, Some(body)).await
    }

    async fn scan(&self) -> Value {
        let mut items = Vec::new();
        for table in ["Wallets", "Payments", "RateLimits"] {
            let scan = json!({ "TableName": table });
            let response = self.api.local.dynamodb().call("Scan", &scan).await.unwrap();
            assert!(response.get("LastEvaluatedKey").is_none());
            items.extend(response["Items"].as_array().unwrap().clone());
        }
        items.into()
    }

    /// Adds the current content of the tables to the output, and returns it.
    async fn record_tables(&self) -> String {
        let table = self.scan().await.to_string();
        self.add_output("table", table.clone());
        table
    }

    async fn put_wallet(&self, item: &Value) {
        let put = json!({ "TableName": "Wallets", "Item": item });
        self.api.local.dynamodb().call("PutItem", &put).await.unwrap();
    }

    /// Runs both schedules, and adds the tables to the output.
    async fn run_schedules(&self) {
        for function in SCHEDULED {
            self.api.run_schedule(function).await;
        }
        self.record_tables().await;
    }

    /// Queries Nets for the pan hash of a verified card, and adds it to the secrets.
    async fn query_pan_hash(&self, transaction: &str) -> String {
        let form = [
            ("merchantId", local::netaxept::MERCHANT_ID),
            ("token", local::netaxept::TOKEN),
            ("transactionId", transaction),
        ];
        let address = format!("{}/Netaxept/Query.aspx", self.api.local.addresses().netaxept);
        let response = self.api.http.post(address).form(&form).send().await.unwrap();
        let response = response.text().await.unwrap();
        let hash = response.split_once("<PanHash>").unwrap().1.split_once("</PanHash>").unwrap().0;
        self.add_secret("pan hash", hash);
        hash.to_owned()
    }
}

/// The kinds of faults at Nets. A plain `cargo test` has only the one whose reply contains the secrets of the request, and one
/// without a reply.
fn fault_kinds() -> Vec<FaultKind> {
    let mut kinds = vec![FaultKind::Repeat, FaultKind::ArriveLate];
    if is_full_size() {
        kinds.extend([
            FaultKind::DropReply,
            FaultKind::DropRequest,
            FaultKind::Http500,
            FaultKind::Html,
            FaultKind::Garbage,
        ]);
    }
    kinds
}

/// Headers of an identified caller that sends JSON.
const JSON: [(&str, &str); 2] =
    [("et-client-name", "tests-api"), ("content-type", "application/json")];

impl Canary {
    /// Sends all secrets to every operation. Returns the statuses.
    async fn call_all_operations(
        &self,
        token: &str,
        payment: &str,
        headers: &[(&str, &str)],
    ) -> Vec<u16> {
        let list = format!("{PAYMENTS}?customerNumber={CUSTOMER}-1");
        let mut body = self.terminal_request();
        body["customerNumber"] = format!("{CUSTOMER}-1").into();
        body["nickname"] = NICKNAME.into();
        let body = body.to_string();
        let mut statuses = vec![
            self.send(token, ("GET", &list), headers, None).await,
            self.send(token, ("POST", PAYMENTS), headers, Some(&body)).await,
        ];
        for (method, tail) in OPERATIONS {
            let body = Some(body.as_str()).filter(|_| method == "PATCH" || method == "POST");
            let path = format!("{payment}{tail}");
            statuses.push(self.send(token, (method, &path), headers, body).await);
        }
        statuses.push(self.erase(token, "1", headers).await);
        statuses
    }

    async fn erase(&self, token: &str, name: &str, headers: &[(&str, &str)]) -> u16 {
        let path = format!("/v1/customers/{CUSTOMER}-{name}/recurring-payments");
        self.send(token, ("DELETE", &path), headers, None).await
    }

    async fn erase_as_internal(&self, name: &str, headers: &[(&str, &str)]) -> u16 {
        let token = self.api.token("internal-demo", json!({})).await;
        self.erase(&token, name, headers).await
    }

    /// 401, 403, 404 and 429, with all secrets in the requests.
    async fn test_access_errors(&mut self, payment: &str, charge: Charge) {
        let api = &self.api;
        let (head, signature) = api.partner.rsplit_once('.').unwrap();
        let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
        let expired = api.token("partner-demo", json!({ "expires_in": -61 })).await;
        for token in [forged, expired, "canary-invalid-token".to_owned()] {
            assert_eq!(self.call_all_operations(&token, payment, &JSON).await, [401; 9]);
            let statuses = self.call_payment_operations(&token, charge, payment, &JSON).await;
            assert_eq!(statuses, [401; 7]);
        }
        let customer = json!({ "customer_number": format!("{CUSTOMER}-9") });
        let traveller = api.token("traveller-demo", customer).await;
        let statuses = self.call_all_operations(&traveller, payment, &JSON).await;
        assert_eq!(statuses, [403, 201, 404, 404, 404, 404, 404, 404, 403]);
        let statuses = self.call_payment_operations(&traveller, charge, payment, &JSON).await;
        assert_eq!(statuses, [404; 7]);
        let reader = api.token("partner-readonly", json!({})).await;
        let statuses = self.call_all_operations(&reader, payment, &JSON).await;
        assert_eq!(statuses, [200, 403, 200, 200, 403, 403, 403, 403, 403]);
        let statuses = self.call_payment_operations(&reader, charge, payment, &JSON).await;
        assert_eq!(statuses, [403, 200, 200, 403, 403, 403, 403]);
        // Start at the beginning of a minute, so that the minute does not end during the test.
        let second = api.local.clock().now().as_second().rem_euclid(60);
        self.api.advance_clock(&format!("PT{}S", 60 - second)).await;
        let list = format!("{PAYMENTS}?customerNumber={CUSTOMER}-1");
        while self.send(&self.api.partner, ("GET", &list), &JSON[1..], None).await == 200 {}
        let statuses = self.call_all_operations(&self.api.partner, payment, &JSON[1..]).await;
        assert_eq!(statuses, [429, 429, 429, 429, 429, 429, 429, 429, 403]);
        let partner = &self.api.partner;
        let statuses = self.call_payment_operations(partner, charge, payment, &JSON[1..]).await;
        assert_eq!(statuses, [429; 7]);
        assert_eq!(self.erase_as_internal("1", &JSON[1..]).await, 429);
    }

    /// 400, 413 and 415: the response does not repeat the invalid value.
    async fn test_invalid_requests(&self, payment: &str) {
        let long = |text: &str| text.repeat(5);
        let terminal = format!("{payment}/terminal");
        let bodies = [
            json!({ "customerNumber": long(CUSTOMER), "nickname": NICKNAME }),
            json!({ "customerNumber": format!("{CUSTOMER} "), "isPrimary": NICKNAME }),
            json!({ "customerNumber": [CUSTOMER], "nickname": long(NICKNAME) }),
            json!({ "customerNumber": format!("{CUSTOMER}-1"), "nickname": format!("{NICKNAME} {VISA}") }),
            json!({ "redirectUrl": format!("ftp://a.example/{REDIRECT}"), "nickname": { CUSTOMER: VISA } }),
            json!({ "redirectUrl": REDIRECT, "countryCode": CUSTOMER, "transactionType": VISA, "nickname": 1 }),
            json!({ "redirectUrl": "https://a.example", "autoSale": VISA, "callbackUrl": CALLBACK, "nickname": 1 }),
            json!({ "callbackUrl": format!("https://10.0.0.1/{CALLBACK}"), "isPrimary": 1 }),
            json!({ "redirectUrl": format!("https://{REDIRECT}:x@a.example:b"), "nickname": true }),
        ];
        for body in &bodies {
            for (method, path) in [("POST", PAYMENTS), ("PATCH", payment), ("POST", &terminal)] {
                // Some bodies are valid for some operations, which ignore unknown members.
                let status = self.call(method, path, Some(body)).await;
                assert!([201, 400, 409].contains(&status), "{status} {body}");
            }
        }
        let large = json!({ "customerNumber": CUSTOMER, "x": VISA.repeat(1024) }).to_string();
        let plain = [JSON[0], ("content-type", "text/plain")];
        let token = &self.api.partner;
        for (method, path) in [("POST", PAYMENTS), ("PATCH", payment), ("POST", &terminal)] {
            let target = (method, path);
            for body in [format!("{{\"customerNumber\":\"{CUSTOMER}"), format!("\"{CUSTOMER}\"")] {
                assert_eq!(self.send(token, target, &JSON, Some(&body)).await, 400);
            }
            assert_eq!(self.send(token, target, &JSON, Some(&large)).await, 413);
            assert_eq!(self.send(token, target, &plain, Some(CUSTOMER)).await, 415);
        }
        for query in [
            format!("customerNumber=ne:{CUSTOMER}"),
            format!("customerNumber={CUSTOMER}&customerNumber={CUSTOMER}"),
            format!("customerNumber={CUSTOMER}&includeExpired={CUSTOMER}"),
        ] {
            assert_eq!(self.call("GET", &format!("{PAYMENTS}?{query}"), None).await, 400);
        }
        assert_eq!(self.erase_as_internal(&format!("{VISA}%20{CUSTOMER}"), &JSON).await, 400);
        let whole = json!({ "customerNumber": format!("{CUSTOMER}-1") }).to_string();
        let behalf = [JSON[0], JSON[1], ("entur-on-behalf-of", CUSTOMER)];
        assert_eq!(self.send(token, ("POST", PAYMENTS), &behalf, Some(&whole)).await, 400);
        let long_key = KEY.repeat(20);
        let key = [JSON[0], JSON[1], ("idempotency-key", &long_key)];
        assert_eq!(self.send(token, ("POST", PAYMENTS), &key, Some(&whole)).await, 400);
        let body = json!({ "TransactionId": CUSTOMER, "token": VISA }).to_string();
        assert_eq!(self.call_back("", &JSON, &body).await, 200);
        assert_eq!(self.call_back("-almost", &JSON, &body).await, 404);
        assert_eq!(self.call_back("", &JSON, CUSTOMER).await, 400);
        assert_eq!(self.call_back("", &JSON, &large).await, 413);
        assert_eq!(self.call_back("", &plain, &body).await, 415);
    }

    /// 409: declined, cancelled, terminal open, and a reused key.
    async fn test_conflicts(&self) {
        let payment = self.create("conflict").await;
        assert_eq!(self.open_terminal(&payment).await, 201);
        assert_eq!(self.authorize(&payment).await, 409);
        for (card, button) in [(DECLINED, "okButton"), (VISA, "cancelButton")] {
            let payment = self.create("conflict").await;
            let transaction = self.use_terminal(&payment, card, button).await;
            let body = json!({ "TransactionId": transaction }).to_string();
            assert_eq!(self.authorize(&payment).await, 409);
            assert_eq!(self.call_back("", &JSON, &body).await, 200);
        }
        let not_primary = json!({ "isPrimary": false });
        let first = self.create("not-primary").await;
        assert_eq!(self.call("PATCH", &first, Some(&not_primary)).await, 409);
        let key = [JSON[0], JSON[1], ("idempotency-key", KEY)];
        let mut statuses = Vec::new();
        for nickname in [NICKNAME, NICKNAME, VISA.get(..4).unwrap()] {
            let body = json!({ "customerNumber": format!("{CUSTOMER}-key"), "nickname": nickname })
                .to_string();
            statuses
                .push(self.send(&self.api.partner, ("POST", PAYMENTS), &key, Some(&body)).await);
        }
        assert_eq!(statuses, [201, 201, 409]);
    }

    /// 503: all kinds of faults at Nets, for clients, callbacks and the schedule.
    async fn test_nets_failures(&mut self) {
        let nets = self.api.local.netaxept().clone();
        for kind in fault_kinds() {
            // A clear refusal of Register is not followed by a Query.
            self.api.remove_nets_faults().await;
            let unopened = self.create(&format!("nets-failure-{kind:?}")).await;
            let payment = self.create(&format!("nets-failure-{kind:?}")).await;
            nets.inject_fault(Operation::Register, kind, 1);
            nets.inject_fault(Operation::Query, kind, 1);
            assert_eq!(self.open_terminal(&unopened).await, 503, "{kind:?}");
            let transaction = self.use_terminal(&payment, VISA, "okButton").await;
            for operation in [Operation::Query, Operation::Process] {
                nets.inject_fault(operation, kind, 1);
                assert_eq!(self.authorize(&payment).await, 503, "{kind:?}");
            }
            let body = json!({ "TransactionId": transaction }).to_string();
            nets.inject_fault(Operation::Query, kind, 1);
            assert_eq!(self.call_back("", &JSON, &body).await, 200);
            nets.inject_fault(Operation::Query, kind, 1);
            self.api.advance_clock("PT1M1S").await;
            self.run_schedules().await;
            self.query_pan_hash(&transaction).await;
            assert_eq!(self.call("DELETE", &payment, None).await, 200);
        }
        let payment = self.create("nets-failure-stale").await;
        let transaction = self.use_terminal(&payment, VISA, "okButton").await;
        nets.inject_fault(Operation::Query, FaultKind::Stale, 2);
        assert_eq!(self.authorize(&payment).await, 503, "VERIFY is not shown yet");
        assert_eq!(self.authorize(&payment).await, 200);
        self.query_pan_hash(&transaction).await;
        assert_eq!(self.call("DELETE", &payment, None).await, 200);
    }

    /// A killed function, and events that no function can read.
    async fn test_crashes(&self) {
        let payment = self.create("killed").await;
        let nets = self.api.local.netaxept();
        nets.inject_fault(Operation::Register, FaultKind::Delay, 1);
        let kill = async {
            nets.wait_for_fault().await;
            for instance in self.api.local.lambda().instances("create-terminal") {
                self.api.local.lambda().kill(instance);
            }
        };
        assert_eq!(tokio::join!(self.open_terminal(&payment), kill).0, 500);
        let functions = STATUSES.iter().chain(&payments::STATUSES).map(|(function, _)| *function);
        for function in functions.chain(SCHEDULED).chain([SETTLE, "authorizer"]) {
            let bearer = format!("Bearer {}", self.api.partner);
            let headers = json!({ "authorization": bearer, "idempotency-key": KEY });
            let event =
                json!({ "version": CUSTOMER, "headers": headers, "body": VISA, "time": CUSTOMER });
            let response = self.api.local.lambda().invoke(function, event.to_string().into()).await;
            self.add_output("response", format!("{:?}", response.map(String::from_utf8)));
        }
    }

    /// 500: items that cannot be read, with secrets in unexpected attributes.
    async fn test_unreadable_items(&self, payment: &str, pan_hash: &str) {
        let id = payment.rsplit_once('/').unwrap().1.parse::<u64>().unwrap();
        let slot = (id >> 10).to_string();
        let table = self.scan().await;
        let items = table.as_array().unwrap();
        let valid = items.iter().find(|item| item["slot"]["N"] == *slot).unwrap();
        let text = json!({ "S": pan_hash });
        let invalid = [
            ("/payments", text.clone()),
            ("/schema", text.clone()),
            ("/owner", text.clone()),
            ("/payments/L/0/M/state", text.clone()),
            ("/payments/L/0/M/state", json!({ "M": { pan_hash: text.clone() } })),
            ("/payments/L/0/M/nickname", json!({ "L": [{ "S": NICKNAME }] })),
            ("/payments/L/0/M/createdAt", json!({ "S": NICKNAME })),
            ("/notifications", json!({ "S": CALLBACK })),
            ("/history", text.clone()),
            ("/history", json!({ "L": [text] })),
        ];
        for (place, value) in invalid {
            let mut item = valid.clone();
            match item.pointer_mut(place) {
                Some(old) => *old = value,
                None => item[&place[1..]] = value,
            }
            item["taskShard"] = json!({ "N": "0" });
            item["taskAt"] = json!({ "N": "1" });
            item["expiryShard"] = json!({ "N": "0" });
            item["expiryAt"] = json!({ "N": "1" });
            self.put_wallet(&item).await;
            let statuses = self.call_all_operations(&self.api.partner, payment, &JSON).await;
            assert_eq!(statuses, [500, 500, 500, 500, 500, 500, 500, 500, 403], "{place}");
            assert_eq!(self.erase_as_internal("1", &JSON).await, 500, "{place}");
            let body = json!({ "TransactionId": ((id << 4) | 1).to_string() }).to_string();
            assert_eq!(self.call_back("", &JSON, &body).await, 200);
            for function in SCHEDULED {
                assert_eq!(self.api.run_schedule(function).await["failed"], 1, "{place}");
            }
        }
        self.put_wallet(valid).await;
    }

    /// Creates an ACTIVE recurring payment whose notification is not delivered at first. Returns its path and the pan hash.
    async fn activate(&self, name: &str, inbox_answer: Answer) -> (String, String) {
        self.api.local.inbox().answer_with(inbox_answer, 1);
        let payment = self.create(name).await;
        let transaction = self.use_terminal(&payment, VISA, "okButton").await;
        assert_eq!(self.authorize(&payment).await, 200);
        let pan_hash = self.query_pan_hash(&transaction).await;
        assert!(self.record_tables().await.contains(&pan_hash), "stored while ACTIVE");
        (payment, pan_hash)
    }
}

/// Returns a text in plain form and in several encodings.
fn encodings(text: &str) -> Vec<String> {
    let each_byte =
        |write: fn(&u8) -> String| text.as_bytes().iter().map(write).collect::<Vec<_>>();
    let mut encodings = vec![
        text.to_owned(),
        STANDARD_NO_PAD.encode(text),
        URL_SAFE_NO_PAD.encode(text),
        each_byte(|byte| format!("{byte:02x}")).concat(),
        each_byte(u8::to_string).join(", "),
        each_byte(u8::to_string).join(","),
    ];
    let encoded = each_byte(|byte| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' => char::from(*byte).to_string(),
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    });
    encodings.push(encoded.concat());
    encodings
}

impl Canary {
    /// Adds the logs and the notifications to the output.
    async fn collect_logs_and_notifications(&self) {
        let local = &self.api.local;
        // When the line of this request has arrived, all earlier lines have arrived too.
        let last = [JSON[0], ("x-correlation-id", "the-last-line")];
        let path = format!("{PAYMENTS}?customerNumber={CUSTOMER}");
        self.send(&self.api.partner, ("GET", &path), &last, None).await;
        let arrived = async {
            while !local.lambda().lines().iter().any(|line| line.line.contains("the-last-line")) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), arrived).await.unwrap();
        let mut functions = BTreeMap::<_, BTreeSet<u64>>::new();
        for line in local.lambda().lines() {
            let fields: Value = serde_json::from_str(&line.line).unwrap_or_default();
            functions.entry(line.function.clone()).or_default().extend(fields["status"].as_u64());
            self.add_output("log", format!("{}: {}", line.function, line.line));
        }
        for (function, statuses) in STATUSES.into_iter().chain(payments::STATUSES) {
            assert_eq!(functions[function], statuses.iter().copied().collect(), "{function}");
        }
        // Besides these, the schedules and the authorizer.
        let expected = STATUSES.len() + payments::STATUSES.len() + SCHEDULED.len() + 2;
        assert_eq!(functions.len(), expected, "{functions:?}");
        for notification in local.inbox().received() {
            let text = format!(
                "{:?} {:?} {:?} {}",
                notification.id,
                notification.timestamp,
                notification.content_type,
                notification.body
            );
            self.add_output("notification", text);
        }
        for (place, name) in PLACES.into_iter().enumerate() {
            assert!(self.output.borrow().iter().any(|output| output.0 == place), "{name}");
        }
    }

    /// Checks the output against the rules. `end` is the content of the tables at the end.
    fn check_rules(&self, end: &str) {
        let mut leaks = BTreeSet::new();
        for (name, rules) in RULES {
            let secrets = self.secrets.borrow();
            let texts: Vec<_> = secrets.iter().filter(|secret| secret.0 == name).collect();
            assert!(!texts.is_empty(), "{name}");
            let encodings: Vec<_> = texts.iter().flat_map(|(_, text)| encodings(text)).collect();
            let is_in = |text: &str| encodings.iter().any(|encoding| text.contains(encoding));
            for (place, rule) in rules.into_iter().enumerate() {
                let outputs = self.output.borrow();
                let found = outputs.iter().filter(|output| output.0 == place && is_in(&output.1));
                let found: Vec<_> =
                    found.map(|output| output.1.chars().take(1000).collect::<String>()).collect();
                match rule {
                    Never => {
                        leaks.extend(found.into_iter().map(|text| (name, PLACES[place], text)));
                    }
                    Always | Temporarily => {
                        assert!(!found.is_empty(), "no {name} in the {}", PLACES[place]);
                    }
                }
                assert!(
                    rule != Temporarily || !is_in(end),
                    "{name} remains in the {}",
                    PLACES[place]
                );
            }
        }
        let shown: Vec<_> = leaks.iter().map(|leak| format!("{leak:?}")).collect();
        assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), shown.join("\n"));
    }
}

#[tokio::test]
async fn no_output_contains_a_secret() {
    let mut canary = Canary::new().await;
    let failure = Answer::Status(StatusCode::INTERNAL_SERVER_ERROR);
    let (payment, pan_hash) = canary.activate("1", failure).await;
    let charge = canary.buy("order-1", &payment, "100.00").await;
    canary.test_access_errors(&payment, charge).await;
    canary.test_invalid_requests(&payment).await;
    canary.test_invalid_payments(charge, &payment).await;
    canary.test_unreadable_items(&payment, &pan_hash).await;
    canary.test_unreadable_payments(charge, &payment, &pan_hash).await;
    canary.test_purchases(&payment).await;
    canary.test_killed_charge(&payment).await;
    canary.test_failed_charges(&payment).await;
    canary.assert_payments_have_no_pan_hash().await;
    canary.test_conflicts().await;
    canary.test_crashes().await;
    assert_eq!(canary.call("GET", &payment, None).await, 200);
    assert_eq!(canary.call("PATCH", &payment, Some(&json!({ "nickname": NICKNAME }))).await, 200);
    assert_eq!(canary.call("DELETE", &payment, None).await, 200);
    assert_eq!(canary.open_terminal(&payment).await, 409);
    assert!(!canary.record_tables().await.contains(&pan_hash), "ended");
    canary.test_nets_failures().await;

    let failure = Answer::Status(StatusCode::INTERNAL_SERVER_ERROR);
    let (payment, pan_hash) = canary.activate("erased", failure).await;
    for _ in 0..2 {
        assert_eq!(canary.erase_as_internal("erased", &JSON).await, 204);
        assert!(!canary.record_tables().await.contains(&pan_hash), "erased");
    }
    assert_eq!(canary.call("GET", &payment, None).await, 404);

    let (_, pan_hash) = canary.activate("expires", Answer::Nothing).await;
    canary.api.local.inbox().answer_with(Answer::Status(StatusCode::NOT_FOUND), 1000);
    // The notification expires after three days, and the registration after three years.
    for time in ["PT1H", "PT80H", "PT1H", "PT80H", "P3Y"] {
        assert!(canary.record_tables().await.contains(&pan_hash), "ACTIVE until {time}");
        canary.api.advance_clock(time).await;
        canary.run_schedules().await;
    }
    canary.api.advance_clock("PT1S").await;
    canary.run_schedules().await;
    let end = canary.record_tables().await;
    assert!(!end.contains(&pan_hash), "expired");
    canary.collect_logs_and_notifications().await;
    canary.check_rules(&end);
}

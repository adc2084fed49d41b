//! The secrets canary: recognisable values go through every function, well and badly, and are then looked for in everything
//! that came out.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use local::inbox::Answer as Hearing;
use local::netaxept::{Kind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, SCHEDULED, VISA, World};

/// The start of every customer number.
const CUSTOMER: &str = "canary-customer";
const NICKNAME: &str = "canary-nickname";
const KEY: &str = "canary-idempotency-key";
/// Secrets of the caller's, in the queries of the addresses that they give.
const REDIRECT: &str = "canary-redirect-secret";
const CALLBACK: &str = "canary-callback-secret";
/// A card that the bank declines.
const DECLINED: &str = "4925000000000087";

/// Whether a secret may be in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Never,
    /// It is there, and has to be seen: who finds it nowhere searches in the wrong place.
    Is,
    /// It is there as long as it is needed, and gone in the end.
    While,
}
use Rule::{Is, Never, While};

const PLACES: [&str; 5] = ["a log", "an answer", "a redirect", "a notification", "the table"];

/// The rule. An answer: its headers and body. A redirect: where the terminal sends the customer. A notification: headers and
/// body, not the address that it goes to.
#[rustfmt::skip]
const RULES: [(&str, [Rule; 5]); 12] = [
    //                        log    answer redirect notification table
    ("customer number",     [Never, Never, Never,   Never,       Never]),
    ("card number",         [Never, Never, Never,   Never,       Never]),
    // While ACTIVE.
    ("pan hash",            [Never, Never, Never,   Never,       While]),
    ("PSP token",           [Never, Never, Never,   Never,       Never]),
    ("caller's token",      [Never, Never, Never,   Never,       Never]),
    ("callback secret",     [Never, Never, Never,   Never,       Never]),
    ("notification secret", [Never, Never, Never,   Never,       Never]),
    ("id key",              [Never, Never, Never,   Never,       Never]),
    ("idempotency key",     [Never, Never, Never,   Never,       Never]),
    ("nickname",            [Never, Is,    Never,   Never,       Is]),
    ("redirectUrl",         [Never, Never, Is,      Never,       Never]),
    // Until the end of the setup was told, or given up.
    ("callbackUrl",         [Never, Never, Never,   Never,       While]),
];

/// What each function answered, as its own log has it: every status that it can have.
const ANSWERED: [(&str, &[u64]); 9] = [
    ("authorize-recurring-payment", &[200, 401, 403, 404, 409, 429, 500, 503]),
    ("create-recurring-payment", &[201, 400, 401, 403, 409, 413, 415, 429, 500]),
    ("create-terminal", &[201, 400, 401, 403, 404, 409, 413, 415, 429, 500, 503]),
    ("end-recurring-payment", &[200, 401, 403, 404, 429, 500]),
    ("erase-customer", &[204, 400, 401, 403, 429, 500]),
    ("get-recurring-payment", &[200, 401, 404, 429, 500]),
    ("list-recurring-payments", &[200, 400, 401, 403, 429, 500]),
    ("receive-netaxept-callback", &[200, 400, 404, 413, 415]),
    ("update-recurring-payment", &[200, 400, 401, 403, 404, 409, 413, 415, 429, 500]),
];

/// A world, what was put into it, and what came out.
struct Canary {
    world: World,
    secrets: RefCell<BTreeSet<(&'static str, String)>>,
    /// What came out, with its place.
    seen: RefCell<Vec<(usize, String)>>,
    /// The last answer.
    last: RefCell<Value>,
}

impl Canary {
    async fn new() -> Self {
        let canary = Self {
            world: World::new().await,
            secrets: RefCell::default(),
            seen: RefCell::default(),
            last: RefCell::default(),
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
        ] {
            canary.is_secret(name, text);
        }
        canary
    }

    fn is_secret(&self, name: &'static str, text: &str) {
        self.secrets.borrow_mut().insert((name, text.to_owned()));
    }

    fn saw(&self, place: &str, text: String) {
        let place = PLACES.iter().position(|name| *name == place).unwrap();
        self.seen.borrow_mut().push((place, text));
    }

    /// A call by somebody with a token; `more` are headers. Each has an idempotency key of its own.
    async fn send(
        &self,
        token: &str,
        (method, path): (&str, &str),
        more: &[(&str, &str)],
        body: Option<&str>,
    ) -> u16 {
        // The head says how a token is signed, and is the same for all.
        for part in [token].into_iter().chain(token.split('.').skip(1)).filter(|it| it.len() > 9) {
            self.is_secret("caller's token", part);
        }
        let (bearer, calls) = (format!("Bearer {token}"), self.seen.borrow().len());
        let key = format!("{KEY}-{calls}");
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(more);
        if !more.iter().any(|(name, _)| *name == "idempotency-key") {
            headers.push(("idempotency-key", &key));
        }
        let answer = self.world.send(method, path, &headers, body).await;
        let status = answer.status.as_u16();
        self.last.replace(serde_json::from_str(&answer.text).unwrap_or_default());
        self.saw("an answer", format!("{:?} {}", answer.headers, answer.text));
        status
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> u16 {
        self.call_as(&self.world.partner, method, path, body).await
    }

    async fn call_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> u16 {
        let body = body.map(Value::to_string);
        self.send(token, (method, path), &JSON, body.as_deref()).await
    }

    /// A new recurring payment of a customer: its path.
    async fn create(&self, name: &str) -> String {
        let customer = format!("{CUSTOMER}-{name}");
        let body = json!({ "customerNumber": customer, "nickname": NICKNAME, "isPrimary": true });
        assert_eq!(self.call("POST", PAYMENTS, Some(&body)).await, 201);
        format!("{PAYMENTS}/{}", self.last.borrow()["recurringPaymentId"])
    }

    fn wish(&self) -> Value {
        let tell = format!("{}/inbox?token={CALLBACK}", self.world.local.addresses().console);
        let done = format!("https://shop.example/done?session={REDIRECT}");
        json!({ "redirectUrl": done, "callbackUrl": tell })
    }

    async fn open(&self, payment: &str) -> u16 {
        self.call("POST", &format!("{payment}/terminal"), Some(&self.wish())).await
    }

    async fn authorize(&self, payment: &str) -> u16 {
        self.call("PUT", &format!("{payment}/authorize"), None).await
    }

    /// A terminal, and what the customer does there: the transaction id.
    async fn visit(&self, payment: &str, card: &str, button: &str) -> String {
        assert_eq!(self.open(payment).await, 201);
        let uri = self.last.borrow()["terminalUri"].as_str().unwrap().to_owned();
        let location = self.world.press(&uri, card, button).await;
        self.saw("a redirect", location);
        uri.split_once("transactionId=").unwrap().1.to_owned()
    }

    /// Nets calls back; the secret may be followed by something.
    async fn call_back(&self, tail: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        let path = format!("/v1/netaxept/callback/{}{tail}", local::netaxept::CALLBACK_SECRET);
        self.send(&self.world.partner, ("POST", &path), headers, Some(body)).await
    }

    async fn scan(&self) -> Value {
        let mut items = Vec::new();
        for table in ["Wallets", "Allowances"] {
            let scan = json!({ "TableName": table });
            let answer = self.world.local.dynamodb().call("Scan", &scan).await.unwrap();
            assert!(answer.get("LastEvaluatedKey").is_none());
            items.extend(answer["Items"].as_array().unwrap().clone());
        }
        items.into()
    }

    /// What is in the tables now.
    async fn look(&self) -> String {
        let table = self.scan().await.to_string();
        self.saw("the table", table.clone());
        table
    }

    async fn put(&self, item: &Value) {
        let put = json!({ "TableName": "Wallets", "Item": item });
        self.world.local.dynamodb().call("PutItem", &put).await.unwrap();
    }

    /// Runs both schedules.
    async fn run(&self) {
        for function in SCHEDULED {
            self.world.run(function).await;
        }
        self.look().await;
    }

    /// The pan hash of a verified card, as Nets tells it.
    async fn pan_hash(&self, transaction: &str) -> String {
        let asked = [
            ("merchantId", local::netaxept::MERCHANT_ID),
            ("token", local::netaxept::TOKEN),
            ("transactionId", transaction),
        ];
        let address = format!("{}/Netaxept/Query.aspx", self.world.local.addresses().netaxept);
        let answer = self.world.http.post(address).form(&asked).send().await.unwrap();
        let answer = answer.text().await.unwrap();
        let hash = answer.split_once("<PanHash>").unwrap().1.split_once("</PanHash>").unwrap().0;
        self.is_secret("pan hash", hash);
        hash.to_owned()
    }
}

/// Everybody says who they are, and sends JSON.
const JSON: [(&str, &str); 2] =
    [("et-client-name", "tests-api"), ("content-type", "application/json")];

/// Every operation on one recurring payment.
const OPERATIONS: [(&str, &str); 5] =
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/terminal"), ("PUT", "/authorize")];

impl Canary {
    /// Every operation of callers, with everything in it that is worth hiding.
    async fn everything(&self, token: &str, payment: &str, headers: &[(&str, &str)]) -> Vec<u16> {
        let list = format!("{PAYMENTS}?customerNumber={CUSTOMER}-1");
        let mut body = self.wish();
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
        let token = self.world.token("internal-demo", json!({})).await;
        self.erase(&token, name, headers).await
    }

    /// 401, 403, 404 and 429: whoever is not let in has sent everything all the same.
    async fn turned_away(&mut self, payment: &str) {
        let world = &self.world;
        let (head, signature) = world.partner.rsplit_once('.').unwrap();
        let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
        let expired = world.token("partner-demo", json!({ "expires_in": -61 })).await;
        for token in [forged, expired, "canary-token-that-is-none".to_owned()] {
            assert_eq!(self.everything(&token, payment, &JSON).await, [401; 8]);
        }
        let customer = json!({ "customer_number": format!("{CUSTOMER}-9") });
        let traveller = world.token("traveller-demo", customer).await;
        let statuses = self.everything(&traveller, payment, &JSON).await;
        assert_eq!(statuses, [403, 201, 404, 404, 404, 404, 404, 403]);
        let reader = world.token("partner-readonly", json!({})).await;
        let statuses = self.everything(&reader, payment, &JSON).await;
        assert_eq!(statuses, [200, 403, 200, 403, 403, 403, 403, 403]);
        // At the beginning of a minute, so that it does not end meanwhile.
        let second = world.local.clock().now().as_second().rem_euclid(60);
        self.world.wait(&format!("PT{}S", 60 - second)).await;
        let list = format!("{PAYMENTS}?customerNumber={CUSTOMER}-1");
        while self.send(&self.world.partner, ("GET", &list), &JSON[1..], None).await == 200 {}
        let statuses = self.everything(&self.world.partner, payment, &JSON[1..]).await;
        assert_eq!(statuses, [429, 429, 429, 429, 429, 429, 429, 403]);
        assert_eq!(self.erase_as_internal("1", &JSON[1..]).await, 429);
    }

    /// 400, 413 and 415: what is wrong is not repeated.
    async fn wrong(&self, payment: &str) {
        let long = |text: &str| text.repeat(5);
        let terminal = format!("{payment}/terminal");
        let bad = [
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
        for body in &bad {
            for (method, path) in [("POST", PAYMENTS), ("PATCH", payment), ("POST", &terminal)] {
                // Unknown members are nobody's fault.
                let status = self.call(method, path, Some(body)).await;
                assert!([201, 400, 409].contains(&status), "{status} {body}");
            }
        }
        let large = json!({ "customerNumber": CUSTOMER, "x": VISA.repeat(1024) }).to_string();
        let plain = [JSON[0], ("content-type", "text/plain")];
        let token = &self.world.partner;
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

    /// 409: declined, cancelled, open, and a key that comes again.
    async fn refused(&self) {
        let payment = self.create("refused").await;
        assert_eq!(self.open(&payment).await, 201);
        assert_eq!(self.authorize(&payment).await, 409);
        for (card, button) in [(DECLINED, "okButton"), (VISA, "cancelButton")] {
            let payment = self.create("refused").await;
            let transaction = self.visit(&payment, card, button).await;
            let body = json!({ "TransactionId": transaction }).to_string();
            assert_eq!(self.authorize(&payment).await, 409);
            assert_eq!(self.call_back("", &JSON, &body).await, 200);
        }
        let unchosen = json!({ "isPrimary": false });
        let first = self.create("unchosen").await;
        assert_eq!(self.call("PATCH", &first, Some(&unchosen)).await, 409);
        let key = [JSON[0], JSON[1], ("idempotency-key", KEY)];
        let mut statuses = Vec::new();
        for nickname in [NICKNAME, NICKNAME, VISA.get(..4).unwrap()] {
            let body = json!({ "customerNumber": format!("{CUSTOMER}-key"), "nickname": nickname })
                .to_string();
            statuses
                .push(self.send(&self.world.partner, ("POST", PAYMENTS), &key, Some(&body)).await);
        }
        assert_eq!(statuses, [201, 201, 409]);
    }

    /// 503: Nets fails in every way, for callers, for itself and for the schedule.
    async fn doubted(&mut self) {
        let nets = self.world.local.netaxept().clone();
        for kind in [Kind::DropReply, Kind::Http500, Kind::Html, Kind::Garbage, Kind::Repeat] {
            let unopened = self.create(&format!("doubted-{kind:?}")).await;
            let payment = self.create(&format!("doubted-{kind:?}")).await;
            nets.fail(Operation::Register, kind, 1);
            nets.fail(Operation::Query, kind, 1);
            assert_eq!(self.open(&unopened).await, 503, "{kind:?}");
            let transaction = self.visit(&payment, VISA, "okButton").await;
            for operation in [Operation::Query, Operation::Process] {
                nets.fail(operation, kind, 1);
                assert_eq!(self.authorize(&payment).await, 503, "{kind:?}");
            }
            let body = json!({ "TransactionId": transaction }).to_string();
            nets.fail(Operation::Query, kind, 1);
            assert_eq!(self.call_back("", &JSON, &body).await, 200);
            nets.fail(Operation::Query, kind, 1);
            self.world.wait("PT1M1S").await;
            self.run().await;
            self.pan_hash(&transaction).await;
            assert_eq!(self.call("DELETE", &payment, None).await, 200);
        }
    }

    /// Functions that die, and events that no function understands.
    async fn broken(&self) {
        let payment = self.create("killed").await;
        let nets = self.world.local.netaxept();
        nets.fail(Operation::Register, Kind::Delay, 1);
        let kill = async {
            nets.met().await;
            for instance in self.world.local.lambda().instances("create-terminal") {
                self.world.local.lambda().kill(instance);
            }
        };
        assert_eq!(tokio::join!(self.open(&payment), kill).0, 500);
        let functions = ANSWERED.iter().map(|(function, _)| *function);
        for function in functions.chain(SCHEDULED).chain(["authorizer"]) {
            let bearer = format!("Bearer {}", self.world.partner);
            let headers = json!({ "authorization": bearer, "idempotency-key": KEY });
            let event =
                json!({ "version": CUSTOMER, "headers": headers, "body": VISA, "time": CUSTOMER });
            let answer = self.world.local.lambda().invoke(function, event.to_string().into()).await;
            self.saw("an answer", format!("{:?}", answer.map(String::from_utf8)));
        }
    }

    /// 500: an item that nobody can read, with what it has in the wrong place.
    async fn unreadable(&self, payment: &str, pan_hash: &str) {
        let id = payment.rsplit_once('/').unwrap().1.parse::<u64>().unwrap();
        let slot = (id >> 10).to_string();
        let table = self.scan().await;
        let items = table.as_array().unwrap();
        let good = items.iter().find(|item| item["slot"]["N"] == *slot).unwrap();
        let text = json!({ "S": pan_hash });
        let spoilt = [
            ("/payments", text.clone()),
            ("/schema", text.clone()),
            ("/owner", text.clone()),
            ("/payments/L/0/M/state", text.clone()),
            ("/payments/L/0/M/state", json!({ "M": { pan_hash: text } })),
            ("/payments/L/0/M/nickname", json!({ "L": [{ "S": NICKNAME }] })),
            ("/payments/L/0/M/createdAt", json!({ "S": NICKNAME })),
            ("/notifications", json!({ "S": CALLBACK })),
        ];
        for (place, value) in spoilt {
            let mut item = good.clone();
            match item.pointer_mut(place) {
                Some(old) => *old = value,
                None => item[&place[1..]] = value,
            }
            item["choreShard"] = json!({ "N": "0" });
            item["choreAt"] = json!({ "N": "1" });
            item["expiryShard"] = json!({ "N": "0" });
            item["expiryAt"] = json!({ "N": "1" });
            self.put(&item).await;
            let statuses = self.everything(&self.world.partner, payment, &JSON).await;
            assert_eq!(statuses, [500, 500, 500, 500, 500, 500, 500, 403], "{place}");
            assert_eq!(self.erase_as_internal("1", &JSON).await, 500, "{place}");
            let body = json!({ "TransactionId": ((id << 4) | 1).to_string() }).to_string();
            assert_eq!(self.call_back("", &JSON, &body).await, 200);
            for function in SCHEDULED {
                assert_eq!(self.world.run(function).await["failed"], 1, "{place}");
            }
        }
        self.put(good).await;
    }

    /// An ACTIVE one: it is told only in the end, or never.
    async fn activate(&self, name: &str, hearing: Hearing) -> (String, String) {
        self.world.local.inbox().answer_with(hearing, 1);
        let payment = self.create(name).await;
        let transaction = self.visit(&payment, VISA, "okButton").await;
        assert_eq!(self.authorize(&payment).await, 200);
        let pan_hash = self.pan_hash(&transaction).await;
        assert!(self.look().await.contains(&pan_hash), "ACTIVE needs it");
        (payment, pan_hash)
    }
}

/// A text as it is, and as it could be written otherwise.
fn spellings(text: &str) -> Vec<String> {
    let each = |write: fn(&u8) -> String| text.as_bytes().iter().map(write).collect::<Vec<_>>();
    let mut spellings = vec![
        text.to_owned(),
        STANDARD_NO_PAD.encode(text),
        URL_SAFE_NO_PAD.encode(text),
        each(|byte| format!("{byte:02x}")).concat(),
        each(u8::to_string).join(", "),
        each(u8::to_string).join(","),
    ];
    let encoded = each(|byte| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' => char::from(*byte).to_string(),
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    });
    spellings.push(encoded.concat());
    spellings
}

impl Canary {
    /// The logs and the inbox join what was seen on the way.
    async fn gather(&self) {
        let local = &self.world.local;
        // Whatever was written before this line is there when this line is.
        let last = [JSON[0], ("x-correlation-id", "the-last-line")];
        let path = format!("{PAYMENTS}?customerNumber={CUSTOMER}");
        self.send(&self.world.partner, ("GET", &path), &last, None).await;
        let arrived = async {
            while !local.lambda().lines().iter().any(|line| line.line.contains("the-last-line")) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), arrived).await.unwrap();
        let mut functions = BTreeMap::<_, BTreeSet<u64>>::new();
        for line in local.lambda().lines() {
            let read: Value = serde_json::from_str(&line.line).unwrap_or_default();
            functions.entry(line.function.clone()).or_default().extend(read["status"].as_u64());
            self.saw("a log", format!("{}: {}", line.function, line.line));
        }
        for (function, statuses) in ANSWERED {
            assert_eq!(functions[function], statuses.iter().copied().collect(), "{function}");
        }
        assert_eq!(functions.len(), ANSWERED.len() + SCHEDULED.len() + 1, "{functions:?}");
        for told in local.inbox().received() {
            let told =
                format!("{:?} {:?} {:?} {}", told.id, told.timestamp, told.content_type, told.body);
            self.saw("a notification", told);
        }
        for (place, name) in PLACES.into_iter().enumerate() {
            assert!(self.seen.borrow().iter().any(|seen| seen.0 == place), "{name}");
        }
    }

    /// Holds everything against the rule; `end` is the table at the end.
    fn judge(&self, end: &str) {
        let mut leaks = BTreeSet::new();
        for (name, rules) in RULES {
            let secrets = self.secrets.borrow();
            let texts: Vec<_> = secrets.iter().filter(|secret| secret.0 == name).collect();
            assert!(!texts.is_empty(), "{name}");
            let spellings: Vec<_> = texts.iter().flat_map(|(_, text)| spellings(text)).collect();
            let is_in = |text: &str| spellings.iter().any(|spelling| text.contains(spelling));
            for (place, rule) in rules.into_iter().enumerate() {
                let seen = self.seen.borrow();
                let found = seen.iter().filter(|seen| seen.0 == place && is_in(&seen.1));
                let found: Vec<_> =
                    found.map(|seen| seen.1.chars().take(1000).collect::<String>()).collect();
                match rule {
                    Never => {
                        leaks.extend(found.into_iter().map(|text| (name, PLACES[place], text)));
                    }
                    Is | While => assert!(!found.is_empty(), "no {name} in {}", PLACES[place]),
                }
                assert!(rule != While || !is_in(end), "{name} stays in {}", PLACES[place]);
            }
        }
        let shown: Vec<_> = leaks.iter().map(|leak| format!("{leak:?}")).collect();
        assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), shown.join("\n"));
    }
}

#[tokio::test]
async fn nothing_secret_comes_out() {
    let mut canary = Canary::new().await;
    let not_heard = Hearing::Status(StatusCode::INTERNAL_SERVER_ERROR);
    let (payment, pan_hash) = canary.activate("1", not_heard).await;
    canary.turned_away(&payment).await;
    canary.wrong(&payment).await;
    canary.unreadable(&payment, &pan_hash).await;
    canary.refused().await;
    canary.broken().await;
    assert_eq!(canary.call("GET", &payment, None).await, 200);
    assert_eq!(canary.call("PATCH", &payment, Some(&json!({ "nickname": NICKNAME }))).await, 200);
    assert_eq!(canary.call("DELETE", &payment, None).await, 200);
    assert_eq!(canary.open(&payment).await, 409);
    assert!(!canary.look().await.contains(&pan_hash), "ended");
    canary.doubted().await;

    let not_heard = Hearing::Status(StatusCode::INTERNAL_SERVER_ERROR);
    let (payment, pan_hash) = canary.activate("erased", not_heard).await;
    for _ in 0..2 {
        assert_eq!(canary.erase_as_internal("erased", &JSON).await, 204);
        assert!(!canary.look().await.contains(&pan_hash), "erased");
    }
    assert_eq!(canary.call("GET", &payment, None).await, 404);

    let (_, pan_hash) = canary.activate("expires", Hearing::Nothing).await;
    canary.world.local.inbox().answer_with(Hearing::Status(StatusCode::NOT_FOUND), 1000);
    // Given up after three days, expired after three years.
    for time in ["PT1H", "PT80H", "PT1H", "PT80H", "P3Y"] {
        assert!(canary.look().await.contains(&pan_hash), "ACTIVE until {time}");
        canary.world.wait(time).await;
        canary.run().await;
    }
    canary.world.wait("PT1S").await;
    canary.run().await;
    let end = canary.look().await;
    assert!(!end.contains(&pan_hash), "expired");
    canary.gather().await;
    canary.judge(&end);
}

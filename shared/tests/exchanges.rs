//! Compares every request of the client, and every kind of reply, with the recordings in `exchanges/`.
//!
//! The client talks to the sandbox, an independent implementation of the same Netaxept documents. Times, message ids and pan
//! hashes differ in each run, so the recordings contain placeholders for them.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Months, Utc};
use local::clock::Clock;
use local::netaxept as sandbox;
use shared::config::NetaxeptConfig;
use shared::domain::id::{Attempt, RecurringPaymentId, Sequence, Slot, TransactionId};
use shared::domain::terminal::{Terminal, TerminalSession};
use shared::domain::text::{CountryCode, RedirectUrl, TerminalLanguage};
use shared::netaxept::{Netaxept, TerminalOptions};
use shared::secret::Secret;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The path and form of a request, and the body of the reply.
type Exchange = (String, String, String);

/// A proxy that forwards requests to the sandbox and records the exchanges.
#[derive(Clone)]
struct RecordingProxy {
    sandbox: String,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl RecordingProxy {
    async fn start(sandbox: String) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let proxy = Self { sandbox, exchanges: Arc::default() };
        let forwarding = proxy.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(forwarding.clone().forward(stream));
            }
        });
        (proxy, address)
    }

    async fn forward(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        stream.read_line(&mut first).await.unwrap();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            match line.trim().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", given)) => length = given.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut form = vec![0; length];
        stream.read_exact(&mut form).await.unwrap();
        let (method, path) = first.trim().trim_end_matches(" HTTP/1.1").split_once(' ').unwrap();
        assert_eq!(method, "POST", "with GET, access logs would contain the token");
        let http = local::http_client().unwrap();
        let reply = http
            .post(format!("{}{path}", self.sandbox))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.clone());
        let body = reply.send().await.unwrap().text().await.unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let form = String::from_utf8(form).unwrap();
        self.exchanges.lock().unwrap().push((path.to_owned(), form, body.clone()));
        stream.write_all((head + &body).as_bytes()).await.unwrap();
    }

    /// Takes the only exchange since the last call.
    fn take_exchange(&self) -> Exchange {
        let exchanges = std::mem::take(&mut *self.exchanges.lock().unwrap());
        let [exchange] = <[Exchange; 1]>::try_from(exchanges).unwrap();
        exchange
    }
}

fn client(address: &str, token: &str, currency: &str) -> Netaxept {
    let config = NetaxeptConfig {
        address: address.parse().unwrap(),
        merchant_id: sandbox::MERCHANT_ID.to_owned(),
        token: Secret::new(token.to_owned()),
        currency: currency.to_owned(),
        lifetime: Months::new(36),
    };
    Netaxept::new(config).unwrap()
}

fn session(attempt: usize) -> TerminalSession {
    let id = RecurringPaymentId::new(Slot::new(7), Sequence::NONE.next());
    let opened_at: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
    let transaction_id = TransactionId::new(id, Attempt::try_from(attempt).unwrap());
    TerminalSession { transaction_id, terminal: Terminal::opened(opened_at) }
}

fn options(merchant_initiated: bool) -> TerminalOptions {
    TerminalOptions {
        redirect_url: RedirectUrl::try_from("https://shop.example/done?a=b#top").unwrap(),
        language: TerminalLanguage::from_tag("en_GB"),
        country: CountryCode::DEFAULT,
        single_page: true,
        merchant_initiated,
    }
}

/// The request with one decoded parameter on each line.
fn format_request(path: &str, form: &str) -> String {
    let parameters = url::form_urlencoded::parse(form.as_bytes());
    let lines = parameters.map(|(name, value)| format!("{name}={value}\n"));
    format!("POST {path}\n{}", lines.collect::<Vec<_>>().concat())
}

/// Replaces values that differ in each run with placeholders.
fn with_placeholders(reply: &str) -> String {
    let mut reply = reply.replace("\r\n", "\n");
    for (names, placeholder) in [
        (
            &[
                "DateTime",
                "ExecutionTime",
                "QueryFinished",
                "Timestamp",
                "CustomerEntered",
                "CustomerRedirected",
            ][..],
            "TIME",
        ),
        (&["PanHash"], "PANHASH"),
        (&["MessageId"], "MESSAGEID"),
    ] {
        for name in names {
            let (open, close) = (format!("<{name}>"), format!("</{name}>"));
            let mut parts: Vec<String> = reply.split(&open).map(str::to_owned).collect();
            for part in parts.iter_mut().skip(1) {
                let (_, after) = part.split_once(&close).unwrap();
                *part = format!("{placeholder}{close}{after}");
            }
            reply = parts.join(&open);
        }
    }
    reply
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchanges")
}

/// Compares the last exchange with the recording of this name.
fn compare_with_recording(proxy: &RecordingProxy, name: &str) {
    let (path, form, reply) = proxy.take_exchange();
    for (extension, actual) in
        [("request", format_request(&path, &form)), ("reply.xml", with_placeholders(&reply))]
    {
        let file = folder().join(format!("{name}.{extension}"));
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(actual, expected, "{}", file.display());
    }
}

async fn submit_card(netaxept: &Netaxept, session: &TerminalSession, number: &str, button: &str) {
    let form = [
        ("cardNo", number),
        ("month", "03"),
        ("year", "29"),
        ("securityCode", "123"),
        (button, "x"),
    ];
    let uri = netaxept.terminal_uri(session.transaction_id);
    let page = local::http_client().unwrap().post(uri).form(&form).send().await.unwrap();
    assert_eq!(page.status(), 302);
}

#[tokio::test]
async fn every_exchange_matches_its_recording() {
    let (_sandbox, address) = sandbox::Netaxept::start(0, Clock::default()).await.unwrap();
    let (proxy, proxy_address) = RecordingProxy::start(address.clone()).await;
    let (nets, page) =
        (client(&proxy_address, sandbox::TOKEN, "NOK"), client(&address, sandbox::TOKEN, "NOK"));
    let mut names = Vec::new();
    // The name of the recording, the call, and the expected result.
    macro_rules! exchange {
        ($name:literal, $call:expr, $expected:literal) => {
            let result = match $call.await {
                Ok(result) => format!("{result:?}"),
                Err(failure) => shared::error::chain(&failure),
            };
            assert_eq!(result, $expected, $name);
            compare_with_recording(&proxy, $name);
            names.push($name);
        };
    }
    let good = session(0);
    exchange!("query-unknown", nets.query(&good), "NeverRegistered");
    exchange!(
        "verify-unknown",
        nets.verify(&good),
        "Process: no clear reply from Nets: Generic: Unable to find transaction"
    );
    exchange!("register", nets.register(&good, &options(false)), "Yes");
    exchange!("register-repeated", nets.register(&good, &options(false)), "IdTaken");
    exchange!("query-registered", nets.query(&good), "Unverified");
    exchange!("verify-without-card", nets.verify(&good), "NoCard");
    submit_card(&page, &good, "4925000000000004", "okButton").await;
    exchange!("query-card-entered", nets.query(&good), "Unverified");
    exchange!("verify", nets.verify(&good), "Verified");
    exchange!("verify-repeated", nets.verify(&good), "AlreadyProcessed");
    exchange!(
        "query-verified",
        nets.query(&good),
        r#"Verified(VerifiedCard { card: Card { payment_type: Visa, last_four: LastFour("0004"), expiry: CardExpiry(2029-03-01) }, pan_hash: [secret] })"#
    );
    let declined = session(1);
    exchange!("register-merchant-initiated", nets.register(&declined, &options(true)), "Yes");
    submit_card(&page, &declined, "4925000000000087", "okButton").await;
    exchange!("verify-declined", nets.verify(&declined), "Declined(Hard)");
    exchange!("query-declined", nets.query(&declined), "Unverified");
    let cancelled = session(2);
    exchange!("register-before-cancel", nets.register(&cancelled, &options(false)), "Yes");
    submit_card(&page, &cancelled, "", "cancelButton").await;
    exchange!("query-cancelled", nets.query(&cancelled), "Cancelled");
    let wrong_token = client(&proxy_address, "not-the-token", "NOK");
    exchange!(
        "query-with-wrong-token",
        wrong_token.query(&good),
        "Query: Nets refused: Authentication: Authentication failed (Test) MerchantId: 12000001"
    );
    let unknown_currency = client(&proxy_address, sandbox::TOKEN, "XTS");
    exchange!(
        "register-unknown-currency",
        unknown_currency.register(&session(3), &options(false)),
        "Register: no clear reply from Nets: Generic: Unable to translate supermerchant to submerchant, please check currency code and merchant ID"
    );

    let files = std::fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<_> = files.map(|file| file.split('.').next().unwrap().to_owned()).collect();
    files.sort_unstable();
    files.dedup();
    names.sort_unstable();
    assert_eq!(files, names, "every recording belongs to an exchange");
}

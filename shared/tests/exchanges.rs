//! Every request that we make of Nets and every kind of reply that it makes, as they go over the wire: `exchanges/`.
//!
//! The client talks to the sandbox, which was written from the same documents by other code, and what passes between them
//! is compared with the files. Times, ids of messages and pan hashes differ each time: in the files they are words.

#![expect(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Months, Utc};
use local::clock::Clock;
use local::netaxept as sandbox;
use shared::config::NetaxeptConfig;
use shared::domain::id::{Attempt, RecurringPaymentId, Sequence, Slot, TransactionId};
use shared::domain::terminal::{Terminal, Visit};
use shared::domain::text::{CountryCode, RedirectUrl, TerminalLanguage};
use shared::netaxept::{Netaxept, TerminalWish};
use shared::secret::Secret;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request's path and form, and the reply's body.
type Exchange = (String, String, String);

/// Passes requests on to the sandbox, and keeps what passed.
#[derive(Clone)]
struct Wire {
    sandbox: String,
    passed: Arc<Mutex<Vec<Exchange>>>,
}

impl Wire {
    async fn start(sandbox: String) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let wire = Self { sandbox, passed: Arc::default() };
        let passing = wire.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(passing.clone().pass(stream));
            }
        });
        (wire, address)
    }

    async fn pass(self, stream: TcpStream) {
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
        assert_eq!(method, "POST", "so that the token is in no access log");
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
        self.passed.lock().unwrap().push((path.to_owned(), form, body.clone()));
        stream.write_all((head + &body).as_bytes()).await.unwrap();
    }

    /// The one exchange since the last look.
    fn last(&self) -> Exchange {
        let passed = std::mem::take(&mut *self.passed.lock().unwrap());
        let [exchange] = <[Exchange; 1]>::try_from(passed).unwrap();
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

fn visit(attempt: usize) -> Visit {
    let id = RecurringPaymentId::new(Slot::new(7), Sequence::NONE.next());
    let opened_at: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
    let transaction_id = TransactionId::new(id, Attempt::try_from(attempt).unwrap());
    Visit { transaction_id, terminal: Terminal::opened(opened_at) }
}

fn wish(merchant_initiated: bool) -> TerminalWish {
    TerminalWish {
        redirect_url: RedirectUrl::try_from("https://shop.example/done?a=b#top").unwrap(),
        language: TerminalLanguage::of("en_GB"),
        country: CountryCode::DEFAULT,
        single_page: true,
        merchant_initiated,
    }
}

/// One parameter a line, decoded.
fn readable(path: &str, form: &str) -> String {
    let parameters = url::form_urlencoded::parse(form.as_bytes());
    let lines = parameters.map(|(name, value)| format!("{name}={value}\n"));
    format!("POST {path}\n{}", lines.collect::<Vec<_>>().concat())
}

/// What differs each time becomes a word.
fn settled(reply: &str) -> String {
    let mut reply = reply.replace("\r\n", "\n");
    for (names, word) in [
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
                *part = format!("{word}{close}{after}");
            }
            reply = parts.join(&open);
        }
    }
    reply
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchanges")
}

/// Compares what passed with the files of this name.
fn agree(wire: &Wire, name: &str) {
    let (path, form, reply) = wire.last();
    for (end, said) in [("request", readable(&path, &form)), ("reply.xml", settled(&reply))] {
        let file = folder().join(format!("{name}.{end}"));
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(said, expected, "{}", file.display());
    }
}

async fn press(netaxept: &Netaxept, visit: &Visit, number: &str, button: &str) {
    let form = [
        ("cardNo", number),
        ("month", "03"),
        ("year", "29"),
        ("securityCode", "123"),
        (button, "x"),
    ];
    let uri = netaxept.terminal_uri(visit.transaction_id);
    let page = local::http_client().unwrap().post(uri).form(&form).send().await.unwrap();
    assert_eq!(page.status(), 302);
}

#[tokio::test]
async fn client_and_sandbox_agree_on_every_exchange() {
    let (_sandbox, address) = sandbox::Netaxept::start(0, Clock::default()).await.unwrap();
    let (wire, through) = Wire::start(address.clone()).await;
    let (nets, page) =
        (client(&through, sandbox::TOKEN, "NOK"), client(&address, sandbox::TOKEN, "NOK"));
    let mut names = Vec::new();
    // The call, what we make of the reply, and the files' name.
    macro_rules! exchange {
        ($name:literal, $call:expr, $made:literal) => {
            let made = match $call.await {
                Ok(made) => format!("{made:?}"),
                Err(failure) => shared::error::chain(&failure),
            };
            assert_eq!(made, $made, $name);
            agree(&wire, $name);
            names.push($name);
        };
    }
    let good = visit(0);
    exchange!("query-of-nothing", nets.query(&good), "NeverRegistered");
    exchange!(
        "verify-of-nothing",
        nets.verify(&good),
        "Process: no clear reply from Nets: Generic: Unable to find transaction"
    );
    exchange!("register", nets.register(&good, &wish(false)), "Yes");
    exchange!("register-again", nets.register(&good, &wish(false)), "IdTaken");
    exchange!("query-registered", nets.query(&good), "Unverified");
    exchange!("verify-without-a-card", nets.verify(&good), "NoCard");
    press(&page, &good, "4925000000000004", "okButton").await;
    exchange!("query-entered", nets.query(&good), "Unverified");
    exchange!("verify", nets.verify(&good), "Verified");
    exchange!("verify-again", nets.verify(&good), "AlreadyProcessed");
    exchange!(
        "query-verified",
        nets.query(&good),
        r#"Verified(VerifiedCard { card: Card { payment_type: Visa, last_four: LastFour("0004"), expiry: CardExpiry(2029-03-01) }, pan_hash: [secret] })"#
    );
    let declined = visit(1);
    exchange!("register-merchant-initiated", nets.register(&declined, &wish(true)), "Yes");
    press(&page, &declined, "4925000000000087", "okButton").await;
    exchange!("verify-declined", nets.verify(&declined), "Declined(Hard)");
    exchange!("query-declined", nets.query(&declined), "Unverified");
    let cancelled = visit(2);
    exchange!("register-to-be-cancelled", nets.register(&cancelled, &wish(false)), "Yes");
    press(&page, &cancelled, "", "cancelButton").await;
    exchange!("query-cancelled", nets.query(&cancelled), "Cancelled");
    let stranger = client(&through, "not-the-token", "NOK");
    exchange!(
        "query-by-a-stranger",
        stranger.query(&good),
        "Query: Nets refused: Authentication: Authentication failed (Test) MerchantId: 12000001"
    );
    let abroad = client(&through, sandbox::TOKEN, "XTS");
    exchange!(
        "register-in-no-currency",
        abroad.register(&visit(3), &wish(false)),
        "Register: no clear reply from Nets: Generic: Unable to translate supermerchant to submerchant, please check currency code and merchant ID"
    );

    let files = std::fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<_> = files.map(|file| file.split('.').next().unwrap().to_owned()).collect();
    files.sort_unstable();
    files.dedup();
    names.sort_unstable();
    assert_eq!(files, names, "no file without an exchange");
}

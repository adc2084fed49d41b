//! Compares every request of the client, and every kind of reply, with the recordings in `exchanges/`.
//!
//! The client talks to the sandbox, an independent implementation of the same Netaxept documents. Times, message ids and pan
//! hashes differ in each run, so the recordings contain placeholders for them.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "exchanges/charges.rs"]
mod charges;
#[path = "exchanges/format.rs"]
mod format;
#[path = "exchanges/proxy.rs"]
mod proxy;

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Months, Utc};
use local::clock::Clock;
use local::netaxept as sandbox;
use shared::config::NetaxeptConfig;
use shared::domain::id::{Attempt, RecurringPaymentId, Sequence, Slot, TransactionId};
use shared::domain::terminal::{Terminal, TerminalSession};
use shared::domain::text::{CountryCode, RedirectUrl, TerminalLanguage};
use shared::netaxept::{Failure, Netaxept, TerminalOptions};
use shared::secret::Secret;
use url::Url;

use format::{format_request, with_placeholders};
use proxy::RecordingProxy;

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

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchanges")
}

/// The client behind the proxy, and the recordings that it was compared with.
struct Recorder {
    nets: Netaxept,
    proxy: RecordingProxy,
    /// The address of the sandbox, for the customer's browser.
    page: Netaxept,
    names: Vec<&'static str>,
}

impl Recorder {
    /// Compares the result of a call with the expected one, and its exchange with the recording of this name.
    fn compare<T: Debug>(
        &mut self,
        name: &'static str,
        result: Result<T, Failure>,
        expected: &str,
    ) {
        let result = match result {
            Ok(result) => format!("{result:?}"),
            Err(failure) => shared::error::chain(&failure),
        };
        assert_eq!(result, expected, "{name}");
        let (path, form, reply) = self.proxy.take_exchange();
        for (extension, actual) in
            [("request", format_request(&path, &form)), ("reply.xml", with_placeholders(&reply))]
        {
            let file = folder().join(format!("{name}.{extension}"));
            let expected = std::fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(actual, expected, "{}", file.display());
        }
        self.names.push(name);
    }

    /// Checks that every recording belongs to an exchange.
    fn finish(mut self) {
        let files = std::fs::read_dir(folder()).unwrap();
        let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let name = |file: String| {
            let name = file.strip_suffix(".request").or(file.strip_suffix(".reply.xml"));
            name.map(str::to_owned)
        };
        let mut files: Vec<_> = files.filter_map(name).collect();
        files.sort_unstable();
        files.dedup();
        self.names.sort_unstable();
        assert_eq!(files, self.names);
    }
}

/// Submits a form on the terminal page, as the customer's browser does.
async fn submit(uri: Url, form: &[(&str, &str)]) {
    let page = local::http_client().unwrap().post(uri).form(form).send().await.unwrap();
    assert!([200, 302].contains(&page.status().as_u16()));
}

async fn submit_card(page: &Netaxept, session: &TerminalSession, number: &str, button: &str) {
    let form = [
        ("cardNo", number),
        ("month", "03"),
        ("year", "29"),
        ("securityCode", "123"),
        (button, "x"),
    ];
    submit(page.terminal_uri(session.transaction_id), &form).await;
}

#[tokio::test]
async fn every_exchange_matches_its_recording() {
    let clock = Clock::default();
    let (_sandbox, address) = sandbox::Netaxept::start(0, clock.clone()).await.unwrap();
    let (proxy, proxy_address) = RecordingProxy::start(address.clone()).await;
    let mut recorder = Recorder {
        nets: client(&proxy_address, sandbox::TOKEN, "NOK"),
        page: client(&address, sandbox::TOKEN, "NOK"),
        proxy,
        names: Vec::new(),
    };
    store_card(&mut recorder).await;
    fail_to_store_card(&mut recorder).await;
    refuse_client(&mut recorder, &proxy_address).await;
    charges::compare(&mut recorder, &clock).await;
    recorder.finish();
}

async fn store_card(recorder: &mut Recorder) {
    let card = session(0);
    let result = recorder.nets.query(&card).await;
    recorder.compare("query-unknown", result, "NeverRegistered");
    let result = recorder.nets.verify(&card).await;
    let expected = "VERIFY: no clear reply from Nets: Generic: Unable to find transaction";
    recorder.compare("verify-unknown", result, expected);
    let result = recorder.nets.register(&card, &options(false)).await;
    recorder.compare("register", result, "Yes");
    let result = recorder.nets.register(&card, &options(false)).await;
    recorder.compare("register-repeated", result, "IdTaken");
    let result = recorder.nets.query(&card).await;
    recorder.compare("query-registered", result, "Unverified");
    let result = recorder.nets.verify(&card).await;
    recorder.compare("verify-without-card", result, "NoCard");
    submit_card(&recorder.page, &card, "4925000000000004", "okButton").await;
    let result = recorder.nets.query(&card).await;
    recorder.compare("query-card-entered", result, "Unverified");
    let result = recorder.nets.verify(&card).await;
    recorder.compare("verify", result, "Verified");
    let result = recorder.nets.verify(&card).await;
    recorder.compare("verify-repeated", result, "AlreadyProcessed");
    let result = recorder.nets.query(&card).await;
    let expected = r#"Verified(VerifiedCard { card: Card { payment_type: Visa, last_four: LastFour("0004"), expiry: CardExpiry(2029-03-01) }, pan_hash: [secret] })"#;
    recorder.compare("query-verified", result, expected);
}

async fn fail_to_store_card(recorder: &mut Recorder) {
    let declined = session(1);
    let result = recorder.nets.register(&declined, &options(true)).await;
    recorder.compare("register-merchant-initiated", result, "Yes");
    submit_card(&recorder.page, &declined, "4925000000000087", "okButton").await;
    let result = recorder.nets.verify(&declined).await;
    recorder.compare("verify-declined", result, "Declined(Hard)");
    let result = recorder.nets.query(&declined).await;
    recorder.compare("query-declined", result, "Unverified");
    let cancelled = session(2);
    let result = recorder.nets.register(&cancelled, &options(false)).await;
    recorder.compare("register-before-cancel", result, "Yes");
    submit_card(&recorder.page, &cancelled, "", "cancelButton").await;
    let result = recorder.nets.query(&cancelled).await;
    recorder.compare("query-cancelled", result, "Cancelled");
}

async fn refuse_client(recorder: &mut Recorder, proxy_address: &str) {
    let wrong_token = client(proxy_address, "not-the-token", "NOK");
    let result = wrong_token.query(&session(0)).await;
    let expected =
        "Query: Nets refused: Authentication: Authentication failed (Test) MerchantId: 12000001";
    recorder.compare("query-with-wrong-token", result, expected);
    let unknown_currency = client(proxy_address, sandbox::TOKEN, "XTS");
    let result = unknown_currency.register(&session(3), &options(false)).await;
    let expected = "Register: no clear reply from Nets: Generic: Unable to translate supermerchant to submerchant, please check currency code and merchant ID";
    recorder.compare("register-unknown-currency", result, expected);
}

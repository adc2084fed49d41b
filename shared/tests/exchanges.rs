//! Compares every request of the client, and every kind of reply, with the recordings in `exchanges/`.
//!
//! The client talks to the sandbox, an independent implementation of the same Netaxept documents. Times, message ids and pan
//! hashes differ in each run, so the recordings contain placeholders for them.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

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
use shared::domain::id::{
    Attempt, PaymentId, PaymentTransactionId, RecurringPaymentId, RegistrationId, Sequence, Slot,
    TransactionId,
};
use shared::domain::money::{Currency, Money};
use shared::domain::payment::Initiator;
use shared::domain::terminal::{Terminal, TerminalSession};
use shared::domain::text::{CountryCode, RedirectUrl, TerminalLanguage};
use shared::netaxept::{ChargeRegistration, Failure, Netaxept, Progress, TerminalOptions};
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
    charge_customer(&mut recorder).await;
    charge_as_merchant(&mut recorder).await;
    decline_charges(&mut recorder).await;
    refuse_charges(&mut recorder, &clock).await;
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

const ORDER: &str = "DW2N19A6";

fn registration_id(index: usize) -> RegistrationId {
    let number = Attempt::try_from(index).unwrap();
    let first = Attempt::try_from(0_usize).unwrap();
    let transaction = PaymentTransactionId::new(PaymentId::from_bits(7171), first);
    RegistrationId { transaction, number }
}

/// Stores another card and returns its pan hash. The proxy sees none of this.
async fn store_unrecorded(page: &Netaxept, attempt: usize, number: &str) -> Secret {
    let session = session(attempt);
    page.register(&session, &options(false)).await.unwrap();
    submit_card(page, &session, number, "okButton").await;
    submit(page.terminal_uri(session.transaction_id), &[("acceptButton", "x")]).await;
    page.verify(&session).await.unwrap();
    let Progress::Verified(card) = page.query(&session).await.unwrap() else {
        panic!("not verified")
    };
    card.pan_hash
}

/// Registers a charge of a card in minor units of NOK.
async fn register(
    nets: &Netaxept,
    id: RegistrationId,
    (minor, pan_hash, initiator): (u64, &Secret, Initiator),
) -> Result<shared::netaxept::Registered, Failure> {
    let registration = ChargeRegistration {
        id,
        order_number: ORDER,
        amount: Money::new(minor, Currency::Nok),
        pan_hash,
        initiator,
        options: &options(false),
    };
    nets.register_charge(&registration).await
}

async fn charge_customer(recorder: &mut Recorder) {
    let card = store_unrecorded(&recorder.page, 4, "4925000000000004").await;
    let (id, charge) = (registration_id(0), (10_000, &card, Initiator::Customer));
    let amount = Money::new(10_000, Currency::Nok);
    let result = register(&recorder.nets, id, charge).await;
    recorder.compare("charge-register-customer", result, "Yes");
    let result = register(&recorder.nets, id, charge).await;
    recorder.compare("charge-register-repeated", result, "IdTaken");
    let result = recorder.nets.query_charge(id, ORDER).await;
    recorder.compare("charge-query-registered", result, "Pending");
    let result = recorder.nets.authorize(id).await;
    recorder.compare("charge-auth-without-card", result, "NoCard");
    let form = [("securityCode", "123"), ("okButton", "x")];
    submit(recorder.page.charge_terminal_uri(id), &form).await;
    let result = recorder.nets.authorize(id).await;
    recorder.compare("charge-auth", result, "Authorized");
    let result = recorder.nets.authorize(id).await;
    recorder.compare("charge-auth-repeated", result, "AlreadyProcessed");
    let result = recorder.nets.query_charge(id, ORDER).await;
    let expected = "Authorized(Money { minor: 10000, currency: Nok })";
    recorder.compare("charge-query-authorized", result, expected);
    let result = recorder.nets.capture(id, amount).await;
    recorder.compare("charge-capture", result, "Done");
    let result = recorder.nets.capture(id, amount).await;
    recorder.compare("charge-capture-repeated", result, "Refused");
    let result = recorder.nets.annul(id).await;
    recorder.compare("charge-annul-after-capture", result, "Refused");
    let result = recorder.nets.query_charge(id, ORDER).await;
    let expected =
        "Captured { captured: Money { minor: 10000, currency: Nok }, credited_minor: 0 }";
    recorder.compare("charge-query-captured", result, expected);
}

async fn charge_as_merchant(recorder: &mut Recorder) {
    let card = store_unrecorded(&recorder.page, 5, "4925000000000004").await;
    let id = registration_id(1);
    let result = register(&recorder.nets, id, (10_000, &card, Initiator::Merchant)).await;
    recorder.compare("charge-register-merchant", result, "Yes");
    let result = recorder.nets.capture(id, Money::new(10_000, Currency::Nok)).await;
    recorder.compare("charge-capture-before-auth", result, "Refused");
    let result = recorder.nets.annul(id).await;
    recorder.compare("charge-annul-before-auth", result, "Refused");
    recorder.page.authorize(id).await.unwrap();
    let result = recorder.nets.annul(id).await;
    recorder.compare("charge-annul", result, "Done");
    let result = recorder.nets.annul(id).await;
    recorder.compare("charge-annul-repeated", result, "Refused");
    let result = recorder.nets.query_charge(id, ORDER).await;
    recorder.compare("charge-query-annulled", result, "Annulled");
}

/// At Nets and at the sandbox, the decimals of an amount below 2.00 are the code of the decline.
async fn decline_charges(recorder: &mut Recorder) {
    let visa = store_unrecorded(&recorder.page, 6, "4925000000000004").await;
    let strict = store_unrecorded(&recorder.page, 7, "4925000000000111").await;
    let blocked = store_unrecorded(&recorder.page, 8, "4925000000000129").await;
    let blocked_for_now = store_unrecorded(&recorder.page, 9, "4925000000000137").await;
    let unclear =
        "AUTH: no clear reply from Nets: Bbs: Unable to auth (Issuer 99: Refused by issuer)";
    for (index, (name, card, minor, expected)) in [
        ("charge-auth-declined-for-now", &visa, 151, "Declined(Soft)"),
        ("charge-auth-declined", &visa, 152, "Declined(Hard)"),
        ("charge-auth-undetermined", &visa, 199, unclear),
        (
            "charge-auth-authentication-required",
            &strict,
            10_000,
            "Declined(AuthenticationRequired)",
        ),
        ("charge-auth-blocked", &blocked, 10_000, "Declined(Hard)"),
        ("charge-auth-blocked-for-now", &blocked_for_now, 10_000, "Declined(Soft)"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = registration_id(2 + index);
        register(&recorder.page, id, (minor, card, Initiator::Merchant)).await.unwrap();
        let result = recorder.nets.authorize(id).await;
        recorder.compare(name, result, expected);
    }
    let result = recorder.nets.query_charge(registration_id(2), ORDER).await;
    recorder.compare("charge-query-declined", result, "Pending");
    let cancelled = registration_id(8);
    register(&recorder.page, cancelled, (10_000, &visa, Initiator::Customer)).await.unwrap();
    submit(recorder.page.charge_terminal_uri(cancelled), &[("cancelButton", "x")]).await;
    let result = recorder.nets.authorize(cancelled).await;
    recorder.compare("charge-auth-cancelled", result, "Cancelled");
    let result = recorder.nets.query_charge(cancelled, ORDER).await;
    recorder.compare("charge-query-cancelled", result, "Cancelled");
}

async fn refuse_charges(recorder: &mut Recorder, clock: &Clock) {
    let (unknown, amount) = (registration_id(15), Money::new(10_000, Currency::Nok));
    let result = recorder.nets.query_charge(unknown, ORDER).await;
    recorder.compare("charge-query-unknown", result, "NeverRegistered");
    let result = recorder.nets.authorize(unknown).await;
    let expected = "AUTH: no clear reply from Nets: Generic: Unable to find transaction";
    recorder.compare("charge-auth-unknown", result, expected);
    let result = recorder.nets.capture(unknown, amount).await;
    recorder.compare("charge-capture-unknown", result, "Refused");
    let result = recorder.nets.annul(unknown).await;
    recorder.compare("charge-annul-unknown", result, "Refused");
    let no_card = Secret::new("unknown".to_owned());
    let result = register(&recorder.nets, unknown, (10_000, &no_card, Initiator::Merchant)).await;
    let expected = "Register: Nets refused: Validation: Unknown pan hash";
    recorder.compare("charge-register-unknown-card", result, expected);
    let fails = store_unrecorded(&recorder.page, 10, "4925000000000079").await;
    let id = registration_id(9);
    register(&recorder.page, id, (10_000, &fails, Initiator::Merchant)).await.unwrap();
    recorder.page.authorize(id).await.unwrap();
    let result = recorder.nets.capture(id, amount).await;
    let expected =
        "CAPTURE: no clear reply from Nets: Bbs: Unable to capture (Netaxept 99: Capture failed)";
    recorder.compare("charge-capture-failed", result, expected);
    clock.advance("P8D").unwrap();
    let result = recorder.nets.annul(id).await;
    recorder.compare("charge-annul-expired", result, "Refused");
}

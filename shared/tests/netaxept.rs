//! The Netaxept client against the sandbox, an independent implementation of the same Netaxept documents.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "netaxept/auto_auth.rs"]
mod auto_auth;
#[path = "netaxept/charge.rs"]
mod charge;
#[path = "netaxept/charge_faults.rs"]
mod charge_faults;
#[path = "netaxept/charging.rs"]
mod charging;
#[path = "netaxept/credit.rs"]
mod credit;
#[path = "netaxept/credit_faults.rs"]
mod credit_faults;

use chrono::{DateTime, Months, TimeDelta, Utc};
use local::clock::Clock;
use local::netaxept as sandbox;
use shared::config::NetaxeptConfig;
use shared::domain::id::{Attempt, RecurringPaymentId, Sequence, Slot, TransactionId};
use shared::domain::terminal::{Terminal, TerminalSession};
use shared::domain::text::{CountryCode, RedirectUrl, TerminalLanguage};
use shared::error::{Decline, chain};
use shared::netaxept::{Failure, Netaxept, Progress, Registered, TerminalOptions, Verification};
use shared::secret::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn client(address: &str, token: &str) -> Netaxept {
    let config = NetaxeptConfig {
        address: address.parse().unwrap(),
        merchant_id: sandbox::MERCHANT_ID.to_owned(),
        token: Secret::new(token.to_owned()),
        currency: "NOK".to_owned(),
        lifetime: Months::new(36),
    };
    Netaxept::new(config).unwrap()
}

fn session(slot: u64) -> TerminalSession {
    let id = RecurringPaymentId::new(Slot::new(slot), Sequence::NONE.next());
    let opened_at: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
    let attempt = Attempt::try_from(0_usize).unwrap();
    TerminalSession {
        transaction_id: TransactionId::new(id, attempt),
        terminal: Terminal::opened(opened_at),
    }
}

fn options() -> TerminalOptions {
    TerminalOptions {
        redirect_url: RedirectUrl::try_from("https://shop.example/done?a=b#top").unwrap(),
        language: TerminalLanguage::from_tag("en_GB"),
        country: CountryCode::DEFAULT,
        single_page: true,
        merchant_initiated: false,
    }
}

/// Submits a form on the terminal page. Returns the address that the page redirects to.
async fn submit(netaxept: &Netaxept, session: &TerminalSession, form: &[(&str, &str)]) -> String {
    let http = local::http_client().unwrap();
    let page =
        http.post(netaxept.terminal_uri(session.transaction_id)).form(form).send().await.unwrap();
    assert_eq!(page.status(), 302);
    page.headers()["location"].to_str().unwrap().to_owned()
}

async fn enter_card(netaxept: &Netaxept, session: &TerminalSession, number: &str) -> String {
    let form = [
        ("cardNo", number),
        ("month", "03"),
        ("year", "29"),
        ("securityCode", "123"),
        ("okButton", "Pay"),
    ];
    submit(netaxept, session, &form).await
}

#[tokio::test]
async fn a_session_is_registered_verified_and_queried() {
    let (sandbox, address) = sandbox::Netaxept::start(0, Clock::default()).await.unwrap();
    let (netaxept, session) = (client(&address, sandbox::TOKEN), session(1));
    assert_eq!(netaxept.query(&session).await.unwrap(), Progress::NeverRegistered);
    assert_eq!(netaxept.register(&session, &options()).await.unwrap(), Registered::Yes);
    assert_eq!(netaxept.register(&session, &options()).await.unwrap(), Registered::IdTaken);
    assert_eq!(netaxept.query(&session).await.unwrap(), Progress::Unverified);
    assert_eq!(netaxept.verify(&session).await.unwrap(), Verification::NoCard);
    let location = enter_card(&netaxept, &session, "4925000000000004").await;
    let (id, transaction) = (session.transaction_id.recurring_payment_id(), session.transaction_id);
    assert_eq!(
        location,
        format!(
            "https://shop.example/done?a=b&recurringPaymentId={id}&transactionId={transaction}&responseCode=OK#top"
        )
    );
    assert_eq!(netaxept.query(&session).await.unwrap(), Progress::Unverified);
    assert_eq!(netaxept.verify(&session).await.unwrap(), Verification::Verified);
    assert_eq!(netaxept.verify(&session).await.unwrap(), Verification::AlreadyProcessed);
    let Progress::Verified(card) = netaxept.query(&session).await.unwrap() else {
        panic!("not verified")
    };
    assert_eq!((card.card.payment_type.name(), card.card.last_four.as_str()), ("VISA", "0004"));
    assert_eq!(
        (card.card.expiry.to_string().as_str(), card.pan_hash.expose().len()),
        ("2029-03", 28)
    );
    let transactions = sandbox.transactions();
    assert_eq!(transactions[0]["transaction"]["done"]["VERIFY"], 1);
    let parameters = &transactions[0]["transaction"]["parameters"];
    for (name, value) in [
        ("servicetype", "B"),
        ("updatestoredpaymentinfo", "true"),
        ("force3dsecure", "true"),
        ("recurringtype", "S"),
        ("terminalsinglepage", "true"),
        ("language", "en_GB"),
    ] {
        assert_eq!(parameters[name], value, "rule 12");
    }
    assert!(parameters.get("amount").is_none());
}

#[tokio::test]
async fn a_merchant_initiated_registration_has_an_expiry_date() {
    let (sandbox, address) = sandbox::Netaxept::start(0, Clock::default()).await.unwrap();
    let options = TerminalOptions { merchant_initiated: true, ..options() };
    client(&address, sandbox::TOKEN).register(&session(1), &options).await.unwrap();
    let parameters = &sandbox.transactions()[0]["transaction"]["parameters"];
    assert_eq!(
        [
            &parameters["recurringtype"],
            &parameters["recurringfrequency"],
            &parameters["recurringexpirydate"]
        ],
        ["R", "0", "20291123"]
    );
}

#[tokio::test]
async fn cancelled_and_declined_sessions_and_a_reused_transaction_id() {
    let (_sandbox, address) = sandbox::Netaxept::start(0, Clock::default()).await.unwrap();
    let netaxept = client(&address, sandbox::TOKEN);
    netaxept.register(&session(1), &options()).await.unwrap();
    let location = submit(&netaxept, &session(1), &[("cancelButton", "Cancel")]).await;
    assert!(location.contains("&responseCode=Cancel"));
    assert_eq!(netaxept.query(&session(1)).await.unwrap(), Progress::Cancelled);
    netaxept.register(&session(2), &options()).await.unwrap();
    enter_card(&netaxept, &session(2), "4925000000000087").await;
    assert_eq!(netaxept.verify(&session(2)).await.unwrap(), Verification::Declined(Decline::Hard));
    let later = session(2).terminal.opened_at + TimeDelta::days(900);
    let later = TerminalSession { terminal: Terminal::opened(later), ..session(2) };
    assert_eq!(netaxept.query(&later).await.unwrap(), Progress::NeverRegistered);
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_is_never_printed() {
    let (_sandbox, address) = sandbox::Netaxept::start(0, Clock::default()).await.unwrap();
    let failure = client(&address, "canary-of-the-token")
        .register(&session(1), &options())
        .await
        .unwrap_err();
    assert!(matches!(failure, Failure::Refused { .. }));
    let expected =
        "Register: Nets refused: Authentication: Authentication failed (Test) MerchantId: 12000001";
    assert_eq!(chain(&failure), expected);
    assert!(!format!("{failure:?}").contains("canary"));
    let unreachable =
        client("http://127.0.0.1:1", "canary-of-the-token").query(&session(1)).await.unwrap_err();
    assert!(matches!(unreachable, Failure::Unclear { .. }));
    assert!(!format!("{unreachable:?} {}", chain(&unreachable)).contains("canary"));
}

/// Starts a server that sends `body` as the reply to one request. Returns its address.
async fn server_with_reply(body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        // The client can close the connection before it has read the whole reply.
        stream.write_all(reply.as_bytes()).await.unwrap_or_default();
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_reply_that_is_not_from_netaxept_is_unclear() {
    let bomb =
        "<!DOCTYPE a [<!ENTITY b 'bbbb'><!ENTITY c '&b;&b;'>]><PaymentInfo>&c;</PaymentInfo>";
    let deep = format!("{}{}", "<a>".repeat(9000), "</a>".repeat(9000));
    let huge = format!(
        "<RegisterResponse><TransactionId>{}</TransactionId></RegisterResponse>",
        "1".repeat(70_000)
    );
    let other = "<RegisterResponse><TransactionId>5</TransactionId></RegisterResponse>";
    for body in [
        "",
        "<html><body>Service unavailable</body></html>",
        "<RegisterResponse",
        "nothing",
        bomb,
        &deep,
        &huge,
        other,
    ] {
        let netaxept = client(&server_with_reply(body).await, sandbox::TOKEN);
        let failure = netaxept.register(&session(1), &options()).await.unwrap_err();
        assert!(matches!(failure, Failure::Unclear { operation: "Register", .. }), "{failure:?}");
    }
}

/// The order of elements, namespace prefixes and unknown elements do not matter (Nets' REST documentation).
#[tokio::test]
async fn elements_can_have_any_order() {
    let order = session(1).order_number();
    let body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<n:PaymentInfo xmlns:n=\"urn:x\"><n:Later/><n:Summary><n:Authorized>true</n:Authorized></n:Summary>\
         <n:CardInformation><n:PanHash> a+/= </n:PanHash><n:PaymentMethod>SpaceCard</n:PaymentMethod><n:ExpiryDate>3012</n:ExpiryDate>\
         <n:MaskedPAN>925000******1234</n:MaskedPAN></n:CardInformation><n:OrderInformation><n:OrderNumber>{order}</n:OrderNumber></n:OrderInformation></n:PaymentInfo>"
    );
    let netaxept = client(&server_with_reply(&body).await, sandbox::TOKEN);
    let Progress::Verified(card) = netaxept.query(&session(1)).await.unwrap() else {
        panic!("not verified")
    };
    assert_eq!(
        (card.card.payment_type.name(), card.card.expiry.to_string().as_str()),
        ("UNKNOWN", "2030-12")
    );
    assert_eq!(card.pan_hash.expose(), "a+/=");
}

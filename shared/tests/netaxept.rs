//! The client against the sandbox, which was written from the same documents but by other code.

#![expect(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use chrono::{DateTime, Months, TimeDelta, Utc};
use local::clock::Clock;
use local::netaxept as sandbox;
use shared::config::NetaxeptConfig;
use shared::domain::id::{Attempt, RecurringPaymentId, Sequence, Slot, TransactionId};
use shared::domain::terminal::{Terminal, Visit};
use shared::domain::text::{CountryCode, RedirectUrl, TerminalLanguage};
use shared::error::{Decline, chain};
use shared::netaxept::{Failure, Netaxept, Progress, Registered, TerminalWish, Verification};
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

fn visit(slot: u64) -> Visit {
    let id = RecurringPaymentId::new(Slot::new(slot), Sequence::NONE.next());
    let opened_at: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
    let attempt = Attempt::try_from(0_usize).unwrap();
    Visit { transaction_id: TransactionId::new(id, attempt), terminal: Terminal::opened(opened_at) }
}

fn wish() -> TerminalWish {
    TerminalWish {
        redirect_url: RedirectUrl::try_from("https://shop.example/done?a=b#top").unwrap(),
        language: TerminalLanguage::of("en_GB"),
        country: CountryCode::DEFAULT,
        single_page: true,
        merchant_initiated: false,
    }
}

/// What a customer does on the page: where they are sent.
async fn press(netaxept: &Netaxept, visit: &Visit, form: &[(&str, &str)]) -> String {
    let http = local::http_client().unwrap();
    let page =
        http.post(netaxept.terminal_uri(visit.transaction_id)).form(form).send().await.unwrap();
    assert_eq!(page.status(), 302);
    page.headers()["location"].to_str().unwrap().to_owned()
}

async fn pay(netaxept: &Netaxept, visit: &Visit, number: &str) -> String {
    let form = [
        ("cardNo", number),
        ("month", "03"),
        ("year", "29"),
        ("securityCode", "123"),
        ("okButton", "Pay"),
    ];
    press(netaxept, visit, &form).await
}

#[tokio::test]
async fn a_card_is_registered_verified_and_named() {
    let (sandbox, address) = sandbox::Netaxept::start(0, Clock::default()).await.unwrap();
    let (netaxept, visit) = (client(&address, sandbox::TOKEN), visit(1));
    assert_eq!(netaxept.query(&visit).await.unwrap(), Progress::NeverRegistered);
    assert_eq!(netaxept.register(&visit, &wish()).await.unwrap(), Registered::Yes);
    assert_eq!(netaxept.register(&visit, &wish()).await.unwrap(), Registered::IdTaken);
    assert_eq!(netaxept.query(&visit).await.unwrap(), Progress::Unverified);
    assert_eq!(netaxept.verify(&visit).await.unwrap(), Verification::NoCard);
    let location = pay(&netaxept, &visit, "4925000000000004").await;
    let (id, transaction) = (visit.transaction_id.recurring_payment_id(), visit.transaction_id);
    assert_eq!(
        location,
        format!(
            "https://shop.example/done?a=b&recurringPaymentId={id}&transactionId={transaction}&responseCode=OK#top"
        )
    );
    assert_eq!(netaxept.query(&visit).await.unwrap(), Progress::Unverified);
    assert_eq!(netaxept.verify(&visit).await.unwrap(), Verification::Verified);
    assert_eq!(netaxept.verify(&visit).await.unwrap(), Verification::AlreadyProcessed);
    let Progress::Verified(card) = netaxept.query(&visit).await.unwrap() else {
        panic!("not verified")
    };
    assert_eq!((card.card.payment_type.name(), card.card.last_four.as_str()), ("VISA", "0004"));
    assert_eq!(
        (card.card.expiry.to_string().as_str(), card.pan_hash.expose().len()),
        ("2029-03", 28)
    );
    let told = sandbox.transactions();
    assert_eq!(told[0]["transaction"]["done"]["VERIFY"], 1);
    let parameters = &told[0]["transaction"]["parameters"];
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
async fn a_merchant_initiated_agreement_has_its_end() {
    let (sandbox, address) = sandbox::Netaxept::start(0, Clock::default()).await.unwrap();
    let wish = TerminalWish { merchant_initiated: true, ..wish() };
    client(&address, sandbox::TOKEN).register(&visit(1), &wish).await.unwrap();
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
async fn cancelled_declined_and_another_visit_of_the_same_id() {
    let (_sandbox, address) = sandbox::Netaxept::start(0, Clock::default()).await.unwrap();
    let netaxept = client(&address, sandbox::TOKEN);
    netaxept.register(&visit(1), &wish()).await.unwrap();
    let location = press(&netaxept, &visit(1), &[("cancelButton", "Cancel")]).await;
    assert!(location.contains("&responseCode=Cancel"));
    assert_eq!(netaxept.query(&visit(1)).await.unwrap(), Progress::Cancelled);
    netaxept.register(&visit(2), &wish()).await.unwrap();
    pay(&netaxept, &visit(2), "4925000000000087").await;
    assert_eq!(netaxept.verify(&visit(2)).await.unwrap(), Verification::Declined(Decline::Hard));
    let later = visit(2).terminal.opened_at + TimeDelta::days(900);
    let later = Visit { terminal: Terminal::opened(later), ..visit(2) };
    assert_eq!(netaxept.query(&later).await.unwrap(), Progress::NeverRegistered);
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_never_printed() {
    let (_sandbox, address) = sandbox::Netaxept::start(0, Clock::default()).await.unwrap();
    let failure =
        client(&address, "canary-of-the-token").register(&visit(1), &wish()).await.unwrap_err();
    assert!(matches!(failure, Failure::Refused { .. }));
    let said =
        "Register: Nets refused: Authentication: Authentication failed (Test) MerchantId: 12000001";
    assert_eq!(chain(&failure), said);
    assert!(!format!("{failure:?}").contains("canary"));
    let unreachable =
        client("http://127.0.0.1:1", "canary-of-the-token").query(&visit(1)).await.unwrap_err();
    assert!(matches!(unreachable, Failure::Unclear { .. }));
    assert!(!format!("{unreachable:?} {}", chain(&unreachable)).contains("canary"));
}

/// Answers one request with these bytes.
async fn answering(body: &str) -> String {
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
        // Whoever has read enough may hang up first.
        stream.write_all(reply.as_bytes()).await.unwrap_or_default();
    });
    format!("http://{address}")
}

#[tokio::test]
async fn whatever_is_not_netaxepts_answer_is_unclear() {
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
        let netaxept = client(&answering(body).await, sandbox::TOKEN);
        let failure = netaxept.register(&visit(1), &wish()).await.unwrap_err();
        assert!(matches!(failure, Failure::Unclear { operation: "Register", .. }), "{failure:?}");
    }
}

/// Order, prefixes and unknown elements do not matter (Nets' REST documentation).
#[tokio::test]
async fn elements_may_come_in_any_order() {
    let order = visit(1).order_number();
    let body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<n:PaymentInfo xmlns:n=\"urn:x\"><n:Later/><n:Summary><n:Authorized>true</n:Authorized></n:Summary>\
         <n:CardInformation><n:PanHash> a+/= </n:PanHash><n:PaymentMethod>SpaceCard</n:PaymentMethod><n:ExpiryDate>3012</n:ExpiryDate>\
         <n:MaskedPAN>925000******1234</n:MaskedPAN></n:CardInformation><n:OrderInformation><n:OrderNumber>{order}</n:OrderNumber></n:OrderInformation></n:PaymentInfo>"
    );
    let netaxept = client(&answering(&body).await, sandbox::TOKEN);
    let Progress::Verified(card) = netaxept.query(&visit(1)).await.unwrap() else {
        panic!("not verified")
    };
    assert_eq!(
        (card.card.payment_type.name(), card.card.expiry.to_string().as_str()),
        ("UNKNOWN", "2030-12")
    );
    assert_eq!(card.pan_hash.expose(), "a+/=");
}

mod faults;

use super::*;
use reqwest::Client;

struct Nets {
    sandbox: Netaxept,
    address: String,
    clock: Clock,
    http: Client,
}

impl Nets {
    async fn new() -> Self {
        let clock = Clock::default();
        let (sandbox, address) = Netaxept::start(0, clock.clone()).await.unwrap();
        Self { sandbox, address, clock, http: crate::http_client().unwrap() }
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> String {
        self.http
            .post(format!("{}{path}", self.address))
            .form(form)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    /// A call with credentials, as `name=value&…`.
    async fn call(&self, operation: &str, more: &str) -> String {
        let query = format!("merchantId={MERCHANT_ID}&token={TOKEN}&{more}");
        let url = format!("{}/Netaxept/{operation}.aspx?{query}", self.address);
        let answer = self.http.get(url).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
            (200, "text/xml")
        );
        answer.text().await.unwrap()
    }

    async fn register(&self, id: &str, more: &str) {
        let stored = "orderNumber=1&updateStoredPaymentInfo=true&recurringType=S&redirectUrl=https%3A%2F%2Fshop.example%2F";
        let reply = self.call("Register", &format!("transactionId={id}&{stored}{more}")).await;
        assert!(reply.contains(&format!("<TransactionId>{id}</TransactionId>")), "{reply}");
    }

    async fn page(&self, id: &str, form: &[(&str, &str)]) -> (u16, String, String) {
        let url = format!(
            "{}/Terminal/Default.aspx?MerchantID={MERCHANT_ID}&TransactionID={id}",
            self.address
        );
        let answer = self.http.post(url).form(form).send().await.unwrap();
        let location = answer
            .headers()
            .get("location")
            .map(|to| to.to_str().unwrap().to_owned())
            .unwrap_or_default();
        (answer.status().as_u16(), location, answer.text().await.unwrap())
    }

    async fn pay(&self, id: &str, number: &str) -> String {
        let form = [
            ("cardNo", number),
            ("month", "12"),
            ("year", "30"),
            ("securityCode", "123"),
            ("okButton", "Pay"),
        ];
        self.page(id, &form).await.1
    }
}

#[tokio::test]
async fn refusals_have_nets_own_words_and_order() {
    let nets = Nets::new().await;
    for (form, kind, message) in [
        (
            vec![],
            "AuthenticationException",
            "Test: Unable to authenticate merchant (credentials not passed)",
        ),
        (
            vec![("merchantId", "1337"), ("token", "x")],
            "AuthenticationException",
            "Authentication failed (Test) MerchantId: 1337",
        ),
    ] {
        let reply = nets.post("/netaxept/REGISTER.aspx", &form).await;
        assert!(
            reply.contains(&format!(
                "<Error xsi:type=\"{kind}\">\r\n    <Message>{message}</Message>"
            )),
            "{reply}"
        );
    }
    for (more, kind, message) in [
        ("", "ValidationException", "Missing parameter: 'Order Number'"),
        ("orderNumber=1", "ValidationException", "Missing parameter: 'Amount'"),
        ("orderNumber=1&AMOUNT=100", "ValidationException", "Missing parameter: 'Currency Code'"),
        (
            "orderNumber=1&amount=0&currencyCode=NOK",
            "ValidationException",
            "Transaction amount must be greater than zero.",
        ),
        ("orderNumber=1&amount=1&currencyCode=NOK", "ValidationException", "Missing redirect URL"),
        (
            "orderNumber=1&amount=1&currencyCode=XXX",
            "GenericError",
            "Unable to translate supermerchant to submerchant, please check currency code and merchant ID",
        ),
    ] {
        let reply = nets.call("Register", more).await;
        assert!(
            reply.contains(kind) && reply.contains(&format!("<Message>{message}</Message>")),
            "{more}: {reply}"
        );
    }
    nets.register("1", "").await;
    let again = nets.call("Register", "transactionId=1&orderNumber=2&updateStoredPaymentInfo=true&redirectUrl=https%3A%2F%2Fa").await;
    assert!(
        again.contains("UniqueTransactionIdException")
            && again.contains("Transaction ID not unique")
    );
    assert!(nets.call("Query", "transactionId=2").await.contains("xsi:type=\"QueryException\""));
    assert!(
        nets.call("Process", "transactionId=2&operation=VERIFY")
            .await
            .contains("xsi:type=\"GenericError\"")
    );
    assert!(
        nets.call("Process", "transactionId=1&operation=FRED")
            .await
            .contains("Unknown operation: FRED")
    );
    assert!(
        nets.call("Process", "transactionId=1&operation=capture")
            .await
            .contains("NotSupportedException")
    );
}

#[tokio::test]
async fn a_card_is_verified_once_and_then_named() {
    let nets = Nets::new().await;
    nets.register("1", "").await;
    let fresh = nets.call("Query", "transactionId=1").await;
    assert!(
        fresh.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<PaymentInfo xmlns:xsi="),
        "{fresh}"
    );
    assert!(
        fresh.contains("<Type>Store (Init)</Type>")
            && fresh.contains("<PanHash />")
            && fresh.contains("<Annuled>false")
    );
    assert!(
        nets.call("Process", "transactionId=1&operation=VERIFY")
            .await
            .contains("Issuer is undetermined")
    );
    let location = nets.pay("1", "4925 0000 0000 0004").await;
    assert_eq!(location, "https://shop.example/?transactionId=1&responseCode=OK");
    let verified = nets.call("Process", "transactionId=1&operation=verify").await;
    assert!(
        verified.contains("<Operation>VERIFY</Operation>")
            && verified.contains("<ResponseCode>OK</ResponseCode>")
    );
    assert!(!verified.contains("BatchNumber"));
    let again = nets.call("Process", "transactionId=1&operation=VERIFY").await;
    assert!(again.contains("BBSException") && again.contains("<ResponseCode>98</ResponseCode>"));
    let known = nets.call("Query", "transactionId=1").await;
    assert!(
        known.contains("<ExpiryDate>3012</ExpiryDate>")
            && known.contains("<MaskedPAN>492500******0004</MaskedPAN>")
    );
    assert!(!known.contains("<PanHash />") && !known.contains("4925000000000004"));
    assert_eq!(nets.sandbox.transactions()[0]["transaction"]["done"], json!({ "VERIFY": 1 }));
    assert!(nets.page("1", &[]).await.2.contains("Transaksjonen er allerede behandlet."));
}

#[tokio::test]
async fn cancelled_and_declined() {
    let nets = Nets::new().await;
    nets.register("1", "").await;
    assert_eq!(
        nets.page("1", &[("cancelButton", "x")]).await.1,
        "https://shop.example/?transactionId=1&responseCode=Cancel"
    );
    let query = nets.call("Query", "transactionId=1").await;
    assert!(
        query.contains("<ResponseCode>17</ResponseCode>")
            && query.contains("Cancelled by customer.")
    );
    nets.register("2", "").await;
    nets.pay("2", "4925000000000087").await;
    let declined = nets.call("Process", "transactionId=2&operation=VERIFY").await;
    assert!(
        declined.contains("<ResponseCode>99</ResponseCode>")
            && declined.contains("Auth Reg Comp Failure)")
    );
    let query = nets.call("Query", "transactionId=2").await;
    assert!(query.contains("<Authorized>false</Authorized>") && query.contains("<PaymentError>"));
}

#[tokio::test]
async fn the_page_takes_no_rubbish() {
    let nets = Nets::new().await;
    nets.register("1", "&language=en_GB").await;
    let (status, _, page) = nets.page("1", &[]).await;
    assert!(status == 200 && page.contains("<html lang=\"en\">"));
    for id in ["form1", "cardNo", "month", "year", "securityCode", "okButton", "cancelButton"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    for (number, month, year, code, fault) in [
        ("4925000000000005", "12", "30", "123", "card number is not valid"),
        ("4925", "12", "30", "123", "card number is not valid"),
        ("4925000000000004", "01", "20", "123", "has expired"),
        ("4925000000000004", "13", "30", "123", "has expired"),
        ("4925000000000004", "12", "30", "12", "three digits"),
        ("378282246310005", "12", "30", "123", "three digits"),
    ] {
        let form = [
            ("cardNo", number),
            ("month", month),
            ("year", year),
            ("securityCode", code),
            ("okButton", "x"),
        ];
        let (status, _, page) = nets.page("1", &form).await;
        assert!(
            status == 200 && page.contains(fault) && page.contains("aria-invalid=\"true\""),
            "{number}: {page}"
        );
    }
    let (_, _, unknown) = nets.page("404", &[]).await;
    assert!(unknown.contains("<div class=\"errorPanel\">Internal error</div>"));
}

#[tokio::test]
async fn a_page_is_there_for_fifteen_minutes() {
    let nets = Nets::new().await;
    nets.register("1", "").await;
    nets.clock.advance("PT14M59S").unwrap();
    assert!(nets.page("1", &[]).await.2.contains("id=\"cardNo\""));
    nets.clock.advance("PT1S").unwrap();
    assert!(nets.page("1", &[]).await.2.contains("Tiden er ute."));
    assert_eq!(nets.pay("1", "4925000000000004").await, "");
}

#[tokio::test]
async fn a_purchase_is_captured_credited_and_counted() {
    let nets = Nets::new().await;
    let reply = nets.call("Register", "transactionId=1&orderNumber=1&amount=1000&currencyCode=NOK&redirectUrl=https%3A%2F%2Fa").await;
    assert!(reply.contains("RegisterResponse"));
    nets.pay("1", "5413000000000000").await;
    for (asked, found) in [
        ("operation=CAPTURE", "never is authorized"),
        ("operation=CREDIT", "has not been captured"),
        ("operation=ANNUL", "Unable to annul, wrong state"),
        ("operation=AUTH", "<BatchNumber>"),
        ("operation=CAPTURE&transactionAmount=400", "<ResponseCode>OK"),
        ("operation=CAPTURE&transactionAmount=601", "GenericError"),
        ("operation=CAPTURE", "<ResponseCode>OK"),
        ("operation=CREDIT&transactionAmount=1001", "Unable to credit more than captured amount"),
        ("operation=CREDIT&transactionAmount=1", "<ResponseCode>OK"),
    ] {
        let reply = nets.call("Process", &format!("transactionId=1&{asked}")).await;
        assert!(reply.contains(found), "{asked}: {reply}");
    }
    let query = nets.call("Query", "transactionId=1").await;
    assert!(
        query.contains("<AmountCaptured>1000<")
            && query.contains("<AmountCredited>1<")
            && !query.contains("PanHash")
    );
}

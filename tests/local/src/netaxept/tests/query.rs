use super::*;

/// The elements of a purchase before the customer opens the terminal, in the order of June 2018.
const REGISTERED: [&str; 48] = [
    "PaymentInfo",
    "MerchantId",
    "QueryFinished",
    "TransactionId",
    "AuthenticationInformation",
    "AvtaleGiroInformation",
    "CardInformation",
    "MaskedPAN",
    "CustomerInformation",
    "Address1",
    "Address2",
    "CompanyName",
    "CompanyRegistrationNumber",
    "CustomerNumber",
    "Country",
    "Email",
    "FirstName",
    "LastName",
    "PhoneNumber",
    "Postcode",
    "SocialSecurityNumber",
    "Town",
    "ErrorLog",
    "History",
    "TransactionLogLine",
    "DateTime",
    "Description",
    "Operation",
    "TransactionReconRef",
    "OrderInformation",
    "Amount",
    "Currency",
    "Fee",
    "OrderDescription",
    "OrderNumber",
    "Timestamp",
    "Total",
    "RoundingAmount",
    "SecurityInformation",
    "IPCountryMatchesIssuingCountry",
    "Summary",
    "AmountCaptured",
    "AmountCredited",
    "Annuled",
    "Annulled",
    "Authorized",
    "TerminalInformation",
    "Browser",
];

/// Returns the content of the first element with this name.
fn part<'a>(reply: &'a str, name: &str) -> &'a str {
    text(reply, name).unwrap_or_default()
}

/// Returns the texts of all elements with this name.
fn texts<'a>(reply: &'a str, name: &str) -> Vec<&'a str> {
    let (opening, closing) = (format!("<{name}>"), format!("</{name}>"));
    let found = reply.split(opening.as_str()).skip(1);
    found.map(|rest| rest.split_once(closing.as_str()).unwrap().0).collect()
}

#[tokio::test]
async fn a_registered_purchase_has_the_recorded_elements() {
    let nets = Nets::new().await;
    nets.buy("1", "99900", "&customerEmail=a%40b.example&customerCountry=NO").await;
    let query = nets.query("1").await;
    assert_eq!(element_names(&query), REGISTERED);
    let found = [
        "MerchantId",
        "TransactionId",
        "Email",
        "Country",
        "Amount",
        "Currency",
        "OrderDescription",
        "OrderNumber",
        "Total",
    ]
    .map(|name| text(&query, name).unwrap());
    assert_eq!(found, [MERCHANT_ID, "1", "a@b.example", "NO", "99900", "NOK", " ", "1", "99900"]);
    assert!(
        query.contains("<MaskedPAN />")
            && query.contains("<ErrorLog />")
            && query.contains("<Browser />")
    );
    let unknown = nets.query("2").await;
    assert_eq!(exception(&unknown), ("QueryException", "Unable to find transaction"));
}

#[tokio::test]
async fn a_card_adds_the_recorded_elements() {
    let nets = Nets::new().await;
    nets.buy("1", "99900", "&orderDescription=%3Cb%3Ea%3C%2Fb%3E").await;
    let url =
        format!("{}/Terminal/default.aspx?merchantId={MERCHANT_ID}&transactionId=1", nets.address);
    nets.http.get(url).header("user-agent", "Mozilla/5.0 Chrome/77").send().await.unwrap();
    let opened = nets.query("1").await;
    assert!(opened.contains("<CustomerEntered>") && !opened.contains("<CustomerRedirected>"));
    nets.pay("1", "4925000000000004").await;
    nets.process("1", "AUTH").await;
    nets.process("1", "CAPTURE").await;
    let query = nets.query("1").await;
    let expected =
        ["ExpiryDate", "Issuer", "IssuerCountry", "MaskedPAN", "PaymentMethod", "IssuerId"];
    let found = expected.map(|name| text(&query, name).unwrap());
    assert_eq!(found, ["3012", "Visa", "NO", "492500******0004", "Visa", "3"]);
    assert!(!query.contains("PanHash"), "the purchase is not recurring");
    assert!(query.contains("<FirstName />\r\n    <IP>127.0.0.1</IP>\r\n    <LastName />"));
    assert!(query.contains("<SecurityInformation>\r\n    <CustomerIPCountry>NO</CustomerIPCountry>\r\n    <IPCountryMatches"));
    assert!(query.contains("<Authorized>true</Authorized>\r\n    <AuthorizationId>098068</AuthorizationId>\r\n  </Summary>"));
    assert!(query.contains("<OrderDescription>&lt;b&gt;a&lt;/b&gt;</OrderDescription>"));
    assert_eq!(text(&query, "Browser"), Some("Chrome-Mozilla/5.0 Chrome/77"));
    assert!(
        query.contains("<CustomerRedirected>") && text(&query, "AmountCaptured") == Some("99900")
    );
}

#[tokio::test]
async fn the_history_lists_operations_with_their_descriptions() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "&description=Season%20ticket&transactionReconRef=r0").await;
    nets.pay("1", "4925000000000004").await;
    for operation in [
        "AUTH",
        "CAPTURE&transactionAmount=700&description=12-1&transactionReconRef=r1",
        "CREDIT&transactionAmount=1",
    ] {
        nets.process("1", operation).await;
    }
    let query = nets.query("1").await;
    let lines = texts(&query, "TransactionLogLine");
    let line = |line: &str| {
        ["Operation", "Amount", "Description", "BatchNumber", "TransactionReconRef"]
            .map(|name| text(line, name).unwrap_or_default().to_owned())
    };
    assert_eq!(
        lines.iter().map(|one| line(one)).collect::<Vec<_>>(),
        [
            ["Register", "", "127.0.0.1: Season ticket", "", "r0"],
            ["Auth", "", "", "26", ""],
            ["Capture", "700", "127.0.0.1: 12-1", "26", "r1"],
            ["Credit", "1", "", "26", ""],
        ]
    );
    assert!(lines[1].contains("<Description />") && lines[1].contains("<TransactionReconRef />"));
    let order =
        ["Amount", "DateTime", "Description", "Operation", "BatchNumber", "TransactionReconRef"];
    assert_eq!(
        element_names(&format!("<?><{}", lines[2].trim_start().trim_start_matches('<'))),
        order
    );
    nets.buy("2", "1000", "").await;
    nets.pay("2", "4925000000000004").await;
    nets.process("2", "VERIFY").await;
    nets.buy("3", "1000", "").await;
    nets.pay("3", "4925000000000004").await;
    nets.process("3", "AUTH").await;
    nets.process("3", "ANNUL").await;
    assert_eq!(texts(part(&nets.query("2").await, "History"), "Operation"), ["Register", "Verify"]);
    assert_eq!(
        texts(part(&nets.query("3").await, "History"), "Operation"),
        ["Register", "Auth", "Annul"]
    );
}

#[tokio::test]
async fn a_failed_operation_is_in_the_error_log_and_not_in_the_history() {
    let nets = Nets::new().await;
    nets.buy("1", "152", "").await;
    nets.pay("1", "4925000000000004").await;
    assert!(!nets.query("1").await.contains("<Error>"), "no operation has failed yet");
    nets.process("1", "AUTH").await;
    nets.process("1", "SALE").await;
    let query = nets.query("1").await;
    let values = |error: &str| {
        ["Operation", "ResponseCode", "ResponseSource", "ResponseText"]
            .map(|name| text(error, name).unwrap().to_owned())
    };
    let (auth, sale) = (
        ["Auth", "52", "Issuer", "Refused by issuer"],
        ["Sale", "52", "Issuer", "Refused by issuer"],
    );
    assert_eq!(
        texts(&query, "PaymentError").iter().map(|error| values(error)).collect::<Vec<_>>(),
        [auth, sale]
    );
    assert_eq!(values(text(&query, "Error").unwrap()), sale, "the last failure");
    assert_eq!(texts(part(&query, "History"), "Operation"), ["Register"]);
    assert!(query.find("<Error>") < query.find("<ErrorLog>"));
}

#[tokio::test]
async fn an_authorized_transaction_can_have_an_error_log() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "").await;
    nets.pay("1", "4925000000000004").await;
    nets.process("1", "AUTH").await;
    nets.process("1", "AUTH").await;
    let query = nets.query("1").await;
    assert_eq!(
        (text(&query, "Authorized"), text(&query, "ResponseCode")),
        (Some("true"), Some("98"))
    );
}

#[tokio::test]
async fn times_are_norwegian_and_have_the_recorded_precision() {
    let nets = Nets::new().await;
    nets.buy("1", "1000", "").await;
    nets.pay("1", "4925000000000004").await;
    let query = nets.query("1").await;
    let finished = text(&query, "QueryFinished").unwrap();
    let (date, rest) = finished.split_once('.').unwrap();
    let offset = &rest[7..];
    assert!(date.len() == 19 && ["+01:00", "+02:00"].contains(&offset), "{finished}");
    let now = nets.clock.now().to_zoned(jiff::tz::TimeZone::get("Europe/Oslo").unwrap());
    assert_eq!(now.strftime("%:z").to_string(), offset);
    for name in ["DateTime", "Timestamp"] {
        let time = text(&query, name).unwrap();
        assert!(!time.ends_with('0') || !time.contains('.'), "{name}: {time}");
        assert!(time.len() <= 23 && time.starts_with(&finished[..13]), "{name}: {time}");
    }
    for name in ["CustomerEntered", "CustomerRedirected"] {
        assert_eq!(text(&query, name).unwrap().len(), 23, "{name}");
    }
}

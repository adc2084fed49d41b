use super::*;

const ORDER: &str = "orderNumber=1&amount=500&currencyCode=NOK&redirectUrl=https%3A%2F%2Fa";

impl Nets {
    fn url(&self, path: &str, query: &str) -> String {
        format!("{}{path}?{query}", self.address)
    }

    async fn get(&self, path: &str, query: &str) -> reqwest::Response {
        self.http.get(self.url(path, query)).send().await.unwrap()
    }
}

#[tokio::test]
async fn get_and_post_are_equivalent_and_names_are_case_insensitive() {
    let nets = Nets::new().await;
    let credentials = format!("MERCHANTID={MERCHANT_ID}&Token={TOKEN}");
    for (id, path) in
        ["/Netaxept/Register.aspx", "/netaxept/register.aspx", "/NETAXEPT/REGISTER.ASPX"]
            .into_iter()
            .enumerate()
    {
        let reply = nets.get(path, &format!("{credentials}&TransactionID={id}&{ORDER}")).await;
        assert!(reply.text().await.unwrap().contains("RegisterResponse"), "{path}");
    }
    let form = [
        ("merchantid", MERCHANT_ID),
        ("TOKEN", TOKEN),
        ("TransactionId", "9"),
        ("ORDERNUMBER", "1"),
        ("UpdateStoredPaymentInfo", "True"),
        ("RedirectURL", "https://a"),
    ];
    let reply = nets.post("/Netaxept/Register.aspx", &form).await;
    assert_eq!(text(&reply, "TransactionId"), Some("9"), "Python's True is true: {reply}");
    let reply = nets
        .post("/netaxept/PROCESS.aspx", &[form[0], form[1], form[2], ("Operation", "Auth")])
        .await;
    assert_eq!(exception(&reply).1, "Issuer is undetermined");
    let query = format!("merchantid={MERCHANT_ID}&TRANSACTIONID=9");
    let page = nets.get("/terminal/mobile/default.aspx", &query).await;
    assert!(page.text().await.unwrap().contains("id=\"cardNo\""));
}

#[tokio::test]
async fn an_empty_parameter_is_treated_as_absent() {
    let nets = Nets::new().await;
    let reply =
        nets.call("Register", &format!("transactionId=&recurringType=&serviceType=&{ORDER}")).await;
    let id = text(&reply, "TransactionId").unwrap();
    assert!(
        id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
        "{id}"
    );
    let reply = nets.call("Register", "orderNumber=&amount=1&currencyCode=NOK").await;
    assert_eq!(exception(&reply).1, "Missing parameter: 'Order Number'");
}

#[tokio::test]
async fn replies_and_exceptions_have_the_recorded_headers() {
    let nets = Nets::new().await;
    let credentials = format!("merchantId={MERCHANT_ID}&token={TOKEN}&transactionId=1");
    for query in [format!("{credentials}&{ORDER}"), String::new()] {
        let reply = nets.get("/Netaxept/Register.aspx", &query).await;
        assert_eq!(reply.status(), 200);
        for (name, value) in HEADERS {
            assert_eq!(reply.headers()[name], value, "{name}");
        }
    }
}

#[tokio::test]
async fn a_body_is_indented_with_crlf_and_declares_xsi_before_xsd() {
    let nets = Nets::new().await;
    let reply = nets.call("Register", &format!("transactionId=33&{ORDER}")).await;
    let expected = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n\
        <RegisterResponse xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">\r\n  \
        <TransactionId>33</TransactionId>\r\n</RegisterResponse>";
    assert_eq!(reply, expected);
    let reply = nets.query("34").await;
    let expected = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n\
        <Exception xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">\r\n  \
        <Error xsi:type=\"QueryException\">\r\n    <Message>Unable to find transaction</Message>\r\n  </Error>\r\n</Exception>";
    assert_eq!(reply, expected);
}

#[tokio::test]
async fn an_unknown_path_returns_the_iis_404_page() {
    let nets = Nets::new().await;
    for path in ["/Netaxept/Nothing.aspx", "/netaxept.svc"] {
        let reply = nets.get(path, "").await;
        assert_eq!(reply.status(), 404);
        assert!(reply.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
        assert!(
            reply.text().await.unwrap().contains("<title>The resource cannot be found.</title>")
        );
    }
    let url = nets.url("/Netaxept/Query.aspx", "");
    assert_eq!(nets.http.put(url).send().await.unwrap().status(), 405);
}

use super::*;

/// A charge that the customer confirms with the security code of the stored card. Nets authorizes it by itself.
const CONFIRMED: &str = "recurringType=S&recurringUse3DS=true&serviceType=B&autoAuth=true";
const CODE: (&str, &str) = ("securityCode", "123");

impl Nets {
    /// Stores a card and registers a charge of it with `autoAuth`.
    async fn register_confirmed(&self, id: &str, amount: &str, number: &str) {
        let card = format!("card-{id}");
        self.register(&card, "").await;
        if self.pay(&card, number).await.is_empty() {
            // Some cards have a 3-D Secure step.
            self.leave_page(&card, "acceptButton").await;
        }
        assert_eq!(text(&self.process(&card, "VERIFY").await, "ResponseCode"), Some("OK"));
        let hash = text(&self.query(&card).await, "PanHash").unwrap().to_owned();
        let reply = self.register_charge(id, amount, &hash, CONFIRMED).await;
        assert_eq!(text(&reply, "TransactionId"), Some(id), "{reply}");
    }

    /// Presses a button of the page, with a valid security code. Returns the redirect address.
    async fn leave_page(&self, id: &str, button: &str) -> String {
        self.post_page(id, &[CODE, (button, "x")]).await.1
    }

    /// Returns `Authorized` of Query, and `ResponseCode` if an operation has failed.
    async fn authorized(&self, id: &str) -> (bool, Option<String>) {
        let query = self.query(id).await;
        let code = text(&query, "ResponseCode").map(str::to_owned);
        (text(&query, "Authorized") == Some("true"), code)
    }
}

#[tokio::test]
async fn a_charge_is_authorized_when_the_customer_has_confirmed_it() {
    let nets = Nets::new().await;
    nets.register_confirmed("p71-0", "1000", "4925000000000004").await;
    assert_eq!(nets.authorized("p71-0").await, (false, None), "Register authorizes nothing");
    let page = nets.post_page("p71-0", &[]).await.2;
    assert!(page.contains("id=\"securityCode\"") && !page.contains("id=\"cardNo\""), "{page}");
    assert_eq!(exception(&nets.process("p71-0", "AUTH").await).1, "Issuer is undetermined");
    let wrong = nets.post_page("p71-0", &[("securityCode", "12"), ("okButton", "x")]).await;
    assert_eq!((wrong.0, nets.authorized("p71-0").await), (200, (false, None)));
    let expected = "https://shop.example/?transactionId=p71-0&responseCode=OK";
    assert_eq!(nets.leave_page("p71-0", "okButton").await, expected);
    assert_eq!(nets.authorized("p71-0").await, (true, None));
    let query = nets.query("p71-0").await;
    assert_eq!(text(&query, "AmountCaptured"), Some("0"));
    let line =
        "<Description>127.0.0.1: Auto AUTH</Description>\r\n      <Operation>Auth</Operation>";
    assert!(query.contains(line), "{query}");
    nets.assert_steps("p71-0", &[("AUTH", "Unable to auth 98"), ("CAPTURE", "OK")]).await;
    let reopened = nets.post_page("p71-0", &[]).await.2;
    assert!(!reopened.contains("id=\"securityCode\""), "{reopened}");
}

/// The redirect of a declined charge has the code, and Query shows it as the latest error.
#[tokio::test]
async fn the_redirect_has_the_code_of_the_decline() {
    let nets = Nets::new().await;
    for (id, amount, number, button, expected) in [
        ("p1-0", "151", "4925000000000004", "okButton", "51"),
        ("p2-0", "152", "4925000000000004", "okButton", "52"),
        ("p3-0", "1000", "4925000000000129", "okButton", "PB"),
        ("p4-0", "1000", "4925000000000137", "okButton", "TB"),
        ("p5-0", "1000", "4925000000000004", "refuseButton", "99"),
        ("p6-0", "1000", "4925000000000004", "authenticationButton", "1A"),
        ("p7-0", "1000", "5413000000000000", "authenticationButton", "65"),
    ] {
        nets.register_confirmed(id, amount, number).await;
        let location = nets.leave_page(id, button).await;
        let expected_location =
            format!("https://shop.example/?transactionId={id}&responseCode={expected}");
        assert_eq!(location, expected_location);
        assert_eq!(nets.authorized(id).await, (false, Some(expected.to_owned())));
        let capture = exception(&nets.process(id, "CAPTURE").await).1.to_owned();
        assert_eq!(capture, "You cannot run capture on a transaction that never is authorized");
    }
    nets.register_confirmed("p8-0", "1000", "4925000000000103").await;
    assert_eq!(
        nets.leave_page("p8-0", "okButton").await,
        "https://shop.example/?transactionId=p8-0&responseCode=OK"
    );
}

#[tokio::test]
async fn an_expired_card_is_declined_at_the_page() {
    let nets = Nets::new().await;
    nets.register_confirmed("p1-0", "1000", "4925000000000004").await;
    let hash = text(&nets.query("card-p1-0").await, "PanHash").unwrap().to_owned();
    nets.clock.advance("P10Y").unwrap();
    nets.register_charge("p2-0", "1000", &hash, CONFIRMED).await;
    assert!(nets.leave_page("p2-0", "okButton").await.ends_with("&responseCode=54"));
    assert_eq!(nets.authorized("p2-0").await, (false, Some("54".to_owned())));
}

/// After a decline that requires 3-D Secure, the same page opens again, and a second automatic authorization follows.
#[tokio::test]
async fn the_reopened_page_authorizes_again() {
    let nets = Nets::new().await;
    nets.register_confirmed("p1-0", "1000", "4925000000000004").await;
    assert!(nets.leave_page("p1-0", "authenticationButton").await.ends_with("&responseCode=1A"));
    assert_eq!(nets.leave_page("p1-0", "okButton").await, "", "the page of the bank is shown");
    assert!(nets.leave_page("p1-0", "acceptButton").await.ends_with("&responseCode=OK"));
    assert!(nets.authorized("p1-0").await.0);
}

#[tokio::test]
async fn a_customer_who_does_not_finish_authorizes_nothing() {
    let nets = Nets::new().await;
    nets.register_confirmed("p1-0", "1000", "4925000000000004").await;
    assert!(nets.leave_page("p1-0", "cancelButton").await.ends_with("&responseCode=Cancel"));
    assert_eq!(nets.authorized("p1-0").await, (false, Some("17".to_owned())));
    nets.register_confirmed("p2-0", "1000", "4925000000000111").await;
    assert_eq!(nets.leave_page("p2-0", "okButton").await, "", "the page of the bank is shown");
    assert_eq!(nets.authorized("p2-0").await, (false, None));
    assert!(nets.leave_page("p2-0", "failButton").await.ends_with("&responseCode=MZ"));
    assert_eq!(nets.authorized("p2-0").await, (false, Some("MZ".to_owned())));
    nets.register_confirmed("p3-0", "1000", "4925000000000004").await;
    nets.clock.advance("PT15M").unwrap();
    assert_eq!(nets.leave_page("p3-0", "okButton").await, "", "the session has timed out");
    assert_eq!(nets.authorized("p3-0").await, (false, None));
}

/// The customer's browser closes after the customer has confirmed: Nets has authorized the charge all the same.
#[tokio::test]
async fn a_customer_who_does_not_return_has_authorized() {
    let nets = Nets::new().await;
    nets.register_confirmed("p1-0", "1000", "4925000000000004").await;
    nets.sandbox.inject_fault(Operation::Terminal, FaultKind::DropReply, 1);
    let page = format!(
        "{}/Terminal/default.aspx?merchantId={MERCHANT_ID}&transactionId=p1-0",
        nets.address
    );
    let form = [CODE, ("okButton", "x")];
    assert!(nets.http.post(&page).form(&form).send().await.is_err());
    assert_eq!(nets.authorized("p1-0").await, (true, None));
    // The confirmation itself is lost.
    nets.register_confirmed("p2-0", "1000", "4925000000000004").await;
    nets.sandbox.inject_fault(Operation::Terminal, FaultKind::DropRequest, 1);
    let page = page.replace("p1-0", "p2-0");
    assert!(nets.http.post(&page).form(&form).send().await.is_err());
    assert_eq!(nets.authorized("p2-0").await, (false, None));
}

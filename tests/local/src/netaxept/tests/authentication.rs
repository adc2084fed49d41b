use super::*;

/// The cards whose issuers require 3-D Secure, with the codes of their declines.
const CARDS: [(&str, &str); 2] = [("4925000000000111", "1A"), ("5413000000000018", "65")];
/// A charge that a customer confirms at Nets' page.
const WITH_PAGE: &str = "recurringType=S&recurringUse3DS=true&serviceType=B";

impl Nets {
    /// Stores a card with 3-D Secure and returns its pan hash.
    async fn store_authenticated_card(&self, id: &str, number: &str) -> String {
        self.register(id, "").await;
        assert_eq!(self.pay(id, number).await, "", "the page of the bank is shown");
        assert!(self.post_page(id, &[("acceptButton", "x")]).await.1.ends_with("responseCode=OK"));
        self.assert_steps(id, &[("VERIFY", "OK")]).await;
        text(&self.query(id).await, "PanHash").unwrap().to_owned()
    }

    /// Posts a valid security code with a button. Returns whether the customer is redirected with OK, or the page.
    async fn press(&self, id: &str, button: &str) -> (bool, String) {
        let (_, location, page) =
            self.post_page(id, &[("securityCode", "123"), (button, "x")]).await;
        (location.ends_with("responseCode=OK"), page)
    }
}

#[tokio::test]
async fn a_charge_without_the_page_is_declined_by_an_issuer_that_requires_3d_secure() {
    for (number, code) in CARDS {
        let nets = Nets::new().await;
        let hash = nets.store_authenticated_card("0", number).await;
        for (id, more) in [
            ("1", "recurringType=M&recurringTransactionType=1&serviceType=C"),
            ("2", "recurringType=R&serviceType=A"),
            ("3", "recurringType=S&serviceType=M&recurringUse3DS=true"),
        ] {
            nets.register_charge(id, "1000", &hash, more).await;
            for operation in ["AUTH", "SALE", "AUTH"] {
                let reply = nets.process(id, operation).await;
                assert_eq!(result(&reply)[1..], [code, "Issuer", "Refused by issuer"], "{more}");
            }
            assert_eq!(text(&nets.query(id).await, "Authorized"), Some("false"));
        }
        let automatic = "recurringType=M&serviceType=C&autoAuth=true";
        let reply = nets.register_charge("4", "1000", &hash, automatic).await;
        assert_eq!(result(&reply)[1..3], [code, "Issuer"]);
    }
}

#[tokio::test]
async fn a_charge_with_3d_secure_at_the_page_is_accepted() {
    for (number, _) in CARDS {
        let nets = Nets::new().await;
        let hash = nets.store_authenticated_card("0", number).await;
        nets.register_charge("1", "1000", &hash, WITH_PAGE).await;
        assert!(nets.press("1", "okButton").await.1.contains("id=\"acceptButton\""));
        assert_eq!(exception(&nets.process("1", "AUTH").await).1, "Issuer is undetermined");
        assert!(nets.press("1", "acceptButton").await.0);
        nets.assert_steps("1", &[("AUTH", "OK"), ("CAPTURE", "OK")]).await;
        nets.register_charge("2", "1000", &hash, WITH_PAGE).await;
        nets.press("2", "okButton").await;
        nets.post_page("2", &[("failButton", "x")]).await;
        nets.assert_steps("2", &[("AUTH", "Unable to auth MZ")]).await;
    }
}

#[tokio::test]
async fn the_page_opens_again_after_authentication_was_required() {
    for (number, code) in CARDS {
        let nets = Nets::new().await;
        let hash = nets.store_authenticated_card("0", number).await;
        // Without recurringUse3DS there is no page before AUTH.
        nets.register_charge("1", "1000", &hash, "recurringType=S&serviceType=B").await;
        assert!(nets.post_page("1", &[]).await.2.contains("allerede behandlet"));
        let declined = format!("Unable to auth {code}");
        nets.clock.advance("PT2H").unwrap();
        nets.assert_steps("1", &[("AUTH", &declined), ("AUTH", &declined)]).await;
        nets.clock.advance("PT14M").unwrap();
        let page = nets.post_page("1", &[]).await.2;
        assert!(page.contains("id=\"securityCode\"") && !page.contains("id=\"cardNo\""), "{page}");
        assert!(nets.press("1", "okButton").await.1.contains("id=\"acceptButton\""));
        nets.assert_steps("1", &[("AUTH", &declined)]).await;
        assert!(nets.press("1", "acceptButton").await.0);
        nets.assert_steps("1", &[("AUTH", "OK"), ("AUTH", "Unable to auth 98")]).await;
        assert!(nets.post_page("1", &[]).await.2.contains("allerede behandlet"));
        let query = nets.query("1").await;
        assert_eq!(text(&query, "Authorized"), Some("true"));
        let log = text(&query, "ErrorLog").unwrap();
        let codes = [code, "98"].map(|code| log.matches(&format!(">{code}<")).count());
        assert_eq!(codes, [3, 1], "the error log keeps the declines");
    }
}

#[tokio::test]
async fn the_reopened_page_can_be_cancelled_and_times_out() {
    let nets = Nets::new().await;
    let hash = nets.store_authenticated_card("0", CARDS[0].0).await;
    for id in ["1", "2"] {
        nets.register_charge(id, "1000", &hash, "recurringType=S&serviceType=B").await;
        nets.assert_steps(id, &[("AUTH", "Unable to auth 1A")]).await;
    }
    let (_, location, _) = nets.post_page("1", &[("cancelButton", "x")]).await;
    assert!(location.ends_with("responseCode=Cancel"), "{location}");
    nets.assert_steps("1", &[("AUTH", "Unable to auth 17")]).await;
    nets.clock.advance("PT15M").unwrap();
    assert!(nets.post_page("2", &[]).await.2.contains("Tiden er ute."));
    nets.assert_steps("2", &[("AUTH", "Unable to auth 1A")]).await;
}

/// The button is the sandbox's own. It works for every card.
#[tokio::test]
async fn a_button_makes_the_issuer_require_3d_secure_afterwards() {
    let nets = Nets::new().await;
    let hash = nets.store_card("9", "4925000000000004").await;
    nets.register_charge("1", "1000", &hash, WITH_PAGE).await;
    assert!(nets.press("1", "authenticationButton").await.0, "the page returns with OK");
    nets.assert_steps("1", &[("AUTH", "Unable to auth 1A")]).await;
    assert!(nets.press("1", "okButton").await.1.contains("id=\"acceptButton\""));
    assert!(nets.press("1", "acceptButton").await.0);
    nets.assert_steps("1", &[("AUTH", "OK")]).await;
    // A new card: the button takes the card in the form, or a Visa if there is none.
    for (id, form, expected) in [
        ("2", [("cardNo", "5413000000000000"), ("authenticationButton", "x")], "65"),
        ("3", [("cardNo", ""), ("authenticationButton", "x")], "1A"),
    ] {
        nets.buy(id, "1000", "").await;
        let more = [("month", "12"), ("year", "30"), ("securityCode", "123")];
        let form: Vec<(&str, &str)> = form.into_iter().chain(more).collect();
        assert!(nets.post_page(id, &form).await.1.ends_with("responseCode=OK"));
        nets.assert_steps(id, &[("AUTH", &format!("Unable to auth {expected}"))]).await;
    }
}

#[tokio::test]
async fn the_buttons_of_a_later_charge_do_not_change_the_stored_card() {
    let nets = Nets::new().await;
    // The charges have lower ids than the transaction that stored the card.
    let hash = nets.store_card("9", "4925000000000004").await;
    for (id, button) in [("1", "authenticationButton"), ("2", "refuseButton")] {
        nets.register_charge(id, "1000", &hash, WITH_PAGE).await;
        assert!(nets.press(id, button).await.0);
    }
    nets.register_charge("3", "1000", &hash, "recurringType=M&serviceType=C").await;
    nets.assert_steps("3", &[("AUTH", "OK")]).await;
}

//! What another customer, another origin and a hostile name cannot do.

use reqwest::StatusCode;

use super::Browser;

#[tokio::test]
async fn another_customer_can_neither_see_nor_use_cards_and_orders() {
    let kari = Browser::logged_in().await;
    let card = kari.add_card("Kari's", true).await;
    let order = kari.buy(&card).await;
    let ola = Browser::of_customer(&kari.local, "demo-ola").await;
    let anonymous = Browser {
        cookie: "shop-session=1".to_owned(),
        local: kari.local.clone(),
        http: kari.http.clone(),
    };
    let actions = [
        format!("/shop/cards/{card}/terminal"),
        format!("/shop/cards/{card}/authorize"),
        format!("/shop/cards/{card}/primary"),
        format!("/shop/cards/{card}/nickname"),
        format!("/shop/orders/{order}/capture"),
        format!("/shop/orders/{order}/pay"),
        format!("/shop/orders/{order}/refund"),
    ];
    let form = [("nickname", "Ola's"), ("card", &card), ("credited", "0.00"), ("amount", "1")];
    for path in &actions {
        assert_eq!(ola.post(path, &form).await.status, StatusCode::NOT_FOUND, "{path}");
        anonymous.post(path, &form).await.assert_leads_to("/shop");
        // A link cannot change anything.
        assert_eq!(kari.get(path).await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    // A link to the removal only asks whether to remove the card.
    let removal = format!("/shop/cards/{card}/remove");
    assert_eq!(ola.post(&removal, &[]).await.status, StatusCode::NOT_FOUND);
    anonymous.post(&removal, &[]).await.assert_leads_to("/shop");
    assert_eq!(kari.get(&removal).await.status, StatusCode::OK);
    for path in [
        removal,
        format!("/shop/cards/{card}/history"),
        format!("/shop/orders/{order}"),
        format!("/shop/orders/{order}/return"),
        format!("/shop/cards/{card}/return"),
    ] {
        assert_eq!(ola.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
        anonymous.get(&path).await.assert_leads_to("/shop");
    }
    for (path, order) in [("/shop/orders", "ticket-1"), ("/shop/charges", "trip-1")] {
        ola.post(path, &[("order", order), ("ticket", "0"), ("card", &card)]).await;
        ola.get("/shop/tickets").await.assert_shows("We did not find it.");
        assert_eq!(ola.captured_and_credited(order), (0, 0));
    }
    assert!(!ola.get("/shop/cards").await.text.contains(&card));
    let page = kari.get("/shop/cards").await;
    page.assert_shows("Kari's");
    page.assert_shows("data-status=\"ACTIVE\"");
    assert_eq!(kari.captured_and_credited(&order), (4500, 0));

    anonymous.get("/shop/cards").await.assert_leads_to("/shop");
    kari.post("/shop/logout", &[]).await.assert_leads_to("/shop");
    kari.get("/shop/cards").await.assert_leads_to("/shop");
}

#[tokio::test]
async fn a_name_cannot_bring_a_script_and_another_origin_cannot_send_a_form() {
    let browser = Browser::logged_in().await;
    let card = browser.add_card("<script>alert(1)</script>", false).await;
    let (removal, history) =
        (format!("/shop/cards/{card}/remove"), format!("/shop/cards/{card}/history"));
    for path in ["/shop/cards", "/shop/tickets", &removal, &history] {
        let page = browser.get(path).await;
        assert!(!page.text.contains("<script>"), "{}", page.text);
        page.assert_shows("&lt;script&gt;alert(1)&lt;/script&gt;");
    }
    let response = browser.http.get(browser.url("/shop")).send().await.unwrap();
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"),
        "{policy}"
    );

    let remove = browser.url(&removal);
    for site in ["cross-site", "same-site"] {
        let request = browser.http.post(&remove).header("sec-fetch-site", site);
        assert_eq!(browser.send(request).await.status, StatusCode::FORBIDDEN);
    }
    browser.get("/shop/cards").await.assert_shows("data-status=\"ACTIVE\"");
    let request = browser.http.post(&remove).header("sec-fetch-site", "same-origin");
    browser.send(request).await.assert_leads_to("/shop/cards");
    browser.get("/shop/cards").await.assert_shows("You have no stored cards yet.");
}

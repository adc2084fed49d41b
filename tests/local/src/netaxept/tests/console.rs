use super::*;

/// The content type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

impl Nets {
    /// Starts the console's routes of this sandbox. Returns their address.
    async fn start_console(&self) -> String {
        let listener = Listener::open("the console", 0).await.unwrap();
        let address = listener.address().unwrap();
        let router = self.sandbox.console_router();
        listener.serve(router);
        address
    }
}

#[tokio::test]
async fn the_console_adds_lists_and_removes_faults() {
    let nets = Nets::new().await;
    let url = format!("{}/netaxept/faults", nets.start_console().await);
    let add = async |body: Value| {
        nets.http.post(&url).json(&body).send().await.unwrap().status().as_u16()
    };
    let list = async || nets.http.get(&url).send().await.unwrap().json::<Value>().await.unwrap();
    for body in [
        json!({ "operation": "Query", "kind": "http-500", "count": 1000 }),
        json!({ "operation": "Register", "kind": "drop-reply", "count": 1 }),
        json!({ "operation": "Query", "kind": "delay", "count": 1 }),
        json!({ "operation": "AUTH", "kind": "arrive-late", "count": 2, "delaySeconds": 90 }),
        json!({ "operation": "Query", "kind": "stale", "count": 1 }),
    ] {
        assert_eq!(add(body).await, 204);
    }
    let url_of = |id: &str| format!("{}/netaxept/query.aspx?transactionId={id}", nets.address);
    assert_eq!(nets.http.get(url_of("1")).send().await.unwrap().status(), 500);
    let expected = json!([
        { "operation": "Query", "kind": "http-500", "count": 999 },
        { "operation": "Register", "kind": "drop-reply", "count": 1 },
        { "operation": "Query", "kind": "delay", "count": 1 },
        { "operation": "AUTH", "kind": "arrive-late", "count": 2, "delaySeconds": 90 },
        { "operation": "Query", "kind": "stale", "count": 1 },
    ]);
    assert_eq!(list().await, expected);
    for body in [
        json!({}),
        json!([]),
        json!({ "operation": "Query", "kind": "html" }),
        json!({ "operation": "query", "kind": "html", "count": 1 }),
        json!({ "operation": "Query", "kind": "http500", "count": 1 }),
        json!({ "operation": "Query", "kind": "html", "count": 0 }),
        json!({ "operation": "Query", "kind": "html", "count": 1001 }),
        json!({ "operation": "Query", "kind": "html", "count": -1 }),
        json!({ "operation": "Query", "kind": "html", "count": "1" }),
        json!({ "operation": "Query", "kind": "html", "count": 1, "more": true }),
        json!({ "operation": "auth", "kind": "html", "count": 1 }),
        json!({ "operation": "Query", "kind": "arrive-late", "count": 1 }),
        json!({ "operation": "Terminal", "kind": "arrive-late", "count": 1 }),
        json!({ "operation": "Process", "kind": "stale", "count": 1 }),
        json!({ "operation": "Query", "kind": "html", "count": 1, "delaySeconds": 1 }),
        json!({ "operation": "AUTH", "kind": "arrive-late", "count": 1, "delaySeconds": -1 }),
    ] {
        assert_eq!(add(body.clone()).await, 400, "{body}");
    }
    let refused = nets.http.post(&url).body("nothing").send().await.unwrap();
    let message = refused.json::<Value>().await.unwrap()["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "expected ident at line 1 column 2");
    assert_eq!(list().await, expected, "the faults have not changed");
    assert_eq!(nets.http.delete(&url).send().await.unwrap().status(), 204);
    assert_eq!(list().await, json!([]));
}

#[tokio::test]
async fn the_console_lists_and_executes_late_calls() {
    let nets = Nets::new().await;
    let address = nets.start_console().await;
    nets.buy_with_card("1").await;
    let fault = json!({ "operation": "AUTH", "kind": "arrive-late", "count": 1 });
    let added = nets.http.post(format!("{address}/netaxept/faults")).json(&fault).send().await;
    assert_eq!(added.unwrap().status(), 204);
    let before = nets.clock.now() + jiff::SignedDuration::from_secs(30);
    let query = format!("merchantId={MERCHANT_ID}&token={TOKEN}&transactionId=1&operation=auth");
    let url = format!("{}/Netaxept/Process.aspx?{query}", nets.address);
    assert!(nets.http.get(url).send().await.is_err());
    let late_calls = format!("{address}/netaxept/late-calls");
    let list = nets.http.get(&late_calls).send().await.unwrap().json::<Value>().await.unwrap();
    let due_at: Timestamp = list[0]["dueAt"].as_str().unwrap().parse().unwrap();
    assert!((0..20).contains(&due_at.duration_since(before).as_secs()), "{due_at}");
    let expected = [("operation", "AUTH"), ("transactionId", "1")];
    assert!(expected.iter().all(|(name, value)| list[0][*name] == *value), "{list}");
    assert!(!list.to_string().contains(TOKEN), "{list}");
    let page = nets.sandbox.late_call_list().into_string();
    assert!(page.contains("<li>AUTH of transaction 1, executed at 20"), "{page}");
    let executed = nets.http.post(&late_calls).send().await.unwrap();
    assert_eq!(executed.json::<Value>().await.unwrap(), json!({ "executed": 1 }));
    assert_eq!(text(&nets.query("1").await, "Authorized"), Some("true"));
}

#[tokio::test]
async fn the_forms_of_the_page_add_and_remove_faults() {
    let nets = Nets::new().await;
    let address = nets.start_console().await;
    let post = async |path: &str, body: &'static str| {
        let request = nets.http.post(format!("{address}{path}")).header("content-type", FORM);
        request.body(body).send().await.unwrap().status().as_u16()
    };
    let table = || nets.sandbox.fault_list().map(maud::Markup::into_string);
    assert_eq!(table(), None);
    for (body, expected) in [
        ("operation=AUTH&kind=arrive-late&count=2&delaySeconds=90", 303),
        ("operation=Query&kind=http-500&count=1&delaySeconds=", 303),
        ("operation=Query&kind=http-500&count=0&delaySeconds=", 400),
        ("operation=Query&kind=arrive-late&count=1&delaySeconds=", 400),
    ] {
        assert_eq!(post("/netaxept/faults", body).await, expected, "{body}");
    }
    let list = nets.http.get(format!("{address}/netaxept/faults")).send().await.unwrap();
    let expected = json!([
        { "operation": "AUTH", "kind": "arrive-late", "count": 2, "delaySeconds": 90 },
        { "operation": "Query", "kind": "http-500", "count": 1 },
    ]);
    assert_eq!(list.json::<Value>().await.unwrap(), expected);
    let late = "Break the connection without an answer, and execute the call later";
    let row = format!("<td>AUTH</td><td>{late}</td><td>2</td><td>90</td>");
    assert!(table().is_some_and(|table| table.contains(&row)), "{:?}", table());
    assert_eq!(post("/netaxept/faults/clear", "").await, 303);
    assert_eq!(table(), None);
    assert_eq!(post("/netaxept/late-calls", "").await, 303);
}

/// The form offers each operation and each kind, and no others.
#[tokio::test]
async fn the_form_offers_every_fault() {
    let nets = Nets::new().await;
    let address = format!("{}/netaxept/faults", nets.start_console().await);
    let page = crate::netaxept::fault_form().into_string();
    let options = |name: &str| -> Vec<String> {
        let select = page.split_once(&format!(" name=\"{name}\">")).unwrap().1;
        let options = select.split_once("</select>").unwrap().0.split("<option value=\"").skip(1);
        options.map(|option| option.split('"').next().unwrap().to_owned()).collect()
    };
    let unknown = json!({ "operation": "Unknown", "kind": "html", "count": 1 });
    let error = nets.http.post(&address).json(&unknown).send().await.unwrap();
    let known = error.json::<Value>().await.unwrap()["message"].as_str().unwrap().to_owned();
    let operations = options("operation");
    assert!(operations.iter().all(|name| known.contains(&format!("`{name}`"))), "{known}");
    assert_eq!(operations.len() + 1, known.matches('`').count() / 2, "{known}");
    let unknown = json!({ "operation": "Query", "kind": "unknown", "count": 1 });
    let error = nets.http.post(&address).json(&unknown).send().await.unwrap();
    let known = error.json::<Value>().await.unwrap()["message"].as_str().unwrap().to_owned();
    let kinds = options("kind");
    assert!(kinds.iter().all(|name| known.contains(&format!("`{name}`"))), "{known}");
    assert_eq!(kinds.len() + 1, known.matches('`').count() / 2, "{known}");
}

#[tokio::test]
async fn the_console_shows_amounts() {
    let nets = Nets::new().await;
    nets.buy("1", "100005", "").await;
    nets.pay("1", "4925000000000004").await;
    nets.register("2", "").await;
    nets.assert_steps(
        "1",
        &[("AUTH", "OK"), ("CAPTURE", "OK"), ("CREDIT&transactionAmount=105", "OK")],
    )
    .await;
    let transactions = nets.sandbox.transactions();
    let amounts = |place: usize| {
        let names = ["currency", "amountMinor", "capturedMinor", "creditedMinor", "annulled"];
        names.map(|name| transactions[place]["transaction"][name].clone())
    };
    assert_eq!(json!(amounts(0)), json!(["NOK", 100_005, 100_005, 105, false]));
    assert_eq!(json!(amounts(1)), json!([null, null, 0, 0, false]));
    let page = nets.sandbox.transactions_table("https://nets.example").into_string();
    assert!(page.contains("<td>1000.05 NOK</td><td>1000.05 NOK</td><td>1.05 NOK</td>"), "{page}");
    let no_amounts = "orderNumber=1\">1</a></td><td></td><td></td><td></td>";
    assert!(page.contains(no_amounts), "{page}");
}

/// The registrations of a payment have its order number.
#[tokio::test]
async fn the_console_lists_the_transactions_of_an_order() {
    let nets = Nets::new().await;
    let address = nets.start_console().await;
    for (id, order) in [("1", "A&B+7"), ("2", "A"), ("3", "A&B+7")] {
        let order = form_urlencoded::byte_serialize(order.as_bytes()).collect::<String>();
        nets.register(id, &format!("&orderNumber={order}")).await;
    }
    let listed = async |path: &str| {
        let answer = nets.http.get(format!("{address}{path}")).send().await.unwrap();
        let list: Vec<Value> = answer.json().await.unwrap();
        let id = |one: &Value| one["transactionId"].as_str().unwrap().to_owned();
        list.iter().map(id).collect::<Vec<_>>()
    };
    assert_eq!(listed("/netaxept/transactions").await, ["1", "2", "3"]);
    assert_eq!(listed("/netaxept/transactions?orderNumber=B").await, Vec::<String>::new());
    let page = nets.sandbox.transactions_table("https://nets.example").into_string();
    let link = "/netaxept/transactions?orderNumber=A%26B%2B7";
    assert!(page.contains(&format!("<td><a href=\"{link}\">A&amp;B+7</a></td>")), "{page}");
    assert_eq!(listed(link).await, ["1", "3"]);
}

#[tokio::test]
async fn the_console_shows_the_ledger_of_each_order() {
    let nets = Nets::new().await;
    let address = nets.start_console().await;
    for (id, order) in [("1", "A&B"), ("2", "C")] {
        let order = form_urlencoded::byte_serialize(order.as_bytes()).collect::<String>();
        nets.buy(id, "100005", &format!("&orderNumber={order}")).await;
        nets.pay(id, "4925000000000004").await;
    }
    let credit = "CREDIT&transactionAmount=105&transactionReconRef=CREDIT-105";
    nets.assert_steps("1", &[("AUTH", "OK"), ("CAPTURE", "OK"), (credit, "OK")]).await;
    nets.assert_steps("2", &[("AUTH", "OK")]).await;
    let get = async |path: &str| {
        let answer = nets.http.get(format!("{address}{path}")).send().await.unwrap();
        answer.json::<Value>().await.unwrap()
    };
    let all = get("/netaxept/ledgers").await;
    assert_eq!(json!(nets.sandbox.ledgers()), all);
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
    let mut found = get("/netaxept/ledgers?orderNumber=A%26B").await;
    let operations = found[0]["operations"].take();
    let expected = json!([{
        "orderNumber": "A&B", "currency": "NOK", "registrations": ["1"], "authorizedMinor": 100_005, "heldMinor": 0,
        "capturedMinor": 100_005, "creditedMinor": 105, "annulledMinor": 0, "calls": { "AUTH": 1, "CAPTURE": 1, "CREDIT": 1 },
        "operations": null,
    }]);
    assert_eq!(found, expected);
    let expected = json!({
        "at": operations[2]["at"], "transactionId": "1", "operation": "CREDIT", "amountMinor": 105, "reference": "CREDIT-105",
        "automatic": false,
    });
    assert_eq!(operations[2], expected);
    assert_eq!(get("/netaxept/ledgers?orderNumber=D").await, json!([]));
    let page = nets.sandbox.orders_table().into_string();
    let link = "<a href=\"/netaxept/ledgers?orderNumber=A%26B\">A&amp;B</a>";
    let amounts = "<td>1000.05 NOK</td><td>0.00 NOK</td><td>1000.05 NOK</td><td>1.05 NOK</td><td>0.00 NOK</td>";
    assert!(page.contains(&format!("<td>{link}</td><td>1</td>{amounts}")), "{page}");
    let held = "<td>1</td><td>1000.05 NOK</td><td>1000.05 NOK</td><td>0.00 NOK</td>";
    assert!(page.contains(held), "{page}");
}

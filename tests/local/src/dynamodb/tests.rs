use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

async fn send(dynamodb: &Dynamodb, operation: &str, body: Value) -> u16 {
    send_request(dynamodb, operation, &body).await.unwrap().0
}

/// The answer's status and type of error. `None` if the connection was closed.
async fn send_request(dynamodb: &Dynamodb, operation: &str, body: &Value) -> Option<(u16, String)> {
    send_request_to(dynamodb.address(), operation, body).await
}

async fn send_request_to(address: &str, operation: &str, body: &Value) -> Option<(u16, String)> {
    let request = crate::http_client().unwrap().post(address);
    let credential = "Credential=get-thing/20261123/eu-north-1/dynamodb/aws4_request";
    let request = request
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("x-amz-date", "20261123T000000Z")
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"),
        );
    let answer = request.body(body.to_string()).send().await.ok()?;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    let kind = body["__type"].as_str().and_then(|kind| kind.split_once('#'));
    Some((status, kind.unwrap_or_default().1.to_owned()))
}

fn things() -> Value {
    json!({
        "TableName": "Things",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            { "AttributeName": "id", "AttributeType": "S" },
            { "AttributeName": "kind", "AttributeType": "S" },
        ],
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        "GlobalSecondaryIndexes": [{
            "IndexName": "ByKind",
            "KeySchema": [{ "AttributeName": "kind", "KeyType": "HASH" }],
            "Projection": { "ProjectionType": "ALL" },
        }],
    })
}

async fn dynamodb_with_table() -> Dynamodb {
    let dynamodb = Dynamodb::start(0, None).await.unwrap();
    dynamodb.inner.client.create(&things()).await.unwrap();
    dynamodb
}

#[tokio::test]
async fn a_write_whose_reply_is_lost_is_executed() {
    let dynamodb = dynamodb_with_table().await;
    dynamodb.lose_replies_to_writes(2);
    let key = json!({ "id": { "S": "1" } });
    let get = json!({ "TableName": "Things", "Key": key });
    assert_eq!(send(&dynamodb, "GetItem", get.clone()).await, 200);
    let item = json!({ "id": { "S": "1" }, "kind": { "S": "a" } });
    let put = json!({ "TableName": "Things", "Item": item });
    assert_eq!(send(&dynamodb, "PutItem", put).await, 500);
    let update = json!({
        "TableName": "Things",
        "Key": key,
        "UpdateExpression": "SET kind = :kind",
        "ExpressionAttributeValues": { ":kind": { "S": "b" } },
    });
    assert_eq!(send(&dynamodb, "UpdateItem", update.clone()).await, 500);
    let item = dynamodb.call("GetItem", &get).await.unwrap();
    assert_eq!(item["Item"]["kind"]["S"], "b");
    assert_eq!(send(&dynamodb, "UpdateItem", update).await, 200);
}

#[tokio::test]
async fn a_request_records_its_index() {
    let dynamodb = dynamodb_with_table().await;
    let query = json!({
        "TableName": "Things",
        "IndexName": "ByKind",
        "KeyConditionExpression": "kind = :kind",
        "ExpressionAttributeValues": { ":kind": { "S": "a" } },
        "ReturnConsumedCapacity": "TOTAL",
    });
    assert_eq!(send(&dynamodb, "Query", query).await, 200);
    let expected = Request {
        operation: "Query".to_owned(),
        function: "get-thing".to_owned(),
        table: "Things".to_owned(),
        index: Some("ByKind".to_owned()),
        capacity: Some(0.5),
        denied: false,
    };
    assert_eq!(dynamodb.requests(), [expected]);
}

/// `sam local` gives every function the same access key.
#[tokio::test]
async fn the_path_of_an_endpoint_identifies_the_function() {
    let dynamodb = dynamodb_with_table().await;
    dynamodb.guard(|request| request.function != "put-thing");
    let address = |function: &str| format!("{}/{function}/", dynamodb.address());
    let answer = send_request_to(&address("put-thing"), "PutItem", &put(1)).await;
    assert_eq!(answer, Some((400, "AccessDeniedException".to_owned())));
    assert!(!exists(&dynamodb, 1).await);
    let answer = send_request_to(&address("other-thing"), "PutItem", &put(1)).await;
    assert_eq!(answer, Some((200, String::new())));
    let functions: Vec<_> =
        dynamodb.requests().into_iter().map(|request| request.function).collect();
    assert_eq!(functions, ["put-thing", "other-thing"]);
}

fn put(id: u32) -> Value {
    let item = json!({ "id": { "S": id.to_string() }, "kind": { "S": "a" } });
    json!({ "TableName": "Things", "Item": item })
}

async fn exists(dynamodb: &Dynamodb, id: u32) -> bool {
    let key = json!({ "id": { "S": id.to_string() } });
    let get = json!({ "TableName": "Things", "Key": key, "ConsistentRead": true });
    dynamodb.call("GetItem", &get).await.unwrap()["Item"].is_object()
}

#[tokio::test]
async fn each_kind_of_fault_executes_and_answers_as_documented() {
    let dynamodb = dynamodb_with_table().await;
    let always = Faults { delay_ms: 50, ..Faults::default() };
    let some = |status: u16, kind: &str| Some((status, kind.to_owned()));
    let cases = [
        (Faults { lost: 1, ..always }, true, some(500, "InternalServerError")),
        (Faults { broken: 1, ..always }, true, None),
        (Faults { failed: 1, ..always }, false, some(500, "InternalServerError")),
        (Faults { throttled: 1, ..always }, false, some(400, "ThrottlingException")),
        (
            Faults { exceeded: 1, ..always },
            false,
            some(400, "ProvisionedThroughputExceededException"),
        ),
        (Faults { late: 1, ..always }, true, some(200, "")),
        (Faults { slow: 1, ..always }, true, some(200, "")),
        (Faults::default(), true, some(200, "")),
    ];
    for (id, (faults, executed, answer)) in (0..).zip(cases) {
        dynamodb.inject_faults(faults);
        let start = Instant::now();
        assert_eq!(send_request(&dynamodb, "PutItem", &put(id)).await, answer, "{faults:?}");
        let is_delayed = faults.late + faults.slow > 0;
        assert!(!is_delayed || start.elapsed().as_millis() >= 50, "{faults:?}");
        assert_eq!(exists(&dynamodb, id).await, executed, "{faults:?}");
    }
    let counts: Vec<_> = dynamodb.injected_faults().into_values().collect();
    assert_eq!(counts, [1; 7]);
    assert_eq!(dynamodb.requests().len(), 8, "requests that were not executed are recorded too");
}

/// A client that closes the connection does not cancel its write.
#[tokio::test]
async fn a_late_write_is_executed_after_the_client_is_gone() {
    let dynamodb = dynamodb_with_table().await;
    dynamodb.inject_faults(Faults { late: 1, delay_ms: 100, ..Faults::default() });
    let injected = async {
        while dynamodb.injected_faults().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let body = put(1);
    tokio::select! {
        answer = send_request(&dynamodb, "PutItem", &body) => panic!("answered before the delay: {answer:?}"),
        () = injected => {}
    }
    let done = async {
        while !exists(&dynamodb, 1).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), done).await.unwrap();
}

#[tokio::test]
async fn the_same_seed_selects_the_same_requests() {
    let dynamodb = dynamodb_with_table().await;
    let faults = Faults { seed: 4711, failed: 3, throttled: 5, ..Faults::default() };
    let run = async |faults: Faults| {
        dynamodb.inject_faults(faults);
        let mut statuses = Vec::new();
        for _ in 0..60 {
            statuses.push(send(&dynamodb, "PutItem", put(1)).await);
        }
        statuses
    };
    let first = run(faults).await;
    assert_eq!(run(faults).await, first);
    assert_ne!(run(Faults { seed: 4712, ..faults }).await, first);
    for status in [200, 400, 500] {
        assert!(first.contains(&status), "{status} in {first:?}");
    }
    let expected: BTreeMap<_, _> =
        [(FaultKind::Failed, 40..80), (FaultKind::Throttled, 15..40)].into();
    let injected = dynamodb.injected_faults();
    assert_eq!(injected.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (kind, count) in injected {
        assert!(expected[&kind].contains(&count), "{kind:?} {count} times in 180");
    }
}

#[tokio::test]
async fn a_request_that_the_guard_does_not_allow_is_refused_and_recorded() {
    let dynamodb = dynamodb_with_table().await;
    dynamodb.guard(|request| request.operation != "PutItem");
    let denied = Some((400, "AccessDeniedException".to_owned()));
    assert_eq!(send_request(&dynamodb, "PutItem", &put(1)).await, denied);
    assert!(!exists(&dynamodb, 1).await);
    let get = json!({ "TableName": "Things", "Key": { "id": { "S": "1" } } });
    assert_eq!(send(&dynamodb, "GetItem", get).await, 200);
    let requests = dynamodb.requests().into_iter();
    let recorded: Vec<_> = requests.map(|one| (one.operation, one.denied)).collect();
    assert_eq!(recorded, [("PutItem".to_owned(), true), ("GetItem".to_owned(), false)]);
}

#[tokio::test]
async fn only_a_read_without_consistent_read_is_stale() {
    let dynamodb = dynamodb_with_table().await;
    dynamodb.inject_faults(Faults { stale: 1, ..Faults::default() });
    let statuses = Arc::new(Mutex::new(Vec::new()));
    let seen = statuses.clone();
    dynamodb.observe(move |exchange| {
        let answer: Value = serde_json::from_slice(exchange.response_body).unwrap();
        let found = answer["Item"].is_object();
        seen.lock().unwrap().push((
            exchange.request.operation.clone(),
            exchange.status.as_u16(),
            found,
        ));
    });
    for consistent in [false, true] {
        let key = json!({ "id": { "S": "1" } });
        let get = json!({ "TableName": "Things", "Key": key, "ConsistentRead": consistent });
        assert_eq!(send(&dynamodb, "GetItem", get.clone()).await, 200);
        assert_eq!(send(&dynamodb, "PutItem", put(1)).await, 200);
        assert_eq!(send(&dynamodb, "GetItem", get).await, 200);
    }
    let seen = statuses.lock().unwrap();
    let found = seen.iter().filter(|seen| seen.0 == "GetItem").map(|seen| seen.2);
    assert_eq!(found.collect::<Vec<_>>(), [false, false, true, true]);
    assert_eq!(seen.len(), 6);
}

/// Two services on one engine: each uses its own table, and deletes it at the end.
#[test]
fn on_an_external_engine_each_service_has_its_own_tables_and_deletes_them() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let engine = runtime.block_on(async { Dynamodb::start(0, None).await.unwrap() });
    let tables = || runtime.block_on(engine.call("ListTables", &json!({}))).unwrap();
    let count = || tables()["TableNames"].as_array().unwrap().len();
    let before = count();
    let other = tokio::runtime::Runtime::new().unwrap();
    other.block_on(async {
        let service = async || {
            let listener = Listener::open("DynamoDB", 0).await.unwrap();
            let dynamodb = Dynamodb::with_engine(
                listener,
                EngineClient::external(engine.address()).unwrap(),
                SideEffects::default(),
            )
            .unwrap();
            dynamodb.inner.client.create(&things()).await.unwrap();
            dynamodb
        };
        let (one, two) = (service().await, service().await);
        assert_eq!(one.engine(), Engine::Other);
        assert_eq!(send(&one, "PutItem", put(1)).await, 200);
        assert!(exists(&one, 1).await && !exists(&two, 1).await);
        let batch =
            json!({ "RequestItems": { "Things": [{ "PutRequest": { "Item": put(2)["Item"] } }] } });
        one.call("BatchWriteItem", &batch).await.unwrap();
        assert!(exists(&one, 2).await);
        assert_eq!(one.requests()[0].table, "Things");
        let described = one.call("DescribeTable", &json!({ "TableName": "Things" })).await;
        assert_eq!(described.unwrap()["Table"]["TableName"], "Things");
    });
    assert_eq!(count(), before + 2);
    drop(other);
    assert_eq!(count(), before);
}

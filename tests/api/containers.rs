//! What functions in a container call: the local service on one more address.

use std::net::{IpAddr, Ipv4Addr};

use local::{Local, Options};

const BRIDGE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[tokio::test]
async fn what_functions_call_answers_on_one_more_address_and_nothing_else_does() {
    let containers = Some(IpAddr::V4(BRIDGE));
    let local = Local::start(Options { containers, ..Options::default() }).await.unwrap();
    let http = local::http_client().unwrap();
    let addresses = local.addresses();
    for own in [&addresses.netaxept, &addresses.issuer, &addresses.secrets, &addresses.dynamodb] {
        let expected = http.get(own).send().await.unwrap();
        let answer = http.get(own.replace("127.0.0.1", "127.0.0.2")).send().await.unwrap();
        assert_eq!(answer.status(), expected.status(), "{own}");
        assert_eq!(answer.text().await.unwrap(), expected.text().await.unwrap(), "{own}");
    }
    for own in [&addresses.api, &addresses.console] {
        http.get(own).send().await.unwrap();
        let failed = http.get(own.replace("127.0.0.1", "127.0.0.2")).send().await.unwrap_err();
        assert!(failed.is_connect(), "{own}: {failed}");
    }
}

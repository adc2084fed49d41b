//! The services that functions in a container call: the local service also listens on a second address for them.

use std::net::{IpAddr, Ipv4Addr};

use local::{Local, Options};

const BRIDGE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[tokio::test]
async fn only_services_for_functions_listen_on_the_second_address() {
    let containers = Some(IpAddr::V4(BRIDGE));
    let local = Local::start(Options { containers, ..Options::default() }).await.unwrap();
    let http = local::http_client().unwrap();
    let addresses = local.addresses();
    for address in [&addresses.netaxept, &addresses.issuer, &addresses.secrets, &addresses.dynamodb]
    {
        let expected = http.get(address).send().await.unwrap();
        let response = http.get(address.replace("127.0.0.1", "127.0.0.2")).send().await.unwrap();
        assert_eq!(response.status(), expected.status(), "{address}");
        assert_eq!(response.text().await.unwrap(), expected.text().await.unwrap(), "{address}");
    }
    for address in [&addresses.api, &addresses.console] {
        http.get(address).send().await.unwrap();
        let failed = http.get(address.replace("127.0.0.1", "127.0.0.2")).send().await.unwrap_err();
        assert!(failed.is_connect(), "{address}: {failed}");
    }
}

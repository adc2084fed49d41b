//! Checks that a `callbackUrl` cannot make the service call itself or a private network (SSRF).

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use std::io::ErrorKind;
use std::net::TcpListener;

use chrono::{DateTime, Utc};
use shared::config::{CallbackAddresses, NotificationConfig};
use shared::domain::id::{Attempt, RecurringPaymentId, Sequence, Slot, TransactionId};
use shared::domain::notification::{Event, Notification, SetupEvent, WalletEvent};
use shared::domain::text::CallbackUrl;
use shared::notify::{Message, Notifier, callback_url};
use shared::secret::Secret;

/// Different spellings of the addresses of this machine, private networks and metadata services. `PORT` stands for the port
/// that the test listens on.
const HOSTILE: &str = r"
    https://127.0.0.1:PORT/ https://127.0.0.1.:PORT/ https://127.1:PORT/ https://127.0.1:PORT/ https://127.0.0.2:PORT/
    https://127.255.255.254:PORT/ https://2130706433:PORT/ https://0x7f000001:PORT/ https://0X7F000001:PORT/
    https://0x7f.1:PORT/ https://0x7f.0.0.1:PORT/ https://0x7f.0x0.0x0.0x1:PORT/ https://017700000001:PORT/
    https://0177.0.0.1:PORT/ https://0177.1:PORT/ https://00000177.00.00.01:PORT/ https://127.0x1:PORT/
    https://127.0.0.01:PORT/ https://0:PORT/ https://0.0.0.0:PORT/ https://0x0:PORT/ https://00:PORT/ https://0.0:PORT/
    https://%31%32%37.0.0.1:PORT/ https://127%2e0%2e0%2e1:PORT/ https://127。0。0。1:PORT/ https://127.0.0.1:PORT/
    https://①②⑦.⓪.⓪.①:PORT/ https://1②7.0.0.1:PORT/ https://１２７.０.０.１:PORT/
    https://[::1]:PORT/ https://[0:0:0:0:0:0:0:1]:PORT/ https://[0000:0000:0000:0000:0000:0000:0000:0001]:PORT/
    https://[::]:PORT/ https://[::ffff:127.0.0.1]:PORT/ https://[::ffff:7f00:1]:PORT/ https://[::FFFF:7F00:0001]:PORT/
    https://[0:0:0:0:0:ffff:127.0.0.1]:PORT/ https://[::127.0.0.1]:PORT/ https://[::7f00:1]:PORT/
    https://[64:ff9b::127.0.0.1]:PORT/ https://[64:ff9b::7f00:1]:PORT/ https://[64:ff9b:1::7f00:1]:PORT/
    https://[2002:7f00:1::]:PORT/ https://[2002:7f00:0001::1]:PORT/ https://[2001:0:7f00:1::]:PORT/
    https://[2001:db8::1]:PORT/ https://[fe80::1]:PORT/ https://[febf::1]:PORT/ https://[fec0::1]:PORT/
    https://[fc00::1]:PORT/ https://[fd00::1]:PORT/ https://[fd00:ec2::254]/ https://[fd20:ce::254]/ https://[ff02::1]:PORT/
    https://[ff0e::1]:PORT/ https://[100::1]:PORT/ https://[5f00::1]:PORT/ https://[3fff::1]:PORT/
    https://[::ffff:169.254.169.254]/ https://[::ffff:a9fe:a9fe]/ https://[::ffff:10.0.0.1]:PORT/ https://[::ffff:0:127.0.0.1]:PORT/
    https://localhost:PORT/ https://LOCALHOST:PORT/ https://localhost.:PORT/ https://LocalHost:PORT/x
    https://loc%61lhost:PORT/ https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/ https://localhost.localdomain:PORT/ https://ip6-localhost:PORT/
    https://ip6-loopback:PORT/ https://a.localhost:PORT/
    https://127.0.0.1.nip.io:PORT/ https://127-0-0-1.sslip.io:PORT/ https://localtest.me:PORT/ https://lvh.me:PORT/
    https://vcap.me:PORT/ https://7f000001.c0a80001.rbndr.us:PORT/ https://make-127.0.0.1-rr.1u.ms:PORT/
    https://169.254.169.254/latest/meta-data/ https://169.254.169.254.nip.io/ https://2852039166/ https://0xa9fea9fe/
    https://0251.0376.0251.0376/ https://0xa9.0xfe.0xa9.0xfe/ https://169.16689662/ https://169.254.43518/
    https://169.254.170.2/v2/credentials https://169.254.170.23/ https://metadata.google.internal/ https://metadata/
    https://instance-data/ https://100.100.100.200/ https://168.63.129.16/ https://192.0.0.192/ https://[fd00:ec2:0:0::254]/
    https://10.0.0.1:PORT/ https://10.255.255.255:PORT/ https://172.16.0.1:PORT/ https://172.31.255.254:PORT/
    https://192.168.0.1:PORT/ https://192.168.255.255:PORT/ https://3232235521:PORT/ https://100.64.0.1:PORT/
    https://198.18.0.1:PORT/ https://192.0.2.1:PORT/ https://198.51.100.1:PORT/ https://203.0.113.1:PORT/
    https://224.0.0.1:PORT/ https://240.0.0.1:PORT/ https://255.255.255.255:PORT/
    https://shop.example@127.0.0.1:PORT/ https://shop.example:443@127.0.0.1:PORT/ https://127.0.0.1:PORT@127.0.0.1:PORT/
    https://user:pass@localhost:PORT/ https://@127.0.0.1:PORT/ https://:@127.0.0.1:PORT/ https://shop.example%00@127.0.0.1:PORT/
    https://127.0.0.1:PORT\@shop.example/ https://127.0.0.1:PORT#@shop.example/ https://127.0.0.1:PORT?@shop.example/
    https://127.0.0.1:PORT\shop.example/ https:\\127.0.0.1:PORT\ https:127.0.0.1:PORT/ https:///127.0.0.1:PORT/
    https:////127.0.0.1:PORT/ HTTPS://127.0.0.1:PORT/ hTTps://127.0.0.1:PORT/
    http://127.0.0.1:PORT/ http://localhost:PORT/ http://[::1]:PORT/ http://shop.example/ http://0x7f.1:PORT/
    ftp://127.0.0.1:PORT/ file:///etc/passwd gopher://127.0.0.1:PORT/_ dict://127.0.0.1:PORT/ ws://127.0.0.1:PORT/
    unix:///var/run/docker.sock javascript:alert(1) data:text/plain,x //127.0.0.1:PORT/ 127.0.0.1:PORT localhost:PORT
    https://127.0.0.1:0PORT/ https://127.0.0.1:+PORT/ https://127.0.0.1:PORT:PORT/ https://[::1%25lo]:PORT/ https://[127.0.0.1]:PORT/
";

fn now() -> DateTime<Utc> {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn notifier(addresses: CallbackAddresses) -> Notifier {
    let secret = Secret::new("whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0ISE=".to_owned());
    Notifier::new(&NotificationConfig { secret, addresses }).unwrap()
}

fn notification(to: CallbackUrl) -> Notification<WalletEvent> {
    let id = RecurringPaymentId::new(Slot::new(7), Sequence::NONE.next());
    let transaction_id = TransactionId::new(id, Attempt::try_from(0).unwrap());
    let setup = SetupEvent { transaction_id, event: Event::Activated };
    Notification::new(to, WalletEvent::Setup(setup), now())
}

/// Listens on the same port of 127.0.0.1 and, if IPv6 is available, of `::1`.
fn listeners() -> (u16, Vec<TcpListener>) {
    let four = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = four.local_addr().unwrap().port();
    let six = TcpListener::bind(("::1", port)).ok();
    let all: Vec<_> = [Some(four), six].into_iter().flatten().collect();
    for listener in &all {
        listener.set_nonblocking(true).unwrap();
    }
    (port, all)
}

fn has_connection(listeners: &[TcpListener]) -> bool {
    listeners.iter().any(|listener| match listener.accept() {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    })
}

/// Neither the check of a request nor the delivery of a stored address connects to it.
#[tokio::test]
async fn no_hostile_address_is_called() {
    let (port, listeners) = listeners();
    let notifier = notifier(CallbackAddresses::Public);
    let spellings: Vec<_> = HOSTILE.split_ascii_whitespace().collect();
    assert!(spellings.len() >= 100, "{}", spellings.len());
    for spelling in spellings {
        let address = spelling.replace("PORT", &port.to_string());
        let accepted = callback_url(&address, CallbackAddresses::Public).ok();
        for url in accepted.into_iter().chain(CallbackUrl::from_stored(&address).ok()) {
            let delivered = notifier.send(&Message::about_wallet(&notification(url)), now()).await;
            assert!(delivered.is_err(), "{address}");
        }
        assert!(!has_connection(&listeners), "{address}");
    }
}

/// Proves that the test above would detect a connection: the notifier connects to an allowed address.
#[tokio::test]
async fn an_allowed_address_is_called() {
    let (port, listeners) = listeners();
    let notifier = notifier(CallbackAddresses::Local);
    let url = callback_url(&format!("http://127.0.0.1:{port}/"), CallbackAddresses::Local).unwrap();
    let notification = notification(url);
    let failed = tokio::spawn(async move {
        notifier.send(&Message::about_wallet(&notification), now()).await.is_err()
    });
    while !has_connection(&listeners) {
        tokio::task::yield_now().await;
    }
    // The listener closed the connection without a response, so the delivery failed.
    assert!(failed.await.unwrap());
}

#[tokio::test]
async fn public_addresses_are_accepted() {
    for address in [
        "https://shop.example/hook?a=b",
        "https://shop.example:8443/",
        "https://1.1.1.1/",
        "https://[2606:4700:4700::1111]/",
        "https://xn--nxasmq6b/",
    ] {
        assert!(callback_url(address, CallbackAddresses::Public).is_ok(), "{address}");
    }
}

//! Allows only public addresses for notifications, so that a caller cannot make this service call its own network.
//!
//! This module also resolves the host name, and the client connects to the addresses that were checked. So a name that resolves
//! differently the next time (DNS rebinding) has no effect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::LazyLock;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::config::CallbackAddresses;
use crate::error::{Cause, Violation};

const SCHEME: Violation = Violation::new("scheme", "must begin with https://");
/// The violation when local addresses are allowed.
const LOCAL_SCHEME: Violation =
    Violation::new("scheme", "must begin with https:// or http://127.0.0.1");
const PUBLIC: Violation = Violation::new("address", "must be a public address");

/// The blocks that are not public (IANA's special-purpose registries), and a cloud provider's metadata service. IPv6 addresses
/// outside the global unicast block, `2000::/3`, are never public and need no entry here.
static SPECIAL: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let blocks = "\
        0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 \
        192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 \
        203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32 \
        2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20";
    blocks.split_ascii_whitespace().filter_map(|block| block.parse().ok()).collect()
});

const GLOBAL_UNICAST: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);

/// The address that is allowed in addition on a developer's own machine.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn is_public(address: IpAddr) -> bool {
    let can_be_public = match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => address.segments()[0] & 0xe000 == GLOBAL_UNICAST.segments()[0],
    };
    can_be_public && !SPECIAL.iter().any(|block| block.contains(&address))
}

fn is_allowed(address: IpAddr, addresses: CallbackAddresses) -> bool {
    is_public(address) || (address == LOOPBACK && addresses == CallbackAddresses::Local)
}

/// Checks the scheme of an address, and its host if that is an IP address. Does not resolve names.
pub(super) fn check(url: &Url, addresses: CallbackAddresses) -> Result<(), Violation> {
    let literal = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::from(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::from(address)),
        Some(Host::Domain(_)) => None,
        None => return Err(PUBLIC),
    };
    let is_refused = literal.is_some_and(|address| !is_allowed(address, addresses));
    let needs_no_tls = addresses == CallbackAddresses::Local && literal == Some(LOOPBACK);
    match url.scheme() {
        "https" => {}
        "http" if needs_no_tls => {}
        _ if addresses == CallbackAddresses::Local => return Err(LOCAL_SCHEME),
        _ => return Err(SCHEME),
    }
    if is_refused { Err(PUBLIC) } else { Ok(()) }
}

/// Resolves a name. Fails unless all of its addresses are allowed.
pub(super) struct Resolver(pub(super) CallbackAddresses);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.0;
        Box::pin(async move {
            let resolved = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(check_resolved(resolved, addresses)?.into_iter()) as Addrs)
        })
    }
}

fn check_resolved(
    resolved: impl Iterator<Item = SocketAddr>,
    addresses: CallbackAddresses,
) -> Result<Vec<SocketAddr>, Cause> {
    let resolved: Vec<_> = resolved.collect();
    // A name with even one address that is not public is suspicious.
    if resolved.iter().all(|socket| is_allowed(socket.ip(), addresses)) {
        Ok(resolved)
    } else {
        Err("the name resolves to an address that is not public".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(address: &str) -> bool {
        is_public(address.parse().unwrap())
    }

    #[test]
    fn the_first_and_last_address_of_every_special_block_are_not_public() {
        assert_eq!(SPECIAL.len(), 24);
        for block in SPECIAL.iter() {
            let (first, last) = (block.network(), block.broadcast());
            assert!(!is_public(first) && !is_public(last), "{block}");
        }
    }

    #[test]
    fn public_addresses_are_allowed() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2600::1",
            "2a00:1450:400f:80d::200e",
            "2001:200::1",
        ] {
            assert!(public(address), "{address}");
        }
    }

    #[test]
    fn other_addresses_are_not_public() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "169.254.170.2",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "255.255.255.255",
            "100.100.100.200",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!public(address), "{address}");
        }
    }

    #[test]
    fn a_name_with_one_address_that_is_not_public_is_refused() {
        let sockets = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect()
        };
        let is_accepted = |texts: &[&str], addresses| {
            check_resolved(sockets(texts).into_iter(), addresses)
                .is_ok_and(|kept| kept == sockets(texts))
        };
        assert!(is_accepted(&["1.1.1.1", "2600::1"], CallbackAddresses::Public));
        for private in ["127.0.0.1", "10.0.0.1", "::1", "169.254.169.254"] {
            assert!(!is_accepted(&["1.1.1.1", private], CallbackAddresses::Public), "{private}");
        }
        assert!(is_accepted(&["127.0.0.1"], CallbackAddresses::Local));
        assert!(!is_accepted(&["127.0.0.2"], CallbackAddresses::Local));
    }
}

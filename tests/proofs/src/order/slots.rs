//! The slot of a customer's wallet and the id of an order's payment, implemented a second time from shared/README.md: the first 39 bits of a keyed hash of
//! organisation, probe and customer number. The id of a payment is 49 bits of such a hash.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Number of bits of a slot in an id.
const SLOT_BITS: u32 = 39;
/// Number of bits of the id of a payment.
const PAYMENT_BITS: u32 = 49;

/// Pairs of customers of organisation 1 with the same first slot, for the local service's key. Found with
/// `proofs collisions 4000000`. Of each pair, the customer that is created second gets its next slot.
pub const COLLIDING_CUSTOMERS: [(&str, &str); 16] = [
    ("c634957", "c2090217"),
    ("c634386", "c1955122"),
    ("c891267", "c3143845"),
    ("c557067", "c3965950"),
    ("c150717", "c962287"),
    ("c2380107", "c2459780"),
    ("c468871", "c3910594"),
    ("c2461303", "c2822591"),
    ("c2350254", "c2707385"),
    ("c31847", "c3915794"),
    ("c12632", "c1779010"),
    ("c1155346", "c3271983"),
    ("c2440529", "c2996477"),
    ("c67739", "c1628101"),
    ("c1367661", "c3989719"),
    ("c1008873", "c2708550"),
];

/// The slot of a customer for a probe number.
#[must_use]
pub fn slot(organisation: u64, customer: &str, probe: u8) -> u64 {
    u64::from_be_bytes(hash(organisation, customer, probe)) >> (u64::BITS - SLOT_BITS)
}

fn hash(organisation: u64, customer: &str, probe: u8) -> [u8; 8] {
    first_bytes(&[&organisation.to_be_bytes(), &[probe], customer.as_bytes()])
}

/// The id of the payment of an order: 49 bits of a keyed hash of organisation, probe, order id and order version. The probe is
/// always 0 here: two orders of a run do not have the same id.
#[must_use]
pub fn payment_id(organisation: u64, order: &str, version: u32) -> u64 {
    let (organisation, version) = (organisation.to_be_bytes(), version.to_be_bytes());
    let parts: [&[u8]; 5] = [b"payment", &organisation, &[0], order.as_bytes(), &version];
    u64::from_be_bytes(first_bytes(&parts)) >> (u64::BITS - PAYMENT_BITS)
}

/// The first bytes of the keyed hash of these parts.
fn first_bytes(parts: &[&[u8]]) -> [u8; 8] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(&Sha256::digest(local::ID_KEY));
    let mut mac = Hmac::<Sha256>::new(&key.into());
    for part in parts {
        mac.update(part);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&mac.finalize().into_bytes()[..8]);
    first
}

/// Returns pairs of customers `c0`, `c1`, … of organisation 1 with the same first slot.
#[must_use]
pub fn collisions(count: u32) -> Vec<(String, String)> {
    let mut all: Vec<(u64, u32)> =
        (0..count).map(|number| (slot(1, &format!("c{number}"), 0), number)).collect();
    all.sort_unstable();
    let colliding = all.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    colliding.map(|pair| (format!("c{}", pair[0].1), format!("c{}", pair[1].1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colliding_customers_share_their_first_slot() {
        for (one, other) in COLLIDING_CUSTOMERS {
            assert_eq!(slot(1, one, 0), slot(1, other, 0), "{one} and {other}");
            assert_ne!(slot(1, one, 1), slot(1, other, 1), "{one} and {other}");
        }
    }
}

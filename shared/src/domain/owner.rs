//! Whose a wallet is, and where it lies: a keyed hash of organisation and customer number.

use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::domain::caller::Caller;
use crate::domain::customer::{Customer, Organisation};
use crate::domain::id::Slot;

/// 16 bytes that stand for these parts.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

/// The whole keyed hash of a customer. It stands in the wallet in the customer number's stead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner(pub [u8; 32]);

/// The key of the hash. It guards against guessing where a customer's wallet lies, and nothing else.
#[derive(Clone)]
pub struct IdKey {
    /// With the key taken in, which is half of the work.
    mac: Hmac<Sha256>,
    slot_bits: u32,
}

impl IdKey {
    /// A key from any text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut key = Key::<Hmac<Sha256>>::default();
        for (byte, digest) in key.iter_mut().zip(Sha256::digest(text)) {
            *byte = digest;
        }
        Self { mac: Hmac::new(&key), slot_bits: Slot::BITS }
    }

    /// The same key with fewer slots than 2^39, for tests in which collisions are ordinary.
    #[must_use]
    pub fn with_slot_bits(self, slot_bits: u32) -> Self {
        Self { slot_bits, ..self }
    }

    /// The owner that a customer is.
    #[must_use]
    pub fn owner(&self, customer: &Customer) -> Owner {
        Owner(self.hash(customer, 0))
    }

    /// Where the customer's wallet lies: with probe 0, or, when other owners lie there, with 1, 2 and so on.
    #[must_use]
    pub fn slot(&self, customer: &Customer, probe: u8) -> Slot {
        let mut first = [0; 8];
        first.copy_from_slice(&self.hash(customer, probe)[..8]);
        Slot::new(u64::from_be_bytes(first) >> (u64::BITS - self.slot_bits))
    }

    /// Whether the caller may see this owner's wallet (api.md §5): a customer their own, everybody else those of the
    /// token's organisation.
    #[must_use]
    pub fn admits(&self, caller: &Caller, organisation: Organisation, owner: Owner) -> bool {
        match &caller.customer {
            Some(number) => {
                self.owner(&Customer { organisation: caller.organisation, number: number.clone() })
                    == owner
            }
            None => caller.tenant.is_privileged() && caller.organisation == organisation,
        }
    }

    fn hash(&self, customer: &Customer, probe: u8) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(&customer.organisation.number().to_be_bytes());
        mac.update(&[probe]);
        mac.update(customer.number.as_str().as_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::caller::Tenant;
    use crate::domain::customer::CustomerNumber;

    fn customer(organisation: u64, number: &str) -> Customer {
        Customer {
            organisation: Organisation::new(organisation),
            number: CustomerNumber::try_from(number).unwrap(),
        }
    }

    /// A stored literal: whoever changes the hash puts every stored card out of reach.
    #[test]
    fn the_place_of_a_wallet_never_moves() {
        let key = IdKey::new("a key of at least thirty-two chars");
        assert_eq!(key.slot(&customer(1, "4711"), 0).number(), 193_644_057_534);
    }

    /// A customer sees their own wallet, and a privileged caller those of the organisation. Nobody else sees any.
    #[test]
    fn who_may_see_a_wallet() {
        let key = IdKey::new("one");
        let wallet = customer(1, "1");
        for (tenant, of, organisation, may) in [
            (Tenant::Internal, None, 1, true),
            (Tenant::Internal, None, 2, false),
            (Tenant::Partner, None, 1, true),
            (Tenant::Partner, None, 2, false),
            (Tenant::Traveller, Some("1"), 1, true),
            (Tenant::Traveller, Some("2"), 1, false),
            (Tenant::Traveller, Some("1"), 2, false),
            (Tenant::Person, Some("1"), 1, true),
            (Tenant::Person, Some("2"), 1, false),
            // Tokens of these kinds always name a customer. If one did not, it would see nothing.
            (Tenant::Traveller, None, 1, false),
            (Tenant::Person, None, 1, false),
        ] {
            let caller = Caller {
                tenant,
                organisation: Organisation::new(organisation),
                customer: of.map(|number| CustomerNumber::try_from(number).unwrap()),
                client: String::new(),
                permissions: Vec::new(),
                valid_from: None,
                expires_at: DateTime::UNIX_EPOCH,
            };
            let sees = key.admits(&caller, wallet.organisation, key.owner(&wallet));
            assert_eq!(sees, may, "{caller:?}");
        }
    }

    #[test]
    fn organisation_number_probe_and_key_all_count() {
        let (key, other) = (IdKey::new("one"), IdKey::new("two"));
        let all = [
            key.slot(&customer(1, "1"), 0),
            key.slot(&customer(2, "1"), 0),
            key.slot(&customer(1, "2"), 0),
            key.slot(&customer(1, "1"), 1),
            other.slot(&customer(1, "1"), 0),
        ];
        for (place, slot) in all.iter().enumerate() {
            assert!(!all[..place].contains(slot));
        }
        assert!(
            (0..100).all(|probe| key
                .clone()
                .with_slot_bits(2)
                .slot(&customer(1, "1"), probe)
                .number()
                < 4)
        );
    }
}

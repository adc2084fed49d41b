//! The owner and the slot of a wallet, both derived from a keyed hash of organisation and customer number. The id of a payment,
//! derived from a keyed hash of the order.

use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::domain::caller::Caller;
use crate::domain::customer::{Customer, Organisation};
use crate::domain::id::{PaymentId, Slot};
use crate::domain::order::Order;

/// The first 16 bytes of the SHA-256 hash of the parts, each with its length.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let mut truncated = [0; 16];
    truncated.copy_from_slice(&hash.finalize()[..16]);
    truncated
}

/// The full keyed hash of a customer. A wallet stores it instead of the customer number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner(pub [u8; 32]);

/// The full keyed hash of an order. A payment stores it to recognise its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderHash(pub [u8; 32]);

/// The key of the hash. Its only purpose is to make the slots of customers and the ids of payments unpredictable.
#[derive(Clone)]
pub struct IdKey {
    /// Already initialised with the key, which is half of the computation.
    mac: Hmac<Sha256>,
    slot_bits: u32,
    payment_bits: u32,
}

impl IdKey {
    /// Derives a key from a text of any length.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut key = Key::<Hmac<Sha256>>::default();
        for (byte, digest) in key.iter_mut().zip(Sha256::digest(text)) {
            *byte = digest;
        }
        Self { mac: Hmac::new(&key), slot_bits: Slot::BITS, payment_bits: PaymentId::BITS }
    }

    /// The same key with fewer slots than 2^39, for tests with frequent collisions.
    #[must_use]
    pub fn with_slot_bits(self, slot_bits: u32) -> Self {
        Self { slot_bits, ..self }
    }

    /// The same key with fewer payment ids than 2^49, for tests with frequent collisions.
    #[must_use]
    pub fn with_payment_bits(self, payment_bits: u32) -> Self {
        Self { payment_bits, ..self }
    }

    /// The owner hash of a customer.
    #[must_use]
    pub fn owner(&self, customer: &Customer) -> Owner {
        Owner(self.hash(customer, 0))
    }

    /// The slot of the customer's wallet. Probe 0 is tried first; 1, 2 and so on follow if another owner has the slot.
    #[must_use]
    pub fn slot(&self, customer: &Customer, probe: u8) -> Slot {
        Slot::new(first_bits(self.hash(customer, probe), self.slot_bits))
    }

    /// The hash of an order.
    #[must_use]
    pub fn order_hash(&self, order: &Order) -> OrderHash {
        OrderHash(self.hash_order(order, 0))
    }

    /// The id of the payment of an order. Probe 0 is tried first; 1, 2 and so on follow if another order has the id.
    #[must_use]
    pub fn payment_id(&self, order: &Order, probe: u8) -> PaymentId {
        PaymentId::from_bits(first_bits(self.hash_order(order, probe), self.payment_bits))
    }

    /// Returns whether the caller may access this owner's wallet (api.md §5): customers only their own, privileged callers those of
    /// the token's organisation.
    #[must_use]
    pub fn caller_can_access(
        &self,
        caller: &Caller,
        organisation: Organisation,
        owner: Owner,
    ) -> bool {
        match &caller.customer {
            Some(number) => {
                self.owner(&Customer { organisation: caller.organisation, number: number.clone() })
                    == owner
            }
            None => caller.tenant.is_privileged() && caller.organisation == organisation,
        }
    }

    /// payments.md §4.5. The tag keeps this hash apart from that of a customer; the version has a fixed length, so no two orders
    /// have the same input.
    fn hash_order(&self, order: &Order, probe: u8) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(b"payment");
        mac.update(&order.organisation.number().to_be_bytes());
        mac.update(&[probe]);
        mac.update(order.id.as_str().as_bytes());
        mac.update(&order.version.number().to_be_bytes());
        mac.finalize().into_bytes().into()
    }

    fn hash(&self, customer: &Customer, probe: u8) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(&customer.organisation.number().to_be_bytes());
        mac.update(&[probe]);
        mac.update(customer.number.as_str().as_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// The first bits of a hash, 1 to 64, as a number.
fn first_bits(hash: [u8; 32], bits: u32) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_be_bytes(first) >> (u64::BITS - bits)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::caller::Tenant;
    use crate::domain::customer::CustomerNumber;
    use crate::domain::order::{OrderId, OrderVersion};

    fn order(organisation: u64, id: &str, version: u64) -> Order {
        Order {
            organisation: Organisation::new(organisation),
            id: OrderId::try_from(id).unwrap(),
            version: OrderVersion::try_from(version).unwrap(),
        }
    }

    fn customer(organisation: u64, number: &str) -> Customer {
        Customer {
            organisation: Organisation::new(organisation),
            number: CustomerNumber::try_from(number).unwrap(),
        }
    }

    /// The first half of the SHA-256 of 0000000000000001 `a` 0000000000000002 `bc`. It must not change: idempotency keys are stored
    /// with it, and Nets knows registrations by it.
    #[test]
    fn the_hash_of_parts_never_changes_and_depends_on_each_part() {
        let expected = 0x3faf_a1cf_2f19_a7c1_129b_eb20_cf09_83f7_u128;
        assert_eq!(u128::from_be_bytes(hash(&[b"a", b"bc"])), expected);
        let others: [&[&[u8]]; 4] = [&[b"ab", b"c"], &[b"abc"], &[b"a", b"bd"], &[]];
        for other in others {
            assert_ne!(u128::from_be_bytes(hash(other)), expected, "{other:?}");
        }
    }

    /// The hash must not change: otherwise no stored wallet could be found any more.
    #[test]
    fn the_slot_of_a_customer_never_changes() {
        let key = IdKey::new("a key of at least thirty-two chars");
        assert_eq!(key.slot(&customer(1, "4711"), 0).number(), 193_644_057_534);
    }

    /// Customers can access their own wallet, and privileged callers all wallets of their organisation.
    #[test]
    fn only_the_customer_and_the_organisation_can_access_a_wallet() {
        let key = IdKey::new("one");
        let wallet = customer(1, "1");
        for (tenant, number, organisation, expected) in [
            (Tenant::Internal, None, 1, true),
            (Tenant::Internal, None, 2, false),
            (Tenant::Partner, None, 1, true),
            (Tenant::Partner, None, 2, false),
            (Tenant::Traveller, Some("1"), 1, true),
            (Tenant::Traveller, Some("2"), 1, false),
            (Tenant::Traveller, Some("1"), 2, false),
            (Tenant::Person, Some("1"), 1, true),
            (Tenant::Person, Some("2"), 1, false),
            // Tokens of these tenants always contain a customer. Without one they give no access.
            (Tenant::Traveller, None, 1, false),
            (Tenant::Person, None, 1, false),
        ] {
            let caller = Caller {
                tenant,
                organisation: Organisation::new(organisation),
                customer: number.map(|number| CustomerNumber::try_from(number).unwrap()),
                client: String::new(),
                permissions: Vec::new(),
                valid_from: None,
                expires_at: DateTime::UNIX_EPOCH,
            };
            let can_access =
                key.caller_can_access(&caller, wallet.organisation, key.owner(&wallet));
            assert_eq!(can_access, expected, "{caller:?}");
        }
    }

    #[test]
    fn the_slot_depends_on_organisation_number_probe_and_key() {
        let (key, other) = (IdKey::new("one"), IdKey::new("two"));
        let all = [
            key.slot(&customer(1, "1"), 0),
            key.slot(&customer(2, "1"), 0),
            key.slot(&customer(1, "2"), 0),
            key.slot(&customer(1, "1"), 1),
            other.slot(&customer(1, "1"), 0),
        ];
        for (index, slot) in all.iter().enumerate() {
            assert!(!all[..index].contains(slot));
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

    /// The hash must not change: otherwise a repeated create would not find the payment, and would charge the order again.
    #[test]
    fn the_payment_id_of_an_order_never_changes() {
        let key = IdKey::new("a key of at least thirty-two chars");
        assert_eq!(key.payment_id(&order(1, "DW2N19A6", 1), 0).number(), 152_650_980_302_736);
    }

    #[test]
    fn the_payment_id_depends_on_organisation_order_version_probe_and_key() {
        let (key, other) = (IdKey::new("one"), IdKey::new("two"));
        let all = [
            key.payment_id(&order(1, "1", 1), 0),
            key.payment_id(&order(2, "1", 1), 0),
            key.payment_id(&order(1, "2", 1), 0),
            key.payment_id(&order(1, "1", 2), 0),
            key.payment_id(&order(1, "1", 1), 1),
            other.payment_id(&order(1, "1", 1), 0),
        ];
        for (index, id) in all.iter().enumerate() {
            assert!(!all[..index].contains(id));
        }
        assert_ne!(key.order_hash(&order(1, "1", 1)), key.order_hash(&order(1, "1", 2)));
        assert_ne!(key.order_hash(&order(1, "1", 1)).0, key.owner(&customer(1, "1")).0);
        let few = key.with_payment_bits(2);
        assert!((0..100).all(|probe| few.payment_id(&order(1, "1", 1), probe).number() < 4));
    }
}

//! Wallets and payments, read from the tables. This file knows the attributes of `shared`'s items that the pages show.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

use crate::activity::{SEQUENCE_BITS, plain_item, redacted};
use crate::{Error, Local};

/// How many items of each table are read.
pub(super) const MAX_ITEMS: usize = 500;

/// An item of a table, without secrets.
pub(super) struct Item {
    /// The keyed hash of the customer.
    pub(super) owner: String,
    pub(super) organisation: u64,
    /// The key: the slot of a wallet, or the id of a payment.
    pub(super) key: u64,
    pub(super) data: Value,
}

/// A recurring payment, as it is stored.
pub(super) struct RecurringPayment<'a> {
    pub(super) id: u64,
    pub(super) data: &'a Value,
}

/// A payment, as it is stored.
pub(super) struct Payment<'a> {
    pub(super) item: &'a Item,
}

impl Item {
    fn read(item: &Value, key: &str) -> Self {
        let data = redacted(plain_item(item));
        Self {
            owner: item["owner"]["B"].as_str().unwrap_or_default().trim_end_matches('=').to_owned(),
            organisation: data["organisation"].as_u64().unwrap_or_default(),
            key: data[key].as_u64().unwrap_or_default(),
            data,
        }
    }

    /// The first characters of the owner's hash, which name a customer whose number is not known.
    pub(super) fn short_owner(&self) -> String {
        let bytes = STANDARD_NO_PAD.decode(&self.owner).unwrap_or_default();
        let start: [u8; 4] = bytes.first_chunk().copied().unwrap_or_default();
        format!("{:08x}", u32::from_be_bytes(start))
    }

    /// The recurring payments of a wallet.
    pub(super) fn recurring_payments(&self) -> Vec<RecurringPayment<'_>> {
        let stored = self.data["payments"].as_array().into_iter().flatten();
        let recurring_payment = |data: &'_ Value| {
            data["sequence"].as_u64().map(|sequence| self.key << SEQUENCE_BITS | sequence)
        };
        stored
            .filter_map(|data| Some(RecurringPayment { id: recurring_payment(data)?, data }))
            .collect()
    }
}

impl RecurringPayment<'_> {
    pub(super) fn status(&self) -> String {
        state(&self.data["state"]).0
    }

    /// Type, last four digits and end of the card; empty if there is none.
    pub(super) fn card(&self) -> String {
        let card = &state(&self.data["state"]).1["card"];
        let text = |name: &str| card[name].as_str();
        let card = (|| {
            Some(format!("{} •••• {}, {}", text("type")?, text("lastFour")?, text("expiry")?))
        })();
        card.unwrap_or_default()
    }

    pub(super) fn nickname(&self) -> &str {
        self.data["nickname"].as_str().unwrap_or_default()
    }
}

impl Payment<'_> {
    /// Order id and version.
    pub(super) fn order(&self) -> String {
        let data = &self.item.data;
        format!(
            "{}, version {}",
            data["orderId"].as_str().unwrap_or_default(),
            data["orderVersion"]
        )
    }

    /// The transactions, newest first.
    pub(super) fn transactions(&self) -> impl Iterator<Item = &Value> {
        self.item.data["transactions"].as_array().into_iter().flatten().rev()
    }

    /// The transaction that took money if there is one, otherwise the newest one.
    fn main_transaction(&self) -> &Value {
        let has_money = |one: &&Value| state(&one["state"]).1["captured"].is_u64();
        self.transactions()
            .find(has_money)
            .or_else(|| self.transactions().next())
            .unwrap_or(&Value::Null)
    }

    pub(super) fn status(&self) -> String {
        state(&self.main_transaction()["state"]).0
    }

    /// The amount, the captured sum and the credited sum.
    pub(super) fn sums(&self) -> [String; 3] {
        let transaction = self.main_transaction();
        let state = state(&transaction["state"]).1;
        let currency = transaction["currency"].as_str().unwrap_or_default();
        let sum = |value: &Value| {
            let minor = value.as_u64().unwrap_or_default();
            format!("{}.{:02} {currency}", minor / 100, minor % 100)
        };
        [sum(&transaction["amount"]), sum(&state["captured"]), sum(&state["credited"])]
    }
}

/// The name of a stored state in upper case, and its members. A state without members is a text.
pub(super) fn state(stored: &Value) -> (String, &Value) {
    let member = stored.as_object().and_then(|members| members.iter().next());
    let (name, members) = member
        .map_or((stored.as_str().unwrap_or_default(), &Value::Null), |(name, value)| (name, value));
    (name.to_uppercase(), members)
}

/// The items of a table: wallets by their slot, payments by their id.
pub(super) async fn scan(local: &Local, table: &str, key: &str) -> Result<Vec<Item>, Error> {
    let answer =
        local.dynamodb().call("Scan", &json!({ "TableName": table, "Limit": MAX_ITEMS })).await?;
    let items = answer["Items"].as_array().into_iter().flatten();
    Ok(items.map(|item| Item::read(item, key)).collect())
}

/// The item with a key.
pub(super) async fn get(
    local: &Local,
    table: &str,
    key: &str,
    value: u64,
) -> Result<Option<Item>, Error> {
    let request = json!({ "TableName": table, "Key": { key: { "N": value.to_string() } }, "ConsistentRead": true });
    let answer = local.dynamodb().call("GetItem", &request).await?;
    Ok(Some(&answer["Item"]).filter(|item| item.is_object()).map(|item| Item::read(item, key)))
}

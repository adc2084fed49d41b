//! The configuration of lifecycle events.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;

use super::{Environment, Misconfigured};
use crate::domain::customer::Organisation;
use crate::domain::text::CallbackUrl;
use crate::domain::wallet::LifecycleRules;

/// The configuration of lifecycle events (api.md §7). The default has none.
#[derive(Clone, Default)]
pub struct EventConfig {
    rules: Arc<HashMap<Organisation, Arc<LifecycleRules>>>,
}

impl EventConfig {
    /// The maximum length of the list of addresses, in bytes. Lambda allows 4 KB for all variables of a function.
    const MAX_LENGTH: usize = 2_048;

    /// Reads the configuration. Addresses have the form `organisation=address` and are separated by spaces.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Misconfigured> {
        let name = "EXPIRING_NOTICE_DAYS";
        let problem = "is not a number of days between 1 and 365";
        let days: i64 = environment.parsed(name, problem)?;
        if !(1..=365).contains(&days) {
            return Err(Misconfigured { name, problem });
        }
        let name = "EVENT_WEBHOOKS";
        let addresses = environment.optional(name)?.unwrap_or_default();
        if addresses.len() > Self::MAX_LENGTH {
            return Err(Misconfigured { name, problem: "has more than 2,048 bytes" });
        }
        let mut rules = HashMap::new();
        for entry in addresses.split_ascii_whitespace() {
            let problem = "is not a list of organisation=https://address";
            let parts = entry.split_once('=').ok_or(Misconfigured { name, problem })?;
            let organisation = parts.0.parse().map_err(|_| Misconfigured { name, problem })?;
            let problem = "has an address that is not https://, or has a user name or password";
            let address = CallbackUrl::try_from(parts.1);
            let address = address.map_err(|_| Misconfigured { name, problem })?;
            let added = Arc::new(LifecycleRules { notice: TimeDelta::days(days), address });
            if rules.insert(Organisation::new(organisation), added).is_some() {
                return Err(Misconfigured { name, problem: "has an organisation twice" });
            }
        }
        Ok(Self { rules: rules.into() })
    }

    /// The rules of an organisation. `None` if it has no address for events.
    #[must_use]
    pub fn rules(&self, organisation: Organisation) -> Option<Arc<LifecycleRules>> {
        self.rules.get(&organisation).map(Arc::clone)
    }

    /// The addresses of all organisations.
    pub fn addresses(&self) -> impl Iterator<Item = &CallbackUrl> {
        self.rules.values().map(|rules| &rules.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_an_address_for_each_organisation() {
        let read = |days: &str, addresses: &str| {
            let variables = [("EXPIRING_NOTICE_DAYS", days), ("EVENT_WEBHOOKS", addresses)];
            let variables = variables.map(|(name, text)| (name, text.to_owned())).into();
            EventConfig::read(&Environment::of(&variables))
        };
        let config = read("365", "1=https://a.example/?key=b 22=http://127.0.0.1:3001/").unwrap();
        let rules = config.rules(Organisation::new(1)).unwrap();
        assert_eq!(rules.notice, TimeDelta::days(365));
        assert_eq!(rules.address.as_url().as_str(), "https://a.example/?key=b");
        assert!(config.rules(Organisation::new(22)).is_some());
        assert_eq!(config.rules(Organisation::new(2)), None);
        assert_eq!(
            (config.addresses().count(), read("1", "").unwrap().addresses().count()),
            (2, 0)
        );
        for days in ["0", "366", "", "x"] {
            assert_eq!(read(days, "").err().unwrap().name, "EXPIRING_NOTICE_DAYS", "{days}");
        }
        let path = "a".repeat(1_003);
        let longest = format!("1=https://a.example/{path} 2=https://a.example/{path}a");
        assert!(read("30", &longest).is_ok());
        for (wrong, problem) in [
            (format!("{longest}a"), "has more than 2,048 bytes"),
            ("https://a.example".to_owned(), "is not a list of organisation=https://address"),
            ("x=https://a.example".to_owned(), "is not a list of organisation=https://address"),
            ("1=https://a.example 1=https://b.example".to_owned(), "has an organisation twice"),
            (
                "1=ftp://a.example".to_owned(),
                "has an address that is not https://, or has a user name or password",
            ),
            (
                "1=https://user:pass@a.example".to_owned(),
                "has an address that is not https://, or has a user name or password",
            ),
        ] {
            let error = read("30", &wrong).err().unwrap();
            assert_eq!(error, Misconfigured { name: "EVENT_WEBHOOKS", problem }, "{wrong}");
        }
    }
}

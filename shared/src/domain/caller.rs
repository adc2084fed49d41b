//! Who is calling, and for whom.

use chrono::{DateTime, Utc};

use crate::domain::customer::{Customer, CustomerNumber, Organisation};
use crate::error::{Error, Flaw};

/// Where a caller's token comes from; the issuer's host names it (Entur's wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tenant {
    /// Our own back ends.
    Internal,
    /// Other organisations' back ends.
    Partner,
    /// A logged-in customer.
    Traveller,
    /// A logged-in person.
    Person,
}

impl Tenant {
    /// Every tenant with its name in configuration and logs.
    pub const NAMES: [(Self, &'static str); 4] = [
        (Self::Internal, "internal"),
        (Self::Partner, "partner"),
        (Self::Traveller, "traveller"),
        (Self::Person, "person"),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Partner => "partner",
            Self::Traveller => "traveller",
            Self::Person => "person",
        }
    }

    /// The tenant of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(tenant, _)| tenant)
    }

    /// Whether its callers act for customers whom they name (internal, partner), or are customers themselves.
    #[must_use]
    pub fn is_privileged(self) -> bool {
        match self {
            Self::Internal | Self::Partner => true,
            Self::Traveller | Self::Person => false,
        }
    }
}

/// What a token can allow: the last part of `recurring-payments:les|opprett|endre|slett|on-behalf-of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// `les`: list and get.
    Read,
    /// `opprett`: create, and what completes it: terminal and authorize (ours).
    Create,
    /// `endre`: update.
    Update,
    /// `slett`: end; and erase, for internal callers (ours).
    End,
    /// `on-behalf-of` (ours): create for another organisation.
    OnBehalfOf,
}

impl Permission {
    /// Every permission with its name in a token.
    pub const NAMES: [(Self, &'static str); 5] = [
        (Self::Read, "recurring-payments:les"),
        (Self::Create, "recurring-payments:opprett"),
        (Self::Update, "recurring-payments:endre"),
        (Self::End, "recurring-payments:slett"),
        (Self::OnBehalfOf, "recurring-payments:on-behalf-of"),
    ];

    /// The permission of a name; other services' permissions are nobody's here.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(permission, _)| permission)
    }
}

/// Somebody whose token was good. No function reaches a wallet without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Where the token comes from.
    pub tenant: Tenant,
    /// The organisation whose customers are meant.
    pub organisation: Organisation,
    /// The logged-in customer; present for a traveller or person, and only for them.
    pub customer: Option<CustomerNumber>,
    /// The client id, `azp`; for logs.
    pub client: String,
    /// What the token allows.
    pub permissions: Vec<Permission>,
    /// First instant at which the token is good, leeway included. `None`: it was good already when it was checked.
    pub valid_from: Option<DateTime<Utc>>,
    /// First instant at which the token is no longer good, leeway included.
    pub expires_at: DateTime<Utc>,
}

impl Caller {
    /// # Errors
    /// `Forbidden` when the token does not allow it.
    pub fn needs(&self, permission: Permission) -> Result<(), Error> {
        if self.permissions.contains(&permission) {
            Ok(())
        } else {
            Err(Error::Forbidden("the token does not have the permission for this operation"))
        }
    }

    /// What only our own back ends may do, whatever a token allows (ours).
    ///
    /// # Errors
    /// `Forbidden` for everybody else.
    pub fn must_be_internal(&self) -> Result<(), Error> {
        match self.tenant {
            Tenant::Internal => Ok(()),
            Tenant::Partner | Tenant::Traveller | Tenant::Person => {
                Err(Error::Forbidden("this operation is for internal callers"))
            }
        }
    }

    /// The customer that a write is for (api.md §5): the token's own if it has one, whatever was said; else the named one.
    ///
    /// # Errors
    /// `Invalid` when a privileged caller names none.
    pub fn customer(&self, named: Option<CustomerNumber>) -> Result<Customer, Error> {
        let number = self.customer.clone().or(named);
        let number = number.ok_or(Flaw::new("required", "is required").of("customerNumber"))?;
        Ok(Customer { organisation: self.organisation, number })
    }

    /// The customer that a list is of: as for a write, but a customer may not ask for somebody else.
    ///
    /// # Errors
    /// `Invalid` when a privileged caller names none, `Forbidden` when a customer names another.
    pub fn customer_to_list(&self, named: Option<CustomerNumber>) -> Result<Customer, Error> {
        match (&self.customer, &named) {
            (Some(own), Some(other)) if own != other => {
                Err(Error::Forbidden("another customer's recurring payments"))
            }
            _ => self.customer(named),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for (tenant, name) in Tenant::NAMES {
            assert_eq!((tenant.name(), Tenant::named(name)), (name, Some(tenant)));
        }
        assert_eq!((Tenant::named("Partner"), Permission::named("les")), (None, None));
    }

    #[test]
    fn who_is_internal() {
        for (tenant, _) in Tenant::NAMES {
            let caller = Caller {
                tenant,
                organisation: Organisation::new(1),
                customer: None,
                client: String::new(),
                permissions: Permission::NAMES.map(|(permission, _)| permission).to_vec(),
                valid_from: None,
                expires_at: DateTime::UNIX_EPOCH,
            };
            assert_eq!(caller.must_be_internal().is_ok(), tenant == Tenant::Internal);
        }
    }

    #[test]
    fn a_customer_is_never_somebody_else() {
        let number = |text: &str| CustomerNumber::try_from(text).unwrap();
        let caller = |customer: Option<&str>| Caller {
            tenant: Tenant::Partner,
            organisation: Organisation::new(1),
            customer: customer.map(number),
            client: String::new(),
            permissions: vec![Permission::Read],
            valid_from: None,
            expires_at: DateTime::UNIX_EPOCH,
        };
        let customer = |caller: &Caller, named: Option<&str>| {
            caller.customer(named.map(number)).map(|customer| customer.number)
        };
        assert_eq!(customer(&caller(Some("own")), Some("other")).unwrap(), number("own"));
        assert_eq!(customer(&caller(Some("own")), None).unwrap(), number("own"));
        assert_eq!(customer(&caller(None), Some("named")).unwrap(), number("named"));
        assert!(matches!(customer(&caller(None), None), Err(Error::Invalid(_))));
        assert!(matches!(
            caller(Some("own")).customer_to_list(Some(number("other"))),
            Err(Error::Forbidden(_))
        ));
        assert!(caller(Some("own")).customer_to_list(Some(number("own"))).is_ok());
        assert!(caller(None).needs(Permission::Read).is_ok());
        assert!(matches!(caller(None).needs(Permission::End), Err(Error::Forbidden(_))));
    }
}

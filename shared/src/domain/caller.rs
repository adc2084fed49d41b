//! The caller of a request, and the customer that a request is for.

use chrono::{DateTime, Utc};

use crate::domain::customer::{Customer, CustomerNumber, Organisation};
use crate::error::{Error, Violation};

/// The kind of caller. The host of the token's issuer determines it, as in Entur's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tenant {
    /// Back-end systems of the service's own organisation.
    Internal,
    /// Back-end systems of other organisations.
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

    /// The name in configuration and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Partner => "partner",
            Self::Traveller => "traveller",
            Self::Person => "person",
        }
    }

    /// The tenant with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(tenant, _)| tenant)
    }

    /// Returns whether its callers act on behalf of customers (internal, partner). The callers of other tenants are the customers.
    #[must_use]
    pub fn is_privileged(self) -> bool {
        match self {
            Self::Internal | Self::Partner => true,
            Self::Traveller | Self::Person => false,
        }
    }
}

/// A permission in a token: `recurring-payments:les|opprett|endre|slett|on-behalf-of` or `payments:les|opprett|endre`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// `recurring-payments:les`: list and get.
    Read,
    /// `recurring-payments:opprett`: create, and the steps that complete it, terminal and authorize. This scope is a design decision.
    Create,
    /// `recurring-payments:endre`: update.
    Update,
    /// `recurring-payments:slett`: end, and for internal callers erase, which is not in Entur's API.
    End,
    /// `recurring-payments:on-behalf-of`: create for another organisation. Not in Entur's API.
    OnBehalfOf,
    /// `payments:les`: get a payment and its transactions. The three permissions for payments are a design decision.
    PaymentRead,
    /// `payments:opprett`: create a payment, and the steps that complete it: terminal, capture and cancel.
    PaymentCreate,
    /// `payments:endre`: credit a payment.
    PaymentChange,
}

impl Permission {
    /// Every permission with its name in a token.
    pub const NAMES: [(Self, &'static str); 8] = [
        (Self::Read, "recurring-payments:les"),
        (Self::Create, "recurring-payments:opprett"),
        (Self::Update, "recurring-payments:endre"),
        (Self::End, "recurring-payments:slett"),
        (Self::OnBehalfOf, "recurring-payments:on-behalf-of"),
        (Self::PaymentRead, "payments:les"),
        (Self::PaymentCreate, "payments:opprett"),
        (Self::PaymentChange, "payments:endre"),
    ];

    /// The permission with this name in a token. `None` for permissions of other services.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(permission, _)| permission)
    }
}

/// An authenticated caller. Every access to a wallet by request requires one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The kind of caller.
    pub tenant: Tenant,
    /// The organisation whose customers the caller can access.
    pub organisation: Organisation,
    /// The logged-in customer. Present only for a traveller or person.
    pub customer: Option<CustomerNumber>,
    /// The client id (`azp`), for logs.
    pub client: String,
    /// The permissions in the token.
    pub permissions: Vec<Permission>,
    /// The first instant at which the token is valid, including leeway. `None` if it was already valid when it was verified.
    pub valid_from: Option<DateTime<Utc>>,
    /// The first instant at which the token is no longer valid, including leeway.
    pub expires_at: DateTime<Utc>,
}

impl Caller {
    /// Checks that the token has a permission.
    ///
    /// # Errors
    /// `Forbidden` if it does not.
    pub fn require(&self, permission: Permission) -> Result<(), Error> {
        if self.permissions.contains(&permission) {
            Ok(())
        } else {
            Err(Error::Forbidden("the token does not have the permission for this operation"))
        }
    }

    /// Checks that the caller is internal, independent of its permissions. Erasure is not in Entur's API.
    ///
    /// # Errors
    /// `Forbidden` for every other tenant.
    pub fn require_internal(&self) -> Result<(), Error> {
        match self.tenant {
            Tenant::Internal => Ok(()),
            Tenant::Partner | Tenant::Traveller | Tenant::Person => {
                Err(Error::Forbidden("this operation is for internal callers"))
            }
        }
    }

    /// Checks that the caller acts on behalf of customers. Only such callers charge a card without its customer (`MIT_UCOF`,
    /// payments.md §4.2).
    ///
    /// # Errors
    /// `Forbidden` for a traveller or person.
    pub fn require_privileged(&self) -> Result<(), Error> {
        if self.tenant.is_privileged() {
            Ok(())
        } else {
            Err(Error::Forbidden("transactionType MIT_UCOF is for internal callers and partners"))
        }
    }

    /// The customer that a write is for (api.md §5): the customer of the token if it has one, otherwise the named one.
    ///
    /// # Errors
    /// `Invalid` if a privileged caller names no customer.
    pub fn customer_for_write(&self, named: Option<CustomerNumber>) -> Result<Customer, Error> {
        let number = self.customer.clone().or(named);
        let number =
            number.ok_or(Violation::new("required", "is required").in_field("customerNumber"))?;
        Ok(Customer { organisation: self.organisation, number })
    }

    /// The customer that a list is for: as for a write, but a logged-in customer must not name another customer.
    ///
    /// # Errors
    /// `Invalid` if a privileged caller names no customer; `Forbidden` if a customer names another one.
    pub fn customer_for_list(&self, named: Option<CustomerNumber>) -> Result<Customer, Error> {
        match (&self.customer, &named) {
            (Some(own), Some(other)) if own != other => {
                Err(Error::Forbidden("the recurring payments belong to another customer"))
            }
            _ => self.customer_for_write(named),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_to_its_tenant() {
        for (tenant, name) in Tenant::NAMES {
            assert_eq!((tenant.name(), Tenant::from_name(name)), (name, Some(tenant)));
        }
        assert_eq!((Tenant::from_name("Partner"), Permission::from_name("les")), (None, None));
    }

    #[test]
    fn every_name_parses_to_its_permission() {
        for (permission, name) in Permission::NAMES {
            assert_eq!(Permission::from_name(name), Some(permission));
        }
        for unknown in ["", "les", "payments:slett", "Payments:les", "payments:les "] {
            assert_eq!(Permission::from_name(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn only_internal_callers_and_partners_pass_their_checks() {
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
            assert_eq!(caller.require_internal().is_ok(), tenant == Tenant::Internal);
            let is_privileged = [Tenant::Internal, Tenant::Partner].contains(&tenant);
            assert_eq!(caller.require_privileged().is_ok(), is_privileged);
        }
    }

    #[test]
    fn a_customer_cannot_act_as_another_customer() {
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
            caller.customer_for_write(named.map(number)).map(|customer| customer.number)
        };
        assert_eq!(customer(&caller(Some("own")), Some("other")).unwrap(), number("own"));
        assert_eq!(customer(&caller(Some("own")), None).unwrap(), number("own"));
        assert_eq!(customer(&caller(None), Some("named")).unwrap(), number("named"));
        assert!(matches!(customer(&caller(None), None), Err(Error::Invalid(_))));
        assert!(matches!(
            caller(Some("own")).customer_for_list(Some(number("other"))),
            Err(Error::Forbidden(_))
        ));
        assert!(caller(Some("own")).customer_for_list(Some(number("own"))).is_ok());
        assert!(caller(None).require(Permission::Read).is_ok());
        assert!(matches!(caller(None).require(Permission::End), Err(Error::Forbidden(_))));
    }
}

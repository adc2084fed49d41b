//! The authorizer context: the caller, or the reason why the token was refused. The authorizer writes it, the functions read it.
//!
//! API Gateway caches the context. So the context has the instants at which the token becomes valid and expires, and the
//! functions compare them with the time of the request. A token that is not valid yet is therefore not cached as a refusal.

use std::collections::HashMap;

use chrono::DateTime;
use serde_json::{Map, Value, json};

use crate::domain::caller::{Caller, Permission, Tenant};
use crate::domain::customer::{CustomerNumber, Organisation};
use crate::token::Unauthenticated;

/// The authorizer context of a request, as API Gateway passes it to the functions.
pub type AuthorizerContext = HashMap<String, Value>;

/// The authorizer context of a verification result.
#[must_use]
pub fn write(caller: &Result<Caller, Unauthenticated>) -> Value {
    let caller = match caller {
        Ok(caller) => caller,
        Err(Unauthenticated(reason)) => return json!({ "refused": reason }),
    };
    let permissions =
        Permission::NAMES.iter().filter(|(permission, _)| caller.permissions.contains(permission));
    let permissions: Vec<&str> = permissions.map(|(_, name)| *name).collect();
    let mut context = Map::from_iter([
        ("tenant".to_owned(), json!(caller.tenant.name())),
        ("organisation".to_owned(), json!(caller.organisation.to_string())),
        ("client".to_owned(), json!(caller.client)),
        ("permissions".to_owned(), json!(permissions.join(" "))),
        ("expiresAt".to_owned(), json!(caller.expires_at.timestamp().to_string())),
    ]);
    if let Some(number) = &caller.customer {
        context.insert("customerNumber".to_owned(), json!(number.as_str()));
    }
    if let Some(valid_from) = caller.valid_from {
        context.insert("validFrom".to_owned(), json!(valid_from.timestamp().to_string()));
    }
    Value::Object(context)
}

/// Reads the caller from the authorizer context.
///
/// # Errors
/// The reason why there is no caller: the token was refused, or the context is incomplete.
pub fn read(context: &AuthorizerContext) -> Result<Caller, String> {
    let text = |name| context.get(name).and_then(Value::as_str);
    if let Some(reason) = text("refused") {
        return Err(reason.to_owned());
    }
    let caller = || {
        let number = |name| text(name)?.parse::<u64>().ok();
        let tenant = text("tenant").and_then(Tenant::from_name)?;
        let customer = match text("customerNumber") {
            Some(number) => Some(CustomerNumber::try_from(number).ok()?),
            None => None,
        };
        let instant = |seconds: u64| DateTime::from_timestamp_secs(i64::try_from(seconds).ok()?);
        let valid_from = match text("validFrom") {
            Some(_) => Some(instant(number("validFrom")?)?),
            None => None,
        };
        Some(Caller {
            tenant,
            organisation: Organisation::new(number("organisation")?),
            customer: customer.filter(|_| !tenant.is_privileged()),
            client: text("client")?.to_owned(),
            permissions: text("permissions")?
                .split(' ')
                .filter_map(Permission::from_name)
                .collect(),
            valid_from,
            expires_at: instant(number("expiresAt")?)?,
        })
    };
    caller()
        .filter(|caller| caller.tenant.is_privileged() != caller.customer.is_some())
        .ok_or_else(|| "the authorizer context has no valid caller".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_json(context: &Value) -> Result<Caller, String> {
        read(&context.as_object().unwrap().clone().into_iter().collect())
    }

    fn traveller() -> Caller {
        Caller {
            tenant: Tenant::Traveller,
            organisation: Organisation::new(1),
            customer: Some(CustomerNumber::try_from("4711").unwrap()),
            client: "app".to_owned(),
            permissions: vec![Permission::Read, Permission::End],
            valid_from: None,
            expires_at: DateTime::from_timestamp_secs(1_795_392_060).unwrap(),
        }
    }

    #[test]
    fn a_written_context_reads_back() {
        let partner = Caller { tenant: Tenant::Partner, customer: None, ..traveller() };
        let early = Caller { valid_from: Some(DateTime::UNIX_EPOCH), ..traveller() };
        for caller in [traveller(), partner, early] {
            assert_eq!(read_json(&write(&Ok(caller.clone()))), Ok(caller));
        }
        assert_eq!(
            read_json(&write(&Err(Unauthenticated::from("the token has expired")))),
            Err("the token has expired".to_owned())
        );
    }

    #[test]
    fn an_incomplete_context_has_no_caller() {
        let context = write(&Ok(traveller()));
        for missing in
            ["tenant", "organisation", "client", "permissions", "expiresAt", "customerNumber"]
        {
            let mut context = context.clone();
            context.as_object_mut().unwrap().remove(missing);
            assert_eq!(
                read_json(&context),
                Err("the authorizer context has no valid caller".to_owned()),
                "without {missing}"
            );
        }
        assert_eq!(
            read_json(&json!({})),
            Err("the authorizer context has no valid caller".to_owned())
        );
        let mut context = context.clone();
        context["validFrom"] = json!("tomorrow");
        assert_eq!(
            read_json(&context),
            Err("the authorizer context has no valid caller".to_owned())
        );
    }
}

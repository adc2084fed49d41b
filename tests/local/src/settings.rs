//! What the template and the functions get from this machine: parameters, secrets and environment variables.

use std::collections::BTreeMap;

use crate::template::Parameters;
use crate::{Addresses, EventWebhooks, ID_KEY, inbox, issuer, netaxept};

/// The template's parameters, as an operator would set them.
pub(crate) fn parameters(addresses: &Addresses, event_webhooks: &EventWebhooks) -> Parameters {
    let issuers: Vec<String> = issuer::TENANTS
        .iter()
        .map(|tenant| format!("{tenant}={}/{tenant}", addresses.issuer))
        .collect();
    // The console's API page calls the API from another origin: the port differs.
    let origins =
        format!("{0},{1}", addresses.console, addresses.console.replace("127.0.0.1", "localhost"));
    let event_webhooks = match event_webhooks {
        EventWebhooks::None => String::new(),
        EventWebhooks::Inbox => format!("1={}/inbox/events", addresses.console),
        EventWebhooks::Addresses(addresses) => addresses.clone(),
    };
    let parameters = [
        ("AllowedOrigins", origins),
        ("CallbackAddresses", "local".to_owned()),
        ("EventWebhooks", event_webhooks),
        ("NetaxeptAddress", addresses.netaxept.clone()),
        ("NetaxeptMerchantId", netaxept::MERCHANT_ID.to_owned()),
        ("NetaxeptToken", netaxept::TOKEN.to_owned()),
        ("TokenAudience", issuer::AUDIENCE.to_owned()),
        ("TokenIssuers", issuers.join(" ")),
        // Without warm-up: tests count requests, and each instance would send one more at any time.
        ("WarmUp", "none".to_owned()),
    ];
    parameters.map(|(name, value)| (name.to_owned(), value)).into()
}

/// The secrets that AWS would generate.
pub(crate) fn generated_secrets() -> BTreeMap<String, String> {
    let secrets = [
        ("IdKey", ID_KEY),
        ("CallbackSecret", netaxept::CALLBACK_SECRET),
        ("NotificationSecret", inbox::NOTIFICATION_SECRET),
    ];
    secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The environment variables that Lambda sets for every function, and the addresses of `DynamoDB` and Secrets Manager.
pub(crate) fn environment(addresses: &Addresses) -> BTreeMap<String, String> {
    let variables = [
        ("AWS_REGION", "eu-north-1"),
        ("AWS_DEFAULT_REGION", "eu-north-1"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &addresses.dynamodb),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &addresses.secrets),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

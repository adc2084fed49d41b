//! The event that Lambda passes to the authorizer.

use serde::de::{Deserialize, Deserializer, Error};

/// An event. The error for an unreadable event has no details, because they quote the event, which can contain a token.
pub(super) struct Event<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Event<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = T::deserialize(deserializer).map(Self);
        event.map_err(|_| D::Error::custom("not an event of API Gateway's HTTP API"))
    }
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::apigw::ApiGatewayV2CustomAuthorizerV2Request;

    use super::*;

    #[test]
    fn an_error_does_not_quote_the_event() {
        let text = r#"{"version":"2.0","headers":{"authorization":"Bearer a\u0000secret"}}"#;
        let event = serde_json::from_str::<Event<ApiGatewayV2CustomAuthorizerV2Request>>(text);
        let error = event.err().unwrap().to_string();
        assert!(error.starts_with("not an event"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

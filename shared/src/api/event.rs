//! What Lambda hands to the authorizer.

use serde::de::{Deserialize, Deserializer, Error};

/// An event. What is wrong with one that cannot be read is not said: it would be quoted, and could be a token.
pub(super) struct Event<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Event<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = T::deserialize(from).map(Self);
        read.map_err(|_| D::Error::custom("not an event of API Gateway's HTTP API"))
    }
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::apigw::ApiGatewayV2CustomAuthorizerV2Request;

    use super::*;

    #[test]
    fn what_is_wrong_is_not_quoted() {
        let text = r#"{"version":"2.0","headers":{"authorization":"Bearer a\u0000secret"}}"#;
        let fault = serde_json::from_str::<Event<ApiGatewayV2CustomAuthorizerV2Request>>(text);
        let fault = fault.err().unwrap().to_string();
        assert!(fault.starts_with("not an event"), "{fault}");
        assert!(!fault.contains("secret"), "{fault}");
    }
}

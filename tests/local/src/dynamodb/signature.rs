//! Signs requests to an AWS account (AWS Signature Version 4). The function's signature is no longer valid, because the proxy
//! changes the host and the table names.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SigningParams, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

use super::engine::{CONTENT_TYPE, Headers, JSON, TARGET};
use crate::Error;

/// The credentials and the region.
pub(super) struct Signer {
    identity: Identity,
    region: String,
}

impl Signer {
    /// Reads the environment variables of the AWS tools: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION` and, if
    /// there is one, `AWS_SESSION_TOKEN`.
    ///
    /// # Errors
    /// Fails if one of the first three is missing.
    pub(super) fn from_environment() -> Result<Self, Error> {
        let variable = |name: &str| {
            std::env::var(name).map_err(|_| {
                Error::Data(format!("{name} must be set to use tables in an AWS account"))
            })
        };
        let (key, secret) = (variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?);
        let token = variable("AWS_SESSION_TOKEN").ok();
        Ok(Self::new(
            Credentials::new(key, secret, token, None, "environment"),
            variable("AWS_REGION")?,
        ))
    }

    fn new(credentials: Credentials, region: String) -> Self {
        Self { identity: credentials.into(), region }
    }

    /// The headers of a request, including its signature.
    ///
    /// # Errors
    /// Fails if the address is invalid.
    pub(super) fn sign(
        &self,
        address: &str,
        target: &str,
        body: &[u8],
        time: SystemTime,
    ) -> Result<Headers, Error> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::Data(format!("the request cannot be signed: {error}"))
        };
        let parameters = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name("dynamodb")
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| failed(&error))?;
        let headers = [(CONTENT_TYPE, JSON), (TARGET, target)];
        let body = SignableBody::Bytes(body);
        let request = SignableRequest::new("POST", address, headers.into_iter(), body)
            .map_err(|error| failed(&error))?;
        let signed =
            sign(request, &SigningParams::V4(parameters)).map_err(|error| failed(&error))?;
        let (instructions, _) = signed.into_parts();
        let all = headers.into_iter().chain(instructions.headers());
        Ok(all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// The headers of a request that is signed at 2026-11-23T10:00:00Z.
    fn signed(token: Option<&str>) -> Vec<(String, String)> {
        let credentials =
            Credentials::new("AKIDEXAMPLE", SECRET, token.map(str::to_owned), None, "test");
        let signer = Signer::new(credentials, "eu-north-1".to_owned());
        let time = SystemTime::UNIX_EPOCH + Duration::from_hours(498_730);
        let body = br#"{"Key":{"slot":{"N":"7"}},"TableName":"Wallets-1"}"#;
        let address = "https://dynamodb.eu-north-1.amazonaws.com/";
        signer.sign(address, "DynamoDB_20120810.GetItem", body, time).unwrap()
    }

    /// The expected signatures are those of botocore 1.43.127, AWS's library for Python.
    #[test]
    fn a_signature_is_the_same_as_from_botocore() {
        let expected = |headers: &str, signature: &str| {
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/eu-north-1/dynamodb/aws4_request, \
                 SignedHeaders={headers}, Signature={signature}"
            )
        };
        let header = |headers: &[(String, String)], wanted: &str| {
            let header = headers.iter().find(|(name, _)| name == wanted);
            header.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let plain = signed(None);
        let signature = "ae9f90675838aa3148e1dcab998c1891b61b3b3c382fd3879849a2dc7e2c7964";
        let names = "content-type;host;x-amz-date;x-amz-target";
        assert_eq!(header(&plain, "authorization"), expected(names, signature));
        assert_eq!(header(&plain, "x-amz-date"), "20261123T100000Z");
        let token = "AQoDYXdzEPT//////////wEXAMPLE";
        let with_token = signed(Some(token));
        let signature = "4d44ebacdf6a9880770ae84953098c3698d2c4732fd0a0fa86c15462d25412fd";
        let names = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target";
        assert_eq!(header(&with_token, "authorization"), expected(names, signature));
        assert_eq!(header(&with_token, "x-amz-security-token"), token);
    }
}

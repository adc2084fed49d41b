//! What the HTTP API is told: whom to ask, which web pages may call, and how many requests are too many.

use std::time::Duration;

use serde_json::Value;

use super::resolve::Resolver;
use super::{Fault, Parameters, Secrets, Template};

/// The authorizer of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorizer {
    /// The logical id of its function.
    pub function: String,
    /// The header without which nobody is asked.
    pub header: String,
    /// For how long its answer is remembered.
    pub remembered: Duration,
}

/// What a browser is told of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The web pages that may call.
    pub origins: Vec<String>,
    /// With which methods.
    pub methods: Vec<String>,
    /// With which headers.
    pub headers: Vec<String>,
    /// Which headers of an answer they see.
    pub exposed: Vec<String>,
    /// For how long a browser need not ask again.
    pub max_age: Duration,
}

/// How many requests the HTTP API takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttling {
    /// In a second, over time.
    pub rate: u64,
    /// At once.
    pub burst: u64,
}

impl Template {
    /// The authorizer that the HTTP API asks by default.
    #[must_use]
    pub fn authorizer(&self) -> Option<Authorizer> {
        let auth = &self.door()?["Auth"];
        let authorizer = &auth["Authorizers"][auth["DefaultAuthorizer"].as_str()?];
        Some(Authorizer {
            function: authorizer["FunctionArn"]["Fn::GetAtt"][0].as_str()?.to_owned(),
            header: authorizer["Identity"]["Headers"][0].as_str()?.to_ascii_lowercase(),
            remembered: Duration::from_secs(
                authorizer["Identity"]["ReauthorizeEvery"].as_u64().unwrap_or_default(),
            ),
        })
    }

    /// What a browser is told. `None`: nothing.
    ///
    /// # Errors
    /// A parameter without value, or something that we cannot play.
    pub fn cors(&self, parameters: &Parameters) -> Result<Option<Cors>, Fault> {
        let Some(cors) = self.door().and_then(|door| door.get("CorsConfiguration")) else {
            return Ok(None);
        };
        let secrets = Secrets::new();
        let resolver = Resolver::new(self.document(), parameters, &secrets);
        let cors = resolver.value(cors)?;
        if cors.is_null() {
            return Ok(None);
        }
        let list = |name: &str| resolver.list(&cors[name]);
        Ok(Some(Cors {
            origins: list("AllowOrigins")?,
            methods: list("AllowMethods")?,
            headers: list("AllowHeaders")?,
            exposed: list("ExposeHeaders")?,
            max_age: Duration::from_secs(resolver.number(&cors["MaxAge"])?.unwrap_or_default()),
        }))
    }

    /// How many requests are taken. `None`: as many as the account may have.
    ///
    /// # Errors
    /// A parameter without value, or something that we cannot play.
    pub fn throttling(&self, parameters: &Parameters) -> Result<Option<Throttling>, Fault> {
        let Some(settings) = self.door().and_then(|door| door.get("DefaultRouteSettings")) else {
            return Ok(None);
        };
        let secrets = Secrets::new();
        let resolver = Resolver::new(self.document(), parameters, &secrets);
        let rate = resolver.number(&settings["ThrottlingRateLimit"])?;
        let burst = resolver.number(&settings["ThrottlingBurstLimit"])?;
        Ok(rate.zip(burst).map(|(rate, burst)| Throttling { rate, burst }))
    }

    /// The properties of the HTTP API.
    fn door(&self) -> Option<&Value> {
        self.resources("AWS::Serverless::HttpApi").next().map(|(_, api)| &api["Properties"])
    }
}

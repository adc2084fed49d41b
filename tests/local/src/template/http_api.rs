//! The settings of the HTTP API: authorizer, CORS and throttling.

use std::time::Duration;

use serde_json::Value;

use super::resolve::Resolver;
use super::{Parameters, Secrets, Template, TemplateError};

/// The authorizer of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorizer {
    /// The logical id of its function.
    pub function: String,
    /// The header that is the identity source. Without it the authorizer is not invoked.
    pub header: String,
    /// How long an answer is cached.
    pub cache_ttl: Duration,
}

/// The CORS settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The allowed origins.
    pub origins: Vec<String>,
    /// The allowed methods.
    pub methods: Vec<String>,
    /// The allowed request headers.
    pub headers: Vec<String>,
    /// The response headers that a web page may read.
    pub exposed_headers: Vec<String>,
    /// How long a browser caches the answer to a preflight request.
    pub max_age: Duration,
}

/// The throttling settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttling {
    /// Requests a second, on average.
    pub rate: u64,
    /// The burst limit, in requests.
    pub burst: u64,
}

impl Template {
    /// The default authorizer of the HTTP API.
    #[must_use]
    pub fn authorizer(&self) -> Option<Authorizer> {
        let auth = &self.http_api()?["Auth"];
        let authorizer = &auth["Authorizers"][auth["DefaultAuthorizer"].as_str()?];
        Some(Authorizer {
            function: authorizer["FunctionArn"]["Fn::GetAtt"][0].as_str()?.to_owned(),
            header: authorizer["Identity"]["Headers"][0].as_str()?.to_ascii_lowercase(),
            cache_ttl: Duration::from_secs(
                authorizer["Identity"]["ReauthorizeEvery"].as_u64().unwrap_or_default(),
            ),
        })
    }

    /// The CORS settings. `None` if CORS is not configured.
    ///
    /// # Errors
    /// Fails if a parameter has no value, or if a property is not supported.
    pub fn cors(&self, parameters: &Parameters) -> Result<Option<Cors>, TemplateError> {
        let Some(cors) = self.http_api().and_then(|api| api.get("CorsConfiguration")) else {
            return Ok(None);
        };
        let secrets = Secrets::new();
        let resolver = Resolver::new(self.document(), parameters, &secrets);
        let cors = resolver.resolve(cors)?;
        if cors.is_null() {
            return Ok(None);
        }
        let list = |name: &str| resolver.list(&cors[name]);
        Ok(Some(Cors {
            origins: list("AllowOrigins")?,
            methods: list("AllowMethods")?,
            headers: list("AllowHeaders")?,
            exposed_headers: list("ExposeHeaders")?,
            max_age: Duration::from_secs(resolver.number(&cors["MaxAge"])?.unwrap_or_default()),
        }))
    }

    /// The throttling settings. `None` if the account's limits apply.
    ///
    /// # Errors
    /// Fails if a parameter has no value, or if a property is not supported.
    pub fn throttling(&self, parameters: &Parameters) -> Result<Option<Throttling>, TemplateError> {
        let Some(settings) = self.http_api().and_then(|api| api.get("DefaultRouteSettings")) else {
            return Ok(None);
        };
        let secrets = Secrets::new();
        let resolver = Resolver::new(self.document(), parameters, &secrets);
        let rate = resolver.number(&settings["ThrottlingRateLimit"])?;
        let burst = resolver.number(&settings["ThrottlingBurstLimit"])?;
        Ok(rate.zip(burst).map(|(rate, burst)| Throttling { rate, burst }))
    }

    /// The properties of the HTTP API.
    fn http_api(&self) -> Option<&Value> {
        self.resources("AWS::Serverless::HttpApi").next().map(|(_, api)| &api["Properties"])
    }
}

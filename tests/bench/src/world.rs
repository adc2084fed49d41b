//! The environment of the functions: the local service, with TLS in front of the AWS services.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use local::template::Template;
use local::{Local, Options};
use serde_json::Value;

use crate::Error;
use crate::tls::{Identity, TlsProxy};

/// The start mode of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// The function trusts Amazon's roots only, as on Lambda, so it cannot connect here. Used for the instructions before the
    /// first event.
    AmazonRoots,
    /// The function opens the connection for the first event.
    Cold,
    /// The function opens the connection before it requests an event, as deployed.
    Warmed,
}

/// The environment variables that Lambda defines, according to its documentation.
const LAMBDA_ENVIRONMENT: [(&str, &str); 19] = [
    ("AWS_DEFAULT_REGION", "eu-north-1"),
    ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/measured"),
    ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "measured"),
    ("AWS_REGION", "eu-north-1"),
    ("AWS_SECRET_ACCESS_KEY", "local"),
    ("AWS_SESSION_TOKEN", "session"),
    ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
    ("LAMBDA_TASK_ROOT", "/var/task"),
    ("LANG", "en_US.UTF-8"),
    ("LD_LIBRARY_PATH", "/lib64:/usr/lib64:/var/runtime:/var/task:/opt/lib"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
    ("TZ", ":UTC"),
    ("_HANDLER", "bootstrap"),
];

/// The local service and the data that functions need.
pub(crate) struct World {
    /// The local service. Its functions create the preconditions of events.
    pub(crate) local: Local,
    /// A client for the terminal pages and the issuer.
    pub(crate) http: reqwest::Client,
    identity: Identity,
    root: PathBuf,
    variables: BTreeMap<String, String>,
    template: Template,
    customers: AtomicU32,
}

/// TLS proxies in front of the AWS services, for one process.
pub(crate) struct AwsProxies {
    /// The proxy of `DynamoDB`.
    pub(crate) dynamodb: TlsProxy,
    secrets: TlsProxy,
}

impl AwsProxies {
    /// Starts the proxies.
    pub(crate) async fn start(world: &World) -> Result<Self, Error> {
        let addresses = world.local.addresses();
        Ok(Self {
            dynamodb: world.identity.start_proxy(&addresses.dynamodb).await?,
            secrets: world.identity.start_proxy(&addresses.secrets).await?,
        })
    }
}

impl World {
    /// Starts the local service. The root certificate is written to `folder`.
    pub(crate) async fn start(identity: Identity, folder: &Path) -> Result<Self, Error> {
        let local = Local::start(Options::default()).await?;
        let root = folder.join("root.pem");
        identity.write_root(&root)?;
        let template = Template::read(&local::binaries::root().join("template.yaml"));
        Ok(Self {
            http: local::http_client()?,
            variables: event_variables(&local)?,
            template: template.map_err(local::Error::from)?,
            customers: AtomicU32::new(0),
            local,
            identity,
            root,
        })
    }

    /// The environment variables of a function.
    pub(crate) fn environment(
        &self,
        proxies: &AwsProxies,
        function: &str,
        start: Start,
    ) -> BTreeMap<String, String> {
        let (roots, warm_up) = match start {
            Start::AmazonRoots => ("amazon", "none"),
            Start::Cold => ("system", "none"),
            Start::Warmed => ("system", "connect"),
        };
        let root = self.root.to_string_lossy();
        let specific = [
            ("AWS_ACCESS_KEY_ID", function),
            ("AWS_ENDPOINT_URL_DYNAMODB", &proxies.dynamodb.address),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &proxies.secrets.address),
            ("AWS_LAMBDA_FUNCTION_NAME", function),
            // The local root certificate, for start modes with the system's roots.
            ("SSL_CERT_FILE", &root),
            ("TLS_ROOTS", roots),
            ("WARM_UP", warm_up),
        ];
        let specific = specific.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = self.variables.iter().filter(|(name, _)| self.reads(function, name));
        let variables = variables.map(|(name, value)| (name.clone(), value.clone()));
        LAMBDA_ENVIRONMENT
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .chain(variables)
            .chain(specific)
            .collect()
    }

    /// Whether the template defines a variable for a function.
    fn reads(&self, function: &str, name: &str) -> bool {
        let has = |properties: &Value| properties["Environment"]["Variables"].get(name).is_some();
        let mut functions = self.template.resources("AWS::Serverless::Function");
        let found = functions
            .find(|(_, resource)| resource["Metadata"]["BuildProperties"]["Binary"] == function);
        has(&self.template.document()["Globals"]["Function"])
            || found.is_some_and(|(_, resource)| has(&resource["Properties"]))
    }

    /// Returns a new customer number.
    pub(crate) fn customer(&self) -> String {
        format!("bench-{:06}", self.customers.fetch_add(1, Ordering::Relaxed))
    }

    /// Invokes a function of the local service. Returns the body of a successful response.
    pub(crate) async fn call(&self, function: &str, event: &Value) -> Result<Value, Error> {
        let response = self.local.lambda().invoke(function, event.to_string().into_bytes()).await;
        let response = response.map_err(|error| Error::failed(function, error))?;
        success_body(function, &response)
    }

    /// Returns a partner's token, valid at the current instant of the local clock.
    pub(crate) async fn token(&self) -> Result<String, Error> {
        let failed = |error| Error::failed("the issuer", error);
        let address = format!("{}/oauth/token", self.local.addresses().issuer);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "partner-demo"),
            ("client_secret", "partner-demo"),
        ];
        let response = self.http.post(address).form(&form).send().await.map_err(failed)?;
        let response: Value = response.json().await.map_err(failed)?;
        response["access_token"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Error::failed("the issuer", &response))
    }
}

/// The body of a response. Fails if the status is not 2xx.
pub(crate) fn success_body(function: &str, response: &[u8]) -> Result<Value, Error> {
    let failed = || Error::failed(function, String::from_utf8_lossy(response));
    let response: Value = serde_json::from_slice(response).map_err(|_| failed())?;
    match response["statusCode"].as_u64() {
        None => Ok(response),
        Some(200..300) => {
            Ok(serde_json::from_str(response["body"].as_str().unwrap_or_default())
                .unwrap_or_default())
        }
        Some(_) => Err(failed()),
    }
}

/// The variables of `tests/events/env.json`, with the addresses of this service.
fn event_variables(local: &Local) -> Result<BTreeMap<String, String>, Error> {
    let path = local::binaries::root().join("tests/events/env.json");
    let text = std::fs::read_to_string(path).map_err(|error| Error::failed("env.json", error))?;
    let addresses = local.addresses();
    let text = text
        .replace("http://host.docker.internal:3002", &addresses.netaxept)
        .replace("http://host.docker.internal:3003", &addresses.issuer);
    let mut read: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_str(&text).map_err(|error| Error::failed("env.json", error))?;
    Ok(read.remove("Parameters").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binaries;
    use crate::cases::ALL;
    use crate::instance::Instance;

    /// With Amazon's roots, a function cannot connect here. With `WARM_UP`, it connects before its first event.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn function_trusts_amazon_roots_only_and_warms_up_before_its_first_event() {
        let folder = binaries::target().unwrap().join("bench-cold/tests");
        std::fs::create_dir_all(&folder).unwrap();
        let world = World::start(Identity::new().unwrap(), &folder).await.unwrap();
        let program = binaries::target().unwrap().join("debug").join(ALL[0].function);
        let event = ALL[0].events(&world, 1).await.unwrap().remove(0);
        for (start, status, opened) in
            [(Start::AmazonRoots, 503, 0), (Start::Cold, 200, 0), (Start::Warmed, 200, 1)]
        {
            let proxies = AwsProxies::start(&world).await.unwrap();
            let environment = world.environment(&proxies, ALL[0].function, start);
            let mut instance = Instance::start("list", &program, &[], &environment).await.unwrap();
            instance.ready().await.unwrap();
            assert_eq!(proxies.dynamodb.connections(), opened, "{start:?}");
            let response = instance.send(&event).await.unwrap().body;
            let response: Value = serde_json::from_slice(&response).unwrap();
            assert_eq!(response["statusCode"], status, "{start:?}");
        }
    }
}

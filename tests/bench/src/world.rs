//! What the functions live in: the local service, and TLS in front of what is AWS.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use local::template::Template;
use local::{Local, Options};
use serde_json::Value;

use crate::Error;
use crate::tls::{Door, Identity};

/// How a function is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// It trusts what it trusts on Lambda, and so nobody here: for what it does before its first event.
    Alone,
    /// It goes to work at once; the first event opens the connection.
    Cold,
    /// As it is deployed: it opens the connection before it asks for an event.
    Warmed,
}

/// What Lambda itself puts into every environment, as its documentation lists it.
const LAMBDAS: [(&str, &str); 19] = [
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

/// The service, and what its doors show.
pub(crate) struct World {
    /// The service, whose functions get things ready.
    pub(crate) local: Local,
    /// For the pages of Nets and the issuer.
    pub(crate) http: reqwest::Client,
    identity: Identity,
    root: PathBuf,
    given: BTreeMap<String, String>,
    template: Template,
    customers: AtomicU32,
}

/// TLS in front of what is AWS, for one process.
pub(crate) struct Doors {
    /// In front of `DynamoDB`.
    pub(crate) dynamodb: Door,
    secrets: Door,
}

impl Doors {
    /// Opens them.
    pub(crate) async fn open(world: &World) -> Result<Self, Error> {
        let addresses = world.local.addresses();
        Ok(Self {
            dynamodb: world.identity.open(&addresses.dynamodb).await?,
            secrets: world.identity.open(&addresses.secrets).await?,
        })
    }
}

impl World {
    /// Starts it; `folder` is for files.
    pub(crate) async fn start(identity: Identity, folder: &Path) -> Result<Self, Error> {
        let local = Local::start(Options::default()).await?;
        let root = folder.join("root.pem");
        identity.write_root(&root)?;
        let template = Template::read(&local::binaries::root().join("template.yaml"));
        Ok(Self {
            http: local::http_client()?,
            given: variables(&local)?,
            template: template.map_err(local::Error::from)?,
            customers: AtomicU32::new(0),
            local,
            identity,
            root,
        })
    }

    /// The environment of a function, with everything that any of them reads.
    pub(crate) fn environment(
        &self,
        doors: &Doors,
        function: &str,
        start: Start,
    ) -> BTreeMap<String, String> {
        let (roots, warm_up) = match start {
            Start::Alone => ("amazon", "none"),
            Start::Cold => ("system", "none"),
            Start::Warmed => ("system", "connect"),
        };
        let root = self.root.to_string_lossy();
        let own = [
            ("AWS_ACCESS_KEY_ID", function),
            ("AWS_ENDPOINT_URL_DYNAMODB", &doors.dynamodb.address),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &doors.secrets.address),
            ("AWS_LAMBDA_FUNCTION_NAME", function),
            // Our root, for those who look there.
            ("SSL_CERT_FILE", &root),
            ("TLS_ROOTS", roots),
            ("WARM_UP", warm_up),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let given = self.given.iter().filter(|(name, _)| self.reads(function, name));
        let given = given.map(|(name, value)| (name.clone(), value.clone()));
        LAMBDAS
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .chain(given)
            .chain(own)
            .collect()
    }

    /// Whether the template gives a function this variable.
    fn reads(&self, function: &str, name: &str) -> bool {
        let of = |properties: &Value| properties["Environment"]["Variables"].get(name).is_some();
        let mut functions = self.template.resources("AWS::Serverless::Function");
        let found =
            functions.find(|(_, it)| it["Metadata"]["BuildProperties"]["Binary"] == function);
        of(&self.template.document()["Globals"]["Function"])
            || found.is_some_and(|(_, it)| of(&it["Properties"]))
    }

    /// A customer whom nobody knows yet.
    pub(crate) fn customer(&self) -> String {
        format!("bench-{:06}", self.customers.fetch_add(1, Ordering::Relaxed))
    }

    /// Has one of the service's own functions answer an event: its body.
    pub(crate) async fn call(&self, function: &str, event: &Value) -> Result<Value, Error> {
        let answer = self.local.lambda().invoke(function, event.to_string().into_bytes()).await;
        let answer = answer.map_err(|error| Error::failed(function, error))?;
        succeeded(function, &answer)
    }

    /// A partner's token, good at an instant of the local clock.
    pub(crate) async fn token(&self) -> Result<String, Error> {
        let failed = |error| Error::failed("the issuer", error);
        let address = format!("{}/oauth/token", self.local.addresses().issuer);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "partner-demo"),
            ("client_secret", "partner-demo"),
        ];
        let answer = self.http.post(address).form(&form).send().await.map_err(failed)?;
        let answer: Value = answer.json().await.map_err(failed)?;
        answer["access_token"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Error::failed("the issuer", &answer))
    }
}

/// The body of an answer that has to be a success.
pub(crate) fn succeeded(function: &str, answer: &[u8]) -> Result<Value, Error> {
    let failed = || Error::failed(function, String::from_utf8_lossy(answer));
    let answer: Value = serde_json::from_slice(answer).map_err(|_| failed())?;
    match answer["statusCode"].as_u64() {
        None => Ok(answer),
        Some(200..300) => {
            Ok(serde_json::from_str(answer["body"].as_str().unwrap_or_default())
                .unwrap_or_default())
        }
        Some(_) => Err(failed()),
    }
}

/// The variables of `tests/events/env.json`, with this service's addresses.
fn variables(local: &Local) -> Result<BTreeMap<String, String>, Error> {
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

    /// A function speaks to nobody whose root it does not trust, and warms up without waiting for anybody's event.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_stranger_is_not_spoken_to() {
        let folder = binaries::target().unwrap().join("bench-cold/tests");
        std::fs::create_dir_all(&folder).unwrap();
        let world = World::start(Identity::new().unwrap(), &folder).await.unwrap();
        let program = binaries::target().unwrap().join("debug").join(ALL[0].function);
        let event = ALL[0].events(&world, 1).await.unwrap().remove(0);
        for (start, status, opened) in
            [(Start::Alone, 503, 0), (Start::Cold, 200, 0), (Start::Warmed, 200, 1)]
        {
            let doors = Doors::open(&world).await.unwrap();
            let environment = world.environment(&doors, ALL[0].function, start);
            let mut instance = Instance::start("list", &program, &[], &environment).await.unwrap();
            instance.ready().await.unwrap();
            assert_eq!(doors.dynamodb.opened(), opened, "{start:?}");
            let answer = instance.ask(&event).await.unwrap().body;
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(answer["statusCode"], status, "{start:?}");
        }
    }
}

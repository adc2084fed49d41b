//! The whole service on one machine: the real function binaries, with everything around them played here.
//!
//! Written from the vendors' documents and independent of `shared`, so that one mistake cannot cancel itself out. Tests use
//! this library; people use the program of the same name.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::future::ready;
use futures_util::stream;
use serde::Serialize;
use tokio::net::TcpListener;

pub mod binaries;
pub mod clock;
mod console;
pub mod doors;
pub mod dynamodb;
pub mod gateway;
pub mod iam;
pub mod inbox;
pub mod issuer;
pub mod lambda;
pub mod netaxept;
mod openapi;
pub mod scheduler;
pub mod secrets;
pub mod template;
pub mod yaml;

use clock::Clock;
use doors::Doors;
use dynamodb::Dynamodb;
use gateway::Gateway;
use iam::Policies;
use inbox::Inbox;
use issuer::Issuer;
use lambda::Lambda;
use netaxept::Netaxept;
use scheduler::Scheduler;
use secrets::Secrets;
use template::{Parameters, Template};

/// The key of the hash that gives a wallet its place.
pub const ID_KEY: &str = "the key of this machine, which guards nothing";

/// Why the service does not come up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port is taken.
    #[error("{0} can not listen: {1}")]
    Port(&'static str, std::io::Error),
    /// The functions cannot be built.
    #[error("the functions can not be built: {0}")]
    Build(String),
    /// The template cannot be read.
    #[error(transparent)]
    Template(#[from] template::Fault),
    /// The tables cannot be used.
    #[error("DynamoDB: {0}")]
    Data(String),
    /// Cryptography does not work.
    #[error("cryptography: {0}")]
    Key(String),
}

/// Where it listens, and what it keeps. The default is any free port, and nothing.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The API's port; console, Netaxept, issuer and Secrets Manager have the next four. 0: any for each.
    pub port: u16,
    /// `DynamoDB`'s port. 0: any.
    pub dynamodb_port: u16,
    /// One more address on which everything that functions call is served, with the same ports: so that functions in a
    /// container reach it.
    pub containers: Option<IpAddr>,
    /// The folder that keeps the tables between runs.
    pub data: Option<PathBuf>,
    /// Whether what cargo and the functions write goes to standard error.
    pub echo: bool,
    /// Whether scheduled functions run by themselves. Without it they run only when they are told to.
    pub schedules: bool,
    /// Whether the Netaxept sandbox calls the API back when something happened to a transaction.
    pub callbacks: bool,
    /// A folder with other function binaries, which are taken as they are. Without it they are built.
    pub functions: Option<PathBuf>,
    /// More variables for every function.
    pub environment: BTreeMap<String, String>,
}

/// Base addresses, without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// The API.
    pub api: String,
    /// The console.
    pub console: String,
    /// The Netaxept sandbox.
    pub netaxept: String,
    /// The token issuer.
    pub issuer: String,
    /// `DynamoDB`.
    pub dynamodb: String,
    /// Secrets Manager.
    pub secrets: String,
}

/// A running service. Clones are the same; it ends with the tokio runtime that it was started in.
#[derive(Clone)]
pub struct Local {
    addresses: Addresses,
    clock: Clock,
    dynamodb: Dynamodb,
    lambda: Lambda,
    issuer: Issuer,
    netaxept: Netaxept,
    scheduler: Scheduler,
    inbox: Inbox,
    secrets: Secrets,
    policies: Policies,
    doors: Doors,
}

impl Local {
    /// Builds the functions, starts everything, and creates the tables.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn start(options: Options) -> Result<Self, Error> {
        let next =
            |offset: u16| if options.port == 0 { 0 } else { options.port.saturating_add(offset) };
        let api = listen("the API", options.port).await?;
        let console = listen("the console", next(1)).await?;
        let nets = listen("Netaxept", next(2)).await?;
        let issuing = listen("the issuer", next(3)).await?;
        let keeping = listen("Secrets Manager", next(4)).await?;
        let database = listen("DynamoDB", options.dynamodb_port).await?;
        let mut called = Vec::new();
        if let Some(address) = options.containers {
            for (what, listener) in [
                ("Netaxept", &nets),
                ("the issuer", &issuing),
                ("Secrets Manager", &keeping),
                ("DynamoDB", &database),
            ] {
                called.push(listen_on(what, address, socket(listener)?.port()).await?);
            }
        }
        let addresses = Addresses {
            api: address(&api)?,
            console: address(&console)?,
            netaxept: address(&nets)?,
            issuer: address(&issuing)?,
            dynamodb: address(&database)?,
            secrets: address(&keeping)?,
        };
        let template = Template::read(&binaries::root().join("template.yaml"))?;
        let parameters = parameters(&addresses);
        let values = template.secrets(&parameters, &generated())?;
        let functions = template.functions(&parameters, &values)?;
        let policies = Policies::read(&template)?;
        let folder = match options.functions {
            Some(folder) => folder,
            None => binaries::build(options.echo).await?.to_owned(),
        };
        let (clock, doors) = (Clock::default(), Doors::default());
        let dynamodb = Dynamodb::on(database, options.data.as_deref(), doors.clone()).await?;
        dynamodb.create_tables(&template).await?;
        let (guard, known) = (policies.clone(), functions.clone());
        dynamodb.guard(move |request| {
            // Others than functions, tests say, have no role.
            let is_function = known.iter().any(|function| function.binary == request.function);
            !is_function || guard.allows(&request.function, &request.action(), &request.resource())
        });
        let secrets = Secrets::new(values, policies.clone());
        let mut variables = environment(&addresses);
        variables.extend(options.environment);
        let lambda = Lambda::start(functions.clone(), &folder, variables, options.echo).await?;
        let netaxept = Netaxept::behind(doors.clone(), clock.clone());
        let scheduler = Scheduler::new(lambda.clone(), clock.clone(), &functions);
        let inbox = Inbox::behind(doors.clone(), clock.clone());
        let (authorizer, cors) = (template.authorizer(), template.cors(&parameters)?);
        let gateway = Gateway::new(lambda.clone(), clock.clone(), functions, authorizer, cors);
        let issuer = Issuer::new(addresses.issuer.clone(), clock.clone())?;
        let local = Self {
            addresses,
            clock,
            dynamodb,
            lambda,
            issuer,
            netaxept,
            scheduler,
            inbox,
            secrets,
            policies,
            doors,
        };
        let netaxept = local.netaxept.clone().router();
        let (issuer, secrets) = (local.issuer.clone().router(), local.secrets.clone().router());
        let routers = [&netaxept, &issuer, &secrets, &local.dynamodb.router()].map(Clone::clone);
        for (listener, router) in called.into_iter().zip(routers) {
            serve(listener, router);
        }
        serve(api, gateway.router());
        serve(console, console::router(local.clone()));
        serve(nets, netaxept);
        serve(issuing, issuer);
        serve(keeping, secrets);
        if options.callbacks {
            local.netaxept.call_back(Some(local.callback_address()));
        }
        if options.schedules {
            local.scheduler.begin();
        }
        Ok(local)
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The clock of everything.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Where Nets calls back. Its end is a secret.
    fn callback_address(&self) -> String {
        format!("{}/v1/netaxept/callback/{}", self.addresses.api, netaxept::CALLBACK_SECRET)
    }

    /// `DynamoDB`.
    #[must_use]
    pub fn dynamodb(&self) -> &Dynamodb {
        &self.dynamodb
    }

    /// The functions.
    #[must_use]
    pub fn lambda(&self) -> &Lambda {
        &self.lambda
    }

    /// The token issuer.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Nets.
    #[must_use]
    pub fn netaxept(&self) -> &Netaxept {
        &self.netaxept
    }

    /// The scheduled functions.
    #[must_use]
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// The secrets of the functions.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What each function may do.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// What functions change outside of themselves, to count it and to hold it.
    #[must_use]
    pub fn doors(&self) -> &Doors {
        &self.doors
    }

    /// The notifications to a caller.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }
}

/// The template's parameters, as an operator would give them.
fn parameters(addresses: &Addresses) -> Parameters {
    let issuers: Vec<String> = issuer::TENANTS
        .iter()
        .map(|tenant| format!("{tenant}={}/{tenant}", addresses.issuer))
        .collect();
    // The console has the API's page, which calls the API from another port: another origin.
    let origins =
        format!("{0},{1}", addresses.console, addresses.console.replace("127.0.0.1", "localhost"));
    let given = [
        ("AllowedOrigins", origins),
        ("CallbackAddresses", "local".to_owned()),
        ("NetaxeptAddress", addresses.netaxept.clone()),
        ("NetaxeptMerchantId", netaxept::MERCHANT_ID.to_owned()),
        ("NetaxeptToken", netaxept::TOKEN.to_owned()),
        ("TokenAudience", issuer::AUDIENCE.to_owned()),
        ("TokenIssuers", issuers.join(" ")),
        // A request more from each instance, at a time that nobody settles: tests count requests.
        ("WarmUp", "none".to_owned()),
    ];
    given.map(|(name, value)| (name.to_owned(), value)).into()
}

/// The secrets that AWS would make up.
fn generated() -> BTreeMap<String, String> {
    let given = [
        ("IdKey", ID_KEY),
        ("CallbackSecret", netaxept::CALLBACK_SECRET),
        ("NotificationSecret", inbox::NOTIFICATION_SECRET),
    ];
    given.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// What Lambda itself puts into every function's environment, and where `DynamoDB` and Secrets Manager are.
fn environment(addresses: &Addresses) -> BTreeMap<String, String> {
    let given = [
        ("AWS_REGION", "eu-north-1"),
        ("AWS_DEFAULT_REGION", "eu-north-1"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &addresses.dynamodb),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &addresses.secrets),
    ];
    given.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// A client for what listens here: no proxies, no redirects.
///
/// # Errors
/// TLS cannot be set up.
pub fn http_client() -> Result<reqwest::Client, Error> {
    // The one TLS stack of the workspace. It is there already when this is called again.
    rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    client.map_err(|error| Error::Key(error.to_string()))
}

async fn listen(what: &'static str, port: u16) -> Result<TcpListener, Error> {
    listen_on(what, Ipv4Addr::LOCALHOST.into(), port).await
}

async fn listen_on(what: &'static str, address: IpAddr, port: u16) -> Result<TcpListener, Error> {
    TcpListener::bind((address, port)).await.map_err(|error| Error::Port(what, error))
}

fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await });
}

/// What leaves a connection without an answer: it breaks before anything is sent.
fn broken_connection() -> Response {
    let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    // The server sends a head together with the beginning of its body, so that neither is sent.
    Response::new(Body::from_stream(stream::once(ready(Err::<Bytes, _>(broken)))))
}

fn socket(listener: &TcpListener) -> Result<SocketAddr, Error> {
    listener.local_addr().map_err(|error| Error::Port("a listener", error))
}

fn address(listener: &TcpListener) -> Result<String, Error> {
    Ok(format!("http://{}", socket(listener)?))
}

//! The local service: runs the real function binaries on one machine and simulates the services around them.
//!
//! It is written from the vendors' documents and does not use `shared`, so that a mistake in `shared` is not repeated here and
//! hidden. Tests use this library; people use the program of the same name.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::future::ready;
use futures_util::stream;
use serde::Serialize;

mod activity;
pub mod binaries;
pub mod clock;
pub mod commands;
mod console;
pub mod dynamodb;
pub mod gateway;
pub mod iam;
pub mod inbox;
pub mod issuer;
pub mod lambda;
mod listeners;
pub mod netaxept;
mod openapi;
pub mod scheduler;
pub mod secrets;
mod settings;
mod shop;
pub mod side_effects;
pub mod template;
pub mod yaml;

use activity::Activity;
use clock::Clock;
use dynamodb::Dynamodb;
use gateway::Gateway;
use iam::Policies;
use inbox::Inbox;
use issuer::Issuer;
use lambda::Lambda;
use listeners::Listeners;
use netaxept::Netaxept;
use scheduler::Scheduler;
use secrets::Secrets;
use side_effects::SideEffects;
use template::{Function, Template};

/// The key of the hash that maps a customer to the slot of the wallet.
pub const ID_KEY: &str = "the key of this machine, which guards nothing";

/// The local service cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port cannot be used.
    #[error("the port of {0} cannot be used: {1}")]
    Port(&'static str, std::io::Error),
    /// Another program listens on a port.
    #[error(
        "port {port} is in use by another program, and {part} needs it: stop that program, or use `cargo local {option}`"
    )]
    PortInUse {
        /// The part of the local service.
        part: &'static str,
        /// The port.
        port: u16,
        /// The option that selects another port, with an example.
        option: &'static str,
    },
    /// The functions cannot be built.
    #[error("the functions cannot be built: {0}")]
    Build(String),
    /// The template cannot be read.
    #[error(transparent)]
    Template(#[from] template::TemplateError),
    /// The tables cannot be used.
    #[error("DynamoDB: {0}")]
    Data(String),
    /// TLS or signing keys cannot be set up.
    #[error("cryptography: {0}")]
    Cryptography(String),
}

/// Options of the local service. The default uses any free ports and stores nothing on disk.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Options {
    /// The API's port. Console, Netaxept, issuer and Secrets Manager use the next four. 0 means any free port for each.
    pub port: u16,
    /// `DynamoDB`'s port. 0 means any free port.
    pub dynamodb_port: u16,
    /// Another address on which the services that functions call listen too, on the same ports: for functions in a container.
    pub containers: Option<IpAddr>,
    /// The folder that stores the tables between runs. Without it the tables are in memory.
    pub data: Option<PathBuf>,
    /// Whether the output of cargo and of the functions is written to standard error.
    pub echo: bool,
    /// Whether scheduled functions run when they are due. Otherwise they run only on request.
    pub schedules: bool,
    /// Whether the Netaxept sandbox sends callbacks to the API.
    pub callbacks: bool,
    /// Whether what happens is recorded for the pages of the console. Programs that measure the service do not record it.
    pub activity: bool,
    /// A folder with prebuilt function binaries. Without it the functions are built.
    pub functions: Option<PathBuf>,
    /// The addresses for lifecycle events.
    pub event_webhooks: EventWebhooks,
    /// Additional environment variables for every function.
    pub environment: BTreeMap<String, String>,
}

/// The addresses that receive the lifecycle events of stored cards: the template's parameter `EventWebhooks`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum EventWebhooks {
    /// No organisation has an address, so there are no events.
    #[default]
    None,
    /// The inbox receives the events of the default organisation, at `/inbox/events`.
    Inbox,
    /// The value of the parameter: `organisation=address organisation=address`.
    Addresses(String),
}

/// The base addresses, without a trailing slash.
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

/// A running local service. Clones share their state. It ends with the tokio runtime that it was started in.
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
    side_effects: SideEffects,
    activity: Activity,
}

impl Local {
    /// Builds the functions, starts all parts, and creates the tables.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn start(options: Options) -> Result<Self, Error> {
        let listeners = Listeners::open(&options).await?;
        let addresses = listeners.addresses()?;
        let template = Template::read(&binaries::root().join("template.yaml"))?;
        let parameters = settings::parameters(&addresses, &options.event_webhooks);
        let secret_values = template.secrets(&parameters, &settings::generated_secrets())?;
        let functions = template.functions(&parameters, &secret_values)?;
        let policies = Policies::read(&template)?;
        let lambda = start_lambda(&functions, &addresses, &options).await?;

        let Listeners { api, console, netaxept, issuer, secrets, dynamodb } = listeners;
        let (clock, side_effects) = (Clock::default(), SideEffects::default());
        let data = options.data.as_deref();
        let dynamodb = Dynamodb::start_on(dynamodb, data, side_effects.clone()).await?;
        dynamodb.create_tables(&template).await?;
        apply_policies(&dynamodb, &policies, &functions);
        let (authorizer, cors) = (template.authorizer(), template.cors(&parameters)?);
        let local = Self {
            issuer: Issuer::new(addresses.issuer.clone(), clock.clone())?,
            netaxept: Netaxept::with_side_effects(side_effects.clone(), clock.clone()),
            scheduler: Scheduler::new(lambda.clone(), clock.clone(), &functions),
            inbox: Inbox::with_side_effects(side_effects.clone(), clock.clone()),
            secrets: Secrets::new(secret_values, policies.clone()),
            activity: Activity::new(clock.clone()),
            addresses,
            clock,
            dynamodb,
            lambda,
            policies,
            side_effects,
        };
        let (lambda, clock) = (local.lambda.clone(), local.clock.clone());
        let gateway = Gateway::new(lambda, clock, functions, authorizer, cors);
        if options.activity {
            local.record_activity(&gateway);
        }
        api.serve(gateway.router());
        console.serve(console::router(&local));
        netaxept.serve(local.netaxept.clone().router());
        issuer.serve(local.issuer.clone().router());
        secrets.serve(local.secrets.clone().router());
        if options.callbacks {
            local.netaxept.set_callback_address(Some(local.callback_address()));
        }
        if options.schedules {
            local.scheduler.start();
        }
        Ok(local)
    }

    /// From now on records what happens in all parts.
    fn record_activity(&self, gateway: &Gateway) {
        gateway.record_in(self.activity.clone());
        self.lambda.record_in(self.activity.clone());
        self.netaxept.record_in(self.activity.clone());
        self.dynamodb.record_in(self.activity.clone());
        self.inbox.record_in(self.activity.clone());
    }

    /// What happened, for the console.
    pub(crate) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// The addresses of all parts.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The clock of all parts.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The address that Nets calls. The last segment of its path is a secret.
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

    /// The Netaxept sandbox.
    #[must_use]
    pub fn netaxept(&self) -> &Netaxept {
        &self.netaxept
    }

    /// The scheduler.
    #[must_use]
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// Secrets Manager.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The permissions of each function.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// The side effects of the functions, to list and to hold them.
    #[must_use]
    pub fn side_effects(&self) -> &SideEffects {
        &self.side_effects
    }

    /// The inbox, which receives the notifications.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }
}

/// An HTTP client for the parts of the local service. It uses no proxy and follows no redirects.
///
/// # Errors
/// Fails if TLS cannot be set up.
pub fn http_client() -> Result<reqwest::Client, Error> {
    // The workspace has one TLS provider. Installing it again fails, which does no harm.
    rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    client.map_err(|error| Error::Cryptography(error.to_string()))
}

/// Builds the functions, unless there is a folder with prebuilt ones, and starts Lambda.
async fn start_lambda(
    functions: &[Function],
    addresses: &Addresses,
    options: &Options,
) -> Result<Lambda, Error> {
    let folder = match &options.functions {
        Some(folder) => folder,
        None => binaries::build(options.echo).await?,
    };
    if options.echo {
        tracing::info!("starting the local service");
    }
    let mut variables = settings::environment(addresses);
    variables.extend(options.environment.clone());
    Lambda::start(functions.to_vec(), folder, variables, options.echo).await
}

/// From now on the functions can only do at the tables what their policies allow.
fn apply_policies(dynamodb: &Dynamodb, policies: &Policies, functions: &[Function]) {
    let (policies, functions) = (policies.clone(), functions.to_vec());
    dynamodb.guard(move |request| {
        // Other clients, such as tests, have no role and are always allowed.
        let is_function = functions.iter().any(|function| function.binary == request.function);
        !is_function || policies.allows(&request.function, &request.action(), &request.resource())
    });
}

/// A response that makes the server close the connection without sending anything.
fn close_without_response() -> Response {
    let error = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    // The server sends the head together with the first part of the body. The body fails, so neither is sent.
    Response::new(Body::from_stream(stream::once(ready(Err::<Bytes, _>(error)))))
}

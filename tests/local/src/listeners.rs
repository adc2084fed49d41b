//! The listening sockets of the local service.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};

use axum::Router;
use tokio::net::TcpListener;

use crate::{Addresses, Error, Options, dynamodb};

/// The listeners of all parts. They are opened before the parts start: the configuration of the functions has their addresses.
pub(crate) struct Listeners {
    pub(crate) api: Listener,
    pub(crate) console: Listener,
    pub(crate) netaxept: Listener,
    pub(crate) issuer: Listener,
    pub(crate) secrets: Listener,
    pub(crate) dynamodb: Listener,
}

impl Listeners {
    /// Opens the listeners. Those of the services that functions call are also on the address for containers, if there is one.
    pub(crate) async fn open(options: &Options) -> Result<Self, Error> {
        let port =
            |offset: u16| if options.port == 0 { 0 } else { options.port.saturating_add(offset) };
        let containers = options.containers;
        Ok(Self {
            api: Listener::open("the API", port(0)).await?,
            console: Listener::open("the console", port(1)).await?,
            netaxept: Listener::open("Netaxept", port(2)).await?.and_on(containers).await?,
            issuer: Listener::open("the issuer", port(3)).await?.and_on(containers).await?,
            secrets: Listener::open("Secrets Manager", port(4)).await?.and_on(containers).await?,
            dynamodb: Listener::open(dynamodb::PART, options.dynamodb_port)
                .await?
                .and_on(containers)
                .await?,
        })
    }

    /// The addresses on 127.0.0.1.
    pub(crate) fn addresses(&self) -> Result<Addresses, Error> {
        Ok(Addresses {
            api: self.api.address()?,
            console: self.console.address()?,
            netaxept: self.netaxept.address()?,
            issuer: self.issuer.address()?,
            dynamodb: self.dynamodb.address()?,
            secrets: self.secrets.address()?,
        })
    }
}

/// The listener of one part: a socket on 127.0.0.1, and optionally one on another address, with the same port.
pub(crate) struct Listener {
    name: &'static str,
    local: TcpListener,
    other: Option<TcpListener>,
}

impl Listener {
    /// Opens a listener on a port of 127.0.0.1; 0 means any free port.
    pub(crate) async fn open(name: &'static str, port: u16) -> Result<Self, Error> {
        Ok(Self { name, local: bind(name, Ipv4Addr::LOCALHOST.into(), port).await?, other: None })
    }

    async fn and_on(self, address: Option<IpAddr>) -> Result<Self, Error> {
        let Some(address) = address else { return Ok(self) };
        let other = bind(self.name, address, self.port()?).await?;
        Ok(Self { other: Some(other), ..self })
    }

    /// The base address on 127.0.0.1, without a trailing slash.
    pub(crate) fn address(&self) -> Result<String, Error> {
        Ok(format!("http://127.0.0.1:{}", self.port()?))
    }

    fn port(&self) -> Result<u16, Error> {
        let address = self.local.local_addr().map_err(|error| Error::Port(self.name, error))?;
        Ok(address.port())
    }

    /// The socket on 127.0.0.1.
    pub(crate) fn into_socket(self) -> TcpListener {
        self.local
    }

    /// Serves requests until the runtime ends.
    pub(crate) fn serve(self, router: Router) {
        if let Some(other) = self.other {
            let router = router.clone();
            tokio::spawn(async move { axum::serve(other, router).await });
        }
        tokio::spawn(async move { axum::serve(self.local, router).await });
    }
}

async fn bind(name: &'static str, address: IpAddr, port: u16) -> Result<TcpListener, Error> {
    TcpListener::bind((address, port)).await.map_err(|error| {
        if error.kind() != ErrorKind::AddrInUse {
            return Error::Port(name, error);
        }
        let is_dynamodb = name == dynamodb::PART;
        let option = if is_dynamodb { "--dynamodb-port 8001" } else { "--port 4000" };
        Error::PortInUse { part: name, port, option }
    })
}

//! A TLS 1.3 proxy in front of a local plain-text server. It counts its connections.
//!
//! The certificate chain is like that of Amazon's services: a root, an intermediate and a leaf, each with RSA and 2048 bits.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey;
use rsa::rand_core::OsRng;
use rustls::ServerConfig;
use rustls::crypto::ring::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::TLS13;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::Error;

/// A certificate chain with its key and root. Clones share them.
#[derive(Clone)]
pub(crate) struct Identity {
    config: Arc<ServerConfig>,
    root: String,
}

/// A running proxy.
pub(crate) struct TlsProxy {
    /// The address, `https://localhost:…`.
    pub(crate) address: String,
    connections: Arc<AtomicUsize>,
}

impl TlsProxy {
    /// The number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn failed(error: impl ToString) -> Error {
    Error::failed("TLS", error)
}

fn key() -> Result<KeyPair, Error> {
    let key = RsaPrivateKey::new(&mut OsRng, 2048).map_err(failed)?;
    let key = key.to_pkcs8_der().map_err(failed)?;
    KeyPair::try_from(key.as_bytes()).map_err(failed)
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

impl Identity {
    /// Creates a new chain for `localhost`.
    pub(crate) fn new() -> Result<Self, Error> {
        let root = CertifiedIssuer::self_signed(authority("Bench root"), key()?).map_err(failed)?;
        let intermediate =
            CertifiedIssuer::signed_by(authority("Bench intermediate"), key()?, &root)
                .map_err(failed)?;
        let leaf_key = key()?;
        let leaf = CertificateParams::new(["localhost".to_owned()])
            .and_then(|params| params.signed_by(&leaf_key, &intermediate))
            .map_err(failed)?;
        let chain: Vec<CertificateDer<'static>> =
            vec![leaf.der().clone(), intermediate.as_ref().der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        // Amazon's servers prefer these cipher suites, independent of the client's order.
        let mut provider = default_provider();
        provider.cipher_suites = vec![TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384];
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(failed)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(failed)?;
        config.ignore_client_order = true;
        Ok(Self { config: Arc::new(config), root: root.as_ref().pem() })
    }

    /// Writes the root certificate to a file.
    pub(crate) fn write_root(&self, file: &Path) -> Result<(), Error> {
        std::fs::write(file, &self.root).map_err(failed)
    }

    /// Starts a proxy in front of `http://address`.
    pub(crate) async fn start_proxy(&self, address: &str) -> Result<TlsProxy, Error> {
        let target = address.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let (acceptor, connections) =
            (TlsAcceptor::from(self.config.clone()), Arc::<AtomicUsize>::default());
        let count = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(forward(acceptor.clone(), stream, target.clone()));
            }
        });
        Ok(TlsProxy { address: format!("https://localhost:{port}"), connections })
    }
}

/// Forwards one connection until either side closes it. Errors are ignored, because functions are killed at any time.
async fn forward(acceptor: TlsAcceptor, stream: TcpStream, target: String) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut client = acceptor.accept(stream).await?;
    let mut server = TcpStream::connect(target).await?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

//! A TLS 1.3 door in front of a plain service on this machine, which counts the connections that are opened.
//!
//! What has to be verified is as with Amazon's services: a root, an intermediate and a leaf, each of RSA with 2048 bits.

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

/// What a door shows, and the root that vouches for it. Clones are the same.
#[derive(Clone)]
pub(crate) struct Identity {
    config: Arc<ServerConfig>,
    root: String,
}

/// A door that is open.
pub(crate) struct Door {
    /// Where, as `https://localhost:…`.
    pub(crate) address: String,
    opened: Arc<AtomicUsize>,
}

impl Door {
    /// How many connections were opened so far.
    pub(crate) fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
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
    /// A new one, for `localhost`.
    pub(crate) fn new() -> Result<Self, Error> {
        let root = CertifiedIssuer::self_signed(authority("Bench root"), key()?).map_err(failed)?;
        let between = CertifiedIssuer::signed_by(authority("Bench intermediate"), key()?, &root)
            .map_err(failed)?;
        let leaf_key = key()?;
        let leaf = CertificateParams::new(["localhost".to_owned()])
            .and_then(|params| params.signed_by(&leaf_key, &between))
            .map_err(failed)?;
        let chain: Vec<CertificateDer<'static>> =
            vec![leaf.der().clone(), between.as_ref().der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        // As Amazon's own TLS chooses, whatever a client would rather have.
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

    /// Writes the root into a file, for those who are to trust it.
    pub(crate) fn write_root(&self, file: &Path) -> Result<(), Error> {
        std::fs::write(file, &self.root).map_err(failed)
    }

    /// Opens a door in front of `http://address`.
    pub(crate) async fn open(&self, address: &str) -> Result<Door, Error> {
        let to = address.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let (acceptor, opened) =
            (TlsAcceptor::from(self.config.clone()), Arc::<AtomicUsize>::default());
        let count = opened.clone();
        tokio::spawn(async move {
            while let Ok((plain, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(pass(acceptor.clone(), plain, to.clone()));
            }
        });
        Ok(Door { address: format!("https://localhost:{port}"), opened })
    }
}

/// Passes on what one connection says, until either side ends it: functions are killed in the midst of everything.
async fn pass(acceptor: TlsAcceptor, plain: TcpStream, to: String) -> std::io::Result<()> {
    plain.set_nodelay(true)?;
    let mut from = acceptor.accept(plain).await?;
    let mut onward = TcpStream::connect(to).await?;
    onward.set_nodelay(true)?;
    copy_bidirectional(&mut from, &mut onward).await.map(drop)
}

//! The measured programs, built as they are deployed, and their sizes.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use local::binaries::{cargo, root};
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use zip::write::SimpleFileOptions;

use crate::Error;

/// The size of a program, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Size {
    /// The stripped binary.
    pub(crate) binary: u64,
    /// The deployment package.
    pub(crate) zip: u64,
}

/// Cargo's target folder.
pub(crate) fn target() -> Result<PathBuf, Error> {
    let program = std::env::current_exe().map_err(|error| Error::failed("this program", error))?;
    let folder = program.parent().filter(|folder| !folder.ends_with("deps"));
    let target = folder.or(program.parent().and_then(Path::parent)).and_then(Path::parent);
    target
        .map(Path::to_owned)
        .ok_or_else(|| Error::failed("this program", "it is not in a target folder"))
}

/// Builds functions as they are deployed, with cargo-lambda. Returns the folder of the binaries.
pub(crate) async fn functions(functions: &[&str]) -> Result<PathBuf, Error> {
    let mut cargo = cargo(&root());
    cargo.args(["lambda", "build", "--release", "--output-format", "zip"]);
    for function in functions {
        cargo.args(["--package", function]);
    }
    let target = target()?;
    // Not the default folder, where `sam build` writes.
    cargo.arg("--lambda-dir").arg(target.join("bench-cold/packages"));
    run(cargo.arg("--target-dir").arg(&target)).await?;
    Ok(target.join(format!("{}-unknown-linux-gnu", std::env::consts::ARCH)).join("release"))
}

/// Builds a peer in release. Returns the path of the binary.
pub(crate) async fn peer(name: &str) -> Result<PathBuf, Error> {
    let root = root();
    let (peers, target) = (root.join("tests/bench/peers"), target()?.join("peers"));
    // The same versions as in the workspace; cargo adds the missing packages.
    let failed = |error| Error::failed("Cargo.lock", error);
    std::fs::copy(root.join("Cargo.lock"), peers.join("Cargo.lock")).map_err(failed)?;
    let mut cargo = cargo(&peers);
    run(cargo.args(["build", "--release", "--package", name]).arg("--target-dir").arg(&target))
        .await?;
    Ok(target.join("release").join(name))
}

async fn run(cargo: &mut Command) -> Result<(), Error> {
    let status = cargo.status().await.map_err(|error| Error::failed("cargo", error))?;
    if status.success() { Ok(()) } else { Err(Error::failed("cargo", status)) }
}

/// The size of a program, and of its zip as cargo-lambda creates it.
pub(crate) fn size(program: &Path) -> Result<Size, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::failed(program.to_string_lossy(), error);
    let binary = std::fs::read(program).map_err(|error| failed(&error))?;
    let mut zipped = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zipped
        .start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755))
        .map_err(|error| failed(&error))?;
    zipped.write_all(&binary).map_err(|error| failed(&error))?;
    let mut zipped = zipped.finish().map_err(|error| failed(&error))?;
    let zip = zipped.seek(SeekFrom::End(0)).map_err(|error| failed(&error))?;
    Ok(Size { binary: binary.len() as u64, zip })
}

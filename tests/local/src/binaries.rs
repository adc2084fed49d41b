//! The function binaries: built by cargo where this program was built, so that they are always those of the sources.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::Error;

/// The workspace's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Builds them, once a process, and says in which folder they are. With `show`, cargo tells of its progress: the first time
/// takes minutes.
pub(crate) async fn build(show: bool) -> Result<&'static Path, Error> {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    BUILT.get_or_try_init(|| run_cargo(show)).await.map(PathBuf::as_path)
}

async fn run_cargo(show: bool) -> Result<PathBuf, Error> {
    let folder = folder()?;
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    // All of them, since the features that crates are built with depend on what is built together: this way nothing that
    // `cargo test` built is built again.
    cargo.args(["build", "--workspace", "--bins"]).current_dir(root()).kill_on_drop(true);
    if !show {
        cargo.arg("--quiet");
    }
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if let Some(target) = folder.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    // What cargo tells a running test or program about itself would make the build look like another one.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_")
            || name == "CARGO_MANIFEST_DIR"
            || name == "CARGO_MANIFEST_PATH"
        {
            cargo.env_remove(name);
        }
    }
    let status = cargo.stdin(Stdio::null()).stdout(Stdio::null()).status().await;
    match status.map_err(|error| Error::Build(error.to_string()))? {
        status if status.success() => Ok(folder),
        status => Err(Error::Build(status.to_string())),
    }
}

/// `target/debug` or `target/release`, where this program is: itself, or in `deps` when it is a test.
fn folder() -> Result<PathBuf, Error> {
    let program = std::env::current_exe().map_err(|error| Error::Build(error.to_string()))?;
    let folder = program
        .parent()
        .filter(|folder| !folder.ends_with("deps"))
        .or(program.parent().and_then(Path::parent));
    folder
        .map(Path::to_owned)
        .ok_or_else(|| Error::Build("this program is in no folder".to_owned()))
}

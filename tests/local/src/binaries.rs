//! Builds the function binaries with cargo, in the target folder of this program, so that they always match the sources.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::Error;

/// The root folder of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Builds the function binaries once in this process, and returns their folder. With `show_progress`, cargo prints its progress:
/// the first build takes minutes.
pub(crate) async fn build(show_progress: bool) -> Result<&'static Path, Error> {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    BUILT.get_or_try_init(|| run_cargo(show_progress)).await.map(PathBuf::as_path)
}

async fn run_cargo(show_progress: bool) -> Result<PathBuf, Error> {
    let folder = target_folder()?;
    let mut cargo = cargo(&root());
    // The whole workspace, because the features of a crate depend on what is selected together: this way cargo reuses what
    // `cargo test` has built.
    cargo.args(["build", "--workspace"]);
    for name in function_names().map_err(|error| Error::Build(error.to_string()))? {
        cargo.arg("--bin").arg(name);
    }
    if !show_progress {
        cargo.arg("--quiet");
    }
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if let Some(target) = folder.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    if show_progress {
        // Cargo writes its own progress to standard error: on a terminal one line with the crates that it builds, and their count.
        tracing::info!("building the functions with cargo; the first build takes a few minutes");
    }
    let status = cargo.stdin(Stdio::null()).stdout(Stdio::null()).status().await;
    match status.map_err(|error| Error::Build(error.to_string()))? {
        status if status.success() => Ok(folder),
        status => Err(Error::Build(status.to_string())),
    }
}

/// Cargo, to be started in this folder by a program or test that cargo has started. It does not inherit the variables that cargo
/// sets for such a program: the build scripts of some crates depend on them, so cargo would build these crates again, and at its
/// next start from a shell once more.
#[must_use]
pub fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo.current_dir(folder).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if is_set_by_cargo(&name.to_string_lossy()) {
            cargo.env_remove(name);
        }
    }
    cargo
}

fn is_set_by_cargo(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "OUT_DIR"
}

/// The names of the functions, which are also those of their folders and binaries.
///
/// # Errors
/// Fails if the folder of the functions cannot be read.
pub fn function_names() -> std::io::Result<BTreeSet<String>> {
    let folders = std::fs::read_dir(root().join("functions"))?;
    folders.map(|folder| Ok(folder?.file_name().to_string_lossy().into_owned())).collect()
}

/// `target/debug` or `target/release`: the folder of this program, or its parent if this program is a test in `deps`.
fn target_folder() -> Result<PathBuf, Error> {
    let program = std::env::current_exe().map_err(|error| Error::Build(error.to_string()))?;
    let folder = program
        .parent()
        .filter(|folder| !folder.ends_with("deps"))
        .or(program.parent().and_then(Path::parent));
    folder
        .map(Path::to_owned)
        .ok_or_else(|| Error::Build("the folder of this program is unknown".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::is_set_by_cargo;

    /// ring's build script reads these. Cargo sets them for this test too, because this crate has a build script of its own.
    #[test]
    fn cargo_does_not_inherit_the_variables_of_a_program_that_it_runs() {
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION_PRE", "OUT_DIR"] {
            assert!(std::env::var_os(name).is_some(), "{name} is not set");
            assert!(is_set_by_cargo(name), "{name} is inherited");
        }
        for name in ["CARGO_TARGET_DIR", "CARGO_INCREMENTAL", "PATH"] {
            assert!(!is_set_by_cargo(name), "{name} is not inherited");
        }
    }
}

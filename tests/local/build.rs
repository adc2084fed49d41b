//! Without a build script, cargo ignores build dependencies. `syn` is one, for its features; see `Cargo.toml`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}

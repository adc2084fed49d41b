//! Checks which modules of `shared` may use each other, as the module table in README.md says.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect()
}

/// The top-level module and the code of every source file, without comments and tests.
fn modules() -> Vec<(String, String)> {
    modules_in("src")
}

/// The module and the code of each source file in `folder`. The module is the first part of the path below `folder`.
fn modules_in(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let is_shipped = |path: &PathBuf| !path.to_string_lossy().ends_with("_tests.rs");
    sources(&root)
        .into_iter()
        .filter(is_shipped)
        .map(|path| {
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .components()
                .next()
                .unwrap()
                .as_os_str()
                .to_string_lossy()
                .replace(".rs", "");
            let text = fs::read_to_string(&path).unwrap();
            let code = text
                .split("#[cfg(test)]")
                .next()
                .unwrap()
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            (name, code.collect::<Vec<_>>().join("\n"))
        })
        .collect()
}

/// The modules of this crate that `module` may use.
fn allowed_modules(module: &str) -> &'static [&'static str] {
    match module {
        "error" | "secret" => &[],
        "invocation" => &["domain"],
        "log" => &["domain", "invocation", "log"],
        "aws" => &["config", "error", "outbound", "secret"],
        "secrets" => &["aws", "config", "error", "secret"],
        "domain" => &["domain", "error", "secret"],
        "config" => &["domain", "secret"],
        "outbound" => &["error"],
        "storage" => &["aws", "config", "domain", "error", "invocation", "log", "secret"],
        "netaxept" => &["config", "domain", "error", "invocation", "outbound", "secret"],
        "token" => &["config", "domain", "error", "invocation", "outbound", "secret"],
        "notify" => &["config", "domain", "error", "outbound"],
        "app" => &[
            "config",
            "domain",
            "error",
            "invocation",
            "netaxept",
            "notify",
            "secret",
            "secrets",
            "storage",
        ],
        "api" => &[
            "api",
            "config",
            "domain",
            "error",
            "invocation",
            "log",
            "netaxept",
            "secret",
            "token",
        ],
        "schedule" => &["app", "config", "error", "invocation", "log", "storage"],
        "lib" => &[],
        other => panic!("{other} is missing in this function and in the module table of README.md"),
    }
}

#[test]
fn modules_use_only_allowed_modules() {
    for (module, code) in modules() {
        for part in code.split("crate::").skip(1) {
            let used: String = part
                .chars()
                .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                .collect();
            assert!(allowed_modules(&module).contains(&used.as_str()), "{module} uses {used}");
        }
    }
}

/// The word after each occurrence of `prefix`.
fn words_after<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.split(prefix).skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// The modules that each module uses, without itself.
fn dependencies(
    modules: &[(String, String)],
    prefixes: &[&str],
) -> BTreeMap<String, BTreeSet<String>> {
    let names: BTreeSet<&str> = modules.iter().map(|(name, _)| name.as_str()).collect();
    let mut dependencies = BTreeMap::<String, BTreeSet<String>>::new();
    for (name, code) in modules {
        let words = prefixes.iter().flat_map(|prefix| words_after(code, prefix));
        let others = words.filter(|word| word != name && names.contains(word));
        dependencies.entry(name.clone()).or_default().extend(others.map(str::to_owned));
    }
    dependencies
}

/// The modules in dependency cycles, and the modules that depend on them.
fn cycles(mut dependencies: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    loop {
        let remaining: BTreeSet<String> = dependencies.keys().cloned().collect();
        dependencies.retain(|_, used| !used.is_disjoint(&remaining));
        if dependencies.len() == remaining.len() {
            return remaining.into_iter().collect();
        }
    }
}

#[test]
fn modules_have_no_dependency_cycles() {
    let of_crate = dependencies(&modules(), &["crate::"]);
    assert!(of_crate["api"].contains("domain"), "{of_crate:?}");
    assert_eq!(cycles(of_crate), [""; 0]);
    let domain = modules_in("src/domain");
    for (name, code) in &domain {
        assert!(
            !code.contains("domain::{"),
            "{name}: import each module on its own line, as this test expects"
        );
    }
    let domain = dependencies(&domain, &["crate::domain::", "super::"]);
    assert!(domain["caller"].contains("customer"), "{domain:?}");
    assert_eq!(cycles(domain), [""; 0]);
}

#[test]
fn dependency_cycles_are_found() {
    let module = |name: &str, code: &str| (name.to_owned(), code.to_owned());
    let modules = [
        module("a", "use crate::b::B; use crate::d;"),
        module("b", "use crate::c::C;"),
        module("c", "use crate::a::A;"),
        module("d", "use crate::d::e;"),
    ];
    assert_eq!(cycles(dependencies(&modules, &["crate::"])), ["a", "b", "c"]);
    assert_eq!(cycles(dependencies(&modules[1..], &["crate::"])), [""; 0]);
}

#[test]
fn external_crates_are_used_only_in_their_modules() {
    let allowed: [(&str, &[&str]); 21] = [
        ("aws_sdk", &["aws", "secrets", "storage"]),
        ("aws_types", &["app", "aws", "secrets", "storage"]),
        ("aws_smithy", &["aws", "storage"]),
        ("hyper", &["aws"]),
        ("rustls", &["aws", "outbound"]),
        ("webpki_roots", &["outbound"]),
        ("serde_dynamo", &["storage"]),
        ("roxmltree", &["netaxept"]),
        ("aws_lambda_events", &["api"]),
        ("lambda_http", &["api"]),
        ("lambda_runtime", &["api", "schedule"]),
        ("percent_encoding", &["api"]),
        ("jsonwebtoken", &["token"]),
        ("reqwest", &["netaxept", "notify", "outbound", "token"]),
        ("serde_json", &["api", "log", "notify", "token"]),
        ("standardwebhooks", &["notify"]),
        ("icu_properties", &["domain"]),
        ("strsim", &["api"]),
        ("ipnet", &["notify"]),
        ("std::env", &["config"]),
        ("tracing", &["api", "app", "log", "netaxept", "schedule", "storage", "token"]),
    ];
    for (module, code) in modules() {
        for (name, allowed_in) in allowed {
            assert!(
                !code.contains(name) || allowed_in.contains(&module.as_str()),
                "{module} uses {name}"
            );
        }
    }
}

#[test]
fn storage_has_the_only_trait_and_no_domain_type_is_serializable() {
    for (module, code) in modules() {
        let traits: Vec<&str> = words_after(&code, "\ntrait ")
            .chain(words_after(&code, " trait "))
            .filter(|name| !name.is_empty())
            .collect();
        let allowed: &[&str] = if module == "storage" { &["Aggregate"] } else { &[] };
        assert!(traits.iter().all(|name| allowed.contains(name)), "{module} declares {traits:?}");
        assert!(module != "domain" || !code.contains("Serialize"));
    }
}

/// The local engine reads consistently in all cases, so only this test finds a missing `consistent_read`.
#[test]
fn reads_are_consistent_and_nothing_scans_or_uses_transactions() {
    let storage: String = modules()
        .into_iter()
        .filter(|(module, _)| module == "storage")
        .map(|(_, code)| code)
        .collect();
    assert_eq!(storage.matches(".get_item()").count(), 1);
    assert_eq!(storage.matches(".consistent_read(true)").count(), 1);
    // The query reads an index of due wallets; an index does not support consistent reads. The update counts requests.
    assert_eq!(storage.matches(".query()").count(), 1);
    assert_eq!(storage.matches(".update_item()").count(), 1);
    for forbidden in [".scan()", ".transact_", ".delete_item()", ".batch_"] {
        assert!(!storage.contains(forbidden), "{forbidden}");
    }
}

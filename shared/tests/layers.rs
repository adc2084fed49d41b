//! Who may use whom inside `shared`: the arrows of README.md, held.

#![expect(clippy::unwrap_used, reason = "a test that can not go on has failed")]

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

/// Every source with its top-level module and its code: no comments, no tests.
fn modules() -> Vec<(String, String)> {
    modules_below("src")
}

/// The same for a folder: with the first part of the path below it.
fn modules_below(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let shipped = |path: &PathBuf| !path.to_string_lossy().ends_with("_tests.rs");
    sources(&root)
        .into_iter()
        .filter(shipped)
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

/// The modules of this crate that each module may use.
fn allowed(module: &str) -> &'static [&'static str] {
    match module {
        "error" | "secret" => &[],
        "invocation" => &["domain"],
        "log" => &["config", "domain", "invocation", "log"],
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
        "api" => &["api", "config", "domain", "error", "invocation", "log", "secret", "token"],
        "schedule" => &["app", "config", "error", "invocation", "log", "storage"],
        "lib" => &[],
        other => panic!("{other} is not in the map of README.md yet"),
    }
}

#[test]
fn the_arrows_run_one_way() {
    for (module, code) in modules() {
        for part in code.split("crate::").skip(1) {
            let used: String = part
                .chars()
                .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                .collect();
            assert!(allowed(&module).contains(&used.as_str()), "{module} uses {used}");
        }
    }
}

/// The words that follow a prefix, each time that it occurs.
fn words_after<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.split(prefix).skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// Which modules each module uses, itself left out.
fn uses(modules: &[(String, String)], prefixes: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let names: BTreeSet<&str> = modules.iter().map(|(name, _)| name.as_str()).collect();
    let mut arrows = BTreeMap::<String, BTreeSet<String>>::new();
    for (name, code) in modules {
        let words = prefixes.iter().flat_map(|prefix| words_after(code, prefix));
        let others = words.filter(|word| word != name && names.contains(word));
        arrows.entry(name.clone()).or_default().extend(others.map(str::to_owned));
    }
    arrows
}

/// The modules that use each other in a circle, and those that use them.
fn circles(mut uses: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    loop {
        let left: BTreeSet<String> = uses.keys().cloned().collect();
        uses.retain(|_, used| !used.is_disjoint(&left));
        if uses.len() == left.len() {
            return left.into_iter().collect();
        }
    }
}

#[test]
fn no_two_modules_use_each_other() {
    let crate_wide = uses(&modules(), &["crate::"]);
    assert!(crate_wide["api"].contains("domain"), "{crate_wide:?}");
    assert_eq!(circles(crate_wide), [""; 0]);
    let domain = modules_below("src/domain");
    for (name, code) in &domain {
        assert!(!code.contains("domain::{"), "{name}: a line for each module, for this test");
    }
    let domain = uses(&domain, &["crate::domain::", "super::"]);
    assert!(domain["caller"].contains("customer"), "{domain:?}");
    assert_eq!(circles(domain), [""; 0]);
}

#[test]
fn a_circle_is_found() {
    let module = |name: &str, code: &str| (name.to_owned(), code.to_owned());
    let modules = [
        module("a", "use crate::b::B; use crate::d;"),
        module("b", "use crate::c::C;"),
        module("c", "use crate::a::A;"),
        module("d", "use crate::d::e;"),
    ];
    assert_eq!(circles(uses(&modules, &["crate::"])), ["a", "b", "c"]);
    assert_eq!(circles(uses(&modules[1..], &["crate::"])), [""; 0]);
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    let homes: [(&str, &[&str]); 22] = [
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
        ("metrique", &["log"]),
        ("tracing", &["api", "app", "log", "netaxept", "schedule", "storage", "token"]),
    ];
    for (module, code) in modules() {
        for (name, homes) in homes {
            assert!(
                !code.contains(name) || homes.contains(&module.as_str()),
                "{module} uses {name}"
            );
        }
    }
}

#[test]
fn no_trait_of_our_own_and_no_serialize_on_domain_types() {
    for (module, code) in modules() {
        assert!(
            !code
                .lines()
                .any(|line| line.trim_start().trim_start_matches("pub ").starts_with("trait ")),
            "{module} declares a trait"
        );
        assert!(module != "domain" || !code.contains("Serialize"));
    }
}

/// The local engine always reads consistently, so it cannot catch a forgotten flag.
#[test]
fn every_read_is_consistent_and_nothing_scans_or_transacts() {
    let storage: String = modules()
        .into_iter()
        .filter(|(module, _)| module == "storage")
        .map(|(_, code)| code)
        .collect();
    assert_eq!(storage.matches(".get_item()").count(), 1);
    assert_eq!(storage.matches(".consistent_read(true)").count(), 1);
    // What is due, and a count; an index can not be read consistently.
    assert_eq!(storage.matches(".query()").count(), 1);
    assert_eq!(storage.matches(".update_item()").count(), 1);
    for forbidden in [".scan()", ".transact_", ".delete_item()", ".batch_"] {
        assert!(!storage.contains(forbidden), "{forbidden}");
    }
}

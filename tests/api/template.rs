//! `template.yaml`, `functions/`, README.md, OPERATIONS.md and the configuration say the same.
//!
//! A check takes a template and says what is wrong with it, so that it can be held against spoilt ones as well.

pub(crate) mod cors;
mod domain;
mod functions;
mod keeping;
mod mutations;
mod permissions;
mod watching;

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use local::binaries::root;
use local::template::{Fault, Function, Parameters, Secrets, Template};

/// The template itself.
fn template() -> Template {
    Template::read(&root().join("template.yaml")).unwrap()
}

/// Its functions, with nothing but names for what is not in it.
pub(super) fn deployed(template: &Template) -> Result<Vec<Function>, Fault> {
    let given = ["NetaxeptMerchantId", "NetaxeptToken", "TokenIssuers"];
    let generated = ["CallbackSecret", "IdKey", "NotificationSecret"];
    let parameters: Parameters = given.map(|name| (name.to_owned(), "x".to_owned())).into();
    let generated: Secrets = generated.map(|name| (name.to_owned(), "x".to_owned())).into();
    template.functions(&parameters, &template.secrets(&parameters, &generated)?)
}

/// A file of the repository; nothing when it is not there.
fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// The functions' folders, and the one file of each.
static SOURCES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let folders = fs::read_dir(root().join("functions")).unwrap();
    let names = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| (name.clone(), file(&format!("functions/{name}/src/main.rs")))).collect()
});

/// The one file of a function.
fn source(function: &Function) -> &'static str {
    SOURCES.get(&function.binary).map(String::as_str).unwrap_or_default()
}

/// Everything that is wrong, by every check but those of other documents.
fn faults(template: &Template) -> Vec<String> {
    let functions = match deployed(template) {
        Ok(functions) => functions,
        Err(fault) => return vec![fault.to_string()],
    };
    let mut faults = functions::folders(&functions);
    faults.extend(functions.iter().flat_map(|function| {
        let mut faults = functions::routes(function);
        faults.extend(functions::variables(function));
        faults.extend(functions::schedule(template, function));
        faults.extend(permissions::role(template, function));
        faults
    }));
    faults.extend(permissions::granted(template, &functions));
    faults.extend(cors::configured(template));
    faults.extend(domain::custom(template));
    faults.extend(keeping::kept(template));
    faults.extend(keeping::said(template));
    faults.extend(watching::metrics(template, &functions));
    faults.extend(watching::all_are_watched(template, &functions));
    faults
}

#[test]
fn nothing_is_wrong() {
    assert_eq!(faults(&template()), Vec::<String>::new());
}

/// The routes' rows of README.md.
#[test]
fn every_route_is_in_the_readme() {
    let readme = file("README.md");
    for function in deployed(&template()).unwrap() {
        for route in &function.routes {
            let route = format!("`{} {}`", route.method, route.path);
            let binary = format!("`{}`", function.binary);
            let row = readme.lines().any(|line| line.contains(&route) && line.contains(&binary));
            assert!(row, "README.md has no row with {route} and {binary}");
        }
    }
}

#[test]
fn every_endpoint_is_one_screen() {
    for function in deployed(&template()).unwrap() {
        assert!(source(&function).lines().count() <= 60, "{}", function.binary);
    }
}

#[test]
fn every_alarm_is_explained() {
    assert_eq!(watching::unexplained(&template(), &file("OPERATIONS.md")), Vec::<String>::new());
}

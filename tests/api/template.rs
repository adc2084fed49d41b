//! Checks that `template.yaml`, `functions/`, API.md, OPERATIONS.md and the configuration agree.
//!
//! Each check takes a template and returns the violations, so that `mutations` can run it on invalid templates too.

pub(crate) mod cors;
mod data_protection;
mod domain;
mod functions;
pub(crate) mod metric_filters;
pub(crate) mod monitoring;
mod mutations;
mod permissions;

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use local::binaries::{function_names, root};
use local::template::{Function, Parameters, Secrets, Template, TemplateError};

/// `template.yaml`.
pub(crate) fn template() -> Template {
    Template::read(&root().join("template.yaml")).unwrap()
}

/// Returns the template's functions, with placeholders for parameters and secrets that have no value in it.
pub(crate) fn deployed(template: &Template) -> Result<Vec<Function>, TemplateError> {
    let required = ["NetaxeptMerchantId", "NetaxeptToken", "TokenIssuers"];
    let generated = ["CallbackSecret", "IdKey", "NotificationSecret"];
    let parameters: Parameters = required.map(|name| (name.to_owned(), "x".to_owned())).into();
    let generated: Secrets = generated.map(|name| (name.to_owned(), "x".to_owned())).into();
    template.functions(&parameters, &template.secrets(&parameters, &generated)?)
}

/// Reads a file of the repository. Empty if the file does not exist.
fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// The source file of each function, by the function's folder.
static SOURCES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let names = function_names().unwrap().into_iter();
    names.map(|name| (name.clone(), file(&format!("functions/{name}/src/main.rs")))).collect()
});

/// The source file of a function.
fn source(function: &Function) -> &'static str {
    SOURCES.get(&function.binary).map(String::as_str).unwrap_or_default()
}

/// The start of a `Store` that can change wallets. So it needs the rules for their lifecycle events.
const WALLET_CHANGES: &str = "Store::start_for_changes";

/// Whether a function's state is of this type, or started in this way.
fn starts(source: &str, state: &str) -> bool {
    // Also `App::start_with_secret`.
    source.contains(&format!(" {state}::start"))
        || state == WALLET_CHANGES && source.contains(WALLET_CHANGES)
}

/// Returns the violations of all checks except those of API.md and OPERATIONS.md.
fn violations(template: &Template) -> Vec<String> {
    let functions = match deployed(template) {
        Ok(functions) => functions,
        Err(error) => return vec![error.to_string()],
    };
    let mut violations = functions::folders(&functions);
    violations.extend(functions.iter().flat_map(|function| {
        let mut violations = functions::routes(function);
        violations.extend(functions::variables(function));
        violations.extend(functions::schedule(template, function));
        violations.extend(permissions::role(template, function));
        violations
    }));
    violations.extend(permissions::granted(template, &functions));
    violations.extend(cors::configuration(template));
    violations.extend(domain::custom_domain(template));
    violations.extend(data_protection::storage(template));
    violations.extend(data_protection::leaks(template));
    violations.extend(monitoring::metrics(template, &functions));
    violations.extend(monitoring::coverage(template, &functions));
    violations.extend(metric_filters::log_levels(template));
    violations
}

#[test]
fn the_template_has_no_violations() {
    assert_eq!(violations(&template()), Vec::<String>::new());
}

/// API.md has a table row for each route.
#[test]
fn every_route_is_in_api_md() {
    let page = file("docs/API.md");
    for function in deployed(&template()).unwrap() {
        for route in &function.routes {
            let route = format!("`{} {}`", route.method, route.path);
            let binary = format!("`{}`", function.binary);
            let row = page.lines().any(|line| line.contains(&route) && line.contains(&binary));
            assert!(row, "docs/API.md has no row with {route} and {binary}");
        }
    }
}

#[test]
fn every_function_has_at_most_60_lines() {
    for function in deployed(&template()).unwrap() {
        assert!(source(&function).lines().count() <= 60, "{}", function.binary);
    }
}

#[test]
fn every_alarm_has_a_section_in_operations_md() {
    assert_eq!(
        monitoring::undocumented_alarms(&template(), &file("docs/OPERATIONS.md")),
        Vec::<String>::new()
    );
}

//! `template.yaml`, `functions/`, README.md and the configuration say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use local::binaries::root;
use local::template::{Function, Parameters, Template};
use serde_json::{Value, json};

fn functions() -> Vec<Function> {
    let template = Template::read(&root().join("template.yaml")).unwrap();
    let given = [
        "IdKey",
        "NetaxeptCallbackSecret",
        "NetaxeptMerchantId",
        "NetaxeptToken",
        "NotificationSecret",
        "TokenIssuers",
    ];
    let parameters: Parameters = given.map(|name| (name.to_owned(), "x".to_owned())).into();
    template.functions(&parameters).unwrap()
}

#[test]
fn every_function_has_its_folder_and_every_folder_its_function() {
    let folders: BTreeSet<_> = fs::read_dir(root().join("functions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let binaries: BTreeSet<_> = functions().into_iter().map(|function| function.binary).collect();
    assert_eq!(folders, binaries);
    for function in functions() {
        let mut words =
            function.binary.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
        assert_eq!(
            function.logical_id,
            words.by_ref().collect::<String>(),
            "PascalCase of the kebab name"
        );
    }
}

#[test]
fn every_function_says_its_route_and_so_does_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for function in functions() {
        let source =
            fs::read_to_string(root().join("functions").join(&function.binary).join("src/main.rs"))
                .unwrap();
        for route in &function.routes {
            let said = format!("`{} {}", route.method, route.path);
            assert!(source.contains(&said), "{}: {said}", function.binary);
            let row = readme.lines().any(|line| {
                line.contains(&format!("{said}`"))
                    && line.contains(&format!("`{}`", function.binary))
            });
            assert!(row, "README.md has no row with {said}` and `{}`", function.binary);
        }
        assert!(source.lines().count() <= 60, "{}: one endpoint, one screen", function.binary);
    }
}

/// Each function has exactly the variables that its configuration reads.
#[test]
fn every_variable_is_read_and_every_read_one_is_set() {
    let config = fs::read_to_string(root().join("shared/src/config.rs")).unwrap();
    let config = config.split("#[cfg(test)]").next().unwrap();
    let mut read = BTreeMap::new();
    for part in config.split("\nimpl ").skip(1) {
        let names = part.split('"').filter(|text| {
            text.contains('_')
                && text.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
        });
        let own: BTreeSet<_> =
            names.filter(|name| !name.starts_with("AWS_")).map(str::to_owned).collect();
        read.insert(part.split(' ').next().unwrap().to_owned(), own);
    }
    let of = |name: &str| read[name].clone();
    for function in functions() {
        let source =
            fs::read_to_string(root().join("functions").join(&function.binary).join("src/main.rs"))
                .unwrap();
        let teller = &of("StorageConfig") | &of("NotificationConfig");
        let mut expected = match () {
            () if source.contains("App::start") => &teller | &of("NetaxeptConfig"),
            () if source.contains("Teller::start") => teller,
            () if source.contains("Store::start") => of("StorageConfig"),
            () => of("TokenConfig"),
        };
        if source.contains("CallbackConfig") {
            expected.extend(of("CallbackConfig"));
        }
        assert_eq!(
            function.environment.into_keys().collect::<BTreeSet<_>>(),
            expected,
            "{}",
            function.binary
        );
    }
}

/// Who only reads may only read; who changes may put; a schedule may read its own index; nothing else is ever granted.
#[test]
fn every_function_may_do_what_it_does() {
    let template = Template::read(&root().join("template.yaml")).unwrap();
    for function in functions() {
        let policies =
            &template.document()["Resources"][&function.logical_id]["Properties"]["Policies"];
        let granted: Vec<_> = policies[0]["Statement"].as_array().into_iter().flatten().collect();
        let source =
            fs::read_to_string(root().join("functions").join(&function.binary).join("src/main.rs"))
                .unwrap();
        let has = |text| source.contains(text);
        let table: &[&str] = match () {
            () if has("Tokens::start") => &[],
            () if has("Kind::Expiry") => {
                &["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
            }
            () if has("store.change") || has("App::start") => {
                &["dynamodb:GetItem", "dynamodb:PutItem"]
            }
            () => &["dynamodb:GetItem"],
        };
        let allow = |actions: &[&str], resource: Value| json!({ "Effect": "Allow", "Action": actions, "Resource": resource });
        let mut expected = Vec::new();
        if !table.is_empty() {
            expected.push(allow(table, json!({ "Fn::GetAtt": ["Wallets", "Arn"] })));
        }
        if has("is_identified()") {
            let allowances = json!({ "Fn::GetAtt": ["Allowances", "Arn"] });
            expected.push(allow(&["dynamodb:UpdateItem"], allowances));
        }
        for (kind, index) in [("Kind::Expiry", "ByExpiry"), ("Kind::Chore", "ByChore")] {
            if has(kind) {
                let arn = format!("${{Wallets.Arn}}/index/{index}");
                expected.push(allow(&["dynamodb:Query"], json!({ "Fn::Sub": arn })));
            }
        }
        assert_eq!(granted, expected.iter().collect::<Vec<_>>(), "{}", function.binary);
    }
}

/// The scheduled functions are those that answer nobody, and each runs every minute.
#[test]
fn the_schedules_run_each_minute() {
    for function in functions() {
        let scheduled = ["expire-recurring-payments", "finish-terminals"];
        let expected =
            scheduled.contains(&function.binary.as_str()).then(|| Duration::from_mins(1));
        assert_eq!(function.schedule, expected, "{}", function.binary);
        assert!(function.schedule.is_none() || function.routes.is_empty());
    }
}

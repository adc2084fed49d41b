use std::path::{Path, PathBuf};

/// Returns all files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Returns the tests that the section "Nets' rules" names, as module and function.
fn named_tests(readme: &str) -> Vec<(&str, &str)> {
    let section = readme.split("\n## ").find(|section| section.starts_with("Nets' rules")).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    let cells = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit('|').next());
    cells.flat_map(|cell| cell.split('`').filter_map(|name| name.split_once("::"))).collect()
}

#[test]
fn every_test_named_in_the_readme_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let sources = sources(&root.join("src/netaxept"));
    let named = named_tests(&readme);
    assert!(named.len() > 50, "the table is not found");
    for (module, name) in named {
        let mut files = sources.iter().filter(|path| path.with_extension("").ends_with(module));
        let definition = format!("fn {name}()");
        let exists = files.any(|path| std::fs::read_to_string(path).unwrap().contains(&definition));
        assert!(exists, "{module}::{name}");
    }
}

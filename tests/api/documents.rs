//! Checks the pages of the repository: their links, the paths that they name, and the top level of the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use local::binaries::root;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The files and folders of the top level, except hidden ones.
const TOP_LEVEL: [&str; 12] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "docs",
    "functions",
    "openapi.yaml",
    "rust-toolchain.toml",
    "shared",
    "template.yaml",
    "tests",
];
/// The pages that must exist.
const PAGES: [&str; 12] = [
    ".github/CONTRIBUTING.md",
    ".github/PULL_REQUEST_TEMPLATE.md",
    ".github/SECURITY.md",
    "CHANGELOG.md",
    "README.md",
    "docs/API.md",
    "docs/BENCHMARKS.md",
    "docs/DECISIONS.md",
    "docs/OPERATIONS.md",
    "docs/QUICKSTART.md",
    "shared/README.md",
    "tests/local/README.md",
];
/// With these folders begin the texts in code that must be paths of files.
const FOLDERS: [&str; 6] = [".ci/", ".github/", "docs/", "functions/", "shared/", "tests/"];
/// A person reads README.md in a few minutes.
const MAX_README_LINES: usize = 150;

/// Returns the files of the repository, also new ones that are not committed yet, without ignored ones.
fn files() -> BTreeSet<String> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    // A file that is deleted and not committed yet is still listed.
    names
        .split_terminator('\0')
        .filter(|name| root().join(name).exists())
        .map(str::to_owned)
        .collect()
}

/// A page in Markdown: its anchors, its links, and the texts in code.
#[derive(Default)]
struct Page {
    anchors: BTreeSet<String>,
    links: Vec<String>,
    code: Vec<String>,
}

impl Page {
    fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            if let Event::Text(text) | Event::Code(text) = &event
                && let Some(heading) = &mut heading
            {
                heading.push_str(text);
            }
            if let Event::Start(Tag::Heading { .. }) = event {
                heading = Some(String::new());
            } else if let Event::End(TagEnd::Heading(_)) = event {
                page.add_anchor(&heading.take().unwrap());
            } else if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) =
                event
            {
                page.links.push(dest_url.into_string());
            } else if let Event::Code(code) = event {
                page.code.push(code.into_string());
            }
        }
        page
    }

    /// Adds the anchor that GitHub gives a heading. A repeated one gets a number.
    fn add_anchor(&mut self, heading: &str) {
        let kept = heading.trim().to_lowercase();
        let kept = kept
            .chars()
            .filter(|character| character.is_alphanumeric() || " -_".contains(*character));
        let anchor: String =
            kept.map(|character| if character == ' ' { '-' } else { character }).collect();
        let repeated = (1..).map(|number| format!("{anchor}-{number}"));
        let mut candidates = std::iter::once(anchor.clone()).chain(repeated);
        let free = candidates.find(|candidate| !self.anchors.contains(candidate)).unwrap();
        self.anchors.insert(free);
    }
}

/// Returns the path of a link, seen from the folder of a page: without `..`. `None` if it leaves the repository.
fn resolve(page: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Whether this is a file or a folder of the repository.
fn exists(files: &BTreeSet<String>, path: &str) -> bool {
    let folder = format!("{path}/");
    files.contains(path)
        || files.range(folder.clone()..).next().is_some_and(|file| file.starts_with(&folder))
}

/// Returns the links of pages that lead nowhere, and the paths in code that do not exist.
fn violations(files: &BTreeSet<String>, pages: &BTreeMap<String, Page>) -> Vec<String> {
    let mut violations = Vec::new();
    for (name, page) in pages {
        for link in &page.links {
            if !leads_somewhere(files, pages, name, link) {
                violations.push(format!("{name}: the link {link} leads nowhere"));
            }
        }
        for path in page.code.iter().filter(|code| is_path(code)) {
            let path = path.trim_end_matches('/');
            // Pages in a folder name the files below it, too.
            let below = resolve(name, path).unwrap_or_default();
            if !exists(files, path) && !exists(files, &below) {
                violations.push(format!("{name}: there is no {path}"));
            }
        }
    }
    violations
}

fn leads_somewhere(
    files: &BTreeSet<String>,
    pages: &BTreeMap<String, Page>,
    name: &str,
    link: &str,
) -> bool {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
        return true;
    }
    let (path, anchor) =
        link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() { Some(name.to_owned()) } else { resolve(name, path) };
    let Some(target) = target.filter(|target| exists(files, target)) else { return false };
    anchor.is_none_or(|anchor| pages.get(&target).is_some_and(|page| page.anchors.contains(anchor)))
}

/// Whether a text in code is a path of a file: it begins with a folder, and has neither blanks nor placeholders.
fn is_path(code: &str) -> bool {
    FOLDERS.iter().any(|folder| code.starts_with(folder))
        && !code.contains([' ', '*', '<', '{', '…'])
}

fn pages(files: &BTreeSet<String>) -> BTreeMap<String, Page> {
    let names = files
        .iter()
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md"));
    names
        .map(|name| (name.clone(), Page::parse(&fs::read_to_string(root().join(name)).unwrap())))
        .collect()
}

#[test]
fn every_link_and_every_path_in_the_pages_exists() {
    let files = files();
    let pages = pages(&files);
    for page in PAGES {
        assert!(pages.contains_key(page), "there is no {page}");
    }
    assert_eq!(violations(&files, &pages), Vec::<String>::new());
}

#[test]
fn wrong_links_paths_and_anchors_are_found() {
    let files = ["README.md", "docs/A.md", "shared/README.md", "shared/tests/layers.rs"];
    let files: BTreeSet<String> = files.map(str::to_owned).into();
    let check = |name: &str, text: &str| {
        let target = "# A page\n## `code`, and *more*: 1.5\n## Twice\n## Twice\n";
        let pages = [("docs/A.md", target), (name, text)];
        violations(&files, &pages.map(|(name, text)| (name.to_owned(), Page::parse(text))).into())
    };
    for good in [
        "[a](docs/A.md) [b](docs/A.md#a-page) [c](docs/A.md#code-and-more-15) [d](docs/A.md#twice-1) [e](docs) [f](./docs/)",
        "# Here\n[a](#here) [b](https://example.org/docs/none#x) [c](mailto:a@example.org)",
        "`docs/A.md` `docs/` `docs/*.md` `tests/none run` `docs/<name>.md`\n\n```sh\ncat [a](none) docs/none\n```\n",
    ] {
        assert_eq!(check("README.md", good), Vec::<String>::new(), "{good}");
    }
    assert_eq!(
        check("shared/README.md", "`tests/layers.rs` [a](../docs/A.md)"),
        Vec::<String>::new()
    );
    for wrong in [
        "[a](docs/B.md)",
        "[a](/docs/A.md/x)",
        "[a](../README.md)",
        "[a](docs/A.md#page)",
        "[a](docs/A.md#twice-2)",
        "[a](#none)",
        "| a |\n|---|\n| [a](none) |",
        "![a](docs/picture.png)",
        "`docs/B.md`",
        "`tests/layers.rs`",
        "see `.ci/none`",
    ] {
        assert_eq!(check("README.md", wrong).len(), 1, "{wrong}");
    }
}

#[test]
fn the_top_level_shows_the_architecture_and_nothing_else() {
    let files = files();
    let names = files.iter().filter_map(|file| file.split('/').next());
    let names: BTreeSet<&str> = names.filter(|name| !name.starts_with('.')).collect();
    assert_eq!(names, BTreeSet::from(TOP_LEVEL));
}

#[test]
fn the_readme_is_short() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= MAX_README_LINES);
}

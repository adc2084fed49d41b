//! Chromium and its driver. Each test starts its own and closes it at its end.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const CHROMIUM: &str = "/usr/bin/chromium";
const DRIVER: &str = "/usr/bin/chromedriver";

/// Whether pages can run scripts. The terminal page has none; only tests that measure a page need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scripts {
    Forbidden,
    Allowed,
}

/// A browser and its driver.
pub(crate) struct Chromium {
    browser: Client,
    driver: Child,
    /// The driver ends when its standard output is closed.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Chromium {
    pub(crate) async fn start(scripts: Scripts) -> Self {
        for program in [CHROMIUM, DRIVER] {
            assert!(
                Path::new(program).exists(),
                "{program} is missing: apt-get install chromium chromium-driver"
            );
        }
        let (driver, output, address) = start_driver().await;
        let browser = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(scripts))
            .connect(&address)
            .await
            .unwrap_or_else(|error| panic!("{CHROMIUM} does not start: {error}"));
        Self { browser, driver, _output: output }
    }

    pub(crate) fn browser(&self) -> Client {
        self.browser.clone()
    }

    /// Runs a test, and then closes the browser and its driver, even if the test panicked.
    pub(crate) async fn end_after(mut self, test: impl Future<Output = ()>) {
        let result = AssertUnwindSafe(test).catch_unwind().await;
        let closed = self.browser.close().await;
        self.driver.kill().await.unwrap();
        result.unwrap_or_else(|panic| resume_unwind(panic));
        closed.unwrap();
    }
}

/// Repeats a check of a page until it returns a value. Returns `None` after 30 seconds.
pub(crate) async fn wait_for<T>(check: impl AsyncFn() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(30) {
        if let Some(value) = check().await {
            return Some(value);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}

/// Starts the driver, which selects a free port. It ends if another program uses that port on one of IPv4 and IPv6, so there are
/// five attempts.
async fn start_driver() -> (Child, Lines<BufReader<ChildStdout>>, String) {
    for _ in 0..5 {
        let mut driver = Command::new(DRIVER)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{DRIVER} does not start: {error}"));
        let mut output = BufReader::new(driver.stdout.take().unwrap()).lines();
        if let Some(address) = address(&mut output).await {
            return (driver, output, address);
        }
    }
    panic!("{DRIVER} ended five times before it was ready");
}

/// Reads the address of the driver from its output. Returns `None` if the driver ends first.
async fn address(output: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    while let Some(line) = output.next_line().await.unwrap() {
        let port = line.rsplit_once("on port ").map(|(_, port)| port.trim_end_matches('.'));
        if let Some(port) = port.filter(|_| line.contains("started successfully")) {
            return Some(format!("http://127.0.0.1:{port}"));
        }
    }
    None
}

fn capabilities(scripts: Scripts) -> Capabilities {
    let arguments =
        ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"];
    let preferences = match scripts {
        Scripts::Allowed => json!({}),
        Scripts::Forbidden => {
            json!({ "profile.managed_default_content_settings.javascript": 2 })
        }
    };
    let options = json!({ "binary": CHROMIUM, "args": arguments, "prefs": preferences });
    Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)])
}

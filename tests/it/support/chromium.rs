//! Debian's Chromium, driven through WebDriver: a real browser with a fresh profile for each test. Every host name leads
//! to this machine, so nothing that a page does can leave it.

mod accessibility;
mod driver;

pub use accessibility::Violation;

use super::within_patience;
use driver::{ChromeCommand, ConsoleLog, Driver};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Browsers at once: each needs most of a core while it starts.
static SEATS: Semaphore = Semaphore::const_new(2);

/// Height of the page area in CSS pixels.
const HEIGHT: u32 = 800;

/// How the browser is set.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether pages may run scripts.
    pub javascript: bool,
    /// Width of the page area in CSS pixels.
    pub width: u32,
    /// Whether pages are asked for their dark look.
    pub dark: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { javascript: true, width: 1280, dark: false }
    }
}

/// A running browser. End it with [`Self::close`]; a test that fails before leaves the killing to `Drop`.
pub struct Chromium {
    client: Client,
    _driver: Driver,
    _profile: TempDir,
    _seat: SemaphorePermit<'static>,
}

impl Chromium {
    /// Starts a browser; fails the test where Chromium or its driver is missing.
    pub async fn start(options: Options) -> Self {
        let seat = SEATS.acquire().await.unwrap();
        let profile = TempDir::with_prefix("portcullis-chromium-").unwrap();
        let driver = within_patience("chromedriver to start", Driver::start(profile.path())).await;
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(options, &profile));
        let client = within_patience("Chromium to start", builder.connect(driver.origin())).await.unwrap();
        let browser = Self { client, _driver: driver, _profile: profile, _seat: seat };
        browser.resize(options.width).await;
        browser.set_dark(options.dark).await;
        browser
    }

    /// The WebDriver client, for what is not here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens an address and waits until it is loaded.
    pub async fn open(&self, url: &str) {
        within_patience(url, self.client.goto(url)).await.unwrap();
    }

    /// Goes back in the history.
    pub async fn back(&self) {
        within_patience("going back", self.client.back()).await.unwrap();
    }

    /// Address of the page.
    pub async fn url(&self) -> String {
        self.client.current_url().await.unwrap().to_string()
    }

    /// The element a CSS selector finds, once it is there.
    pub async fn element(&self, selector: &str) -> Element {
        within_patience(selector, self.client.wait().for_element(Locator::Css(selector))).await.unwrap()
    }

    /// Visible text of an element.
    pub async fn text(&self, selector: &str) -> String {
        self.element(selector).await.text().await.unwrap()
    }

    /// Types into a field, after emptying it.
    pub async fn fill(&self, selector: &str, text: &str) {
        let field = self.element(selector).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks an element.
    pub async fn click(&self, selector: &str) {
        within_patience(selector, self.element(selector).await.click()).await.unwrap();
    }

    /// Clicks an element that leads to another page, and waits until that is there.
    pub async fn submit(&self, selector: &str) {
        let page = self.element("html").await;
        self.click(selector).await;
        within_patience("the next page", async {
            while page.tag_name().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            self.element("body").await;
        })
        .await;
    }

    /// Sets the width of the page area; below the least width of a window too.
    pub async fn resize(&self, width: u32) {
        self.resize_to(width, HEIGHT).await;
    }

    /// Sets the size of the page area.
    pub async fn resize_to(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.chrome("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Sets what `prefers-color-scheme` tells pages.
    pub async fn set_dark(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        self.chrome("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] })).await;
    }

    /// Sends a header with every request from now on.
    pub async fn send_header(&self, name: &str, value: &str) {
        self.chrome("Network.enable", json!({})).await;
        self.chrome("Network.setExtraHTTPHeaders", json!({ "headers": { name: value } })).await;
    }

    /// What the browser's console has complained of since the last time: scripts that failed, content that a policy
    /// blocked, parts of a page that are missing. A page's own status is no complaint.
    pub async fn complaints(&self) -> Vec<String> {
        let log = within_patience("the console's log", self.client.issue_cmd(ConsoleLog)).await.unwrap();
        let entries = log.as_array().into_iter().flatten().map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            (text("source"), text("message"))
        });
        let own_status = |source: &str, message: &str| source == "network" && !message.contains("/assets/");
        entries.filter(|(source, message)| !own_status(source, message)).map(|(_, message)| message).collect()
    }

    /// Value of a script's `return`.
    pub async fn evaluate(&self, script: &str) -> Value {
        within_patience("a script", self.client.execute(script, Vec::new())).await.unwrap()
    }

    /// Whether the page is wider than the window, so that it scrolls sideways.
    pub async fn overflows(&self) -> bool {
        self.evaluate("return document.documentElement.scrollWidth > window.innerWidth").await == json!(true)
    }

    /// What axe-core finds wrong with the page as it stands.
    pub async fn violations(&self) -> Vec<Violation> {
        within_patience("axe-core", accessibility::violations(&self.client)).await
    }

    /// Saves a picture of the page as `NAME.png` where `PORTCULLIS_SCREENSHOTS` names a folder, else does nothing.
    pub async fn screenshot(&self, name: &str) {
        let Some(folder) = std::env::var_os("PORTCULLIS_SCREENSHOTS").map(PathBuf::from) else { return };
        let picture = within_patience("a screenshot", self.client.screenshot()).await.unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name).with_extension("png"), picture).unwrap();
    }

    /// Ends the browser and waits until it is gone.
    pub async fn close(self) {
        within_patience("Chromium to end", self.client.close()).await.unwrap();
    }

    /// A command of the DevTools protocol.
    async fn chrome(&self, command: &'static str, parameters: Value) -> Value {
        let command = ChromeCommand { command, parameters };
        within_patience("a DevTools command", self.client.issue_cmd(command)).await.unwrap()
    }
}

fn capabilities(options: Options, profile: &TempDir) -> fantoccini::wd::Capabilities {
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-proxy-server",
        "--host-resolver-rules=MAP * 127.0.0.1",
        "--hide-scrollbars",
    ];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
    arguments.push(format!("--user-data-dir={}", profile.path().join("profile").display()));
    // 1 allows, 2 blocks; the password manager would cover fields with its offers.
    let preferences = json!({
        "profile.managed_default_content_settings.javascript": if options.javascript { 1 } else { 2 },
        "credentials_enable_service": false,
        "profile.password_manager_enabled": false,
        "profile.password_manager_leak_detection": false,
    });
    let value = json!({
        "browserName": "chrome",
        "goog:chromeOptions": { "args": arguments, "prefs": preferences },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    value.as_object().cloned().unwrap_or_default()
}

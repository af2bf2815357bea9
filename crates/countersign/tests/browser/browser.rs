//! One person's browser, and what that person does and sees. Everything goes through the page; the one thing that a
//! person has beside it is the authenticator under their thumb.

use std::path::Path;
use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::common::command::{Command, ExtensionCommand};
use thirtyfour::prelude::*;

use crate::chromedriver::{Chromedriver, Wire};
use crate::{patiently, until};

#[derive(Debug)]
pub(crate) struct Browser {
    driver: WebDriver,
    _profile: TempDir,
}

/// A command that WebDriver has beside the ones of `thirtyfour`.
#[derive(Debug)]
struct Extra(&'static str, Value);

impl ExtensionCommand for Extra {
    fn parameters_json(&self) -> Option<Value> {
        Some(self.1.clone())
    }
    fn method(&self) -> Method {
        Method::POST
    }
    fn endpoint(&self) -> Arc<str> {
        self.0.into()
    }
}

impl Browser {
    pub(crate) async fn start(chromedriver: &Chromedriver) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut wanted = DesiredCapabilities::chrome();
        for flag in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
            &format!("--user-data-dir={}", profile.path().display()),
        ] {
            wanted.add_arg(flag).unwrap();
        }
        for log in ["browser", "performance"] {
            wanted.set_logging_prefs(log, thirtyfour::LoggingPrefsLogLevel::All).unwrap();
        }
        let driver = WebDriver::builder(chromedriver.url(), wanted).client(Wire::new()).await.expect("chromium starts");
        let browser = Self { driver, _profile: profile };
        browser.plug_in("internal").await;
        browser
    }

    /// One more authenticator, beside the one in the device.
    pub(crate) async fn new_authenticator(&self) {
        self.plug_in("usb").await;
    }

    async fn plug_in(&self, transport: &str) {
        let authenticator = json!({
            "protocol": "ctap2",
            "transport": transport,
            "hasResidentKey": true,
            "hasUserVerification": true,
            "isUserConsenting": true,
            "isUserVerified": true,
        });
        self.extra("/webauthn/authenticator", authenticator).await;
    }

    async fn extra(&self, endpoint: &'static str, parameters: Value) -> Value {
        let command = Command::ExtensionCommand(Box::new(Extra(endpoint, parameters)));
        self.driver.cmd(command).await.unwrap().value_json().unwrap()
    }

    pub(crate) async fn go(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    pub(crate) async fn url(&self) -> String {
        self.driver.current_url().await.unwrap().to_string()
    }

    /// Waits until the browser stands at this address, and the page is there.
    pub(crate) async fn arrive(&self, url: &str) {
        until(&format!("the address {url}"), async || {
            (self.url().await == url && self.script("return document.readyState").await == "complete").then_some(())
        })
        .await;
    }

    /// Goes on in a new tab, in which no authenticator is plugged; the one before and the new one are what comes back.
    pub(crate) async fn new_tab(&self) -> (WindowHandle, WindowHandle) {
        let before = self.driver.window().await.unwrap();
        let tab = self.driver.new_tab().await.unwrap();
        self.back_to(tab.clone()).await;
        (before, tab)
    }

    pub(crate) async fn back_to(&self, tab: WindowHandle) {
        self.driver.switch_to_window(tab).await.unwrap();
    }

    /// Everything that can be read on the page now.
    pub(crate) async fn page(&self) -> String {
        // Between two pages there is none.
        self.script("return document.body ? document.body.innerText : ''").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until these words can be read on the page.
    pub(crate) async fn see(&self, words: &str) {
        if patiently(async || self.page().await.contains(words).then_some(())).await.is_none() {
            panic!("{words:?} is not to be read at {}, but this:\n{}", self.url().await, self.page().await);
        }
    }

    /// The words of one element, once it is there and has some.
    pub(crate) async fn words(&self, css: &str) -> String {
        until(css, async || {
            let text = self.script(&format!("return document.querySelector({css:?})?.innerText")).await;
            text.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
        })
        .await
    }

    /// Clicks the button, link or fold that says this.
    pub(crate) async fn press(&self, words: &str) {
        let path =
            format!("//*[self::a or self::button[not(@disabled)] or self::summary][normalize-space()=\"{words}\"]");
        self.click(By::XPath(path)).await;
    }

    pub(crate) async fn click(&self, by: By) {
        until(&format!("something to click: {by:?}"), async || {
            for element in self.driver.find_all(by.clone()).await.ok()? {
                if element.is_displayed().await.ok()? {
                    return element.click().await.ok();
                }
            }
            None
        })
        .await;
    }

    /// Types into the field with this label.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let path =
            format!("//*[self::input or self::textarea][@id=//label[starts-with(normalize-space(),\"{label}\")]/@for]");
        until(&format!("the field {label:?}"), async || {
            let field = self.driver.find(By::XPath(path.clone())).await.ok()?;
            field.clear().await.ok()?;
            field.send_keys(text).await.ok()
        })
        .await;
    }

    /// Chooses a file of the disk in a field for files.
    pub(crate) async fn choose_file(&self, css: &str, path: &Path) {
        until(&format!("the field {css:?}"), async || {
            let field = self.driver.find(By::Css(css.to_owned())).await.ok()?;
            field.send_keys(path.to_str()?).await.ok()
        })
        .await;
    }

    /// Presses a key, or several one after the other, on whatever has the focus.
    pub(crate) async fn key(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// Runs a script in the page; nothing while there is no page to run it in.
    pub(crate) async fn script(&self, script: &str) -> Value {
        match self.driver.execute(script, Vec::new()).await {
            Ok(answer) => answer.json().clone(),
            Err(_) => Value::Null,
        }
    }

    pub(crate) async fn cookies(&self) -> Vec<Cookie> {
        self.driver.get_all_cookies().await.unwrap()
    }

    /// Follows an invitation link and makes a passkey.
    pub(crate) async fn enrol(&self, link: &str) {
        self.go(link).await;
        self.press("Make my passkey").await;
        self.see("My applications").await;
    }

    /// On the sign-in page: uses the passkey.
    pub(crate) async fn sign_in(&self) {
        self.press("Sign in with a passkey").await;
    }

    /// Nobody is signed in here any more.
    pub(crate) async fn waits_at_sign_in(&self) {
        self.see("Sign in with a passkey").await;
    }

    /// What DevTools would show: one message of the browser for each thing that it did.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let log = self.driver.get_log("performance").await.unwrap();
        log.iter().map(|entry| serde_json::from_str::<Value>(&entry.message).unwrap()["message"].take()).collect()
    }

    /// What was written to the console since the last look.
    pub(crate) async fn console(&self) -> Vec<String> {
        let log = self.driver.get_log("browser").await.unwrap();
        log.into_iter().map(|entry| format!("{} {}", entry.level, entry.message)).collect()
    }

    /// The end of a story: nothing broke the pages' own rules, and no request left the house.
    pub(crate) async fn was_quiet(self, domain: &str) {
        self.quiet(domain, &self.events().await).await;
        self.driver.quit().await.unwrap();
    }

    /// The same of events that were read already.
    pub(crate) async fn quiet(&self, domain: &str, events: &[Value]) {
        let broken: Vec<String> =
            self.console().await.into_iter().filter(|line| line.contains("Content Security Policy")).collect();
        assert!(broken.is_empty(), "the Content-Security-Policy was broken: {broken:#?}");
        let mut requests = 0;
        for event in events {
            let url = match event["method"].as_str() {
                Some("Network.requestWillBeSent") => &event["params"]["request"]["url"],
                Some("Network.webSocketCreated") => &event["params"]["url"],
                _ => continue,
            };
            let url = url.as_str().unwrap();
            if let Some((scheme, rest)) = url.split_once("://")
                && ["http", "https", "ws", "wss"].contains(&scheme)
            {
                let host = rest.split(['/', '?', '#']).next().unwrap().split(':').next().unwrap();
                assert!(host.ends_with(&format!(".{domain}")), "a request left the house: {url}");
                requests += 1;
            }
        }
        assert!(requests > 0, "the browser's log holds no request at all, so it proves nothing");
    }

    /// Pictures of the page for a human eye: desktop and phone, light and dark.
    pub(crate) async fn picture(&self, name: &str) {
        let Some(directory) = std::env::var_os("COUNTERSIGN_SCREENSHOTS") else { return };
        for scheme in ["light", "dark"] {
            let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
            self.devtools("Emulation.setEmulatedMedia", media).await;
            for (size, width, height) in [("desktop", 1280, 900), ("phone", 390, 844)] {
                let metrics =
                    json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"});
                self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
                let file = Path::new(&directory).join(format!("{name}-{size}-{scheme}.png"));
                self.driver.screenshot(&file).await.unwrap();
            }
        }
        self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
        self.devtools("Emulation.setEmulatedMedia", json!({"features": []})).await;
    }

    /// Holds the page on a phone, or no longer.
    pub(crate) async fn phone(&self, is: bool) {
        if is {
            let metrics = json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true});
            self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        } else {
            self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
        }
    }

    async fn devtools(&self, method: &str, params: Value) {
        self.extra("/goog/cdp/execute", json!({"cmd": method, "params": params})).await;
    }
}

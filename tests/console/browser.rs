//! A browser without a screen, as a person drives it.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use test_support::{eventually, free_port};

use crate::driver::Driver;

/// A desk's window.
pub(crate) const WIDE: (u32, u32) = (1280, 900);
/// A phone's.
pub(crate) const PHONE: (u32, u32) = (390, 844);

pub(crate) struct Browser {
    client: Client,
    http: reqwest::Client,
    /// Where the driver knows this session.
    session: String,
    pub(crate) driver: Driver,
}

/// Where a program is, if it is installed.
fn found(program: &str) -> bool {
    let which = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output();
    which.is_ok_and(|which| which.status.success())
}

#[expect(clippy::print_stderr, reason = "a test that proves nothing says so")]
fn skipped<T>(why: &str) -> Option<T> {
    eprintln!("SKIPPED: {why}");
    None
}

impl Browser {
    /// A browser whose reader speaks a language. `None` where there is none: that is said aloud.
    pub(crate) async fn open(language: &str, (width, height): (u32, u32)) -> anyhow::Result<Option<Self>> {
        if !(found("chromium") && found("chromedriver")) {
            return Ok(skipped(
                "there is no chromium or no chromedriver here; `make tools` installs them",
            ));
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = free_port()?;
        let driver = Driver::start(port)?;
        let (http, url) = (
            reqwest::Client::builder().timeout(Duration::from_mins(1)).build()?,
            format!("http://127.0.0.1:{port}"),
        );
        eventually("the driver answers", async || {
            let status = http.get(format!("{url}/status")).send().await;
            status.map(|_| ()).map_err(|error| error.to_string())
        })
        .await;
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--lang={language}"),
        ];
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments, "prefs": {"intl.accept_languages": language}},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let wanted = wanted.as_object().cloned().context("no capabilities")?;
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&url)
            .await?;
        let session = client.session_id().await?.context("no session")?;
        let browser = Self {
            session: format!("{url}/session/{session}"),
            client,
            http,
            driver,
        };
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        Ok(Some(browser))
    }

    pub(crate) async fn close(self) -> anyhow::Result<()> {
        Ok(self.client.clone().close().await?)
    }

    async fn devtools(&self, command: &str, parameters: Value) -> anyhow::Result<Value> {
        let body = json!({"cmd": command, "params": parameters});
        let answer = self
            .http
            .post(format!("{}/goog/cdp/execute", self.session))
            .body(body.to_string());
        let answer: Value = answer.send().await?.error_for_status()?.json().await?;
        Ok(answer["value"].clone())
    }

    pub(crate) async fn goto(&self, address: &str) -> anyhow::Result<()> {
        Ok(self.client.goto(address).await?)
    }

    pub(crate) async fn reload(&self) -> anyhow::Result<()> {
        Ok(self.client.refresh().await?)
    }

    async fn run(&self, script: &str) -> anyhow::Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// What a person reads on the page, in one line.
    async fn text(&self) -> anyhow::Result<String> {
        let text = self.run("return document.body.innerText").await?;
        let text = text.as_str().unwrap_or_default();
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Waits until the page says something.
    pub(crate) async fn reads(&self, words: &str) {
        eventually(&format!("the page says {words:?}"), async || match self.text().await {
            Ok(text) if text.contains(words) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    pub(crate) async fn fill(&self, field: &str, text: &str) -> anyhow::Result<()> {
        let field = self.client.find(Locator::Css(field)).await?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    /// Types over what stands in a field.
    pub(crate) async fn retype(&self, field: &str, text: &str) -> anyhow::Result<()> {
        const ALL: &str = "\u{e009}a\u{e000}";
        let field = self.client.find(Locator::Css(field)).await?;
        Ok(field.send_keys(&format!("{ALL}{text}")).await?)
    }

    /// Ends a field as a person does.
    pub(crate) async fn enter(&self, field: &str) -> anyhow::Result<()> {
        Ok(self
            .client
            .find(Locator::Css(field))
            .await?
            .send_keys("\u{e007}")
            .await?)
    }

    /// Presses the button with these words.
    pub(crate) async fn press(&self, words: &str) -> anyhow::Result<()> {
        let button = format!("//button[normalize-space()='{words}']");
        Ok(self.client.find(Locator::XPath(&button)).await?.click().await?)
    }

    /// Presses what a selector finds first.
    pub(crate) async fn click(&self, selector: &str) -> anyhow::Result<()> {
        Ok(self.client.find(Locator::Css(selector)).await?.click().await?)
    }

    /// What stands in a field.
    pub(crate) async fn value(&self, field: &str) -> anyhow::Result<String> {
        let value = self.client.find(Locator::Css(field)).await?.prop("value").await?;
        Ok(value.unwrap_or_default())
    }

    /// Opens what unfolds under these words.
    pub(crate) async fn unfold(&self, words: &str) -> anyhow::Result<()> {
        let summary = format!("//summary[normalize-space()='{words}']");
        Ok(self.client.find(Locator::XPath(&summary)).await?.click().await?)
    }

    /// Follows the link with these words.
    pub(crate) async fn follow(&self, words: &str) -> anyhow::Result<()> {
        Ok(self.client.find(Locator::LinkText(words)).await?.click().await?)
    }

    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> anyhow::Result<()> {
        self.fill("input[name=name]", name).await?;
        self.fill("input[name=password]", password).await?;
        self.enter("input[name=password]").await
    }

    /// Types into whatever has the focus: `\t` moves on, `\n` is the key for it.
    pub(crate) async fn type_keys(&self, text: &str) -> anyhow::Result<()> {
        let keys: String = text
            .chars()
            .map(|key| match key {
                '\t' => '\u{e004}',
                '\n' => '\u{e007}',
                other => other,
            })
            .collect();
        Ok(self.client.active_element().await?.send_keys(&keys).await?)
    }

    /// The words of what has the focus, which has to be seen; nothing at the page's end.
    pub(crate) async fn focused(&self) -> anyhow::Result<Option<String>> {
        let found = self
            .run(
                "const e = document.activeElement; if (e === document.body) return null; \
                 const s = getComputedStyle(e); \
                 return [e.innerText.trim() || e.name || e.tagName, s.outlineStyle !== 'none' && s.outlineWidth !== '0px']",
            )
            .await?;
        if found.is_null() {
            return Ok(None);
        }
        let name = found[0].as_str().unwrap_or_default().to_owned();
        ensure!(found[1] == true, "the focus of {name:?} cannot be seen");
        Ok(Some(name))
    }

    /// Puts the focus there.
    pub(crate) async fn focus(&self, selector: &str) -> anyhow::Result<()> {
        let script = format!("document.querySelector({}).focus()", json!(selector));
        self.run(&script).await.map(|_| ())
    }

    /// How many elements there are.
    pub(crate) async fn count(&self, selector: &str) -> anyhow::Result<usize> {
        Ok(self.client.find_all(Locator::Css(selector)).await?.len())
    }

    /// Marks the page: a reload forgets it.
    pub(crate) async fn mark(&self) -> anyhow::Result<()> {
        self.run("window.marked = true").await.map(|_| ())
    }

    pub(crate) async fn is_marked(&self) -> anyhow::Result<bool> {
        Ok(self.run("return window.marked === true").await? == true)
    }

    /// Nothing is wider than the window.
    pub(crate) async fn fits(&self) -> anyhow::Result<()> {
        let widest = self
            .run(
                // On a phone, the inner width grows with what is too wide.
                "const root = document.documentElement; \
                 const wide = [...document.querySelectorAll('body *')].filter(e => { const r = e.getBoundingClientRect(); \
                 return r.width > 2 && r.right > root.clientWidth + 1 && !e.closest('.sections, svg'); }); \
                 return [root.scrollWidth - root.clientWidth, wide.map(e => e.outerHTML.slice(0, 80))]",
            )
            .await?;
        ensure!(widest[0].as_i64() <= Some(0), "the page is too wide: {widest}");
        Ok(())
    }

    /// Neither an error nor anything that the browser has blocked since the last look; a refused
    /// password is no fault.
    pub(crate) async fn has_shown_no_error(&self) -> anyhow::Result<()> {
        let answer = self
            .http
            .post(format!("{}/se/log", self.session))
            .body(r#"{"type":"browser"}"#);
        let answer: Value = answer.send().await?.error_for_status()?.json().await?;
        let entries = answer["value"].as_array().context("no log")?;
        let is_wrong = |entry: &&Value| {
            let message = entry["message"].as_str().unwrap_or_default();
            !(message.contains("/login") && message.contains("401"))
        };
        let wrong: Vec<&Value> = entries.iter().filter(is_wrong).collect();
        ensure!(wrong.is_empty(), "{wrong:#?}");
        Ok(())
    }

    /// Dark or light, as the reader's system is.
    pub(crate) async fn prefers(&self, scheme: &str) -> anyhow::Result<()> {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", features).await.map(|_| ())
    }

    /// A picture of the whole page.
    pub(crate) async fn picture(&self) -> anyhow::Result<Vec<u8>> {
        let taken = self
            .devtools(
                "Page.captureScreenshot",
                json!({"format": "png", "captureBeyondViewport": true}),
            )
            .await?;
        let data = taken["data"].as_str().context("no picture")?;
        Ok(base64::engine::general_purpose::STANDARD.decode(data)?)
    }
}

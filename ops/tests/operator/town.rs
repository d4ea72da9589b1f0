//! Both products beside an operator's desk: stand-ins that behave as the real ones were observed
//! to.

use std::net::TcpListener;

use anyhow::Context as _;
use passerelle_model::config::Reader;
use passerelle_sandbox::server::Running;
use passerelle_sandbox::{baserow, docmost};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::desk::{Desk, Said, run_program};

pub(crate) const TOKEN: &str = "a-database-token";
pub(crate) const EMAIL: &str = "admin@example.com";
pub(crate) const PASSWORD: &str = "Baserow-pass-1";
pub(crate) const SECRET: &str = "7f1c9e02b4d85a6630c1e8fb29d47a51";

/// Redis, store, Baserow, Docmost, and a bridge file that may be written.
pub(crate) struct Town {
    pub(crate) desk: Desk,
    pub(crate) baserow: Running,
    pub(crate) docmost: Running,
    folder: TempDir,
    pub(crate) http: reqwest::Client,
}

impl Town {
    /// With the shipped rules.
    pub(crate) fn start() -> anyhow::Result<Self> {
        Self::with_docmost(docmost::Options::default())
    }

    /// The same with such a Docmost.
    pub(crate) fn with_docmost(options_of_docmost: docmost::Options) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listen = || TcpListener::bind("127.0.0.1:0");
        let options = baserow::Options {
            baserow_token: TOKEN.to_owned(),
            baserow_email: EMAIL.to_owned(),
            baserow_password: PASSWORD.to_owned(),
            webhook: Vec::new(),
            webhook_secret: None,
            time_scale: 1.0,
        };
        Ok(Self {
            desk: Desk::new()?,
            baserow: baserow::start(listen()?, options)?,
            docmost: docmost::start(listen()?, options_of_docmost)?,
            folder: tempfile::tempdir()?,
            http: reqwest::Client::builder().build()?,
        })
    }

    /// Every setting of a sound installation.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../bridge.toml");
        let own = self.folder.path().join("bridge.toml");
        let bridge_file = if own.exists() {
            own.display().to_string()
        } else {
            shipped.to_owned()
        };
        let pairs = [
            ("BRIDGE_FILE", bridge_file),
            ("BASEROW_WEBHOOK_SECRET", SECRET.to_owned()),
            ("BASEROW_URL", self.baserow.url()),
            ("BASEROW_TOKEN", TOKEN.to_owned()),
            ("BASEROW_EMAIL", EMAIL.to_owned()),
            ("BASEROW_PASSWORD", PASSWORD.to_owned()),
            ("DOCMOST_URL", self.docmost.url()),
            ("DOCMOST_EMAIL", docmost::BRIDGE_EMAIL.to_owned()),
            ("DOCMOST_PASSWORD", docmost::BRIDGE_PASSWORD.to_owned()),
        ];
        let mut all = self.desk.pairs();
        all.extend(pairs.map(|(name, value)| (name.to_owned(), value)));
        all
    }

    /// Starts the real ingress; gives its address. It ends with the test.
    pub(crate) fn ingress(&self) -> anyhow::Result<String> {
        let mut pairs = self.pairs();
        let spool = self.folder.path().join("spool").display().to_string();
        pairs.push(("INGRESS_SPOOL_DIR".to_owned(), spool));
        let mut reader = Reader::from_pairs(pairs);
        let settings = passerelle_ingress::settings::Settings::read(&mut reader);
        let server = passerelle_ingress::server::Server::bind(reader.finish(settings)?)?;
        let address = format!("http://{}", server.address());
        tokio::spawn(server.run(std::future::pending()));
        Ok(address)
    }

    /// Uses these rules instead of the shipped ones; every template is an empty page unless it is
    /// given.
    pub(crate) fn rules(&self, text: &str) -> anyhow::Result<()> {
        std::fs::write(self.folder.path().join("bridge.toml"), text)?;
        self.template("page.md", "")
    }

    /// Writes a template beside the rules.
    pub(crate) fn template(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.folder.path().join(name), text)?)
    }

    /// Runs the program with all settings.
    pub(crate) async fn passerelle(&self, arguments: &[&str]) -> Said {
        self.passerelle_with(arguments, &[]).await
    }

    /// Runs the program with some settings changed; an empty value takes one away.
    pub(crate) async fn passerelle_with(&self, arguments: &[&str], changes: &[(&str, &str)]) -> Said {
        let mut pairs = self.pairs();
        for (name, value) in changes {
            pairs.retain(|(known, _)| known != name);
            pairs.push(((*name).to_owned(), (*value).to_owned()));
        }
        self.desk.with_schema().await;
        let mut said = run_program(arguments, pairs, &self.desk.stop).await;
        let folder = format!("{}/", self.folder.path().display());
        said.out = said.out.replace(&folder, "");
        said
    }

    /// Calls Baserow as its user; gives the JSON of the answer.
    pub(crate) async fn baserow_as_user(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let login = json!({"email": EMAIL, "password": PASSWORD});
        let request = self.http.post(format!("{}/api/user/token-auth/", self.baserow.url()));
        let session: Value = request.json(&login).send().await?.error_for_status()?.json().await?;
        let token = session["access_token"].as_str().context("no token")?.to_owned();
        let mut request = self
            .http
            .request(method, format!("{}/api/database/{path}", self.baserow.url()))
            .header("Authorization", format!("JWT {token}"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let text = request.send().await?.error_for_status()?.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Calls Docmost as one of its users; gives the data of the answer.
    pub(crate) async fn docmost_as(&self, who: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let post = |path: String| self.http.post(format!("{}/{path}", self.docmost.url()));
        let token = post("_sandbox/tokens".to_owned()).json(&json!({ "email": who }));
        let token: Value = token.send().await?.error_for_status()?.json().await?;
        let request = post(format!("api/{path}")).bearer_auth(token["token"].as_str().unwrap_or_default());
        let answer: Value = request.json(body).send().await?.error_for_status()?.json().await?;
        Ok(answer["data"].clone())
    }

    /// Writes a file beside the rules; gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> anyhow::Result<String> {
        self.template(name, text)?;
        Ok(self.folder.path().join(name).display().to_string())
    }
}

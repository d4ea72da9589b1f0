//! A console with its own Redis and store, and people who use it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use passerelle_console::{ConsoleSettings, Server, password};
use passerelle_model::config::{Channel, Reader, RedisSettings, StoreSettings};
use passerelle_model::id::JobKey;
use passerelle_model::time::Timestamp;
use passerelle_queue::{Queue, QueueName, Redis};
use passerelle_store::{Account, NoticeState, Role, Store, StoredNotice};
use reqwest::header::{HeaderMap, SET_COOKIE};
use reqwest::{Method, StatusCode, redirect};
use tempfile::TempDir;
use test_support::{ErrorLog, TestRedis};
use tokio::task::JoinHandle;

use crate::rules::Book;

/// What everybody's password is here.
const PASSWORD: &str = "a password for tests";

/// A console.
pub(crate) struct House {
    pub(crate) redis: TestRedis,
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) address: SocketAddr,
    pub(crate) errors: ErrorLog,
    /// Where the store is.
    pub(crate) database: String,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

impl House {
    /// Adds a notice that could not be sent.
    pub(crate) async fn failed_notice(&self, args: &str, error: &str) -> anyhow::Result<()> {
        let notice = StoredNotice {
            id: JobKey::parse("notice/e1/a")?,
            kind: "trainer-assigned".to_owned(),
            channel: Channel::Mail,
            rule: "attribution-mail".to_owned(),
            row: None,
            event: None,
            args: args.to_owned(),
            created: Timestamp::now(),
            state: NoticeState::Waiting,
            ended: None,
            tries: 5,
            error: None,
        };
        self.store.add_notice(&notice).await?;
        let now = Timestamp::now();
        let ended = self.store.end_notice(&notice.id, NoticeState::Failed, Some(error), now);
        ended.await?;
        Ok(())
    }

    pub(crate) async fn build() -> anyhow::Result<Self> {
        Self::build_with(&[]).await
    }

    /// With more settings.
    pub(crate) async fn build_with(more: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::build_as(more, |_| ()).await
    }

    /// With other settings, also where they are no variable of the environment.
    pub(crate) async fn build_as(
        more: &[(&str, &str)],
        set: impl FnOnce(&mut ConsoleSettings),
    ) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (folder, redis, errors) = (tempfile::tempdir()?, TestRedis::start()?, ErrorLog::watch());
        let mut pairs = vec![
            ("REDIS_URL".to_owned(), redis.url()),
            (
                "DATABASE_URL".to_owned(),
                format!("sqlite://{}/store.sqlite", folder.path().display()),
            ),
            ("CONSOLE_BIND".to_owned(), "127.0.0.1:0".to_owned()),
        ];
        pairs.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let mut reader = Reader::from_pairs(pairs);
        let database = reader.text("DATABASE_URL", "");
        let mut settings = ConsoleSettings::read(&mut reader);
        set(&mut settings);
        let connection = Redis::open(&RedisSettings::read(&mut reader))?;
        let store = Store::open(&StoreSettings::read(&mut reader)).await?;
        reader.finish(())?;
        let server = Server::bind(settings, Arc::new(Book)).await?;
        let address = server.address();
        let serving = tokio::spawn(async move {
            let _ = server.run(std::future::pending()).await;
        });
        Ok(Self {
            queue: Queue::new(connection, QueueName::Sync),
            redis,
            store,
            address,
            errors,
            database,
            serving,
            _folder: folder,
        })
    }

    /// Its Redis, by a connection of the test's own.
    pub(crate) fn redis(&self) -> anyhow::Result<Redis> {
        let mut reader = Reader::from_pairs([("REDIS_URL", self.redis.url())]);
        Ok(Redis::open(&RedisSettings::read(&mut reader))?)
    }

    /// An account, with the password of all.
    pub(crate) async fn account(&self, name: &str, role: Role) -> anyhow::Result<()> {
        let account = Account {
            name: name.to_owned(),
            role,
            password: Some(password::hash(PASSWORD)?),
            created: Timestamp::now(),
        };
        ensure!(self.store.add_account(&account).await?, "{name} is there already");
        Ok(())
    }

    /// Somebody who is not signed in.
    pub(crate) fn stranger(&self) -> anyhow::Result<Guest> {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .build()?;
        Ok(Guest {
            http,
            base: format!("http://{}", self.address),
            cookies: Vec::new(),
            headers: HeaderMap::new(),
        })
    }

    /// Somebody with an account, signed in.
    pub(crate) async fn guest(&self, name: &str, role: Role) -> anyhow::Result<Guest> {
        self.account(name, role).await?;
        let mut guest = self.stranger()?;
        let answer = guest.sign_in(name, PASSWORD).await?;
        ensure!(answer.status == StatusCode::SEE_OTHER, "{answer:?}");
        Ok(guest)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A browser.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.get(name);
        found.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The token of a page's forms.
    pub(crate) fn token(&self) -> Option<&str> {
        let (_, rest) = self.body.split_once("name=\"token\" value=\"")?;
        rest.split('"').next()
    }
}

impl Guest {
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.ask(Method::GET, path, &[]).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.ask(Method::POST, path, fields).await
    }

    /// A form with the token of a page that was just loaded.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.submit_from("/", path, fields).await
    }

    /// The same, from another page.
    pub(crate) async fn submit_from(
        &mut self,
        from: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let page = self.get(from).await?;
        let token = page.token().context("the page has no form")?.to_owned();
        let mut all = vec![("token", token.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all).await
    }

    pub(crate) async fn sign_in(&mut self, name: &str, password: &str) -> anyhow::Result<Answer> {
        let page = self.get("/login").await?;
        let token = page.token().context("the page has no form")?.to_owned();
        let fields = [
            ("token", token.as_str()),
            ("name", name),
            ("password", password),
            ("to", ""),
        ];
        self.post("/login", &fields).await
    }

    /// What the browser sends of its cookies.
    pub(crate) fn cookie(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    async fn ask(&mut self, method: Method, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base))
            .headers(self.headers.clone());
        if !self.cookies.is_empty() {
            request = request.header("cookie", self.cookie());
        }
        if method == Method::POST {
            let encoded: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}={}", encoded(value)))
                .collect();
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(encoded.join("&"));
        }
        let answer = request.send().await?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie without a value")?;
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        Ok(Answer {
            status: answer.status(),
            headers: answer.headers().clone(),
            // Slashes are escaped, too; nobody reads them so.
            body: answer.text().await?.replace("&#x2f;", "/"),
        })
    }
}

pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let each = text.bytes().map(|byte| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    each.collect()
}

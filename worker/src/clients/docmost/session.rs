//! The session with Docmost, shared by all replicas: Docmost allows ten logins a minute and keeps
//! 25 sessions.
//!
//! - The token is in Redis (`<prefix>:docmost:session`) and outlives restarts. Each process caches
//!   it.
//! - A replica logs in when the token has reached 80 % of its life, or was refused. One replica
//!   logs in at a time (`<prefix>:docmost:login:lock`), all together at most eight times a minute
//!   (`<prefix>:docmost:logins`). The others wait for the new token.
//! - A 401 does not say why. So the replica first looks whether another one has renewed the token.
//! - A failed login holds jobs and spends no attempts: no work on the row has begun.
//! - While the login gate is stopped, no replica tries to log in. A replica that waited for a login
//!   that failed does not repeat it at once.

use std::time::Duration;

use argon2::Argon2;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passerelle_model::id::ProcessName;
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_queue::{Lock, Redis};
use redis::AsyncCommands as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::failure::{Failure, Target};

/// Most logins per minute over all replicas. Docmost allows 10 per address; people behind the same
/// address want some too.
const MOST_LOGINS_A_MINUTE: u64 = 8;
const MINUTE: Duration = Duration::from_mins(1);
/// How long one login may take before another replica may try.
const LONGEST_LOGIN: Duration = Duration::from_secs(30);
/// How long to wait for the login of another replica before the job is put back.
const WAIT_FOR_OTHERS: Duration = Duration::from_secs(3);
/// How often to look meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a job is held after a login that failed.
const AFTER_FAILED_LOGIN: Duration = Duration::from_secs(2);
/// Assumed life of a token that does not tell.
const UNKNOWN_LIFE: Duration = Duration::from_hours(24);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    token: String,
    /// The account's user id: what it created is recognised by it.
    pub(super) user: String,
    renew_at: Timestamp,
    /// A slow hash of the login, with the token as its salt: it shows whether another process has the
    /// same login.
    #[serde(default)]
    login_hash: Option<String>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session with a fresh token.
    pub(super) fn new(token: String, user: String, now: Timestamp) -> Self {
        let renew_at = now.plus(life_of(&token, now).mul_f64(0.8));
        Self {
            token,
            user,
            renew_at,
            login_hash: None,
        }
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Notes the login that it was opened with.
    pub(super) fn opened_with(mut self, login: &SecretString) -> Self {
        self.login_hash = self.hash_of(login);
        self
    }

    pub(super) fn was_opened_with(&self, login: &SecretString) -> bool {
        self.login_hash.is_some() && self.login_hash == self.hash_of(login)
    }

    /// None where the token is no salt, as it is too short.
    fn hash_of(&self, login: &SecretString) -> Option<String> {
        let (login, salt) = (login.expose_secret().as_bytes(), self.token.as_bytes());
        let mut hash = [0; 32];
        Argon2::default().hash_password_into(login, salt, &mut hash).ok()?;
        Some(hex::encode(hash))
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.renew_at
    }
}

/// How to sign in.
pub(super) trait Login {
    /// Whether a login may be tried now.
    async fn admit(&self) -> Result<(), Failure>;
    async fn log_in(&self) -> Result<Session, Failure>;
}

/// The place where the replicas share their session.
#[derive(Debug)]
pub(super) struct SharedSession {
    redis: Redis,
    lock: Lock,
    copy: Mutex<Copy>,
}

/// What this process knows.
#[derive(Debug, Default)]
struct Copy {
    session: Option<Session>,
    /// When the last login failed, and how.
    failed: Option<(Instant, Failure)>,
}

impl SharedSession {
    pub(super) fn new(redis: Redis) -> Self {
        let key = format!("{}:docmost:login:lock", redis.prefix());
        Self {
            lock: Lock::new(redis.clone(), key, ProcessName::unique("login"), LONGEST_LOGIN),
            redis,
            copy: Mutex::new(Copy::default()),
        }
    }

    /// The session that the replicas share, if there is a fresh one.
    pub(super) async fn shared(&self) -> Option<Session> {
        let session = self.stored().await.ok().flatten();
        session.filter(|session| session.is_fresh(Timestamp::now()))
    }

    /// A session to use. `refused` is the one that Docmost has just refused, if any.
    pub(super) async fn get(&self, refused: Option<&Session>, login: &impl Login) -> Result<Session, Failure> {
        let asked = Instant::now();
        let mut copy = self.copy.lock().await;
        let is_good = |session: &Session| session.is_fresh(Timestamp::now()) && Some(session) != refused;
        if let Some(session) = copy.session.as_ref().filter(|session| is_good(session)) {
            return Ok(session.clone());
        }
        if let Some((_, failure)) = copy.failed.as_ref().filter(|(when, _)| *when >= asked) {
            return Err(failure.clone());
        }
        let result = match self.stored().await?.filter(is_good) {
            Some(session) => Ok(session),
            None => self.renew(is_good, login).await,
        };
        match &result {
            Ok(session) => copy.session = Some(session.clone()),
            Err(failure) => copy.failed = Some((Instant::now(), failure.clone())),
        }
        result
    }

    /// Logs in, or waits for the replica that does.
    async fn renew(&self, is_good: impl Fn(&Session) -> bool, login: &impl Login) -> Result<Session, Failure> {
        login.admit().await?;
        let deadline = Instant::now() + WAIT_FOR_OTHERS;
        let mut looks = tokio::time::interval(LOOK_EVERY);
        while Instant::now() < deadline {
            looks.tick().await;
            if self.lock.take().await.map_err(unavailable)? {
                let result = self.log_in_once(&is_good, login).await;
                // An abandoned lock expires.
                let _ = self.lock.let_go().await;
                return result;
            }
            if let Some(session) = self.stored().await?.filter(&is_good) {
                return Ok(session);
            }
        }
        Err(Failure::new(
            FailureClass::Auth,
            Target::Docmost,
            "another worker is signing in to Docmost",
        )
        .after(LOOK_EVERY))
    }

    /// Under the lock: somebody may have been faster; else one login, if the minute allows one
    /// more.
    async fn log_in_once(&self, is_good: impl Fn(&Session) -> bool, login: &impl Login) -> Result<Session, Failure> {
        if let Some(session) = self.stored().await?.filter(is_good) {
            return Ok(session);
        }
        // It may have been closed while we waited for the lock.
        login.admit().await?;
        self.count_login().await?;
        let session = login.log_in().await.map_err(innocent)?;
        self.store(&session).await?;
        Ok(session)
    }

    async fn stored(&self) -> Result<Option<Session>, Failure> {
        let mut redis = self.redis.clone();
        let text: Option<String> = redis.get(self.key("session")).await.map_err(unavailable)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    async fn store(&self, session: &Session) -> Result<(), Failure> {
        let mut redis = self.redis.clone();
        let life = session.renew_at.since(Timestamp::now()).as_secs().max(1);
        let text = serde_json::to_string(session).map_err(|error| {
            Failure::new(
                FailureClass::Transient,
                Target::Redis,
                format!("the session cannot be stored: {error}"),
            )
        })?;
        redis.set_ex(self.key("session"), text, life).await.map_err(unavailable)
    }

    async fn count_login(&self) -> Result<(), Failure> {
        let counted = self.redis.count_within(&self.key("logins"), MINUTE).await;
        let (count, left) = counted.map_err(unavailable)?;
        if count <= MOST_LOGINS_A_MINUTE {
            return Ok(());
        }
        let wait = left.max(Duration::from_secs(1));
        let message = "the logins of this minute are used up; is another program using the bridge's account?";
        Err(Failure::new(FailureClass::Auth, Target::Docmost, message).after(wait))
    }

    fn key(&self, name: &str) -> String {
        format!("{}:docmost:{name}", self.redis.prefix())
    }
}

fn unavailable(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureClass::Transient, Target::Redis, error.to_string()).after(AFTER_FAILED_LOGIN)
}

/// The failure of a login, as its job feels it: held, whatever it was, for the row is innocent.
fn innocent(mut failure: Failure) -> Failure {
    if matches!(failure.class, FailureClass::Permanent | FailureClass::Gone) {
        failure.class = FailureClass::Auth;
    }
    let wait = failure.retry_after.unwrap_or(AFTER_FAILED_LOGIN);
    failure.after(wait)
}

/// How long a JSON web token lives from now on; an hour-old clock difference only makes us renew
/// early.
pub(super) fn life_of(token: &str, now: Timestamp) -> Duration {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let claims = token.split('.').nth(1).and_then(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
        serde_json::from_slice::<Claims>(&bytes).ok()
    });
    claims.map_or(UNKNOWN_LIFE, |claims| {
        Timestamp::from_millis(claims.exp.saturating_mul(1000)).since(now)
    })
}

#[cfg(test)]
mod tests;

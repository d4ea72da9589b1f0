//! One call to Docmost: POST, JSON in, envelope out, with our session, within the concurrency
//! limit.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use passerelle_model::config::{DocmostCredentials, DocmostSettings};
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_queue::Redis;
use passerelle_queue::gate::{GateName, GateTarget, Gates, Permit, Permits};
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clients::answer::{Answer, Effect, exchange, http};
use crate::clients::docmost::collab::{CollabToken, KnownForm, Tls};
use crate::clients::docmost::meaning::{classify, data_of, health_in, token_in};
use crate::clients::docmost::route::Route;
use crate::clients::docmost::session::{Login, Session, SharedSession};
use crate::clients::guard::Guard;
use crate::failure::{Failure, Target};
use crate::journal::Journal;

/// A call that was asked for so long ago and is sent only now is *late*: what was true then is
/// looked at again.
const LATE: Duration = Duration::from_secs(1);

/// What is to be done right before a late call is sent, by whoever noted when it was to be sent.
pub type Late<'a> = &'a (dyn Fn() -> BoxFuture<'a, Result<(), Failure>> + Sync);

/// Docmost with our account.
#[derive(Debug)]
pub struct Docmost {
    http: Client,
    settings: DocmostSettings,
    session: SharedSession,
    collab_token: CollabToken,
    tls: Tls,
    form: KnownForm,
    guard: Guard,
    /// Calls at once that gain nothing only make a restart of its database worse (measured).
    permits: Permits,
}

impl Docmost {
    /// Prepares the client; nothing is sent.
    pub fn new(settings: &DocmostSettings, redis: Redis, gates: Gates) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: http(settings.timeout, settings.authorities.as_ref())?,
            settings: settings.clone(),
            session: SharedSession::new(redis),
            collab_token: CollabToken::default(),
            tls: Tls::trusting(settings.authorities.clone()),
            form: KnownForm::default(),
            permits: Permits::new(&gates, GateTarget::Docmost, settings.concurrency),
            guard: Guard::new(gates, Target::Docmost),
        })
    }

    /// Whether it signs in with a password, and so has sessions of its own.
    pub(super) fn has_password(&self) -> bool {
        matches!(self.settings.credentials, DocmostCredentials::Password { .. })
    }

    /// The address that people use.
    pub(super) fn public_url(&self) -> &str {
        &self.settings.public_url
    }

    /// The address of the collaborative documents.
    pub(super) fn collab_url(&self) -> &str {
        &self.settings.collab_url
    }

    pub(super) const fn kept_token(&self) -> &CollabToken {
        &self.collab_token
    }

    pub(super) const fn known_form(&self) -> &KnownForm {
        &self.form
    }

    pub(super) const fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Whether a call may pass a gate now.
    pub(super) async fn admit(&self, gate: GateName) -> Result<(), Failure> {
        self.guard.admit(gate).await
    }

    /// Tells a gate how a call ended.
    pub(super) fn report<T>(&self, gate: GateName, result: &Result<T, Failure>) {
        self.guard.report(gate, result);
    }

    /// Makes a call when there is a permit for it.
    pub(super) async fn within_limit<T>(&self, call: impl Future<Output = T>) -> T {
        self.permits.acquire().await.during(call).await
    }

    /// How long one call may take; a create that was given up on may still be running then.
    pub fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// The session of the workers, if they have one that was opened with the login of these
    /// settings.
    pub(super) async fn session_of_this_login(&self) -> Option<Session> {
        let login = self.login()?;
        let session = self.session.shared().await?;
        session.was_opened_with(&login).then_some(session)
    }

    /// What a session depends on: the server, the account and the password; none with a fixed token.
    fn login(&self) -> Option<SecretString> {
        match &self.settings.credentials {
            DocmostCredentials::Token(_) => None,
            DocmostCredentials::Password { email, password } => {
                let (url, password) = (&self.settings.url, password.expose_secret());
                Some(SecretString::from(format!("{url}\n{email}\n{password}")))
            }
        }
    }

    /// The user id of our account.
    pub async fn account_id(&self) -> Result<String, Failure> {
        Ok(self.session(None).await?.user)
    }

    /// A call whose answer has data.
    pub(super) async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        journal: &mut Journal,
        route: &Route,
        body: Value,
    ) -> Result<T, Failure> {
        self.ask_late(journal, route, body, None).await
    }

    /// The same, with something to do right before a late call is sent.
    pub(super) async fn ask_late<T: for<'de> Deserialize<'de>>(
        &self,
        journal: &mut Journal,
        route: &Route,
        body: Value,
        late: Option<Late<'_>>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let result = self
            .call(route, &body, late)
            .await
            .and_then(|answer| data_of(&answer, route.effect));
        journal.call(route.step, route.request(), began, &result);
        result
    }

    /// A call whose answer is just yes.
    pub(super) async fn command(&self, journal: &mut Journal, route: &Route, body: Value) -> Result<(), Failure> {
        let began = Instant::now();
        let result = self.call(route, &body, None).await.map(|_| ());
        journal.call(route.step, route.request(), began, &result);
        result
    }

    /// Sends with the session; a refused token is renewed once, since a 401 was not carried out.
    pub(super) async fn call(&self, route: &Route, body: &Value, late: Option<Late<'_>>) -> Result<Answer, Failure> {
        self.guard.admit(route.gate()).await?;
        let asked = Instant::now();
        let session = self.session(None).await?;
        let permit = self.permit(route, asked, late).await?;
        let request = self.request_as(&session, route, body);
        let send = |request| self.guard.timed(route.gate(), self.send(route.effect, request));
        let mut result = permit.during(send(request)).await;
        if result
            .as_ref()
            .is_err_and(|failure| failure.class == FailureClass::Auth && failure.status == Some(401))
        {
            let renewed = self.session(Some(&session)).await?;
            let permit = self.permit(route, asked, late).await?;
            let request = self.request_as(&renewed, route, body);
            result = permit.during(send(request)).await;
        }
        self.guard.report(route.gate(), &result);
        result
    }

    /// The right to send one call. After a long wait, what was true when it was asked for is
    /// checked again.
    async fn permit(&self, route: &Route, asked: Instant, late: Option<Late<'_>>) -> Result<Permit<'_>, Failure> {
        let waiting = Instant::now();
        let permit = self.permits.acquire().await;
        metrics::histogram!("passerelle_docmost_permit_wait_seconds").record(waiting.elapsed().as_secs_f64());
        if asked.elapsed() < LATE {
            return Ok(permit);
        }
        match self.look_again(route, late).await {
            Ok(()) => Ok(permit),
            Err(failure) => {
                permit.give_back().await;
                Err(failure)
            }
        }
    }

    async fn look_again(&self, route: &Route, late: Option<Late<'_>>) -> Result<(), Failure> {
        self.guard.admit(route.gate()).await?;
        match late {
            Some(late) => late().await,
            None => Ok(()),
        }
    }

    /// A call outside of gates and journals.
    pub(super) async fn ask_as(&self, session: &Session, route: &Route, body: &Value) -> Result<Answer, Failure> {
        self.send_limited(route.effect, self.request_as(session, route, body))
            .await
    }

    fn request_as(&self, session: &Session, route: &Route, body: &Value) -> RequestBuilder {
        self.post(route.path).bearer_auth(session.token()).json(body)
    }

    /// Waits for a permit, whatever the gates say.
    async fn send_limited(&self, effect: Effect, request: RequestBuilder) -> Result<Answer, Failure> {
        self.permits.acquire().await.during(self.send(effect, request)).await
    }

    async fn send(&self, effect: Effect, request: RequestBuilder) -> Result<Answer, Failure> {
        let exchanged = exchange(Target::Docmost, effect, request).await;
        let result = exchanged.and_then(|answer| classify(&answer, effect).map_or(Ok(answer), Err));
        result.map_err(|failure| Failure {
            changes: effect != Effect::Reads,
            ..failure
        })
    }

    /// Whether it works as a whole, by its own word. `health/live` is not asked: it answers also
    /// where nothing else does.
    pub async fn health(&self, patience: Duration) -> Result<(), Failure> {
        let request = self
            .http
            .get(format!("{}/api/health", self.settings.url))
            .timeout(patience);
        health_in(&exchange(Target::Docmost, Effect::Reads, request).await?)
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}/api/{path}", self.settings.url))
    }

    async fn session(&self, refused: Option<&Session>) -> Result<Session, Failure> {
        self.session.get(refused, self).await
    }

    /// Signs in. The token comes in a cookie only; a fixed token needs no login, only the account's
    /// id.
    pub(super) async fn sign_in(&self) -> Result<Session, Failure> {
        let token = match &self.settings.credentials {
            DocmostCredentials::Token(token) => token.expose_secret().to_owned(),
            DocmostCredentials::Password { email, password } => {
                let body = json!({"email": email, "password": password.expose_secret()});
                let answer = self
                    .send_limited(Effect::Reads, self.post("auth/login").json(&body))
                    .await?;
                tracing::info!("signed in to Docmost");
                token_in(&answer)?
            }
        };
        let request = self.post("users/me").bearer_auth(&token).json(&json!({}));
        let answer = self.send_limited(Effect::Reads, request).await?;
        let me: Value = data_of(&answer, Effect::Reads)?;
        let user = me
            .pointer("/user/id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        Ok(Session::new(token, user, Timestamp::now()))
    }
}

impl Login for Docmost {
    async fn admit(&self) -> Result<(), Failure> {
        self.guard.admit(GateName::DocmostLogin).await
    }

    async fn log_in(&self) -> Result<Session, Failure> {
        let result = self.sign_in().await;
        self.guard.report(GateName::DocmostLogin, &result);
        result.map(|session| match self.login() {
            Some(login) => session.opened_with(&login),
            None => session,
        })
    }
}

//! One call to Docmost: POST, JSON in, envelope out, with our session, few at a time. The only place where its status becomes a failure.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use passerelle_model::config::{DocmostCredentials, DocmostSettings};
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_queue::Redis;
use passerelle_queue::gate::{GateName, GateTarget, Gates, Permit, Permits};
use reqwest::{Client, RequestBuilder};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clients::answer::{Answer, Effect, exchange, http};
use crate::clients::docmost::session::{Login, Session, SharedSession};
use crate::clients::guard::Guard;
use crate::failure::{Failure, Target};
use crate::journal::Journal;

/// A call that was asked for so long ago and is sent only now is *late*: what was true then is looked at again.
const LATE: Duration = Duration::from_secs(1);

/// What is to be done right before a late call is sent, by whoever noted when it was to be sent.
pub type Late<'a> = &'a (dyn Fn() -> BoxFuture<'a, Result<(), Failure>> + Sync);

/// Docmost with our account.
#[derive(Debug)]
pub struct Docmost {
    http: Client,
    settings: DocmostSettings,
    session: SharedSession,
    guard: Guard,
    /// More than a few calls at once gain nothing and make a restart of its database worse (measured).
    permits: Permits,
}

/// A call that Docmost offers: its name in `trace`, its path, and what it would mean to send it twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) step: &'static str,
    path: &'static str,
    effect: Effect,
}

impl Route {
    /// Reads, or sets a state that may be set again.
    pub(super) const fn repeatable(step: &'static str, path: &'static str) -> Self {
        let effect = Effect::Repeatable;
        Self { step, path, effect }
    }

    /// Makes something new each time.
    pub(super) const fn creating(step: &'static str, path: &'static str) -> Self {
        let effect = Effect::Creates;
        Self { step, path, effect }
    }

    /// Which gate it passes: what changes pages may be down while reading works, and the other way round.
    fn gate(&self) -> GateName {
        let is_write = ["/create", "/update", "/delete", "/restore", "/move", "/add", "/remove"];
        if is_write.iter().any(|end| self.path.ends_with(end)) {
            GateName::DocmostWrite
        } else {
            GateName::DocmostRead
        }
    }

    fn request(&self) -> String {
        format!("POST docmost {}", self.path)
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

impl Docmost {
    /// Prepares the client; nothing is sent.
    pub fn new(settings: &DocmostSettings, redis: Redis, gates: Gates) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: http(settings.timeout)?,
            settings: settings.clone(),
            session: SharedSession::new(redis),
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

    /// How long one call may take; a create that was given up on may still be running then.
    pub fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// The user id of our account.
    pub(super) async fn user(&self) -> Result<String, Failure> {
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
    pub(super) async fn tell(&self, journal: &mut Journal, route: &Route, body: Value) -> Result<(), Failure> {
        let began = Instant::now();
        let result = self.call(route, &body, None).await.map(|_| ());
        journal.call(route.step, route.request(), began, &result);
        result
    }

    /// Sends with the session; a refused token is renewed once, since a 401 was not carried out.
    async fn call(&self, route: &Route, body: &Value, late: Option<Late<'_>>) -> Result<Answer, Failure> {
        self.guard.admit(route.gate()).await?;
        let asked = Instant::now();
        let session = self.session(None).await?;
        let permit = self.permit(route, asked, late).await?;
        let request = self.request_as(&session, route, body);
        let mut result = permit.during(self.send(route.effect, request)).await;
        if result
            .as_ref()
            .is_err_and(|failure| failure.class == FailureClass::Auth && failure.status == Some(401))
        {
            let renewed = self.session(Some(&session)).await?;
            let permit = self.permit(route, asked, late).await?;
            let request = self.request_as(&renewed, route, body);
            result = permit.during(self.send(route.effect, request)).await;
        }
        self.guard.report(route.gate(), &result);
        result
    }

    /// The right to send one call. After a long wait, what was true when it was asked for is checked again.
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
        let answer = exchange(Target::Docmost, effect, request).await?;
        classify(&answer, effect).map_or(Ok(answer), Err)
    }

    /// Whether it works as a whole, by its own word. `health/live` is not asked: it answers also where nothing else does.
    pub async fn health(&self, patience: Duration) -> Result<(), Failure> {
        let request = self
            .http
            .get(format!("{}/api/health", self.settings.url))
            .timeout(patience);
        let answer = exchange(Target::Docmost, Effect::Repeatable, request).await?;
        classify(&answer, Effect::Repeatable).map_or(Ok(()), Err)
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}/api/{path}", self.settings.url))
    }

    async fn session(&self, refused: Option<&Session>) -> Result<Session, Failure> {
        self.session.get(refused, self).await
    }

    /// Signs in. The token comes in a cookie only; a fixed token needs no login, only the account's id.
    pub(super) async fn sign_in(&self) -> Result<Session, Failure> {
        let token = match &self.settings.credentials {
            DocmostCredentials::Token(token) => token.expose_secret().to_owned(),
            DocmostCredentials::Password { email, password } => {
                let body = json!({"email": email, "password": password.expose_secret()});
                let answer = self
                    .send_limited(Effect::Repeatable, self.post("auth/login").json(&body))
                    .await?;
                tracing::info!("signed in to Docmost");
                token_in(&answer)?
            }
        };
        let request = self.post("users/me").bearer_auth(&token).json(&json!({}));
        let answer = self.send_limited(Effect::Repeatable, request).await?;
        let me: Value = data_of(&answer, Effect::Repeatable)?;
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
        result
    }
}

fn token_in(answer: &Answer) -> Result<String, Failure> {
    let cookies = answer.headers.get_all("set-cookie");
    let token = cookies.iter().find_map(|cookie| {
        let value = cookie.to_str().ok()?.strip_prefix("authToken=")?;
        value.split(';').next().map(str::to_owned)
    });
    token.ok_or_else(|| {
        answer.failure(
            FailureClass::Transient,
            Target::Docmost,
            "the login answer has no authToken cookie",
        )
    })
}

pub(super) fn data_of<T: for<'de> Deserialize<'de>>(answer: &Answer, effect: Effect) -> Result<T, Failure> {
    serde_json::from_str::<Envelope<T>>(&answer.body)
        .map(|envelope| envelope.data)
        .map_err(|error| {
            answer.failure(
                effect.unknown_outcome(),
                Target::Docmost,
                format!("unreadable answer: {error}"),
            )
        })
}

/// What an answer means; `None` for success.
fn classify(answer: &Answer, effect: Effect) -> Option<Failure> {
    if answer.is_success() {
        return None;
    }
    let json = answer.json();
    let message = json
        .as_ref()
        .and_then(|json| json.get("message"))
        .map(|message| match message {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
    let own_word = message.is_some();
    let message = message.unwrap_or_else(|| format!("answered {}", answer.status));
    let class = match (answer.status, message.as_str()) {
        (401, _) => FailureClass::Auth,
        (429, _) => FailureClass::Throttled,
        // Refused before it was carried out, by somebody who knows when to come back.
        (503, _) if answer.seconds_in(&["retry-after"]).is_some() => FailureClass::Throttled,
        (404, "Page not found") => FailureClass::Gone,
        (404, "Parent page not found") => FailureClass::Permanent,
        // A status without Docmost's own JSON is a proxy's: the page is innocent.
        (400 | 403 | 413 | 422, _) if own_word => FailureClass::Permanent,
        (500..=599, _) => effect.unknown_outcome(),
        // Among them "Space permissions not found": our account was not (yet) added to the space, or the answer is up to 5 s old.
        _ => FailureClass::Transient,
    };
    let hint = match (answer.status, message.as_str()) {
        (401, "Email or password does not match") => " (check DOCMOST_EMAIL and DOCMOST_PASSWORD)",
        (403, _) => " (the bridge's account needs the role writer in the space)",
        (404, "Space permissions not found") => " (add the bridge's account to the space)",
        _ => "",
    };
    let mut failure = answer.failure(class, Target::Docmost, format!("{message}{hint}"));
    if class == FailureClass::Throttled {
        failure.retry_after = answer.seconds_in(&["retry-after-auth", "retry-after"]);
    }
    Some(failure)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue};
    use rstest::rstest;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            headers: HeaderMap::new(),
            body: body.to_owned(),
        }
    }

    #[rstest]
    #[case(401, r#"{"message":"Unauthorized","statusCode":401}"#, FailureClass::Auth)]
    #[case(
        401,
        r#"{"message":"Email or password does not match","statusCode":401}"#,
        FailureClass::Auth
    )]
    #[case(404, r#"{"message":"Page not found","statusCode":404}"#, FailureClass::Gone)]
    #[case(
        404,
        r#"{"message":"Parent page not found","statusCode":404}"#,
        FailureClass::Permanent
    )]
    #[case(
        404,
        r#"{"message":"Space permissions not found","statusCode":404}"#,
        FailureClass::Transient
    )]
    #[case(
        404,
        r#"{"message":"Workspace not found","statusCode":404}"#,
        FailureClass::Transient
    )]
    #[case(
        404,
        r#"{"message":"Cannot PUT /api/pages/update","statusCode":404}"#,
        FailureClass::Transient
    )]
    #[case(404, "<html>", FailureClass::Transient)]
    #[case(
        400,
        r#"{"message":["title must be a string"],"statusCode":400}"#,
        FailureClass::Permanent
    )]
    #[case(400, "<html>", FailureClass::Transient)]
    #[case(403, r#"{"message":"Forbidden","statusCode":403}"#, FailureClass::Permanent)]
    #[case(
        413,
        r#"{"statusCode":413,"message":"Request body is too large"}"#,
        FailureClass::Permanent
    )]
    #[case(429, r#"{"statusCode":429,"message":"Too many requests"}"#, FailureClass::Throttled)]
    #[case(302, "", FailureClass::Transient)]
    #[case(
        500,
        r#"{"statusCode":500,"message":"Internal server error"}"#,
        FailureClass::Transient
    )]
    #[case(503, "", FailureClass::Transient)]
    fn each_answer_has_its_class(#[case] status: u16, #[case] body: &str, #[case] class: FailureClass) {
        let failure = classify(&answer(status, body), Effect::Repeatable).unwrap();
        assert_eq!(failure.class, class);
        // Only where nobody knows whether it was carried out does it matter that it was a create.
        let of_create = classify(&answer(status, body), Effect::Creates).unwrap().class;
        let expected = if status >= 500 { FailureClass::Ambiguous } else { class };
        assert_eq!(of_create, expected);
    }

    #[test]
    fn docmost_names_its_waiting_time_in_a_header_of_its_own() {
        let mut throttled = answer(429, "{}");
        throttled
            .headers
            .insert("retry-after-auth", HeaderValue::from_static("42"));
        let failure = classify(&throttled, Effect::Repeatable).unwrap();
        assert_eq!(failure.retry_after, Some(Duration::from_secs(42)));
    }

    #[test]
    fn an_unavailable_docmost_that_names_a_time_is_throttled_and_one_that_does_not_is_down() {
        let mut unavailable = answer(503, "");
        unavailable
            .headers
            .insert("retry-after", HeaderValue::from_static("600"));
        let failure = classify(&unavailable, Effect::Creates).unwrap();
        assert_eq!(
            (failure.class, failure.retry_after),
            (FailureClass::Throttled, Some(Duration::from_mins(10)))
        );
    }

    #[rstest]
    #[case("pages/create", GateName::DocmostWrite)]
    #[case("pages/labels/add", GateName::DocmostWrite)]
    #[case("pages/info", GateName::DocmostRead)]
    #[case("labels/pages", GateName::DocmostRead)]
    fn each_route_has_its_gate(#[case] path: &'static str, #[case] gate: GateName) {
        assert_eq!(Route::repeatable("step", path).gate(), gate);
    }

    #[test]
    fn the_token_is_taken_from_the_cookie_alone() {
        let mut login = answer(200, r#"{"success":true,"status":200}"#);
        login
            .headers
            .append("set-cookie", HeaderValue::from_static("other=1; Path=/"));
        login.headers.append(
            "set-cookie",
            HeaderValue::from_static("authToken=abc.def; Path=/; HttpOnly"),
        );
        assert_eq!(token_in(&login).unwrap(), "abc.def");
    }
}

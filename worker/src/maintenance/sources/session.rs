//! Signs in to Baserow as a user, as seldom as can be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use passerelle_model::config::{BaserowSettings, BaserowUserSettings};
use passerelle_model::id::TableId;
use passerelle_model::ledger::FailureClass;
use tokio::sync::Mutex;

use crate::clients::baserow::user::{BaserowUser, Webhook};
use crate::failure::Failure;

/// Baserow's sessions last ten minutes unless its operator says otherwise.
const SESSION_LASTS: Duration = Duration::from_mins(8);
/// A session that is so young is not to blame for a refusal.
const SESSION_IS_NEW: Duration = Duration::from_mins(1);
/// How long refused credentials are left alone.
const REFUSED_REST: Duration = Duration::from_hours(1);

#[derive(Debug)]
pub struct UserSession {
    server: BaserowSettings,
    user: BaserowUserSettings,
    session: Mutex<SessionState>,
}

#[derive(Debug)]
enum SessionState {
    None,
    Open { user: Arc<BaserowUser>, since: Instant },
    Refused { since: Instant },
}

impl UserSession {
    pub fn new(server: BaserowSettings, user: BaserowUserSettings) -> Self {
        Self {
            server,
            user,
            session: Mutex::new(SessionState::None),
        }
    }

    /// Whether Baserow lets us in; credentials that it refused a while ago are not tried again yet.
    pub(super) async fn opens(&self) -> Result<bool, Failure> {
        if let SessionState::Refused { since } = &*self.session.lock().await
            && since.elapsed() < REFUSED_REST
        {
            return Ok(false);
        }
        match self.user().await {
            Ok(_) => Ok(true),
            Err(failure) if failure.class == FailureClass::Auth => {
                metrics::counter!("passerelle_source_findings_total", "finding" => "refused").increment(1);
                tracing::warn!(error = %failure, "webhooks cannot be watched; the account is tried again in an hour");
                *self.session.lock().await = SessionState::Refused { since: Instant::now() };
                Ok(false)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The webhooks of a table. A session that has ended meanwhile is renewed.
    pub(super) async fn webhooks(&self, table: TableId) -> Result<Vec<Webhook>, Failure> {
        match self.user().await?.webhooks(table).await {
            Err(failure) if failure.class == FailureClass::Auth && self.leave_if_old().await => {
                self.user().await?.webhooks(table).await
            }
            answered => answered,
        }
    }

    /// Switches a webhook on and leaves everything else of it as it is.
    pub(super) async fn switch_on(&self, webhook: u64) -> Result<Webhook, Failure> {
        self.user().await?.switch_on(webhook).await
    }

    async fn user(&self) -> Result<Arc<BaserowUser>, Failure> {
        let mut session = self.session.lock().await;
        if let SessionState::Open { user, since } = &*session
            && since.elapsed() < SESSION_LASTS
        {
            return Ok(Arc::clone(user));
        }
        let user = Arc::new(BaserowUser::log_in(&self.server, &self.user).await?);
        *session = SessionState::Open {
            user: Arc::clone(&user),
            since: Instant::now(),
        };
        Ok(user)
    }

    /// Ends a session that may have ended by itself.
    async fn leave_if_old(&self) -> bool {
        let mut session = self.session.lock().await;
        let is_old = matches!(&*session, SessionState::Open { since, .. } if since.elapsed() >= SESSION_IS_NEW);
        if is_old {
            *session = SessionState::None;
        }
        is_old
    }
}

//! Signing in to both products, as patiently as they ask for.

use std::time::Duration;

use passerelle_model::ledger::FailureClass;
use passerelle_queue::Redis;
use passerelle_worker::clients::baserow::user::BaserowUser;
use passerelle_worker::clients::docmost::Account;
use passerelle_worker::failure::Failure;
use tokio::time::sleep;

use super::answers::Answers;
use super::{Setup, State};
use crate::trouble::Trouble;

/// How long a product may ask us to keep away from its login; Docmost asks for a minute.
const LONGEST_WAIT: Duration = Duration::from_mins(2);
/// How often it may ask that.
const MOST_WAITS: usize = 3;

impl Setup<'_> {
    /// Signs in to both, with the answers.
    pub(super) async fn sign_in(
        &mut self,
        answers: &Answers,
        redis: &Redis,
    ) -> Result<(BaserowUser, Option<Account>), Trouble> {
        let user = self.sign_in_to_baserow(answers).await?;
        Ok((user, self.sign_in_to_docmost(answers, redis).await?))
    }

    /// Makes a call that signs in, again when a product takes no more logins for a while.
    pub(super) async fn patiently<T>(&mut self, sign_in: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
        for _ in 0..MOST_WAITS {
            match sign_in().await {
                Err(Failure {
                    class: FailureClass::Throttled,
                    target,
                    retry_after: Some(wait),
                    ..
                }) if wait <= LONGEST_WAIT => {
                    let (target, seconds) = (target.as_str(), wait.as_secs());
                    let what = format!("{target} takes no more logins for {seconds} s: waiting");
                    self.tell(State::Note, what);
                    sleep(wait).await;
                }
                answer => return answer,
            }
        }
        sign_in().await
    }
}

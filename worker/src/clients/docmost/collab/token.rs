//! The token that opens documents: bound to our account only, so one per process, renewed at 80 %
//! of its life.

use std::future::Future;

use passerelle_model::time::Timestamp;
use tokio::sync::Mutex;

use crate::clients::docmost::session::life_of;
use crate::failure::Failure;

/// The token of this process.
#[derive(Default)]
pub(in super::super) struct CollabToken(Mutex<Option<Kept>>);

struct Kept {
    token: String,
    renew_at: Timestamp,
}

impl std::fmt::Debug for CollabToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CollabToken")
    }
}

impl CollabToken {
    /// A token to use. `refused` is the one that was just refused, if any.
    pub(super) async fn get(
        &self,
        refused: Option<&str>,
        fetch: impl Future<Output = Result<String, Failure>>,
    ) -> Result<String, Failure> {
        let mut kept = self.0.lock().await;
        let now = Timestamp::now();
        if let Some(kept) = kept.as_ref()
            && now < kept.renew_at
            && Some(kept.token.as_str()) != refused
        {
            return Ok(kept.token.clone());
        }
        let token = fetch.await?;
        *kept = Some(Kept {
            renew_at: now.plus(life_of(&token, now).mul_f64(0.8)),
            token: token.clone(),
        });
        Ok(token)
    }
}

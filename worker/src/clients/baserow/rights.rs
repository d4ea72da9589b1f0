//! What our token may do in a table, asked without changing anything: `tokens/check/` says only
//! that the token exists. Baserow looks at the rights before it looks at what it is asked to do, so
//! each question is one that it can only refuse.

use passerelle_model::id::TableId;
use passerelle_model::ledger::FailureClass;
use passerelle_queue::gate::GateName;
use reqwest::Method;
use serde_json::json;

use super::Baserow;
use crate::failure::Failure;

/// A row's number that no table reaches.
const NO_ROW: u32 = i32::MAX as u32;

/// A right of a database token, for one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    Read,
    Create,
    Update,
}

impl Right {
    /// As Baserow's settings call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
        }
    }
}

impl Baserow {
    /// Whether our token has a right on a table. Fails if Baserow does not say.
    pub async fn may(&self, right: Right, table: TableId) -> Result<bool, Failure> {
        let path = format!("rows/table/{table}/");
        let answer = match right {
            Right::Read => self.read(self.request(Method::GET, &format!("{path}?size=1"))).await,
            // A row is an object: a list is refused, whoever sends it.
            Right::Create => {
                let request = self.request(Method::POST, &path).json(&json!([]));
                self.send(GateName::BaserowWrite, request).await
            }
            Right::Update => {
                let path = format!("{path}{NO_ROW}/?send_webhook_events=false");
                let request = self.request(Method::PATCH, &path).json(&json!({}));
                self.send(GateName::BaserowWrite, request).await
            }
        };
        match answer {
            Ok(_) => Ok(true),
            Err(failure) if failure.breaks_rule => Ok(false),
            Err(failure) if matches!(failure.class, FailureClass::Permanent | FailureClass::Gone) => Ok(true),
            Err(failure) => Err(failure),
        }
    }
}

//! What the body of an event of the bridge's own says of who asked for it.

use serde::{Deserialize, Serialize};

/// Who asked for an event, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Who.
    pub by: String,
    /// Why; `None` in events of older versions.
    pub why: Option<String>,
}

/// What an event of our own says of who asked for it.
#[derive(Deserialize)]
struct AskedBy {
    #[serde(alias = "forced_by", alias = "replayed_by")]
    by: String,
    why: Option<String>,
}

impl Asked {
    /// From the body of an event of ours.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let AskedBy { by, why } = serde_json::from_slice(body).ok()?;
        Some(Self { by, why })
    }
}

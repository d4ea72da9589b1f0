//! Settings: from the environment and the file `.env` (per process), and from `bridge.toml` (sources
//! and rules, read by both processes).
//!
//! All problems are collected and reported at once; each says where, what and how to mend it.
//! Nothing else in the project reads the environment.

mod authorities;
mod body_updates;
mod bridge_file;
pub mod catalogue;
mod env_file;
mod locale;
mod nearest;
mod notice_actions;
mod notices;
mod parsing;
mod positions;
mod problem;
mod reader;
mod redis;
mod schema;
mod settings;
mod shown_url;
mod source;
mod stalls;
mod traces;
mod unknown;
mod webhook_secrets;
mod wiki;

pub use authorities::Authorities;
pub use body_updates::{BodyUpdates, SectionOptions};
pub use bridge_file::{
    BridgeFile, CollectionAction, Icons, Mark, PageAction, PageMoved, PageTrashed, RowDeleted, Rule, TableRef,
    WriteBack,
};
pub use env_file::env_line;
pub use locale::{Language, Locale};
pub use nearest::{did_you_mean, nearest};
pub use notice_actions::{CapacityAction, Channel, LinkedPeople, NoticeAction};
pub use notices::{MailSettings, SlackSettings, SmtpLogin, SmtpTls};
pub use parsing::read_toml;
pub use positions::{Positions, find_word, place};
pub use problem::{Problem, Problems};
pub use reader::{Asked, Reader, may_be_there, secret_in};
pub use redis::{RedisSettings, ReplicaWait};
pub use schema::{bridge_file_schema, json_schema};
pub use settings::{
    BaserowSettings, BaserowUserSettings, BridgeFileSettings, DeadLetterSettings, DocmostCredentials, DocmostSettings,
    StoreSettings,
};
pub use shown_url::shown_url;
pub use source::{ProofKind, Proofs, SourceConfig};
pub use stalls::StallSettings;
pub use traces::TraceSettings;
pub use webhook_secrets::{Owner, WebhookSecrets};
pub use wiki::{AlertAudience, RowAction, RowUpdates, WikiRule};

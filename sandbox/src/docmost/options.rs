//! How the sandbox's Docmost is set up.

/// How the sandbox's Docmost is set up.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "docmost")]
pub struct Options {
    /// The e-mail of the bridge's account in Docmost.
    #[arg(long, default_value = BRIDGE_EMAIL)]
    pub docmost_email: String,
    /// The password of the bridge's account in Docmost.
    #[arg(long, default_value = BRIDGE_PASSWORD)]
    pub docmost_password: String,
    /// The names of the spaces of Docmost; the first one is the default space.
    #[arg(long, value_delimiter = ',', default_values_t = default_spaces())]
    pub docmost_spaces: Vec<String>,
    /// The life of Docmost's session tokens, in seconds.
    #[arg(long, default_value_t = TOKEN_LIFETIME)]
    pub docmost_token_lifetime: i64,
    /// For how long Docmost caches a user's role in a space, in milliseconds.
    #[arg(long, default_value_t = ROLE_CACHE_MS)]
    pub docmost_role_cache_ms: i64,
    /// The life of the tokens that open Docmost's documents, in seconds.
    #[arg(long, default_value_t = COLLAB_TOKEN_LIFETIME)]
    pub docmost_collab_token_lifetime: i64,
    /// How long after the last change Docmost stores a document, in milliseconds.
    #[arg(long, default_value_t = STORE_AFTER_MS)]
    pub docmost_store_after_ms: i64,
    /// How long after the first change Docmost stores a document at the latest, in milliseconds.
    #[arg(long, default_value_t = STORE_LATEST_MS)]
    pub docmost_store_latest_ms: i64,
    /// How long a client of a document may be silent, in milliseconds.
    #[arg(long, default_value_t = SOCKET_PATIENCE_MS)]
    pub docmost_socket_patience_ms: u64,
    /// An older Docmost, which knows no synced blocks.
    #[arg(long)]
    pub docmost_without_synced_blocks: bool,
}

/// The e-mail of the bridge's account, unless an option says otherwise.
pub const BRIDGE_EMAIL: &str = "bridge@passerelle.test";
/// The password of the bridge's account, unless an option says otherwise.
pub const BRIDGE_PASSWORD: &str = "sandbox-bridge";
/// Thirty days, in seconds.
const TOKEN_LIFETIME: i64 = 30 * 24 * 60 * 60;
/// Five seconds, in milliseconds.
const ROLE_CACHE_MS: i64 = 5_000;

/// A day, in seconds.
const COLLAB_TOKEN_LIFETIME: i64 = 24 * 60 * 60;
/// Ten seconds, in milliseconds.
const STORE_AFTER_MS: i64 = 10_000;
/// Three quarters of a minute, in milliseconds.
const STORE_LATEST_MS: i64 = 45_000;
/// Two minutes, in milliseconds.
const SOCKET_PATIENCE_MS: u64 = 120_000;

impl Default for Options {
    fn default() -> Self {
        Self {
            docmost_email: BRIDGE_EMAIL.to_owned(),
            docmost_password: BRIDGE_PASSWORD.to_owned(),
            docmost_spaces: default_spaces(),
            docmost_token_lifetime: TOKEN_LIFETIME,
            docmost_role_cache_ms: ROLE_CACHE_MS,
            docmost_collab_token_lifetime: COLLAB_TOKEN_LIFETIME,
            docmost_store_after_ms: STORE_AFTER_MS,
            docmost_store_latest_ms: STORE_LATEST_MS,
            docmost_socket_patience_ms: SOCKET_PATIENCE_MS,
            docmost_without_synced_blocks: false,
        }
    }
}

fn default_spaces() -> Vec<String> {
    ["General", "Agence"].map(str::to_owned).to_vec()
}

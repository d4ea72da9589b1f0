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
}

/// The e-mail of the bridge's account, unless an option says otherwise.
pub const BRIDGE_EMAIL: &str = "bridge@passerelle.test";
/// The password of the bridge's account, unless an option says otherwise.
pub const BRIDGE_PASSWORD: &str = "sandbox-bridge";
/// Thirty days, in seconds.
const TOKEN_LIFETIME: i64 = 30 * 24 * 60 * 60;
/// Five seconds, in milliseconds.
const ROLE_CACHE_MS: i64 = 5_000;

impl Default for Options {
    fn default() -> Self {
        Self {
            docmost_email: BRIDGE_EMAIL.to_owned(),
            docmost_password: BRIDGE_PASSWORD.to_owned(),
            docmost_spaces: default_spaces(),
            docmost_token_lifetime: TOKEN_LIFETIME,
            docmost_role_cache_ms: ROLE_CACHE_MS,
        }
    }
}

fn default_spaces() -> Vec<String> {
    ["General", "Agence"].map(str::to_owned).to_vec()
}

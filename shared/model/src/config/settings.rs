//! The groups of settings that more than one process needs. Each reads its own variables; a
//! process's settings are made of such groups.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::authorities::Authorities;
use super::reader::{Reader, may_be_there};

/// Where the ledger lives.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// `DATABASE_URL`: `sqlite://path/to/file.sqlite` (default) or `postgres://…`.
    pub url: SecretString,
    /// `DATABASE_TIMEOUT_SECONDS`: how long a statement may take before the database counts as
    /// away.
    pub timeout: Duration,
}

/// Far more than any of our statements takes; a ledger batch on a slow disk included.
const STATEMENT_SECONDS: u64 = 30;

impl StoreSettings {
    /// The database at this URL, with the usual limit of time.
    pub fn at(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            timeout: Duration::from_secs(STATEMENT_SECONDS),
        }
    }

    /// Whether it is a SQLite file that does not exist yet.
    pub fn is_new(&self) -> bool {
        let path = self.url.expose_secret().strip_prefix("sqlite:");
        let path = path.map(|path| path.strip_prefix("//").unwrap_or(path));
        path.and_then(|path| path.split('?').next())
            .is_some_and(|path| !may_be_there(std::path::Path::new(path)))
    }

    /// Reads `DATABASE_URL`, `DATABASE_TIMEOUT_SECONDS` and, for PostgreSQL, `DATABASE_PASSWORD` and
    /// `EXTRA_CA_FILE`.
    pub fn read(reader: &mut Reader) -> Self {
        let url = reader.text("DATABASE_URL", "sqlite://data/passerelle.sqlite");
        if !["sqlite:", "postgres:", "postgresql:"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            reader.problem(
                "DATABASE_URL",
                "is neither a sqlite: nor a postgres: URL",
                "e.g. sqlite://data/passerelle.sqlite",
            );
        }
        Self {
            url: SecretString::from(with_authorities(with_password(url, reader), reader)),
            timeout: reader.seconds("DATABASE_TIMEOUT_SECONDS", STATEMENT_SECONDS),
        }
    }
}

/// The password of a PostgreSQL where it stands apart from the URL: it may have any character then.
fn with_password(url: String, reader: &Reader) -> String {
    match reader.optional("DATABASE_PASSWORD") {
        Some(password) if url.starts_with("postgres") => with_parameter(&url, "password", password.as_bytes()),
        _ => url,
    }
}

fn with_parameter(url: &str, name: &str, value: &[u8]) -> String {
    let encoded = |byte: &u8| match byte {
        b'/' | b'-' | b'_' | b'.' => char::from(*byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let value: String = value.iter().map(encoded).collect();
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{name}={value}")
}

/// The URL of a PostgreSQL names the file of our authorities, unless it names one of its own.
fn with_authorities(url: String, reader: &mut Reader) -> String {
    if !url.starts_with("postgres") || url.contains("sslrootcert=") {
        return url;
    }
    let Some(authorities) = Authorities::read(reader) else {
        return url;
    };
    with_parameter(&url, "sslrootcert", authorities.path.as_os_str().as_encoded_bytes())
}

/// How to reach Baserow's row API.
#[derive(Debug, Clone)]
pub struct BaserowSettings {
    /// `BASEROW_URL`, without a trailing slash.
    pub url: String,
    /// `BASEROW_PUBLIC_URL`: the address that people use, for links. `BASEROW_URL` if not set.
    pub public_url: String,
    /// `BASEROW_TOKEN`: a database token with read, create and update rights.
    pub token: SecretString,
    /// `BASEROW_TIMEOUT_SECONDS` for one call.
    pub timeout: Duration,
    /// `EXTRA_CA_FILE`.
    pub authorities: Option<Authorities>,
}

impl BaserowSettings {
    /// Reads `BASEROW_URL`, `BASEROW_PUBLIC_URL`, `BASEROW_TOKEN`, `BASEROW_TIMEOUT_SECONDS`.
    pub fn read(reader: &mut Reader) -> Self {
        let url = web_url(
            reader,
            "BASEROW_URL",
            "the address of Baserow, e.g. https://baserow.example.org",
        );
        let token = reader.required(
            "BASEROW_TOKEN",
            "make a database token in Baserow (Settings → Database tokens)",
        );
        let public_url = reader.text("BASEROW_PUBLIC_URL", &url).trim_end_matches('/').to_owned();
        Self {
            url,
            public_url,
            token: SecretString::from(token),
            timeout: reader.seconds("BASEROW_TIMEOUT_SECONDS", 15),
            authorities: Authorities::read(reader),
        }
    }
}

/// A Baserow user, for what a database token may not do: making fields, and reading and making
/// webhooks.
#[derive(Debug, Clone)]
pub struct BaserowUserSettings {
    /// `BASEROW_EMAIL`.
    pub email: String,
    /// `BASEROW_PASSWORD`.
    pub password: SecretString,
}

impl BaserowUserSettings {
    /// Reads `BASEROW_EMAIL` and `BASEROW_PASSWORD`; `None` if neither is set: whatever needs a
    /// user is off then.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let (email, password) = (reader.optional("BASEROW_EMAIL"), reader.secret("BASEROW_PASSWORD"));
        let missing = match (&email, &password) {
            (None, Some(_)) => "BASEROW_EMAIL",
            (Some(_), None) => "BASEROW_PASSWORD",
            _ => return email.zip(password).map(|(email, password)| Self { email, password }),
        };
        let hint = "set both BASEROW_EMAIL and BASEROW_PASSWORD, or neither";
        reader.problem(missing, "is not set, but its counterpart is", hint);
        None
    }
}

/// How to reach Docmost, and as whom.
#[derive(Debug, Clone)]
pub struct DocmostSettings {
    /// `DOCMOST_URL`, without a trailing slash.
    pub url: String,
    /// `DOCMOST_PUBLIC_URL`: the address that people use, for links. `DOCMOST_URL` if not set.
    pub public_url: String,
    /// `DOCMOST_COLLAB_URL`: the address of the collaborative documents, where Docmost has its own
    /// for them (its `COLLAB_URL`). `DOCMOST_URL` if not set.
    pub collab_url: String,
    /// How the bridge signs in.
    pub credentials: DocmostCredentials,
    /// `DOCMOST_TIMEOUT_SECONDS` for one call.
    pub timeout: Duration,
    /// `EXTRA_CA_FILE`.
    pub authorities: Option<Authorities>,
    /// `DOCMOST_CONCURRENCY`: most calls at once, all worker processes together. How many of them
    /// gain anything is found out.
    pub concurrency: usize,
}

/// How the bridge signs in to Docmost.
#[derive(Debug, Clone)]
pub enum DocmostCredentials {
    /// `DOCMOST_EMAIL` and `DOCMOST_PASSWORD` of the bridge's own account.
    Password {
        /// The account's e-mail address.
        email: String,
        /// Its password.
        password: SecretString,
    },
    /// `DOCMOST_TOKEN`: a fixed bearer token (Docmost's enterprise API keys).
    Token(SecretString),
}

impl DocmostSettings {
    /// Reads `DOCMOST_*`.
    pub fn read(reader: &mut Reader) -> Self {
        let url = web_url(
            reader,
            "DOCMOST_URL",
            "the address of Docmost, e.g. https://wiki.example.org",
        );
        let public_url = reader.text("DOCMOST_PUBLIC_URL", &url).trim_end_matches('/').to_owned();
        let collab_url = reader.text("DOCMOST_COLLAB_URL", &url).trim_end_matches('/').to_owned();
        let credentials = match reader.secret("DOCMOST_TOKEN") {
            Some(token) => DocmostCredentials::Token(token),
            None => DocmostCredentials::Password {
                email: reader.required(
                    "DOCMOST_EMAIL",
                    "the e-mail address of the bridge's own Docmost account",
                ),
                password: SecretString::from(reader.required("DOCMOST_PASSWORD", "the password of that account")),
            },
        };
        let concurrency = reader.parsed("DOCMOST_CONCURRENCY", 16).max(1);
        Self {
            url,
            public_url,
            collab_url,
            credentials,
            timeout: reader.seconds("DOCMOST_TIMEOUT_SECONDS", 15),
            authorities: Authorities::read(reader),
            concurrency,
        }
    }
}

/// What dead letters may cost. Nothing is ever removed because of it: going over it is told.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetterSettings {
    /// `DEAD_LETTERS_BUDGET_BYTES`: default 64 MiB, which is some ten thousand letters.
    pub budget_bytes: u64,
}

impl DeadLetterSettings {
    /// Reads `DEAD_LETTERS_BUDGET_BYTES`.
    pub fn read(reader: &mut Reader) -> Self {
        Self {
            budget_bytes: reader.parsed("DEAD_LETTERS_BUDGET_BYTES", 64 * 1024 * 1024),
        }
    }
}

/// Where `bridge.toml` is.
#[derive(Debug, Clone)]
pub struct BridgeFileSettings {
    /// `BRIDGE_FILE`; templates are looked up beside it.
    pub path: PathBuf,
}

impl BridgeFileSettings {
    /// Reads `BRIDGE_FILE`.
    pub fn read(reader: &Reader) -> Self {
        Self {
            path: PathBuf::from(reader.text("BRIDGE_FILE", "bridge.toml")),
        }
    }
}

fn web_url(reader: &mut Reader, name: &str, hint: &str) -> String {
    let url = reader.required(name, hint);
    if !url.is_empty() && !url.starts_with("http://") && !url.starts_with("https://") {
        reader.problem(name, "does not begin with http:// or https://", hint);
    }
    url.trim_end_matches('/').to_owned()
}

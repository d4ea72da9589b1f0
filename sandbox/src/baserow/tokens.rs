//! Credentials: database tokens for rows, and sessions of users (JWT) for everything else.

use std::collections::HashMap;

use rand::distr::{Alphanumeric, SampleString as _};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub(crate) struct Token {
    pub(crate) key: String,
    /// As its owner sees it in the list.
    #[serde(default)]
    pub(crate) name: String,
    /// Whose token it is: 1 is the administrator, 2 the bridge's own user.
    #[serde(default = "administrator")]
    pub(crate) user: u64,
    /// What it may do; everything if absent.
    #[serde(default = "Act::all")]
    pub(crate) may: Vec<Act>,
    /// The tables that it is valid for; all if absent.
    #[serde(default)]
    pub(crate) tables: Option<Vec<u64>>,
}

const fn administrator() -> u64 {
    1
}

/// What a token may be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Act {
    Create,
    Read,
    Update,
    Delete,
}

impl Act {
    fn all() -> Vec<Self> {
        vec![Self::Create, Self::Read, Self::Update, Self::Delete]
    }
}

impl Token {
    /// A token that may do everything.
    pub(crate) fn of_administrator(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            name: "sandbox".to_owned(),
            user: administrator(),
            may: Act::all(),
            tables: None,
        }
    }

    fn permits(&self, act: Act, table: u64) -> bool {
        let in_table = self.tables.as_ref().is_none_or(|tables| tables.contains(&table));
        in_table && self.may.contains(&act)
    }
}

/// Why credentials are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stranger {
    NoCredentials,
    EmptyToken,
    TokenWithSpaces,
    UnknownToken,
    BadSession,
}

impl Stranger {
    /// The sentence and, except without any credentials, the code.
    pub(crate) const fn words(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::NoCredentials => ("Authentication credentials were not provided.", None),
            Self::EmptyToken => (
                "Invalid token header. No token provided.",
                Some("ERROR_INVALID_TOKEN_HEADER"),
            ),
            Self::TokenWithSpaces => (
                "Invalid token header. Token string should not contain spaces.",
                Some("ERROR_INVALID_TOKEN_HEADER"),
            ),
            Self::UnknownToken => ("The provided token does not exist.", Some("ERROR_TOKEN_DOES_NOT_EXIST")),
            Self::BadSession => (
                "Access token is expired or invalid.",
                Some("ERROR_INVALID_ACCESS_TOKEN"),
            ),
        }
    }
}

/// The caller that the credentials name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Caller {
    Token(Token),
    User(u64),
}

impl Caller {
    pub(crate) fn user(&self) -> u64 {
        match self {
            Self::Token(token) => token.user,
            Self::User(user) => *user,
        }
    }

    /// Whether the caller may do this in this table. Users may do everything.
    pub(crate) fn may(&self, act: Act, table: u64) -> bool {
        match self {
            Self::Token(token) => token.permits(act, table),
            Self::User(_) => true,
        }
    }
}

/// The tokens and sessions that are valid now.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    pub(crate) tokens: Vec<Token>,
    sessions: HashMap<String, u64>,
}

impl Doors {
    /// Opens a session and gives its token, an opaque text.
    pub(crate) fn log_in(&mut self, user: u64) -> String {
        let session = Uuid::new_v4().simple().to_string();
        self.sessions.insert(session.clone(), user);
        session
    }

    /// Ends every session, as expiry does on a real server.
    pub(crate) fn end_sessions(&mut self) {
        self.sessions.clear();
    }

    /// Makes a token of a user that may do everything, and gives its number.
    pub(crate) fn make_token(&mut self, user: u64, name: &str) -> usize {
        self.tokens.push(Token {
            user,
            name: name.to_owned(),
            ..Token::of_administrator(&Alphanumeric.sample_string(&mut rand::rng(), 32))
        });
        self.tokens.len()
    }

    /// The user of a session.
    pub(crate) fn session(&self, session: &str) -> Option<u64> {
        self.sessions.get(session).copied()
    }

    /// The caller behind an `Authorization` header. Where tokens are not accepted, they count as no
    /// credentials.
    pub(crate) fn caller(&self, authorization: Option<&str>, tokens_are_good: bool) -> Result<Caller, Stranger> {
        let words: Vec<&str> = authorization.unwrap_or_default().split_whitespace().collect();
        match words.as_slice() {
            ["JWT", session] => self.session(session).map(Caller::User).ok_or(Stranger::BadSession),
            ["Token"] if tokens_are_good => Err(Stranger::EmptyToken),
            ["Token", key] if tokens_are_good => {
                let token = self.tokens.iter().find(|token| token.key == *key);
                token.cloned().map(Caller::Token).ok_or(Stranger::UnknownToken)
            }
            ["Token", ..] if tokens_are_good => Err(Stranger::TokenWithSpaces),
            _ => Err(Stranger::NoCredentials),
        }
    }
}

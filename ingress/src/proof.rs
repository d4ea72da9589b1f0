//! Who may call: turns raw headers and a raw body into a [`ProvenBody`], which nothing else can
//! make.
//!
//! A proof has two halves, so that a caller without a plausible one never makes us hold its body:
//! [`Sources::claim`] looks at the headers alone, [`Proving`] at the body while it arrives. What is
//! secret is compared in constant time, and every live secret is tried, so that two are accepted
//! during a rotation.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use actix_web::http::header::{HeaderMap, HeaderName};
use hmac::digest::InvalidLength;
use hmac::{Hmac, KeyInit as _, Mac as _};
use passerelle_model::config::ProofKind;
use passerelle_model::id::{InvalidId, SourceName, TableId};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::body::{Body, Keeping};
use crate::rejection::Rejection;

type HmacSha256 = Hmac<Sha256>;

/// The name in `bridge.toml` for every source that is not named.
const EVERY_OTHER_SOURCE: &str = "*";

/// Tokens are compared by their HMAC under this key: the key is no secret, the comparison of the
/// HMACs is constant in time for every length.
const TOKEN_COMPARISON_KEY: &[u8] = b"passerelle token comparison";

/// Every source that may call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    named: HashMap<SourceName, Source>,
    others: Option<Source>,
}

/// What is asked of one source.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) proof: Proof,
    /// The tables that it may speak of; all if `None`.
    pub(crate) tables: Option<BTreeSet<TableId>>,
}

/// How one source proves itself: in one way, or in the first of several whose header is there, so
/// that a wrong signature is not saved by a token.
#[derive(Debug, Clone)]
pub(crate) struct Proof(Vec<Way>);

/// One way to prove oneself. Keyed once at start: a delivery pays for its own bytes only.
#[derive(Clone)]
pub(crate) struct Way {
    header: HeaderName,
    keys: Keys,
}

#[derive(Clone)]
enum Keys {
    Hmac(Vec<HmacSha256>),
    Token {
        comparison: HmacSha256,
        tags: Vec<[u8; 32]>,
    },
}

/// What the headers of a request promise about its body.
#[derive(Debug)]
#[must_use]
pub(crate) struct Claim<'a> {
    source: SourceName,
    promise: Promise<'a>,
}

enum Promise<'a> {
    /// The body has this HMAC under one of the keys.
    Signed {
        keys: &'a [HmacSha256],
        signature: [u8; 32],
    },
    /// The caller showed its token: it may say what it likes.
    TokenShown,
}

/// A claim that hears the body as it arrives.
pub(crate) struct Proving {
    source: SourceName,
    /// What the body must sound like, unless its sender has shown its token.
    signed: Option<Signed>,
}

struct Signed {
    heard: Vec<HmacSha256>,
    signature: [u8; 32],
}

/// A body whose sender has proven itself. Only [`Proving::prove`] makes one.
#[derive(Debug)]
pub(crate) struct ProvenBody {
    source: SourceName,
    body: Body,
}

impl Sources {
    /// Adds a source by its name in `bridge.toml`.
    pub(crate) fn add(&mut self, name: &str, source: Source) -> Result<(), InvalidId> {
        if name == EVERY_OTHER_SOURCE {
            self.others = Some(source);
        } else {
            self.named.insert(SourceName::parse(name)?, source);
        }
        Ok(())
    }

    fn get(&self, name: &SourceName) -> Option<&Source> {
        self.named.get(name).or(self.others.as_ref())
    }

    /// Whether a source may speak of a table. The secret of one team's webhooks moves no rows of
    /// another's.
    pub(crate) fn check_table(&self, name: &SourceName, table: Option<TableId>) -> Result<(), Rejection> {
        let tables = self.get(name).and_then(|source| source.tables.as_ref());
        match (tables, table) {
            (Some(tables), Some(table)) if !tables.contains(&table) => Err(Rejection::TableNotAllowed { table }),
            _ => Ok(()),
        }
    }

    /// What the headers of a call to the path segment `name` promise.
    pub(crate) fn claim(&self, name: &str, headers: &HeaderMap) -> Result<Claim<'_>, Rejection> {
        let source = SourceName::parse(name).map_err(|_| Rejection::UnknownSource)?;
        let known = self.get(&source).ok_or(Rejection::UnknownSource)?;
        let promise = known.proof.promise(headers)?;
        Ok(Claim { source, promise })
    }
}

impl Proof {
    /// By the first of these ways whose header is there.
    pub(crate) fn by(ways: Vec<Way>) -> Self {
        Self(ways)
    }

    fn promise(&self, headers: &HeaderMap) -> Result<Promise<'_>, Rejection> {
        let shown = self.0.iter().find_map(|way| Some((way, headers.get(&way.header)?)));
        let (way, shown) = shown.ok_or(Rejection::ProofMissing)?;
        way.promise(shown.as_bytes())
    }
}

impl Way {
    /// From a source's live secrets, at least one.
    pub(crate) fn new(kind: ProofKind, header: HeaderName, secrets: &[SecretString]) -> Result<Self, InvalidLength> {
        let secrets = secrets.iter().map(|secret| secret.expose_secret().as_bytes());
        let keys = match kind {
            ProofKind::Hmac => Keys::Hmac(secrets.map(HmacSha256::new_from_slice).collect::<Result<_, _>>()?),
            ProofKind::Token => {
                let comparison = HmacSha256::new_from_slice(TOKEN_COMPARISON_KEY)?;
                let tag = |secret| comparison.clone().chain_update(secret).finalize().into_bytes().into();
                let tags = secrets.map(tag).collect();
                Keys::Token { comparison, tags }
            }
        };
        Ok(Self { header, keys })
    }

    fn promise(&self, shown: &[u8]) -> Result<Promise<'_>, Rejection> {
        match &self.keys {
            Keys::Hmac(keys) => {
                let digits = shown.strip_prefix(b"sha256=").unwrap_or(shown);
                let mut signature = [0; 32];
                hex::decode_to_slice(digits, &mut signature).map_err(|_| Rejection::SignatureMalformed)?;
                Ok(Promise::Signed { keys, signature })
            }
            Keys::Token { comparison, tags } => {
                let shown = comparison.clone().chain_update(shown);
                let is_live = tags.iter().any(|tag| shown.clone().verify_slice(tag).is_ok());
                is_live.then_some(Promise::TokenShown).ok_or(Rejection::TokenWrong)
            }
        }
    }
}

impl Claim<'_> {
    /// Whether the caller has proven itself already, whatever the body.
    pub(crate) fn is_proven(&self) -> bool {
        matches!(self.promise, Promise::TokenShown)
    }

    /// Holds the body against the promise, as it arrives.
    pub(crate) fn listen(self) -> Proving {
        let signed = match self.promise {
            Promise::TokenShown => None,
            Promise::Signed { keys, signature } => Some(Signed {
                heard: keys.to_vec(),
                signature,
            }),
        };
        Proving {
            source: self.source,
            signed,
        }
    }
}

impl Proving {
    /// Hears the next bytes, as the sender sent them.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        for mac in self.signed.iter_mut().flat_map(|signed| &mut signed.heard) {
            mac.update(bytes);
        }
    }

    /// The body was heard to its end: what was kept of it is proven, or refused.
    pub(crate) fn prove(self, kept: Keeping) -> Result<ProvenBody, Rejection> {
        let is_kept = self.signed.is_none_or(|Signed { heard, signature }| {
            let mut heard = heard.into_iter();
            heard.any(|mac| mac.verify_slice(&signature).is_ok())
        });
        if !is_kept {
            return Err(Rejection::SignatureWrong);
        }
        let (source, body) = (self.source, kept.finish()?);
        Ok(ProvenBody { source, body })
    }
}

impl ProvenBody {
    /// The path segment that it came in by, and what was kept of the body.
    pub(crate) fn into_parts(self) -> (SourceName, Body) {
        (self.source, self.body)
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Promise<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signed { .. } => "Signed",
            Self::TokenShown => "TokenShown",
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;

//! What the ingress needs of `bridge.toml`: who may call, and which fields are not worth any work. It
//! is read at the start, and again at a reload.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use actix_web::http::header::HeaderName;
use passerelle_model::config::{BridgeFile, BridgeFileSettings, Problems, ProofKind, Reader, SourceConfig};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::echo::QuietFields;
use crate::proof::{Proof, Source, Sources, Way};

/// A shorter secret can be guessed.
const SHORTEST_SECRET: usize = 16;

/// What the ingress needs of `bridge.toml`.
#[derive(Debug, Default)]
pub(crate) struct Bridge {
    pub(crate) sources: Sources,
    pub(crate) quiet: QuietFields,
    /// Equal in two processes if all this is.
    pub(crate) hash: String,
}

/// How it is read: from which file, with which secrets.
pub(crate) struct Reading {
    path: PathBuf,
    reader: Reader,
}

impl Reading {
    pub(crate) fn by(reader: &Reader) -> Self {
        Self {
            path: BridgeFileSettings::read(reader).path,
            reader: reader.afresh(),
        }
    }

    /// Reads it; problems are noted in the reader.
    pub(crate) fn read(&self, reader: &mut Reader) -> Bridge {
        Bridge::read(reader, &self.path)
    }

    /// Reads it as it is now, and the secrets that it names: from their files, or the file of settings.
    pub(crate) fn again(&self) -> Result<Bridge, Problems> {
        let mut reader = self.reader.again();
        let bridge = self.read(&mut reader);
        reader.finish(bridge)
    }
}

/// The reader holds secrets.
impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The hash of what an ingress reads of this file: equal to that of one that works by it.
pub fn hash_of(path: &Path) -> Result<String, Problems> {
    BridgeFile::load(path).map(|file| hash(&file))
}

fn hash(file: &BridgeFile) -> String {
    let (sources, owned, ignored) = (&file.sources, &file.owned_fields, &file.ignored_fields);
    let said = format!("{sources:?}{owned:?}{ignored:?}{}", order_is_shown(file));
    hex::encode(Sha256::digest(said))
}

fn order_is_shown(file: &BridgeFile) -> bool {
    file.rules.iter().any(|rule| rule.get_ref().collection.is_some())
}

impl Bridge {
    fn read(reader: &mut Reader, path: &Path) -> Self {
        let place = path.display().to_string();
        let (file, problems) = match BridgeFile::read_text(path) {
            Ok(text) => BridgeFile::parse_partly(&text, &place),
            Err(Problems(problems)) => (None, problems),
        };
        let is_whole = problems.is_empty();
        reader.add(Problems(problems));
        let Some(file) = file else { return Self::default() };
        let mut bridge = Self {
            sources: Sources::default(),
            hash: hash(&file),
            quiet: QuietFields {
                order_is_shown: order_is_shown(&file),
                owned: file.owned_fields,
                ignored: file.ignored_fields,
            },
        };
        if file.sources.is_empty() && is_whole {
            let hint = "e.g. \"*\" = { proof = [\"hmac\", \"token\"], secrets = \"BASEROW_WEBHOOK_SECRET\" }";
            reader.problem(&place, "[sources] is empty: no call could be accepted", hint);
        }
        for (name, config) in &file.sources {
            let path = ["sources".to_owned(), name.clone()];
            let place = format!("{} (source {name})", file.positions.of(&path, &[]));
            let Some(proof) = proof(reader, &place, config) else {
                continue;
            };
            if config.tables.as_ref().is_some_and(BTreeSet::is_empty) {
                let hint = "give the numbers of its tables, or leave `tables` out for all";
                reader.problem(&place, "`tables` names no table: no call could be accepted", hint);
            }
            let tables = config.tables.clone();
            if let Err(error) = bridge.sources.add(name, Source { proof, tables }) {
                let hint =
                    "use letters, digits, - _ . as in the address that Baserow calls, or \"*\" for every other source";
                reader.problem(&place, &error.to_string(), hint);
            }
        }
        bridge
    }
}

/// The proof of a source, unless something is wrong with it.
fn proof(reader: &mut Reader, place: &str, config: &SourceConfig) -> Option<Proof> {
    let kinds = config.proof.kinds();
    if config.header.is_some() && kinds.len() > 1 {
        let hint = "leave `header` out, or name one proof";
        reader.problem(place, "`header` names one header for several proofs", hint);
        return None;
    }
    let headers: Vec<_> = kinds.iter().map(|kind| header(reader, place, config, *kind)).collect();
    let secrets = secrets(reader, place, &config.secrets)?;
    let ways = kinds
        .iter()
        .zip(headers)
        .map(|(kind, header)| Some(Way::new(*kind, header?, &secrets)));
    match ways.collect::<Option<Result<Vec<Way>, _>>>()? {
        Ok(ways) => Some(Proof::by(ways)),
        Err(error) => {
            reader.problem(&config.secrets, &error.to_string(), "use another secret");
            None
        }
    }
}

fn header(reader: &mut Reader, place: &str, config: &SourceConfig, kind: ProofKind) -> Option<HeaderName> {
    let name = config.header_of(kind);
    let header = HeaderName::try_from(name).ok();
    if header.is_none() {
        let hint = format!("leave `header` out for {}", kind.default_header());
        reader.problem(place, &format!("{name:?} cannot be the name of a header"), &hint);
    }
    header
}

/// The live secrets of a variable, if there are any and all are long enough to resist guessing.
fn secrets(reader: &mut Reader, place: &str, variable: &str) -> Option<Vec<SecretString>> {
    let secrets = reader.secrets(variable);
    if secrets.is_empty() {
        let hint = format!("make one with `openssl rand -hex 32` and set {variable} to it ({place} asks for it)");
        reader.problem(variable, "is not set", &hint);
        return None;
    }
    let short = secrets
        .iter()
        .filter(|secret| secret.expose_secret().len() < SHORTEST_SECRET);
    let count = short.count();
    if count > 0 {
        let what = format!(
            "{count} of its {} secrets have fewer than {SHORTEST_SECRET} characters",
            secrets.len()
        );
        reader.problem(variable, &what, "make a long one with `openssl rand -hex 32`");
        return None;
    }
    Some(secrets)
}

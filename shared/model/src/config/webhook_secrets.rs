//! The secrets by which a webhook shows that it is of this bridge, and not of another on the same
//! Baserow.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::{ProofKind, Reader, SourceConfig};

/// What webhooks of this bridge carry, for every source that takes a secret in a header as proof.
#[derive(Debug, Clone, Default)]
pub struct WebhookSecrets(Vec<(String, SecretString)>);

/// Whose a webhook is, as far as its headers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// It carries a live secret of this bridge.
    ThisBridge,
    /// It carries another secret where those of this bridge stand.
    Another,
    /// It carries none: a proxy signs its deliveries. Or this process knows no secret.
    Unknown,
}

impl WebhookSecrets {
    /// The live secrets of these sources, as far as this process has them.
    pub fn read<'a>(reader: &Reader, sources: impl IntoIterator<Item = &'a SourceConfig>) -> Self {
        let by_token = sources
            .into_iter()
            .filter(|source| source.proof.kinds().contains(&ProofKind::Token));
        let live = by_token.flat_map(|source| {
            let header = source.header_of(ProofKind::Token);
            let secrets = reader.secrets(&source.secrets).into_iter();
            secrets.map(move |secret| (header.to_owned(), secret))
        });
        Self(live.collect())
    }

    /// Whose webhook carries these headers.
    pub fn owner(&self, headers: &BTreeMap<String, String>) -> Owner {
        let mut owner = Owner::Unknown;
        for (name, live) in &self.0 {
            let carried = headers.iter().find(|(carried, _)| carried.eq_ignore_ascii_case(name));
            match carried {
                Some((_, secret)) if secret == live.expose_secret() => return Owner::ThisBridge,
                Some(_) => owner = Owner::Another,
                None => {}
            }
        }
        owner
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BridgeFile;

    const SOURCES: &str = "[sources]\n\
         projet-changed = { proof = \"token\", secrets = \"A\", header = \"X-A\" }\n\
         client-changed = { proof = \"hmac\", secrets = \"B\" }\n\
         \"*\" = { proof = [\"hmac\", \"token\"], secrets = \"C\" }\n";

    fn owner(pairs: &[(&str, &str)], headers: &[(&str, &str)]) -> Owner {
        let file = BridgeFile::parse(SOURCES, "bridge.toml").unwrap();
        let secrets = WebhookSecrets::read(&Reader::from_pairs(pairs.iter().copied()), file.sources.values());
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        secrets.owner(&headers.collect())
    }

    #[test]
    fn a_webhook_is_of_the_bridge_whose_live_secret_it_carries() {
        let pairs = [("A", "one"), ("B", "two"), ("C", "new,old")];
        assert_eq!(owner(&pairs, &[("x-a", "one")]), Owner::ThisBridge);
        assert_eq!(owner(&pairs, &[("X-Bridge-Token", "old")]), Owner::ThisBridge);
        assert_eq!(owner(&pairs, &[("X-Bridge-Token", "one")]), Owner::Another);
        assert_eq!(owner(&pairs, &[("X-Other", "new")]), Owner::Unknown);
        assert_eq!(owner(&pairs, &[]), Owner::Unknown);
    }

    #[test]
    fn who_knows_no_secret_takes_no_webhook_for_its_own_or_for_anothers() {
        assert_eq!(owner(&[], &[("X-Bridge-Token", "old")]), Owner::Unknown);
    }
}

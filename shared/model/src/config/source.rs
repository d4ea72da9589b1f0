//! Who may call the ingress, as `bridge.toml` says it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU64;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use crate::id::TableId;

/// A way in which a caller proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProofKind {
    /// `X-Baserow-Signature`: hex HMAC-SHA256 of the raw body. Stock Baserow cannot sign: a signing
    /// proxy does.
    Hmac,
    /// A fixed secret in a header: what stock Baserow can send.
    Token,
}

impl ProofKind {
    /// The header that it stands in, where a source names no other.
    pub const fn default_header(self) -> &'static str {
        match self {
            Self::Hmac => "X-Baserow-Signature",
            Self::Token => "X-Bridge-Token",
        }
    }
}

/// The ways in which a source may prove itself, at least one: written as one word, or as a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proofs(Vec<ProofKind>);

impl Proofs {
    /// In the order in which their headers are looked for.
    pub fn kinds(&self) -> &[ProofKind] {
        &self.0
    }
}

/// One caller.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// How it proves itself.
    pub proof: Proofs,
    /// The environment variable with its live secrets (one, or several during a rotation).
    pub secrets: String,
    /// The header with the proof, where there is one way only. Default: `X-Baserow-Signature` for
    /// `hmac`, `X-Bridge-Token` for `token`.
    #[serde(default)]
    pub header: Option<String>,
    /// The numbers of the tables that it may speak of; all if absent.
    #[serde(default)]
    #[schemars(with = "Option<BTreeSet<NonZeroU64>>")]
    pub tables: Option<BTreeSet<TableId>>,
}

impl SourceConfig {
    /// The header in which a proof of this kind stands.
    pub fn header_of(&self, kind: ProofKind) -> &str {
        self.header.as_deref().unwrap_or(kind.default_header())
    }
}

impl<'de> Deserialize<'de> for Proofs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

impl JsonSchema for Proofs {
    fn schema_name() -> Cow<'static, str> {
        "Proofs".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<ProofKind>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
    }
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Proofs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"hmac\", \"token\", or a list of them")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Proofs, E> {
        ProofKind::deserialize(StrDeserializer::new(word)).map(|kind| Proofs(vec![kind]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, words: A) -> Result<Proofs, A::Error> {
        let kinds = Vec::deserialize(SeqAccessDeserializer::new(words))?;
        if kinds.is_empty() {
            return Err(A::Error::custom(
                "the list of proofs is empty: name \"hmac\" or \"token\"",
            ));
        }
        Ok(Proofs(kinds))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn proofs(text: &str) -> Result<Proofs, String> {
        let source = format!("proof = {text}\nsecrets = \"S\"\n");
        let source: Result<SourceConfig, _> = toml::from_str(&source);
        source
            .map(|source| source.proof)
            .map_err(|error| error.message().to_owned())
    }

    #[rstest]
    #[case(r#""hmac""#, &[ProofKind::Hmac])]
    #[case(r#""token""#, &[ProofKind::Token])]
    #[case(r#"["hmac", "token"]"#, &[ProofKind::Hmac, ProofKind::Token])]
    fn a_source_has_one_way_to_prove_itself_or_several(#[case] text: &str, #[case] kinds: &[ProofKind]) {
        assert_eq!(proofs(text).unwrap().kinds(), kinds);
    }

    #[rstest]
    #[case(r#""hmca""#, "unknown variant `hmca`, expected `hmac` or `token`")]
    #[case(r#"["token", "x"]"#, "unknown variant `x`, expected `hmac` or `token`")]
    #[case("[]", "the list of proofs is empty: name \"hmac\" or \"token\"")]
    #[case("7", "invalid type: integer `7`, expected \"hmac\", \"token\", or a list of them")]
    fn a_proof_that_is_none_is_told_with_what_there_is(#[case] text: &str, #[case] message: &str) {
        assert_eq!(proofs(text).unwrap_err(), message);
    }
}

//! Whom the bridge trusts besides the authorities of the system.

use std::path::PathBuf;

use super::reader::Reader;

/// Certificates of authorities, trusted besides those of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    /// Where they are.
    pub path: PathBuf,
    /// What the file holds: one or more certificates in PEM.
    pub pem: Vec<u8>,
}

impl Authorities {
    /// Reads `EXTRA_CA_FILE` and the file that it names; `None` if it is not set.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        const BEGINNING: &[u8] = b"-----BEGIN CERTIFICATE-----";
        let path = PathBuf::from(reader.optional("EXTRA_CA_FILE")?);
        let what = match std::fs::read(&path) {
            Ok(pem) if pem.windows(BEGINNING.len()).any(|window| window == BEGINNING) => {
                return Some(Self { path, pem });
            }
            Ok(_) => format!("{} holds no certificate in PEM", path.display()),
            Err(error) => format!("{} cannot be read: {error}", path.display()),
        };
        let hint = "give a PEM file with the certificate of the authority, or leave it out";
        reader.problem("EXTRA_CA_FILE", &what, hint);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BaserowSettings, DocmostSettings, SlackSettings};

    #[test]
    fn a_file_that_is_no_certificate_is_reported_once_however_many_systems_need_it() {
        let folder = std::env::temp_dir();
        let mut reader = Reader::from_pairs([
            ("EXTRA_CA_FILE", folder.to_str().unwrap()),
            ("BASEROW_URL", "https://baserow.example.org"),
            ("BASEROW_TOKEN", "a-token"),
            ("DOCMOST_URL", "https://wiki.example.org"),
            ("DOCMOST_TOKEN", "a-token"),
            ("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/a"),
        ]);
        let baserow = BaserowSettings::read(&mut reader);
        DocmostSettings::read(&mut reader);
        SlackSettings::read(&mut reader);
        assert_eq!(baserow.authorities, None);
        let problems = reader.finish(()).unwrap_err().0;
        let places: Vec<&str> = problems.iter().map(|problem| problem.place.as_str()).collect();
        assert_eq!(places, ["EXTRA_CA_FILE"]);
    }
}

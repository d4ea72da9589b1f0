//! The file of settings: lines are added, none is ever changed.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use passerelle_model::config::catalogue::Setting;
use passerelle_model::config::{Reader, env_line};
use passerelle_model::shown::keep_secret;

use super::{Setup, State};
use crate::trouble::Trouble;

const HEAD: &str = "# Settings of this installation. docs/SETTINGS.md explains each, and those that are not here.\n";

/// The settings as they are, and the file that keeps them.
#[derive(Debug)]
pub(super) struct Settings {
    reader: Reader,
    pub(super) path: PathBuf,
    dry_run: bool,
    /// What this run has added.
    added: BTreeSet<String>,
}

impl Settings {
    pub(super) fn new(reader: Reader, path: &Path, dry_run: bool) -> Self {
        Self {
            reader,
            path: path.to_owned(),
            dry_run,
            added: BTreeSet::new(),
        }
    }

    /// All settings, with nothing found wrong yet.
    pub(super) fn reader(&self) -> Reader {
        self.reader.afresh()
    }

    /// The value of a setting.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.reader.optional(name)
    }

    /// What is wrong with the file, if anything is.
    pub(super) fn check(&self) -> Result<(), Trouble> {
        Ok(self.reader.clone().finish(())?)
    }

    /// Whether the file has this setting, or names the file that holds it.
    fn has(&self, name: &str) -> bool {
        let of_file = self.reader.of_file();
        let is_set = |name: &str| of_file.get(name).is_some_and(|value| !value.trim().is_empty());
        self.added.contains(name)
            || is_set(name)
            || is_set(&format!("{name}_FILE"))
            || self.get(&format!("{name}_FILE")).is_some()
    }

    /// Adds a line to the file, unless it has the setting. Returns whether it did, or would.
    fn add(&mut self, name: &str, value: &str) -> Result<bool, Trouble> {
        if self.has(name) {
            return Ok(false);
        }
        let line = env_line(name, value).ok_or_else(|| {
            let file = self.path.display();
            Trouble::Usage(format!("{name}: {file} cannot hold this value: it has a line break"))
        })?;
        if !self.dry_run {
            let unwritable = |error: std::io::Error| {
                let file = self.path.display();
                Trouble::Failed(format!(
                    "{file} cannot be written: {error}. Be a user who may, or name another with --env-file"
                ))
            };
            self.append(&line).map_err(unwritable)?;
        }
        self.reader = self.reader.clone().with(name, value);
        self.added.insert(name.to_owned());
        // A secret is known as one as soon as it is read.
        let _ = self.reader.optional(name);
        Ok(true)
    }

    fn append(&self, line: &str) -> std::io::Result<()> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        let before = match text.as_str() {
            "" => HEAD,
            text if text.ends_with('\n') => "",
            _ => "\n",
        };
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.path)?;
        file.write_all(format!("{before}{line}\n").as_bytes())?;
        file.sync_all()
    }

    /// Whether everybody on the machine may read the file. A group may: that of a service's user.
    pub(super) fn is_open_to_others(&self) -> bool {
        let mode = std::fs::metadata(&self.path).map(|found| found.permissions().mode());
        mode.is_ok_and(|mode| mode & 0o007 != 0)
    }
}

impl Setup<'_> {
    /// Has the file keep a setting, and tells of it: a secret by its name alone.
    pub(super) fn keep(&mut self, name: &str, value: &str) -> Result<(), Trouble> {
        let state = if self.settings.add(name, value)? {
            self.made()
        } else {
            State::Kept
        };
        let file = self.settings.path.display();
        let is_secret = Setting::find(name).is_none_or(|setting| setting.secret);
        let shown = if is_secret {
            keep_secret(value);
            format!("{file}: {name} (not shown)")
        } else {
            format!("{file}: {name}={value}")
        };
        self.tell(state, shown);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_for_the_owner_alone_and_none_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/.env");
        let mut settings = Settings::new(Reader::from_pairs::<&str, &str>([]), &path, false);
        assert!(settings.add("BASEROW_URL", "http://a").unwrap());
        assert!(settings.add("BASEROW_PASSWORD", "a $b").unwrap());
        assert!(!settings.add("BASEROW_URL", "http://b").unwrap());
        assert!(!settings.is_open_to_others());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{HEAD}BASEROW_URL=http://a\nBASEROW_PASSWORD='a $b'\n"));

        let again = Reader::from_pairs::<&str, &str>([]).with_env_file(Some(&path));
        let mut again = Settings::new(again, &path, false);
        assert!(!again.add("BASEROW_PASSWORD", "other").unwrap());
        assert_eq!(again.get("BASEROW_PASSWORD").as_deref(), Some("a $b"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn an_empty_setting_is_filled_and_one_of_a_file_of_its_own_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(&path, "BASEROW_TOKEN=\nDOCMOST_PASSWORD_FILE=/run/secrets/docmost").unwrap();
        let reader = Reader::from_pairs::<&str, &str>([]).with_env_file(Some(&path));
        let mut settings = Settings::new(reader, &path, false);
        assert!(settings.add("BASEROW_TOKEN", "key").unwrap());
        assert!(!settings.add("DOCMOST_PASSWORD", "secret").unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("/run/secrets/docmost\nBASEROW_TOKEN=key\n"), "{text}");
    }

    #[test]
    fn a_dry_run_knows_the_setting_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        let mut settings = Settings::new(Reader::from_pairs::<&str, &str>([]), &path, true);
        assert!(settings.add("BASEROW_URL", "http://a").unwrap());
        assert_eq!(settings.get("BASEROW_URL").as_deref(), Some("http://a"));
        assert!(!path.exists());
    }
}

//! The file with the settings, over which the environment stands.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::super::env_file::{EnvFile, Line};
use super::{Reader, Variable};

/// The files with the settings, where `PASSERELLE_ENV_FILE` names no other: the first one that is
/// there. The second is the package's.
const ENV_FILES: [&str; 2] = [".env", "/etc/passerelle/passerelle.env"];

impl Reader {
    /// And over the settings of a file, where the environment does not have them: of the one that
    /// is named here, else by `PASSERELLE_ENV_FILE`, else of `.env` in the working directory or of
    /// `/etc/passerelle/passerelle.env`, if there is one.
    #[must_use]
    pub fn with_env_file(self, named: Option<&Path>) -> Self {
        let reader = match named {
            // The programs that this one starts read the same file.
            Some(path) => self.with("PASSERELLE_ENV_FILE", &path.display().to_string()),
            None => self,
        };
        let named = reader.optional("PASSERELLE_ENV_FILE");
        match named.as_deref().or(first_of(ENV_FILES)) {
            Some(path) => reader.over(path),
            None => reader,
        }
    }

    /// Over the settings of this file.
    pub(super) fn over(mut self, path: &str) -> Self {
        self.file = Some(path.to_owned());
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let file = EnvFile::parse(&text, path);
                self.problems.extend(file.problems);
                for Line { name, value, place } in file.lines {
                    let place = Some(place);
                    // The last line of a name counts, and the environment more than any.
                    if self.variables.get(&name).is_none_or(|known| known.place.is_some()) {
                        self.variables.insert(name, Variable { value, place });
                    }
                }
            }
            Err(error) => {
                let hint = "correct --env-file or PASSERELLE_ENV_FILE, or be a user who may read the file: \
                    sudo -u passerelle passerelle …";
                self.problem(path, &format!("cannot be read: {error}"), hint);
            }
        }
        self
    }

    /// The same environment over what the file has now, with nothing found wrong yet.
    #[must_use]
    pub fn again(&self) -> Self {
        let mut again = self.afresh();
        let Some(file) = again.file.take() else {
            return again;
        };
        again.variables.retain(|_, variable| variable.place.is_none());
        again.over(&file)
    }

    /// The file that [`Reader::with_env_file`] reads; `.env` where there is none yet.
    pub fn env_file(&self, named: Option<&Path>) -> PathBuf {
        let named = named.map(Path::to_owned);
        let named = named.or_else(|| self.optional("PASSERELLE_ENV_FILE").map(PathBuf::from));
        named.unwrap_or_else(|| PathBuf::from(first_of(ENV_FILES).unwrap_or(ENV_FILES[0])))
    }

    /// The settings that stand in the file, for a program that reads its environment only.
    pub fn of_file(&self) -> BTreeMap<String, String> {
        let of_file = self.variables.iter().filter(|(_, variable)| variable.place.is_some());
        of_file
            .map(|(name, variable)| (name.clone(), variable.value.clone()))
            .collect()
    }
}

/// The first file that is there, or may be.
pub(super) fn first_of<'a>(paths: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    paths.into_iter().find(|path| may_be_there(Path::new(path)))
}

/// Whether there is a file, or nobody knows: what is in a folder that this user may not search is
/// not absent, and reading it tells the trouble.
pub fn may_be_there(path: &Path) -> bool {
    path.try_exists()
        .unwrap_or_else(|error| error.kind() != ErrorKind::NotADirectory)
}

/// The secret that a file holds, without the blanks around it; none if it is empty.
pub fn secret_in(path: &Path) -> std::io::Result<Option<String>> {
    let text = std::fs::read_to_string(path)?;
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}

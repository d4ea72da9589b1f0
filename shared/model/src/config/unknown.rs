//! Names that are no settings and look like one.

use std::collections::{BTreeMap, BTreeSet};

use super::bridge_file::BridgeFile;
use super::catalogue::{FORMER_SETTINGS, SETTINGS, Setting};
use super::nearest::nearest;
use super::problem::Problem;
use super::reader::{Reader, Variable};
use super::settings::BridgeFileSettings;

/// In the environment others have names too: there only a slip is one of ours. In the file also
/// whatever begins as a setting does.
pub(super) fn names(variables: &BTreeMap<String, Variable>, reader: &Reader) -> Vec<Problem> {
    let secrets = secrets_of_sources(reader);
    let is_known = |name: &str| {
        let secret = name.strip_suffix("_FILE");
        Setting::find(name).is_some()
            || secrets.contains(name)
            || secret
                .is_some_and(|name| secrets.contains(name) || Setting::find(name).is_some_and(|found| found.secret))
    };
    let told = variables.iter().filter(|(name, _)| !is_known(name));
    told.filter_map(|(name, variable)| {
        if let Some((_, hint)) = FORMER_SETTINGS.iter().find(|(former, _)| former == name) {
            return Some(former_setting(name, variable, hint));
        }
        let meant = nearest(name, SETTINGS.iter().map(|setting| setting.name));
        let place = match (&variable.place, meant) {
            (Some(line), _) if meant.is_some() || begins_as_a_setting(name) => format!("{name} ({line})"),
            (None, Some(_)) => name.clone(),
            _ => return None,
        };
        let hint = match meant {
            Some(meant) => format!("did you mean {meant}?"),
            None => "docs/SETTINGS.md lists the settings; leave it out if it is one of another version".to_owned(),
        };
        let what = "is no setting of this version".to_owned();
        Some(Problem { place, what, hint })
    })
    .collect()
}

fn former_setting(name: &str, variable: &Variable, hint: &str) -> Problem {
    let line = variable.place.as_ref();
    Problem {
        place: line.map_or_else(|| name.to_owned(), |line| format!("{name} ({line})")),
        what: "is no setting any more".to_owned(),
        hint: hint.to_owned(),
    }
}

/// The secrets that `bridge.toml` names, if it can be read.
fn secrets_of_sources(reader: &Reader) -> BTreeSet<String> {
    let file = BridgeFile::load(&BridgeFileSettings::read(reader).path);
    let sources = file.map(|file| file.sources).unwrap_or_default();
    sources.into_values().map(|source| source.secrets).collect()
}

fn begins_as_a_setting(name: &str) -> bool {
    let first = |name: &str| name.split_once('_').map(|(word, _)| word.to_owned());
    first(name).is_some_and(|word| {
        SETTINGS
            .iter()
            .any(|setting| first(setting.name).is_some_and(|known| known == word))
    })
}

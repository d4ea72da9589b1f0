//! The files that rules are made of: `bridge.toml`, the templates of pages, the templates of
//! notices. They are read and checked as a whole, at the start, by `check` and at a reload.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use passerelle_model::config::{BridgeFile, Locale, Problem, Problems, SourceConfig, nearest};
use sha2::{Digest as _, Sha256};

use crate::outbox::templates::Templates;
use crate::rules::{RuleSources, Rules, Unread};

/// How deep below `bridge.toml` templates are looked for that may be meant.
const DEPTH: usize = 3;

/// Rules and the words of notices, ready.
#[derive(Debug)]
pub struct Loaded {
    pub rules: Rules,
    pub templates: Templates,
    /// Equal in two processes if all their files are.
    pub hash: String,
    /// Who may call the ingress.
    pub callers: BTreeMap<String, SourceConfig>,
}

/// Reads and checks all files, or reports everything that is wrong with them.
pub fn load(path: &Path, locale: &Locale) -> Result<Loaded, Problems> {
    let sources = read_rule_sources(path)?;
    compile(&sources, path, locale)
}

/// Checks what was read, and reads the templates of notices; the folder is beside `bridge.toml`.
pub fn compile(sources: &RuleSources, path: &Path, locale: &Locale) -> Result<Loaded, Problems> {
    let folder = folder_of(path).join("templates/notices");
    let (rules, templates) = (Rules::compile(sources), Templates::load(&folder, locale));
    let mut problems = Vec::new();
    if let Ok(templates) = &templates {
        problems.extend(missing_templates(sources, templates));
    }
    match (rules, templates) {
        (Ok(rules), Ok(templates)) if problems.is_empty() => Ok(Loaded {
            hash: hash(sources, &templates),
            callers: sources.file.sources.clone(),
            rules: rules.speaking(locale.clone()),
            templates,
        }),
        (rules, templates) => {
            let others = rules.err().into_iter().chain(templates.err());
            let mut all: Vec<Problem> = others.flat_map(|problems| problems.0).collect();
            all.extend(problems);
            Err(Problems(all))
        }
    }
}

/// Reads `bridge.toml` and the templates that its rules name. What is wrong with either is reported
/// with the others; without a file, or if it is no TOML, there is nothing else to report.
pub fn read_rule_sources(path: &Path) -> Result<RuleSources, Problems> {
    let text = BridgeFile::read_text(path)?;
    let (file, problems) = BridgeFile::parse_partly(&text, &path.display().to_string());
    let Some(file) = file else {
        return Err(Problems(problems));
    };
    let folder = folder_of(path);
    let paths = file
        .rules
        .iter()
        .flat_map(|rule| rule.get_ref().bodies().map(str::to_owned));
    let read = |template: String| {
        let text = std::fs::read_to_string(folder.join(&template)).map_err(|error| Unread {
            why: error.to_string(),
            there_are: files_like(folder, Path::new(&template)),
        });
        (template, text)
    };
    let templates: BTreeMap<_, _> = paths.map(read).collect();
    Ok(RuleSources {
        file,
        problems,
        templates,
    })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// The files in the folder, and some folders below, that end as this one.
fn files_like(folder: &Path, wanted: &Path) -> Vec<String> {
    let mut folders = vec![(folder.to_owned(), 1)];
    let mut found = BTreeSet::new();
    while let Some((within, depth)) = folders.pop() {
        let entries = std::fs::read_dir(within).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let is_like = || path.extension() == wanted.extension();
            if path.is_dir() && depth < DEPTH {
                folders.push((path, depth + 1));
            } else if path.is_file() && is_like() {
                let below = path.strip_prefix(folder).ok().and_then(Path::to_str);
                found.extend(below.map(str::to_owned));
            }
        }
    }
    found.into_iter().collect()
}

/// The templates of notices that rules name and that are not there.
fn missing_templates(sources: &RuleSources, templates: &Templates) -> Vec<Problem> {
    let rules = sources.file.rules.iter().map(toml::Spanned::get_ref);
    let named = rules.filter_map(|rule| Some((&rule.name, &rule.notice.as_ref()?.template)));
    let missing = named.filter(|(_, template)| !templates.has(template));
    let problem = |(rule, template): (&String, &String)| Problem {
        place: sources.place_of(rule, &["notice", "template"]),
        what: format!("there is no notice template {template:?}"),
        hint: match nearest(template, templates.names()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!(
                "make templates/notices/{template}.subject, .txt and .html beside the file, or name one that is there"
            ),
        },
    };
    missing.map(problem).collect()
}

fn hash(sources: &RuleSources, templates: &Templates) -> String {
    let mut hasher = Sha256::new();
    let mut add = |text: &str| {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    };
    add(sources.file.positions.text());
    for (path, text) in &sources.templates {
        add(path);
        add(text.as_deref().unwrap_or_default());
    }
    for (name, text) in templates.of_the_folder() {
        add(name);
        add(text);
    }
    hex::encode(hasher.finalize())
}

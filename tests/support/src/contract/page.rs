//! `docs/CLI.md`: what it says of each verb's answer.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::shape::Shape;

/// The page.
#[derive(Debug)]
pub struct Page {
    text: String,
    /// By heading: path and type of each row of its tables.
    sections: BTreeMap<String, Vec<(String, String)>>,
}

impl Page {
    pub fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CLI.md");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut sections: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        let mut heading = String::new();
        for line in text.lines() {
            if let Some(found) = line.strip_prefix('#') {
                heading = found.trim_start_matches('#').trim().replace('`', "");
                sections.entry(heading.clone()).or_default();
            } else if let Some((path, kind)) = row(line) {
                sections.entry(heading.clone()).or_default().push((path, kind));
            }
        }
        Self { text, sections }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Fails unless the verb's section has every path of the answer, with its type.
    pub fn holds(&self, verb: &str, answer: &Shape) -> anyhow::Result<()> {
        let documented = self.paths(verb)?;
        let mut wrong = Vec::new();
        for (path, kinds) in &answer.0 {
            let said = documented.get(path).map_or("nothing", String::as_str);
            for kind in kinds {
                let known = if kind.starts_with('"') { "word" } else { kind };
                let is_said = |said: &str| said == known || (said, known) == ("string", "word");
                if !said.split(" or ").any(is_said) {
                    wrong.push(format!("`{path}` is {kind}, the page says {said}"));
                }
            }
        }
        anyhow::ensure!(wrong.is_empty(), "docs/CLI.md, `{verb}`:\n{}", wrong.join("\n"));
        Ok(())
    }

    /// The paths of a section, those of the objects that it names among them.
    fn paths(&self, heading: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let rows = self.sections.get(heading);
        let rows = rows.with_context(|| format!("docs/CLI.md has no section {heading:?}"))?;
        let mut paths = BTreeMap::new();
        for (path, kind) in rows {
            // `null or [story](#story)` names the object `story`.
            let object = kind.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
            if let Some((object, _)) = object {
                let is_array = kind.starts_with("array");
                let prefix = if is_array { format!("{path}[]") } else { path.clone() };
                for (below, kind) in self.paths(object)? {
                    let dot = if prefix.is_empty() { "" } else { "." };
                    paths.insert(format!("{prefix}{dot}{below}"), kind);
                }
            }
            let own = match kind.split_once(" of ") {
                Some(("array", rest)) => {
                    if object.is_none() {
                        let member = rest.split(" or ").next().unwrap_or(rest);
                        paths.insert(format!("{path}[]"), member.to_owned());
                    }
                    if rest.contains("or null") {
                        "array or null".to_owned()
                    } else {
                        "array".to_owned()
                    }
                }
                _ if object.is_some() => kind.split(" or ").next().unwrap_or_default().to_owned(),
                _ => kind.clone(),
            };
            paths.insert(path.clone(), own);
        }
        Ok(paths)
    }
}

/// The path and the type of a row like `` | `jobs[].state` | word | … | ``. The answer itself is
/// `(answer)`.
fn row(line: &str) -> Option<(String, String)> {
    let mut cells = line.strip_prefix("| ")?.split(" | ");
    let path = cells.next()?.trim();
    let path = if path == "(answer)" {
        ""
    } else {
        path.strip_prefix('`')?.strip_suffix('`')?
    };
    let kind = cells.next()?.trim();
    // Types may say more in brackets: `integer (bytes)`.
    let kind = kind.split(" (").next().unwrap_or(kind).replace("](", "] (");
    let kind = kind.split(" (").next().unwrap_or_default().to_owned();
    Some((path.to_owned(), kind))
}

//! Compares the pages of the bridge with those that a step claims.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;

use super::PageSpec;
use super::claim::Wrong;
use super::stage::Stage;

/// What every label of the bridge begins with.
const OURS: &str = "baserow-t";

/// The pages of the bridge, as they are compared one by one.
pub(super) struct Pages<'a> {
    ours: Vec<&'a Value>,
    /// The ids of those that were compared, by their names in the scenario.
    pub(super) identities: BTreeMap<String, String>,
    /// The position of the last one below each page.
    last_of_family: BTreeMap<String, String>,
}

impl<'a> Pages<'a> {
    /// Of all pages of the wiki.
    pub(super) fn of(all: &'a [Value]) -> Self {
        let is_ours = |page: &&Value| labels(page).any(|label| label.starts_with(OURS));
        Self {
            ours: all.iter().filter(is_ours).collect(),
            identities: BTreeMap::new(),
            last_of_family: BTreeMap::new(),
        }
    }

    /// There is this page, once, and it is the one that it always was.
    pub(super) fn is_there(&mut self, stage: &Stage, spec: &PageSpec) -> anyhow::Result<()> {
        let found = self.one(stage, spec)?;
        is_as_claimed(found, spec)?;
        let id = text(found, "id");
        if let Some(before) = stage.identities.get(&spec.of) {
            let about = format!("the id of the page of {}, which it keeps", spec.of);
            Wrong::unless(before == id, about, before, id)?;
        }
        self.identities.insert(spec.of.clone(), id.to_owned());
        if let Some((parent, _)) = spec.of.split_once('/').filter(|_| !spec.trashed) {
            self.is_placed(found, parent, spec)?;
        }
        Ok(())
    }

    /// It stands below its parent, behind those that are listed before it.
    fn is_placed(&mut self, found: &Value, parent: &str, spec: &PageSpec) -> anyhow::Result<()> {
        let below = self.identities.get(parent);
        let below = below.with_context(|| format!("list the page of {parent} before those below it"))?;
        let above = found["parentPageId"].as_str().unwrap_or_default();
        let about = format!("the id of the page above {}", spec.of);
        Wrong::unless(above == below, about, format!("{below}, that of {parent}"), above)?;
        let position = text(found, "position").to_owned();
        let before = self.last_of_family.insert(parent.to_owned(), position.clone());
        let is_behind = before.is_none_or(|before| before < position);
        let about = format!("the place of {} among the pages below {parent}", spec.of);
        Wrong::unless(
            is_behind,
            about,
            "behind the page that is listed before it",
            "before it",
        )?;
        Ok(())
    }

    /// There are no others.
    pub(super) fn are_all(&self, specs: &[PageSpec]) -> Result<(), Wrong> {
        let expected = list(specs.iter().map(PageSpec::in_words));
        let is_so = self.ours.len() == specs.len();
        Wrong::unless(is_so, "all pages of the bridge", expected, self.told())
    }

    fn one(&self, stage: &Stage, spec: &PageSpec) -> anyhow::Result<&'a Value> {
        let (row, part) = match spec.of.split_once('/') {
            Some((row, part)) => (stage.row(row)?, Some(stage.row(part)?)),
            None => (stage.row(&spec.of)?, None),
        };
        let own = format!("{OURS}{}-r{}", row.table, row.row);
        let is_meant = |label: &str| match part {
            None => label == own,
            Some(part) => {
                let slot = label.strip_prefix(&own).and_then(|rest| rest.strip_prefix('-'));
                slot.and_then(|slot| slot.rsplit_once('-'))
                    .is_some_and(|(_, id)| id == part.row.to_string())
            }
        };
        let found: Vec<&Value> = self
            .ours
            .iter()
            .copied()
            .filter(|page| labels(page).any(is_meant))
            .collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => Err(Wrong::new(
                format!("the page of {}", spec.of),
                format!("{:?}", spec.title),
                self.told(),
            )
            .into()),
            several => {
                let found = list(several.iter().map(|page| told(page)));
                Err(Wrong::new(format!("the page of {}", spec.of), "one page", found).into())
            }
        }
    }

    fn told(&self) -> String {
        list(self.ours.iter().map(|page| told(page)))
    }
}

fn is_as_claimed(found: &Value, spec: &PageSpec) -> Result<(), Wrong> {
    let of = &spec.of;
    let (title, icon, body) = (text(found, "title"), text(found, "icon"), text(found, "markdown"));
    let quoted = |text: &str| format!("{text:?}");
    Wrong::unless(
        title == spec.title,
        format!("the title of the page of {of}"),
        quoted(&spec.title),
        quoted(title),
    )?;
    if let Some(wanted) = &spec.icon {
        let about = format!("the icon of the page of {of}");
        Wrong::unless(icon == wanted, about, quoted(wanted), quoted(icon))?;
    }
    let place = |is_trashed| if is_trashed { "in the trash" } else { "not in the trash" };
    let is_trashed = !found["deletedAt"].is_null();
    let about = format!("the page of {of}");
    Wrong::unless(
        is_trashed == spec.trashed,
        about,
        place(spec.trashed),
        place(is_trashed),
    )?;
    let about = || format!("the text of the page of {of}");
    for wanted in &spec.body {
        Wrong::unless(body.contains(wanted.as_str()), about(), quoted(wanted), body)?;
    }
    for unwanted in &spec.without {
        let expected = format!("nothing like {unwanted:?}");
        Wrong::unless(!body.contains(unwanted.as_str()), about(), expected, body)?;
    }
    Ok(())
}

/// A page in words.
fn told(page: &Value) -> String {
    let place = if page["deletedAt"].is_null() {
        ""
    } else {
        ", in the trash"
    };
    let ours: Vec<&str> = labels(page).filter(|label| label.starts_with(OURS)).collect();
    format!("{:?} ({}{place})", text(page, "title"), ours.join(", "))
}

/// One a line, or that there is none.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        "none".to_owned()
    } else {
        items.join("\n")
    }
}

fn labels(page: &Value) -> impl Iterator<Item = &str> {
    page["labels"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn text<'a>(page: &'a Value, key: &str) -> &'a str {
    page[key].as_str().unwrap_or_default()
}

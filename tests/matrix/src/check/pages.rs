//! I4: one living page per row. I5: it says what the row says; what people wrote is as they wrote
//! it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Violation;
use crate::play::Deeds;
use crate::world::World;

const PROJECT: u64 = 2;
const COURSE: u64 = 3;
const BLOC: u64 = 4;
/// The bridge's account in the wiki.
const BRIDGE: &str = "bridge@example.org";

/// A page that should be there.
struct Wanted {
    label: String,
    /// The row that names the page, in words.
    row: String,
    title: String,
    icon: Option<&'static str>,
    text: Option<String>,
    /// The label of the page above it.
    parent: Option<String>,
    /// The page's id, as the row has it.
    known: Value,
}

pub(super) async fn look(world: &World, deeds: &Deeds) -> anyhow::Result<Vec<Violation>> {
    let wanted = wanted(world).await?;
    let pages = world.sandbox.pages().await?;
    let mut violations = Vec::new();
    let mut of_label: BTreeMap<&str, &Value> = BTreeMap::new();
    for want in &wanted {
        let found: Vec<&Value> = pages
            .iter()
            .filter(|page| lives(page) && has_label(page, &want.label))
            .collect();
        if found.len() != 1 {
            let ids: Vec<&Value> = found.iter().map(|page| &page["id"]).collect();
            violations.push(Violation::new(
                "I4",
                format!("{} has {} pages: {ids:?}", want.row, found.len()),
            ));
        }
        of_label.extend(found.first().map(|page| (want.label.as_str(), *page)));
    }
    for want in &wanted {
        let Some(page) = of_label.get(want.label.as_str()) else {
            continue;
        };
        let differences = differences(want, page, &of_label);
        let seen = differences
            .into_iter()
            .map(|difference| format!("{}: {difference}", want.row));
        violations.extend(seen.map(|seen| Violation::new("I5", seen)));
    }
    violations.extend(strangers(&wanted, &pages));
    violations.extend(peoples(deeds, &pages, &of_label));
    Ok(violations)
}

fn differences(want: &Wanted, page: &Value, of_label: &BTreeMap<&str, &Value>) -> Vec<String> {
    let mut differences = Vec::new();
    let mut equal = |what: &str, found: &Value, wanted: Value| {
        if *found != wanted {
            differences.push(format!(
                "the {what} of page {} is {found} instead of {wanted}",
                page["id"]
            ));
        }
    };
    equal("title", &page["title"], Value::from(want.title.as_str()));
    if let Some(icon) = want.icon {
        equal("icon", &page["icon"], Value::from(icon));
    }
    equal("space", &page["spaceSlug"], Value::from("agence"));
    if let Some(parent) = &want.parent {
        let parent = of_label
            .get(parent.as_str())
            .map_or(Value::Null, |page| page["id"].clone());
        equal("parent", &page["parentPageId"], parent);
    }
    if want.known != page["id"] {
        differences.push(format!(
            "the row knows the page {} instead of {}",
            want.known, page["id"]
        ));
    }
    let text = page["markdown"].as_str().unwrap_or_default();
    if let Some(wanted) = want.text.as_ref().filter(|wanted| !text.contains(wanted.as_str())) {
        differences.push(format!("the text of page {} lacks {wanted:?}: {text:?}", page["id"]));
    }
    differences
}

/// Living pages of the bridge that no row asks for.
fn strangers(wanted: &[Wanted], pages: &[Value]) -> Vec<Violation> {
    let labels: BTreeSet<&str> = wanted.iter().map(|want| want.label.as_str()).collect();
    let ours = pages
        .iter()
        .filter(|page| lives(page) && page["creatorEmail"] == BRIDGE);
    let strangers = ours.filter(|page| !labels.iter().any(|label| has_label(page, label)));
    let seen = strangers.map(|page| {
        format!(
            "page {} ({}, labels {}) belongs to no row",
            page["id"], page["title"], page["labels"]
        )
    });
    seen.map(|seen| Violation::new("I4", seen)).collect()
}

fn peoples(deeds: &Deeds, pages: &[Value], of_label: &BTreeMap<&str, &Value>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for own in &deeds.own_pages {
        let now = pages.iter().find(|page| page["id"] == own["id"]);
        let same = [
            "title",
            "icon",
            "markdown",
            "parentPageId",
            "deletedAt",
            "spaceSlug",
            "labels",
        ];
        let touched = same
            .iter()
            .find(|key| now.map(|page| &page[**key]) != Some(&own[**key]));
        if let Some(key) = touched {
            let now = now.map(|page| &page[*key]);
            let seen = format!(
                "the {key} of somebody's own page {} is {now:?} instead of {}",
                own["id"], own[*key]
            );
            violations.push(Violation::new("I5", seen));
        }
    }
    for (row, text) in &deeds.writings {
        let label = format!("baserow-t{PROJECT}-r{row}");
        let Some(page) = of_label.get(label.as_str()) else {
            continue;
        };
        if !page["markdown"].as_str().unwrap_or_default().contains(text.as_str()) {
            let seen = format!(
                "projet/{row}: page {} lost what people wrote there: {text:?}",
                page["id"]
            );
            violations.push(Violation::new("I5", seen));
        }
    }
    violations
}

/// The pages that the rows ask for, by the rules of the world.
async fn wanted(world: &World) -> anyhow::Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    for row in world.sandbox.rows(PROJECT).await? {
        let client = row["Client"][0]["value"].as_str().unwrap_or("(sans client)");
        wanted.push(Wanted {
            label: format!("baserow-t{PROJECT}-r{}", row["id"]),
            row: format!("projet/{}", row["id"]),
            title: format!("Projet {} - {client}", text(&row["Nom"])),
            icon: Some(match row["Statut"]["value"].as_str() {
                Some("En cours") => "🚧",
                Some("Terminé") => "✅",
                _ => "📁",
            }),
            text: None,
            parent: None,
            known: row["docmost_page_id"].clone(),
        });
    }
    let blocs = world.sandbox.rows(BLOC).await?;
    for row in world.sandbox.rows(COURSE).await? {
        let (label, title) = (format!("baserow-t{COURSE}-r{}", row["id"]), text(&row["Titre"]));
        wanted.extend(parts(&row, &label, &blocs));
        wanted.push(Wanted {
            row: format!("formation/{}", row["id"]),
            title: format!("Formation {title}"),
            icon: None,
            text: Some(format!("Titre du cours : {title}")),
            parent: None,
            known: row["docmost_page_id"].clone(),
            label,
        });
    }
    Ok(wanted)
}

/// The pages below the page of a course.
fn parts(course: &Value, parent: &str, blocs: &[Value]) -> Vec<Wanted> {
    let linked = course["bloc"].as_array().into_iter().flatten();
    let rows = linked.filter_map(|link| blocs.iter().find(|bloc| bloc["id"] == link["id"]));
    let part = |bloc: &Value| Wanted {
        label: format!("{parent}-bloc-{}", bloc["id"]),
        row: format!("bloc/{}", bloc["id"]),
        title: text(&bloc["Titre"]),
        icon: None,
        text: Some(format!(
            "Bloc {} du cours {}",
            text(&bloc["Titre"]),
            text(&course["Titre"])
        )),
        parent: Some(parent.to_owned()),
        known: bloc["docmost_page_id"].clone(),
    };
    rows.map(part).collect()
}

fn lives(page: &Value) -> bool {
    page["deletedAt"].is_null()
}

fn has_label(page: &Value, label: &str) -> bool {
    page["labels"]
        .as_array()
        .is_some_and(|labels| labels.iter().any(|found| found == label))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

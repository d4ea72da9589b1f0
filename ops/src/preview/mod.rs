//! `preview`: the page of a row as people see it after a sync, in words, and what the sync would
//! change of the page as it is. Nothing is written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use passerelle_console::rulebook::Previewed;
use passerelle_model::config::{
    BaserowSettings, BridgeFileSettings, DocmostSettings, Locale, Reader, RedisSettings, StoreSettings, TableRef,
};
use passerelle_model::id::RowKey;
use passerelle_model::named::RowName;
use passerelle_store::Store;
use passerelle_worker::content::document::Node;
use passerelle_worker::content::page::{DesiredIcon, DesiredPage};
use passerelle_worker::content::row::Row;
use passerelle_worker::failure::Failure;
use passerelle_worker::rule_files::read_rule_sources;
use passerelle_worker::rules::{PageRule, Rules, Subject};
use serde_json::{Map, Value};
use tokio::time::MissedTickBehavior;

use crate::changes::{Compared, Comparer, lines};
use crate::console::Console;
use crate::operator::Operator;
use crate::rows::row_key;
use crate::survey::Products;
use crate::trouble::Trouble;

/// How often `--watch` looks whether a file was changed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// `preview`.
#[derive(Debug, Args)]
pub struct Preview {
    /// The row: projet/42, t2/r42 or 2/42, or the address of the row or of its page.
    #[arg(value_parser = RowName::parse, required_unless_present = "file")]
    pub row: Option<RowName>,
    /// Take the row from this JSON file instead of Baserow: `{"row": {"id": 1, …}, "client": {…}}`,
    /// each of the rule's links under its name. Needs --rule.
    #[arg(long, conflicts_with = "row", requires = "rule")]
    pub file: Option<PathBuf>,
    /// The rule that makes the page. Default: the one of the row's table.
    #[arg(long)]
    pub rule: Option<String>,
    /// Show it again whenever bridge.toml, a template or the file is changed, until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
}

/// What a row and its page are read from.
pub struct Systems {
    pub products: Products,
    /// What was written before; without it the page is the one that the row names.
    pub store: Option<Store>,
}

/// Shows the page of a row.
pub async fn run(verb: &Preview, mut reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    let afresh = reader.afresh();
    let path = BridgeFileSettings::read(&reader).path;
    let locale = Locale::read(&mut reader);
    let settings = verb.file.is_none().then(|| {
        (
            RedisSettings::read(&mut reader),
            BaserowSettings::read(&mut reader),
            DocmostSettings::read(&mut reader),
            StoreSettings::read(&mut reader),
        )
    });
    let systems = match reader.finish(settings)? {
        None => None,
        Some((redis, baserow, docmost, store)) => Some(Systems {
            products: Products::new(&redis, &baserow, &docmost)?,
            store: Store::open_as_is(&store).await.ok(),
        }),
    };
    let row = match &verb.row {
        Some(row) if systems.is_some() => Some(row_key(row, &Operator::new(afresh)?).await?),
        _ => None,
    };
    console.is_watching = verb.watch;
    let subject = systems.as_ref().zip(row);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    loop {
        looks.tick().await;
        let sources = read_rule_sources(&path);
        let file = verb.file.as_deref().map(read).transpose()?;
        let now = Some((format!("{sources:?}"), file.clone()));
        if seen == now {
            continue;
        }
        seen = now;
        let shown = match sources.and_then(|sources| Rules::compile(&sources)) {
            Ok(rules) => show(verb, &rules.speaking(locale.clone()), subject, file.as_deref()).await,
            Err(problems) => Err(problems.into()),
        };
        if !verb.watch {
            return console.answer(&shown?, in_words);
        }
        console.redraw()?;
        match shown {
            Ok(shown) => console.answer(&shown, in_words)?,
            Err(trouble) => console.trouble(&trouble),
        }
    }
}

fn read(path: &Path) -> Result<String, Trouble> {
    std::fs::read_to_string(path).map_err(|error| Trouble::Usage(format!("{}: {error}", path.display())))
}

async fn show(
    verb: &Preview,
    rules: &Rules,
    row: Option<(&Systems, RowKey)>,
    file: Option<&str>,
) -> Result<Previewed, Trouble> {
    match (row, file) {
        (Some((systems, row)), _) => of_row(verb.rule.as_deref(), rules, systems, row).await,
        (None, Some(file)) => of_file(verb, rules, file),
        (None, None) => Err(Trouble::Usage("name a row, or a --file".to_owned())),
    }
}

/// The page of a row in Baserow, compared with the page in Docmost.
pub async fn of_row(rule: Option<&str>, rules: &Rules, systems: &Systems, key: RowKey) -> Result<Previewed, Trouble> {
    let comparer = Comparer::new(&systems.products, rules, systems.store.as_ref());
    let comparer = comparer.await.map_err(failed)?;
    let rule = chosen(rule, rules, |reference| comparer.is_table(reference, key))?;
    let Some(Compared { sample, now }) = comparer.compare(rule, key).await.map_err(failed)? else {
        return Err(Trouble::NotFound(format!("there is no row {key}")));
    };
    let after = now.as_ref().map(|now| now.after(&sample.page));
    let mut shown = shown(&rule.name, &sample.page, after.as_deref());
    shown.below = sample
        .sub_page
        .map(|page| Box::new(self::shown(&rule.name, &page, None)));
    shown.changes = now.map(|now| now.changes(&sample.page));
    Ok(shown)
}

/// The page of a row that a file holds.
fn of_file(verb: &Preview, rules: &Rules, file: &str) -> Result<Previewed, Trouble> {
    let unfit = |what: String| Trouble::Usage(format!("the file: {what}"));
    let rows: Map<String, Value> = serde_json::from_str(file).map_err(|error| unfit(error.to_string()))?;
    let row = |value: &Value| Row::from_json(&value.to_string());
    let rule = chosen(verb.rule.as_deref(), rules, |_| false)?;
    let own = rows.get("row").ok_or_else(|| unfit("it has no \"row\"".to_owned()))?;
    let own = row(own).map_err(|error| unfit(error.to_string()))?;
    let links = rule.links.keys().map(|name| {
        let linked = rows.get(name).map(row).transpose();
        linked.map(|linked| (name.clone(), linked))
    });
    let links = links
        .collect::<Result<BTreeMap<_, _>, _>>()
        .map_err(|error| unfit(error.to_string()))?;
    let key = format!("t1/r{}", own.id());
    // Which bridge it is, only a store knows: the mark in the last line goes without.
    let subject = Subject {
        bridge: "",
        key: key.parse().map_err(|_| unfit(format!("{key} is no row")))?,
        row: &own,
        links: &links,
        address: "https://baserow.example.org/",
    };
    Ok(shown(&rule.name, &rules.plan(rule, &subject).map_err(failed)?, None))
}

/// The rule that is named, or that of the row's table.
fn chosen<'r>(
    named: Option<&str>,
    rules: &'r Rules,
    is_its: impl Fn(&TableRef) -> bool,
) -> Result<&'r PageRule, Trouble> {
    let found = match named {
        Some(name) => rules.pages().find(|rule| rule.name == name),
        None => rules.pages().find(|rule| is_its(&rule.table)),
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = rules.pages().map(|rule| rule.name.as_str()).collect();
        Trouble::NotFound(format!("no such rule makes pages; those that do: {}", known.join(", ")))
    })
}

fn failed(failure: Failure) -> Trouble {
    Trouble::Failed(failure.message)
}

/// `after`: all that the page will say, if it exists already.
fn shown(rule: &str, page: &DesiredPage, after: Option<&[Node]>) -> Previewed {
    let blocks = after.unwrap_or_else(|| page.body.nodes());
    Previewed {
        rule: rule.to_owned(),
        space: page.space.clone(),
        group: page.group.clone(),
        title: page.title.clone(),
        icon: match &page.icon {
            DesiredIcon::Is(icon) => icon.clone(),
            DesiredIcon::Anything => None,
        },
        body: lines(blocks),
        blocks: blocks
            .iter()
            .filter_map(|block| serde_json::to_value(block).ok())
            .collect(),
        below: None,
        changes: None,
    }
}

fn in_words(shown: &Previewed) -> String {
    let mut lines = vec![
        format!("{} {}", shown.icon.as_deref().unwrap_or_default(), shown.title)
            .trim()
            .to_owned(),
        match &shown.group {
            Some(group) => format!(
                "In the space {}, below {group:?}, by the rule {}.",
                shown.space, shown.rule
            ),
            None => format!("In the space {}, by the rule {}.", shown.space, shown.rule),
        },
        String::new(),
    ];
    lines.extend(shown.body.iter().cloned());
    if let Some(below) = &shown.below {
        lines.extend([
            String::new(),
            format!("Below it, first of all: {}", below.title),
            String::new(),
        ]);
        lines.extend(below.body.iter().cloned());
    }
    lines.push(String::new());
    match &shown.changes {
        None => lines.push("Not compared with a page: there is none yet that the row names.".to_owned()),
        Some(changes) if changes.is_empty() => lines.push("The page is so already.".to_owned()),
        Some(changes) => {
            lines.push("A sync would change:".to_owned());
            lines.extend(changes.iter().cloned());
        }
    }
    lines.join("\n")
}

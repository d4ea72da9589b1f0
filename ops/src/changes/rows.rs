//! Rows against their pages: read as a worker reads them, compared with the page in the wiki.

use passerelle_model::config::{BaserowSettings, BridgeFileSettings, DocmostSettings, Locale, RedisSettings, TableRef};
use passerelle_model::id::{PageId, RowKey, Slot};
use passerelle_store::Store;
use passerelle_worker::content::row::Row;
use passerelle_worker::failure::Failure;
use passerelle_worker::journal::Journal;
use passerelle_worker::lookups::tables::is_table;
use passerelle_worker::rule_files::read_rule_sources;
use passerelle_worker::rules::{PageRule, Rules};
use serde::Serialize;

use super::Now;
use crate::operator::Operator;
use crate::sample::{Sample, Samples};
use crate::survey::{Products, SeenTable, Survey};
use crate::trouble::Trouble;

/// Rows of a dry run whose pages are read.
const MOST_COMPARED: usize = 10;

/// Both products, the rules, and what the store knows.
#[derive(Debug)]
pub struct Comparer<'a> {
    products: &'a Products,
    rules: &'a Rules,
    store: Option<&'a Store>,
    survey: Survey,
    bridge: String,
}

/// What a rule wants for a row, and its page as it is; `None` if there is none that is known.
#[derive(Debug)]
pub struct Compared {
    pub sample: Sample,
    pub now: Option<Now>,
}

/// What a sync would change of the page of a row. Pages below it are not compared.
#[derive(Debug, Clone, Serialize)]
pub struct RowChanges {
    pub row: RowKey,
    /// Lines with `-` and `+`; `None` if it has no page yet.
    pub changes: Option<Vec<String>>,
    /// Why that is not known, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl<'a> Comparer<'a> {
    /// Looks at the tables. Without a store the page is the one that the row names.
    pub async fn new(products: &'a Products, rules: &'a Rules, store: Option<&'a Store>) -> Result<Self, Failure> {
        let bridge = match store {
            Some(store) => store.known_bridge().await.ok(),
            None => None,
        };
        Ok(Self {
            products,
            rules,
            store,
            survey: Survey::look(&products.baserow, rules).await?,
            bridge: bridge.map(|bridge| bridge.instance).unwrap_or_default(),
        })
    }

    /// Whether a rule means this table.
    pub fn is_table(&self, reference: &TableRef, key: RowKey) -> bool {
        self.survey
            .table(reference)
            .is_some_and(|seen| seen.table.id == key.table)
    }

    /// A row by a rule; `None` if it does not exist.
    pub async fn compare(&self, rule: &PageRule, key: RowKey) -> Result<Option<Compared>, Failure> {
        let table = self.survey.table(&rule.table);
        let Some(table) = table.filter(|table| is_table(&rule.table, &table.table)) else {
            return Err(Failure::unmappable(format!("no table fits the rule {:?}", rule.name)));
        };
        let samples = Samples {
            baserow: &self.products.baserow,
            survey: &self.survey,
            rules: self.rules,
            bridge: &self.bridge,
        };
        let Some(row) = samples.row(table, key).await? else {
            return Ok(None);
        };
        self.with_page(samples, table, rule, &row).await.map(Some)
    }

    async fn with_page(
        &self,
        samples: Samples<'_>,
        table: &SeenTable,
        rule: &PageRule,
        row: &Row,
    ) -> Result<Compared, Failure> {
        let key = RowKey {
            table: table.table.id,
            row: row.id(),
        };
        let sample = samples.render(rule, table, row).await?;
        let page = match self.page_id(rule, row, key).await? {
            Some(id) => self.products.docmost.page(&mut Journal::default(), &id).await?,
            None => None,
        };
        let now = match (page, self.store) {
            (None, _) => None,
            (Some(page), None) => Some(Now { page, section: None }),
            (Some(page), Some(store)) => {
                let section = store.section(&page.id).await?;
                Some(Now { page, section })
            }
        };
        Ok(Compared { sample, now })
    }

    async fn page_id(&self, rule: &PageRule, row: &Row, key: RowKey) -> Result<Option<PageId>, Failure> {
        let linked = match self.store {
            Some(store) => store.link(key, &Slot::page()).await?,
            None => None,
        };
        let named = || {
            let field = rule.page.write_back.page_id.as_deref()?;
            PageId::parse(row.text(field)?).ok()
        };
        Ok(linked.map(|link| link.page).or_else(named))
    }

    async fn changes(&self, row: RowKey) -> Result<Option<Vec<String>>, Failure> {
        let Some(rule) = self.rules.pages().find(|rule| self.is_table(&rule.table, row)) else {
            return Err(Failure::unmappable("no rule makes pages of this table's rows"));
        };
        match self.compare(rule, row).await? {
            None => Err(Failure::unmappable("the row does not exist")),
            Some(Compared { sample, now }) => Ok(now.map(|now| now.changes(&sample.page))),
        }
    }
}

/// What a sync of these rows would change, of the first few. What is in the way of a comparison is
/// said of its row.
pub async fn compare(operator: &Operator, rows: impl Iterator<Item = RowKey>) -> Vec<RowChanges> {
    let rows: Vec<RowKey> = rows.take(MOST_COMPARED).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let trouble = |row: RowKey, trouble: String| RowChanges {
        row,
        changes: None,
        trouble: Some(trouble),
    };
    let (products, rules) = match prepare(operator) {
        Ok(prepared) => prepared,
        Err(why) => return rows.into_iter().map(|row| trouble(row, why.to_string())).collect(),
    };
    let comparer = Comparer::new(&products, &rules, operator.store().await.ok()).await;
    let comparer = match comparer {
        Ok(comparer) => comparer,
        Err(failure) => {
            return rows
                .into_iter()
                .map(|row| trouble(row, failure.message.clone()))
                .collect();
        }
    };
    let mut answers = Vec::new();
    for row in rows {
        answers.push(match comparer.changes(row).await {
            Ok(changes) => RowChanges {
                row,
                changes,
                trouble: None,
            },
            Err(failure) => trouble(row, failure.message),
        });
    }
    answers
}

fn prepare(operator: &Operator) -> Result<(Products, Rules), Trouble> {
    let mut reader = operator.settings();
    let path = BridgeFileSettings::read(&reader).path;
    let locale = Locale::read(&mut reader);
    let settings = (
        RedisSettings::read(&mut reader),
        BaserowSettings::read(&mut reader),
        DocmostSettings::read(&mut reader),
    );
    let (redis, baserow, docmost) = reader.finish(settings)?;
    let rules = Rules::compile(&read_rule_sources(&path)?)?.speaking(locale);
    Ok((Products::new(&redis, &baserow, &docmost)?, rules))
}

/// What a sync of these rows would change, for people.
pub fn in_words(rows: &[RowChanges]) -> String {
    rows.iter().map(words_of).collect()
}

fn words_of(RowChanges { row, changes, trouble }: &RowChanges) -> String {
    let lines = match (trouble, changes) {
        (Some(trouble), _) => return format!("{row}: not compared with its page: {trouble}\n"),
        (None, None) => return format!("{row}: a sync would make its page.\n"),
        (None, Some(changes)) if changes.is_empty() => return format!("{row}: the page is so already.\n"),
        (None, Some(changes)) => changes.join("\n  "),
    };
    format!("{row}: a sync would change its page:\n  {lines}\n")
}

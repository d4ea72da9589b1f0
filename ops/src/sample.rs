//! What a rule makes of one row, without a worker: for `check --live`, `preview` and dry runs.
//! Everything is read as a worker reads it; nothing is written.

use std::collections::BTreeMap;

use passerelle_model::id::RowKey;
use passerelle_worker::clients::baserow::Baserow;
use passerelle_worker::content::field::Described;
use passerelle_worker::content::page::DesiredPage;
use passerelle_worker::content::row::Row;
use passerelle_worker::failure::Failure;
use passerelle_worker::journal::Journal;
use passerelle_worker::rules::{PageRule, Rules, SubPageRow, Subject};

use crate::survey::{SeenTable, Survey};

/// Reads rows of the tables that a survey has seen.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    pub baserow: &'a Baserow,
    pub survey: &'a Survey,
    pub rules: &'a Rules,
    /// The bridge's word in its marks; empty where no store tells it.
    pub bridge: &'a str,
}

/// The pages that a rule wants for one row.
#[derive(Debug)]
pub struct Sample {
    pub page: DesiredPage,
    /// The page of the first linked row, for a rule with a collection.
    pub sub_page: Option<DesiredPage>,
}

impl Samples<'_> {
    /// The first row of a table, as people order it.
    pub async fn first(self, table: &SeenTable) -> Result<Option<Row>, Failure> {
        let listed = self.baserow.rows(&mut Journal::default(), table.table.id, 1).await?;
        let row = listed.rows.into_iter().next();
        Ok(row.map(|row| row.described(&self.described(table))))
    }

    /// A row of a table; `None` if it does not exist.
    pub async fn row(self, table: &SeenTable, key: RowKey) -> Result<Option<Row>, Failure> {
        let row = self.baserow.row(&mut Journal::default(), key).await?;
        Ok(row.map(|row| row.described(&self.described(table))))
    }

    /// How the rows of a table are read.
    pub fn described(self, table: &SeenTable) -> Described {
        let fields = table.fields.iter();
        let fields = fields.map(|field| (field.name.as_str(), field.kind.as_str(), &field.format));
        Described::new(fields, &self.rules.locale().zone)
    }

    /// What a rule makes of a row of its table.
    pub async fn render(self, rule: &PageRule, table: &SeenTable, row: &Row) -> Result<Sample, Failure> {
        let key = RowKey {
            table: table.table.id,
            row: row.id(),
        };
        let mut links = BTreeMap::new();
        for (name, field) in &rule.links {
            let linked = self.linked(table, row, field).await?;
            links.insert(name.clone(), linked.map(|linked| linked.row));
        }
        let address = self.baserow.row_address(&table.table, key);
        let subject = Subject {
            bridge: self.bridge,
            key,
            row,
            links: &links,
            address: &address,
        };
        let below = match &rule.collection {
            Some(collection) => self.linked(table, row, &collection.of).await?,
            None => None,
        };
        let below: Vec<SubPageRow> = below.into_iter().collect();
        let page = self.rules.plan(rule, &subject)?;
        let mut sub_pages = self.rules.plan_sub_pages(rule, &subject, &below)?;
        Ok(Sample {
            page,
            sub_page: sub_pages.pop(),
        })
    }

    /// The first row that a link field leads to.
    async fn linked(self, table: &SeenTable, row: &Row, field: &str) -> Result<Option<SubPageRow>, Failure> {
        let (Some(link), Some(other)) = (row.links(field).first(), self.survey.linked(table, field)) else {
            return Ok(None);
        };
        let key = RowKey {
            table: other.table.id,
            row: link.id,
        };
        let linked = self.row(other, key).await?;
        Ok(linked.map(|row| SubPageRow {
            key,
            row,
            address: self.baserow.row_address(&other.table, key),
        }))
    }
}

//! The rows that a page shows besides its own: the rows of its links, and those that get sub-pages.
//!
//! A job reads them one by one ([`JobRows`]); the reconciliation reads whole tables at once.

use std::collections::BTreeMap;

use passerelle_model::config::CollectionAction;
use passerelle_model::id::{RowId, RowKey};

use crate::clients::baserow::Table;
use crate::content::row::{LinkedRow, Row};
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::{MOST_SUB_PAGES, PageRule, SubPageRow};

/// Reads single rows of linked tables.
pub(crate) trait RowReader {
    /// Where its calls are noted.
    fn journal(&mut self) -> &mut Journal;
    /// A row that templates show; it may be some minutes old.
    async fn shown(&mut self, table: &Table, id: RowId) -> Result<Option<Row>, Failure>;
    /// A row that gets a page of its own, as it is now.
    async fn current(&mut self, table: &Table, id: RowId) -> Result<Option<Row>, Failure>;
}

/// Reads the rows for one job: shown rows through the cache or with other jobs, the rest from
/// Baserow.
pub(crate) struct JobRows<'a> {
    pub(crate) context: &'a Context,
    pub(crate) journal: &'a mut Journal,
}

impl RowReader for JobRows<'_> {
    fn journal(&mut self) -> &mut Journal {
        self.journal
    }

    async fn shown(&mut self, table: &Table, id: RowId) -> Result<Option<Row>, Failure> {
        let key = RowKey {
            table: table.id,
            row: id,
        };
        if let Some(row) = self.context.cache.row(key).await {
            return Ok(Some(row));
        }
        let row = self.context.linked_row(self.journal, key).await?;
        if let Some(row) = &row {
            self.context.cache.keep_row(table.id, row).await;
        }
        Ok(row)
    }

    async fn current(&mut self, table: &Table, id: RowId) -> Result<Option<Row>, Failure> {
        let key = RowKey {
            table: table.id,
            row: id,
        };
        self.context.row(self.journal, key).await
    }
}

/// A row whose links are followed.
#[derive(Clone, Copy)]
pub(crate) struct Linking<'a> {
    pub(crate) context: &'a Context,
    pub(crate) key: RowKey,
    pub(crate) row: &'a Row,
}

impl Linking<'_> {
    /// The rows that a rule's templates need, in full: the first linked row of each of its links.
    /// `links` maps the templates' names to link fields.
    pub(crate) async fn shown_rows(
        self,
        rule: &str,
        links: &BTreeMap<String, String>,
        reader: &mut impl RowReader,
    ) -> Result<BTreeMap<String, Option<Row>>, Failure> {
        let mut rows = BTreeMap::new();
        for (name, field) in links {
            if self.row.cell(field).is_none() {
                return Err(Failure::broken_rule(format!(
                    "the link field {field:?} does not exist in the table: mend links.{name} of rule {rule:?} in bridge.toml"
                )));
            }
            let linked = match self.row.links(field).first() {
                Some(link) => {
                    let table = self.context.linked_table(reader.journal(), self.key, field).await?;
                    reader.shown(&table, link.id).await?
                }
                None => None,
            };
            rows.insert(name.clone(), linked);
        }
        Ok(rows)
    }

    /// The linked rows that get sub-pages, in the order of the links; none for a rule without a
    /// collection.
    pub(crate) async fn sub_page_rows(
        self,
        rule: &PageRule,
        reader: &mut impl RowReader,
    ) -> Result<Vec<SubPageRow>, Failure> {
        let Some(collection) = &rule.collection else {
            return Ok(Vec::new());
        };
        let mut rows = Vec::new();
        for link in sub_page_links(rule, collection, self.row)? {
            let table = self
                .context
                .linked_table(reader.journal(), self.key, &collection.of)
                .await?;
            // A row that was deleted a moment ago: its own event takes its page away.
            if let Some(row) = reader.current(&table, link.id).await? {
                let key = RowKey {
                    table: table.id,
                    row: link.id,
                };
                let address = self.context.baserow.row_address(&table, key);
                rows.push(SubPageRow { key, row, address });
            }
        }
        Ok(rows)
    }
}

fn sub_page_links<'r>(
    rule: &PageRule,
    collection: &CollectionAction,
    row: &'r Row,
) -> Result<&'r [LinkedRow], Failure> {
    if row.cell(&collection.of).is_none() {
        return Err(Failure::broken_rule(format!(
            "the link field {:?} does not exist in the table: mend collection.of of rule {:?} in bridge.toml",
            collection.of, rule.name
        )));
    }
    let links = row.links(&collection.of);
    if links.len() > MOST_SUB_PAGES {
        return Err(Failure::unmappable(format!(
            "{} rows are linked, a page may have at most {MOST_SUB_PAGES} sub-pages",
            links.len()
        )));
    }
    Ok(links)
}

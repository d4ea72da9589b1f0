//! The conservation line: every accepted item has exactly one outcome, or is still open. Nothing is
//! ever lost without being seen here.
//!
//! Items and outcomes are running totals, added up in the transaction that writes the facts; the
//! open items are counted where they are. The two come from different places on purpose: if a fact
//! were ever applied twice or lost, they would not add up.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{AnyConnection, Row as _};

use super::bulk::Bulk;
use super::fold::Changes;
use super::{Store, StoreError};

/// The ledger in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Deliveries accepted.
    pub deliveries: i64,
    /// Deliveries that came again.
    pub duplicates: i64,
    /// Items accepted: one per row of a delivery, at least one per delivery.
    pub items: i64,
    /// Items without an outcome yet.
    pub open: i64,
    /// Items by outcome.
    pub outcomes: BTreeMap<String, i64>,
}

impl Counts {
    /// Items that are neither open nor ended: 0, or the ledger is broken.
    pub fn missing(&self) -> i64 {
        self.items - self.open - self.outcomes.values().sum::<i64>()
    }

    fn add(&mut self, name: &str, amount: i64) {
        match name {
            "deliveries" => self.deliveries += amount,
            "duplicates" => self.duplicates += amount,
            "items" => self.items += amount,
            "open" => self.open += amount,
            other => {
                let outcome = other.strip_prefix(OUTCOME_PREFIX).unwrap_or(other);
                *self.outcomes.entry(outcome.to_owned()).or_default() += amount;
            }
        }
    }
}

/// Begins the names of the totals by outcome.
pub(super) const OUTCOME_PREFIX: &str = "outcome/";

impl Store {
    /// The ledger in numbers, cheaply.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let statement =
            "SELECT name, amount FROM tallies UNION ALL SELECT 'open', count(*) FROM items WHERE outcome IS NULL";
        let mut counts = Counts::default();
        for row in sqlx::query(statement).fetch_all(&self.pool).await? {
            counts.add(row.try_get("name")?, row.try_get("amount")?);
        }
        Ok(counts)
    }

    /// How many stream records could not be read. They are kept, with their bytes, in
    /// `unreadable_records`.
    pub async fn unreadable_records(&self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar("SELECT count(*) FROM unreadable_records");
        Ok(count.fetch_one(&self.pool).await?)
    }

    /// The same numbers counted row by row, with what has been retired: slow on a large ledger, and
    /// independent of the running totals.
    pub async fn recount(&self) -> Result<Counts, StoreError> {
        let events = sqlx::query(
            "SELECT count(*) AS deliveries, CAST(coalesce(sum(duplicates), 0) AS BIGINT) AS duplicates FROM events",
        )
        .fetch_one(&self.pool)
        .await?;
        let mut counts = Counts {
            deliveries: events.try_get("deliveries")?,
            duplicates: events.try_get("duplicates")?,
            ..Counts::default()
        };
        let items = "SELECT coalesce(outcome, '') AS outcome, count(*) AS amount FROM items GROUP BY outcome";
        for row in sqlx::query(items).fetch_all(&self.pool).await? {
            let (outcome, amount): (String, i64) = (row.try_get("outcome")?, row.try_get("amount")?);
            counts.items += amount;
            if outcome.is_empty() {
                counts.open = amount;
            } else {
                counts.outcomes.insert(outcome, amount);
            }
        }
        let retired = sqlx::query("SELECT name, amount FROM retired");
        for row in retired.fetch_all(&self.pool).await? {
            counts.add(row.try_get("name")?, row.try_get("amount")?);
        }
        Ok(counts)
    }
}

const TALLIES: Bulk = Bulk {
    before: "INSERT INTO tallies (name, amount) VALUES ",
    after: " ON CONFLICT (name) DO UPDATE SET amount = tallies.amount + excluded.amount",
    columns: 2,
};

/// Adds a batch to the running totals, in its own transaction.
pub(super) async fn add(connection: &mut AnyConnection, changes: &Changes<'_>) -> Result<(), StoreError> {
    let mut amounts: BTreeMap<String, i64> = BTreeMap::new();
    let mut count = |name: String, amount: i64| *amounts.entry(name).or_default() += amount;
    for event in &changes.events {
        count("deliveries".to_owned(), 1);
        count("duplicates".to_owned(), event.again.times);
    }
    for again in changes.again.values() {
        count("duplicates".to_owned(), again.times);
    }
    for item in &changes.items {
        count("items".to_owned(), 1);
        if let Some(closing) = &item.closing {
            count(format!("{OUTCOME_PREFIX}{}", closing.outcome.name()), 1);
        }
    }
    for (_, closing) in &changes.closed {
        count(format!("{OUTCOME_PREFIX}{}", closing.outcome.name()), 1);
    }
    let rows: Vec<(String, i64)> = amounts.into_iter().filter(|(_, amount)| *amount > 0).collect();
    TALLIES
        .run(connection, &rows, |query, (name, amount)| {
            query.bind(name.clone()).bind(*amount)
        })
        .await?;
    Ok(())
}

use passerelle_model::config::StoreSettings;
use sqlx::{AnyPool, AssertSqlSafe};
use tempfile::TempDir;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_732_280_000_000);
const MANY: i64 = 40_000;
/// A day is counted in fewer looks, even if each counts but five minutes.
const MOST_LOOKS: u32 = 300;
const NUMBERS: &str = "WITH RECURSIVE n(i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ";

/// A store, and a second way into its file.
struct Filled {
    store: Store,
    pool: AnyPool,
    _folder: TempDir,
}

impl Filled {
    async fn build() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite://{}/store.sqlite", folder.path().display());
        Ok(Self {
            store: Store::open(&StoreSettings::at(url.clone())).await?,
            pool: AnyPool::connect(&url).await?,
            _folder: folder,
        })
    }

    async fn run(&self, statement: String) -> anyhow::Result<()> {
        sqlx::query(AssertSqlSafe(statement)).execute(&self.pool).await?;
        Ok(())
    }

    /// So many items that have ended, the last one at a moment, the others evenly over the time
    /// before.
    async fn ended(&self, count: i64, span: Duration, last: Timestamp) -> anyhow::Result<()> {
        let (last, span) = (last.as_millis(), i64::try_from(span.as_millis())?);
        let first: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
            .fetch_one(&self.pool)
            .await?;
        let numbers = format!("{NUMBERS}{count})");
        self.run(format!(
            "INSERT INTO events (seq, place, delivery_key, event_id, batch, source, kind, table_id, received, payload) {numbers} \
             SELECT {first} + i, 0, 'k' || i, 'event-' || i, 0, 'projet-changed', 'updated', 2, {last}, CAST('x' AS BYTEA) FROM n"
        ))
        .await?;
        self.run(format!(
            "INSERT INTO items (seq, place, item, table_id, row_id, outcome, closed_at) {numbers} \
             SELECT {first} + i, 0, 0, 2, i + 1, 'synced', {last} - i * {span} / {count} FROM n"
        ))
        .await
    }

    /// The ledger is in the store up to a moment.
    async fn read_until(&self, moment: Timestamp) -> anyhow::Result<()> {
        let position = moment.as_millis();
        self.run(format!("UPDATE ledger_position SET position = '{position}-0'"))
            .await
    }

    /// Looks until the whole day is counted.
    async fn whole(&self, history: &mut History, now: Timestamp) -> i64 {
        loop {
            history.refresh(&self.store, now).await;
            let charts = history.charts(now);
            assert_eq!(charts.failed, None);
            if charts.is_whole {
                return charts.day.all.sum();
            }
        }
    }

    /// Looks until so many items are counted.
    async fn counts(&self, history: &mut History, now: Timestamp, wanted: i64) {
        let mut found = 0;
        for _look in 0..MOST_LOOKS {
            found = self.whole(history, now).await;
            if found == wanted {
                return;
            }
        }
        panic!("{found} items are counted, not {wanted}");
    }
}

fn hours(count: u64) -> Duration {
    Duration::from_hours(count)
}

#[tokio::test]
async fn what_is_counted_of_a_day_with_many_events_is_not_counted_again() {
    let filled = Filled::build().await.unwrap();
    filled.ended(MANY, hours(23), NOW).await.unwrap();
    filled.read_until(NOW).await.unwrap();
    let mut history = History::default();
    assert!(!history.charts(NOW).is_whole);
    filled.counts(&mut history, NOW, MANY).await;

    let removed = format!(
        "DELETE FROM items WHERE closed_at < {}",
        NOW.minus(hours(2)).as_millis()
    );
    filled.run(removed).await.unwrap();
    let later = NOW.plus(Duration::from_mins(10));
    filled.ended(7, Duration::from_mins(5), later).await.unwrap();
    filled.read_until(later).await.unwrap();
    filled.counts(&mut history, later, MANY + 7).await;
    let again = filled.whole(&mut History::default(), later).await;
    assert!(again < MANY, "one that starts over finds what is there: {again}");
}

#[tokio::test]
async fn what_the_ledger_told_late_is_counted_as_soon_as_it_is_there() {
    let filled = Filled::build().await.unwrap();
    filled.ended(100, hours(2), NOW.minus(hours(3))).await.unwrap();
    filled.read_until(NOW.minus(hours(3))).await.unwrap();
    let mut history = History::default();
    filled.counts(&mut history, NOW, 100).await;

    filled.ended(50, hours(2), NOW.minus(hours(1))).await.unwrap();
    filled.read_until(NOW).await.unwrap();
    let soon = NOW.plus(Duration::from_secs(1));
    filled.counts(&mut history, soon, 150).await;
}

#[tokio::test]
async fn what_arrived_long_before_it_was_recorded_is_counted_within_the_hour() {
    let filled = Filled::build().await.unwrap();
    filled.read_until(NOW).await.unwrap();
    let mut history = History::default();
    filled.counts(&mut history, NOW, 0).await;

    filled.ended(5, hours(1), NOW.minus(hours(4))).await.unwrap();
    let later = NOW.plus(COUNTED_AGAIN);
    filled.counts(&mut history, later, 5).await;
}

#[tokio::test]
async fn what_cannot_be_counted_costs_nothing_that_is_counted_and_is_tried_again_after_a_while() {
    let filled = Filled::build().await.unwrap();
    filled.ended(100, hours(2), NOW).await.unwrap();
    filled.read_until(NOW).await.unwrap();
    let mut history = History::default();
    filled.counts(&mut history, NOW, 100).await;

    let later = NOW.plus(Duration::from_mins(5));
    filled
        .run("ALTER TABLE items RENAME TO items_away".to_owned())
        .await
        .unwrap();
    history.refresh(&filled.store, later).await;
    let charts = history.charts(later);
    assert_eq!(charts.counted, Some(NOW), "what is drawn says that it is from then");
    assert!(charts.failed.is_some_and(|why| why.contains("items")));
    assert_eq!(charts.day.all.sum(), 100);

    filled
        .run("ALTER TABLE items_away RENAME TO items".to_owned())
        .await
        .unwrap();
    history.refresh(&filled.store, later.plus(Duration::from_secs(1))).await;
    assert!(history.charts(later).failed.is_some(), "not each second");
    history.refresh(&filled.store, later.plus(PAUSE)).await;
    assert_eq!(history.charts(later).failed, None);
}

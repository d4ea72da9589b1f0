//! Every migration on data: a store of each earlier version, filled with what that version could
//! hold, is brought up to date and read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use passerelle_model::id::{EventId, JobKey, PageId, RowId, Slot, TableId};
use passerelle_model::outcome::{IgnoredReason, Outcome};
use passerelle_model::time::{LongAgo, Timestamp};
use passerelle_store::{LinkState, NoticeState, Store};
use rstest::rstest;
use sqlx::migrate::Migrator;
use sqlx::{AnyPool, AssertSqlSafe};

use crate::databases::{Database, open_url};
use crate::history::row;

/// `{"a":1}` as it is stored: compressed, after its length.
const PAYLOAD: &str = "07000000707b2261223a317d";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The migrations with their versions, in order. A number may be missing.
fn migrations() -> anyhow::Result<BTreeMap<i64, PathBuf>> {
    let files = std::fs::read_dir(folder("../../migrations"))?.flatten();
    let migrations = files.map(|file| file.path()).filter_map(|path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".sql")?;
        let number = name.split_once('_')?.0.parse().ok()?;
        Some((number, path))
    });
    Ok(migrations.collect())
}

/// The migrations up to a version.
async fn up_to(version: i64) -> anyhow::Result<Migrator> {
    let some = tempfile::tempdir()?;
    for (_, path) in migrations()?.range(..=version) {
        std::fs::copy(path, some.path().join(path.file_name().unwrap_or_default()))?;
    }
    Ok(Migrator::new(some.path()).await?)
}

/// A store of a version, each of its migrations applied to what the versions before have left.
async fn fill(url: &str, version: i64) -> anyhow::Result<()> {
    sqlx::any::install_default_drivers();
    let pool = AnyPool::connect(url).await?;
    let payload = if url.starts_with("sqlite:") {
        format!("X'{PAYLOAD}'")
    } else {
        format!("'\\x{PAYLOAD}'::bytea")
    };
    for &version in migrations()?.range(..=version).map(|(version, _)| version) {
        up_to(version).await?.run(&pool).await?;
        let data = folder(&format!("tests/data/{version:04}.sql"));
        let data = std::fs::read_to_string(&data).with_context(|| format!("{} is missing", data.display()))?;
        let data = data.replace("{payload}", &payload);
        sqlx::raw_sql(AssertSqlSafe(data)).execute(&pool).await?;
    }
    pool.close().await;
    Ok(())
}

async fn reads_the_ledger(store: &Store, version: i64) -> anyhow::Result<()> {
    ensure!(store.ledger_position().await?.as_deref() == Some("1732280000005-0"));
    let events = store.trace_event(&EventId::parse("ended")?).await?;
    let event = events.first().context("an event is gone")?;
    let outcomes: Vec<_> = event.items.iter().map(|item| item.outcome.clone()).collect();
    ensure!(outcomes == [Some(Outcome::Synced), Some(Outcome::Ignored(IgnoredReason::NoRule))]);
    ensure!(event.items[0].attempts.len() == 1 && event.items[0].acts.len() == 1 && event.duplicates == 1);
    ensure!(store.payload(event.seq, event.place).await?.as_deref() == Some(br#"{"a":1}"#.as_slice()));
    let pending = store.trace_row(row(7)?, 10).await?;
    ensure!(pending.len() == 1 && pending[0].items[0].outcome.is_none());
    ensure!(store.unreadable_records().await? == 1);
    let (counts, recount) = (store.counts().await?, store.recount().await?);
    ensure!(counts == recount && counts.missing() == 0, "{counts:?}\n{recount:?}");
    if version >= 5 {
        let job = JobKey::parse("page/019a0000-0000-7000-8000-000000000001")?;
        ensure!(store.trace_job(&job, 10).await?.len() == 1);
    }
    Ok(())
}

async fn reads_the_pages(store: &Store) -> anyhow::Result<()> {
    let links = store.links_of_table(TableId::new(2)?, None, 100).await?;
    let states: Vec<_> = links.into_iter().map(|link| (link.state, link.version)).collect();
    let wanted = [
        LinkState::Synced("00ff".to_owned()),
        LinkState::Trashed,
        LinkState::Marked,
        LinkState::Unconfirmed,
        LinkState::Unknown,
    ];
    ensure!(states == wanted.map(|state| (state, 1)), "{states:?}");
    let link = store.link(row(5)?, &Slot::page()).await?.context("a link is gone")?;
    ensure!(store.save_link(&link).await?.version == 2);
    let intent = store.open_intent(row(10)?, &Slot::page(), Timestamp::now()).await?;
    ensure!(intent.existed && intent.token == 3 && intent.started.as_millis() == 1_732_280_000_002);
    Ok(())
}

async fn reads_the_notices(store: &Store) -> anyhow::Result<()> {
    let waiting = JobKey::parse("notice/waiting/0123456789abcdef")?;
    let found = store.notice(&waiting).await?.context("a notice is gone")?;
    ensure!(found.state == NoticeState::Waiting && found.tries == 2);
    ensure!(store.begin_sending(&waiting, Timestamp::from_millis(1)).await?);
    let sent = JobKey::parse("notice/sent/0123456789abcdef")?;
    ensure!(store.notice(&sent).await?.context("a notice is gone")?.state == NoticeState::Sent);
    Ok(())
}

async fn reads_the_numbers_and_the_failed(store: &Store) -> anyhow::Result<()> {
    let life = store.life().await?.context("a life is gone")?;
    ensure!(life.entries == Some(12));
    let failed = store.notice_lines(Some(NoticeState::Failed), None, 10).await?;
    let failed: Vec<_> = failed.iter().map(|notice| notice.id.to_string()).collect();
    ensure!(failed == ["notice/failed/0123456789abcdef"], "{failed:?}");
    Ok(())
}

async fn reads_the_wiki(store: &Store) -> anyhow::Result<()> {
    let page = PageId::parse("019a0000-0000-7000-8000-000000000001")?;
    let known = store
        .page_row(&page, TableId::new(3)?)
        .await?
        .context("a page's row is gone")?;
    ensure!(known.row == Some(RowId::new(12)?) && known.content_hash == "aa");
    ensure!(store.knows_share("share-1").await?);
    let creates = store
        .unconfirmed_creates(LongAgo::of_age(Duration::ZERO, Timestamp::now()), 10)
        .await?;
    ensure!(creates.len() == 1 && creates[0].row == row(8)?);
    Ok(())
}

async fn reads_the_sections(store: &Store) -> anyhow::Result<()> {
    let section = async |page: &str| {
        let section = store.section(&PageId::parse(page)?).await?;
        section.context("a section is gone")
    };
    let pasted = section("019a0000-0000-7000-8000-000000000005").await?;
    ensure!((pasted.block.as_str(), pasted.fingerprint.as_str(), pasted.taken) == ("pasted", "ff00", None));
    let taken = section("019a0000-0000-7000-8000-000000000006").await?;
    ensure!(taken.taken == Some(Timestamp::from_millis(1_732_280_000_009)));
    Ok(())
}

async fn reads_all(store: &Store, version: i64) -> anyhow::Result<()> {
    reads_the_ledger(store, version).await?;
    if version >= 2 {
        reads_the_pages(store).await?;
    }
    if version >= 3 {
        reads_the_notices(store).await?;
    }
    if version >= 5 {
        reads_the_wiki(store).await?;
    }
    if version >= 10 {
        reads_the_sections(store).await?;
    }
    if version >= 13 {
        reads_the_numbers_and_the_failed(store).await?;
    }
    let bridge = store.bridge("k3x9").await?;
    let word = if version >= 7 { "w1" } else { "k3x9" };
    ensure!(
        bridge.instance == word && bridge.has_older_marks == (version >= 2),
        "{bridge:?}"
    );
    ensure!(store.bridge("other").await? == bridge, "the first word stays");
    store.check_write().await?;
    Ok(())
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_store_of_any_earlier_version_is_brought_up_to_date_and_read_as_it_was_written(
    #[case] database: anyhow::Result<Database>,
) {
    let database = database.unwrap();
    let mut versions: Vec<i64> = migrations().unwrap().into_keys().collect();
    versions.pop();
    for version in versions {
        let url = database.url_of(&format!("version_{version}")).await.unwrap();
        fill(&url, version).await.unwrap();
        let store = open_url(&url).await.unwrap();
        reads_all(&store, version)
            .await
            .with_context(|| format!("version {version}"))
            .unwrap();
    }
}

//! The test row: made as a person makes it, so that its page shows that everything works, from the
//! webhook to the wiki.

use std::collections::BTreeMap;
use std::time::Duration;

use passerelle_model::event::EventKind;
use passerelle_model::id::{PageId, RowKey, TableId};
use passerelle_queue::{Queue, QueueName, Redis};
use passerelle_worker::clients::baserow::Baserow;
use passerelle_worker::clients::baserow::user::BaserowUser;
use passerelle_worker::clients::docmost::{Docmost, Page};
use passerelle_worker::content::row::Row;
use passerelle_worker::journal::Journal;
use passerelle_worker::lookups::tables::is_table;
use passerelle_worker::rules::{PageRule, Rules};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::{Setup, State, TestRow, failed};
use crate::all;
use crate::arguments::By;
use crate::operator::who;
use crate::trouble::Trouble;

/// What the test row is called.
const NAME: &str = "Passerelle: test row";
/// How long the page may take.
const PATIENCE: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Where the test row is, or will be.
struct Place {
    baserow: Baserow,
    docmost: Docmost,
    queue: Queue,
    table: TableId,
    table_name: String,
    /// The field with the row's name.
    field: String,
    /// The field that the bridge writes the page's id to.
    page_id: String,
}

/// The rule that the test row tries.
struct Tried<'a> {
    rule: &'a PageRule,
    page_id: &'a str,
}

impl<'a> Tried<'a> {
    /// The first that makes a page of a new row and writes its id back.
    fn of(rules: &'a Rules) -> Option<Self> {
        let mut pages = rules.pages();
        pages.find_map(|rule| {
            let page_id = rule.page.write_back.page_id.as_deref()?;
            rule.on.contains(&EventKind::Created).then_some(Self { rule, page_id })
        })
    }
}

impl Setup<'_> {
    /// Makes the test row and gives the address of its page, or takes both away.
    pub(super) async fn trial(
        &mut self,
        redis: &Redis,
        rules: &Rules,
        user: &BaserowUser,
    ) -> Result<Option<String>, Trouble> {
        let wanted = self.verb.test_row;
        if wanted == TestRow::None {
            return Ok(None);
        }
        let Some(tried) = Tried::of(rules) else {
            let what = "no rule makes a page of a new row and writes its id back: no row is made to try it";
            self.tell(State::Note, what.to_owned());
            return Ok(None);
        };
        if self.verb.dry_run {
            // Without a token or a table there is no such row.
            let is_there = match self.place(redis, &tried, user).await {
                Ok(place) => place.row().await?.is_some(),
                Err(_) => false,
            };
            let (state, deed) = match (wanted, is_there) {
                (TestRow::Remove, true) => (State::Planned, "take away"),
                (TestRow::Remove, false) => (State::Kept, "there is no"),
                (_, true) => (State::Kept, "there is a"),
                (_, false) => (State::Planned, "make"),
            };
            let table = &tried.rule.table;
            self.tell(state, format!("{table}: {deed} row {NAME:?} with its page"));
            return Ok(None);
        }
        let place = self.place(redis, &tried, user).await?;
        if wanted == TestRow::Remove {
            return self.remove(&place, user).await.map(|()| None);
        }
        let page = self.page_of_test_row(&place, user).await?;
        if self
            .asker
            .yes(&format!("{page}\nTake the test row and its page away again?"))
            .await
        {
            self.remove(&place, user).await?;
            return Ok(None);
        }
        Ok(Some(page))
    }

    async fn place(&self, redis: &Redis, tried: &Tried<'_>, user: &BaserowUser) -> Result<Place, Trouble> {
        let Tried { rule, page_id } = tried;
        let baserow = self.baserow(redis)?;
        let cure = "Run it again; `passerelle doctor` says more";
        let tables = baserow.tables(&mut Journal::default()).await;
        let tables = tables.map_err(|failure| failed(&failure, cure))?;
        let mut meant = tables.into_iter().filter(|table| is_table(&rule.table, table));
        let (Some(table), None) = (meant.next(), meant.next()) else {
            return Err(Trouble::NotFound(format!(
                "BASEROW_TOKEN does not see exactly one table {}: give the token rights to it",
                rule.table
            )));
        };
        let fields = user.fields(table.id).await.map_err(|failure| failed(&failure, cure))?;
        let mut texts = fields
            .into_iter()
            .filter(|field| field.kind == "text" && !field.read_only);
        let field = texts.find(|field| field.name != *page_id).ok_or_else(|| {
            let table = &table.name;
            Trouble::NotFound(format!(
                "{table} has no text field for a name: leave the test out with --test-row none"
            ))
        })?;
        Ok(Place {
            docmost: self.docmost(redis)?,
            baserow,
            queue: Queue::new(redis.clone(), QueueName::Sync),
            table: table.id,
            table_name: table.name,
            field: field.name,
            page_id: (*page_id).to_owned(),
        })
    }

    /// The address of its page.
    async fn page_of_test_row(&mut self, place: &Place, user: &BaserowUser) -> Result<String, Trouble> {
        if let Some(row) = place.row().await?
            && let Some(page) = place.page(&row).await?
        {
            self.tell(
                State::Kept,
                format!("{}: the row {NAME:?} with its page", place.table_name),
            );
            return Ok(place.docmost.page_address(&page.slug_id));
        }
        if place.has_workers().await? {
            // One that was killed counts for a while.
            tokio::select! {
                page = self.wait_for_page(place, user) => return page,
                gone = until(async || Ok((!place.has_workers().await?).then_some(()))) => gone?,
            }
        }
        let what = "no bridge is running: one runs for the test row, and stops then";
        self.tell(State::Note, what.to_owned());
        let stop = CancellationToken::new();
        let reader = self.settings.reader();
        let bridge = async {
            let ended = Box::pin(all::parts(reader, &stop)).await;
            stop.cancel();
            ended
        };
        let page = async {
            let page = tokio::select! {
                page = self.wait_for_page(place, user) => page,
                () = stop.cancelled() => Err(Trouble::Failed("the bridge ended before the page was made".to_owned())),
            };
            stop.cancel();
            page
        };
        let (bridge, page) = tokio::join!(bridge, page);
        bridge?;
        page
    }

    async fn wait_for_page(&mut self, place: &Place, user: &BaserowUser) -> Result<String, Trouble> {
        let made = timeout(PATIENCE, async {
            until(async || Ok(place.has_workers().await?.then_some(()))).await?;
            match place.row().await? {
                // Of a run that was broken off: its webhook may have called nobody.
                Some(row) => self.request_sync(place, &row).await?,
                None => self.make_row(place, user).await?,
            }
            until(async || match place.row().await? {
                Some(row) => place.page(&row).await,
                None => Ok(None),
            })
            .await
        });
        let page = made.await.map_err(|_| {
            Trouble::Failed(format!(
                "{}: the row {NAME:?} got no page within {} s. Does Baserow reach the address of --url? See `passerelle \
                 doctor`. Then run it again",
                place.table_name,
                PATIENCE.as_secs()
            ))
        })??;
        self.tell(
            State::Made,
            format!("{}: the page of the row {NAME:?}", place.table_name),
        );
        Ok(place.docmost.page_address(&page.slug_id))
    }

    async fn request_sync(&self, place: &Place, row: &Row) -> Result<(), Trouble> {
        let by = By {
            by: self.verb.by.clone(),
        };
        let user = self.settings.get("USER").or_else(|| self.settings.get("BASEROW_EMAIL"));
        let why = "the test row of an installation";
        place.queue.force(place.key(row), &who(by, user)?, why).await?;
        Ok(())
    }

    async fn make_row(&mut self, place: &Place, user: &BaserowUser) -> Result<(), Trouble> {
        let fields = BTreeMap::from([(place.field.as_str(), NAME)]);
        let row = user.create_row(place.table, &fields).await;
        let row = row.map_err(|failure| failed(&failure, "Run it again"))?;
        self.tell(State::Made, format!("{}: row {row}, {NAME:?}", place.table_name));
        Ok(())
    }

    /// The page first: a run that is broken off in between finds it again by the row.
    async fn remove(&mut self, place: &Place, user: &BaserowUser) -> Result<(), Trouble> {
        let Some(row) = place.row().await? else {
            self.tell(State::Kept, format!("{}: there is no row {NAME:?}", place.table_name));
            return Ok(());
        };
        let cure = "Run it again";
        if let Some(page) = place.page(&row).await? {
            let trashed = place.docmost.trash(&mut Journal::default(), &page.id).await;
            trashed.map_err(|failure| failed(&failure, cure))?;
        }
        let deleted = user.delete_row(place.key(&row)).await;
        deleted.map_err(|failure| failed(&failure, cure))?;
        let what = format!("{}: row {} and its page are in the trash", place.table_name, row.id());
        self.tell(State::Made, what);
        Ok(())
    }
}

impl Place {
    fn key(&self, row: &Row) -> RowKey {
        RowKey {
            table: self.table,
            row: row.id(),
        }
    }

    /// The test row, if it is there.
    async fn row(&self) -> Result<Option<Row>, Trouble> {
        let mut journal = Journal::default();
        let rows = self
            .baserow
            .rows_with(&mut journal, self.table, &self.field, NAME)
            .await;
        let rows = rows.map_err(|failure| failed(&failure, "Run it again"))?;
        Ok(rows.into_iter().next())
    }

    /// The page of the row, unless it is in the trash.
    async fn page(&self, row: &Row) -> Result<Option<Page>, Trouble> {
        let Some(id) = row.text(&self.page_id).and_then(|id| PageId::parse(id).ok()) else {
            return Ok(None);
        };
        let page = self.docmost.page(&mut Journal::default(), &id).await;
        let page = page.map_err(|failure| failed(&failure, "Run it again"))?;
        Ok(page.filter(|page| page.deleted_at.is_none()))
    }

    /// Whether a bridge is running.
    async fn has_workers(&self) -> Result<bool, Trouble> {
        Ok(!self.queue.workers().await?.is_empty())
    }
}

/// Looks until there is something.
async fn until<T>(look: impl AsyncFn() -> Result<Option<T>, Trouble>) -> Result<T, Trouble> {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Some(found) = look().await? {
            return Ok(found);
        }
    }
}

//! The life of one job, on one screen. **Read this file first.**
//!
//! **What a job is.** "Make the page equal to the row": level-triggered, keyed by (table, row). A
//! job answers every event of its row that was accepted before it began; what those events said is
//! irrelevant, because the row is read again. So order, staleness and repetition of events do not
//! matter, and an old dead letter that is replayed cannot overwrite newer data.
//!
//! **Properties.** (1) Every way out is a named [`Outcome`] or a [`Failure`]; there is no third,
//! and nothing is dropped as a success. (2) Every step may be repeated: the queue promises *at
//! least once*, [`apply`](crate::sync::apply) makes of it *one effect*. (3) Nothing here decides
//! about retries: a failure climbs unchanged, and [`failure::verdict`] is asked once, at the end.
//! (4) Every call is in the journal, so that `trace` can show the story.
//!
//! **Races.** The row changes while we work: its event marks the running job dirty, and it runs
//! again. The row is deleted while we work: the write back finds no row, the next attempt takes the
//! way of a deleted row. The worker dies: the lease expires and another one starts from the top.
//!
//! **Notices.** Rules of a table may also notify people of its events, one by one: see [`notify`].
//! That happens before the page, and its failure is looked at after it, so that neither prevents
//! the other.
//!
//! **Where is the echo check?** Our own writes are sent without webhooks, the ingress closes what
//! differs in nothing but our own fields, and what still gets here ends as `no_change` by its hash,
//! without a call to Docmost.

use passerelle_model::event::EventKind;
use passerelle_model::id::{JobKey, RowKey, TableId};
use passerelle_model::job::{EventKinds, Job};
use passerelle_model::ledger::{Settlement, Verdict};
use passerelle_model::outcome::{IgnoredReason, Outcome};
use passerelle_model::time::Timestamp;

use crate::clients::baserow::Table;
use crate::content::row::Row;
use crate::context::Context;
use crate::crash::CrashPoint;
use crate::failure::{self, Failure};
use crate::journal::Journal;
use crate::lookups::repeats;
use crate::maintenance::tasks::comparisons;
use crate::notify::{self, Notified, RowNotices, broken_rule};
use crate::outage;
use crate::rules::{PageRule, Plan, Subject, reacts};
use crate::sync::apply::{Work, apply, delete_pages, is_applied};
use crate::sync::dependents;
use crate::sync::linked_rows::{JobRows, Linking};
use crate::sync::parking;
use crate::wiki;

/// Reads of a row that is not there: a webhook may arrive a moment before the row can be read (C2).
const READS: usize = 3;
/// The time between them.
const READ_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(200);

/// Attempts a job and says how it ended.
pub async fn process(context: &Context, job: &Job, chance: f64) -> Settlement {
    let started = Timestamp::now();
    let mut journal = Journal::default();
    // Boxed: what a whole sync remembers is large, and callers should not carry it on their stacks.
    let attempted = Box::pin(attempt(context, job, &mut journal)).await;
    outage::report_store(&context.gates, &attempted);
    let attempted = match attempted {
        Err(failure) => Err(broken_rule::hold(context, job, failure, &mut journal).await),
        done => done,
    };
    let verdict = match attempted {
        Ok(outcome) => Verdict::Done(outcome),
        Err(failure) => failure::verdict(&failure, outage::history(&context.gates, job, &failure).await, chance),
    };
    Settlement {
        verdict,
        steps: journal.into_steps(),
        started,
    }
}

/// What a job is about, once its table is known.
struct Assignment<'a> {
    table: &'a Table,
    rule: &'a PageRule,
    key: RowKey,
    job: &'a Job,
}

async fn attempt(context: &Context, job: &Job, journal: &mut Journal) -> Result<Outcome, Failure> {
    let key = match &job.key {
        JobKey::Row(row) => *row,
        JobKey::Page(page) => return wiki::sync_page(context, page, journal).await,
        JobKey::Share(share) => return wiki::report_share(context, share, journal).await,
        JobKey::Table(table) => return comparisons::request(context, *table, job, journal).await,
        JobKey::Notice(_) | JobKey::Foreign(_) => {
            return Err(Failure::unmappable(
                "this job is about no row, table, wiki page or share",
            ));
        }
    };
    let Some(table) = context.tables.get(&context.baserow, journal, key.table).await? else {
        return without_table(context, key.table, journal).await;
    };
    parking::keep_out(context, &table, key).await?;
    // Whatever the event: what is remembered of this row is old now, also where it is only the
    // linked row of others.
    context.cache.forget_row(key).await;
    let propagated = dependents::propagate(context, &table, key, job, journal).await?;
    let rule = page_rule(context, &table, journal).await?;
    let rule = rule.filter(|rule| reacts(rule, job.kinds));
    notify::look_again(context, &table, job, journal).await?;
    let notices = notify::rules_for(context, &table, job, journal).await?;
    if rule.is_none() && notices.is_empty() {
        return Ok(without_a_page(propagated));
    }
    let page_id = rule.and_then(|rule| rule.page.write_back.page_id.as_deref());
    let row = read_row(context, key, page_id, journal).await?;
    let row_notices = RowNotices {
        context,
        table: &table,
        key,
        row: row.as_ref(),
    };
    // A failed notice must not prevent the page, so it is looked at afterwards.
    let notified = row_notices.notify(&notices, job, journal).await;
    let outcome = match (rule, &row) {
        (Some(rule), Some(row)) => {
            let table = &table;
            sync(context, &Assignment { table, rule, key, job }, row, journal).await?
        }
        (Some(rule), None) if reacts(rule, EventKinds::of(EventKind::Deleted)) => {
            context.repeats.forget(key).await;
            let looks = looks(job);
            delete_pages(context, rule, key, Work { looks, journal }).await?
        }
        (None, Some(_)) => without_a_page(propagated),
        (_, None) => Outcome::RowNotFound,
    };
    Ok(with_notices(outcome, notified?))
}

/// How the event of a row ends whose table our token does not see: a rule that means the table or
/// shows its rows is broken, and without one there is nothing to do.
async fn without_table(context: &Context, id: TableId, journal: &mut Journal) -> Result<Outcome, Failure> {
    let pages = context.rules.pages().map(|rule| (&rule.name, &rule.table));
    let notices = context.rules.notices().map(|rule| (&rule.name, &rule.table));
    for (rule, table) in pages.chain(notices) {
        if context.meant(table).await? == Some(id) {
            return Err(Failure::broken_rule(format!(
                "BASEROW_TOKEN does not see the table t{id} of rule {rule:?} any more: take it out of Baserow's trash, \
                 give the token rights on it, or take the rule out of bridge.toml"
            )));
        }
    }
    match dependents::shown_by(context, id, journal).await? {
        Some(rule) => Err(Failure::broken_rule(format!(
            "BASEROW_TOKEN does not see the table t{id}, whose rows the pages of rule {rule:?} show: take it out of \
             Baserow's trash, or give the token rights on it"
        ))),
        None => Ok(Outcome::Ignored(IgnoredReason::NoRule)),
    }
}

/// The rule that makes the pages of a table. There is at most one: two rules must not fight over a
/// row's page.
async fn page_rule<'a>(
    context: &'a Context,
    table: &Table,
    journal: &mut Journal,
) -> Result<Option<&'a PageRule>, Failure> {
    for rule in context.rules.pages() {
        if context.is_table(journal, &rule.table, table).await? {
            return Ok(Some(rule));
        }
    }
    Ok(None)
}

/// Whether an attempt looks at the wiki, whatever the store believes: an operator or the
/// reconciliation asked for it.
fn looks(job: &Job) -> bool {
    job.kinds.contains(EventKind::Forced)
}

/// How the event of a row ends that has no page of its own, but may be shown on the pages of
/// others.
fn without_a_page(propagated: Option<usize>) -> Outcome {
    match propagated {
        None => Outcome::Ignored(IgnoredReason::NoRule),
        Some(0) => Outcome::NoChange,
        Some(_) => Outcome::Synced,
    }
}

/// A notice is an effect like a page that was written; a look that found no notice due is no
/// change.
fn with_notices(outcome: Outcome, notified: Notified) -> Outcome {
    match (notified, outcome) {
        (Notified::Something, Outcome::NoChange | Outcome::RowNotFound | Outcome::Ignored(_)) => Outcome::Synced,
        (Notified::Nothing, Outcome::Ignored(IgnoredReason::NoRule)) => Outcome::NoChange,
        (_, outcome) => outcome,
    }
}

/// Plan, apply, and let the look-ups of others know.
async fn sync(
    context: &Context,
    assignment: &Assignment<'_>,
    row: &Row,
    journal: &mut Journal,
) -> Result<Outcome, Failure> {
    CrashPoint::AfterRowRead.pass();
    let Assignment { table, rule, key, job } = *assignment;
    let linking = Linking { context, key, row };
    let mut reader = JobRows { context, journal };
    let links = linking.shown_rows(&rule.name, &rule.links, &mut reader).await?;
    let address = context.baserow.row_address(table, key);
    let subject = Subject {
        bridge: &context.bridge().await?.instance,
        key,
        row,
        links: &links,
        address: &address,
    };
    let blame = |failure| context.rules.blame(rule, row, failure);
    let page = context.rules.plan(rule, &subject).map_err(blame)?;
    let linked = linking.sub_page_rows(rule, &mut reader).await?;
    let pages = context.rules.plan_sub_pages(rule, &subject, &linked)?;
    let plan = Plan {
        page,
        sub_pages: linked.iter().zip(pages).collect(),
    };
    CrashPoint::AfterPlan.pass();
    let state = repeats::state_of(&plan);
    if let Some(wait) = context.repeats.wait(key, &state).await
        && repeats::applies_to(job)
        && !is_applied(context, rule, &subject, &plan.page).await?
    {
        return Err(repeats::too_soon(wait));
    }
    let looks = looks(job);
    let outcome = apply(context, rule, &subject, &plan, Work { looks, journal }).await?;
    if outcome == Outcome::Synced {
        context.repeats.remember(key, &state).await;
    }
    context.cache.forget_row(key).await;
    CrashPoint::AfterInvalidate.pass();
    Ok(outcome)
}

async fn read_row(
    context: &Context,
    key: RowKey,
    page_id: Option<&str>,
    journal: &mut Journal,
) -> Result<Option<Row>, Failure> {
    let mut row = context.row_of_job(journal, key, page_id).await?;
    for _ in 1..READS {
        if row.is_some() {
            break;
        }
        tokio::time::sleep(READ_AGAIN_AFTER).await;
        row = context.row(journal, key).await?;
    }
    Ok(row)
}

//! Makes one page equal to what the rules want, so that doing it twice, or half and then again,
//! ends in the same wiki.
//!
//! **Needs.** At most one page per row and slot, ever (E1–E4 of the specification), and the newest
//! state on it: across crashes at any line of this module, lost answers, and calls that Docmost
//! carries out long after we gave up on them ("zombie writes").
//!
//! **What there is to build on.** Docmost has no idempotency: the same create twice is two pages.
//! The queue runs a row once at a time, by a lease. A worker whose lease is over stops by its own
//! clock and sends nothing more ([`crate::clients::lease`]). A call that it had sent just before
//! may still run. So SQL is the last word: an attempt that was overtaken can neither send a create
//! nor save a link.
//!
//! **The order of a first sync**, and what a crash after each step leaves:
//!
//! | step | a crash after it leaves | the next attempt |
//! |---|---|---|
//! | looked for an earlier page | nothing | starts over |
//! | intent stored, link read again | nothing in the wiki | looks everywhere, finds nothing, waits out the window, creates |
//! | page created, token in its text | a page without label | finds it by token, labels it |
//! | label set | a page without link | finds it by label |
//! | link stored | a row that does not know its page | sees the equal hash, writes back |
//! | row written back | nothing to do | sees no difference |
//!
//! **The order of an update**, of a trashing, and of a page that was found again, once its link is
//! stored:
//!
//! | step | a crash after it leaves | the next attempt |
//! |---|---|---|
//! | link stored as unconfirmed | a page that may be old or new | writes it, and once more when the window is over |
//! | page written | the same | the same |
//! | link stored with the new hash | nothing to do | sees no difference |
//!
//! **Decisions.**
//! - The look-up by label before the *first* create costs one call per new page and makes a lost
//!   store survivable: the wiki itself knows.
//! - After an unknown outcome "not found" proves nothing until the call's time-out and the zombie
//!   window are over. The job is *held* until then, which spends no attempt. A page created after
//!   that stays [`passerelle_store::LinkState::Unconfirmed`] for another window, because abandoned
//!   calls were seen to run later still. The oldest page wins, the others go to the trash, and the
//!   steps say so. Later calls are found by the clean-up ([`crate::maintenance::tasks`]), which
//!   looks after such creates for a day.
//! - A write of unknown outcome may undo a newer one. So the link stays unconfirmed until the old
//!   write can no longer be carried out; then the page is written once more (`unconfirmed.rs`).
//!   What Docmost has answered leaves nothing to wait for, and a read changes nothing.
//! - A page that people put into the trash while its row lives is taken out again, or stays there,
//!   as the rule says. The same goes for a page that people moved.
//! - The hash of the state last written is kept with the link: equal hash, no call to Docmost at
//!   all (D3), unless the sync is forced: then the page itself is looked at, with what follows the
//!   row in its text.

mod collection;
mod deletion;
mod find;
mod group;
mod look;
mod page;
mod section;
mod trash;
mod unconfirmed;
mod update;
mod write_back;

use passerelle_model::config::WriteBack;
use passerelle_model::id::RowKey;
use passerelle_model::outcome::Outcome;
use passerelle_store::{Link, LinkState};

pub use deletion::delete_pages;
pub(crate) use find::duplicate_pages;
pub(crate) use section::text_difference;

use crate::content::page::DesiredPage;
use crate::content::row::Row;
use crate::context::Context;
use crate::crash::CrashPoint;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::{PageRule, Plan, Subject};
use unconfirmed::check_again_later;

/// The row that shows its page's id and address, and in which fields.
#[derive(Clone, Copy)]
struct WriteBackTarget<'a> {
    key: RowKey,
    row: &'a Row,
    fields: &'a WriteBack,
}

/// One page of a plan being carried out.
struct Application<'a, 'j> {
    context: &'a Context,
    /// The row whose job this is: its marks and its links are the page's.
    owner: RowKey,
    target: WriteBackTarget<'a>,
    page: &'a DesiredPage,
    /// Whether the wiki is looked at, whatever the store believes.
    looks: bool,
    journal: &'j mut Journal,
}

/// How an attempt works.
pub struct Work<'j> {
    /// Whether it looks at the wiki, whatever the store believes: a forced sync does.
    pub looks: bool,
    /// Where its steps are noted.
    pub journal: &'j mut Journal,
}

/// Whether the row's own page is as desired and the row knows it, as far as is known without asking
/// anybody.
pub async fn is_applied(
    context: &Context,
    rule: &PageRule,
    subject: &Subject<'_>,
    page: &DesiredPage,
) -> Result<bool, Failure> {
    let Some(link) = context.store.link(subject.key, &page.slot).await? else {
        return Ok(false);
    };
    let target = WriteBackTarget {
        key: subject.key,
        row: subject.row,
        fields: &rule.page.write_back,
    };
    Ok(link.state.is_synced(&page.hash) && write_back::missing(context, target, &link)?.is_empty())
}

/// Makes the pages exist as desired, parents before children, and the rows know them.
pub async fn apply(
    context: &Context,
    rule: &PageRule,
    subject: &Subject<'_>,
    plan: &Plan<'_>,
    work: Work<'_>,
) -> Result<Outcome, Failure> {
    let Work { looks, journal } = work;
    collection::expect_restored(context, rule, subject.key, plan, looks).await?;
    let target = WriteBackTarget {
        key: subject.key,
        row: subject.row,
        fields: &rule.page.write_back,
    };
    let mut application = Application {
        context,
        owner: subject.key,
        target,
        page: &plan.page,
        looks,
        journal,
    };
    let (link, mut has_changed) = application.ensure_in_group().await?;
    CrashPoint::AfterWriteBack.pass();
    let swept = check_again_later(context, &link);
    // Nothing can be put below a page in the trash.
    if link.state != LinkState::Left {
        let work = Work { looks, journal };
        has_changed |= collection::apply_sub_pages(context, rule, &link, plan, work).await?;
    }
    swept?;
    Ok(if has_changed {
        Outcome::Synced
    } else {
        Outcome::NoChange
    })
}

impl Application<'_, '_> {
    /// The same for a row's own page, whose group page is made first if anything is to be done.
    async fn ensure_in_group(&mut self) -> Result<(Link, bool), Failure> {
        let page = self.page;
        let Some(group) = &page.group else {
            return self.ensure().await;
        };
        let link = self.context.store.link(self.owner, &self.page.slot).await?;
        let believed_equal = link.is_some_and(|link| link.state.is_synced(&self.page.hash));
        if believed_equal && !self.looks {
            return self.ensure().await;
        }
        let page = self.page.in_group(self.group_page(group).await?);
        let mut application = Application {
            page: &page,
            journal: &mut *self.journal,
            ..*self
        };
        application.ensure().await
    }

    /// The page as desired and the row knowing it; and whether anything was written.
    async fn ensure(&mut self) -> Result<(Link, bool), Failure> {
        let (link, page_changed) = self.ensure_page().await?;
        let row_changed = self.write_back(&link).await?;
        Ok((link, page_changed || row_changed))
    }
}

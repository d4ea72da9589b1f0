//! Lists as plain columns, for files.

use passerelle_model::id::TableId;
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::{DeadLetter, QueueName};
use passerelle_store::{ActLine, Line, Link, Listed, NoticeState, StoredNotice};

use super::{lists, operate, redacted, rows};
use crate::entrance::visitor::Visitor;

/// Which list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    Events(Listed),
    Acts,
    Notices(Option<NoticeState>),
    Letters(QueueName),
    Rows(Option<TableId>),
}

/// A list as somebody may see it.
pub(super) struct Sheet {
    visitor: Visitor,
    which: Which,
}

/// Lines, and the key after which the next ones begin.
type Page = (Vec<Vec<String>>, Option<String>);

impl Sheet {
    pub(super) fn new(visitor: Visitor, which: Which) -> Self {
        Self { visitor, which }
    }

    /// The names of its columns.
    pub(super) fn columns(&self) -> &'static [&'static str] {
        match self.which {
            Which::Events(_) => &[
                "event", "source", "kind", "received", "job", "outcome", "reason", "ended",
            ],
            Which::Acts => &["at", "by", "act", "on", "why"],
            Which::Notices(_) => &[
                "notice", "kind", "channel", "rule", "row", "created", "state", "ended", "tries", "error",
            ],
            Which::Letters(_) => &[
                "letter", "job", "died", "reason", "system", "failure", "message", "attempts", "deaths",
            ],
            Which::Rows(_) => &["row", "slot", "page", "slug", "space", "written"],
        }
    }

    /// Up to `most` lines after a key, the newest first.
    pub(super) async fn page(&self, after: &str, most: u32) -> Result<Page, String> {
        let store = &self.visitor.desk().store;
        let text = |error: passerelle_store::StoreError| error.to_string();
        let page = match &self.which {
            Which::Events(listed) => {
                let found = store.lines(listed, lists::key(after), most).await.map_err(text)?;
                (
                    found.iter().map(event).collect(),
                    found.last().map(|line| lists::written(&line.key)),
                )
            }
            Which::Acts => {
                let found = store.act_lines(lists::act_key(after), most).await.map_err(text)?;
                (found.iter().map(act).collect(), found.last().map(lists::written_act))
            }
            Which::Notices(state) => {
                let key = operate::notice_key(after);
                let found = store.notice_lines(*state, key.as_ref(), most).await.map_err(text)?;
                let lines = found.iter().map(|one| self.notice(one)).collect();
                (lines, found.last().map(operate::written_notice))
            }
            Which::Letters(name) => {
                let (after, most) = (
                    Some(after).filter(|after| !after.is_empty()),
                    usize::try_from(most).unwrap_or(usize::MAX),
                );
                let queue = self.visitor.desk().queue_of(*name);
                let mut found = queue
                    .dead_letters(after, most)
                    .await
                    .map_err(|error| error.to_string())?;
                let next = found.last().map(|letter| letter.id.clone());
                (found.iter_mut().map(|one| self.letter(one)).collect(), next)
            }
            Which::Rows(table) => {
                let found = store
                    .link_lines(*table, rows::key(after).as_ref(), most)
                    .await
                    .map_err(text)?;
                (found.iter().map(row).collect(), found.last().map(rows::written))
            }
        };
        let (lines, next): Page = page;
        // A short page is the last one.
        let is_full = u32::try_from(lines.len()).is_ok_and(|count| count == most);
        Ok((lines, next.filter(|_| is_full)))
    }

    fn notice(&self, notice: &StoredNotice) -> Vec<String> {
        vec![
            notice.id.to_string(),
            notice.kind.clone(),
            notice.channel.as_str().to_owned(),
            notice.rule.clone(),
            told(notice.row.as_ref()),
            notice.created.to_string(),
            notice.state.as_str().to_owned(),
            told(notice.ended.as_ref()),
            notice.tries.to_string(),
            operate::told(notice.error.as_deref(), &self.visitor).unwrap_or_default(),
        ]
    }

    fn letter(&self, letter: &mut DeadLetter) -> Vec<String> {
        if !self.visitor.sees_contents() {
            redacted::failure(&mut letter.failure, self.visitor.caller.tongue);
        }
        vec![
            letter.id.clone(),
            letter.job.to_string(),
            letter.died.to_string(),
            letter.reason.clone(),
            letter.failure.target.clone(),
            letter.failure.class.as_str().to_owned(),
            letter.failure.message.clone(),
            letter.attempts.to_string(),
            letter.deaths.to_string(),
        ]
    }
}

fn told(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn event(line: &Line) -> Vec<String> {
    vec![
        line.event.as_str().to_owned(),
        line.source.as_str().to_owned(),
        line.kind.as_str().to_owned(),
        line.received.to_string(),
        told(line.job.as_ref()),
        line.outcome.as_ref().map_or("open", Outcome::name).to_owned(),
        line.outcome
            .as_ref()
            .and_then(Outcome::reason)
            .unwrap_or_default()
            .to_owned(),
        told(line.closed.as_ref()),
    ]
}

fn act(ActLine { on, act, .. }: &ActLine) -> Vec<String> {
    let at: Timestamp = act.at;
    vec![
        at.to_string(),
        act.by.clone(),
        act.act.clone(),
        on.clone(),
        act.why.clone().unwrap_or_default(),
    ]
}

fn row(link: &Link) -> Vec<String> {
    vec![
        link.row.to_string(),
        link.slot.as_str().to_owned(),
        link.page.as_str().to_owned(),
        link.slug_id.clone(),
        link.space.clone(),
        link.written.to_string(),
    ]
}

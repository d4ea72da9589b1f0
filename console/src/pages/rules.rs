//! The rules: what each does, whether it fits, how it does; and the page that it would make of a
//! row.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Query, ServiceConfig, get, resource};
use actix_web::{Error, HttpResponse};
use minijinja::value::Serde;
use minijinja::{Value, context};
use passerelle_model::config::{Problem, TableRef};
use passerelle_model::id::TableId;
use passerelle_model::time::Timestamp;
use passerelle_queue::HeldTable;
use passerelle_store::{Named, Role};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::examination::{examination_html, goes_on};
use super::of_before;
use super::operate::told;
use super::wiki_page;
use crate::diagnosis::Examined;
use crate::entrance::visitor::Visitor;
use crate::reconcile::{Progress, Wanted};
use crate::rulebook::{Previewed, ReadsRules, RuleSheet, Rulebook};
use crate::why::search;

/// How long a reading of the rules counts, also one that failed: it costs calls of Baserow.
const FRESH: Duration = Duration::from_secs(30);
/// How long Baserow and Docmost may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What has failed since then counts.
const LATELY: Duration = Duration::from_hours(24);

/// The rules, or why they could not be read, in a sentence for operators.
type Reading = Result<Arc<Rulebook>, String>;

/// The rules, read for all who look.
#[derive(Debug)]
pub(crate) struct Known {
    reader: Arc<dyn ReadsRules>,
    patience: Duration,
    last: Mutex<Option<(Timestamp, Reading)>>,
}

impl Known {
    pub(crate) fn new(reader: Arc<dyn ReadsRules>) -> Self {
        Self {
            reader,
            patience: PATIENCE,
            last: Mutex::default(),
        }
    }

    /// The rules, and when they were read. Of those who look while they are read, one reads them.
    pub(crate) async fn rules(&self) -> Result<(Timestamp, Arc<Rulebook>), String> {
        let (mut last, now) = (self.last.lock().await, Timestamp::now());
        if let Some((at, reading)) = last.as_ref()
            && *at <= now
            && now.since(*at) < FRESH
        {
            return Ok((*at, reading.clone()?));
        }
        let reading = timeout(self.patience, self.reader.rules()).await;
        let reading = reading.map(Arc::new).map_err(|_| late(self.patience));
        let read = Timestamp::now();
        *last = Some((read, reading.clone()));
        Ok((read, reading?))
    }

    /// See [`ReadsRules::examine`].
    pub(crate) async fn examine(&self) -> Examined {
        self.reader.examine().await
    }

    /// See [`ReadsRules::reconcile`].
    pub(crate) async fn reconcile(
        &self,
        wanted: &Wanted,
        tell: &(dyn Fn(Progress) + Send + Sync),
        stop: &CancellationToken,
    ) -> Result<(), String> {
        self.reader.reconcile(wanted, tell, stop).await
    }
}

fn late(patience: Duration) -> String {
    format!("Baserow or Docmost has not answered within {patience:?}")
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/rules").route(get().to(page)))
        .service(resource("/rules/preview").route(get().to(preview)));
}

/// What has become of the rules' tables and notices.
struct Health {
    names: Vec<(String, String)>,
    held: Vec<HeldTable>,
    died: BTreeMap<TableId, i64>,
    failed: BTreeMap<String, i64>,
}

impl Health {
    async fn look(visitor: &Visitor) -> Result<Self, Error> {
        let (desk, since) = (visitor.desk(), Timestamp::now().minus(LATELY));
        let away = |error: passerelle_store::StoreError| visitor.away(&error);
        Ok(Self {
            names: desk.store.meanings(Named::Table).await.map_err(away)?,
            held: desk.queue.held_tables().await.map_err(|error| visitor.away(&error))?,
            died: desk.store.died_since(since).await.map_err(away)?.into_iter().collect(),
            failed: desk
                .store
                .failed_notices_since(since)
                .await
                .map_err(away)?
                .into_iter()
                .collect(),
        })
    }

    /// The rule's table: as Baserow says, or as it was when it was first looked up.
    fn table(&self, rule: &RuleSheet) -> Option<TableId> {
        rule.table_id.or_else(|| match &rule.table {
            TableRef::Id(id) => TableId::new(*id).ok(),
            TableRef::Name(name) => search::meant(&self.names, name),
        })
    }
}

async fn page(visitor: Visitor) -> Result<HttpResponse, Error> {
    let known = visitor.desk().rules.rules().await;
    let (read, book) = known.map_err(|error| visitor.away(&error))?;
    let health = Health::look(&visitor).await?;
    let mut rules = Vec::new();
    for rule in &book.rules {
        rules.push(rule_of(rule, &health, &visitor).await?);
    }
    let examination = match visitor.role {
        Role::Operator => Some(examination_html(visitor.desk(), visitor.caller.tongue)),
        Role::Reader => None,
    };
    let examination = examination.transpose();
    let examination =
        examination.map_err(|error| visitor.refuse(StatusCode::INTERNAL_SERVER_ERROR, "refused.broken", &error))?;
    let content = context! {
        examination => examination.map(Value::from_safe_string),
        examination_goes_on => goes_on(visitor.desk()),
        rules => rules,
        problems => problems(&book.problems),
        of_before => of_before(read, Timestamp::now()),
        unasked => book.unasked.as_deref(),
    };
    Ok(visitor.page("rules.html", content)?)
}

pub(super) fn problems(problems: &[Problem]) -> Vec<Value> {
    problems.iter().map(|problem| Value::from(Serde(problem))).collect()
}

async fn rule_of(rule: &RuleSheet, health: &Health, visitor: &Visitor) -> Result<Value, Error> {
    let tongue = visitor.caller.tongue;
    let table = health.table(rule);
    let last = match table {
        Some(table) => visitor.desk().store.last_event_of(table).await,
        None => Ok(None),
    };
    let last = last.map_err(|error| visitor.away(&error))?;
    let held = table.and_then(|table| {
        let name = format!("t{table}");
        health.held.iter().find(|held| held.table == name)
    });
    let died = table.and_then(|table| health.died.get(&table)).copied().unwrap_or(0);
    let failed = health.failed.get(&rule.name).copied().unwrap_or(0);
    Ok(context! {
        name => rule.name.as_str(),
        table => match &rule.table {
            TableRef::Id(id) => id.to_string(),
            TableRef::Name(name) => name.clone(),
        },
        does => Serde(rule.does),
        space => rule.space.as_deref(),
        on => rule.on.iter().map(|kind| tongue.say(&format!("kind.{}", kind.as_str()), &[])).collect::<Vec<_>>(),
        last => last.map(Timestamp::as_millis),
        died => died,
        failed => failed,
        held => held.map(|held| context! {
            since => held.since.as_millis(),
            why => told(Some(held.why.as_str()), visitor),
            next => held.next_probe.as_millis(),
        }),
        problems => problems(&rule.problems),
        is_well => held.is_none() && died == 0 && failed == 0 && rule.problems.is_empty(),
    })
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    rule: String,
    #[serde(default)]
    row: String,
}

async fn preview(visitor: Visitor, wanted: Query<Asked>) -> Result<HttpResponse, Error> {
    if !visitor.sees_contents() {
        return Err(visitor.refuse(StatusCode::FORBIDDEN, "refused.contents", "").into());
    }
    let row = search::row_of(visitor.desk(), &wanted.row).await;
    let reader = &visitor.desk().rules.reader;
    let made = match row {
        Err(away) => return Err(visitor.away(&away).into()),
        Ok(None) => Err(visitor.caller.tongue.say("preview.no_row", &[])),
        Ok(Some(row)) => timeout(PATIENCE, reader.preview(&wanted.rule, row))
            .await
            .unwrap_or_else(|_| Err(late(PATIENCE))),
    };
    let content = context! {
        rule => wanted.rule.as_str(),
        row => wanted.row.as_str(),
        page => made.as_ref().ok().map(|page| page_of(page, visitor.desk().settings.docmost_url.as_deref())),
        why => made.as_ref().err().map(String::as_str),
    };
    Ok(visitor.page("preview.html", content)?)
}

fn page_of(page: &Previewed, wiki: Option<&str>) -> Value {
    context! {
        shown => wiki_page::html(&page.blocks, wiki),
        below => page.below.as_ref().map(|below| page_of(below, wiki)),
        ..Value::from(Serde(page))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::{BoxFuture, pending};
    use passerelle_model::id::RowKey;

    use super::*;

    /// Baserow takes the calls and answers none. How often the rules were asked for is counted.
    #[derive(Debug, Default)]
    struct Hangs(AtomicUsize);

    impl ReadsRules for Hangs {
        fn rules(&self) -> BoxFuture<'_, Rulebook> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(pending())
        }

        fn preview<'a>(&'a self, _rule: &'a str, _row: RowKey) -> BoxFuture<'a, Result<Previewed, String>> {
            Box::pin(pending())
        }

        fn examine(&self) -> BoxFuture<'_, Examined> {
            Box::pin(pending())
        }

        fn reconcile<'a>(
            &'a self,
            _wanted: &'a Wanted,
            _tell: &'a (dyn Fn(Progress) + Send + Sync),
            _stop: &'a CancellationToken,
        ) -> BoxFuture<'a, Result<(), String>> {
            Box::pin(pending())
        }
    }

    #[tokio::test]
    async fn while_baserow_hangs_one_reader_waits_for_it_and_the_others_are_told_so() {
        let reader = Arc::new(Hangs::default());
        let known = Known {
            patience: Duration::from_millis(10),
            ..Known::new(reader.clone())
        };
        let (first, second, third) = tokio::join!(known.rules(), known.rules(), known.rules());
        for told in [first, second, third] {
            let why = told.unwrap_err();
            assert!(why.contains("has not answered within 10ms"), "{why}");
        }
        assert_eq!(reader.0.load(Ordering::Relaxed), 1);
    }
}

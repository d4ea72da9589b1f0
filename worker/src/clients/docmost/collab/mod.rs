//! A visit of a page's collaborative document: connect, prove who we are, take the state, send one
//! small update, leave.
//!
//! As measured on the real server: an acknowledgement says "in memory", not "stored". A failed
//! store is told to nobody. Rights are looked at when a client enters, and never again. So visits
//! are short, their own deadline ends them, and what was really stored is asked for afterwards:
//! an empty append over the API stores the document at once and answers with what is stored
//! ([`Docmost::store`]). A visit may be repeated: it sends only what still differs.
//!
//! Every refusal looks the same ("permission-denied"): a wrong token, an unknown page, a missing
//! right, a database that is down. Only the API tells which.

mod socket;
mod token;
mod wire;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use passerelle_model::id::PageId;
use passerelle_model::ledger::FailureClass;
use passerelle_queue::gate::GateName;
use serde_json::{Value, json};

use crate::clients::docmost::call::Docmost;
use crate::clients::docmost::meaning::{check_update, data_of};
use crate::clients::docmost::route::Route;
use crate::clients::docmost::{Page, gone_is_none};
use crate::content::page::{DesiredIcon, DesiredPage};
use crate::failure::{Failure, Target, Unanswered};
use crate::journal::Journal;
use crate::section::{self, Damaged, Form, Known, Patch, Section};
use socket::Socket;
pub(super) use socket::Tls;
pub(super) use token::CollabToken;
use wire::Heard;

/// The longest visit. A server whose Redis is away does not answer until Redis is back.
const DEADLINE: Duration = Duration::from_secs(15);

/// Answered by every Docmost whose pages may have synced blocks.
pub(super) const SYNCED_BLOCKS: Route = Route::reading("ask_for_synced_blocks", "pages/transclusion/lookup");

/// How long it is believed how sections are built.
const FORM_IS_KNOWN_FOR: Duration = Duration::from_mins(10);

/// How sections are built, and when that was asked.
#[derive(Debug, Default)]
pub(super) struct KnownForm(Mutex<Option<(Form, Instant)>>);

impl KnownForm {
    fn get(&self) -> Option<Form> {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.and_then(|(form, asked)| (asked.elapsed() < FORM_IS_KNOWN_FOR).then_some(form))
    }

    fn keep(&self, form: Form) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((form, Instant::now()));
    }
}

/// How a visit ended.
#[derive(Debug)]
pub enum Visit {
    /// The section is as it should be, in the memory of the server.
    Done(Patch),
    /// The document may only be read: our account is a reader, or the page is in the trash.
    ReadOnly,
    /// We were not let in, for whatever reason.
    Denied,
}

/// What a visit is for.
#[derive(Clone, Copy)]
struct Errand<'a> {
    name: &'a str,
    section: &'a Section,
    known: &'a Known,
}

impl Docmost {
    /// Visits the document of a page and brings its section to what it should be.
    pub async fn visit(
        &self,
        journal: &mut Journal,
        page: &PageId,
        section: &Section,
        known: &Known,
    ) -> Result<Visit, Failure> {
        // The whole name in small letters: any other name of the page is another document of it.
        let name = format!("page.{}", page.as_str().to_lowercase());
        let errand = Errand {
            name: &name,
            section,
            known,
        };
        let token = self.collab_token(None).await?;
        let visit = self.visit_as(journal, &token, errand).await?;
        if !matches!(visit, Visit::Denied) {
            return Ok(visit);
        }
        let token = self.collab_token(Some(&token)).await?;
        self.visit_as(journal, &token, errand).await
    }

    async fn visit_as(&self, journal: &mut Journal, token: &str, errand: Errand<'_>) -> Result<Visit, Failure> {
        let gate = GateName::DocmostWrite;
        self.admit(gate).await?;
        let began = Instant::now();
        let deadline = DEADLINE.min(self.timeout());
        let visiting = async {
            let visit = tokio::time::timeout(deadline, Box::pin(self.converse(token, errand)));
            visit.await.unwrap_or_else(|_| Err(too_late()))
        };
        let visited = self.within_limit(visiting).await;
        self.report(gate, &visited);
        // What is wrong with one document says nothing of the wiki.
        let visited = visited.and_then(|visit| visit);
        journal.call("visit_page", "WS docmost collab".to_owned(), began, &visited);
        visited
    }

    /// The conversation; the inner failure is that of the document.
    async fn converse(&self, token: &str, errand: Errand<'_>) -> Result<Result<Visit, Failure>, Failure> {
        let Errand { name, section, known } = errand;
        let mut socket = Socket::open(self.collab_url(), self.tls()).await?;
        // Both at once: the server queues what comes before it has looked at the token.
        socket.send(wire::token(name, token)).await?;
        socket.send(wire::ask_for_all(name)).await?;
        let mut may_write = false;
        let state = loop {
            match socket.hear(name).await? {
                Heard::Denied => return Ok(Ok(Visit::Denied)),
                Heard::Entered { may_write: writer } => may_write = writer,
                Heard::State(state) => break state,
                Heard::Closed => return Err(hung_up()),
                Heard::Taken(_) | Heard::Other => {}
            }
        };
        if !may_write {
            return Ok(Ok(Visit::ReadOnly));
        }
        let patch = match brought(state, section.clone(), known.clone()).await {
            Ok(patch) => patch,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Some(update) = &patch.update {
            socket.send(wire::update(name, update)).await?;
            loop {
                match socket.hear(name).await? {
                    Heard::Taken(true) => break,
                    Heard::Taken(false) => return Ok(Ok(Visit::ReadOnly)),
                    Heard::Closed => return Err(hung_up()),
                    _ => {}
                }
            }
        }
        socket.leave(name).await;
        Ok(Ok(Visit::Done(patch)))
    }

    /// How new sections are built: an older wiki knows no synced blocks. It may be upgraded, so it
    /// is asked again after a while.
    pub async fn section_form(&self, journal: &mut Journal) -> Result<Form, Failure> {
        if let Some(form) = self.known_form().get() {
            return Ok(form);
        }
        let answer: Result<Value, Failure> = self.ask(journal, &SYNCED_BLOCKS, json!({"references": []})).await;
        let form = match answer {
            Err(failure) if is_unknown_route(&failure) => Form::Box,
            other => other.map(|_| Form::SyncedBlock)?,
        };
        self.known_form().keep(form);
        Ok(form)
    }

    /// Makes title and icon of a page equal to the desired ones, stores its document at once, and
    /// answers with what is stored: nothing is appended. `None` if the page is gone.
    pub async fn store(&self, journal: &mut Journal, id: &PageId, page: &DesiredPage) -> Result<Option<Page>, Failure> {
        let mut body = json!({
            "pageId": id, "title": page.title,
            "operation": "append", "format": "json", "content": {"type": "doc", "content": []},
        });
        if let DesiredIcon::Is(icon) = &page.icon {
            body["icon"] = json!(icon);
        }
        let route = Route::repeatable("store_page", "pages/update");
        let answer: Option<Page> = gone_is_none(self.ask(journal, &route, body).await)?;
        answer.iter().try_for_each(|answer| check_update(answer, page))?;
        Ok(answer)
    }

    /// Opens a socket and closes it, for checks: whether proxies let it pass.
    pub async fn knock(&self) -> Result<(), Failure> {
        let opening = tokio::time::timeout(self.timeout(), Socket::open(self.collab_url(), self.tls()));
        opening.await.unwrap_or_else(|_| Err(too_late())).map(|_| ())
    }

    async fn collab_token(&self, refused: Option<&str>) -> Result<String, Failure> {
        let fetch = async {
            let route = Route::reading("collab_token", "auth/collab-token");
            let answer = self.call(&route, &json!({}), None).await?;
            let data: Value = data_of(&answer, route.effect)?;
            let token = data["token"].as_str().map(str::to_owned);
            token.ok_or_else(|| Failure::new(FailureClass::Transient, Target::Docmost, "the answer has no token"))
        };
        self.kept_token().get(refused, fetch).await
    }
}

/// Computes the change where a panic of the library is a failed attempt and no more.
async fn brought(state: Vec<u8>, section: Section, known: Known) -> Result<Patch, Failure> {
    // Drawn anew each time, and of 32 bits as in browsers: it stays in the document for ever.
    let client = rand::random();
    let computed = tokio::task::spawn_blocking(move || section::bring(&state, &section, &known, client)).await;
    match computed {
        Ok(Ok(patch)) => Ok(patch),
        Ok(Err(Damaged(why))) => Err(Failure::new(
            FailureClass::Permanent,
            Target::Bridge,
            format!("the page's document cannot be read ({why}): restore the page from its history, then replay"),
        )),
        Err(error) => Err(Failure::new(
            FailureClass::Transient,
            Target::Bridge,
            format!("the change of the page's section could not be computed: {error}"),
        )),
    }
}

/// Whether Docmost itself says that it has no such route.
pub(super) fn is_unknown_route(failure: &Failure) -> bool {
    failure.status == Some(404) && !failure.was_not_reached()
}

fn too_late() -> Failure {
    Failure {
        unanswered: Some(Unanswered::TimedOut),
        ..broken("the page's document was not to be had in time")
    }
}

fn hung_up() -> Failure {
    broken("Docmost closed the page's document during the visit")
}

/// A conversation that broke off: the visit may be repeated.
fn broken(message: impl Into<String>) -> Failure {
    Failure {
        changes: true,
        ..Failure::new(FailureClass::Transient, Target::Docmost, message)
    }
}

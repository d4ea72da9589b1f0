//! Docmost's page API: what the bridge asks of it. The calls themselves are in `call.rs`, what answers mean in `meaning.rs`, the session in `session.rs`,
//! the collaborative documents in `collab/`.
//!
//! Docmost offers no help against double pages: no client ids, no idempotency keys, no unique titles. So pages carry two marks of ours, a label
//! (exact, survives edits, not copied by "duplicate") and a token in the text (there from the first moment, found by search). `apply` uses them.
//! A 200 does not prove that an update was stored: the answer carries title, text and `deletedAt`, and [`Docmost::update`] checks them.

mod account;
mod admin;
mod call;
mod collab;
mod meaning;
mod route;
mod session;

use passerelle_model::id::PageId;
use passerelle_model::ledger::FailureClass;
use serde::Deserialize;
use serde_json::{Value, json};

pub use crate::clients::docmost::account::{Account, Membership};
pub use crate::clients::docmost::admin::{Admin, NewMember};
pub use crate::clients::docmost::call::{Docmost, Late};
pub use crate::clients::docmost::collab::Visit;
use crate::clients::docmost::meaning::check_update;
use crate::clients::docmost::route::Route;
use crate::content::page::{Body, DesiredIcon, DesiredPage};
pub use crate::content::wiki::{Label, Page, PageSpace, Person, Share, SharedPage, Space, TreePage};
use crate::failure::{Failure, Unanswered};
use crate::journal::Journal;

/// Where pages are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Below {
    /// At the top of the space with this id.
    Space(String),
    /// Right below this page.
    Page(PageId),
}

/// A place in the tree of a space.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The page above; `None` at the top.
    pub parent: Option<&'a PageId>,
    /// The place among the siblings: a text that sorts.
    pub position: &'a str,
}

/// Most pages of a listing that are read, 100 items each: far more than a wiki has, so that a cursor that goes in circles comes to an end.
const MOST_LISTING_PAGES: usize = 1000;

impl Docmost {
    /// The address of a page for people; it stays right when the title changes.
    pub fn page_address(&self, slug_id: &str) -> String {
        format!("{}/p/{slug_id}", self.public_url())
    }

    /// The spaces that our account is in.
    pub async fn spaces(&self, journal: &mut Journal) -> Result<Vec<Space>, Failure> {
        self.list(journal, &Route::reading("find_space", "spaces"), json!({}))
            .await
    }

    /// Creates a page. A lost answer is ambiguous: the page may exist, or come to exist later. `late` is run right before a call that had to
    /// wait long for its permit.
    pub async fn create(
        &self,
        journal: &mut Journal,
        space: &str,
        page: &DesiredPage,
        late: Late<'_>,
    ) -> Result<Page, Failure> {
        let content = match &page.body {
            Body::Section { section, .. } => section.as_page(self.section_form(journal).await?),
            body => body.document(),
        };
        let mut body = json!({"spaceId": space, "title": page.title, "format": "json", "content": content});
        if let DesiredIcon::Is(Some(icon)) = &page.icon {
            body["icon"] = json!(icon);
        }
        if let Some(parent) = &page.parent {
            body["parentPageId"] = json!(parent);
        }
        self.ask_late(
            journal,
            &Route::creating("create_page", "pages/create"),
            body,
            Some(late),
        )
        .await
    }

    /// Makes title, icon and (where the rule says so) body of a page equal to the desired ones, and checks the answer.
    pub async fn update(&self, journal: &mut Journal, id: &PageId, page: &DesiredPage) -> Result<Page, Failure> {
        let mut body = json!({"pageId": id, "title": page.title});
        if let DesiredIcon::Is(icon) = &page.icon {
            body["icon"] = json!(icon);
        }
        if let Body::Follows { .. } = &page.body {
            body["content"] = page.body.document();
            body["operation"] = json!("replace");
            body["format"] = json!("json");
        }
        let answer: Page = self
            .ask(journal, &Route::repeatable("update_page", "pages/update"), body)
            .await?;
        check_update(&answer, page).map(|()| answer)
    }

    /// A page, also if it is in the trash; `None` if it is gone for good.
    pub async fn page(&self, journal: &mut Journal, id: &PageId) -> Result<Option<Page>, Failure> {
        let result = self
            .ask(
                journal,
                &Route::reading("read_page", "pages/info"),
                json!({"pageId": id}),
            )
            .await;
        gone_is_none(result)
    }

    /// The names of a page's labels; `None` if the page is gone.
    pub async fn labels(&self, journal: &mut Journal, id: &PageId) -> Result<Option<Vec<String>>, Failure> {
        let result = self
            .list(
                journal,
                &Route::reading("read_labels", "pages/labels"),
                json!({"pageId": id}),
            )
            .await
            .map(|labels: Vec<Label>| labels.into_iter().map(|label| label.name).collect());
        gone_is_none(result)
    }

    /// Puts labels on a page; again is no harm.
    pub async fn add_labels(&self, journal: &mut Journal, id: &PageId, labels: &[&str]) -> Result<(), Failure> {
        let body = json!({"pageId": id, "names": labels});
        self.command(journal, &Route::repeatable("label_page", "pages/labels/add"), body)
            .await
    }

    /// The pages that people put a label on, trashed ones left out, `at_once` (at most 100) per call. Docmost's lists by time may leave out a page at
    /// the border of two calls: whoever looks regularly varies `at_once`.
    pub async fn labelled(&self, journal: &mut Journal, label: &str, at_once: u8) -> Result<Vec<Page>, Failure> {
        let route = Route::reading("list_labelled", "labels/pages");
        self.list_by(journal, &route, json!({"name": label, "limit": at_once}))
            .await
    }

    /// The shares of all spaces that our account is a member of, latest first.
    pub async fn shares(&self, journal: &mut Journal) -> Result<Vec<Share>, Failure> {
        let route = Route::reading("list_shares", "shares");
        self.list(journal, &route, json!({})).await
    }

    /// Changes nothing of a page but its title and, if there is one, its icon.
    pub async fn retitle(
        &self,
        journal: &mut Journal,
        id: &PageId,
        title: &str,
        icon: Option<&str>,
    ) -> Result<(), Failure> {
        let mut body = json!({"pageId": id, "title": title});
        if let Some(icon) = icon {
            body["icon"] = json!(icon);
        }
        self.command(journal, &Route::repeatable("mark_page", "pages/update"), body)
            .await
    }

    /// The pages with a label, trashed ones left out.
    pub async fn pages_with_label(&self, journal: &mut Journal, label: &str) -> Result<Vec<Page>, Failure> {
        self.list(
            journal,
            &Route::reading("find_by_label", "labels/pages"),
            json!({"name": label}),
        )
        .await
    }

    /// Our own pages with this one-word token in their text, trashed ones left out. Copies that people made are not our own.
    pub async fn pages_with_token(&self, journal: &mut Journal, token: &str) -> Result<Vec<Page>, Failure> {
        #[derive(Deserialize)]
        struct Hits {
            items: Vec<Page>,
        }
        let user = self.account_id().await?;
        let body = json!({"query": token, "creatorId": user, "limit": 50});
        let hits: Hits = self
            .ask(journal, &Route::reading("find_by_token", "search"), body)
            .await?;
        Ok(hits.items)
    }

    /// The pages in the trash of a space.
    pub async fn trash_of(&self, journal: &mut Journal, space: &str) -> Result<Vec<Page>, Failure> {
        self.list(
            journal,
            &Route::reading("look_in_trash", "pages/trash"),
            json!({"spaceId": space}),
        )
        .await
    }

    /// Puts a page into the trash; again is no harm.
    pub async fn trash(&self, journal: &mut Journal, id: &PageId) -> Result<(), Failure> {
        self.command(
            journal,
            &Route::repeatable("trash_page", "pages/delete"),
            json!({"pageId": id}),
        )
        .await
    }

    /// Takes a page out of the trash; a page that is not there stays where it is.
    pub async fn restore(&self, journal: &mut Journal, id: &PageId) -> Result<(), Failure> {
        self.command(
            journal,
            &Route::repeatable("restore_page", "pages/restore"),
            json!({"pageId": id}),
        )
        .await
    }

    /// Moves a page to another space; id and labels stay.
    pub async fn move_to_space(&self, journal: &mut Journal, id: &PageId, space: &str) -> Result<(), Failure> {
        let body = json!({"pageId": id, "spaceId": space});
        self.command(journal, &Route::repeatable("move_page", "pages/move-to-space"), body)
            .await
    }

    /// The pages right below a page or at the top of a space, in order, trashed ones left out.
    pub async fn below(&self, journal: &mut Journal, above: &Below) -> Result<Vec<TreePage>, Failure> {
        let filter = match above {
            Below::Space(id) => json!({"spaceId": id}),
            Below::Page(id) => json!({"pageId": id}),
        };
        self.list(journal, &Route::reading("list_below", "pages/sidebar-pages"), filter)
            .await
    }

    /// Puts a page to a place; again is no harm.
    pub async fn place(
        &self,
        journal: &mut Journal,
        id: &PageId,
        Place { parent, position }: Place<'_>,
    ) -> Result<(), Failure> {
        let body = json!({"pageId": id, "parentPageId": parent, "position": position});
        self.command(journal, &Route::repeatable("place_page", "pages/move"), body)
            .await
    }

    /// Reads a whole listing, a hundred items at a time.
    async fn list<T: for<'de> Deserialize<'de>>(
        &self,
        journal: &mut Journal,
        route: &Route,
        filter: Value,
    ) -> Result<Vec<T>, Failure> {
        let mut body = filter;
        body["limit"] = json!(100);
        self.list_by(journal, route, body).await
    }

    /// Reads a whole listing, as many items at a time as the body says.
    async fn list_by<T: for<'de> Deserialize<'de>>(
        &self,
        journal: &mut Journal,
        route: &Route,
        mut body: Value,
    ) -> Result<Vec<T>, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Meta {
            next_cursor: Option<String>,
        }
        #[derive(Deserialize)]
        struct Listing<T> {
            items: Vec<T>,
            meta: Option<Meta>,
        }
        let mut items = Vec::new();
        for _ in 0..MOST_LISTING_PAGES {
            let asked: Result<Listing<T>, Failure> = self.ask(journal, route, body.clone()).await;
            let at_once = body["limit"].as_u64().unwrap_or(1);
            let listing = match asked {
                // A page of the list is too long to be read: half of it is asked for.
                Err(failure) if failure.unanswered == Some(Unanswered::TooLong) && at_once > 1 => {
                    body["limit"] = json!(at_once / 2);
                    continue;
                }
                asked => asked?,
            };
            items.extend(listing.items);
            match listing.meta.and_then(|meta| meta.next_cursor) {
                Some(cursor) => body["cursor"] = json!(cursor),
                None => return Ok(items),
            }
        }
        let read = items.len();
        tracing::warn!(
            step = route.step,
            read,
            "a listing of Docmost has no end; the rest was left out"
        );
        journal.note(route.step, format!("only the first {read} were read"));
        Ok(items)
    }
}

fn gone_is_none<T>(result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.class == FailureClass::Gone => Ok(None),
        Err(failure) => Err(failure),
    }
}

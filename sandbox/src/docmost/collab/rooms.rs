//! Who may enter a document.

use super::super::state::{Role, World};
use super::super::token;
use super::documents::{Client, Outgoing, name_of};
use super::wire::{self, Answer};
use crate::clock;

/// The type of the tokens that open documents.
pub(super) const TOKEN_KIND: &str = "collab";

/// Somebody who knocks.
pub(super) struct Knock<'a> {
    pub(super) client: u64,
    /// The name of the document.
    pub(super) name: &'a str,
    pub(super) token: &'a str,
    pub(super) outbox: &'a tokio::sync::mpsc::UnboundedSender<Outgoing>,
}

impl World {
    /// Lets a client into a document, or says that it may not enter, whatever the reason.
    pub(super) fn enter(&mut self, knock: &Knock<'_>) -> bool {
        let Some((user, page, may_write)) = self.admitted(knock) else {
            send(knock, &Answer::Denied);
            return false;
        };
        let Some((document, is_new)) = self.open_document(knock.name, &page) else {
            send(knock, &Answer::Denied);
            return false;
        };
        send(knock, &Answer::Entered { may_write });
        let state = document.state();
        if is_new && state != [0, 0] {
            send(knock, &Answer::Update(state));
        }
        document.clients.insert(
            knock.client,
            Client {
                user,
                may_write,
                outbox: knock.outbox.clone(),
            },
        );
        true
    }

    /// The account, the page and whether it may be written.
    fn admitted(&mut self, knock: &Knock<'_>) -> Option<(String, String, bool)> {
        let claims = token::verify(knock.token, &self.workspace)?;
        if claims.kind != TOKEN_KIND || claims.exp <= clock::now_ms() / 1000 || !self.users.contains_key(&claims.sub) {
            return None;
        }
        let id = knock.name.strip_prefix("page.")?;
        let page = self.find_page(id).ok()?;
        let (id, space, is_trashed) = (page.id.clone(), page.space.clone(), page.deleted.is_some());
        let role = self.role(&claims.sub, &space)?;
        Some((claims.sub, id, role >= Role::Writer && !is_trashed))
    }

    /// The page's own document, as the API uses it.
    pub(in super::super) fn has_open_document(&self, page: &str) -> bool {
        self.collab.documents.contains_key(&name_of(page))
    }
}

fn send(knock: &Knock<'_>, answer: &Answer) {
    let _ = knock.outbox.send(Outgoing::Frame(wire::write(knock.name, answer)));
}

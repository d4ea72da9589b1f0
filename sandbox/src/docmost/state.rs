//! The state: accounts, spaces, pages, labels and shares, all in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rand::distr::{Alphanumeric, SampleString as _};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::collab::Collab;
use super::envelope::Problem;
use super::options::Options;
use super::throttle::Throttle;
use crate::clock;
use crate::faults::Switches;

/// The whole state of one server.
#[derive(Debug)]
pub(super) struct World {
    pub(super) options: Options,
    pub(super) workspace: String,
    pub(super) born: Moment,
    pub(super) users: BTreeMap<String, User>,
    /// The ids of the sessions that have not ended.
    pub(super) sessions: BTreeSet<String>,
    /// Invitations that nobody has accepted, by their ids.
    pub(super) invitations: BTreeMap<String, Invitation>,
    pub(super) spaces: BTreeMap<String, Space>,
    pub(super) pages: BTreeMap<String, Page>,
    pub(super) labels: BTreeMap<String, Label>,
    pub(super) shares: BTreeMap<String, Share>,
    /// Pages and labels as they were once.
    pub(super) backup: Option<(BTreeMap<String, Page>, BTreeMap<String, Label>)>,
    /// The documents that are open.
    pub(super) collab: Collab,
    /// Logins, by client address.
    pub(super) logins: HashMap<String, Throttle>,
    /// The cache of roles, by user and space, each with the time in milliseconds at which it
    /// expires.
    roles: HashMap<(String, String), (Option<Role>, i64)>,
}

/// One call of a logged-in user.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) user: String,
    pub(super) session: String,
    pub(super) fields: Map<String, Value>,
    /// A fault: the content of this call is not stored.
    pub(super) lose_content: bool,
    pub(super) faults: Switches,
}

/// Microseconds since the epoch, as in the real database; answers show milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    pub(super) fn now() -> Self {
        Self(clock::now_us())
    }

    pub(super) fn shown(self) -> String {
        jiff::Timestamp::from_microsecond(self.0).map_or_else(|_| String::new(), |time| format!("{time:.3}"))
    }

    /// A text that sorts in the order of time.
    pub(super) fn sortable(self) -> String {
        jiff::Timestamp::from_microsecond(self.0).map_or_else(|_| String::new(), |time| format!("{time:.6}"))
    }
}

#[derive(Debug)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) password: String,
    pub(super) is_owner: bool,
    pub(super) created: Moment,
    pub(super) last_login: Option<Moment>,
}

/// Who was asked to become a member.
#[derive(Debug)]
pub(super) struct Invitation {
    pub(super) email: String,
    pub(super) token: String,
    pub(super) created: Moment,
}

/// What a member may do in a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Reader,
    Writer,
    Admin,
}

impl Role {
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "reader" => Some(Self::Reader),
            "writer" => Some(Self::Writer),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Admin => "admin",
        }
    }
}

#[derive(Debug)]
pub(super) struct Space {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) description: String,
    pub(super) creator: String,
    pub(super) created: Moment,
    pub(super) members: BTreeMap<String, Role>,
}

#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) id: String,
    pub(super) slug_id: String,
    pub(super) title: Option<String>,
    pub(super) icon: Option<String>,
    pub(super) position: String,
    pub(super) parent: Option<String>,
    pub(super) creator: String,
    pub(super) last_updated_by: String,
    pub(super) space: String,
    pub(super) created: Moment,
    pub(super) updated: Moment,
    /// When it went to the trash, and by whom.
    pub(super) deleted: Option<(Moment, String)>,
    pub(super) contributors: BTreeSet<String>,
    /// The ProseMirror document; none for a page that was never filled.
    pub(super) content: Option<Value>,
    /// The same as a collaborative document, once somebody has opened it.
    pub(super) state: Option<Vec<u8>>,
    /// The ids of its labels, in the order in which they were put on.
    pub(super) labels: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created: Moment,
}

#[derive(Debug)]
pub(super) struct Share {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) page: String,
    pub(super) include_sub_pages: bool,
    pub(super) search_indexing: bool,
    pub(super) creator: String,
    pub(super) created: Moment,
}

impl World {
    /// An empty workspace without accounts.
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            workspace: new_id(),
            born: Moment::now(),
            users: BTreeMap::new(),
            sessions: BTreeSet::new(),
            invitations: BTreeMap::new(),
            spaces: BTreeMap::new(),
            pages: BTreeMap::new(),
            labels: BTreeMap::new(),
            shares: BTreeMap::new(),
            backup: None,
            collab: Collab::default(),
            logins: HashMap::new(),
            roles: HashMap::new(),
        }
    }

    /// A user as answers about other things show them.
    pub(super) fn person(&self, user: &str) -> Value {
        let name = self.users.get(user).map(|user| user.name.as_str());
        json!({"id": user, "name": name, "avatarUrl": null})
    }

    /// The role of a user in a space. Cached for five seconds after a look-up; no role is cached
    /// too.
    pub(super) fn role(&mut self, user: &str, space: &str) -> Option<Role> {
        let now = clock::now_ms();
        let key = (user.to_owned(), space.to_owned());
        if let Some((role, until)) = self.roles.get(&key)
            && *until > now
        {
            return *role;
        }
        let role = self
            .spaces
            .get(space)
            .and_then(|space| space.members.get(user).copied());
        self.roles.insert(key, (role, now + self.options.docmost_role_cache_ms));
        role
    }

    /// Clears the cache of roles.
    pub(super) fn forget_roles(&mut self) {
        self.roles.clear();
    }

    /// Refuses a user who is not a member of the space, or whose role is too low.
    pub(super) fn require(&mut self, user: &str, space: &str, least: Role) -> Result<Role, Problem> {
        match self.role(user, space) {
            None => Err(Problem::not_found("Space permissions not found")),
            Some(role) if role < least => Err(Problem::forbidden()),
            Some(role) => Ok(role),
        }
    }

    /// Finds a page by its UUID or its slugId; trashed ones too.
    pub(super) fn find_page(&self, id: &str) -> Result<&Page, Problem> {
        self.pages
            .get(id)
            .or_else(|| self.pages.values().find(|page| page.slug_id == id))
            .ok_or_else(|| Problem::not_found("Page not found"))
    }

    /// The id of a page in which the user has at least the role `least`.
    pub(super) fn open_page(&mut self, user: &str, id: &str, least: Role) -> Result<String, Problem> {
        let page = self.find_page(id)?;
        let (id, space) = (page.id.clone(), page.space.clone());
        self.require(user, &space, least)?;
        Ok(id)
    }

    /// The ids of a page and of everything below it. Each id once, even in a cycle.
    pub(super) fn family(&self, id: &str) -> Vec<String> {
        let mut family = vec![id.to_owned()];
        let mut next = 0;
        while let Some(parent) = family.get(next).cloned() {
            let children = self.pages.values().filter(|page| page.parent.as_ref() == Some(&parent));
            let new: Vec<String> = children
                .map(|page| page.id.clone())
                .filter(|id| !family.contains(id))
                .collect();
            family.extend(new);
            next += 1;
        }
        family
    }

    /// Whether lists show a page to a user: it is not in the trash, and the user is a member of its
    /// space.
    pub(super) fn shows(&self, user: &str, page: &Page) -> bool {
        let space = self.spaces.get(&page.space);
        page.deleted.is_none() && space.is_some_and(|space| space.members.contains_key(user))
    }

    /// The pages that have children outside the trash.
    pub(super) fn parents(&self) -> BTreeSet<&str> {
        let living = self.pages.values().filter(|page| page.deleted.is_none());
        living.filter_map(|page| page.parent.as_deref()).collect()
    }

    /// Whether a page has children outside the trash.
    pub(super) fn has_children(&self, id: &str) -> bool {
        let mut pages = self.pages.values();
        pages.any(|page| page.parent.as_deref() == Some(id) && page.deleted.is_none())
    }
}

/// A UUID of version 7.
pub(super) fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// Ten letters and digits.
pub(super) fn new_slug() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), 10)
}

//! What the names in `bridge.toml` mean: tables, fields and spaces are known by id.
//!
//! A name is looked up once, live, and remembered in the store. From then on the id counts: a
//! table, field or space that people rename is followed, and the admin is told once to write the
//! new name into `bridge.toml`. A second table of that name, in another database, changes nothing.
//! A name that fits two of them before it is remembered is refused: guessing would mix two
//! databases' rows, or two teams' pages. A name whose id is gone is looked up anew.

use std::collections::{HashMap, HashSet};

use passerelle_model::id::EventId;
use passerelle_store::{Named, Store};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use crate::clients::docmost::Space;
use crate::content::notice::{NoticeKind, notice_values};
use crate::context::Context;
use crate::failure::Failure;

/// Something in Baserow or Docmost that rules name.
pub(crate) trait Nameable {
    /// Its id, as text.
    fn id_text(&self) -> String;
    /// The name that people see now.
    fn present_name(&self) -> &str;
    /// Whether a rule may mean it by this name.
    fn is_called(&self, name: &str) -> bool;
    /// As it is told apart from others of the same name.
    fn described(&self) -> String;
    /// How a rule can name it and nothing else, in place of `name`.
    fn unambiguous(&self, name: &str) -> String;
}

/// Something that has another name than the rules say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renamed<'a> {
    pub(crate) named: Named,
    pub(crate) id: &'a str,
    /// The name in `bridge.toml`.
    pub(crate) old: &'a str,
    /// The name that people see now.
    pub(crate) new: &'a str,
}

/// What a name means, of the things that there are.
#[derive(Debug, PartialEq, Eq)]
enum Meaning<'t, T> {
    One(&'t T),
    None,
    /// Nothing is remembered, and several fit.
    Several(Vec<&'t T>),
}

fn meaning<'t, T: Nameable>(things: &'t [T], name: &str, remembered: Option<&str>) -> Meaning<'t, T> {
    let known = remembered.and_then(|id| things.iter().find(|thing| thing.id_text() == id));
    if let Some(known) = known {
        return Meaning::One(known);
    }
    let mut fitting = things.iter().filter(|thing| thing.is_called(name));
    match (fitting.next(), fitting.next()) {
        (None, _) => Meaning::None,
        (Some(one), None) => Meaning::One(one),
        (Some(one), Some(other)) => Meaning::Several([one, other].into_iter().chain(fitting).collect()),
    }
}

/// What names mean, as the store has it.
#[derive(Debug)]
pub(crate) struct Names {
    store: Store,
    remembered: Mutex<HashMap<(Named, String), String>>,
    /// The renames that this process has told the admin of.
    notified: Mutex<HashSet<String>>,
}

impl Names {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            remembered: Mutex::default(),
            notified: Mutex::default(),
        }
    }

    /// The id that a name meant when it was looked up.
    pub(crate) async fn remembered(&self, named: Named, name: &str) -> Result<Option<String>, Failure> {
        let key = (named, name.to_owned());
        let mut remembered = self.remembered.lock().await;
        if let Some(id) = remembered.get(&key) {
            return Ok(Some(id.clone()));
        }
        let stored = self.store.meaning(named, name).await?;
        if let Some(id) = &stored {
            remembered.insert(key, id.clone());
        }
        Ok(stored)
    }

    async fn remember(&self, named: Named, name: &str, id: &str) -> Result<(), Failure> {
        let pair = (name.to_owned(), id.to_owned());
        self.store.remember_names(named, &[pair]).await?;
        let key = (named, name.to_owned());
        self.remembered.lock().await.insert(key, id.to_owned());
        Ok(())
    }
}

impl Context {
    /// What a rule's name means, of all the things that there are.
    pub(crate) async fn find_named<'t, T: Nameable>(
        &self,
        named: Named,
        name: &str,
        things: &'t [T],
    ) -> Result<Option<&'t T>, Failure> {
        let remembered = self.names.remembered(named, name).await?;
        match meaning(things, name, remembered.as_deref()) {
            Meaning::None => Ok(None),
            Meaning::Several(several) => Err(ambiguous(named, name, &several)),
            Meaning::One(thing) => {
                let id = thing.id_text();
                if remembered.as_ref() != Some(&id) {
                    self.names.remember(named, name, &id).await?;
                }
                if !thing.is_called(name) {
                    let renamed = Renamed {
                        named,
                        id: &id,
                        old: name,
                        new: thing.present_name(),
                    };
                    self.notify_rename(renamed).await;
                }
                Ok(Some(thing))
            }
        }
    }

    /// Tells the admin once that something has another name than `bridge.toml` says. A notice that
    /// cannot be posted is posted by the next look.
    pub(crate) async fn notify_rename(&self, renamed: Renamed<'_>) {
        let Renamed { named, id, old, new } = renamed;
        let kind = named.as_str();
        let what = format!("{kind} {id} {old} {new}");
        if self.names.notified.lock().await.contains(&what) {
            return;
        }
        tracing::warn!(
            kind,
            old,
            new,
            "renamed; the bridge follows it by its id. Write the new name into bridge.toml"
        );
        match self
            .post_rename(named, json!({"what": kind, "old": old, "new": new}), &what)
            .await
        {
            Ok(()) => {
                self.names.notified.lock().await.insert(what);
            }
            Err(failure) => tracing::warn!(%failure, "the notice of a new name could not be posted; it is tried again"),
        }
    }

    async fn post_rename(&self, named: Named, mut values: Value, what: &str) -> Result<(), Failure> {
        if let Named::Field(table) = named {
            let table = self.tables.name_of(table).await;
            values["table"] = json!(table);
        }
        let digest = hex::encode(Sha256::digest(what));
        let event = EventId::own(&format!("renamed-{}", digest.get(..32).unwrap_or_default()));
        let (kind, values) = (NoticeKind::Renamed, notice_values(values));
        self.outbox.notify_admin_of_own(kind, &values, "names", event).await?;
        Ok(())
    }
}

fn ambiguous<T: Nameable>(named: Named, name: &str, several: &[&T]) -> Failure {
    let described: Vec<String> = several.iter().map(|thing| thing.described()).collect();
    let ways: Vec<String> = several.iter().map(|thing| thing.unambiguous(name)).collect();
    Failure::broken_rule(format!(
        "{} {}s are called {name:?}: {}. In bridge.toml write {}",
        several.len(),
        named.as_str(),
        described.join(", "),
        ways.join(" or ")
    ))
}

impl Nameable for Space {
    fn id_text(&self) -> String {
        self.id.clone()
    }

    fn present_name(&self) -> &str {
        &self.name
    }

    fn is_called(&self, name: &str) -> bool {
        Self::is_called(self, name)
    }

    fn described(&self) -> String {
        format!("{:?} with the slug {:?} (id {})", self.name, self.slug, self.id)
    }

    fn unambiguous(&self, name: &str) -> String {
        let is_slug_clear = !self.slug.eq_ignore_ascii_case(name);
        format!("space = {:?}", if is_slug_clear { &self.slug } else { &self.id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Thing(u8, &'static str);

    impl Nameable for Thing {
        fn id_text(&self) -> String {
            self.0.to_string()
        }

        fn present_name(&self) -> &str {
            self.1
        }

        fn is_called(&self, name: &str) -> bool {
            self.1 == name
        }

        fn described(&self) -> String {
            self.id_text()
        }

        fn unambiguous(&self, _name: &str) -> String {
            self.id_text()
        }
    }

    const TWO: [Thing; 3] = [Thing(1, "a"), Thing(2, "b"), Thing(3, "b")];

    #[test]
    fn a_name_means_the_one_thing_that_has_it() {
        assert_eq!(meaning(&TWO, "a", None), Meaning::One(&Thing(1, "a")));
        assert_eq!(meaning(&TWO, "c", None), Meaning::None);
    }

    #[test]
    fn a_name_of_two_things_is_not_guessed_unless_it_is_remembered() {
        assert_eq!(meaning(&TWO, "b", None), Meaning::Several(vec![&TWO[1], &TWO[2]]));
        assert_eq!(meaning(&TWO, "b", Some("3")), Meaning::One(&TWO[2]));
    }

    #[test]
    fn what_is_remembered_is_followed_whatever_it_is_called_until_it_is_gone() {
        assert_eq!(meaning(&TWO, "old", Some("1")), Meaning::One(&TWO[0]));
        assert_eq!(meaning(&TWO, "a", Some("9")), Meaning::One(&TWO[0]));
    }
}

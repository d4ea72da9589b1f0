//! The workspace of a new server: an owner, the bridge's account, a human, and some spaces.

use super::options::Options;
use super::state::{Moment, Role, User, World, new_id};

/// The owner of the workspace, admin of all spaces.
pub const OWNER_EMAIL: &str = "owner@passerelle.test";
pub const OWNER_PASSWORD: &str = "sandbox-owner";
/// A human who writes in all spaces beside the bridge.
pub const HUMAN_EMAIL: &str = "human@passerelle.test";
pub const HUMAN_PASSWORD: &str = "sandbox-human";

/// A new world with that workspace.
pub(super) fn world(options: Options) -> World {
    let (email, password) = (options.docmost_email.clone(), options.docmost_password.clone());
    let spaces = options.docmost_spaces.clone();
    let mut world = World::new(options);
    let owner = world.add_user("Owner", OWNER_EMAIL, OWNER_PASSWORD);
    if let Some(owner) = world.users.get_mut(&owner) {
        owner.is_owner = true;
    }
    let writers = [
        world.add_user("Bridge", &email, &password),
        world.add_user("Human", HUMAN_EMAIL, HUMAN_PASSWORD),
    ];
    for name in spaces {
        let slug = name.to_lowercase().replace(' ', "-");
        let id = world.add_space(&name, &slug, &owner);
        if let Some(space) = world.spaces.get_mut(&id) {
            space
                .members
                .extend(writers.iter().map(|user| (user.clone(), Role::Writer)));
        }
    }
    world
}

impl World {
    /// Adds an account, and gives its id.
    pub(super) fn add_user(&mut self, name: &str, email: &str, password: &str) -> String {
        let user = User {
            id: new_id(),
            name: name.to_owned(),
            email: email.to_owned(),
            password: password.to_owned(),
            is_owner: false,
            created: Moment::now(),
            last_login: None,
        };
        let id = user.id.clone();
        self.users.insert(id.clone(), user);
        id
    }
}

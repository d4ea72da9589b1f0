//! An examination of the rules and of all that the bridge needs, started here. The program that
//! serves the console carries it out.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::web::Data;
use passerelle_model::time::Timestamp;
use tokio::time::timeout;

use crate::desk::Desk;
use crate::diagnosis::Examined;
use crate::latest::Work;

/// How long one may take: longer than its parts, whose own errors say more.
const PATIENCE: Duration = Duration::from_secs(90);

/// Why one is over.
#[derive(Debug, Clone)]
pub(crate) enum Over {
    /// When, and what it found.
    Done(Timestamp, Arc<Examined>),
    Failed(String),
}

/// One, as its page shows it.
#[derive(Debug)]
pub(crate) struct Examination {
    pub(crate) by: String,
    pub(crate) began: Timestamp,
    over: Mutex<Option<Over>>,
}

impl Work for Examination {
    type Over = Over;

    fn end(&self) -> &Mutex<Option<Over>> {
        &self.over
    }

    fn failed(why: String) -> Over {
        Over::Failed(why)
    }
}

impl Examination {
    /// Starts one, unless one goes on. Says whether it did.
    pub(crate) fn start(desk: &Data<Desk>, by: String) -> bool {
        let examination = Self {
            by,
            began: Timestamp::now(),
            over: Mutex::default(),
        };
        let place = desk.clone();
        desk.examinations.start(examination, |_| async move {
            match timeout(PATIENCE, place.rules.examine()).await {
                Ok(examined) => Over::Done(Timestamp::now(), Arc::new(examined)),
                Err(_) => Over::Failed(format!("there is no answer within {PATIENCE:?}")),
            }
        })
    }
}

//! `pause` and `resume`: stopping a queue by hand. Who and why are kept in the ledger.

use passerelle_queue::Queue;
use serde::Serialize;

use crate::Console;
use crate::bridge::Bridge;
use crate::cli::Switch;
use crate::trouble::Trouble;

/// The answer.
#[derive(Debug, Serialize)]
struct Switched {
    queue: &'static str,
    paused: bool,
    /// Whether anything is different from before.
    changed: bool,
    by: String,
    why: String,
}

/// Pauses or resumes; `user` is who acts, unless `--by` says otherwise.
pub async fn run(
    bridge: &Bridge,
    (pause, verb): (bool, Switch),
    user: Option<String>,
    json: bool,
    console: &mut Console,
) -> Result<(), Trouble> {
    let (by, why) = (verb.by.who(user)?, verb.why.trim().to_owned());
    if why.is_empty() {
        return Err(Trouble::Usage(
            "say with --why why: it is kept in the ledger".to_owned(),
        ));
    }
    let name = verb.queue.into();
    let queue = Queue::new(bridge.redis.clone(), name);
    let was_paused = if pause {
        queue.pause(&by, &why).await?
    } else {
        queue.resume(&by, &why).await?
    };
    let switched = Switched {
        queue: name.as_str(),
        paused: pause,
        changed: was_paused != pause,
        by,
        why,
    };
    console.tell(json, &switched, in_words)
}

fn in_words(switched: &Switched) -> String {
    let queue = switched.queue;
    match (switched.paused, switched.changed) {
        (true, true) => format!(
            "The queue {queue} is paused. What runs is finished; what arrives is accepted and waits. Go on with: passerelle resume"
        ),
        (true, false) => format!("The queue {queue} was paused before; who and why are yours now."),
        (false, true) => format!("The queue {queue} goes on."),
        (false, false) => format!("The queue {queue} was not paused."),
    }
}

//! `pause` and `resume`: stopping a queue by hand. The ledger keeps who and why.

use clap::Args;
use serde::Serialize;

use crate::arguments::{By, QueueArgument};
use crate::console::Console;
use crate::operator::Operator;
use crate::trouble::Trouble;

/// `pause` and `resume`.
#[derive(Debug, Args)]
pub struct Switch {
    /// Which queue.
    #[arg(long, value_enum, default_value_t = QueueArgument::Sync)]
    pub queue: QueueArgument,
    /// Why; kept in the ledger.
    #[arg(long)]
    pub why: String,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}

#[derive(Debug, Serialize)]
struct Switched {
    queue: &'static str,
    paused: bool,
    /// Whether anything is different from before.
    changed: bool,
    by: String,
    why: String,
}

/// Stops taking jobs of the queue.
pub async fn pause(operator: &Operator, verb: Switch, console: &mut Console) -> Result<(), Trouble> {
    switch(operator, verb, true, console).await
}

/// Takes jobs of the queue again.
pub async fn resume(operator: &Operator, verb: Switch, console: &mut Console) -> Result<(), Trouble> {
    switch(operator, verb, false, console).await
}

async fn switch(operator: &Operator, verb: Switch, pause: bool, console: &mut Console) -> Result<(), Trouble> {
    let (by, why) = (operator.acting(verb.by)?, verb.why.trim().to_owned());
    if why.is_empty() {
        return Err(Trouble::Usage(
            "give a reason with --why: the ledger keeps it".to_owned(),
        ));
    }
    let name = verb.queue.into();
    let queue = operator.queue_of(name);
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
    console.answer(&switched, in_words)
}

fn in_words(switched: &Switched) -> String {
    let queue = switched.queue;
    match (switched.paused, switched.changed) {
        (true, true) => format!(
            "The queue {queue} is paused. Running jobs finish; new ones are accepted and wait. \
             To continue: passerelle resume --queue {queue} --why …"
        ),
        (true, false) => {
            format!("The queue {queue} was already paused. Your name and reason replace the earlier ones.")
        }
        (false, true) => format!("The queue {queue} is running again."),
        (false, false) => format!("The queue {queue} was not paused."),
    }
}

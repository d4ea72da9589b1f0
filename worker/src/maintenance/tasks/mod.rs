//! What a worker does from time to time, whatever events arrive: one replica at a time, by turns that live in Redis
//! ([`passerelle_queue::schedule`]). A turn that fails is taken up again a minute later, by whoever comes first, where it had come to.
//!
//! | round | does |
//! |---|---|
//! | `reconcile` | finds rows that differ from their pages, and asks for them |
//! | `sweep` | finds second pages of one row |
//! | `shares` | finds pages that anybody with the link can read |
//! | `wiki` | finds pages with a label of a rule |
//! | `sources` | switches on webhooks that Baserow switched off, and asks for what they did not tell |

mod reconcile;
mod settings;
mod shares;
mod sources;
pub mod sweep;
mod turn;
mod wiki;

use std::sync::Arc;

use passerelle_queue::schedule::Task;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use settings::RoundSettings;
pub use turn::Memo;

use crate::context::Context;
use crate::failure::Failure;

/// One kind of round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Reconcile,
    Wiki,
    Sweep,
    Shares,
    Sources,
}

impl Round {
    const ALL: [Self; 5] = [Self::Reconcile, Self::Wiki, Self::Sweep, Self::Shares, Self::Sources];

    fn task(self, settings: &RoundSettings) -> Option<Task> {
        match self {
            Self::Reconcile => settings.reconcile(),
            Self::Wiki => settings.wiki(),
            Self::Sweep => settings.sweep(),
            Self::Shares => settings.shares(),
            Self::Sources => settings.sources(),
        }
    }

    /// Does it once; how far it has come is kept in the memo.
    async fn go(self, context: &Context, settings: &RoundSettings, memo: &Memo) -> Result<(), Failure> {
        match self {
            Self::Reconcile => reconcile::run(context, settings.rows_per_second, memo).await,
            Self::Wiki => wiki::run(context).await,
            Self::Sweep => sweep::run(context).await.map(|_| ()),
            Self::Shares => shares::run(context).await,
            Self::Sources => sources::run(context, settings.rows_per_second).await,
        }
    }
}

/// Goes all rounds until told to stop; one that is under way then is given back for another replica.
pub async fn run(context: Arc<Context>, settings: RoundSettings, stop: CancellationToken) {
    let mut rounds = JoinSet::new();
    let all = Round::ALL.into_iter();
    // Without a user nobody can see webhooks.
    for round in all.filter(|round| *round != Round::Sources || context.sources.is_some()) {
        if let Some(task) = round.task(&settings) {
            let (context, stop) = (Arc::clone(&context), stop.clone());
            rounds.spawn(turn::take_turns(context, task, stop, move |context, memo| async move {
                round.go(&context, &settings, &memo).await
            }));
        }
    }
    while rounds.join_next().await.is_some() {}
}

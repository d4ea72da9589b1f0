//! Every Redis key of the bridge's queues. The names that apalis-redis has too come from its own
//! [`Config`], so that its producers and tools find what they expect; the queue's name is a hash
//! tag, so that all keys of a queue share a slot.

use apalis_redis::Config;
use passerelle_model::config::Channel;

/// Which queue: one per set of targets, so that trouble with one never delays another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    /// Rows to pages: needs Baserow and Docmost.
    Sync,
    /// E-mail notices.
    Mail,
    /// Slack notices.
    Slack,
}

impl QueueName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sync, Self::Mail, Self::Slack];

    /// The word in its keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Mail => "mail",
            Self::Slack => "slack",
        }
    }

    /// The queue with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == word)
    }
}

/// The queue of the notices that go out there.
impl From<Channel> for QueueName {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Mail => Self::Mail,
            Channel::Slack => Self::Slack,
        }
    }
}

/// The keys of one queue.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) name: QueueName,
    prefix: String,
    /// The name that a stock producer gives to `Config::queue`.
    pub(crate) queue: String,
    /// List of the keys of jobs that are ready, until fetch spreads them over the lanes
    /// (lanes.lua).
    pub(crate) active: String,
    /// List of the keys of jobs that crashed before and are ready: each runs alone.
    pub(crate) suspects: String,
    /// Sorted set of what waits for its time: our jobs by the millisecond, tasks of stock producers
    /// by the second.
    pub(crate) scheduled: String,
    /// Sorted set of our jobs in `scheduled` by the moment since when they have been waiting.
    pub(crate) waits: String,
    /// Sorted set of the ids of dead letters, all with score 0: they are ULIDs, so the order of the
    /// texts is the order of time.
    pub(crate) dead: String,
    /// Hash of the records of all jobs by their keys.
    pub(crate) records: String,
    /// Hash of the arguments of stock tasks.
    pub(crate) stock_data: String,
    /// Start of the key of a stock task's bookkeeping (`<meta>:<task id>`).
    pub(crate) stock_meta: String,
    /// Sorted set of running jobs by the expiry of their leases.
    pub(crate) leases: String,
    /// Start of the key of a dead letter (`<letter>:<id>`).
    pub(crate) letters: String,
    /// Exists while the queue is paused, and says since when, by whom and why.
    pub(crate) paused: String,
    /// Sorted set of the worker processes by their last heartbeat.
    pub(crate) workers: String,
    /// Sorted set of the ingress processes by their last heartbeat; all queues of a bridge have the same.
    pub(crate) ingresses: String,
    /// The channel that wakes sleeping workers.
    pub(crate) wake: String,
    /// Start of the key under which a caller's last answer is remembered.
    pub(crate) answers: String,
    /// Set of the tables that are to be compared with their pages.
    pub(crate) comparisons: String,
    /// Where the keys of the gates begin; all queues of a bridge have the same.
    pub(crate) gates: String,
    /// The ledger stream, shared by all queues of a bridge: one order of all facts.
    pub(crate) ledger: String,
    /// The number of the last request to read rules again; all queues of a bridge have the same.
    pub(crate) reloads: String,
    /// Hash of what is recorded of this life of the data; all queues of a bridge have the same.
    pub(crate) life: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str, name: QueueName) -> Self {
        let queue = format!("{{{prefix}}}:{}", name.as_str());
        let config = Config::default().queue(&queue);
        let own = |word: &str| format!("{queue}:{word}");
        Self {
            name,
            prefix: prefix.to_owned(),
            active: config.active_jobs_list(),
            scheduled: config.scheduled_jobs_set(),
            dead: config.dead_jobs_set(),
            records: own("records"),
            stock_data: config.job_data_hash(),
            stock_meta: config.job_meta_hash(),
            suspects: own("suspects"),
            waits: own("waits"),
            leases: own("leases"),
            letters: own("letter"),
            paused: own("paused"),
            workers: own("workers"),
            ingresses: format!("{{{prefix}}}:ingresses"),
            wake: own("wake"),
            answers: own("answers"),
            comparisons: format!("{{{prefix}}}:comparisons"),
            gates: format!("{{{prefix}}}:gate"),
            ledger: format!("{{{prefix}}}:ledger"),
            life: format!("{{{prefix}}}:life"),
            reloads: format!("{{{prefix}}}:reloads"),
            queue,
        }
    }

    /// The claim of a delivery: who has it has accepted the delivery.
    pub(crate) fn claim(&self, delivery: &str) -> String {
        format!("{}:webhook:event:{delivery}", self.prefix)
    }

    /// The size of all dead letters together; the scripts that make and remove letters keep it. No
    /// letter has this id: ids are ULIDs.
    pub(crate) fn letter_bytes(&self) -> String {
        format!("{}:bytes", self.letters)
    }

    /// Hash of the open letter of each job; the scripts that make and remove letters keep it.
    pub(crate) fn letters_of(&self) -> String {
        format!("{}:of", self.letters)
    }

    pub(crate) fn letter(&self, id: &str) -> String {
        format!("{}:{id}", self.letters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_names_that_stock_producers_rely_on_have_not_changed() {
        let keys = Keys::new("bridge", QueueName::Sync);
        assert_eq!(keys.queue, "{bridge}:sync");
        assert_eq!(keys.active, "{bridge}:sync:active");
        assert_eq!(keys.scheduled, "{bridge}:sync:scheduled");
        assert_eq!(keys.dead, "{bridge}:sync:dead");
        assert_eq!(keys.stock_data, "{bridge}:sync:data");
        assert_eq!(keys.stock_meta, "{bridge}:sync:meta");
        assert_eq!(keys.ledger, Keys::new("bridge", QueueName::Mail).ledger);
        assert_eq!(keys.claim("7-abc-0"), "bridge:webhook:event:7-abc-0");
    }
}

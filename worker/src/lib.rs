//! Makes each wiki page equal to its row, once, or says visibly why not.
//!
//! Read [`process`] first: the life of one job is on its one screen. From there the way leads
//! forward only:
//!
//! | module | decides |
//! |---|---|
//! | [`runner`] | takes jobs from the queue and reports how they ended; knows no rule |
//! | [`process`] | the order of the steps of one job |
//! | [`context`] | what every job may use |
//! | [`content`] | pure: rows, pages and the marks by which the bridge finds its pages |
//! | [`rules`] | pure: which pages should exist for a row, with which title, icon and body |
//! | [`section`] | pure: the part of a page that follows its row, changed node by node |
//! | [`sync`] | makes a page equal to its row; keeps pages that show a row up to date |
//! | [`notify`] | whom a row's events concern, and how notices are delivered |
//! | [`outbox`] | notices: stored, then queued; what they say |
//! | [`wiki`] | the life of a wiki page's job: its row |
//! | [`clients`] | one foreign system each; the only places where an HTTP status becomes a failure |
//! | [`failure`] | whether and when a failed job is retried |
//! | [`outage`] | what the gates know that a verdict needs, and what a verdict reports to the gates |
//! | [`lookups`] | answers that may be some minutes old |
//! | [`maintenance`] | what workers do besides jobs: ledger, probes, periodic tasks, health |
//! | [`journal`] | what `trace` shows of an attempt |
//! | [`rule_files`] | the files that rules are made of, read and checked as a whole |
//! | [`start`], [`settings`] | how a worker process begins |
//! | [`crash`] | where a test may kill the process |

pub mod clients;
pub mod content;
pub mod context;
pub mod crash;
pub mod failure;
pub mod journal;
pub mod lookups;
pub mod maintenance;
pub mod notify;
pub mod outage;
pub mod outbox;
pub mod process;
pub mod rule_files;
pub mod rules;
pub mod runner;
pub mod section;
pub mod settings;
pub mod start;
pub mod sync;
pub mod wiki;

//! Makes each wiki page equal to its row, once, or says visibly why not.
//!
//! Read [`process`] first: the life of one job is on its one screen. From there the way leads forward only:
//!
//! | module | decides |
//! |---|---|
//! | [`runner`] | takes jobs from the queue and tells it how they ended; knows no rule |
//! | [`process`] | the order of the steps of one job |
//! | [`rules`] | pure: which pages should exist for a row, with which title, icon and body |
//! | [`apply`] | carries out a plan so that repeating it changes nothing more |
//! | [`telling`] | what people are told of a row's events: who, and once per event |
//! | [`people`] | whom an event's body links to, before and after |
//! | [`outbox`] | notices: stored, then queued |
//! | [`deliver`] | the life of a notice's job |
//! | [`incidents`] | outages as notices |
//! | [`parking`] | rows that go in circles are left alone for a while |
//! | [`repeats`] | the identical sync of a row, not too often |
//! | [`dependents`] | which other rows' pages show a row, and wakes their jobs |
//! | [`clients`] | one foreign system each; the only places where an HTTP status becomes a failure |
//! | [`failure`] | whether and when a failed job is tried again |
//! | [`cache`] | look-ups that may be five minutes old |
//! | [`outage`] | what the gates know that a verdict needs, and what a verdict tells the gates |
//! | [`probe`] | keeps the gates: leases, health checks, reports |
//! | [`reconcile`] | which rows differ from their pages, whatever the webhooks told, and asks for them |
//! | [`rounds`] | what a worker does from time to time: the reconciliation, the sweep |
//! | [`sources`] | whether Baserow's webhooks still call, and what follows if not |
//! | [`wiki`] | the life of a wiki page's job: its row |
//! | [`journal`] | what `trace` will tell of an attempt |
//! | [`ledger_writer`] | carries the ledger from Redis into the store |
//! | [`dead_budget`] | says when the dead letters weigh too much |
//! | [`heartbeat`] | says who is alive |
//! | [`notice`] | what a notice says: its envelope, and its subject, text and HTML from templates |
//! | [`crash`] | where a test may kill the process |

pub mod apply;
pub mod bridge;
pub mod cache;
pub mod clients;
pub mod crash;
pub mod dead_budget;
pub mod deliver;
pub mod dependents;
pub mod failure;
pub mod health;
pub mod heartbeat;
pub mod incidents;
pub mod journal;
pub mod ledger_writer;
pub mod notice;
pub mod outage;
pub mod outbox;
pub mod parking;
pub mod people;
pub mod probe;
pub mod process;
pub mod reconcile;
pub mod repeats;
pub mod rounds;
pub mod row;
pub mod rules;
pub mod runner;
pub mod settings;
pub mod sources;
pub mod start;
pub mod tables;
pub mod telling;
pub mod wiki;

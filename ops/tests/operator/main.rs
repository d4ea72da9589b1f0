//! The operator's program as it is used: arguments in, text and exit code out, over a real Redis
//! and a real store.

mod accounts;
mod check;
mod contract;
mod cures;
mod dead;
mod desk;
mod doctor;
mod gates;
mod jobs;
mod manual;
mod many_letters;
mod notices;
mod operate;
mod outage;
mod preview;
mod provision;
mod queues;
mod replay;
mod rights;
mod schema;
mod settings;
mod stalls;
mod stats;
mod town;
mod trace;
mod wrong_rules;

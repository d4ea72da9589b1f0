//! The store on real databases: SQLite and PostgreSQL, each test's own.

mod accounts;
mod clock;
mod conservation;
mod databases;
mod fencing;
mod full_disk;
mod hanging;
mod health;
mod history;
mod intake;
mod ledger;
mod lives;
mod notices;
mod overview;
mod pages;
mod retention;
mod schema;
mod secured;
mod traces;
mod upgrade;

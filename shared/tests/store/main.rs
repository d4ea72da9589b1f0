//! The store on real databases: SQLite and PostgreSQL, each test's own.

mod conservation;
mod databases;
mod history;
mod ledger;
mod notices;
mod pages;
mod retention;
mod schema;

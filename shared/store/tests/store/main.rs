//! The store on real databases: SQLite and PostgreSQL, each test's own.

mod conservation;
mod databases;
mod hanging;
mod history;
mod ledger;
mod notices;
mod pages;
mod retention;
mod schema;

//! Makes each wiki page equal to its row, once, or says visibly why not.

pub mod ledger_writer;

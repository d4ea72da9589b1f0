//! One job after the other against the stand-ins of Baserow and Docmost, a real Redis and a real
//! store.

mod broken_rule;
mod clean_up;
mod collection;
mod compared;
#[cfg(debug_assertions)]
mod crash;
mod exact;
mod groups;
mod laws;
mod lease;
mod linked_rows;
mod long_lists;
mod looks;
mod mail_cap;
mod names;
mod not_reached;
mod notices;
mod older_marks;
mod one_notice;
mod one_page;
mod orphans;
mod ownership;
mod probe;
mod read_together;
mod row_to_page;
mod running;
mod sections;
mod session;
mod updates;
mod world;
mod write_backs;

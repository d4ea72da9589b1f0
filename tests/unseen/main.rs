//! What webhooks never tell, over real processes.

mod in_wiki;
mod reconcile;
mod refused;
mod resumed;
mod rows_gone;
mod shares;
mod sources;
mod too_many_rows;
mod wiki;

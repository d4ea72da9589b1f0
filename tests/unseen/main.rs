//! What webhooks never tell, over real processes.

mod reconcile;

//! How many calls a busy product works at, the others waiting in line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

/// The lines of a product, by how many calls it works at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hands(Arc<Mutex<BTreeMap<usize, Arc<Semaphore>>>>);

impl Hands {
    /// Works so long at a call, once it is its turn.
    pub(crate) async fn work(&self, length: Duration, at_once: usize) {
        let line = {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let line = lines
                .entry(at_once)
                .or_insert_with(|| Arc::new(Semaphore::new(at_once)));
            Arc::clone(line)
        };
        // It is never closed.
        let _turn = line.acquire().await;
        tokio::time::sleep(length).await;
    }
}

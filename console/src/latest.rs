//! Work that goes on in the background once it was started here: the latest of its kind, and one at
//! a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why work is over that did not get to its end.
const BROKE_OFF: &str = "it broke off; the log of the console says why";

/// Work of one kind.
pub(crate) trait Work: Send + Sync + 'static {
    /// Why it is over.
    type Over: Clone + Send + 'static;

    /// Where it is kept why it is over.
    fn end(&self) -> &Mutex<Option<Self::Over>>;

    /// Over, because it failed.
    fn failed(why: String) -> Self::Over;

    /// Why it is over; `None` while it goes on.
    fn over(&self) -> Option<Self::Over> {
        locked(self.end()).clone()
    }
}

/// The latest work of a kind.
#[derive(Debug)]
pub(crate) struct Latest<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Work> Latest<T> {
    pub(crate) fn last(&self) -> Option<Arc<T>> {
        locked(&self.0).clone()
    }

    /// Starts work, unless some goes on. Says whether it did.
    pub(crate) fn start<F>(&self, work: T, carry_out: impl FnOnce(Arc<T>) -> F) -> bool
    where
        F: Future<Output = T::Over> + Send + 'static,
    {
        let work = Arc::new(work);
        {
            let mut last = locked(&self.0);
            if last.as_ref().is_some_and(|last| last.over().is_none()) {
                return false;
            }
            *last = Some(Arc::clone(&work));
        }
        let begun = Begun(Arc::clone(&work));
        let carried_out = carry_out(work);
        tokio::spawn(async move {
            let over = carried_out.await;
            begun.ends(over);
        });
        true
    }
}

/// Work that has begun. However its task ends, it is over then.
struct Begun<T: Work>(Arc<T>);

impl<T: Work> Begun<T> {
    fn ends(self, over: T::Over) {
        *locked(self.0.end()) = Some(over);
    }
}

impl<T: Work> Drop for Begun<T> {
    fn drop(&mut self) {
        locked(self.0.end()).get_or_insert_with(|| T::failed(BROKE_OFF.to_owned()));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use test_support::eventually;

    use super::*;

    #[derive(Debug, Default)]
    struct Errand(Mutex<Option<String>>);

    impl Work for Errand {
        type Over = String;

        fn end(&self) -> &Mutex<Option<String>> {
            &self.0
        }

        fn failed(why: String) -> String {
            why
        }
    }

    async fn ends_with(latest: &Latest<Errand>, wanted: &str) {
        eventually(&format!("it ends with {wanted:?}"), async || {
            match latest.last().and_then(|errand| errand.over()) {
                Some(over) if over == wanted => Ok(()),
                other => Err(other),
            }
        })
        .await;
    }

    #[tokio::test]
    async fn work_that_panics_ends_as_failed_and_other_work_can_start() {
        let latest = Latest::<Errand>::default();
        assert!(latest.start(Errand::default(), |_| async { panic!("a fault of the program") }));
        ends_with(&latest, BROKE_OFF).await;
        assert!(latest.start(Errand::default(), |_| async { "done".to_owned() }));
        ends_with(&latest, "done").await;
    }

    #[tokio::test]
    async fn while_work_goes_on_no_other_starts() {
        let latest = Latest::<Errand>::default();
        let (ends, end) = tokio::sync::oneshot::channel();
        assert!(latest.start(Errand::default(), |_| async { end.await.unwrap() }));
        assert!(!latest.start(Errand::default(), |_| async { "another".to_owned() }));
        ends.send("done".to_owned()).unwrap();
        ends_with(&latest, "done").await;
    }
}

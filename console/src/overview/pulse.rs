//! One look for all who watch: however many pages are open, the bridge is asked once a second.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use passerelle_model::time::Timestamp;
use tokio::sync::Mutex;

use super::history::History;
use super::look::{Overview, look};
use crate::desk::Desk;
use crate::pages::overview::now_html;
use crate::words::Tongue;

/// How long a look counts as fresh.
const FRESH: Duration = Duration::from_millis(900);
/// How far back the depth of the queue is kept in mind, and how finely.
const DEPTH_KEPT: Duration = Duration::from_hours(1);
const DEPTH_STEP: Duration = Duration::from_secs(10);

/// The latest look, and what waited before it.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    last: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    overview: Option<Arc<Overview>>,
    history: History,
    html: HashMap<Tongue, Arc<str>>,
    depth: VecDeque<(Timestamp, u64)>,
}

impl Kept {
    async fn refresh(&mut self, desk: &Desk) -> Arc<Overview> {
        let now = Timestamp::now();
        let is_fresh = |known: &&Arc<Overview>| known.at <= now && now.since(known.at) < FRESH;
        if let Some(known) = self.overview.as_ref().filter(is_fresh) {
            return Arc::clone(known);
        }
        let overview = Arc::new(look(desk, &mut self.history).await);
        self.note_depth(&overview);
        self.html.clear();
        self.overview = Some(Arc::clone(&overview));
        overview
    }

    fn note_depth(&mut self, overview: &Overview) {
        let Ok(work) = &overview.work else { return };
        let is_due = self
            .depth
            .back()
            .is_none_or(|(last, _)| overview.at < *last || overview.at.since(*last) >= DEPTH_STEP);
        if is_due {
            self.depth.push_back((overview.at, work.waiting()));
        }
        let oldest = overview.at.minus(DEPTH_KEPT);
        self.depth.retain(|(at, _)| *at >= oldest && *at <= overview.at);
    }
}

impl Pulse {
    /// The bridge as it is now.
    pub(crate) async fn fresh(&self, desk: &Desk) -> Arc<Overview> {
        self.last.lock().await.refresh(desk).await
    }

    /// The part of the first page that changes, in a language.
    pub(crate) async fn html(&self, desk: &Desk, tongue: Tongue) -> Result<Arc<str>, String> {
        let mut kept = self.last.lock().await;
        let overview = kept.refresh(desk).await;
        if let Some(html) = kept.html.get(&tongue) {
            return Ok(Arc::clone(html));
        }
        let depth: Vec<(Timestamp, u64)> = kept.depth.iter().copied().collect();
        let html: Arc<str> = now_html(&desk.pages, tongue, &overview, &depth)?.into();
        kept.html.insert(tongue, Arc::clone(&html));
        Ok(html)
    }
}

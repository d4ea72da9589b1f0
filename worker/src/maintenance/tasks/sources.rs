//! The watch over Baserow's webhooks as a periodic task: it switches on every webhook that is off,
//! then compares the rows of the gaps with their pages. A gap stays open until that is done, so an
//! interrupted run is simply repeated.

use super::reconcile;
use crate::context::Context;
use crate::failure::Failure;
use crate::maintenance::reconcile::{Requests, Resume, Scope, Walk};
use crate::maintenance::sources::{Gap, SourceWatch};

/// One look at all webhooks.
pub(super) async fn run(context: &Context, watch: &SourceWatch, rows_per_second: u32) -> Result<(), Failure> {
    let mut gaps = Vec::new();
    let looked = watch.look(context, &mut gaps).await;
    for gap in gaps {
        let (mut rows, mut asked) = (0, 0);
        // The same gap requests the same events, however often the run is repeated.
        let run = format!("webhook-{}-{}", gap.webhook, gap.since);
        let mut requests = Requests::new(context.queue.clone(), &run, "source-watch", rows_per_second);
        for table in &gap.pages {
            let scope = Scope {
                table: Some(*table),
                unmapped: false,
            };
            let mut walk = Walk::begin(context, scope, &Resume::default()).await?;
            let compared = reconcile::compare(&mut walk, &mut requests, |_| {}).await?;
            rows += compared.rows;
            asked += compared.asked;
        }
        watch.close(&gap).await?;
        let Gap { webhook, since, .. } = &gap;
        tracing::info!(
            webhook,
            since,
            rows,
            asked,
            "compared the rows that a webhook may have missed"
        );
    }
    looked
}

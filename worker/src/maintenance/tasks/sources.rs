//! The watch over Baserow's webhooks as a round: first every webhook that is off is switched on, then the rows of the gaps are compared with
//! their pages. A gap stays open until that is done, so a round that is broken off is simply gone again.

use super::reconcile;
use crate::context::Context;
use crate::failure::Failure;
use crate::maintenance::reconcile::{Left, Requests, Scope, Walk};
use crate::maintenance::sources::Gap;

/// One look at all webhooks.
pub(super) async fn run(context: &Context, rows_per_second: u32) -> Result<(), Failure> {
    let Some(watch) = &context.sources else {
        return Ok(());
    };
    let mut gaps = Vec::new();
    let looked = watch.look(context, &mut gaps).await;
    for gap in gaps {
        let (mut rows, mut asked) = (0, 0);
        // The same gap asks by the same events, however often it is begun.
        let run = format!("webhook-{}-{}", gap.webhook, gap.since);
        let mut requests = Requests::new(context.queue.clone(), &run, "source-watch", rows_per_second);
        for table in &gap.pages {
            let scope = Scope {
                table: Some(*table),
                unmapped: false,
            };
            let mut walk = Walk::begin(context, scope, &Left::default()).await?;
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
            "the rows were compared that a webhook may not have told of"
        );
    }
    looked
}

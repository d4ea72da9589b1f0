//! The table as the page of metrics.

use std::fmt::Write as _;

use super::{METRICS, Metric};

/// The test that compares the page with the table.
const TEST: &str = "the_page_of_metrics_is_made_from_the_table";

/// `docs/METRICS.md` as a whole.
pub fn markdown() -> String {
    let mut text = format!(
        "# Metrics\n\n\
         Prometheus text at `/metrics` of the ingress (`INGRESS_BIND`, `INGRESS_HEALTH_BIND`) and of each\n\
         worker (`WORKER_HEALTH_BIND`). A metric appears with its first sample. `make settings` makes this\n\
         page from [the table of metrics](../shared/model/src/metrics/entries.rs)\n\
         ([`{TEST}`](../shared/model/src/metrics/render.rs#{TEST})).\n\n\
         [`monitoring/`](../monitoring/README.md) has alert rules and a dashboard.\n"
    );
    for metrics in METRICS.chunk_by(|a, b| a.group == b.group) {
        let group = metrics.first().map_or("", |metric| metric.group);
        let _ = write!(
            text,
            "\n## {group}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n"
        );
        for metric in metrics {
            let _ = writeln!(text, "{}", row(metric));
        }
    }
    text
}

fn row(metric: &Metric) -> String {
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    let (name, kind, labels) = (metric.name, metric.kind.as_str(), labels.join(", "));
    format!("| `{name}` | {kind} | {labels} | {} |", metric.help)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_page_of_metrics_is_made_from_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let text = std::fs::read_to_string(root.join("docs/METRICS.md")).unwrap_or_default();
        assert!(
            text == markdown(),
            "docs/METRICS.md differs from the table of metrics (shared/model/src/metrics/entries.rs): \
             run `make settings` and commit the result"
        );
    }
}

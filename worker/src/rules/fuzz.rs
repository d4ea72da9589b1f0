//! `make fuzz TARGET=rules`: the text of `bridge.toml`, and the same bytes as a template.

use std::collections::BTreeMap;

use passerelle_model::config::BridgeFile;
use test_support::fuzz;

use super::{RuleSources, Rules, Unread};

const SHIPPED: &str = include_str!("../../../bridge.toml");

/// The paths of the shipped templates.
fn templates(text: Option<&str>) -> BTreeMap<String, Result<String, Unread>> {
    let paths = SHIPPED.split('"').filter_map(|path| path.strip_suffix(".md"));
    let text = text.unwrap_or("{{ row.Nom }}");
    paths.map(|path| (format!("{path}.md"), Ok(text.to_owned()))).collect()
}

#[test]
fn fuzz_rules() {
    let compile = |text: &str, templates| {
        if let Ok(file) = BridgeFile::parse(text, "bridge.toml") {
            let _ = Rules::compile(&RuleSources::new(file, templates));
        }
    };
    let read = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        compile(&text, templates(None));
        compile(SHIPPED, templates(Some(&text)));
    };
    let template = "{% if row.Nom %}{{ row.Description | paragraphs }}{% endif %}\n| {{ client.Nom or \"–\" }} |";
    fuzz("rules", vec![SHIPPED.into(), template.into()], read).unwrap();
}

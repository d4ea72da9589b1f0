//! What the parts of a worker may not depend on, read from its sources. (What a crate may not
//! depend on is asked of cargo.)

use std::path::{Path, PathBuf};

/// A source file without its tests.
struct Source {
    path: String,
    text: String,
}

/// The sources below `worker/src/<place>`: a folder or a file.
fn sources(place: &str) -> anyhow::Result<Vec<Source>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open: Vec<PathBuf> = vec![root.join(place)];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path)?;
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            found.push(Source {
                path: path.strip_prefix(&root)?.display().to_string(),
                text: code.to_owned(),
            });
        }
    }
    anyhow::ensure!(!found.is_empty(), "there is no source in {place}");
    Ok(found)
}

/// The lines of code in `place` that contain one of these words.
fn lines_with(place: &str, words: &[&str]) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for source in sources(place)? {
        let code = source.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let hits = code.filter(|line| words.iter().any(|word| line.contains(word)));
        found.extend(hits.map(|line| format!("{}: {}", source.path, line.trim())));
    }
    Ok(found)
}

/// The places where a verdict of this kind is made, and not only looked at.
fn makers_of(verdict: &str) -> anyhow::Result<Vec<String>> {
    let start = format!("Verdict::{verdict} {{");
    let mut makers = Vec::new();
    for source in sources("")? {
        for (at, _) in source.text.match_indices(&start) {
            let rest = &source.text[at + start.len()..];
            let (fields, after) = rest.split_once('}').unwrap_or((rest, ""));
            let after = after.trim_start();
            let is_pattern =
                fields.contains("..") || ["=>", "=", "|", "if "].iter().any(|next| after.starts_with(next));
            if !is_pattern {
                makers.push(source.path.clone());
            }
        }
    }
    Ok(makers)
}

#[test]
fn only_failure_rs_decides_whether_and_when_a_job_is_tried_again() {
    for verdict in ["Retry", "Hold", "Bury"] {
        assert_eq!(makers_of(verdict).unwrap(), ["failure.rs"], "Verdict::{verdict}");
    }
}

#[test]
fn clients_know_no_rules() {
    assert_eq!(lines_with("clients", &["crate::rules", "rules::"]).unwrap(), [""; 0]);
}

#[test]
fn rules_do_no_input_or_output() {
    let doors = [
        "crate::clients",
        "crate::context",
        "tokio",
        "async ",
        "std::fs",
        "std::net",
        "std::env",
        "reqwest",
        "passerelle_queue",
        "passerelle_store",
    ];
    assert_eq!(lines_with("rules", &doors).unwrap(), [""; 0]);
}

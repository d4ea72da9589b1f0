use std::path::Path;

use passerelle_model::outcome::Outcome;

use super::*;

#[test]
fn both_languages_say_the_same_things_with_the_same_placeholders() {
    let placeholders = |text: &str| -> Vec<String> {
        let mut names: Vec<String> = text
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}').map(|(name, _)| name.to_owned()))
            .collect();
        names.sort();
        names
    };
    assert!(ENGLISH.len() > 100, "the English table cannot be read");
    let (english, french): (Vec<_>, Vec<_>) = (ENGLISH.keys().collect(), FRENCH.keys().collect());
    assert_eq!(english, french);
    for (key, text) in ENGLISH.iter() {
        assert_eq!(placeholders(text), placeholders(&FRENCH[key]), "{key}");
        assert!(!text.is_empty() && !FRENCH[key].is_empty(), "{key}");
    }
}

/// Every key that a template or a source names, as `t("key"` or `say("key"`; with `count`, its two
/// forms.
fn named_keys(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            named_keys(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let place = path.display().to_string();
        let after = |opening: &str| -> Vec<String> {
            text.split(opening)
                .skip(1)
                .filter_map(|rest| rest.split_once('"').map(|(key, _)| key.to_owned()))
                .collect()
        };
        let is_template = path.extension().is_some_and(|ending| ending == "html");
        let (one, many) = if is_template {
            (after(" t(\""), after(" n(\""))
        } else {
            (after(".say(\""), after(".count(\""))
        };
        found.extend(one.into_iter().map(|key| (key, place.clone())));
        for key in many {
            found.push((format!("{key}.one"), place.clone()));
            found.push((format!("{key}.many"), place.clone()));
        }
    }
}

#[test]
fn everything_that_a_page_says_is_in_the_tables() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = Vec::new();
    named_keys(&root.join("templates"), &mut named);
    named_keys(&root.join("src"), &mut named);
    assert!(named.len() > 80, "{named:?}");
    let outcomes = Outcome::NAMES.map(|name| (format!("outcome.{name}"), "Outcome::NAMES".to_owned()));
    named.extend(outcomes);
    let missing: Vec<_> = named
        .iter()
        .filter(|(key, place)| !place.ends_with("words/tests.rs") && !Tongue::English.knows(key))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_reader_gets_the_language_that_the_browser_asks_for_first() {
    for (header, tongue) in [
        ("fr-FR,fr;q=0.9,en;q=0.8", Tongue::French),
        ("en-GB,en;q=0.9,fr;q=0.8", Tongue::English),
        ("de,fr;q=0.4,en;q=0.3", Tongue::French),
        ("fr;q=0.2, en;q=0.7", Tongue::English),
        ("ja", Tongue::English),
        ("", Tongue::English),
    ] {
        assert_eq!(Tongue::of_header(header), tongue, "{header}");
    }
}

#[test]
fn no_line_begins_with_a_sign_before_which_french_has_a_space() {
    assert!(Tongue::French.say("export.label", &[]).ends_with("fichier\u{a0}:"));
    let broken = [" :", " ;", " !", " ?", " »", "« "];
    for (key, text) in FRENCH.iter() {
        assert!(!broken.iter().any(|sign| text.contains(sign)), "{key}: {text}");
    }
}

#[test]
fn numbers_and_durations_are_written_as_in_the_language() {
    assert_eq!(Tongue::English.number(1_204_567), "1,204,567");
    assert_eq!(Tongue::French.number(1204), "1\u{202f}204");
    assert_eq!(Tongue::English.number(7), "7");
    assert_eq!(Tongue::English.span(Duration::from_millis(12)), "12 ms");
    assert_eq!(Tongue::French.span(Duration::from_hours(72)), "3 j");
    assert_eq!(Tongue::French.ago(Duration::from_secs(245)), "il y a 4 min");
    assert_eq!(Tongue::English.ago(Duration::from_secs(12)), "12 s ago");
}

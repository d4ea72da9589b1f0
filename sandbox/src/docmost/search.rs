//! Full-text search over titles and texts, visible at once; the last word is a prefix.
//!
//! Words are compared without case and accents. The real server also reduces words to English
//! stems; the sandbox does not. Both find a token of letters and digits, which is what a client
//! should search for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::body::Check;
use super::content;
use super::envelope::{Answer, Problem, Reply};
use super::state::{Call, Page, Role, World};

const STOP_WORDS: [&str; 24] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "is", "it", "no", "not", "of", "on",
    "or", "that", "the", "this", "to", "with",
];

/// The most bytes of different words in a page's search index, with four bytes for each word's
/// places.
const INDEX_BYTES: usize = 1_048_575;

/// Whether a document has too many different words for the search index; the real server fails
/// then.
pub(super) fn is_too_rich(document: &Value) -> bool {
    let text = content::text(document);
    let distinct: BTreeSet<&str> = text.split(|char: char| !char.is_alphanumeric()).collect();
    distinct.iter().map(|word| word.len() + 4).sum::<usize>() > INDEX_BYTES
}

/// `search`: pages outside the trash, in the caller's spaces.
pub(super) fn search(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let query = check.filled("query");
    let space = check.optional_uuid("spaceId");
    let creator = check.optional_uuid("creatorId");
    let number = |name: &str, default: u64| check.given(name).and_then(Value::as_u64).unwrap_or(default);
    let (limit, offset) = (number("limit", 25), number("offset", 0));
    check.done()?;
    if let Some(space) = &space {
        world.require(&call.user, space, Role::Reader)?;
    }
    if is_broken(&query) {
        return Err(Problem::internal());
    }
    let wanted = words(&query);
    let pages = world.pages.values().filter(|page| world.shows(&call.user, page));
    let pages = pages.filter(|page| space.as_ref().is_none_or(|space| *space == page.space));
    let pages = pages.filter(|page| creator.as_ref().is_none_or(|creator| *creator == page.creator));
    let mut hits: Vec<(f64, &Page)> = pages.filter_map(|page| Some((rank(page, &wanted)?, page))).collect();
    hits.sort_by(|(a, first), (b, second)| b.total_cmp(a).then_with(|| second.id.cmp(&first.id)));
    let hits = hits.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX));
    let hits = hits.take(usize::try_from(limit).unwrap_or(usize::MAX));
    let items: Vec<Value> = hits.map(|(rank, page)| hit(world, page, rank, &wanted)).collect();
    Ok(Reply::data(json!({"items": items})))
}

/// Whether the query breaks the parser. The real server's breaks on some punctuation; this one on
/// two adjacent words of punctuation only.
fn is_broken(query: &str) -> bool {
    let words: Vec<bool> = query
        .split_whitespace()
        .map(|word| !word.chars().any(char::is_alphanumeric))
        .collect();
    words.windows(2).any(|pair| pair == [true, true])
}

/// The words of a text: lower case, without accents.
fn words(text: &str) -> Vec<String> {
    let folded: String = text.chars().map(folded).collect();
    let words = folded
        .split(|char: char| !char.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

fn folded(char: char) -> String {
    let lower: String = char.to_lowercase().collect();
    let plain = match lower.chars().next() {
        Some('à'..='å' | 'ā') => "a",
        Some('ç') => "c",
        Some('è'..='ë' | 'ē') => "e",
        Some('ì'..='ï') => "i",
        Some('ñ') => "n",
        Some('ò'..='ö' | 'ø' | 'ō') => "o",
        Some('ù'..='ü' | 'ū') => "u",
        Some('ý' | 'ÿ') => "y",
        Some('œ') => "oe",
        Some('æ') => "ae",
        Some('ß') => "ss",
        _ => return lower,
    };
    plain.to_owned()
}

/// The rank of a page that has all wanted words; the last one may be a prefix.
fn rank(page: &Page, wanted: &[String]) -> Option<f64> {
    let title = words(page.title.as_deref().unwrap_or_default());
    let body = page
        .content
        .as_ref()
        .map(|content| words(&content::text(content)))
        .unwrap_or_default();
    let mut rank = 0.0;
    let mut met = 0;
    for (place, word) in wanted.iter().enumerate() {
        if STOP_WORDS.contains(&word.as_str()) {
            continue;
        }
        let is_last = place + 1 == wanted.len();
        let fits = |own: &String| own == word || (is_last && own.starts_with(word.as_str()));
        let (in_title, in_body) = (title.iter().any(fits), body.iter().any(fits));
        if !in_title && !in_body {
            return None;
        }
        rank += if in_title { 0.607_927_1 } else { 0.243_170_84 };
        met += 1;
    }
    (met > 0).then_some(rank)
}

fn hit(world: &World, page: &Page, rank: f64, wanted: &[String]) -> Value {
    let text = page.content.as_ref().map(content::text).unwrap_or_default();
    json!({
        "id": page.id, "slugId": page.slug_id, "title": page.title, "icon": page.icon, "parentPageId": page.parent,
        "creatorId": page.creator, "createdAt": page.created.shown(), "updatedAt": page.updated.shown(), "rank": rank,
        "highlight": highlight(&text, wanted), "space": world.space_brief(&page.space),
    })
}

/// The beginning of the text, with the words that were found in bold.
fn highlight(text: &str, wanted: &[String]) -> String {
    let shown = text.split_whitespace().take(25).map(|word| {
        let found = words(word)
            .iter()
            .any(|own| wanted.iter().any(|wanted| own.starts_with(wanted.as_str())));
        if found {
            format!("<b>{word}</b>")
        } else {
            word.to_owned()
        }
    });
    shown.collect::<Vec<String>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_case_and_accents() {
        assert_eq!(
            words("Projet Été-2026, STRASSE Größe"),
            ["projet", "ete", "2026", "strasse", "grosse"]
        );
    }

    #[test]
    fn only_runs_of_bare_punctuation_break_the_parser() {
        assert!(is_broken("a & | ! ( ' :*"));
        assert!(!is_broken("it's 100% (a & b)"));
        assert!(!is_broken("!!!"));
    }

    #[test]
    fn a_megabyte_of_one_word_fits_the_index_and_one_of_many_does_not() {
        let page = |text: String| json!({"type": "text", "text": text});
        assert!(!is_too_rich(&page("word ".repeat(180_000))));
        let many: Vec<String> = (0..120_000).map(|number| format!("w{number:06}")).collect();
        assert!(is_too_rich(&page(many.join(" "))));
    }
}

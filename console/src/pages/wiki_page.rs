//! The blocks of a page as the wiki shows them. They hold what people and other systems wrote: each
//! text and each address is escaped here, and no element is written but those that stand here.

use minijinja::{HtmlEscape, Value};
use passerelle_model::shown::shown;
use serde_json::Value as Json;

/// The page's own title is a heading of the second level.
const BELOW_TITLE: u64 = 2;
const DEEPEST_HEADING: u64 = 6;
/// Most columns or rows that a cell spans.
const WIDEST_CELL: u64 = 100;

/// Blocks as HTML. `wiki` is the address of the wiki, for links within it.
pub(super) fn html(blocks: &[Json], wiki: Option<&str>) -> Value {
    let blocks = blocks.iter().map(|block| element(block, wiki));
    Value::from_safe_string(blocks.collect())
}

fn element(node: &Json, wiki: Option<&str>) -> String {
    let attrs = &node["attrs"];
    let inner = || -> String {
        let children = node["content"].as_array().into_iter().flatten();
        children.map(|child| element(child, wiki)).collect()
    };
    let put = |tag: &str| format!("<{tag}>{}</{tag}>", inner());
    let word = |name: &str| attrs[name].as_str().unwrap_or_default();
    match word_of(node, "type") {
        "text" => run(node, wiki),
        "hardBreak" => "<br>".to_owned(),
        "horizontalRule" => "<hr>".to_owned(),
        "paragraph" => format!("<p{}>{}</p>", side(word("textAlign")), inner()),
        "heading" => {
            let own = attrs["level"].as_u64().unwrap_or(1).clamp(1, DEEPEST_HEADING);
            let level = (own + BELOW_TITLE).min(DEEPEST_HEADING);
            format!("<h{level} class=\"level-{own}\">{}</h{level}>", inner())
        }
        "bulletList" | "taskList" => put("ul"),
        "orderedList" => {
            let start = attrs["start"].as_u64().unwrap_or(1);
            format!("<ol start=\"{start}\">{}</ol>", inner())
        }
        "listItem" => put("li"),
        "taskItem" => {
            let tick = if attrs["checked"] == true { '☑' } else { '☐' };
            format!("<li class=\"task\"><span>{tick}</span><div>{}</div></li>", inner())
        }
        "blockquote" => put("blockquote"),
        "codeBlock" => format!("<pre><code>{}</code></pre>", inner()),
        "table" => format!("<table><tbody>{}</tbody></table>", inner()),
        "tableRow" => put("tr"),
        "tableHeader" => cell("th", attrs, &inner()),
        "tableCell" => cell("td", attrs, &inner()),
        "callout" => callout(word("type"), word("icon"), &inner()),
        "details" => format!("<details open>{}</details>", inner()),
        "detailsSummary" => put("summary"),
        "image" => picture(word("src"), word("alt"), wiki),
        "mention" => escaped(word("label")),
        "mathInline" | "mathBlock" => format!("<code>{}</code>", escaped(word("text"))),
        kind => match inner() {
            nothing if nothing.is_empty() => format!("<p class=\"faint\">({})</p>", escaped(kind)),
            inner => format!("<div>{inner}</div>"),
        },
    }
}

fn word_of<'a>(node: &'a Json, name: &str) -> &'a str {
    node[name].as_str().unwrap_or_default()
}

fn escaped(text: &str) -> String {
    HtmlEscape(&shown(text)).to_string()
}

/// A run of text with its marks.
fn run(node: &Json, wiki: Option<&str>) -> String {
    let marks = node["marks"].as_array().into_iter().flatten();
    let wrapped = |text: String, mark: &Json| match word_of(mark, "type") {
        "bold" => format!("<strong>{text}</strong>"),
        "italic" => format!("<em>{text}</em>"),
        "underline" => format!("<u>{text}</u>"),
        "strike" => format!("<s>{text}</s>"),
        "code" => format!("<code>{text}</code>"),
        "subscript" => format!("<sub>{text}</sub>"),
        "superscript" => format!("<sup>{text}</sup>"),
        "highlight" => format!("<mark>{text}</mark>"),
        "link" => link(word_of(&mark["attrs"], "href"), &text, wiki),
        _ => text,
    };
    marks.fold(escaped(word_of(node, "text")), wrapped)
}

/// A link, if it leads where a link may; else what is shown of it.
fn link(href: &str, shown: &str, wiki: Option<&str>) -> String {
    match target(href, wiki) {
        Some(href) => {
            let href = escaped(&href);
            format!("<a href=\"{href}\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">{shown}</a>")
        }
        None => shown.to_owned(),
    }
}

/// Where a link leads; `None` if it may not be followed, e.g. a script.
fn target(href: &str, wiki: Option<&str>) -> Option<String> {
    let href = href.trim();
    if href.contains(char::is_control) {
        return None;
    }
    if href.starts_with('/') {
        return Some(format!("{}{href}", wiki?));
    }
    let (scheme, rest) = href.split_once(':')?;
    let is_known = ["http", "https", "mailto", "tel"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    (is_known && !rest.is_empty()).then(|| href.to_owned())
}

/// A link to a picture: the console loads nothing from elsewhere.
fn picture(src: &str, alt: &str, wiki: Option<&str>) -> String {
    let name = if alt.is_empty() {
        src.rsplit('/').next().unwrap_or_default()
    } else {
        alt
    };
    format!("<p>{}</p>", link(src, &format!("🖼 {}", escaped(name)), wiki))
}

fn cell(tag: &str, attrs: &Json, inner: &str) -> String {
    let span = |name: &str| match attrs[name].as_u64() {
        Some(many @ 2..=WIDEST_CELL) => format!(" {name}=\"{many}\""),
        _ => String::new(),
    };
    let (columns, rows, side) = (span("colspan"), span("rowspan"), side(word_of(attrs, "align")));
    format!("<{tag}{columns}{rows}{side}>{inner}</{tag}>")
}

fn side(word: &str) -> &'static str {
    match word {
        "center" => " class=\"at-center\"",
        "right" => " class=\"at-right\"",
        _ => "",
    }
}

fn callout(kind: &str, icon: &str, inner: &str) -> String {
    let tone = match kind {
        "success" => "good",
        "warning" => "warn",
        "danger" => "bad",
        _ => "info",
    };
    let icon = escaped(icon);
    format!("<div class=\"callout {tone}\" role=\"note\"><span>{icon}</span><div>{inner}</div></div>")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn written(node: Json) -> String {
        html(&[node], Some("https://wiki.example.org")).to_string()
    }

    fn linked(href: &str) -> String {
        written(json!({"type": "text", "text": "here", "marks": [{"type": "link", "attrs": {"href": href}}]}))
    }

    #[test]
    fn a_page_is_written_as_the_wiki_shows_it() {
        let text = |text: &str| json!({"type": "text", "text": text});
        let cell = |kind: &str, align: &str, words: &str| {
            json!({"type": kind, "attrs": {"colspan": 1, "rowspan": 2, "align": align}, "content": [
                {"type": "paragraph", "content": [text(words)]}]})
        };
        let page = json!({"type": "transclusionSource", "attrs": {"id": "baserow"}, "content": [
        {"type": "callout", "attrs": {"type": "info", "icon": "🔄"}, "content": [
            {"type": "heading", "attrs": {"level": 1}, "content": [text("Projet")]},
            {"type": "table", "content": [{"type": "tableRow", "content": [
                cell("tableHeader", "left", "a"), cell("tableCell", "right", "b")]}]},
            {"type": "taskList", "content": [{"type": "taskItem", "attrs": {"checked": true}, "content": [
                {"type": "paragraph", "content": [text("c"), {"type": "hardBreak"}, text("d")]}]}]},
            {"type": "codeBlock", "content": [text("e < f")]},
            {"type": "horizontalRule"},
            {"type": "excalidraw"},
        ]}]});
        assert_eq!(
            written(page),
            "<div><div class=\"callout info\" role=\"note\"><span>🔄</span><div><h3 class=\"level-1\">Projet</h3>\
             <table><tbody><tr><th rowspan=\"2\"><p>a</p></th><td rowspan=\"2\" class=\"at-right\"><p>b</p></td></tr></tbody></table>\
             <ul><li class=\"task\"><span>☑</span><div><p>c<br>d</p></div></li></ul><pre><code>e &lt; f</code></pre><hr>\
             <p class=\"faint\">(excalidraw)</p></div></div></div>"
        );
    }

    #[rstest]
    #[case::script("javascript:alert(1)")]
    #[case::script_in_capitals(" JavaScript:alert(1)")]
    #[case::script_with_a_tab("java\tscript:alert(1)")]
    #[case::script_behind_a_control("\u{1}javascript:alert(1)")]
    #[case::web_with_a_line_end("https://a.test/\nb")]
    #[case::data("data:text/html,<script>alert(1)</script>")]
    #[case::other_program("vbscript:x")]
    #[case::nothing("")]
    #[case::here("#place")]
    #[case::page_of_the_console("acts")]
    fn a_link_that_may_not_be_followed_is_only_its_words(#[case] href: &str) {
        assert_eq!(linked(href), "here");
    }

    #[test]
    fn a_link_leads_out_or_into_the_wiki_and_tells_nobody_from_where() {
        let rel = "target=\"_blank\" rel=\"noopener noreferrer nofollow\">here</a>";
        for (href, leads) in [
            (
                "https://a.test/?b=1&c=\"",
                "https:&#x2f;&#x2f;a.test&#x2f;?b=1&amp;c=&quot;",
            ),
            ("mailto:a@b.test", "mailto:a@b.test"),
            ("/s/projets", "https:&#x2f;&#x2f;wiki.example.org&#x2f;s&#x2f;projets"),
            ("//a.test", "https:&#x2f;&#x2f;wiki.example.org&#x2f;&#x2f;a.test"),
        ] {
            assert_eq!(linked(href), format!("<a href=\"{leads}\" {rel}"));
        }
        let local = json!({"type": "text", "text": "here", "marks": [{"type": "link", "attrs": {"href": "/s/x"}}]});
        assert_eq!(
            html(&[local], None).to_string(),
            "here",
            "where the wiki is, is not known"
        );
    }

    #[test]
    fn whatever_stands_where_a_text_or_an_attribute_may_is_neither_markup_nor_obeyed() {
        let evil = "\"><script>alert(1)</script><img src=x onerror='y'>\u{202e}\u{1b}\0";
        let kinds = [
            "text",
            "paragraph",
            "heading",
            "orderedList",
            "taskItem",
            "tableCell",
            "callout",
            "image",
            "mention",
            "mathInline",
            "codeBlock",
            evil,
        ];
        for kind in kinds {
            let made = written(json!({
                "type": kind, "text": evil,
                "attrs": {"level": evil, "start": evil, "checked": evil, "colspan": evil, "align": evil, "textAlign": evil,
                    "type": evil, "icon": evil, "src": format!("https://a.test/{evil}"), "alt": evil, "label": evil, "text": evil},
                "marks": [{"type": evil, "attrs": {"href": evil}}, {"type": "link", "attrs": {"href": format!("https://a.test/{}", &evil[..20])}}],
                "content": [{"type": "text", "text": evil}, evil, 7, null],
            }));
            for raw in ["<script", "<img", "\">\"", " onerror='", "\u{202e}", "\u{1b}", "\0"] {
                assert!(!made.contains(raw), "{kind}: {raw} in {made}");
            }
            assert_eq!(made.matches('<').count(), made.matches('>').count(), "{made}");
        }
    }

    #[test]
    fn a_page_as_deep_as_one_can_be_read_is_written() {
        let mut page = json!({"type": "text", "text": "deep"});
        for _ in 0..60 {
            page = json!({"type": "blockquote", "content": [page]});
        }
        let written = written(page);
        assert!(written.contains("deep") && written.matches("<blockquote>").count() == 60);
    }
}

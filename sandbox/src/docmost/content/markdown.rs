//! Reads Markdown with a CommonMark parser, and writes it as the real server does.

use pulldown_cmark::{Options, Parser, html};
use serde_json::Value;

use super::children;

/// HTML for a markdown text.
pub(super) fn to_html(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS | Options::ENABLE_STRIKETHROUGH;
    let mut out = String::new();
    html::push_html(&mut out, Parser::new_ext(text, options));
    out
}

/// A document as `info` and `update` answer it. A table's header row becomes its first row, below
/// an empty header.
pub(in super::super) fn shown(document: &Value) -> String {
    blocks(document)
}

fn blocks(node: &Value) -> String {
    let blocks: Vec<String> = children(node).iter().map(block).collect();
    blocks.join("\n\n").trim().to_owned()
}

fn block(node: &Value) -> String {
    match node["type"].as_str().unwrap_or_default() {
        "heading" => {
            let level = node["attrs"]["level"]
                .as_u64()
                .and_then(|level| usize::try_from(level).ok());
            format!("{} {}", "#".repeat(level.unwrap_or(1)), inline(node))
        }
        "bulletList" => items(node, |_, _| "- ".to_owned()),
        "orderedList" => items(node, |place, _| format!("{}. ", place + 1)),
        "taskList" => items(node, |_, item| {
            let checked = item["attrs"]["checked"].as_bool().unwrap_or(false);
            if checked {
                "- [x] ".to_owned()
            } else {
                "- [ ] ".to_owned()
            }
        }),
        "table" => table(node),
        "codeBlock" => {
            let language = node["attrs"]["language"].as_str().unwrap_or_default();
            format!("```{language}\n{}\n```", super::text(node).trim_end_matches('\n'))
        }
        "blockquote" => prefixed(&blocks(node), "> ", "> "),
        "horizontalRule" => "---".to_owned(),
        "image" => image(node),
        _ if is_inline(node) => inline(node),
        _ => blocks(node),
    }
}

fn is_inline(node: &Value) -> bool {
    let inline = |child: &Value| matches!(child["type"].as_str(), Some("text" | "hardBreak" | "mention" | "image"));
    children(node).iter().all(inline)
}

fn items(list: &Value, mark: impl Fn(usize, &Value) -> String) -> String {
    let items = children(list).iter().enumerate().map(|(place, item)| {
        let parts: Vec<String> = children(item).iter().map(block).collect();
        prefixed(&parts.join("\n"), &mark(place, item), "  ")
    });
    items.collect::<Vec<String>>().join("\n")
}

fn prefixed(text: &str, first: &str, others: &str) -> String {
    let lines = text.lines().enumerate();
    let lines = lines.map(|(place, line)| format!("{}{line}", if place == 0 { first } else { others }));
    lines.collect::<Vec<String>>().join("\n")
}

fn table(node: &Value) -> String {
    let cells = |row: &Value| -> Vec<String> {
        let cells = children(row).iter();
        cells.map(|cell| blocks(cell).replace('\n', " ")).collect()
    };
    let mut rows: Vec<Vec<String>> = children(node).iter().map(cells).collect();
    let width = rows.first().map_or(0, Vec::len);
    rows.insert(0, vec![String::new(); width]);
    rows.insert(1.min(rows.len()), vec!["---".to_owned(); width]);
    let line = |cells: &Vec<String>| {
        format!(
            "| {} |",
            cells
                .iter()
                .map(|cell| format!("{cell:<3}"))
                .collect::<Vec<_>>()
                .join(" | ")
        )
    };
    rows.iter().map(line).collect::<Vec<String>>().join("\n")
}

fn image(node: &Value) -> String {
    let attribute = |name: &str| node["attrs"][name].as_str().unwrap_or_default().to_owned();
    format!("![{}]({})", attribute("alt"), attribute("src"))
}

/// The text of a block with its marks.
fn inline(node: &Value) -> String {
    let parts = children(node).iter().map(|child| match child["type"].as_str() {
        Some("hardBreak") => "  \n".to_owned(),
        Some("image") => image(child),
        _ => marked(child),
    });
    parts.collect()
}

fn marked(text: &Value) -> String {
    let marks = text["marks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let plain = text["text"].as_str().unwrap_or_default().to_owned();
    marks.iter().fold(plain, |text, mark| match mark["type"].as_str() {
        Some("bold") => format!("**{text}**"),
        Some("italic") => format!("*{text}*"),
        Some("strike") => format!("~~{text}~~"),
        Some("code") => format!("`{text}`"),
        Some("link") => format!("[{text}]({})", mark["attrs"]["href"].as_str().unwrap_or_default()),
        _ => text,
    })
}

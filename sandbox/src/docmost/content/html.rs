//! Writes HTML as the real server does.

use serde_json::Value;

use super::children;

const XMLNS: &str = " xmlns=\"http://www.w3.org/1999/xhtml\"";

/// A document as `info` answers it.
pub(in super::super) fn shown(document: &Value) -> String {
    children(document).iter().map(|node| element(node, XMLNS)).collect()
}

/// One node; `space` is the namespace that outermost elements carry.
fn element(node: &Value, space: &str) -> String {
    let inner = || {
        children(node)
            .iter()
            .map(|child| element(child, ""))
            .collect::<String>()
    };
    let wrap = |tag: &str, rest: &str| format!("<{tag}{space} dir=\"auto\"{rest}>{}</{tag}>", inner());
    let attrs = &node["attrs"];
    match node["type"].as_str().unwrap_or_default() {
        "text" => text(node),
        "hardBreak" => "<br />".to_owned(),
        "horizontalRule" => format!("<hr{space} />"),
        "paragraph" => format!("<p{space}{} dir=\"auto\">{}</p>", id(attrs, "data-id"), inner()),
        "heading" => {
            let level = attrs["level"].as_u64().unwrap_or(1);
            let (mark, anchor) = (id(attrs, "data-id"), id(attrs, "id"));
            format!("<h{level}{space}{mark} dir=\"auto\"{anchor}>{}</h{level}>", inner())
        }
        "bulletList" => wrap("ul", ""),
        "orderedList" => wrap("ol", ""),
        "listItem" => wrap("li", ""),
        "blockquote" => wrap("blockquote", ""),
        "taskList" => wrap("ul", " data-type=\"taskList\""),
        "taskItem" => task(attrs["checked"].as_bool().unwrap_or(false), &inner()),
        "table" => table(node, space),
        "tableRow" => wrap("tr", ""),
        "tableHeader" => wrap("th", " colspan=\"1\" rowspan=\"1\""),
        "tableCell" => wrap("td", " colspan=\"1\" rowspan=\"1\""),
        "codeBlock" => {
            let language = attrs["language"].as_str();
            let class = language.map(|language| format!(" class=\"language-{}\"", escape(language)));
            format!(
                "<pre{space} dir=\"auto\"><code{}>{}</code></pre>",
                class.unwrap_or_default(),
                inner()
            )
        }
        _ => wrap("div", ""),
    }
}

fn id(attrs: &Value, name: &str) -> String {
    let id = attrs["id"].as_str();
    id.map_or_else(String::new, |id| format!(" {name}=\"{}\"", escape(id)))
}

fn task(checked: bool, inner: &str) -> String {
    let tick = if checked { " checked=\"checked\"" } else { "" };
    format!(
        "<li dir=\"auto\" data-checked=\"{checked}\" data-type=\"taskItem\"><label><input type=\"checkbox\"{tick} />\
         <span></span></label><div>{inner}</div></li>"
    )
}

fn table(node: &Value, space: &str) -> String {
    let columns = children(node).first().map_or(0, |row| children(row).len());
    let width = columns * 25;
    let cols = "<col style=\"min-width: 25px;\" />".repeat(columns);
    let rows: String = children(node).iter().map(|row| element(row, "")).collect();
    format!(
        "<div{space} class=\"tableWrapper\"><table dir=\"auto\" style=\"min-width: {width}px;\"><colgroup>{cols}\
         </colgroup><tbody>{rows}</tbody></table></div>"
    )
}

fn text(node: &Value) -> String {
    let marks = node["marks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let plain = escape(node["text"].as_str().unwrap_or_default());
    marks.iter().fold(plain, |text, mark| match mark["type"].as_str() {
        Some("bold") => format!("<strong>{text}</strong>"),
        Some("italic") => format!("<em>{text}</em>"),
        Some("strike") => format!("<s>{text}</s>"),
        Some("code") => format!("<code>{text}</code>"),
        Some("link") => {
            let href = escape(mark["attrs"]["href"].as_str().unwrap_or_default());
            format!("<a target=\"_blank\" rel=\"noopener noreferrer nofollow\" href=\"{href}\">{text}</a>")
        }
        _ => text,
    })
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

//! Nodes of a page as lines of text, for a terminal.

use passerelle_worker::content::document::Node;

/// The lines of blocks. Links show where they lead.
pub fn lines(blocks: &[Node]) -> Vec<String> {
    blocks.iter().flat_map(block).collect()
}

fn block(node: &Node) -> Vec<String> {
    let below = |prefix: &str| prefixed(&lines(&node.content), prefix, &" ".repeat(prefix.len()));
    match node.kind.as_str() {
        "heading" => {
            let level = node.attrs.get("level").and_then(serde_json::Value::as_u64).unwrap_or(1);
            prefixed(
                &text(node),
                &format!("{} ", "#".repeat(usize::try_from(level).unwrap_or(1))),
                "",
            )
        }
        "tableRow" => vec![
            node.content
                .iter()
                .map(|cell| lines(&cell.content).join(" / "))
                .collect::<Vec<_>>()
                .join(" | "),
        ],
        "listItem" => below("- "),
        "taskItem" => {
            let is_done = node
                .attrs
                .get("checked")
                .and_then(serde_json::Value::as_bool)
                .unwrap_or(false);
            below(if is_done { "[x] " } else { "[ ] " })
        }
        "callout" => boxed(&lines(&node.content)),
        "blockquote" => prefixed(&lines(&node.content), "> ", "> "),
        "codeBlock" => prefixed(&text(node), "    ", "    "),
        "horizontalRule" => vec!["---".to_owned()],
        "paragraph" => text(node),
        kind if node.content.is_empty() => vec![format!("({kind})")],
        _ => lines(&node.content),
    }
}

/// Lines in a frame, as the wiki shows a callout.
fn boxed(lines: &[String]) -> Vec<String> {
    const WIDTH: usize = 60;
    let border = "─".repeat(WIDTH);
    let mut boxed = vec![format!("╭{border}")];
    boxed.extend(prefixed(lines, "│ ", "│ "));
    boxed.push(format!("╰{border}"));
    boxed
}

fn prefixed(lines: &[String], first: &str, others: &str) -> Vec<String> {
    let lines = lines.iter().enumerate();
    let lines = lines.map(|(place, line)| format!("{}{line}", if place == 0 { first } else { others }));
    lines.collect()
}

/// The text of a block, line by line.
fn text(node: &Node) -> Vec<String> {
    let runs = node.content.iter().map(|run| match &run.text {
        Some(text) => match run.marks.iter().find_map(|mark| mark.attrs.get("href")?.as_str()) {
            Some(href) if href != text && href != format!("mailto:{text}") => format!("{text} <{href}>"),
            _ => text.clone(),
        },
        None => "\n".to_owned(),
    });
    let text: String = runs.collect();
    text.trim_end_matches('\n').split('\n').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use passerelle_worker::content::markdown;

    use super::*;

    #[test]
    fn a_page_is_shown_line_by_line() {
        let read = markdown::nodes(
            "# T\n\n| a | b |\n|---|---|\n| [c](https://d.test) | e<br>f |\n\n- g\n  h\n- [x] i\n\n> j\n\n```\nk\n```\n",
            &[],
        );
        insta::assert_snapshot!(lines(&read).join("\n"), @"
        # T
        a | b
        c <https://d.test> | e / f
        - g
          h
        [x] i
        > j
            k
        ");
    }
}

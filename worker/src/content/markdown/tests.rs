use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn read(markdown: &str) -> Value {
    json!(nodes(markdown, &[]))
}

/// Nodes without the attributes that every node of a kind has.
fn shown(nodes: &[Node]) -> String {
    let one = |node: &Node| {
        let marks: Vec<&str> = node
            .marks
            .iter()
            .map(|mark| mark.attrs.get("href").and_then(Value::as_str).unwrap_or(&mark.kind))
            .collect();
        let marks = if marks.is_empty() {
            String::new()
        } else {
            format!("<{}>", marks.join(" "))
        };
        match (&node.text, node.kind.as_str()) {
            (Some(text), _) => format!("{text:?}{marks}"),
            (None, kind) => {
                let named = ["level", "start", "checked", "align", "language", "src"];
                let attrs = named
                    .iter()
                    .filter_map(|name| Some(format!(" {name}={}", node.attrs.get(*name)?)));
                let inner = if node.content.is_empty() {
                    String::new()
                } else {
                    format!("({})", shown(&node.content))
                };
                format!("{kind}{}{inner}", attrs.collect::<String>())
            }
        }
    };
    nodes.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn with(markdown: &str, value: &str) -> String {
    shown(&nodes(
        &markdown.replace("{}", &placeholder(0)),
        &[Inserted::Text(value.to_owned())],
    ))
}

/// What people read: line breaks as `\n`, blocks one below the other.
fn visible(nodes: &[Node]) -> String {
    let one = |node: &Node| match (&node.text, node.kind.as_str()) {
        (Some(text), _) => text.clone(),
        (None, "hardBreak") => "\n".to_owned(),
        (None, _) => visible(&node.content),
    };
    nodes.iter().map(one).collect()
}

/// Blocks without their text.
fn skeleton(nodes: &[Node]) -> Vec<Value> {
    let blocks = nodes.iter().filter(|node| !node.is_run() && node.kind != "hardBreak");
    blocks
        .map(|node| json!([node.kind, node.attrs, skeleton(&node.content)]))
        .collect()
}

#[test]
fn markdown_is_read_as_the_wiki_reads_it() {
    let request: Value = serde_json::from_str(include_str!(
        "../../../../tests/contract/captures/docmost/03c-create-markdown.json"
    ))
    .unwrap();
    let answer: Value = serde_json::from_str(include_str!(
        "../../../../tests/contract/captures/docmost/04a-info-default-json.json"
    ))
    .unwrap();
    let mut real = answer["response"]["body"]["data"]["content"]["content"].clone();
    without_ids_and_nulls(&mut real);
    assert_eq!(read(request["request"]["body"]["content"].as_str().unwrap()), real);
}

fn without_ids_and_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| name != "id" && !value.is_null());
            fields.values_mut().for_each(without_ids_and_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_ids_and_nulls),
        _ => {}
    }
}

#[test]
fn lists_quotes_and_tables_have_the_form_that_the_editor_knows() {
    insta::assert_snapshot!(shown(&nodes("- a\n- b\n  1. c\n\n     d\n- [x] e\n- \n", &[])), @r#"bulletList(listItem(paragraph("a")), listItem(paragraph("b"), orderedList start=1(listItem(paragraph("c"), paragraph("d"))))), taskList(taskItem checked=true(paragraph("e"))), bulletList(listItem(paragraph))"#);
    insta::assert_snapshot!(shown(&nodes("3. a\n4. b\n\n> - q\n>\n> ---\n", &[])), @r#"orderedList start=3(listItem(paragraph("a")), listItem(paragraph("b"))), blockquote(bulletList(listItem(paragraph("q"))), horizontalRule)"#);
    insta::assert_snapshot!(shown(&nodes("| a | b |\n|:-:|--:|\n| c<br>d | `e` |\n", &[])), @r#"table(tableRow(tableHeader align="center"(paragraph("a")), tableHeader align="right"(paragraph("b"))), tableRow(tableCell align="center"(paragraph("c", hardBreak, "d")), tableCell align="right"(paragraph("e"<code>))))"#);
    insta::assert_snapshot!(shown(&nodes("| | |\n|---|---|\n| a | b |\n", &[])), @r#"table(tableRow(tableCell(paragraph("a")), tableCell(paragraph("b"))))"#);
    insta::assert_snapshot!(shown(&nodes("a\nb  \nc **d *e*** ~~f~~ [g](/h) ![i](https://j.test/k)\n\n    code\n", &[])), @r#"paragraph("a", hardBreak, "b", hardBreak, "c ", "d "<bold>, "e"<bold italic>, " ", "f"<strike>, " ", "g"</h>, " "), image src="https://j.test/k", codeBlock("code\n")"#);
}

#[test]
fn a_body_that_begins_with_a_rule_is_there_from_its_first_line() {
    insta::assert_snapshot!(shown(&nodes("---\n## Fiche\n\n---\n\nFin\n", &[])), @r#"horizontalRule, heading level=2("Fiche"), horizontalRule, paragraph("Fin")"#);
}

#[test]
fn html_stays_text() {
    insta::assert_snapshot!(shown(&nodes("a <b>b</b> <!-- c -->\n\n<div onclick=\"x\">\nd\n</div>\n", &[])), @r#"paragraph("a <b>b</b> "), paragraph("<div onclick=\"x\">", hardBreak, "d", hardBreak, "</div>")"#);
}

#[test]
fn addresses_in_a_value_lead_to_exactly_themselves() {
    for (value, href) in [
        ("https://ex.org/a_b_c", "https://ex.org/a_b_c"),
        (
            "https://ex.org/plan_2026?x=1&y=2#haut~(1)",
            "https://ex.org/plan_2026?x=1&y=2#haut~(1)",
        ),
        ("jean_paul.martin@exemple.test", "mailto:jean_paul.martin@exemple.test"),
    ] {
        let cell = with("| | |\n|---|---|\n| Site | {} |\n", value);
        assert!(cell.contains(&format!("{value:?}<{href}>")), "{cell}");
        let sentence = with("{}", &format!("Voir {value}, puis rien."));
        assert!(sentence.contains(&format!("{value:?}<{href}>")), "{sentence}");
    }
    for text in ["javascript:alert(1)", "ftp://a.test/b", "a.test", "x@y"] {
        assert_eq!(with("{}", text), format!("paragraph({text:?})"));
    }
}

#[test]
fn a_value_may_be_the_target_of_a_link_or_a_part_of_it() {
    assert_eq!(
        with("[x]({})", "https://a.test/b_c"),
        r#"paragraph("x"<https://a.test/b_c>)"#
    );
    assert_eq!(with("[x]({})", "a_b@c.test"), r#"paragraph("x"<mailto:a_b@c.test>)"#);
    assert_eq!(
        with("[x](https://a.test/?q={})", "b&c d)"),
        r#"paragraph("x"<https://a.test/?q=b%26c%20d%29>)"#
    );
    assert_eq!(with("[x]({})", "javascript:alert(1)"), r#"paragraph("x")"#);
    assert_eq!(
        with("[{}](https://a.test)", "[b](https://c.test)"),
        r#"paragraph("[b](https://c.test)"<https://a.test>)"#
    );
}

#[test]
fn a_long_text_keeps_its_paragraphs_and_a_value_of_markdown_its_blocks_where_they_stand_alone() {
    let read = |markdown: &str, value: Inserted| shown(&nodes(&markdown.replace("{}", &placeholder(0)), &[value]));
    let long = || Inserted::Paragraphs("un\ndeux\n \n\n    trois\n".to_owned());
    insta::assert_snapshot!(read("{}", long()), @r#"paragraph("un", hardBreak, "deux"), paragraph("    trois")"#);
    insta::assert_snapshot!(read("Notes : {}", long()), @r#"paragraph("Notes : un", hardBreak, "deux", hardBreak, " ", hardBreak, hardBreak, "    trois")"#);
    let rich = || Inserted::Markdown("---\n# T\n\n- **a**\n\n```\nunclosed".to_owned());
    insta::assert_snapshot!(read("{}\n\nfin", rich()), @r#"horizontalRule, heading level=1("T"), bulletList(listItem(paragraph("a"<bold>))), codeBlock("unclosed"), paragraph("fin")"#);
    insta::assert_snapshot!(read("| a |\n|---|\n| *x* {} |\n", rich()), @r#"table(tableRow(tableHeader(paragraph("a"))), tableRow(tableCell(paragraph("x"<italic>, " T", hardBreak, "a"<bold>, hardBreak, "unclosed"))))"#);
    let button = || Inserted::Link {
        text: "Ouvrir".to_owned(),
        url: "https://a.test".to_owned(),
    };
    insta::assert_snapshot!(read("**{}**", button()), @r#"paragraph("Ouvrir"<bold https://a.test>)"#);
}

#[test]
fn blocks_in_blocks_without_end_cost_no_stack() {
    let deep = nodes(&format!("{}x", "> ".repeat(20_000)), &[]);
    assert_eq!(visible(&deep), "x");
    assert!(serde_json::to_string(&deep).unwrap().len() < 10_000);
    let deep = nodes(&format!("{}x", "- ".repeat(5_000)), &[]);
    assert_eq!(visible(&deep), "x");
}

/// A template with a value in every kind of place.
const PLACES: &str = "# a {}\n\n{}\n\nb **{}** *c {}*\n\n| {} | d |\n|---|---|\n| `{}` | {} |\n\n- {}\n- [ ] {}\n\n> {}\n\n```{}\n{}\n```\n\n[e {}](https://a.test)\n\n{}";

proptest! {
    #[test]
    fn any_text_comes_out_as_itself(text in "\\PC*|[\\\\`*_{}\\[\\]()#+.!|<>~:=&;@/ \t\n\r\u{0}0-9a-b\u{fdd0}\u{fdd1}-]*") {
        for markdown in ["{}", "a {}", "| {} |\n|---|\n", "- {}", "**{}**", "# {}"] {
            let read = nodes(&markdown.replace("{}", &placeholder(0)), &[Inserted::Text(format!("v{text}v"))]);
            let seen = visible(&read);
            let expected = cleaned(&format!("v{text}v"));
            prop_assert!(seen == expected || seen == format!("a {expected}"), "{seen:?}");
        }
    }

    #[test]
    fn no_value_changes_the_structure_around_it(text in "\\PC*|[\\\\`*_{}\\[\\]()#+.!|<>~:=&;@/ \t\n0-9a-b-]*") {
        let skeleton_with = |text: String| skeleton(&nodes(&PLACES.replace("{}", &placeholder(0)), &[Inserted::Text(text)]));
        let language = |mut blocks: Vec<Value>| { blocks.retain(|block| block[0] != "codeBlock"); blocks };
        prop_assert_eq!(language(skeleton_with(format!("v{text}"))), language(skeleton_with("v".to_owned())));
    }

    #[test]
    fn any_markdown_is_read_into_what_the_editor_knows(markdown in "[\\\\`*_{}\\[\\]()#+.!|<>~:=&; \n0-9a-b-]{0,200}") {
        for node in nodes(&markdown, &[]) {
            prop_assert!(is_known(&node), "{node:?}");
        }
    }
}

/// Whether a block has the content that the editor's schema wants.
fn is_known(node: &Node) -> bool {
    let kinds: Vec<&str> = node.content.iter().map(|node| node.kind.as_str()).collect();
    let all = |known: &[&str]| kinds.iter().all(|kind| known.contains(kind));
    let some = |known: &[&str]| !kinds.is_empty() && all(known);
    let is_right = match node.kind.as_str() {
        "paragraph" | "heading" => all(&["text", "hardBreak"]),
        "codeBlock" => all(&["text"]),
        "text" => return node.text.as_deref().is_some_and(|text| !text.is_empty()),
        "hardBreak" | "horizontalRule" | "image" => kinds.is_empty(),
        "bulletList" | "orderedList" => some(&["listItem"]),
        "taskList" => some(&["taskItem"]),
        "listItem" | "taskItem" => kinds.first() == Some(&"paragraph"),
        "table" => some(&["tableRow"]),
        "tableRow" => some(&["tableHeader", "tableCell"]),
        "tableHeader" | "tableCell" | "blockquote" => !kinds.is_empty(),
        _ => false,
    };
    is_right && node.content.iter().all(is_known)
}

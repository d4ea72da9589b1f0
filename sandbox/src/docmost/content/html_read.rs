//! Reads HTML into a document of the nodes that the schema knows. Other tags are transparent
//! (`div`, `span`), or dropped with all they contain (`script`, `style`, comments).

use serde_json::{Value, json};

use super::tags::{attribute, mark, node, paragraph, unescape};

/// The document for an HTML text.
pub(super) fn document(html: &str) -> Value {
    let mut builder = Builder::new();
    let mut rest = html;
    while !rest.is_empty() {
        rest = builder.take(rest);
    }
    builder.finish()
}

/// An element that is open.
#[derive(Debug)]
struct Open {
    tag: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A node, with its children so far.
    Node(Value, Vec<Value>),
    /// A mark of the text inside.
    Mark(Value),
    /// A transparent tag: its children belong to the node around it.
    Nothing,
}

#[derive(Debug)]
struct Builder {
    open: Vec<Open>,
}

impl Builder {
    fn new() -> Self {
        let document = json!({"type": "doc", "attrs": {"dir": "auto"}});
        Self {
            open: vec![Open {
                tag: String::new(),
                kind: Kind::Node(document, Vec::new()),
            }],
        }
    }

    /// Takes one piece (a comment, a tag or a text) off the front and gives the rest.
    fn take<'a>(&mut self, html: &'a str) -> &'a str {
        if let Some(comment) = html.strip_prefix("<!--") {
            return comment.split_once("-->").map_or("", |(_, rest)| rest);
        }
        let is_tag = html
            .strip_prefix('<')
            .is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_alphabetic() || "/!?".contains(char)));
        if !is_tag {
            let end = html
                .char_indices()
                .skip(1)
                .find(|(_, char)| *char == '<')
                .map_or(html.len(), |(end, _)| end);
            let (text, rest) = html.split_at(end);
            self.text(&unescape(text));
            return rest;
        }
        let (tag, rest) = html.split_once('>').unwrap_or((html, ""));
        let tag = tag.trim_start_matches('<').trim_end_matches('/');
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        let name = name.to_ascii_lowercase();
        if let Some(name) = name.strip_prefix('/') {
            self.close(name);
        } else if matches!(name.as_str(), "script" | "style" | "head" | "title" | "noscript") {
            let end = format!("</{name}");
            let after = rest.to_ascii_lowercase().find(&end).and_then(|start| rest.get(start..));
            return after
                .and_then(|after| after.split_once('>'))
                .map_or("", |(_, rest)| rest);
        } else {
            self.start(&name, attributes);
        }
        rest
    }

    fn start(&mut self, tag: &str, attributes: &str) {
        match tag {
            "br" => return self.push(json!({"type": "hardBreak"})),
            "hr" => return self.push(json!({"type": "horizontalRule"})),
            "img" => {
                let (src, alt) = (attribute(attributes, "src"), attribute(attributes, "alt"));
                return self.push(json!({"type": "image", "attrs": {"src": src, "alt": alt}}));
            }
            "input" => return self.tick(attributes.split_whitespace().any(|word| word.starts_with("checked"))),
            "code" => {
                if let Some((node, _)) = self.node().filter(|(node, _)| node["type"] == "codeBlock") {
                    let class = attribute(attributes, "class");
                    let language = class.as_deref().and_then(|class| class.strip_prefix("language-"));
                    node["attrs"]["language"] = json!(language);
                }
            }
            _ => {}
        }
        let in_code = self.node().is_some_and(|(node, _)| node["type"] == "codeBlock");
        let kind = match (node(tag), mark(tag, attributes)) {
            (Some(node), _) => Kind::Node(node, Vec::new()),
            (None, Some(mark)) if !in_code => Kind::Mark(mark),
            _ => Kind::Nothing,
        };
        self.open.push(Open {
            tag: tag.to_owned(),
            kind,
        });
    }

    /// Closes the innermost element with this tag, and all inside it. Ignores a tag that is not
    /// open.
    fn close(&mut self, tag: &str) {
        let Some(place) = self.open.iter().skip(1).rposition(|open| open.tag == tag) else {
            return;
        };
        while self.open.len() > place + 1 {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(Open {
            kind: Kind::Node(node, children),
            ..
        }) = self.open.pop()
        {
            self.push(finished(node, children));
        }
    }

    fn finish(mut self) -> Value {
        while self.open.len() > 1 {
            self.pop();
        }
        match self.open.pop().map(|open| open.kind) {
            Some(Kind::Node(document, children)) => finished(document, children),
            _ => Value::Null,
        }
    }

    /// The innermost open node and its children.
    fn node(&mut self) -> Option<(&mut Value, &mut Vec<Value>)> {
        self.open.iter_mut().rev().find_map(|open| match &mut open.kind {
            Kind::Node(node, children) => Some((node, children)),
            _ => None,
        })
    }

    fn push(&mut self, node: Value) {
        if let Some((_, children)) = self.node() {
            children.push(node);
        }
    }

    /// A check box makes its list item a task.
    fn tick(&mut self, checked: bool) {
        let item = self.open.iter_mut().rev().find(|open| open.tag == "li");
        if let Some(Open {
            kind: Kind::Node(node, _),
            ..
        }) = item
        {
            *node = json!({"type": "taskItem", "attrs": {"dir": "auto", "checked": checked}});
        }
    }

    fn text(&mut self, text: &str) {
        let marks = self
            .open
            .iter()
            .rev()
            .take_while(|open| !matches!(open.kind, Kind::Node(..)));
        let marks = marks.filter_map(|open| match &open.kind {
            Kind::Mark(mark) => Some(mark.clone()),
            Kind::Node(..) | Kind::Nothing => None,
        });
        let marks: Vec<Value> = marks.collect();
        let Some((node, children)) = self.node() else {
            return;
        };
        let text = if node["type"] == "codeBlock" {
            text.to_owned()
        } else {
            collapsed(text, children.last().is_some_and(is_inline))
        };
        if text.is_empty() {
            return;
        }
        let mut leaf = json!({"type": "text", "text": text});
        if !marks.is_empty() {
            leaf["marks"] = Value::Array(marks);
        }
        children.push(leaf);
    }
}

/// Makes each run of white space one blank, and removes it at the start of a block.
fn collapsed(text: &str, follows_text: bool) -> String {
    let mut out = String::new();
    let mut blank = !follows_text;
    for char in text.chars() {
        if char.is_ascii_whitespace() {
            if !blank {
                out.push(' ');
            }
            blank = true;
        } else {
            out.push(char);
            blank = false;
        }
    }
    out
}

fn is_inline(node: &Value) -> bool {
    matches!(node["type"].as_str(), Some("text" | "hardBreak"))
}

/// A closed node: text directly in a container gets a paragraph, and a list of tasks becomes a task
/// list.
fn finished(mut node: Value, mut children: Vec<Value>) -> Value {
    let holds_text = matches!(node["type"].as_str(), Some("paragraph" | "heading" | "codeBlock"));
    if !holds_text {
        children = with_paragraphs(children);
    }
    if node["type"] == "bulletList" && children.iter().all(|child| child["type"] == "taskItem") {
        node["type"] = json!("taskList");
    }
    if node["type"] == "doc" && children.is_empty() {
        children.push(paragraph());
    }
    if holds_text && node["type"] != "codeBlock" {
        trim_end(&mut children);
    }
    if !children.is_empty() {
        node["content"] = Value::Array(children);
    }
    node
}

fn with_paragraphs(children: Vec<Value>) -> Vec<Value> {
    let mut blocks = Vec::new();
    let mut run = Vec::new();
    for child in children {
        if is_inline(&child) {
            run.push(child);
        } else {
            blocks.extend(in_paragraph(std::mem::take(&mut run)));
            blocks.push(child);
        }
    }
    blocks.extend(in_paragraph(run));
    blocks
}

fn in_paragraph(mut run: Vec<Value>) -> Option<Value> {
    trim_end(&mut run);
    (!run.is_empty()).then(|| {
        let mut node = paragraph();
        node["content"] = Value::Array(run);
        node
    })
}

fn trim_end(run: &mut Vec<Value>) {
    if let Some(last) = run.last_mut()
        && let Some(text) = last["text"].as_str()
    {
        let text = text.trim_end().to_owned();
        if text.is_empty() {
            run.pop();
        } else {
            last["text"] = json!(text);
        }
    }
}

//! Blocks from the events of the parser.

use pulldown_cmark::{Alignment, Event, Tag, TagEnd};

use super::form::{add_code, code_block, filled, header, item, level_of, lists};
use super::inline::{self, Part, paragraph};
use super::{Inserted, link, plain};
use crate::content::document::{Mark, Node};

/// Blocks that stand deeper in each other than this are put side by side: an editor, and whoever
/// walks through a page, goes down one call for each.
const DEEPEST: usize = 40;

/// Puts blocks together.
pub(super) struct Builder<'v> {
    values: &'v [Inserted],
    /// The blocks that are not complete yet, the outermost first.
    open: Vec<Open>,
    /// The marks around the text; `None` for a link that leads nowhere.
    marks: Vec<Option<Mark>>,
    /// Alignments of the columns of the table.
    columns: Vec<Alignment>,
    /// Whether the row is the table's first.
    is_head: bool,
    image: Option<Image>,
}

/// A block that is not complete yet.
struct Open {
    node: Node,
    /// Text that is not in a block yet.
    text: Vec<Part>,
    /// Whether its content goes to the block around it: it stands too deep.
    is_dissolved: bool,
}

struct Image {
    src: String,
    alt: String,
}

impl<'v> Builder<'v> {
    pub(super) fn new(values: &'v [Inserted]) -> Self {
        Self {
            values,
            open: vec![Open::of(Node::new("doc"))],
            marks: Vec::new(),
            columns: Vec::new(),
            is_head: false,
            image: None,
        }
    }

    pub(super) fn finish(mut self) -> Vec<Node> {
        self.flush();
        self.open.pop().map(|open| open.node.content).unwrap_or_default()
    }

    pub(super) fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(end) => self.end(end),
            // Nothing but texts is asked of the parser.
            Event::Text(text) | Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.text(&text);
            }
            Event::Code(text) => self.code(&text),
            Event::Html(text) | Event::InlineHtml(text) => self.html(&text),
            Event::SoftBreak | Event::HardBreak => self.push(Part::Node(Node::new("hardBreak"))),
            Event::Rule => self.block(Node::new("horizontalRule")),
            Event::TaskListMarker(checked) => {
                if let Some(item) = self.open.last_mut().filter(|open| open.node.kind == "listItem") {
                    "taskItem".clone_into(&mut item.node.kind);
                    item.node.attrs.insert("checked".to_owned(), checked.into());
                }
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => {
                self.enter(Node::new("heading").with("level", level_of(level)).with("indent", 0));
            }
            Tag::BlockQuote(_) => self.enter(Node::new("blockquote")),
            Tag::CodeBlock(kind) => self.enter(code_block(&kind, self.values)),
            Tag::List(Some(first)) => self.enter(Node::new("orderedList").with("start", first)),
            Tag::List(None) => self.enter(Node::new("bulletList")),
            Tag::Item => self.enter(Node::new("listItem")),
            Tag::Table(columns) => {
                self.columns = columns;
                self.enter(Node::new("table"));
            }
            Tag::TableHead => {
                self.is_head = true;
                self.enter(Node::new("tableRow"));
            }
            Tag::TableRow => self.enter(Node::new("tableRow")),
            Tag::TableCell => self.enter_cell(),
            Tag::Emphasis => self.marks.push(Some(Mark::new("italic"))),
            Tag::Strong => self.marks.push(Some(Mark::new("bold"))),
            Tag::Strikethrough => self.marks.push(Some(Mark::new("strike"))),
            Tag::Link { dest_url, .. } => {
                let target = link::target(&dest_url, self.values);
                self.marks.push(target.map(|href| link::mark(&href)));
            }
            Tag::Image { dest_url, .. } => {
                let src = link::target(&dest_url, self.values).unwrap_or_default();
                self.image = Some(Image {
                    src,
                    alt: String::new(),
                });
            }
            _ => self.flush(),
        }
    }

    fn end(&mut self, end: TagEnd) {
        match end {
            TagEnd::Heading(_) => {
                let heading = self.text_block();
                if !heading.content.is_empty() {
                    self.block(heading);
                }
            }
            TagEnd::CodeBlock => {
                let block = self.text_block();
                self.block(block);
            }
            TagEnd::Table | TagEnd::TableRow | TagEnd::BlockQuote(_) => self.leave(filled),
            TagEnd::List(_) => self.leave(lists),
            TagEnd::Item => self.leave(|node| vec![item(node)]),
            TagEnd::TableHead => {
                self.is_head = false;
                self.leave(header);
            }
            TagEnd::TableCell => self.leave(|mut cell| {
                if cell.content.is_empty() {
                    cell.content.push(paragraph());
                }
                vec![cell]
            }),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link => {
                self.marks.pop();
            }
            TagEnd::Image => self.end_image(),
            _ => self.flush(),
        }
    }

    fn enter(&mut self, node: Node) {
        self.flush();
        let is_part = matches!(
            node.kind.as_str(),
            "listItem" | "tableRow" | "tableHeader" | "tableCell"
        );
        let is_dissolved = if is_part {
            self.open.last().is_some_and(|around| around.is_dissolved)
        } else {
            self.open.len() > DEEPEST
        };
        let node = node.with("dir", "auto");
        self.open.push(Open {
            is_dissolved,
            ..Open::of(node)
        });
    }

    fn enter_cell(&mut self) {
        let row = self.open.last();
        let column = row.map_or(0, |row| row.node.content.len());
        let cell = Node::new(if self.is_head { "tableHeader" } else { "tableCell" });
        let cell = cell.with("colspan", 1).with("rowspan", 1);
        self.enter(match self.columns.get(column) {
            Some(Alignment::Left) => cell.with("align", "left"),
            Some(Alignment::Center) => cell.with("align", "center"),
            Some(Alignment::Right) => cell.with("align", "right"),
            Some(Alignment::None) | None => cell,
        });
    }

    /// Completes the innermost block, and puts what becomes of it into the one around it.
    fn leave(&mut self, completed: impl FnOnce(Node) -> Vec<Node>) {
        self.flush();
        let Some(open) = self.open.pop() else { return };
        let nodes = if open.is_dissolved {
            open.node.content
        } else {
            completed(open.node)
        };
        if let Some(around) = self.open.last_mut() {
            around.node.content.extend(nodes);
        }
    }

    /// Completes the innermost block, which holds nothing but text.
    fn text_block(&mut self) -> Node {
        let Some(open) = self.open.pop() else {
            return Node::default();
        };
        if open.node.kind == "codeBlock" {
            return open.node;
        }
        let content = inline::content(open.text, self.values);
        open.node.holding(content)
    }

    fn block(&mut self, node: Node) {
        self.flush();
        if let Some(open) = self.open.last_mut() {
            open.node.content.push(node);
        }
    }

    /// Text that was not in a block becomes paragraphs.
    fn flush(&mut self) {
        let Some(open) = self.open.last_mut() else { return };
        let text = std::mem::take(&mut open.text);
        if !text.is_empty() {
            open.node.content.extend(inline::blocks(text, self.values));
        }
    }

    fn push(&mut self, part: Part) {
        if let Some(open) = self.open.last_mut() {
            open.text.push(part);
        }
    }

    fn marks(&self) -> Vec<Mark> {
        let mut marks: Vec<Mark> = Vec::new();
        for mark in self.marks.iter().flatten() {
            if !marks.contains(mark) {
                marks.push(mark.clone());
            }
        }
        marks
    }

    fn text(&mut self, text: &str) {
        if let Some(image) = &mut self.image {
            image.alt.push_str(&plain(text, self.values));
            return;
        }
        let marks = self.marks();
        match self.open.last_mut() {
            Some(open) if open.node.kind == "codeBlock" => add_code(&mut open.node, &plain(text, self.values)),
            Some(open) => open.text.extend(inline::parts(text, &marks, self.values)),
            None => {}
        }
    }

    /// Code has no other mark: the editor would remove the text.
    fn code(&mut self, text: &str) {
        let text = plain(text, self.values).replace('\n', " ");
        if !text.is_empty() {
            self.push(Part::Node(Node::run(text, vec![Mark::new("code")])));
        }
    }

    /// HTML stays text, but for a line break and comments.
    fn html(&mut self, html: &str) {
        let tag: String = html.to_ascii_lowercase().split_whitespace().collect();
        match tag.as_str() {
            "<br>" | "<br/>" => self.push(Part::Node(Node::new("hardBreak"))),
            comment if comment.starts_with("<!--") => {}
            _ => self.text(html),
        }
    }

    fn end_image(&mut self) {
        let Some(Image { src, alt }) = self.image.take() else {
            return;
        };
        if src.is_empty() {
            self.push(Part::Node(Node::run(alt, self.marks())));
        } else {
            self.push(Part::Node(Node::new("image").with("src", src).with("alt", alt)));
        }
    }
}

impl Open {
    fn of(node: Node) -> Self {
        Self {
            node,
            text: Vec::new(),
            is_dissolved: false,
        }
    }
}

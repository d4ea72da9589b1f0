//! An answer for people: lines and tables. They are laid out for where they go: a table wraps at
//! the edge of a terminal, and nowhere else.

use std::fmt;

use comfy_table::{Attribute, CellAlignment, Color, ContentArrangement, presets};
use jiff::tz::TimeZone;
use passerelle_model::shown::shown;

use crate::local_time::local_times;

/// The space between two columns.
const GAP: u16 = 2;

/// Where an answer goes.
#[derive(Debug, Clone)]
pub struct Screen {
    /// Whether a person looks at it: tables wrap, and what is repeated is redrawn in place.
    pub is_terminal: bool,
    /// Its width, in characters. `None`: as wide as the terminal is.
    pub width: Option<u16>,
    /// Whether words may have colours.
    pub has_colours: bool,
    /// Where the reader is.
    pub zone: TimeZone,
}

impl Screen {
    /// A terminal, or a file or pipe.
    pub fn new(is_terminal: bool) -> Self {
        Self {
            is_terminal,
            width: None,
            has_colours: false,
            zone: TimeZone::UTC,
        }
    }
}

/// How a word looks where colours are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Look at it.
    Notice,
    /// Something is wrong.
    Bad,
}

/// A field of a table.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, tone: None }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Tone {
    /// A field with this look.
    pub fn of(self, text: impl Into<String>) -> Cell {
        Cell {
            text: text.into(),
            tone: Some(self),
        }
    }

    fn colour(self) -> Color {
        match self {
            Self::Good => Color::Green,
            Self::Notice => Color::Yellow,
            Self::Bad => Color::Red,
        }
    }
}

/// A table. Fields may have several lines.
#[derive(Debug, Clone, Default)]
pub struct Table {
    headings: Vec<&'static str>,
    numbers: Vec<&'static str>,
    indent: u16,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// With these headings.
    pub fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            ..Self::default()
        }
    }

    /// Without headings, so many characters from the edge.
    pub fn plain(indent: u16) -> Self {
        Self {
            indent,
            ..Self::default()
        }
    }

    /// The columns with these headings hold numbers.
    #[must_use]
    pub fn with_numbers(mut self, headings: &[&'static str]) -> Self {
        self.numbers = headings.to_vec();
        self
    }

    /// One more row.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    fn laid_out(&self, screen: &Screen) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        if screen.is_terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            screen.width.map(|width| table.set_width(width));
        } else {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        if screen.has_colours {
            table.enforce_styling();
        } else {
            table.force_no_tty();
            // Without a terminal comfy-table knows no width.
            screen.width.map(|width| table.set_width(width));
        }
        if !self.headings.is_empty() {
            table.set_header(self.headings.iter().map(|heading| {
                let heading = comfy_table::Cell::new(heading);
                if screen.has_colours {
                    heading.add_attribute(Attribute::Bold)
                } else {
                    heading
                }
            }));
        }
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| {
                let text = safe(&cell.text, screen).replace('\t', " ");
                let laid = comfy_table::Cell::new(text);
                match cell.tone.filter(|_| screen.has_colours) {
                    Some(tone) => laid.fg(tone.colour()),
                    None => laid,
                }
            }));
        }
        for (number, column) in table.column_iter_mut().enumerate() {
            column.set_padding((if number == 0 { self.indent } else { 0 }, GAP));
            if self
                .headings
                .get(number)
                .is_some_and(|heading| self.numbers.contains(heading))
            {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        format!("{}\n", lines.join("\n"))
    }
}

#[derive(Debug, Clone)]
enum Part {
    Lines(String),
    Table(Table),
}

/// Lines and tables, one below the other. What is written to it with `write!` is lines.
#[derive(Debug, Clone, Default)]
pub struct Text {
    parts: Vec<Part>,
}

impl From<String> for Text {
    fn from(lines: String) -> Self {
        Self {
            parts: vec![Part::Lines(lines)],
        }
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, written: &str) -> fmt::Result {
        match self.parts.last_mut() {
            Some(Part::Lines(lines)) => lines.push_str(written),
            _ => self.parts.push(Part::Lines(written.to_owned())),
        }
        Ok(())
    }
}

impl Text {
    /// A table below what there is; nothing where it has no rows.
    pub fn table(&mut self, table: Table) {
        if !table.rows.is_empty() {
            self.parts.push(Part::Table(table));
        }
    }

    /// What another text says, below this one.
    pub fn append(&mut self, other: Self) {
        self.parts.extend(other.parts);
    }

    /// As it may be written: no secret, no character that a terminal would obey but our own colours,
    /// times in the reader's zone.
    pub fn laid_out(&self, screen: &Screen) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Lines(lines) => safe(lines, screen),
            Part::Table(table) => table.laid_out(screen),
        });
        parts.collect()
    }
}

fn safe(text: &str, screen: &Screen) -> String {
    shown(&local_times(text, &screen.zone)).into_owned()
}

/// So many things of this name: `1 rule`, `2 rules`.
pub(crate) fn number(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn answer() -> Text {
        let mut table = Table::new(&["job", "state", "why"]);
        table.row([
            "t2/r1".into(),
            Tone::Bad.of("held"),
            "Docmost was away for a long, long time".into(),
        ]);
        table.row([
            "t2/r2".into(),
            "queued".into(),
            "\u{1b}[2J at 2024-11-22T12:53:20.120Z".into(),
        ]);
        let mut text = Text::default();
        let _ = writeln!(text, "Jobs");
        text.table(table);
        let _ = writeln!(text, "2 jobs\u{7}");
        text
    }

    #[test]
    fn a_pipe_gets_every_row_on_one_line_uncut_without_colours_and_with_no_raw_control_character() {
        insta::assert_snapshot!(answer().laid_out(&Screen::new(false)), @r"
        Jobs
        job    state   why
        t2/r1  held    Docmost was away for a long, long time
        t2/r2  queued  \u001b[2J at 2024-11-22 12:53:20+00:00
        2 jobs\u0007
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_wrapped_fields_and_loses_no_word() {
        let screen = Screen {
            width: Some(36),
            ..Screen::new(true)
        };
        let laid = answer().laid_out(&screen);
        assert!(laid.lines().all(|line| line.chars().count() <= 36), "{laid}");
        for word in "Docmost was away for a long, long time".split(' ') {
            assert!(laid.contains(word), "{word}: {laid}");
        }
    }

    #[test]
    fn words_have_colours_where_they_are_allowed_and_nothing_else_is_obeyed() {
        let screen = Screen {
            has_colours: true,
            width: Some(100),
            ..Screen::new(true)
        };
        let laid = answer().laid_out(&screen);
        assert!(laid.contains("\u{1b}[38;5;9mheld"), "{laid:?}");
        assert!(!laid.contains("\u{1b}[2J") && !laid.contains('\u{7}'), "{laid:?}");
    }
}

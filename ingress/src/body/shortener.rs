//! What is kept of a body that is too long to be kept whole, while it arrives.
//!
//! A bulk update of rows with long texts can make a body of many megabytes. Refusing it would make
//! Baserow switch the webhook off, and every later event of the table would be lost. So only the
//! short values are kept: the ids, by which the rows become work, and the links, by which the
//! worker learns who was linked before. If even that is too much, the rows are left out altogether:
//! what is left says which table must be compared with its pages.
//!
//! This is a filter of bytes: it understands nothing, so it may run before the sender has proven
//! itself, and it never holds more than its limit.

/// The longest member of an object, or element of a list, that is kept, in bytes.
const LONGEST_PIECE: usize = 1024;

/// The lists of rows: their elements are kept or left out one by one. Other lists are values.
const ROW_LISTS: [&[u8]; 3] = [b"\"items\":", b"\"old_items\":", b"\"row_ids\":"];

/// Where a byte stands: in nothing yet, in the body's object, in a list of rows, in a row.
const OUTSIDE: usize = 0;
const BODY: usize = 1;
const LIST: usize = 2;
const ROW: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    Escaped,
}

/// A body on its way.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent fact of what has been read so far"
)]
pub(crate) struct Shortener {
    kept: Vec<u8>,
    most: usize,
    place: usize,
    /// Whether something stands before the next member or element of each place.
    has_some: [bool; 4],
    /// The member or element that is being read, as long as it is short.
    piece: Vec<u8>,
    is_too_long: bool,
    /// Brackets that are open inside of the piece.
    inner: usize,
    text: Text,
    /// A blank stands behind the piece's last byte.
    is_apart: bool,
    /// Where the list that is being read begins, and whether something stood before it.
    list: (usize, bool),
    is_cut: bool,
    is_broken: bool,
}

impl Shortener {
    /// Keeps at most this many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            kept: Vec::new(),
            most,
            place: OUTSIDE,
            has_some: [false; 4],
            piece: Vec::new(),
            is_too_long: false,
            inner: 0,
            text: Text::Outside,
            is_apart: false,
            list: (0, false),
            is_cut: false,
            is_broken: false,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        while let Some((byte, rest)) = bytes.split_first() {
            if self.text == Text::Inside {
                let plain = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\'));
                let (plain, rest) = bytes.split_at(plain.unwrap_or(bytes.len()));
                if !plain.is_empty() {
                    self.keep(plain);
                    bytes = rest;
                    continue;
                }
            }
            self.step(*byte);
            bytes = rest;
        }
    }

    /// What was kept, and whether rows were left out; `None` if the body was no whole object.
    pub(crate) fn finish(mut self) -> Option<(Vec<u8>, bool)> {
        let is_whole = self.place == OUTSIDE && !self.kept.is_empty();
        if self.is_broken || !(is_whole || self.is_cut) {
            return None;
        }
        if self.place != OUTSIDE {
            self.kept.push(b'}');
        }
        Some((self.kept, self.is_cut))
    }

    /// Leaves out the rows of the list that is being read, and all that come.
    pub(crate) fn cut(&mut self) {
        self.is_cut = true;
        if self.place > BODY {
            let (start, has_some) = self.list;
            self.kept.truncate(start);
            self.has_some[BODY] = has_some;
            self.inner += self.place - BODY;
            self.place = BODY;
            self.drop_piece();
        }
    }

    fn step(&mut self, byte: u8) {
        match (self.text, byte) {
            (Text::Inside, b'\\') => self.in_text(byte, Text::Escaped),
            (Text::Inside, b'"') => self.in_text(byte, Text::Outside),
            (Text::Inside | Text::Escaped, _) | (Text::Outside, b'"') => self.in_text(byte, Text::Inside),
            (Text::Outside, b' ' | b'\t' | b'\n' | b'\r') => self.is_apart = true,
            (Text::Outside, b'{' | b'[') => self.open(byte),
            (Text::Outside, b'}' | b']') => self.close(byte),
            (Text::Outside, b',') if self.inner == 0 => self.end_piece(),
            (Text::Outside, _) => self.plain(byte),
        }
    }

    fn in_text(&mut self, byte: u8, next: Text) {
        self.is_broken |= self.place == OUTSIDE;
        self.keep(&[byte]);
        self.text = next;
        self.is_apart = false;
    }

    /// A byte of a number or a word, or a mark between others. Blanks are left out, and must not
    /// have stood within a number.
    fn plain(&mut self, byte: u8) {
        let joins = self.is_apart && is_of_a_word(byte) && self.piece.last().copied().is_some_and(is_of_a_word);
        self.is_broken |= joins || self.place == OUTSIDE;
        self.keep(&[byte]);
        self.is_apart = false;
    }

    fn open(&mut self, byte: u8) {
        self.is_apart = false;
        if self.inner == 0 && self.place > BODY && !self.has_room(1) {
            self.cut();
        }
        let is_first = self.inner == 0 && self.piece.is_empty() && !self.is_too_long;
        match (self.place, byte) {
            (OUTSIDE, b'{') if self.kept.is_empty() => self.enter(BODY, byte),
            (OUTSIDE, _) => self.is_broken = true,
            (BODY, b'[') if self.inner == 0 && self.begins_rows() => {
                self.list = (self.kept.len(), self.has_some[BODY]);
                self.separate();
                self.kept.append(&mut self.piece);
                self.enter(LIST, byte);
            }
            (LIST, b'{') if is_first => {
                self.separate();
                self.enter(ROW, byte);
            }
            _ => {
                self.keep(&[byte]);
                self.inner += 1;
            }
        }
    }

    fn close(&mut self, byte: u8) {
        self.is_apart = false;
        if self.inner == 0 {
            self.end_piece();
        }
        if self.inner > 0 {
            self.keep(&[byte]);
            self.inner -= 1;
            return;
        }
        let fits = matches!((self.place, byte), (BODY | ROW, b'}') | (LIST, b']'));
        self.is_broken |= !fits;
        if fits {
            self.kept.push(byte);
            self.place -= 1;
        }
    }

    fn enter(&mut self, place: usize, bracket: u8) {
        self.kept.push(bracket);
        self.place = place;
        self.has_some[place] = false;
    }

    fn end_piece(&mut self) {
        self.is_apart = false;
        self.is_broken |= self.place == OUTSIDE;
        if !self.piece.is_empty() && !self.has_room(self.piece.len()) {
            let is_row = self.place > BODY;
            self.cut();
            if is_row {
                return;
            }
            self.drop_piece();
        }
        if !self.piece.is_empty() {
            self.separate();
            self.kept.append(&mut self.piece);
        }
        self.is_too_long = false;
    }

    fn begins_rows(&self) -> bool {
        !self.is_cut && ROW_LISTS.contains(&&self.piece[..]) && self.has_room(self.piece.len() + 1)
    }

    /// Whether so many bytes fit in, with a comma before them and every bracket that then has to be
    /// closed.
    fn has_room(&self, bytes: usize) -> bool {
        self.kept.len() + bytes + 1 + ROW <= self.most
    }

    fn separate(&mut self) {
        if std::mem::replace(&mut self.has_some[self.place], true) {
            self.kept.push(b',');
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.is_too_long {
            return;
        }
        if self.piece.len() + bytes.len() > LONGEST_PIECE {
            self.drop_piece();
        } else {
            self.piece.extend_from_slice(bytes);
        }
    }

    fn drop_piece(&mut self) {
        self.piece.clear();
        self.is_too_long = true;
    }
}

fn is_of_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

#[cfg(test)]
mod tests;

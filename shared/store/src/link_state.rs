//! What is known of the state of a linked page, and the words that the column `links.content_hash`
//! has for it.

/// What is known of the state of a linked page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// It equals the rendered state (title, icon, body) that has this hash.
    Synced(String),
    /// It went to the trash with its row. If the row comes back, so does the page.
    Trashed,
    /// Its title says that its row is gone. If the row comes back, the page is as it was.
    Marked,
    /// It was written, but a call that was given up may still make a second page.
    Unconfirmed,
    /// It may be alive or in the trash: the next attempt writes it.
    Unknown,
    /// People put it into the trash, and its rule respects that.
    Left,
}

const TRASHED: &str = "trashed";
const MARKED: &str = "marked";
const UNCONFIRMED: &str = "unswept";
const UNKNOWN: &str = "uncertain";
const LEFT: &str = "left";

impl LinkState {
    /// Whether the page equals the rendered state with this hash.
    pub fn is_synced(&self, hash: &str) -> bool {
        matches!(self, Self::Synced(synced) if synced == hash)
    }

    /// Whether the page has followed its row, into the trash or by its title.
    pub fn is_row_gone(&self) -> bool {
        matches!(self, Self::Trashed | Self::Marked)
    }

    /// From the stored text: a hash, or a word that is none.
    pub(super) fn parse(stored: String) -> Self {
        match stored.as_str() {
            TRASHED => Self::Trashed,
            MARKED => Self::Marked,
            UNCONFIRMED => Self::Unconfirmed,
            UNKNOWN => Self::Unknown,
            LEFT => Self::Left,
            _ => Self::Synced(stored),
        }
    }

    /// The stored text.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Synced(hash) => hash,
            Self::Trashed => TRASHED,
            Self::Marked => MARKED,
            Self::Unconfirmed => UNCONFIRMED,
            Self::Unknown => UNKNOWN,
            Self::Left => LEFT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_reads_back_as_it_was_stored() {
        let states = [
            LinkState::Synced("00ff".to_owned()),
            LinkState::Trashed,
            LinkState::Marked,
            LinkState::Unconfirmed,
            LinkState::Unknown,
            LinkState::Left,
        ];
        for state in states {
            assert_eq!(LinkState::parse(state.as_str().to_owned()), state);
        }
    }

    #[test]
    fn the_words_of_earlier_versions_are_still_read() {
        let stored = ["trashed", "marked", "unswept", "uncertain"];
        let read = stored.map(|word| LinkState::parse(word.to_owned()));
        let states = [
            LinkState::Trashed,
            LinkState::Marked,
            LinkState::Unconfirmed,
            LinkState::Unknown,
        ];
        assert_eq!(read, states);
    }
}

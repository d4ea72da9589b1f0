//! The frames of the socket: the name of a document, a type, and what belongs to it, in the
//! encoding of lib0.

use yrs::encoding::read::{Cursor, Error, Read as _};
use yrs::encoding::write::Write as _;

const SYNC: u32 = 0;
const AUTH: u32 = 2;
const SYNC_REPLY: u32 = 4;
const CLOSE: u32 = 7;
const SYNC_STATUS: u32 = 8;

/// What the server says of one document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Denied,
    Entered {
        may_write: bool,
    },
    /// The whole document.
    State(Vec<u8>),
    /// Whether it has taken our update into its memory.
    Taken(bool),
    /// It drops the document.
    Closed,
    /// Its own vector, updates, cursors, and whatever a later version says.
    Other,
}

pub(super) fn token(name: &str, token: &str) -> Vec<u8> {
    let mut frame = start(name, AUTH);
    frame.write_var(0_u32);
    frame.write_string(token);
    frame
}

/// Asks for the whole document: with the vector of somebody who has nothing.
pub(super) fn ask_for_all(name: &str) -> Vec<u8> {
    let mut frame = start(name, SYNC);
    frame.write_var(0_u32);
    frame.write_buf([0]);
    frame
}

pub(super) fn update(name: &str, update: &[u8]) -> Vec<u8> {
    let mut frame = start(name, SYNC);
    frame.write_var(2_u32);
    frame.write_buf(update);
    frame
}

pub(super) fn leave(name: &str) -> Vec<u8> {
    start(name, CLOSE)
}

fn start(name: &str, kind: u32) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.write_string(name);
    frame.write_var(kind);
    frame
}

/// Reads a frame; `None` if it is about another document.
pub(super) fn read(name: &str, frame: &[u8]) -> Result<Option<Heard>, Error> {
    let mut frame = Cursor::new(frame);
    if frame.read_string()? != name {
        return Ok(None);
    }
    let heard = match frame.read_var::<u32>()? {
        SYNC | SYNC_REPLY if frame.read_var::<u32>()? == 1 => Heard::State(frame.read_buf()?.to_vec()),
        AUTH if frame.read_var::<u32>()? == 2 => Heard::Entered {
            may_write: frame.read_string()? == "read-write",
        },
        AUTH => Heard::Denied,
        SYNC_STATUS => Heard::Taken(frame.read_var::<u32>()? == 1),
        CLOSE => Heard::Closed,
        _ => Heard::Other,
    };
    Ok(Some(heard))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use serde_json::Value;

    use super::*;

    /// The frames of a captured conversation: who spoke, what it said in words, and the bytes.
    fn frames(capture: &str) -> (String, Vec<(bool, Value, Vec<u8>)>) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/contract/captures/docmost-collab");
        let text = std::fs::read_to_string(format!("{folder}/{capture}.json")).unwrap();
        let capture: Value = serde_json::from_str(&text).unwrap();
        let frames = capture["frames"].as_array().unwrap().iter();
        let frames = frames.filter(|frame| frame["base64"].is_string()).map(|frame| {
            let bytes = BASE64_STANDARD.decode(frame["base64"].as_str().unwrap()).unwrap();
            (frame["dir"] == "client→server", frame["decoded"].clone(), bytes)
        });
        let frames: Vec<(bool, Value, Vec<u8>)> = frames.collect();
        (frames[0].1["document"].as_str().unwrap().to_owned(), frames)
    }

    fn heard(capture: &str) -> Vec<Heard> {
        let (name, frames) = frames(capture);
        let frames = frames.iter().filter(|(is_ours, ..)| !is_ours);
        frames
            .map(|(_, _, frame)| read(&name, frame).unwrap().unwrap())
            .collect()
    }

    #[test]
    fn our_frames_are_those_of_a_captured_visit() {
        let (name, frames) = frames("15-rust-changes-one-cell");
        let ours: Vec<&(bool, Value, Vec<u8>)> = frames.iter().filter(|(is_ours, ..)| *is_ours).collect();
        // The captured client says its version behind its token, which the server does not need.
        assert!(ours[0].2.starts_with(&token(&name, "<collab-jwt>")));
        assert_eq!(ours[1].2, ask_for_all(&name));
        let sent = &ours[2].2;
        assert_eq!(*sent, update(&name, &sent[sent.len() - 42..]));
        assert_eq!(ours[3].2, leave(&name));
    }

    #[test]
    fn captured_answers_are_understood() {
        let visit = heard("01-visit");
        assert_eq!(visit[0], Heard::Entered { may_write: true });
        assert_eq!(visit[1], Heard::Other, "the server's vector");
        assert!(matches!(&visit[2], Heard::State(state) if state.len() == 123));
        assert_eq!(visit[4..], [Heard::Taken(true), Heard::Other, Heard::Closed]);
        assert_eq!(heard("06-reader")[0], Heard::Entered { may_write: false });
        assert_eq!(heard("06-reader").last(), Some(&Heard::Taken(false)));
        assert_eq!(heard("08-trashed")[0], Heard::Entered { may_write: false });
        for denied in [
            "03-expired-token",
            "04-unknown-page",
            "05-not-a-member",
            "11-auth-postgres-down",
        ] {
            assert_eq!(heard(denied), [Heard::Denied], "{denied}");
        }
        assert_eq!(heard("10-sigterm").last(), Some(&Heard::Closed));
    }

    #[test]
    fn frames_about_other_documents_are_none_of_ours_and_broken_ones_are_refused() {
        assert_eq!(read("page.a", &update("page.b", &[0, 0])).unwrap(), None);
        assert!(read("page.a", &[]).is_err());
        assert!(read("page.a", &[200]).is_err());
    }
}

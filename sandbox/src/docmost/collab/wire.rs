//! The frames of the socket: the name of a document, a type, and what belongs to it.

use yrs::encoding::read::{Cursor, Error, Read as _};
use yrs::encoding::write::Write as _;

/// What a client sends.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Said {
    /// A token.
    Token(String),
    /// What the client has: its state vector.
    Has(Vec<u8>),
    /// Something to apply.
    Update(Vec<u8>),
    /// Cursors; never looked into.
    Awareness(Vec<u8>),
    /// It leaves the document.
    Leave,
    /// Something that a writer does not need.
    Other,
}

/// What a server sends.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Answer {
    Denied,
    Entered {
        may_write: bool,
    },
    /// The server's state vector.
    Has(Vec<u8>),
    /// What the client lacks.
    Lacks(Vec<u8>),
    Update(Vec<u8>),
    Awareness(Vec<u8>),
    Taken(bool),
    Stateless(String),
    Closed(String),
}

const SYNC: u32 = 0;
const AWARENESS: u32 = 1;
const AUTH: u32 = 2;
const SYNC_REPLY: u32 = 4;
const STATELESS: u32 = 5;
const CLOSE: u32 = 7;
const SYNC_STATUS: u32 = 8;

/// Reads what a client sent: the name of the document, and the rest.
pub(in super::super) fn read(frame: &[u8]) -> Result<(String, Said), Error> {
    let mut frame = Cursor::new(frame);
    let name = frame.read_string()?.to_owned();
    let said = match frame.read_var::<u32>()? {
        SYNC | SYNC_REPLY => match frame.read_var::<u32>()? {
            0 => Said::Has(frame.read_buf()?.to_vec()),
            1 | 2 => Said::Update(frame.read_buf()?.to_vec()),
            _ => return Err(Error::UnexpectedValue),
        },
        AWARENESS => Said::Awareness(frame.read_buf()?.to_vec()),
        AUTH => {
            frame.read_var::<u32>()?;
            Said::Token(frame.read_string()?.to_owned())
        }
        CLOSE => Said::Leave,
        _ => Said::Other,
    };
    Ok((name, said))
}

/// Writes an answer.
pub(in super::super) fn write(name: &str, answer: &Answer) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.write_string(name);
    match answer {
        Answer::Denied => auth(&mut frame, 1, "permission-denied"),
        Answer::Entered { may_write: true } => auth(&mut frame, 2, "read-write"),
        Answer::Entered { may_write: false } => auth(&mut frame, 2, "readonly"),
        Answer::Has(vector) => sync(&mut frame, 0, vector),
        Answer::Lacks(update) => sync(&mut frame, 1, update),
        Answer::Update(update) => sync(&mut frame, 2, update),
        Answer::Awareness(states) => {
            frame.write_var(AWARENESS);
            frame.write_buf(states);
        }
        Answer::Taken(taken) => {
            frame.write_var(SYNC_STATUS);
            frame.write_var(u32::from(*taken));
        }
        Answer::Stateless(text) => {
            frame.write_var(STATELESS);
            frame.write_string(text);
        }
        Answer::Closed(why) => {
            frame.write_var(CLOSE);
            frame.write_string(why);
        }
    }
    frame
}

fn auth(frame: &mut Vec<u8>, kind: u32, text: &str) {
    frame.write_var(AUTH);
    frame.write_var(kind);
    frame.write_string(text);
}

fn sync(frame: &mut Vec<u8>, kind: u32, payload: &[u8]) {
    frame.write_var(SYNC);
    frame.write_var(kind);
    frame.write_buf(payload);
}

/// The frames of a client, for the editor.
pub(in super::super) mod client {
    use super::{AUTH, Answer, CLOSE, Cursor, Error, STATELESS, SYNC, SYNC_STATUS};
    use super::{AWARENESS, SYNC_REPLY};
    use yrs::encoding::read::Read as _;
    use yrs::encoding::write::Write as _;

    pub(in super::super::super) fn token(name: &str, token: &str) -> Vec<u8> {
        let mut frame = named(name, AUTH);
        frame.write_var(0_u32);
        frame.write_string(token);
        frame
    }

    pub(in super::super::super) fn has(name: &str, vector: &[u8]) -> Vec<u8> {
        sync(name, 0, vector)
    }

    pub(in super::super::super) fn update(name: &str, update: &[u8]) -> Vec<u8> {
        sync(name, 2, update)
    }

    pub(in super::super::super) fn awareness(name: &str, states: &[u8]) -> Vec<u8> {
        let mut frame = named(name, AWARENESS);
        frame.write_buf(states);
        frame
    }

    fn sync(name: &str, kind: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = named(name, SYNC);
        frame.write_var(kind);
        frame.write_buf(payload);
        frame
    }

    fn named(name: &str, kind: u32) -> Vec<u8> {
        let mut frame = Vec::new();
        frame.write_string(name);
        frame.write_var(kind);
        frame
    }

    /// Reads what a server sent.
    pub(in super::super::super) fn read(frame: &[u8]) -> Result<Answer, Error> {
        let mut frame = Cursor::new(frame);
        frame.read_string()?;
        Ok(match frame.read_var::<u32>()? {
            SYNC | SYNC_REPLY => match frame.read_var::<u32>()? {
                0 => Answer::Has(frame.read_buf()?.to_vec()),
                1 => Answer::Lacks(frame.read_buf()?.to_vec()),
                _ => Answer::Update(frame.read_buf()?.to_vec()),
            },
            AWARENESS => Answer::Awareness(frame.read_buf()?.to_vec()),
            AUTH => match frame.read_var::<u32>()? {
                2 => Answer::Entered {
                    may_write: frame.read_string()? == "read-write",
                },
                _ => Answer::Denied,
            },
            SYNC_STATUS => Answer::Taken(frame.read_var::<u32>()? == 1),
            STATELESS => Answer::Stateless(frame.read_string()?.to_owned()),
            CLOSE => Answer::Closed(frame.read_string()?.to_owned()),
            _ => return Err(Error::UnexpectedValue),
        })
    }
}

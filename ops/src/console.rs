//! Where a verb's answer and its messages go. Nothing is written past [`Shown`]: no secret, and no
//! character that a terminal would obey.

use std::io::Write;

use passerelle_model::shown::Shown;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::trouble::Trouble;

/// The operator's terminal, or what stands in for one in a test.
pub struct Console {
    out: Shown<Box<dyn Write + Send>>,
    err: Shown<Box<dyn Write + Send>>,
    is_terminal: bool,
    /// Cancelled by Ctrl-C and SIGTERM.
    pub(crate) stop: CancellationToken,
    /// Whether answers are JSON (`--json`).
    pub(crate) json: bool,
}

impl Console {
    /// Answers go to `out`, messages and progress to `err`. An answer is redrawn in place only on a
    /// terminal.
    pub fn new(
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        is_terminal: bool,
        stop: CancellationToken,
    ) -> Self {
        Self {
            out: Shown::new(out),
            err: Shown::new(err),
            is_terminal,
            stop,
            json: false,
        }
    }

    /// Writes a line beside the answer. A message that cannot be written is no reason to stop.
    pub(crate) fn note(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }

    /// Clears a terminal before an answer that replaces the last one.
    pub(crate) fn redraw(&mut self) -> Result<(), Trouble> {
        if self.json || !self.is_terminal {
            return Ok(());
        }
        let cleared = self.out.command("\x1b[H\x1b[2J");
        cleared.map_err(|error| Trouble::Output(error.to_string()))
    }

    /// Writes an answer: as JSON, or in words.
    pub(crate) fn answer<T: Serialize>(&mut self, answer: &T, words: impl FnOnce(&T) -> String) -> Result<(), Trouble> {
        let text = if self.json {
            serde_json::to_string_pretty(answer).map_err(|error| Trouble::Output(error.to_string()))?
        } else {
            words(answer)
        };
        writeln!(self.out, "{}", text.trim_end()).map_err(|error| Trouble::Output(error.to_string()))
    }

    /// Writes a file's text: a script, a page, a schema.
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), Trouble> {
        let written = self.out.write_all(text);
        written.map_err(|error| Trouble::Output(error.to_string()))
    }

    /// Where an answer goes that is written line by line.
    pub(crate) fn lines(&mut self) -> &mut (dyn Write + Send) {
        &mut self.out
    }

    /// Writes clap's help or usage message.
    pub(crate) fn usage(&mut self, usage: &clap::Error) {
        let to = if usage.use_stderr() {
            &mut self.err
        } else {
            &mut self.out
        };
        let _ = write!(to, "{}", usage.render());
    }
}

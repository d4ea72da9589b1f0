//! Where a verb's answer and its messages go. Nothing is written past [`Shown`] and [`Text`]: no
//! secret, and no character that a terminal would obey.

use std::io::Write;

use passerelle_model::config::Reader;
use passerelle_model::shown::Shown;
use passerelle_model::time::as_rfc_3339;
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::local_time::{local_times, zone};
use crate::text::{Screen, Text};
use crate::trouble::Trouble;

/// The operator's terminal, or what stands in for one in a test.
pub struct Console {
    out: Shown<Box<dyn Write + Send>>,
    err: Shown<Box<dyn Write + Send>>,
    screen: Screen,
    /// Cancelled by Ctrl-C and SIGTERM.
    pub(crate) stop: CancellationToken,
    /// Whether answers are JSON (`--json`).
    pub(crate) json: bool,
    /// Whether one answer follows another: each is one line of JSON.
    pub(crate) is_watching: bool,
}

impl Console {
    /// Answers go to `out`, messages and progress to `err`.
    pub fn new(
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        screen: Screen,
        stop: CancellationToken,
    ) -> Self {
        Self {
            out: Shown::new(out),
            err: Shown::new(err),
            screen,
            stop,
            json: false,
            is_watching: false,
        }
    }

    /// Takes over what the environment says of the terminal: `TZ`, `NO_COLOR`, `TERM`.
    pub(crate) fn look_at(&mut self, environment: &Reader) {
        let is_set = |name| environment.optional(name).is_some_and(|value| !value.is_empty());
        let is_dumb = environment.optional("TERM").is_some_and(|term| term == "dumb");
        self.screen.zone = zone(environment);
        self.screen.has_colours = self.screen.is_terminal && !is_set("NO_COLOR") && !is_dumb;
    }

    /// Writes a line beside the answer; with `--json` an object `{"note": …}`. A message that cannot
    /// be written is no reason to stop.
    pub(crate) fn note(&mut self, line: &str) {
        let line = if self.json {
            json!({ "note": line }).to_string()
        } else {
            local_times(line, &self.screen.zone).into_owned()
        };
        let _ = writeln!(self.err, "{line}");
    }

    /// Says why a verb failed; with `--json` as an object `{"error": …}` on one line.
    pub(crate) fn trouble(&mut self, trouble: &Trouble) {
        if matches!(trouble, Trouble::Unread) {
            return;
        }
        if self.json {
            let _ = writeln!(self.err, "{}", json!({ "error": trouble.told() }));
        } else {
            self.note(&trouble.to_string());
        }
    }

    /// Clears a terminal before an answer that replaces the last one.
    pub(crate) fn redraw(&mut self) -> Result<(), Trouble> {
        if self.json || !self.screen.is_terminal {
            return Ok(());
        }
        let cleared = self.out.command("\x1b[H\x1b[2J");
        cleared.map_err(Trouble::output)
    }

    /// Writes an answer: as JSON, or in words.
    pub(crate) fn answer<T: Serialize, W: Into<Text>>(
        &mut self,
        answer: &T,
        words: impl FnOnce(&T) -> W,
    ) -> Result<(), Trouble> {
        let written = if self.json {
            let text = as_rfc_3339(|| {
                if self.is_watching {
                    serde_json::to_string(answer)
                } else {
                    serde_json::to_string_pretty(answer)
                }
            });
            let text = text.map_err(Trouble::output)?;
            writeln!(self.out, "{text}")
        } else {
            let text = words(answer).into().laid_out(&self.screen);
            self.out.command(&format!("{}\n", text.trim_end()))
        };
        written.map_err(Trouble::output)
    }

    /// Writes a file's text: a script, a page, a schema.
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), Trouble> {
        let written = self.out.write_all(text);
        written.map_err(Trouble::output)
    }

    /// Where an answer goes that is written line by line.
    pub(crate) fn lines(&mut self) -> &mut (dyn Write + Send) {
        &mut self.out
    }

    /// Writes clap's help or usage message.
    pub(crate) fn usage(&mut self, usage: &clap::Error) {
        if !usage.use_stderr() {
            let _ = write!(self.out, "{}", usage.render());
        } else if self.json {
            self.trouble(&Trouble::Usage(usage.render().to_string().trim_end().to_owned()));
        } else {
            let _ = write!(self.err, "{}", usage.render());
        }
    }
}

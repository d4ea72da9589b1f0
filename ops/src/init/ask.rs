//! Questions to a person at a terminal. Where there is none, nothing is asked.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _, stderr, stdin};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;

/// Who answers what no option and no setting says.
#[derive(Debug)]
pub(super) struct Asker {
    is_there: bool,
    /// What was answered, by the question: it is offered when the same is asked again.
    answers: BTreeMap<String, String>,
}

impl Asker {
    /// The person at this terminal, or nobody.
    pub(super) fn new() -> Self {
        Self {
            is_there: stdin().is_terminal() && stderr().is_terminal(),
            answers: BTreeMap::new(),
        }
    }

    /// Whether somebody was asked, and so may correct an answer.
    pub(super) fn has_asked(&self) -> bool {
        !self.answers.is_empty()
    }

    /// A text, asked for until there is one. The default counts where the answer is empty.
    pub(super) async fn text(&mut self, question: &str, default: Option<&str>) -> Option<String> {
        while self.is_there {
            if let Some(answer) = self.text_or_nothing(question, default).await {
                return Some(answer);
            }
        }
        None
    }

    /// A text that may be left out.
    pub(super) async fn text_or_nothing(&mut self, question: &str, default: Option<&str>) -> Option<String> {
        let default = self.answers.get(question).cloned().or(default.map(str::to_owned));
        let shown = default
            .as_ref()
            .map_or_else(String::new, |default| format!(" [{default}]"));
        let answer = self.read(&format!("{question}{shown}: ")).await?;
        let answer = Some(answer).filter(|answer| !answer.is_empty()).or(default)?;
        self.answers.insert(question.to_owned(), answer.clone());
        Some(answer)
    }

    /// A text that is not shown while it is typed, asked for until there is one.
    pub(super) async fn secret(&mut self, question: &str) -> Option<String> {
        while self.is_there {
            // Before the question is: what is typed at once is not shown either.
            let _unseen = Unseen::begin();
            let answer = self.read(&format!("{question} (not shown): ")).await?;
            if !answer.is_empty() {
                return Some(answer);
            }
        }
        None
    }

    /// Whether the answer begins with `y`; no where nobody is asked.
    pub(super) async fn yes(&mut self, question: &str) -> bool {
        let answer = self.read(&format!("{question} [y/N] ")).await;
        answer.is_some_and(|answer| answer.to_lowercase().starts_with('y'))
    }

    /// In a thread of its own, which nobody waits for: Ctrl-C ends the program while it reads.
    async fn read(&mut self, question: &str) -> Option<String> {
        if !self.is_there {
            return None;
        }
        let mut terminal = stderr();
        write!(terminal, "{question}").and_then(|()| terminal.flush()).ok()?;
        let (told, answer) = oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let length = stdin().read_line(&mut line);
            let _ = told.send(length.ok().filter(|length| *length > 0).map(|_| line));
        });
        let line = answer.await.ok().flatten();
        // Ctrl-D: nobody answers any more.
        self.is_there = line.is_some();
        Some(line?.trim().to_owned())
    }
}

/// While it lives, the terminal does not show what is typed. It ends also when the program is
/// stopped at a question.
struct Unseen(Termios);

impl Unseen {
    fn begin() -> Option<Self> {
        let usual = tcgetattr(stdin()).ok()?;
        let mut unseen = usual.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        unseen.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(stdin(), OptionalActions::Now, &unseen).ok()?;
        Some(Self(usual))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

//! One SMTP session: the commands in their order, each subject to the fault switches.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::fate::{Desk, Fate};
use super::mails::{Arrival, Envelope};
use super::options::Encryption;

/// The largest message, in bytes; announced as `SIZE`.
const MOST_MESSAGE_BYTES: usize = 10 * 1024 * 1024;
/// The longest line, in bytes. RFC 5321 allows 1000; a client that sends longer ones must fail in
/// its own tests, not here.
const MOST_LINE_BYTES: u64 = 1024 * 1024;

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

pub(super) struct Session {
    pub(super) desk: Arc<Desk>,
    wire: BufReader<Box<dyn Wire>>,
    /// The number of the command that is being answered, in the log.
    command: u64,
    encrypted: bool,
    greeted: bool,
    pub(super) user: Option<String>,
    sender: Option<String>,
    recipients: Vec<String>,
}

/// Whether the session continues.
#[derive(PartialEq, Eq)]
enum Course {
    On,
    End,
}

/// Serves one connection to its end. A broken connection ends the session silently.
pub(super) async fn serve(desk: Arc<Desk>, socket: TcpStream) {
    let encrypted = desk.options.smtp_tls == Encryption::Tls;
    let wire: Box<dyn Wire> = if encrypted {
        let Ok(stream) = desk.acceptor.accept(socket).await else {
            return;
        };
        Box::new(stream)
    } else {
        Box::new(socket)
    };
    let mut session = Session {
        desk,
        wire: BufReader::new(wire),
        command: 0,
        encrypted,
        greeted: false,
        user: None,
        sender: None,
        recipients: Vec::new(),
    };
    let _ = session.talk().await;
}

impl Session {
    async fn talk(&mut self) -> io::Result<()> {
        match self.fate("CONNECT", b"").await {
            Fate::Obeyed | Fate::Pretended => self.reply(220, "sandbox.test ESMTP").await?,
            Fate::Refused(code, text) | Fate::ObeyedButRefused(code, text) => return self.reply(code, &text).await,
            Fate::Cut | Fate::ObeyedThenCut => return Ok(()),
        }
        while let Some(line) = self.line().await? {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if self.hear(&line).await? == Course::End {
                break;
            }
        }
        Ok(())
    }

    /// Handles one command as the switches decide.
    async fn hear(&mut self, line: &str) -> io::Result<Course> {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match self.fate(&verb, line.as_bytes()).await {
            Fate::Obeyed | Fate::Pretended => return self.obey(&verb, line).await,
            Fate::Refused(code, text) | Fate::ObeyedButRefused(code, text) => self.reply(code, &text).await?,
            Fate::Cut | Fate::ObeyedThenCut => return Ok(Course::End),
        }
        Ok(Course::On)
    }

    async fn obey(&mut self, verb: &str, line: &str) -> io::Result<Course> {
        let argument = line.get(verb.len()..).unwrap_or_default().trim();
        match verb {
            "EHLO" => self.introduce().await?,
            "HELO" => {
                self.greeted = true;
                self.reply(250, "sandbox.test").await?;
            }
            "STARTTLS" => return self.encrypt().await,
            "AUTH" => self.sign_in(argument).await?,
            "MAIL" => self.take_sender(argument).await?,
            "RCPT" => self.take_recipient(argument).await?,
            "DATA" => return self.take_message().await,
            "RSET" => {
                self.forget();
                self.reply(250, "2.0.0 forgotten").await?;
            }
            "NOOP" => self.reply(250, "2.0.0 nothing done").await?,
            "VRFY" => self.reply(252, "2.5.0 send it and see").await?,
            "QUIT" => {
                self.reply(221, "2.0.0 bye").await?;
                return Ok(Course::End);
            }
            _ => self.reply(500, "5.5.1 unknown command").await?,
        }
        Ok(Course::On)
    }

    async fn introduce(&mut self) -> io::Result<()> {
        self.greeted = true;
        self.forget();
        let mut lines = vec![
            "sandbox.test".to_owned(),
            "8BITMIME".to_owned(),
            format!("SIZE {MOST_MESSAGE_BYTES}"),
        ];
        if self.desk.options.smtp_tls == Encryption::Starttls && !self.encrypted {
            lines.push("STARTTLS".to_owned());
        }
        if self.desk.options.smtp_username.is_some() {
            lines.push("AUTH PLAIN LOGIN".to_owned());
        }
        let last = lines.len() - 1;
        let reply: String = lines.iter().enumerate().fold(String::new(), |reply, (index, line)| {
            let mark = if index == last { ' ' } else { '-' };
            format!("{reply}250{mark}{line}\r\n")
        });
        self.desk.calls.answered(self.command, 250);
        self.write(&reply).await
    }

    async fn encrypt(&mut self) -> io::Result<Course> {
        if self.encrypted || self.desk.options.smtp_tls != Encryption::Starttls {
            self.reply(503, "5.5.1 not offered").await?;
            return Ok(Course::On);
        }
        self.reply(220, "2.0.0 go ahead").await?;
        if !self.wire.buffer().is_empty() {
            // Bytes sent before the handshake would count as encrypted ones: command injection.
            return Ok(Course::End);
        }
        let bare = std::mem::replace(&mut self.wire, BufReader::new(Box::new(tokio::io::empty())));
        let stream = self.desk.acceptor.accept(bare.into_inner()).await?;
        self.wire = BufReader::new(Box::new(stream));
        self.encrypted = true;
        self.greeted = false;
        self.user = None;
        self.forget();
        Ok(Course::On)
    }

    async fn take_sender(&mut self, argument: &str) -> io::Result<()> {
        if !self.greeted || self.sender.is_some() {
            return self.reply(503, "5.5.1 not now").await;
        }
        if self.desk.options.smtp_username.is_some() && self.user.is_none() {
            return self.reply(530, "5.7.0 authentication required").await;
        }
        let Some((address, parameters)) = path(argument, "FROM:") else {
            return self.reply(501, "5.5.4 expected FROM:<address>").await;
        };
        let size = parameters
            .split(' ')
            .find_map(|parameter| parameter.strip_prefix("SIZE="));
        if size
            .and_then(|size| size.parse().ok())
            .is_some_and(|size: usize| size > MOST_MESSAGE_BYTES)
        {
            return self.reply(552, "5.3.4 message too big").await;
        }
        self.sender = Some(address.to_owned());
        self.reply(250, "2.1.0 ok").await
    }

    async fn take_recipient(&mut self, argument: &str) -> io::Result<()> {
        if self.sender.is_none() {
            return self.reply(503, "5.5.1 MAIL first").await;
        }
        match path(argument, "TO:") {
            Some((address, _)) if address.contains('@') => {
                self.recipients.push(address.to_owned());
                self.reply(250, "2.1.5 ok").await
            }
            _ => self.reply(501, "5.1.3 expected TO:<address>").await,
        }
    }

    async fn take_message(&mut self) -> io::Result<Course> {
        if self.recipients.is_empty() {
            self.reply(503, "5.5.1 RCPT first").await?;
            return Ok(Course::On);
        }
        self.reply(354, "end with a dot alone in a line").await?;
        let Some(message) = self.content().await? else {
            return Ok(Course::End);
        };
        if message.len() > MOST_MESSAGE_BYTES {
            self.forget();
            self.reply(552, "5.3.4 message too big").await?;
            return Ok(Course::On);
        }
        let arrival = Arrival {
            encrypted: self.encrypted,
            user: self.user.clone(),
            envelope: Envelope {
                from: self.sender.clone().unwrap_or_default(),
                to: self.recipients.clone(),
            },
        };
        self.forget();
        let fate = self.fate("MESSAGE", &message).await;
        if matches!(fate, Fate::Obeyed | Fate::ObeyedThenCut | Fate::ObeyedButRefused(..)) {
            self.desk.mails.keep(arrival, &message);
        }
        match fate {
            Fate::Obeyed | Fate::Pretended => self.reply(250, "2.0.0 kept").await?,
            Fate::Refused(code, text) | Fate::ObeyedButRefused(code, text) => self.reply(code, &text).await?,
            Fate::Cut | Fate::ObeyedThenCut => return Ok(Course::End),
        }
        Ok(Course::On)
    }

    /// The lines up to the dot, without stuffed dots; none if the connection ends before it. Keeps
    /// no more lines once it is too big.
    async fn content(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut content = Vec::new();
        while let Some(line) = self.line().await? {
            if line == b".\r\n" {
                return Ok(Some(content));
            }
            if content.len() <= MOST_MESSAGE_BYTES {
                content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            }
        }
        Ok(None)
    }

    fn forget(&mut self) {
        self.sender = None;
        self.recipients.clear();
    }

    /// One line with its end; none if the client hangs up, or if the line is too long.
    pub(super) async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.wire)
            .take(MOST_LINE_BYTES)
            .read_until(b'\n', &mut line)
            .await?;
        Ok(line.ends_with(b"\n").then_some(line))
    }

    pub(super) async fn reply(&mut self, code: u16, text: &str) -> io::Result<()> {
        self.desk.calls.answered(self.command, code);
        self.write(&format!("{code} {text}\r\n")).await
    }

    pub(super) async fn write(&mut self, text: &str) -> io::Result<()> {
        self.wire.write_all(text.as_bytes()).await?;
        self.wire.flush().await
    }

    /// What happens to a command. Keeps its number for the answer.
    async fn fate(&mut self, verb: &str, said: &[u8]) -> Fate {
        let (number, fate) = self.desk.fate(verb, said).await;
        self.command = number;
        fate
    }
}

/// The address between the angle brackets after `keyword`, and the parameters behind it.
fn path<'a>(argument: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let start = argument.get(..keyword.len())?;
    let rest = argument.get(keyword.len()..)?.trim_start().strip_prefix('<')?;
    let (address, parameters) = rest.split_once('>')?;
    start
        .eq_ignore_ascii_case(keyword)
        .then_some((address, parameters.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_with_its_parameters() {
        assert_eq!(path("FROM:<a@b.test> SIZE=10", "FROM:"), Some(("a@b.test", "SIZE=10")));
        assert_eq!(path("to: <a@b.test>", "TO:"), Some(("a@b.test", "")));
        assert_eq!(path("FROM:a@b.test", "FROM:"), None);
        assert_eq!(path("", "FROM:"), None);
    }
}

//! `AUTH PLAIN` and `AUTH LOGIN`.

use std::io;

use mail_parser::decoders::base64::base64_decode;

use super::session::Session;

impl Session {
    /// Carries out `AUTH` with this argument.
    pub(super) async fn sign_in(&mut self, argument: &str) -> io::Result<()> {
        let (Some(username), Some(password)) = (
            self.desk.options.smtp_username.clone(),
            self.desk.options.smtp_password.clone(),
        ) else {
            return self.reply(503, "5.5.1 not offered").await;
        };
        let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
        let given = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let answer = if initial.is_empty() {
                    self.ask("").await?
                } else {
                    decoded(initial)
                };
                let mut parts = answer.split('\0').skip(1).map(str::to_owned);
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
            }
            "LOGIN" => {
                let name = if initial.is_empty() {
                    self.ask("VXNlcm5hbWU6").await?
                } else {
                    decoded(initial)
                };
                (name, self.ask("UGFzc3dvcmQ6").await?)
            }
            _ => return self.reply(504, "5.5.4 unknown mechanism").await,
        };
        if given == (username.clone(), password) {
            self.user = Some(username);
            return self.reply(235, "2.7.0 welcome").await;
        }
        self.reply(535, "5.7.8 authentication credentials invalid").await
    }

    /// Sends a challenge, and gives the decoded answer.
    async fn ask(&mut self, challenge: &str) -> io::Result<String> {
        self.write(&format!("334 {challenge}\r\n")).await?;
        let line = self.line().await?.unwrap_or_default();
        Ok(decoded(String::from_utf8_lossy(&line).trim_end()))
    }
}

/// Decodes base64; gives an empty text if it is invalid.
fn decoded(text: &str) -> String {
    let bytes = base64_decode(text.as_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

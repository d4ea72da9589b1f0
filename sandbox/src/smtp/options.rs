//! How the SMTP server is set up.

/// How connections are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Encryption {
    /// Never; `STARTTLS` is not offered.
    None,
    /// After `STARTTLS`, if the client asks for it.
    Starttls,
    /// From the first byte.
    Tls,
}

/// How the mail server is set up.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "smtp")]
pub struct Options {
    /// The user name that clients of the mail server must sign in with. Absent: no sign-in.
    #[arg(long, requires = "smtp_password")]
    pub smtp_username: Option<String>,
    /// The password for that user name.
    #[arg(long, requires = "smtp_username")]
    pub smtp_password: Option<String>,
    /// How connections to the mail server are encrypted.
    #[arg(long, value_enum, default_value = "starttls")]
    pub smtp_tls: Encryption,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            smtp_username: None,
            smtp_password: None,
            smtp_tls: Encryption::Starttls,
        }
    }
}

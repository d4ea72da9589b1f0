//! The settings of the console.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use passerelle_model::config::{Reader, RedisSettings, StoreSettings};
use passerelle_queue::gate::GatePolicy;

/// How long a person stays signed in, in hours.
const SESSION_HOURS: u64 = 12;
/// Most lines of a list as a file. The pages say so.
const EXPORTED_LINES: usize = 100_000;

/// What the console needs to know before it starts.
#[derive(Debug, Clone)]
pub struct ConsoleSettings {
    /// `CONSOLE_BIND` (127.0.0.1:8090): where it listens.
    pub bind: SocketAddr,
    /// `CONSOLE_URL`: the address that people use, where it is not that of `CONSOLE_BIND`.
    pub url: Option<String>,
    /// `CONSOLE_SESSION_HOURS` (12): how long a person stays signed in.
    pub session: Duration,
    /// A proxy that says who is there, if there is one.
    pub proxy: Option<Proxy>,
    /// `CONSOLE_ROW_CONTENTS` (everybody): who sees what a failure says of a row.
    pub row_contents: RowContents,
    /// `DOCMOST_PUBLIC_URL` or `DOCMOST_URL`: for links to pages.
    pub docmost_url: Option<String>,
    /// Most lines of a list as a file: 100,000.
    pub exported_lines: usize,
    /// The queue.
    pub redis: RedisSettings,
    /// The ledger.
    pub store: StoreSettings,
    /// The numbers of outage mode.
    pub gates: GatePolicy,
}

/// A proxy that lets people in, and tells their names in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `CONSOLE_PROXY_ADDRESSES`: the only addresses whose header counts.
    pub addresses: Vec<IpAddr>,
    /// `CONSOLE_USER_HEADER`: the header with the person's name.
    pub header: String,
}

/// Who sees values of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowContents {
    /// Everybody with an account.
    Everybody,
    /// Operators only.
    Operators,
}

/// Neither of the two words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is none of everybody, operators")]
pub struct UnknownRowContents;

impl FromStr for RowContents {
    type Err = UnknownRowContents;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "everybody" => Ok(Self::Everybody),
            "operators" => Ok(Self::Operators),
            _ => Err(UnknownRowContents),
        }
    }
}

impl fmt::Display for RowContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everybody => "everybody",
            Self::Operators => "operators",
        })
    }
}

impl ConsoleSettings {
    /// Reads them; what is wrong is noted in the reader.
    pub fn read(reader: &mut Reader) -> Self {
        let hours = reader.parsed("CONSOLE_SESSION_HOURS", SESSION_HOURS);
        if hours == 0 {
            reader.problem("CONSOLE_SESSION_HOURS", "must not be 0", "give hours, e.g. 12");
        }
        Self {
            bind: reader.parsed("CONSOLE_BIND", SocketAddr::from(([127, 0, 0, 1], 8090))),
            url: url(reader),
            session: Duration::from_secs(hours.clamp(1, 24 * 366) * 3600),
            proxy: proxy(reader),
            row_contents: reader.parsed("CONSOLE_ROW_CONTENTS", RowContents::Everybody),
            docmost_url: reader
                .optional("DOCMOST_PUBLIC_URL")
                .or_else(|| reader.optional("DOCMOST_URL"))
                .map(|url| url.trim_end_matches('/').to_owned())
                .filter(|url| is_web_address(url)),
            exported_lines: EXPORTED_LINES,
            redis: RedisSettings::read(reader),
            store: StoreSettings::read(reader),
            gates: GatePolicy::read(reader),
        }
    }

    /// Whether people reach it by TLS only: then their browsers keep the session to TLS, too.
    pub fn is_by_tls(&self) -> bool {
        self.url.as_ref().is_some_and(|url| url.starts_with("https://"))
    }
}

fn is_web_address(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn url(reader: &mut Reader) -> Option<String> {
    let url = reader.optional("CONSOLE_URL")?;
    let url = url.trim_end_matches('/').to_owned();
    if is_web_address(&url) && url.matches('/').count() == 2 {
        return Some(url);
    }
    reader.problem(
        "CONSOLE_URL",
        "is not the address of a site",
        "give scheme and host, e.g. https://bridge.example.org",
    );
    None
}

fn proxy(reader: &mut Reader) -> Option<Proxy> {
    let (header, addresses) = (
        reader.optional("CONSOLE_USER_HEADER"),
        reader.optional("CONSOLE_PROXY_ADDRESSES"),
    );
    match (header, addresses) {
        (None, None) => None,
        (Some(header), Some(addresses)) => {
            let parsed: Result<Vec<IpAddr>, _> = addresses.split(',').map(|address| address.trim().parse()).collect();
            if let Ok(addresses) = parsed {
                return Some(Proxy { addresses, header });
            }
            let hint = "give IP addresses, separated by commas, e.g. 10.0.0.2";
            reader.problem("CONSOLE_PROXY_ADDRESSES", "cannot be read", hint);
            None
        }
        (Some(_), None) => {
            let hint = "name the proxy's address: from any other, the header is ignored";
            reader.problem(
                "CONSOLE_PROXY_ADDRESSES",
                "is not set, but CONSOLE_USER_HEADER is",
                hint,
            );
            None
        }
        (None, Some(_)) => {
            let hint = "name the header in which the proxy gives the person's name, e.g. Remote-User";
            reader.problem(
                "CONSOLE_USER_HEADER",
                "is not set, but CONSOLE_PROXY_ADDRESSES is",
                hint,
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(pairs: &[(&str, &str)]) -> String {
        let mut reader = Reader::from_pairs(pairs.iter().copied());
        let _ = ConsoleSettings::read(&mut reader);
        reader
            .finish(())
            .map_or_else(|problems| problems.to_string(), |()| String::new())
    }

    #[test]
    fn a_header_is_not_trusted_without_the_address_of_the_proxy_that_sets_it() {
        assert!(problems(&[("CONSOLE_USER_HEADER", "Remote-User")]).contains("CONSOLE_PROXY_ADDRESSES"));
        assert!(problems(&[("CONSOLE_PROXY_ADDRESSES", "10.0.0.2")]).contains("CONSOLE_USER_HEADER"));
        assert!(
            problems(&[
                ("CONSOLE_USER_HEADER", "Remote-User"),
                ("CONSOLE_PROXY_ADDRESSES", "everywhere")
            ])
            .contains("cannot be read")
        );
        assert_eq!(
            problems(&[
                ("CONSOLE_USER_HEADER", "Remote-User"),
                ("CONSOLE_PROXY_ADDRESSES", "10.0.0.2, ::1")
            ]),
            ""
        );
    }

    #[test]
    fn an_address_for_people_is_that_of_a_site() {
        assert!(problems(&[("CONSOLE_URL", "bridge.example.org")]).contains("CONSOLE_URL"));
        assert!(problems(&[("CONSOLE_URL", "https://bridge.example.org/console")]).contains("CONSOLE_URL"));
        assert_eq!(problems(&[("CONSOLE_URL", "https://bridge.example.org/")]), "");
    }
}
